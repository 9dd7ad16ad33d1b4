package iso8601_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"embedseal/domain/iso8601"
)

func TestAddToFollowsTheCalendarThenTheClock(t *testing.T) {
	tests := []struct{ from, text, want string }{
		{"2024-01-01T00:00:00Z", "PT1S", "2024-01-01T00:00:01Z"},
		{"2024-01-01T00:00:00Z", "PT1M", "2024-01-01T00:01:00Z"},
		{"2024-01-01T00:00:00Z", "PT1H", "2024-01-01T01:00:00Z"},
		{"2024-01-01T00:00:00Z", "P1D", "2024-01-02T00:00:00Z"},
		{"2024-01-01T00:00:00Z", "P1W", "2024-01-08T00:00:00Z"},
		{"2024-01-01T00:00:00Z", "P1W2D", "2024-01-10T00:00:00Z"},
		{"2024-01-01T00:00:00Z", "P1M", "2024-02-01T00:00:00Z"},
		{"2024-01-01T00:00:00Z", "P1Y", "2025-01-01T00:00:00Z"},
		{"2024-01-01T00:00:00Z", "P1Y2M3W4DT5H6M7S", "2025-03-26T05:06:07Z"},

		{"2023-01-31T10:11:12Z", "P1M", "2023-02-28T10:11:12Z"},
		{"2024-01-31T10:11:12Z", "P1M", "2024-02-29T10:11:12Z"},
		{"2024-01-31T00:00:00Z", "P2M", "2024-03-31T00:00:00Z"},
		{"2024-01-31T00:00:00Z", "P3M", "2024-04-30T00:00:00Z"},
		{"2024-02-29T00:00:00Z", "P1Y", "2025-02-28T00:00:00Z"},
		{"2024-02-29T00:00:00Z", "P4Y", "2028-02-29T00:00:00Z"},
		{"2024-02-29T00:00:00Z", "P1Y1M", "2025-03-29T00:00:00Z"},
		{"2024-12-31T23:59:59Z", "P2M", "2025-02-28T23:59:59Z"},
		{"2024-01-31T00:00:00Z", "P1M1D", "2024-03-01T00:00:00Z"},
		{"2024-11-30T00:00:00Z", "P25M", "2026-12-30T00:00:00Z"},
		{"1999-12-31T00:00:00Z", "P2M", "2000-02-29T00:00:00Z"},
		{"2099-12-31T00:00:00Z", "P2M", "2100-02-28T00:00:00Z"},
		{"2016-12-31T23:59:59Z", "PT1S", "2017-01-01T00:00:00Z"},

		{"2024-01-01T00:00:00Z", "PT0.5S", "2024-01-01T00:00:01Z"},
		{"2024-01-01T00:00:00Z", "PT0.000000001S", "2024-01-01T00:00:01Z"},
		{"2024-01-01T00:00:00Z", "PT1.000000001S", "2024-01-01T00:00:02Z"},
		{"2024-01-01T00:00:00Z", "PT1,0S", "2024-01-01T00:00:01Z"},
		{"2024-01-01T00:00:00Z", "PT0.5M", "2024-01-01T00:00:30Z"},
		{"2024-01-01T00:00:00Z", "PT1.5H", "2024-01-01T01:30:00Z"},
		{"2024-01-01T00:00:00Z", "PT1,25H", "2024-01-01T01:15:00Z"},
		{"2024-01-01T00:00:00Z", "PT0.1H", "2024-01-01T00:06:00Z"},
		{"2024-01-01T00:00:00Z", "PT0.333333333H", "2024-01-01T00:20:00Z"},
		{"2024-01-01T00:00:00Z", "PT0.333333334H", "2024-01-01T00:20:01Z"},
		{"2024-01-01T00:00:00Z", "P0.5D", "2024-01-01T12:00:00Z"},
		{"2024-01-01T00:00:00Z", "P0.5W", "2024-01-04T12:00:00Z"},
		{"2024-01-01T00:00:00Z", "P1W0.5D", "2024-01-08T12:00:00Z"},
		{"2024-01-01T00:00:00Z", "P1DT0.5H", "2024-01-02T00:30:00Z"},

		{"2023-02-01T00:00:00Z", "P0.5M", "2023-02-15T00:00:00Z"},
		{"2024-03-01T00:00:00Z", "P0.5M", "2024-03-16T12:00:00Z"},
		{"2023-01-31T00:00:00Z", "P1.5M", "2023-03-14T00:00:00Z"},
		{"2023-01-01T00:00:00Z", "P0.5Y", "2023-07-02T12:00:00Z"},
		{"2024-01-01T00:00:00Z", "P0.5Y", "2024-07-02T00:00:00Z"},
		{"2023-01-01T00:00:00Z", "P1.5Y", "2024-07-02T00:00:00Z"},
		{"2023-01-01T00:00:00Z", "P1Y0.5M", "2024-01-16T12:00:00Z"},
		{"2024-01-01T00:00:00Z", "P0.000000001M", "2024-01-01T00:00:01Z"},
		{"9999-01-01T00:00:00Z", "P0.5Y", "9999-07-02T12:00:00Z"},
		{"9999-12-01T00:00:00Z", "P0.5M", "9999-12-16T12:00:00Z"},

		{"2024-01-01T00:00:00.999999999Z", "PT1S", "2024-01-01T00:00:01Z"},
		{"2024-01-01T00:00:00.3Z", "PT1H", "2024-01-01T01:00:00Z"},
		{"1969-12-31T23:59:58.5Z", "PT1H", "1970-01-01T00:59:58Z"},
		{"2024-01-31T23:30:00-05:00", "P1M", "2024-03-01T04:30:00Z"},
		{"2024-03-01T01:00:00+02:00", "P1Y", "2025-02-28T23:00:00Z"},
		{"9999-12-31T23:59:58Z", "PT1S", "9999-12-31T23:59:59Z"},
		{"0001-01-01T00:00:00Z", "P9998Y11M30DT23H59M59S", "9999-12-31T23:59:59Z"},
	}
	for _, tt := range tests {
		t.Run(tt.from+" + "+tt.text, func(t *testing.T) {
			from, err := time.Parse(time.RFC3339Nano, tt.from)
			if err != nil {
				t.Fatal(err)
			}
			got, err := parse(t, tt.text).AddTo(from)
			if err != nil {
				t.Fatal(err)
			}
			if got.Format(time.RFC3339Nano) != tt.want || got.Location() != time.UTC {
				t.Errorf("AddTo = %s, want %s", got.Format(time.RFC3339Nano), tt.want)
			}
		})
	}
}

func TestAddToRefusesWhatEndsBeyondTheYear9999(t *testing.T) {
	tests := []struct{ from, text string }{
		{"9999-12-31T23:59:59Z", "PT1S"},
		{"9999-12-31T23:59:59Z", "PT0.000000001S"},
		{"9999-12-01T00:00:00Z", "P1M"},
		{"9999-12-02T00:00:00Z", "P0.999999999M"},
		{"9999-06-01T00:00:00Z", "P0.9Y"},
		{"2024-01-01T00:00:00Z", "P7976Y"},
		{"2024-01-01T00:00:00Z", "P7976.5Y"},
		{"2024-01-01T00:00:00Z", "P8000.5Y"},
		{"2024-01-01T00:00:00Z", "P8000Y0.5M"},
		{"2024-01-01T00:00:00Z", "P999999999999Y"},
		{"2024-01-01T00:00:00Z", "P999999999999.999999999Y"},
		{"2024-01-01T00:00:00Z", "P999999999999M"},
		{"2024-01-01T00:00:00Z", "P999999999999Y999999999999M"},
		{"2024-01-01T00:00:00Z", "P999999999999W"},
		{"2024-01-01T00:00:00Z", "P999999999999.999999999W"},
		{"2024-01-01T00:00:00Z", "P999999999999D"},
		{"2024-01-01T00:00:00Z", "PT999999999999H"},
		{"2024-01-01T00:00:00Z", "PT999999999999M"},
		{"2024-01-01T00:00:00Z", "PT999999999999S"},
		{"2024-01-01T00:00:00Z", "P999999999999W999999999999DT999999999999H"},
	}
	for _, tt := range tests {
		t.Run(tt.from+" + "+tt.text, func(t *testing.T) {
			from, err := time.Parse(time.RFC3339, tt.from)
			if err != nil {
				t.Fatal(err)
			}
			got, err := parse(t, tt.text).AddTo(from)
			onlyWraps(t, err, iso8601.ErrOverflow)
			if !got.IsZero() {
				t.Errorf("a refused sum still answers %s", got)
			}
		})
	}
}

func TestAddToRefusesToBeginOutsideOfTheYears1To9999(t *testing.T) {
	hour := parse(t, "PT1H")
	for _, from := range []time.Time{
		time.Date(0, 12, 31, 23, 59, 59, 0, time.UTC),
		time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600)),
		time.Unix(1<<62, 0),
		time.Unix(-1<<62, 0),
	} {
		_, err := hour.AddTo(from)
		onlyWraps(t, err, iso8601.ErrOverflow)
	}
}

func TestTheZeroValueIsNoDuration(t *testing.T) {
	var none iso8601.Duration
	if !none.IsZero() || none.String() != "" {
		t.Errorf("IsZero = %t, String = %q", none.IsZero(), none)
	}
	_, err := none.AddTo(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC))
	onlyWraps(t, err, iso8601.ErrNotPositive)
	if parse(t, "PT0.000000001S").IsZero() {
		t.Error("the shortest duration passes for none")
	}
}

func add(t fataler, text string, from time.Time) time.Time {
	t.Helper()
	end, err := parse(t, text).AddTo(from)
	if err != nil {
		t.Fatalf("%s + %s: %v", from, text, err)
	}
	return end
}

// fataler is what *testing.T and *rapid.T have in common here.
type fataler interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

func parse(t fataler, text string) iso8601.Duration {
	t.Helper()
	d, err := iso8601.Parse(text)
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	return d
}

// onlyWraps checks that an error is one of the package's three, and which.
func onlyWraps(t fataler, err, want error) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %v", want)
	}
	for _, sentinel := range []error{iso8601.ErrMalformed, iso8601.ErrNotPositive, iso8601.ErrOverflow} {
		if errors.Is(err, sentinel) != errors.Is(want, sentinel) {
			t.Errorf("error %q, want one that wraps %q only", err, want)
		}
	}
}

func TestWhichDurationMayOutlastAnother(t *testing.T) {
	for _, tt := range []struct {
		d, other string
		want     bool
	}{
		{"PT1H", "PT1H", false}, {"PT60M", "PT1H", false}, {"PT61M", "PT1H", true}, {"PT1H", "P1D", false}, {"P1D", "PT24H", false},
		{"P1W", "P7D", false}, {"P8D", "P1W", true}, {"P30D", "P30D", false}, {"PT720H0.1S", "P30D", true},
		// a month has 28 to 31 days
		{"P28D", "P1M", false}, {"P29D", "P1M", true}, {"P1M", "P30D", true}, {"P1M", "P31D", false},
		{"P1M", "P1M", false}, {"P1M", "P2M", false}, {"P2M", "P1M", true}, {"P1Y", "P12M", false}, {"P12M", "P1Y", false}, {"P1Y6M", "P18M", false},
		{"P1M1D", "P1M", true}, {"P1M", "P1M1D", false}, {"P1Y", "P365D", true}, {"P1Y", "P366D", false},
		// and what no time.Duration holds
		{"P300Y", "P400Y", false}, {"P400Y", "P300Y", true}, {"P400Y", "P400Y", false}, {"P400Y", "P4801M", false}, {"PT999999999999H", "P300Y", true},
		{"P300Y", "PT999999999999H", true}, {"PT1H", "PT999999999999H", false}, {"PT999999999999H", "PT999999999999H", false},
	} {
		if got := parse(t, tt.d).MayOutlast(parse(t, tt.other)); got != tt.want {
			t.Errorf("%s may outlast %s: %t", tt.d, tt.other, got)
		}
	}
	if (iso8601.Duration{}).MayOutlast(parse(t, "PT1S")) || !parse(t, "PT1S").MayOutlast(iso8601.Duration{}) {
		t.Error("no duration lasts longer than one")
	}
}

func TestTheLowerBoundOfADuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT1S": time.Second, "PT0.5S": 0, "PT1.5H": 90 * time.Minute, "P1M": 28 * 24 * time.Hour, "P1Y": 365 * 24 * time.Hour, "P0.5M": 14 * 24 * time.Hour,
		"P1Y1M1W1DT1H1M1S": (365+28+8)*24*time.Hour + time.Hour + time.Minute + time.Second, "P293Y": math.MaxInt64 / time.Second * time.Second, "PT999999999999S": math.MaxInt64 / time.Second * time.Second,
	} {
		if got := parse(t, text).LowerBound(); got != want {
			t.Errorf("%s lasts at least %s, want %s", text, got, want)
		}
	}
	if got := (iso8601.Duration{}).LowerBound(); got != 0 {
		t.Errorf("no duration lasts at least %s", got)
	}
}
