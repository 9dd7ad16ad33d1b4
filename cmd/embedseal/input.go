package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"embedseal/domain/jwe"
)

// standardInput names it where a file is asked for.
const standardInput = "-"

// readToken is the token in a file, or on standard input; also one that came as the
// endpoint's answer. Nothing at all is no token that could be judged.
func (p *program) readToken(ctx context.Context, path string) (string, error) {
	text, err := p.readInput(ctx, path, "token")
	if err != nil {
		return "", err
	}
	if text = unwrapAnswer(text); text == "" {
		return "", usage(fmt.Errorf("no token was given: %s is empty", called(path)))
	}
	return text, nil
}

// readInput is what stands in a file, or comes on standard input. Whoever is at a
// terminal is told what is waited for, and how it ends.
func (p *program) readInput(ctx context.Context, path, what string) (string, error) {
	p.awaits(path, what)
	return unlessDone(ctx, func() (string, error) {
		in := p.stdin
		if path != standardInput {
			f, err := os.Open(filepath.Clean(path))
			if err != nil {
				return "", unreadable(path, err)
			}
			defer func() { _ = f.Close() }()
			in = f
		}
		data, err := io.ReadAll(io.LimitReader(in, 4*jwe.MaxCompact))
		if err != nil {
			return "", unreadable(path, err)
		}
		return string(data), nil
	})
}

// awaits tells whoever is at a terminal what is waited for.
func (p *program) awaits(path, what string) {
	if path == standardInput && p.interactive() {
		p.warn("Paste the %s, then press Enter and Ctrl-D; Ctrl-C ends it.", what)
	}
}

// unlessDone is what read returns, or the end of ctx. A read of a terminal or a pipe
// cannot be broken off: it is left to the end of the program, which comes then.
func unlessDone[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		content T
		err     error
	}
	done := make(chan result, 1)
	go func() {
		content, err := read()
		done <- result{content, err}
	}()
	select {
	case r := <-done:
		return r.content, r.err
	case <-ctx.Done():
		var none T
		return none, fmt.Errorf("ended while it waited for input: %w", context.Cause(ctx))
	}
}

// unreadable says which file, and why, each once.
func unreadable(path string, err error) error {
	var named *fs.PathError
	if errors.As(err, &named) {
		err = named.Err
	}
	return fmt.Errorf("%s cannot be read: %w", called(path), err)
}

// called is how a file is named to people.
func called(path string) string {
	if path == standardInput {
		return "standard input"
	}
	return shown(path)
}
