package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
)

// secretOut is where something goes that is shown a single time: the file of
// --secret-out, or without one the place of the rest of the answer.
type secretOut struct {
	path string
	f    *os.File
	kept bool
}

// secretOutFlag gives a verb the flag.
func secretOutFlag(c *cobra.Command, what string) *secretOut {
	o := &secretOut{}
	c.Flags().StringVar(&o.path, "secret-out", "", "write "+what+" to this new file (mode 0600) and do not print it")
	return o
}

// open makes the file before anything is asked, so that nothing is made whose
// secret has nowhere to go.
func (o *secretOut) open() error {
	if o.path == "" {
		return nil
	}
	f, err := os.OpenFile(o.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("--secret-out %s: it is there already, and is not written over", o.path)
	}
	if err != nil {
		return fmt.Errorf("--secret-out: %w", err)
	}
	o.f = f
	return nil
}

// close removes the file unless something is in it.
func (o *secretOut) close() {
	if o.f == nil {
		return
	}
	_ = o.f.Close()
	if !o.kept {
		_ = os.Remove(o.path)
	}
}

// take moves the text at path within body into the file, and returns the rest.
// When it cannot be written the body comes back whole, with the error: it may be
// the only copy.
func (o *secretOut) take(body []byte, path ...string) ([]byte, error) {
	if o.f == nil {
		return body, nil
	}
	rest, taken, err := without(body, path...)
	if err != nil || taken == nil {
		return body, err
	}
	var text string
	if err := json.Unmarshal(taken, &text); err != nil {
		return body, fmt.Errorf("read the answer: %w", err)
	}
	if err := o.write(text); err != nil {
		return body, err
	}
	return rest, nil
}

func (o *secretOut) write(text string) error {
	_, err := o.f.WriteString(text + "\n")
	if err := errors.Join(err, o.f.Sync()); err != nil {
		return fmt.Errorf("--secret-out %s: %w", o.path, err)
	}
	o.kept = true
	return nil
}

// without takes the member at path out of a JSON object, and leaves all others as
// they stand. It takes nothing where there is none.
func without(object []byte, path ...string) (rest, taken []byte, err error) {
	rest = append(rest, '{')
	err = eachMember(object, func(name string, value json.RawMessage) error {
		if name == path[0] {
			if len(path) == 1 {
				taken = value
				return nil
			}
			var err error
			if value, taken, err = without(value, path[1:]...); err != nil {
				return err
			}
		}
		quoted, err := json.Marshal(name)
		if err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		if len(rest) > 1 {
			rest = append(rest, ',')
		}
		rest = append(append(append(rest, quoted...), ':'), value...)
		return nil
	})
	return append(rest, '}'), taken, err
}

// eachMember hands out the members of a JSON object in their order.
func eachMember(object []byte, do func(name string, value json.RawMessage) error) error {
	decoder := json.NewDecoder(bytes.NewReader(object))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return errors.New("read the answer: it is no object")
	}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		if err := do(fmt.Sprint(token), value); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}
