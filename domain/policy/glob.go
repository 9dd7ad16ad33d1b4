package policy

import (
	"errors"
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
		if !special(s[i]) {
			return `a \ stands only before *, ? and \`
		}
	}
	return ""
}

// String is the text of the glob.
func (g Glob) String() string { return string(g) }

// Match reports whether g stands for the whole of s. Its time is linear in the
// length of s, whatever g is.
func (g Glob) Match(s string) bool {
	if g == "" || len(g) > MaxGlob {
		return false
	}
	matched, known := greedy(string(g), s)
	if !known {
		return simulate(string(g), s)
	}
	return matched
}

// greedy matches what stands before a star as early as it can, so that of all
// stars only the last one passed is ever moved. It gives up when that one is moved
// over and over, as with `*aaab*` and a text of nothing but `a`.
func greedy(pattern, rest string) (matched, known bool) {
	star, starRest, starred := "", "", false
	for steps := 8 * (len(pattern) + len(rest)); steps > 0; steps-- {
		if pattern != "" && pattern[0] == '*' {
			pattern = pattern[1:]
			if pattern == "" {
				return true, true
			}
			star, starRest, starred = pattern, rest, true
			continue
		}
		if pattern == "" && rest == "" {
			return true, true
		}
		if nextPattern, nextRest, ok := one(pattern, rest); ok {
			pattern, rest = nextPattern, nextRest
			continue
		}
		if !starred || starRest == "" {
			return false, true
		}
		_, size := utf8.DecodeRuneInString(starRest)
		starRest = starRest[size:]
		pattern, rest = star, starRest
	}
	return false, false
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
		if len(pattern) < 2 || !special(pattern[1]) {
			return "", "", false
		}
		pattern = pattern[1:]
	}
	return pattern[1:], s[1:], pattern[0] == s[0]
}

// special are the characters that a `\` may stand before.
func special(c byte) bool { return c == '*' || c == '?' || c == '\\' }

// places is a set of places in a glob, counted in characters without its stars.
type places [MaxGlob/64 + 1]uint64

func (p *places) add(n int)      { p[n/64] |= 1 << (n % 64) }
func (p *places) has(n int) bool { return p[n/64]>>(n%64)&1 == 1 }

// simulate keeps all places at once that the glob can be at, and takes them
// through s one character after the other.
func simulate(pattern, s string) bool {
	var stars, marks places // before which there is a star; at which any character is right
	right := make(map[rune]places)
	end := 0
	for i := 0; i < len(pattern); {
		r, size := utf8.DecodeRuneInString(pattern[i:])
		i += size
		switch r {
		case '*':
			stars.add(end)
			continue
		case '?':
			marks.add(end)
			end++
			continue
		case '\\':
			if i == len(pattern) || !special(pattern[i]) {
				return false
			}
			r = rune(pattern[i])
			i++
		}
		at := right[r]
		at.add(end)
		right[r] = at
		end++
	}
	var now places
	now.add(0)
	for _, r := range s {
		here, carry := right[r], uint64(0)
		for w, set := range now {
			moved := set & (here[w] | marks[w])
			now[w] = set&stars[w] | moved<<1 | carry
			carry = moved >> 63
		}
	}
	return now.has(end)
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
