package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// members are the flags of a verb that stand for members of a request's body: the
// flag --max-lifetime for the member max_lifetime.
type members struct {
	flags *pflag.FlagSet
	// read puts one member into a body, if its flag was given. An empty value is
	// null: it takes back what was set.
	read []func(body map[string]any)
}

func membersOfBody(c *cobra.Command) *members { return &members{flags: c.Flags()} }

func (m *members) add(flag string, value func() any) {
	member := strings.ReplaceAll(flag, "-", "_")
	m.read = append(m.read, func(body map[string]any) {
		if m.flags.Changed(flag) {
			body[member] = value()
		}
	})
}

// text is a member that is a string.
func (m *members) text(flag, usage string) {
	value := m.flags.String(flag, "", usage)
	m.add(flag, func() any {
		if *value == "" {
			return nil
		}
		return *value
	})
}

// toggle is a member that is true or false.
func (m *members) toggle(flag, usage string) {
	value := m.flags.Bool(flag, false, usage)
	m.add(flag, func() any { return *value })
}

// words is a list of words, of which several can stand between commas.
func (m *members) words(flag, usage string) {
	value := m.flags.StringSlice(flag, nil, usage)
	m.add(flag, func() any { return orNull(*value) })
}

// texts is a list of texts that may have commas in them; each has a flag of its
// own.
func (m *members) texts(flag, usage string) {
	value := m.flags.StringArray(flag, nil, usage)
	m.add(flag, func() any {
		if len(*value) == 1 && (*value)[0] == "" {
			return nil
		}
		return orNull(*value)
	})
}

func orNull(list []string) any {
	if len(list) == 0 {
		return nil
	}
	return list
}

// features is the list of features and the flag for the empty one, which is not
// the absent one.
func (m *members) features(usage string) {
	m.words("features", usage)
	none := m.flags.Bool("no-features", false, "the empty list of features: no editing at all")
	m.read = append(m.read, func(body map[string]any) {
		if *none {
			body["features"] = []string{}
		}
	})
}

// body is the members whose flags were given.
func (m *members) body() map[string]any {
	body := map[string]any{}
	for _, read := range m.read {
		read(body)
	}
	return body
}

// made is body without what would take something back: there is nothing yet.
func (m *members) made() map[string]any {
	body := m.body()
	for name, value := range body {
		if value == nil {
			delete(body, name)
		}
	}
	return body
}
