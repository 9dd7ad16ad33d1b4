package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"embedseal/adapters/httpapi"
	"embedseal/configs"
	"embedseal/domain/secret"
)

const (
	// batchPath is where many tokens are made at once.
	batchPath = "/api/generate_jwts/"
	// batchTime is how long one batch may take, its answer included.
	batchTime = 2 * time.Minute
	// batchTries is how often one is sent that is over the rate: nothing was made of it.
	batchTries = 10
)

// mintBatch sends the lines of a file in batches of at most a thousand, and prints a
// line for each as its answer comes.
func (p *program) mintBatch(ctx context.Context, cfg configs.Config, apiToken secret.Text, defaults []byte, path string) error {
	in, err := p.openInput(path)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	lines := requestLines{in: bufio.NewReader(in), path: path, room: httpapi.MaxBatchBody - len(defaults) - 64}
	asked, refused := 0, 0
	for {
		requests, err := lines.next(ctx)
		if err != nil {
			return err
		}
		if len(requests) == 0 {
			break
		}
		asked += len(requests)
		body := batchBody(defaults, requests)
		n, err := p.askBatch(ctx, cfg, apiToken, body, len(requests))
		if err != nil {
			return err
		}
		refused += n
	}
	if asked == 0 {
		return fmt.Errorf("read %s: there is no request in it", path)
	}
	if refused == 0 {
		return nil
	}
	err = fmt.Errorf("the server refused %d of %d requests; the lines with \"success\":0 say why", refused, asked)
	if p.output == "json" {
		err = fmt.Errorf("%w: %w", errSaid, err)
	}
	return &failed{code: exitRefused, err: err}
}

// batchBody is the body of a batch.
func batchBody(defaults []byte, requests [][]byte) []byte {
	body := append(append([]byte(`{"defaults":`), defaults...), `,"requests":[`...)
	body = append(body, bytes.Join(requests, []byte(",\n"))...)
	return append(body, "]}"...)
}

// openInput opens a file; - is standard input.
func (p *program) openInput(path string) (io.ReadCloser, error) {
	p.awaits(path, "requests, one on each line")
	if path == standardInput {
		return io.NopCloser(p.stdin), nil
	}
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, unreadable(path, err)
	}
	return f, nil
}

// requestLines reads requests, one on each line. Empty lines are passed over.
type requestLines struct {
	in   *bufio.Reader
	path string
	// room is how many bytes the requests of one batch may have.
	room int
	line int
	// held is a request that the batch before had no room for, and failed what ended
	// it: what stands before is asked for first.
	held   []byte
	failed error
}

// next is the requests of one batch; none at the end.
func (r *requestLines) next(ctx context.Context) (requests [][]byte, err error) {
	size := 0
	for r.failed == nil && len(requests) < httpapi.MaxBatch {
		text := r.held
		if r.held = nil; text == nil {
			text, r.failed = r.read(ctx)
		}
		if text == nil {
			break
		}
		if size += len(text) + 2; size > r.room && len(requests) > 0 {
			r.held = text
			return requests, nil
		}
		requests = append(requests, text)
	}
	if len(requests) == 0 {
		return nil, r.failed
	}
	return requests, nil
}

// read is the next line that is not empty; nil at the end. What is no JSON would
// spoil its whole batch, and is refused here, where it has a number.
func (r *requestLines) read(ctx context.Context) ([]byte, error) {
	for {
		text, err := unlessDone(ctx, func() ([]byte, error) { return r.in.ReadBytes('\n') })
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read %s: %w", r.path, err)
		}
		ended := err != nil
		r.line++
		text = bytes.TrimSpace(text)
		switch {
		case len(text) == 0 && ended:
			return nil, nil
		case len(text) == 0:
			continue
		case !json.Valid(text):
			return nil, fmt.Errorf("read %s: line %d is not JSON; neither it nor what follows was asked for", r.path, r.line)
		}
		return text, nil
	}
}

// askBatch sends one batch, prints its items, and returns how many were refused.
func (p *program) askBatch(ctx context.Context, cfg configs.Config, apiToken secret.Text, body []byte, n int) (refused int, err error) {
	server := cfg.Client.Server
	ctx, cancel := context.WithTimeout(ctx, batchTime)
	defer cancel()
	for try := 1; ; try++ {
		response, err := postTo(ctx, server, batchPath, apiToken, body)
		if err != nil {
			return 0, err
		}
		if response.StatusCode == http.StatusTooManyRequests && try < batchTries {
			_ = response.Body.Close()
			if err := wait(ctx, response.Header.Get("Retry-After")); err != nil {
				return 0, fmt.Errorf("wait for the rate limit of %s: %w", server, err)
			}
			continue
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusOK {
			answer, _, err := readAnswer(server, response)
			if err != nil {
				return 0, err
			}
			return 0, p.showMinted(answer, cfg)
		}
		return p.printMinted(server, response, n)
	}
}

// wait waits for so many seconds, or one.
func wait(ctx context.Context, seconds string) error {
	n, err := strconv.Atoi(seconds)
	if err != nil || n < 1 {
		n = 1
	}
	timer := time.NewTimer(time.Duration(n) * time.Second)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// printMinted prints each item on a line of its own, as it comes, and returns how
// many are refusals.
func (p *program) printMinted(server string, response *http.Response, want int) (refused int, err error) {
	decoder := json.NewDecoder(response.Body)
	for _, token := range []any{json.Delim('{'), "success", float64(1), "items", json.Delim('[')} {
		if got, err := decoder.Token(); err != nil || got != token {
			return 0, notOurs(server, response)
		}
	}
	n := 0
	for ; decoder.More(); n++ {
		var item struct {
			Success int `json:"success"`
		}
		var text json.RawMessage
		if err := decoder.Decode(&text); err != nil {
			return refused, cutOff(server, n, want, err)
		}
		var line bytes.Buffer
		if err := errors.Join(json.Unmarshal(text, &item), json.Compact(&line, text)); err != nil {
			return refused, notOurs(server, response)
		}
		if item.Success != 1 {
			refused++
		}
		line.WriteByte('\n')
		if _, err := line.WriteTo(p.stdout); err != nil { // nobody would see the others
			return refused, fmt.Errorf("write the answer: %w", err)
		}
	}
	for _, token := range []any{json.Delim(']'), json.Delim('}')} {
		if got, err := decoder.Token(); err != nil || got != token {
			return refused, cutOff(server, n, want, err)
		}
	}
	if n != want {
		return refused, notOurs(server, response)
	}
	return refused, nil
}

func cutOff(server string, got, want int, err error) error {
	return fmt.Errorf("the answer of %s was cut off after %d of %d items: %w", server, got, want, err)
}
