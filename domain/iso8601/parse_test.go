package iso8601_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/sosodev/duration"
	"pgregory.net/rapid"

	"embedseal/domain/iso8601"
)

func TestParseReadsEveryUnitAndWritesItCanonically(t *testing.T) {
	tests := []struct{ text, want string }{
		{"PT1H", "PT1H"},
		{"PT24H", "PT24H"},
		{"P1D", "P1D"},
		{"P7D", "P7D"},
		{"P30D", "P30D"},
		{"P1W", "P1W"},
		{"P1W2D", "P1W2D"},
		{"P1Y", "P1Y"},
		{"P1M", "P1M"},
		{"PT1M", "PT1M"},
		{"P1MT1M", "P1MT1M"},
		{"PT90S", "PT90S"},
		{"PT60M", "PT60M"},
		{"P1Y2M3W4DT5H6M7S", "P1Y2M3W4DT5H6M7S"},
		{"P0Y0M0W0DT0H0M1S", "PT1S"},
		{"P1DT0S", "P1D"},
		{"P0DT1H", "PT1H"},
		{"PT01H", "PT1H"},
		{"P0001Y", "P1Y"},
		{"PT000000000000000000000000000001S", "PT1S"},
		{"PT0.5S", "PT0.5S"},
		{"PT0,5S", "PT0.5S"},
		{"PT1.500S", "PT1.5S"},
		{"PT1.0S", "PT1S"},
		{"PT1.000000000S", "PT1S"},
		{"PT0.000000001S", "PT0.000000001S"},
		{"PT0.123456789S", "PT0.123456789S"},
		{"PT0.100000001H", "PT0.100000001H"},
		{"P1,5D", "P1.5D"},
		{"P0.5Y", "P0.5Y"},
		{"P1Y0.5M", "P1Y0.5M"},
		{"P0.5W", "P0.5W"},
		{"P1W0.5D", "P1W0.5D"},
		{"PT1H0.5M", "PT1H0.5M"},
		{"P1DT0.0S", "P1D"},
		{"PT999999999999S", "PT999999999999S"},
		{"P999999999999.999999999Y", "P999999999999.999999999Y"},
		{"P1DT" + strings.Repeat("0", 58) + "1H", "P1DT1H"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			d := parse(t, tt.text)
			if d.String() != tt.want || d.IsZero() {
				t.Errorf("String = %q, want %q", d, tt.want)
			}
			if again := parse(t, tt.want); again != d {
				t.Errorf("Parse(%q) = %#v, want %#v", tt.want, again, d)
			}
		})
	}
}

// refused are texts in the order of the sentinel that they must wrap.
func refused() map[error][]string {
	return map[error][]string{
		iso8601.ErrMalformed: {
			"", " ", "P", "PT", "T", "T1H", "1H", "H", "1", "P1", "PT1", "P1T", "P1DT", "P1YT", "PTT1H", "PT1HT1M",
			"PT1HT", "P1D1H", "PT1D", "PT1W", "PT1Y", "P1H", "P1S", "pt1h", "PT1h", "Pt1H", "p1d", "P1d",
			" PT1H", "PT1H ", "P T1H", "PT 1H", "PT1 H", "PT1H\n", "\tPT1H", "PT1H\x00", "\x00", "PT1H\u00a0",
			"+PT1H", "PT+1H", "P+1D", "P--1D", "PT1-H", "--PT1H", "PT1H-", "-", "P-", "PT-", "P-D", "-T1H", "\u2212PT1H",
			"PT1H1H", "P1D1D", "PT1M1H", "PT1S1M", "P1D1W", "P1M1Y", "P1D1M", "P1Y1Y", "PT0H0H",
			"P1W1W", "P1D2W", "PT1H1S1M",
			"PT.5S", "PT1.S", "PT.S", "PT,S", "PT1.5.5S", "PT1..5S", "PT1.,5S", "PT0.0000000001S", "PT1.5", "PT1.",
			"PT1.5H30M", "PT1.0H30M", "P1.5DT1H", "P0.5Y1M", "PT1.5H0M", "P1.5DT", "PT1.5H1.5M",
			"PTH", "PD", "PY", "PW", "PXH", "PT1X", "P1Q", "PT1HX", "PT1HP1D", "PP1D", "PT1E3S", "PT0x10S", "PT1_000S",
			"P\uff11D", "PT\u0661H", "PT1\uff28", "\uff30T1H", "P1D\u200b", "\xff", "PT\xff1H", "PT1\xc0H",
			"P0001-01-01T00:00:00", "P00010101T000000", "PT01:00:00", "2024-01-01/P1D", "R3/PT1H", "P1Y/P2Y",
			"1h", "3600", "24h", "1 hour", "null", "PT99999999999999999999999999", "PT99999999999999999999999999X",
			"PT" + strings.Repeat("0", 61) + "1H", strings.Repeat("P", 1<<16),
		},
		iso8601.ErrNotPositive: {
			"PT0S", "P0D", "PT0.0S", "PT0,000S", "P0Y", "P0M", "P0W", "PT0H", "PT0M", "P0Y0M0W0DT0H0M0S",
			"PT0.000000000S", "P00000D", "P0DT0.0H", "-PT1H", "PT-1H", "-P1D", "P-1D", "P1DT-1S", "-P0D",
		},
		iso8601.ErrOverflow: {
			"PT9223372036854775807S", "PT9223372036854775808S", "PT18446744073709551616S", "PT18446744073709551617S",
			"P9223372036854775807Y", "PT1000000000000S", "P1000000000000Y", "P1000000000000M", "P1000000000000W",
			"P1000000000000D", "PT1000000000000H", "PT1000000000000M", "PT1000000000000.5S", "PT1H1000000000000S",
			"PT99999999999999999999999999999999999999999999999999999999999S", "PT340282366920938463463374607431768211457S",
		},
	}
}

func TestParseRefusesEverythingElse(t *testing.T) {
	for want, texts := range refused() {
		for _, text := range texts {
			t.Run(fmt.Sprintf("%.40q", text), func(t *testing.T) {
				d, err := iso8601.Parse(text)
				onlyWraps(t, err, want)
				if !d.IsZero() {
					t.Errorf("a refused text still answers %q", d)
				}
			})
		}
	}
}

func TestAnErrorRepeatsNothingOfTheText(t *testing.T) {
	for _, text := range []string{
		"hunter2", "-Phunter2", "Phunter2", "PT1Hhunter2", "P1Dhunter2T", "hunter2\n{\"level\":\"info\"}", strings.Repeat("hunter2", 1<<14),
	} {
		_, err := iso8601.Parse(text)
		if err == nil {
			t.Fatalf("Parse(%.40q) accepts", text)
		}
		if message := err.Error(); strings.Contains(message, "hunter") || len(message) > 120 {
			t.Errorf("Parse(%.40q) says %.200q", text, message)
		}
	}
}

func TestParseReadsBackWhatStringWrites(t *testing.T) {
	letters := "YMWDHMS"
	rapid.Check(t, func(t *rapid.T) {
		mask := rapid.IntRange(1, 127).Draw(t, "units")
		last := 0
		for i := range letters {
			if mask&(1<<i) != 0 {
				last = i
			}
		}
		text, timed := "P", false
		for i := range letters {
			if mask&(1<<i) == 0 {
				continue
			}
			if i >= 4 && !timed {
				text, timed = text+"T", true
			}
			text += rapid.StringMatching(`0?[0-9]{1,3}`).Draw(t, "whole")
			if i == last {
				text += rapid.StringMatching(`([.,][0-9]{1,9})?`).Draw(t, "fraction")
			}
			text += letters[i : i+1]
		}
		d, err := iso8601.Parse(text)
		if err != nil {
			onlyWraps(t, err, iso8601.ErrNotPositive)
			return
		}
		again, err := iso8601.Parse(d.String())
		if err != nil || again != d || again.String() != d.String() {
			t.Errorf("%q is written %q and read back as %q, %v", text, d, again, err)
		}
		if from := instant(t); !add(t, text, from).After(from) {
			t.Errorf("%s + %s is not later", from, text)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, texts := range refused() {
		for _, text := range texts {
			f.Add(text, int64(1700000000))
		}
	}
	for _, text := range []string{
		"PT1H", "P1Y2M3W4DT5H6M7,125S", "P0.999999999Y", "P1.5M", "PT999999.999999999H", "P1000000W",
		"PT0.000000001S", "P9998Y11M30DT23H59M59S", "P999999999999.999999999Y",
	} {
		f.Add(text, int64(1706659200))
		f.Add(text, int64(253402300798))
		f.Add(text, int64(-62135596800))
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		d, err := iso8601.Parse(text)
		if err != nil {
			exactlyOne(t, err)
			if !d.IsZero() {
				t.Fatalf("a refused %q still answers %q", text, d)
			}
			return
		}
		canonical := d.String()
		if again, err := iso8601.Parse(canonical); err != nil || again != d || len(canonical) > len(text) {
			t.Fatalf("%q is written %q and read back as %q, %v", text, canonical, again, err)
		}
		from := time.Unix(unix, 0)
		end, err := d.AddTo(from)
		if err != nil {
			onlyWraps(t, err, iso8601.ErrOverflow)
			return
		}
		if !end.After(from) || end.Nanosecond() != 0 || end.Year() > 9999 || end.Location() != time.UTC {
			t.Fatalf("%s + %s = %s", from, text, end)
		}
		agreeWithPeer(t, text, end.Unix()-unix)
	})
}

// agreeWithPeer compares a length in seconds with another implementation, in
// the small part of the language in which that one can be trusted.
func agreeWithPeer(t *testing.T, text string, got int64) {
	t.Helper()
	peer, err := duration.Parse(strings.ReplaceAll(text, ",", "."))
	if err != nil {
		t.Fatalf("the other implementation refuses %q: %v", text, err)
	}
	if peer.Years != 0 || peer.Months != 0 {
		return
	}
	var exact float64
	for _, part := range []struct{ count, seconds float64 }{
		{peer.Weeks, 604800}, {peer.Days, 86400}, {peer.Hours, 3600}, {peer.Minutes, 60}, {peer.Seconds, 1},
	} {
		if part.count > 1e6 {
			return
		}
		exact += part.count * part.seconds
	}
	// A count of 1e6 in a float64 is good to 1e-10, and a week has 604800 s.
	const tolerance = 1e-3
	if diff := float64(got) - exact; math.IsNaN(diff) || diff < -tolerance || diff > 1+tolerance {
		t.Fatalf("%q lasts %d s, the other implementation says %f s", text, got, exact)
	}
}

func exactlyOne(t *testing.T, err error) {
	t.Helper()
	text := err.Error()
	for _, sentinel := range []error{iso8601.ErrMalformed, iso8601.ErrNotPositive, iso8601.ErrOverflow} {
		if strings.HasPrefix(text, sentinel.Error()) {
			onlyWraps(t, err, sentinel)
			return
		}
	}
	t.Fatalf("error %q is none of the package's", err)
}

func TestParseAllocatesNothingWhenItAccepts(t *testing.T) {
	for _, text := range []string{"PT1H", "P1Y2M3W4DT5H6M7.125S"} {
		if n := testing.AllocsPerRun(100, func() {
			if _, err := iso8601.Parse(text); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("Parse(%q) allocates %v times", text, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, text := range []string{"PT1H", "P1Y2M3W4DT5H6M7.125S"} {
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := iso8601.Parse(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAddTo(b *testing.B) {
	from := time.Date(2024, 1, 31, 12, 0, 0, 0, time.UTC)
	for _, text := range []string{"PT1H", "P1M", "P1.5Y"} {
		d, err := iso8601.Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.AddTo(from); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
