package iso8601

import (
	"fmt"
	"strings"
)

// MaxText is the length of the longest text that [Parse] looks at, in bytes.
const MaxText = 64

// Parse reads a duration as the package documentation describes it
// (ISO 8601-1:2019, section 5.5.2, with the choices named there).
//
// A text that is not a duration gives [ErrMalformed]; one that is zero, or has
// a minus sign before the "P" or a number, [ErrNotPositive]; one that counts
// more than 999 999 999 999 of any unit, [ErrOverflow]. The error repeats nothing
// of the text.
func Parse(s string) (Duration, error) {
	if len(s) > MaxText {
		return Duration{}, refuse(ErrMalformed, "is longer than 64 bytes")
	}
	if strings.HasPrefix(s, "-P") {
		return Duration{}, refuse(ErrNotPositive, "has a minus sign")
	}
	rest, ok := strings.CutPrefix(s, "P")
	if !ok {
		return Duration{}, refuse(ErrMalformed, "does not begin with P")
	}
	p := parser{rest: rest}
	for p.rest != "" {
		if why, fault := p.step(); fault != nil {
			return Duration{}, refuse(fault, why)
		}
	}
	switch {
	case p.next == 0:
		return Duration{}, refuse(ErrMalformed, "names no unit")
	case p.overflow:
		return Duration{}, refuse(ErrOverflow, "counts more than 999999999999 of a unit")
	case p.read == parts{}:
		return Duration{}, refuse(ErrNotPositive, "is zero")
	}
	return p.read.duration(), nil
}

// parser is what is known after the part of the text before rest.
type parser struct {
	rest     string
	read     parts
	next     unit // the largest unit that may still come
	timed    bool // T was read
	fraction bool // a fraction was read, if only of zeros: no unit may follow
	overflow bool // told last: a malformed text is malformed first
}

// step reads one unit, and the T if that stands before it. It answers what is
// wrong in words, and the sentinel for it or nil.
func (p *parser) step() (why string, fault error) {
	if p.rest[0] == 'T' {
		if p.timed {
			return "has T twice", ErrMalformed
		}
		p.timed, p.rest = true, p.rest[1:]
	}
	if p.fraction {
		return "has a fraction that is not on its last unit", ErrMalformed
	}
	if len(p.rest) > 1 && p.rest[0] == '-' && isDigit(p.rest[1]) {
		return "has a minus sign", ErrNotPositive
	}
	n, digits := p.whole()
	if digits == 0 {
		return "has no digit where a number belongs", ErrMalformed
	}
	part, ok := p.billionths()
	if !ok {
		return "has a fraction that is not of one to nine digits", ErrMalformed
	}
	u, ok := p.designator()
	switch {
	case !ok:
		return "has a number without a unit that may follow it there", ErrMalformed
	case u < p.next:
		return "has a unit twice or out of order", ErrMalformed
	}
	p.next = u + 1
	p.read.count[u] = n
	if part != 0 {
		p.read.part, p.read.of = part, u
	}
	return "", nil
}

// whole reads digits; a number above maxCount is noted and not kept.
func (p *parser) whole() (n int64, digits int) {
	for digits < len(p.rest) && isDigit(p.rest[digits]) {
		n = n*10 + int64(p.rest[digits]-'0')
		if n > maxCount {
			p.overflow, n = true, maxCount
		}
		digits++
	}
	p.rest = p.rest[digits:]
	return n, digits
}

// billionths reads a fraction, if one stands there, scaled to nine digits.
func (p *parser) billionths() (part uint32, ok bool) {
	if p.rest == "" || (p.rest[0] != '.' && p.rest[0] != ',') {
		return 0, true
	}
	p.fraction = true
	digits := 0
	for scale := uint32(billion / 10); 1+digits < len(p.rest) && isDigit(p.rest[1+digits]); scale /= 10 {
		part += uint32(p.rest[1+digits]-'0') * scale
		digits++
	}
	p.rest = p.rest[1+digits:]
	return part, digits >= 1 && digits <= 9
}

// designator reads the letter of a unit; M is months before the T and minutes
// after it.
func (p *parser) designator() (unit, bool) {
	if p.rest == "" {
		return 0, false
	}
	letters, first := designators[:hours], years
	if p.timed {
		letters, first = designators[hours:], hours
	}
	i := strings.IndexByte(letters, p.rest[0])
	if i < 0 {
		return 0, false
	}
	p.rest = p.rest[1:]
	return first + unit(i), true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// refuse repeats nothing of the text, which may be a secret in the wrong place.
func refuse(fault error, why string) error { return fmt.Errorf("%w: it %s", fault, why) }
