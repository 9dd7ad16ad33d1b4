package configs

import (
	"errors"
	"fmt"
	"strings"
)

// ErrInvalid is what every [Invalid] wraps.
var ErrInvalid = errors.New("configuration refused")

// Fault is one thing that is wrong. None of its texts holds a secret.
type Fault struct {
	// Key is the path of the setting as it was written, which may be unknown;
	// it is empty where the fault is no setting's.
	Key string `json:"key"`
	// Source is where it was written, as in [Setting].
	Source string `json:"source"`
	// Detail says what is wrong and, where that is known, what to write.
	Detail string `json:"detail"`
}

// String is the fault on one line.
func (f Fault) String() string {
	if f.Key == "" {
		return fmt.Sprintf("%s: %s", f.Source, f.Detail)
	}
	return fmt.Sprintf("%s (%s): %s", f.Key, f.Source, f.Detail)
}

// Invalid is everything that is wrong with a configuration: in the file from
// top to bottom, then in the environment, in the flags, in the files of secrets,
// and last between values.
type Invalid struct{ Faults []Fault }

// Error has a line for each fault.
func (e *Invalid) Error() string {
	var b strings.Builder
	noun := "faults"
	if len(e.Faults) == 1 {
		noun = "fault"
	}
	fmt.Fprintf(&b, "%v: %d %s", ErrInvalid, len(e.Faults), noun)
	for _, f := range e.Faults {
		b.WriteString("\n  ")
		b.WriteString(f.String())
	}
	return b.String()
}

// Unwrap returns [ErrInvalid].
func (e *Invalid) Unwrap() error { return ErrInvalid }
