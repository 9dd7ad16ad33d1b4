package app_test

import (
	"errors"
	"regexp"
	"testing"

	"embedseal/app"
)

func TestATagNamesOneState(t *testing.T) {
	type state struct{ Name string }
	one, two := app.TagOf(state{"one"}), app.TagOf(state{"two"})
	if one == two || one != app.TagOf(state{"one"}) {
		t.Errorf("the tags are %s and %s", one, two)
	}
	if !regexp.MustCompile(`^"[0-9a-f]{16}"$`).MatchString(string(one)) {
		t.Errorf("%s is no tag of sixteen digits", one)
	}
}

func TestAConditionNamesTheStateOrAny(t *testing.T) {
	tag := app.TagOf("a")
	for _, m := range []app.Match{"", "*", app.Match(tag), `"x", ` + app.Match(tag), app.Match(tag) + `,"x"`, ` ` + app.Match(tag) + `	`} {
		if err := m.Check(tag); err != nil {
			t.Errorf("%s: %v", m, err)
		}
	}
	for _, m := range []app.Match{`"x"`, `W/` + app.Match(tag), app.Match(tag[1 : len(tag)-1]), `""`, `,`, ` `, `**`, `"*"`} {
		if err := m.Check(tag); !errors.Is(err, app.ErrTag) {
			t.Errorf("%s: got %v, want %v", m, err, app.ErrTag)
		}
	}
	if err := app.Match(`"x", `).Check(""); !errors.Is(err, app.ErrTag) {
		t.Errorf("a state without a tag matches: %v", err)
	}
}
