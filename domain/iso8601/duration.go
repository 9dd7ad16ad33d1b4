package iso8601

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
	"unique"
)

// The ways in which a duration is refused. Every error of this package wraps
// exactly one of them.
var (
	// ErrMalformed says that the text is not a duration as the package
	// documentation describes it.
	ErrMalformed = errors.New("malformed duration")
	// ErrNotPositive says that the duration is zero or negative.
	ErrNotPositive = errors.New("duration not longer than zero")
	// ErrOverflow says that a number is too large to be part of any duration,
	// or that the instant reached lies outside of the years 1 to 9999.
	ErrOverflow = errors.New("duration too long")
)

// Duration is a length of time in calendar and clock units (ISO 8601-1:2019,
// section 5.5.2). The zero value is no duration. Values that say the same with
// the same units are equal under ==: "PT01H", "PT1H0M" and "PT1H" are one
// value, "PT60M" is another.
//
// It is small, since every policy has two of them, and of ten thousand groups none is
// in the processor's cache: a whole number of one unit, as nearly every duration is,
// stands in it, and anything else behind a handle.
type Duration struct {
	one  uint64               // that number, and its unit in the three lowest bits, counted from one
	many unique.Handle[parts] // the zero handle where one is not zero
}

// parts are the numbers of a duration. All zero is no duration.
type parts struct {
	count [unitCount]int64 // whole units, each at most maxCount
	part  uint32           // billionths of one more unit, below 1e9
	of    unit             // what part is a part of; years while part is 0
}

const unitBits = 3 // unitCount is at most 7, and maxCount far below 1<<61

// duration is the one Duration of those parts, so that == of two is == of their parts.
func (p parts) duration() Duration {
	only, units := years, 0
	for u, n := range p.count {
		if n != 0 {
			only, units = unit(u), units+1
		}
	}
	switch {
	case p == parts{}:
		return Duration{}
	case units == 1 && p.part == 0:
		return Duration{one: uint64(p.count[only])<<unitBits | uint64(only) + 1}
	}
	return Duration{many: unique.Make(p)}
}

// parts is the inverse of [parts.duration].
func (d Duration) parts() parts {
	var p parts
	switch {
	case d.one != 0:
		p.count[d.one&(1<<unitBits-1)-1] = int64(d.one >> unitBits)
	case d.many != unique.Handle[parts]{}:
		p = d.many.Value()
	}
	return p
}

// unit is a designator, from the largest to the smallest.
type unit uint8

const (
	years unit = iota
	months
	weeks
	days
	hours
	minutes
	seconds
	unitCount
)

const (
	designators = "YMWDHMS" // the letter of each unit
	billion     = 1_000_000_000
	// maxCount is beyond what any unit can count before the year 9999, and so
	// small that no sum of seconds below comes near to the range of int64.
	maxCount  = 999_999_999_999
	firstYear = 1
	lastYear  = 9999
	lastUnix  = 253402300799 // 9999-12-31T23:59:59Z
)

// IsZero reports whether d is the zero value: no duration at all. No text that
// [Parse] accepts gives it.
func (d Duration) IsZero() bool { return d == Duration{} }

// String is the canonical text of d: no leading zeros, no units that count
// nothing, a point for the fraction and no zeros after its last digit.
// Parse(d.String()) gives d again. The zero value is the empty text.
func (d Duration) String() string {
	if d.IsZero() {
		return ""
	}
	p := d.parts()
	text := append(make([]byte, 0, MaxText), 'P')
	timed := false
	for u := years; u < unitCount; u++ {
		fractional := p.part != 0 && p.of == u
		if p.count[u] == 0 && !fractional {
			continue
		}
		if u >= hours && !timed {
			text, timed = append(text, 'T'), true
		}
		text = strconv.AppendInt(text, p.count[u], 10)
		if fractional {
			text = appendFraction(text, p.part)
		}
		text = append(text, designators[u])
	}
	return string(text)
}

// AddTo gives the instant at which something ends that begins at t and lasts
// d: a whole second, in UTC, and always later than t.
//
// It counts from the beginning of the second that t lies in, so that the end
// less the beginning, both cut to seconds as in the exp and iat claims
// (RFC 7519, section 4.1), is exactly d. Years and months are added first, in
// one step and by the calendar, with the day clamped to the end of the month
// (31 January and one month is 28 or 29 February); then weeks of seven days
// and days of 24 hours; then the time. A fraction is exact, and its end is
// rounded up to the next whole second.
//
// It fails with [ErrNotPositive] when d is the zero value, and with
// [ErrOverflow] when t or the end lies outside of the years 1 to 9999.
func (d Duration) AddTo(t time.Time) (time.Time, error) {
	if d.IsZero() {
		return time.Time{}, fmt.Errorf("%w: there is no duration to add", ErrNotPositive)
	}
	if y := t.UTC().Year(); y < firstYear || y > lastYear {
		return time.Time{}, fmt.Errorf("%w: it begins outside of the years %d to %d", ErrOverflow, firstYear, lastYear)
	}
	begin := time.Unix(t.Unix(), 0).UTC()
	end, ok := d.parts().endFrom(begin)
	if !ok {
		return time.Time{}, fmt.Errorf("%w: %s ends after the year %d", ErrOverflow, d, lastYear)
	}
	return end, nil
}

// farthest is the longest time.Duration in whole seconds, some 292 years.
const farthest = math.MaxInt64 / time.Second * time.Second

// UpperBound is a length that d never exceeds, whatever instant it begins at, in
// whole seconds: a month counts 31 days and a year 366. A duration of more than
// the 292 years that a time.Duration holds gives the longest of those; the zero
// value gives 0.
func (d Duration) UpperBound() time.Duration {
	return d.parts().upper()
}

// LowerBound is a length that d never falls short of, whatever instant it begins
// at, in whole seconds: a month counts 28 days and a year 365. It is cut off where
// [Duration.UpperBound] is.
func (d Duration) LowerBound() time.Duration {
	return d.parts().lower()
}

func (p parts) upper() time.Duration { return p.bound(unit.longest, billion-1) }

func (p parts) lower() time.Duration { return p.bound(unit.shortest, 0) }

// bound is the length where each unit is as long as length says. round is
// added to what is less than a second, in billionths, before it is cut off.
func (p parts) bound(length func(unit) int64, round int64) time.Duration {
	const longest = int64(farthest / time.Second)
	var sum int64
	for u := years; u < unitCount; u++ {
		// Up to longest, below 2^34, times a unit, below 2^25 seconds, nothing overflows.
		if p.count[u] > longest {
			return farthest
		}
		if sum += p.count[u] * length(u); sum > longest {
			return farthest
		}
	}
	if p.part != 0 {
		sum += (int64(p.part)*length(p.of) + round) / billion
	}
	return time.Duration(min(sum, longest)) * time.Second
}

// MayOutlast reports whether d can end later than other, both begun at the same
// instant. Where it cannot be told without looking at every calendar it says yes:
// 30 days may outlast a month, as they do in February; when it says no, d ends no
// later than other whenever they begin.
func (d Duration) MayOutlast(other Duration) bool {
	if d == other {
		return false
	}
	p, q := d.parts(), other.parts()
	whole := (p.part == 0 || p.of > months) && (q.part == 0 || q.of > months)
	if whole && p.calendarMonths() <= q.calendarMonths() && p.clockAtMost(q) {
		return false
	}
	upper := p.upper()
	return upper == farthest || upper > q.lower()
}

func (p parts) calendarMonths() int64 { return p.count[years]*12 + p.count[months] }

// clockAtMost compares what is left of two durations without their years and
// months; neither has a fraction of those.
func (p parts) clockAtMost(q parts) bool {
	p.count[years], p.count[months], q.count[years], q.count[months] = 0, 0, 0, 0
	upper := p.upper()
	return upper != farthest && upper <= q.lower()
}

// shortest is the length of the shortest of a unit, in seconds.
func (u unit) shortest() int64 {
	switch u {
	case years:
		return 365 * 86400
	case months:
		return 28 * 86400
	default:
		return u.seconds()
	}
}

// longest is the length of the longest of a unit, in seconds.
func (u unit) longest() int64 {
	switch u {
	case years:
		return 366 * 86400
	case months:
		return 31 * 86400
	default:
		return u.seconds()
	}
}

// endFrom adds them to a whole second in UTC; it is false beyond the last year.
func (p parts) endFrom(begin time.Time) (time.Time, bool) {
	base, ok := addMonths(begin, p.calendarMonths())
	if !ok {
		return time.Time{}, false
	}
	var sum int64
	for u := weeks; u < unitCount; u++ {
		sum += p.count[u] * u.seconds()
	}
	if p.part != 0 {
		length, ok := p.of.secondsFrom(base)
		if !ok {
			return time.Time{}, false
		}
		sum += (int64(p.part)*length + billion - 1) / billion
	}
	end := base.Unix() + sum
	if end > lastUnix {
		return time.Time{}, false
	}
	return time.Unix(end, 0).UTC(), true
}

// secondsFrom is the length of the one unit that begins at base.
func (u unit) secondsFrom(base time.Time) (int64, bool) {
	var n int64
	switch u {
	case years:
		n = 12
	case months:
		n = 1
	default:
		return u.seconds(), true
	}
	next, ok := addMonths(base, n)
	return next.Unix() - base.Unix(), ok
}

// seconds is the length of a unit that is always as long, and 0 for the others.
func (u unit) seconds() int64 {
	switch u {
	case weeks:
		return 7 * 86400
	case days:
		return 86400
	case hours:
		return 3600
	case minutes:
		return 60
	case seconds:
		return 1
	default:
		return 0
	}
}

// addMonths moves a whole second by n months, n not negative, and clamps the
// day. It goes one year past the last, because a fraction may be of a year that
// ends there; beyond, it is false before time.Date could wrap.
func addMonths(t time.Time, n int64) (time.Time, bool) {
	if n == 0 {
		return t, true
	}
	y, m, day := t.Date()
	count := int64(y)*12 + int64(m-time.January) + n
	year, month := count/12, time.January+time.Month(count%12)
	if year > lastYear+1 {
		return time.Time{}, false
	}
	// Day 0 of the next month is the last day of this one.
	last := time.Date(int(year), month+1, 0, 0, 0, 0, 0, time.UTC).Day()
	hour, minute, second := t.Clock()
	return time.Date(int(year), month, min(day, last), hour, minute, second, 0, time.UTC), true
}

// appendFraction writes billionths as a point and up to nine digits.
func appendFraction(text []byte, part uint32) []byte {
	text = append(text, '.')
	for scale := uint32(billion / 10); part != 0; scale /= 10 {
		text = append(text, byte('0'+part/scale))
		part %= scale
	}
	return text
}
