package file_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"embedseal/adapters/file"
	"embedseal/ports"
)

func TestAFailureAtAnyStepIsAnErrorWithAName(t *testing.T) {
	original := base(t)
	before := reopened(t, original)
	for name, write := range writes() {
		for _, lasting := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, lasting %t", name, lasting), func(t *testing.T) {
				c := copyDir(t, original)
				if err := attempt(t, c, nil, write); err != nil {
					t.Fatal(err)
				}
				after, answers := reopened(t, c), map[string]int{}
				for n := 0; ; n++ {
					err := failingAt(t, copyDir(t, original), n, lasting, write, before, after)
					if err == nil {
						break
					}
					for _, known := range []error{ports.ErrUnavailable, ports.ErrUnknownOutcome} {
						if errors.Is(err, known) {
							answers[known.Error()]++
						}
					}
				}
				if len(answers) != 2 {
					t.Errorf("got the answers %v, want both kinds", answers)
				}
			})
		}
	}
}

// failingAt opens the store, and lets the disk fail from its n-th step on, or
// at that step only. It returns the error of the write, nil when there are no n
// steps in it.
func failingAt(t *testing.T, c file.Config, n int, lasting bool, write func(context.Context, *file.Store) error, before, after string) error {
	t.Helper()
	steps, armed := 0, false
	s, closing, err := file.OpenStepping(t.Context(), c, func(string, string) error {
		if !armed {
			return nil
		}
		steps++
		if steps-1 == n || lasting && steps-1 > n {
			return syscall.EIO
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer closing()
	armed = true
	written := write(t.Context(), s)
	if written == nil && steps > n {
		t.Errorf("the failure of step %d was not told", n)
	}
	if lasting {
		// Whatever is read while the disk fails is the one state or the other.
		if text, err := dump(t, s); err != nil && !errors.Is(err, ports.ErrUnavailable) || err == nil && text != before && text != after {
			t.Errorf("step %d, while the disk fails: error %v, the store says\n%s", n, err, text)
		}
	}
	armed = false
	text, err := dump(t, s)
	switch {
	case err != nil:
		t.Errorf("step %d, afterwards: %v", n, err)
	case written == nil && text != after, errors.Is(written, ports.ErrUnavailable) && text != before, text != before && text != after:
		t.Errorf("step %d, after the answer %v the store says\n%s", n, written, text)
	}
	if err := addKey(t.Context(), s, "globex", "later"); err != nil {
		t.Errorf("step %d: the next write fails: %v", n, err)
	}
	if text, err = dump(t, s); err != nil {
		t.Error(err)
	}
	closing()
	if got := reopened(t, c); got != text {
		t.Errorf("step %d: opened again, the store says\n%swant\n%s", n, got, text)
	}
	if written != nil && !strings.Contains(written.Error(), c.Dir) {
		t.Errorf("the error %q does not say where", written)
	}
	return written
}
