package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"embedseal/domain/iso8601"
	"embedseal/domain/policy"
	"embedseal/domain/token"
)

func duration(t testing.TB, text string) iso8601.Duration {
	t.Helper()
	d, err := iso8601.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// request asks for a token that lives as long as expiration says, if it does.
func request(t testing.TB, expiration, chart string) token.Request {
	t.Helper()
	customer, embed := "customer_1", "abcde"
	d := token.Draft{ProvidedID: &customer, EmbedID: &embed}
	if expiration != "" {
		d.Expiration = &expiration
	}
	if chart != "" {
		d.ChartID = &chart
	}
	r, err := token.NewRequest(d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// apply decides for an API token without a restriction, about claims alone.
func apply(p policy.Policy, r token.Request, now time.Time) (token.Claims, error) {
	d, err := policy.Decide(&p, &policy.Restriction{}, r, now)
	return d.Claims, err
}

// lifetimes is a policy of these two.
func lifetimes(t testing.TB, standard, longest string) policy.Policy {
	t.Helper()
	return policy.Policy{DefaultLifetime: duration(t, standard), MaxLifetime: duration(t, longest), Features: token.UnsetFeatures()}
}

func TestADayByDefaultAndThirtyAtMost(t *testing.T) {
	p := policy.Default()
	if p.DefaultLifetime != duration(t, "PT24H") || p.MaxLifetime != duration(t, "P30D") || p.ChartEmbedding {
		t.Errorf("got %s, %s, charts %t", p.DefaultLifetime, p.MaxLifetime, p.ChartEmbedding)
	}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
}

func TestAPolicyWithoutLifetimesIsRefused(t *testing.T) {
	for what, p := range map[string]policy.Policy{
		"the zero policy":            {},
		"no default":                 {MaxLifetime: duration(t, "P30D"), ChartEmbedding: true},
		"no maximum, which is not ∞": {DefaultLifetime: duration(t, "PT24H"), ChartEmbedding: true},
	} {
		if err := p.Check(); !errors.Is(err, policy.ErrInvalid) {
			t.Errorf("%s: Check says %v, want %v", what, err, policy.ErrInvalid)
		}
		claims, err := apply(p, request(t, "PT1H", ""), instant(t, "2026-03-01T12:00:00Z"))
		var refusal *policy.Refusal
		if !errors.Is(err, policy.ErrInvalid) || errors.As(err, &refusal) || claims != (token.Claims{}) {
			t.Errorf("%s: Decide says %v, want %v, which is not the caller's fault", what, err, policy.ErrInvalid)
		}
	}
}

func TestWhenATokenBeginsAndEnds(t *testing.T) {
	standard := policy.Default()
	for _, tt := range []struct {
		sentence    string
		p           policy.Policy
		expiration  string
		now         string
		issued, end string
	}{
		{"a day when nothing is said", standard, "", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z"},
		{"what is said", standard, "PT1H", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z"},
		{"one second", standard, "PT1S", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z", "2026-03-01T12:00:01Z"},
		{"the beginning is cut to a second", standard, "PT1S", "2026-03-01T12:00:00.999999999Z", "2026-03-01T12:00:00Z", "2026-03-01T12:00:01Z"},
		{"a fraction ends at the next whole second", standard, "PT0.1S", "2026-03-01T12:00:00.999Z", "2026-03-01T12:00:00Z", "2026-03-01T12:00:01Z"},
		{"a clock in another zone", standard, "P1D", "2026-03-01T12:00:00+05:30", "2026-03-01T06:30:00Z", "2026-03-02T06:30:00Z"},
		{"the maximum itself", standard, "P30D", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z", "2026-03-31T12:00:00Z"},
		{"the maximum in other words", standard, "PT720H", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z", "2026-03-31T12:00:00Z"},
		{"a month by the calendar", standard, "P1M", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z", "2026-02-28T12:00:00Z"},
		{"a month of a leap year", standard, "P1M", "2028-01-31T12:00:00Z", "2028-01-31T12:00:00Z", "2028-02-29T12:00:00Z"},
		{"a month of thirty days", standard, "P1M", "2026-04-30T00:00:00Z", "2026-04-30T00:00:00Z", "2026-05-30T00:00:00Z"},
		{"a maximum by the calendar", lifetimes(t, "PT24H", "P1M"), "P31D", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"},
		{"a default above the maximum means the maximum", lifetimes(t, "P60D", "P30D"), "", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z", "2026-03-31T12:00:00Z"},
		{"a default beyond the year 9999 means the maximum", lifetimes(t, "P9000Y", "P30D"), "", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z", "2026-03-31T12:00:00Z"},
		{"a request below a default above the maximum", lifetimes(t, "P60D", "P30D"), "P20D", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z", "2026-03-21T12:00:00Z"},
		{"the last day there is", lifetimes(t, "PT24H", "P1D"), "", "9999-12-30T23:59:59Z", "9999-12-30T23:59:59Z", "9999-12-31T23:59:59Z"},
	} {
		t.Run(tt.sentence, func(t *testing.T) {
			claims, err := apply(tt.p, request(t, tt.expiration, ""), instant(t, tt.now))
			if err != nil {
				t.Fatal(err)
			}
			if want := instant(t, tt.issued); claims.IssuedAt != want {
				t.Errorf("issued at %s, want %s in UTC", claims.IssuedAt, want)
			}
			if want := instant(t, tt.end); claims.ExpiresAt != want {
				t.Errorf("expires at %s, want %s in UTC", claims.ExpiresAt, want)
			}
			if !claims.NotBefore.IsZero() {
				t.Errorf("not before %s, want nothing said", claims.NotBefore)
			}
		})
	}
}

func TestWhatIsRefused(t *testing.T) {
	standard, noon := policy.Default(), "2026-03-01T12:00:00Z"
	long, chart := "expiration:lifetime_too_long", "chart_id:chart_embedding_disabled"
	for _, tt := range []struct {
		sentence          string
		p                 policy.Policy
		expiration, chart string
		now               string
		want              []string
	}{
		{"a second more than the maximum", standard, "P30DT1S", "", noon, []string{long}},
		{"the fraction of a second more", standard, "P30DT0.000000001S", "", noon, []string{long}},
		{"a month of 31 days", standard, "P1M", "", "2026-03-31T00:00:01Z", nil},
		{"a month of 31 days, from its first", standard, "P1M", "", noon, []string{long}},
		{"a year", standard, "P1Y", "", noon, []string{long}},
		{"beyond the year 9999", standard, "P8000Y", "", noon, []string{long}},
		{"more than a calendar counts", standard, "PT999999999999H", "", noon, []string{long}},
		{"31 days where a month is the maximum, in April", lifetimes(t, "PT1H", "P1M"), "P31D", "", "2026-04-01T00:00:00Z", []string{long}},
		{"a chart", standard, "", "c1", noon, []string{chart}},
		{"both at once", standard, "P31D", "c1", noon, []string{long, chart}},
		{"a clock of the year 9999", standard, "PT1S", "", "9999-12-15T00:00:00Z", []string{long}},
		{"a clock of the year 9999 and no lifetime said", standard, "", "", "9999-12-15T00:00:00Z", []string{long}},
		{"a clock beyond the year 9999", standard, "PT1S", "", "9999-12-31T23:59:59Z", []string{long}},
	} {
		t.Run(tt.sentence, func(t *testing.T) {
			claims, err := apply(tt.p, request(t, tt.expiration, tt.chart), instant(t, tt.now))
			if tt.want == nil {
				if err != nil {
					t.Errorf("got %v, want a token", err)
				}
				return
			}
			var refusal *policy.Refusal
			if !errors.As(err, &refusal) {
				t.Fatalf("got %v, want a refusal", err)
			}
			var got []string
			for _, f := range refusal.Broken {
				got = append(got, f.Field+":"+f.Code)
				if f.Detail == "" || strings.Contains(f.Detail, "c1") {
					t.Errorf("%s: the detail is %q", f.Code, f.Detail)
				}
				if !strings.Contains(refusal.Error(), f.Code) {
					t.Errorf("%q does not name %s", refusal, f.Code)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("the rules (-want +got):\n%s", diff)
			}
			if claims != (token.Claims{}) {
				t.Errorf("a refused request has claims: %+v", claims)
			}
		})
	}
}

func TestTheRefusalOfALongLifetimeNamesTheMaximum(t *testing.T) {
	_, err := apply(lifetimes(t, "PT1H", "P7D"), request(t, "P8D", ""), instant(t, "2026-03-01T12:00:00Z"))
	var refusal *policy.Refusal
	if !errors.As(err, &refusal) || !strings.Contains(refusal.Broken[0].Detail, "P7D") {
		t.Errorf("got %v", err)
	}
}

func TestEverythingThatWasAskedForIsInTheClaims(t *testing.T) {
	customer, embed, chart, origin, no := "customer_1", "abcde", "c1", "https://Your-Domain.com:443", false
	r, err := token.NewRequest(token.Draft{
		ProvidedID: &customer, EmbedID: &embed, ChartID: &chart, EmbedOrigin: &origin, DisableEditing: &no, Features: []string{"srt", "flt"},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := policy.Default()
	p.ChartEmbedding = true
	now := instant(t, "2026-03-01T12:00:00Z")
	got, err := apply(p, r, now)
	if err != nil {
		t.Fatal(err)
	}
	want := token.Claims{
		Customer: customer, Embed: embed, Chart: chart, Features: r.Features(), DisableEditing: token.No, Origin: r.Origin(),
		IssuedAt: now, ExpiresAt: now.Add(24 * time.Hour),
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestNoTokenOutlivesTheMaximum(t *testing.T) {
	first, last := instant(t, "1970-01-01T00:00:01Z").Unix(), instant(t, "9999-12-31T23:59:59Z").Unix()
	text := rapid.Custom(func(t *rapid.T) string {
		return fmt.Sprintf("P%d%sT%d%s", rapid.IntRange(0, 400).Draw(t, "n"), rapid.SampledFrom([]string{"Y", "M", "W", "D"}).Draw(t, "unit"),
			rapid.IntRange(1, 5000).Draw(t, "m"), rapid.SampledFrom([]string{"H", "M", "S", ".5S"}).Draw(t, "small"))
	})
	rapid.Check(t, func(rt *rapid.T) {
		p := lifetimes(t, text.Draw(rt, "default"), text.Draw(rt, "maximum"))
		asked := ""
		if rapid.Bool().Draw(rt, "asks") {
			asked = text.Draw(rt, "asked")
		}
		now := time.Unix(rapid.Int64Range(first, last).Draw(rt, "now"), rapid.Int64Range(0, 999_999_999).Draw(rt, "ns")).UTC()
		claims, err := apply(p, request(t, asked, ""), now)
		if err != nil {
			return
		}
		latest, err := p.MaxLifetime.AddTo(now)
		if err != nil || claims.ExpiresAt.After(latest) {
			rt.Fatalf("ends at %s, the latest is %s (%v)", claims.ExpiresAt, latest, err)
		}
		if !claims.ExpiresAt.After(now.Truncate(time.Second)) || claims.ExpiresAt.Nanosecond() != 0 || claims.IssuedAt != now.Truncate(time.Second) {
			rt.Fatalf("issued at %s, ends at %s, and it is %s", claims.IssuedAt, claims.ExpiresAt, now)
		}
	})
}
