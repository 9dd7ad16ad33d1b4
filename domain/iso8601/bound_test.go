package iso8601_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"embedseal/domain/iso8601"
)

func TestTheBoundsOfADuration(t *testing.T) {
	const day = 24 * time.Hour
	farthest := time.Duration(math.MaxInt64).Truncate(time.Second)
	for text, want := range map[string]struct{ lower, upper time.Duration }{
		"PT1S":                {time.Second, time.Second},
		"PT0.1S":              {0, time.Second},
		"P7D":                 {7 * day, 7 * day},
		"P1W":                 {7 * day, 7 * day},
		"P1M":                 {28 * day, 31 * day},
		"P12M":                {336 * day, 372 * day},
		"P1Y":                 {365 * day, 366 * day},
		"P0.5Y":               {365 * day / 2, 183 * day},
		"P1Y2M3W4DT5H6M7S":    {(365+56+21+4)*day + 5*time.Hour + 6*time.Minute + 7*time.Second, (366+62+21+4)*day + 5*time.Hour + 6*time.Minute + 7*time.Second},
		"P291Y":               {291 * 365 * day, 291 * 366 * day},
		"P292Y":               {292 * 365 * day, farthest},
		"P300Y":               {farthest, farthest},
		"P999999999999Y":      {farthest, farthest},
		"PT999999999999S":     {farthest, farthest},
		"PT9223372036S":       {farthest, farthest},
		"PT9223372035S":       {farthest - time.Second, farthest - time.Second},
		"PT9223372036.5S":     {farthest, farthest},
		"P200YT9223372036S":   {farthest, farthest},
		"P999999999999.9999Y": {farthest, farthest},
	} {
		d := parse(t, text)
		if d.UpperBound() != want.upper || d.LowerBound() != want.lower {
			t.Errorf("%s lasts %s to %s, want %s to %s", text, d.LowerBound(), d.UpperBound(), want.lower, want.upper)
		}
	}
	if none := (iso8601.Duration{}); none.UpperBound() != 0 || none.LowerBound() != 0 {
		t.Error("no duration has a length")
	}
}

func TestNoInstantMakesADurationLongerOrShorterThanItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`P([1-9][0-9]?Y)?([1-9][0-9]{0,2}M)?([1-9][0-9]{0,2}W)?[1-9][0-9]{0,3}(D(T[1-9][0-9]{0,4}H([1-9][0-9]{0,5}(\.[0-9]{1,9})?S)?)?|\.[0-9]{1,9}D)`).Draw(t, "duration")
		if rapid.IntRange(0, 3).Draw(t, "calendar") == 0 {
			text = rapid.StringMatching(`P([0-9]{1,2}Y)?[0-9]{1,3}\.[0-9]{1,9}M|P[0-9]{1,2}\.[0-9]{1,9}Y|P[1-9][0-9]{0,2}M|P[1-9][0-9]?Y`).Draw(t, "months")
		}
		d, err := iso8601.Parse(text)
		if err != nil {
			t.Skip("zero is no duration")
		}
		from := rapid.SampledFrom([]time.Time{
			instant(t), time.Date(2024, 1, 31, 0, 0, 0, 0, time.UTC), time.Date(2024, 2, 29, 23, 59, 59, 1, time.UTC), time.Date(2023, 12, 31, 12, 0, 0, 0, time.UTC),
		}).Draw(t, "from")
		length := add(t, text, from).Sub(from.Truncate(time.Second))
		if upper, lower := d.UpperBound(), d.LowerBound(); length > upper || length < lower {
			t.Fatalf("%s from %s lasts %s, which is not between %s and %s", text, from, length, lower, upper)
		}
	})
}
