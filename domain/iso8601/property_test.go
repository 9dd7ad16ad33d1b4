package iso8601_test

import (
	"fmt"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A number with up to nine decimals, in billionths, and the unit it counts.
type amount struct {
	whole, part int64
	letter      string
	seconds     int64
}

// fixed draws a duration in units of fixed length, with a fraction on its last
// unit now and then, and its exact length in seconds.
func fixed(t *rapid.T, label string) (string, *big.Rat) {
	amounts := []amount{{letter: "W", seconds: 604800}, {letter: "D", seconds: 86400},
		{letter: "H", seconds: 3600}, {letter: "M", seconds: 60}, {letter: "S", seconds: 1}}
	mask := rapid.IntRange(1, 31).Draw(t, label+" units")
	last := -1
	for i := range amounts {
		if mask&(1<<i) != 0 {
			amounts[i].whole = rapid.Int64Range(0, 3000).Draw(t, label+amounts[i].letter)
			last = i
		}
	}
	if rapid.Bool().Draw(t, label+" has a fraction") {
		amounts[last].part = rapid.Int64Range(0, 999_999_999).Draw(t, label+" fraction")
	}
	text, sum, timed := "P", new(big.Rat), false
	for i, a := range amounts {
		if mask&(1<<i) == 0 {
			continue
		}
		if i >= 2 && !timed {
			text, timed = text+"T", true
		}
		text += fmt.Sprint(a.whole)
		if i == last && a.part != 0 {
			text += fmt.Sprintf(".%09d", a.part)
		}
		text += a.letter
		exact := new(big.Rat).SetFrac64(a.whole*1_000_000_000+a.part, 1_000_000_000)
		sum.Add(sum, exact.Mul(exact, new(big.Rat).SetInt64(a.seconds)))
	}
	if sum.Sign() == 0 {
		t.Skip("zero is no duration")
	}
	return text, sum
}

// instant draws a begin of seconds and nanoseconds, 1900 to 2200.
func instant(t *rapid.T) time.Time {
	return time.Unix(rapid.Int64Range(-2208988800, 7258118400).Draw(t, "unix"),
		rapid.Int64Range(0, 999_999_999).Draw(t, "nanosecond"))
}

func TestUnitsOfFixedLengthAreExactAndRoundedUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, exact := fixed(t, "d")
		from := instant(t)
		end, err := parse(t, text).AddTo(from)
		if err != nil {
			t.Fatal(err)
		}
		// The ceiling of a positive fraction n/d is (n+d-1) div d.
		ceiling := new(big.Int).Add(exact.Num(), exact.Denom())
		ceiling.Sub(ceiling, big.NewInt(1)).Div(ceiling, exact.Denom())
		if got := end.Unix() - from.Unix(); got != ceiling.Int64() || end.Nanosecond() != 0 {
			t.Errorf("%s lasts %d seconds and %d ns, want %s", text, got, end.Nanosecond(), ceiling)
		}
	})
}

func TestALongerDurationNeverEndsEarlier(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shortText, short := fixed(t, "a")
		longText, long := fixed(t, "b")
		if short.Cmp(long) > 0 {
			shortText, longText = longText, shortText
		}
		from := instant(t)
		first, err := parse(t, shortText).AddTo(from)
		if err != nil {
			t.Fatal(err)
		}
		second, err := parse(t, longText).AddTo(from)
		if err != nil {
			t.Fatal(err)
		}
		if first.After(second) {
			t.Errorf("%s ends at %s, the longer %s at %s", shortText, first, longText, second)
		}
	})
}

func TestWhatMayNotOutlastAnotherNeverDoes(t *testing.T) {
	never, may := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SampledFrom([]string{
			"PT1S", "PT0.5S", "P28D", "P4W", "P30D", "P31D", "P1M", "P1M1D", "P2M", "P59D", "P62D", "P0.5M", "P1.5M", "P14D", "P12M", "P1Y", "P365D", "P366D", "P0.5Y", "P11M30D", "P1Y1M", "P13M",
		})
		a, b := parse(t, texts.Draw(t, "one")), parse(t, texts.Draw(t, "the other"))
		from := time.Date(rapid.IntRange(1890, 2410).Draw(t, "year"), 1, rapid.IntRange(1, 366).Draw(t, "day"), 23, 59, rapid.IntRange(0, 59).Draw(t, "second"), 0, time.UTC)
		endA, endB := add(t, a.String(), from), add(t, b.String(), from)
		if endA.Sub(from) > a.UpperBound() || endA.Sub(from) < a.LowerBound() {
			t.Errorf("%s from %s lasts %s, out of %s to %s", a, from, endA.Sub(from), a.LowerBound(), a.UpperBound())
		}
		if a.MayOutlast(b) {
			may++
			return
		}
		never++
		if endA.After(endB) {
			t.Errorf("%s outlasts %s from %s", a, b, from)
		}
	})
	if may == 0 || never == 0 {
		t.Errorf("%d may and %d may not: the law was not tried", may, never)
	}
}

func TestMonthsAgreeWithTheStandardLibraryWhereNothingIsClamped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := instant(t).UTC().Truncate(time.Second)
		from = from.AddDate(0, 0, -max(0, from.Day()-28))
		y, m := rapid.IntRange(0, 500).Draw(t, "years"), rapid.IntRange(1, 5000).Draw(t, "months")
		got, err := parse(t, fmt.Sprintf("P%dY%dM", y, m)).AddTo(from)
		if err != nil {
			t.Fatal(err)
		}
		if want := from.AddDate(y, m, 0); !got.Equal(want) {
			t.Errorf("%s + %d years %d months = %s, want %s", from, y, m, got, want)
		}
	})
}

func TestClampedMonthsEndOnTheLastDayOfTheRightMonth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := time.Date(rapid.IntRange(1900, 2200).Draw(t, "year"), time.Month(rapid.IntRange(1, 12).Draw(t, "month")),
			rapid.IntRange(29, 31).Draw(t, "day"), 12, 0, 0, 0, time.UTC)
		n := rapid.IntRange(1, 5000).Draw(t, "months")
		got, err := parse(t, fmt.Sprintf("P%dM", n)).AddTo(from)
		if err != nil {
			t.Fatal(err)
		}
		gotMonths, wantMonths := got.Year()*12+int(got.Month()), from.Year()*12+int(from.Month())+n
		clamped := got.AddDate(0, 0, 1).Day() == 1 && got.Day() < from.Day()
		if gotMonths != wantMonths || (got.Day() != from.Day() && !clamped) {
			t.Errorf("%s + %d months = %s", from, n, got)
		}
	})
}

func TestAFractionOfAYearOrMonthEndsInsideOfIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		letter := rapid.SampledFrom([]string{"Y", "M"}).Draw(t, "unit")
		n := rapid.IntRange(0, 1000).Draw(t, "whole")
		part := rapid.IntRange(1, 999_999_999).Draw(t, "fraction")
		more := rapid.IntRange(part, 999_999_999).Draw(t, "larger fraction")
		from := instant(t)
		base := from.UTC().Truncate(time.Second)
		if n > 0 {
			base = add(t, fmt.Sprintf("P%d%s", n, letter), from)
		}
		end := add(t, fmt.Sprintf("P%d.%09d%s", n, part, letter), from)
		later := add(t, fmt.Sprintf("P%d.%09d%s", n, more, letter), from)
		next := add(t, "P1"+letter, base)
		if !end.After(base) || end.After(later) || later.After(next) {
			t.Errorf("out of order: %s, %s, %s, %s", base, end, later, next)
		}
	})
}
