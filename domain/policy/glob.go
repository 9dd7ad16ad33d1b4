package policy

import (
	"errors"
	"strings"
	"unicode/utf8"

	"embedseal/domain/token"
)

// The limits of globs.
const (
	// MaxGlob is the longest glob, in bytes.
	MaxGlob = 256
	// MaxGlobs is how many globs, or origins, one list may have.
	MaxGlobs = 100
)

// ErrGlob is wrapped by the refusal of a text that is no glob. The error says
// why in words and repeats nothing of the text.
var ErrGlob = errors.New("not a glob")

// Glob is a pattern for a whole id: `*` stands for any run of characters, the
// empty one too, `?` for exactly one, and `\` takes their meaning from these
// two and from itself. Everything else is literal: case counts, brackets and
// braces mean nothing, and two spellings that Unicode holds to be the same are
// two. The zero value matches nothing, as every text does that [ParseGlob]
// refuses.
type Glob string

// ParseGlob takes 1 to [MaxGlob] bytes of UTF-8 without control characters. A
// `\` before any other character than `*`, `?` and `\` is refused: it would mean
// something in other languages, and nothing here. The error wraps [ErrGlob].
func ParseGlob(s string) (Glob, error) {
	if why := checkGlob(s); why != "" {
		return "", &globError{why}
	}
	return Glob(s), nil
}

type globError struct{ why string }

func (e *globError) Error() string { return ErrGlob.Error() + ": " + e.why }
func (e *globError) Unwrap() error { return ErrGlob }

func checkGlob(s string) (why string) {
	switch {
	case s == "":
		return "it is empty, and would match no id"
	case len(s) > MaxGlob:
		return "it is longer than 256 bytes"
	case !token.Plain(s):
		return "it is not valid UTF-8 without control characters"
	}
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			continue
		}
		i++
		if i == len(s) {
			return `it ends in a single \`
		}
		if !strings.ContainsRune(`*?\`, rune(s[i])) {
			return `a \ stands only before *, ? and \`
		}
	}
	return ""
}

// String is the text of the glob.
func (g Glob) String() string { return string(g) }

// Match reports whether g stands for the whole of s.
//
// Of all stars only the last one passed is ever moved, because what stands
// before it was matched as early as it can be. So a star costs no more than
// another: the time is bounded by the length of g times that of s, however the
// stars stand.
func (g Glob) Match(s string) bool {
	if g == "" {
		return false
	}
	pattern, rest := string(g), s
	star, starRest := "", ""
	starred := false
	for {
		if pattern != "" && pattern[0] == '*' {
			pattern = pattern[1:]
			if pattern == "" {
				return true
			}
			star, starRest, starred = pattern, rest, true
			continue
		}
		if pattern == "" && rest == "" {
			return true
		}
		if nextPattern, nextRest, ok := one(pattern, rest); ok {
			pattern, rest = nextPattern, nextRest
			continue
		}
		if !starred || starRest == "" {
			return false
		}
		_, size := utf8.DecodeRuneInString(starRest)
		starRest = starRest[size:]
		pattern, rest = star, starRest
	}
}

// one matches the first character of s with the first of pattern, which is no
// star, and returns what is left of both.
func one(pattern, s string) (restPattern, rest string, ok bool) {
	if pattern == "" || s == "" {
		return "", "", false
	}
	switch pattern[0] {
	case '?':
		_, size := utf8.DecodeRuneInString(s)
		return pattern[1:], s[size:], true
	case '\\':
		if len(pattern) < 2 {
			return "", "", false
		}
		pattern = pattern[1:]
	}
	return pattern[1:], s[1:], pattern[0] == s[0]
}

// matchAny reports whether one of the globs matches s; an empty list is any.
func matchAny(globs []Glob, s string) bool {
	for _, g := range globs {
		if g.Match(s) {
			return true
		}
	}
	return len(globs) == 0
}
