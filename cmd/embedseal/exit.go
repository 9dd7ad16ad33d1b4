package main

import (
	"errors"

	"embedseal/adapters/httpapi"
	"embedseal/adapters/vault"
	"embedseal/configs"
	"embedseal/ports"
)

// The exit codes; docs/cli.md has them too.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
	exitConfig  = 3
	exitStore   = 4
	exitAddress = 5
	exitRefused = 6
)

const exitCodesHelp = `Exit codes: 0 done; 1 failed; 2 wrong usage; 3 faults in the configuration;
4 the store is missing, held by another process, or unreadable, or Vault refuses
this service; 5 the listen address is taken; 6 the server refused, or the token is
not good.`

// usageError is the caller's mistake on the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usage(err error) error { return &usageError{err} }

// failed marks the errors of a verb, as opposed to those of cobra before one
// runs.
type failed struct {
	err  error
	code int
}

func (e *failed) Error() string { return e.err.Error() }
func (e *failed) Unwrap() error { return e.err }

// errSaid is wrapped by an error that was shown already.
var errSaid = errors.New("said")

func exitCode(err error) int {
	var asked *usageError
	var ran *failed
	var invalid *configs.Invalid
	switch {
	case errors.As(err, &asked):
		return exitUsage
	case errors.As(err, &invalid), errors.Is(err, vault.ErrConfig):
		return exitConfig
	case errors.Is(err, httpapi.ErrAddressInUse):
		return exitAddress
	case errors.Is(err, ports.ErrHeld), errors.Is(err, ports.ErrCorrupt), errors.Is(err, ports.ErrNotFound):
		return exitStore
	case errors.As(err, &ran):
		return ran.code
	}
	return exitUsage
}

// verb wraps what a verb does, so that its errors are told from cobra's own.
func verb(do func() error) error {
	err := do()
	if err == nil {
		return nil
	}
	var asked *usageError
	var ran *failed
	if errors.As(err, &asked) || errors.As(err, &ran) {
		return err
	}
	return &failed{err: err, code: exitFailure}
}
