package embedtoken_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/embedtoken"
	"embedseal/adapters/jose/hostile"
	"embedseal/domain/verdict"
)

func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 500e6, time.UTC) }

func rows(t testing.TB) []hostile.Row {
	t.Helper()
	all, err := hostile.Rows(now())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func open(t testing.TB, change func(*embedtoken.Config)) *embedtoken.Verifier {
	t.Helper()
	cfg := embedtoken.Config{Keys: map[string]string{}, Now: now}
	for _, id := range []string{hostile.Active, hostile.Overlap, hostile.Retiring} {
		cfg.Keys[id] = hostile.Value(id) + "\n"
	}
	if change != nil {
		change(&cfg)
	}
	v, err := embedtoken.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// What needs to be known of a key or of its group beyond its value is the only thing
// that it does not see.
func TestEveryHostileTokenIsRefusedAsByTheServer(t *testing.T) {
	v := open(t, nil)
	for _, r := range rows(t) {
		want := r.Reason
		switch {
		case want == verdict.KeyDisabled:
			want = verdict.UnknownKey // it was not given the key
		case want == verdict.Policy && strings.Contains(r.Sentence, "retiring"):
			want = "" // it does not know that it retires
		}
		got, err := v.Verify(r.Text, embedtoken.Presented{Origin: text(r.Origin), Embed: text(r.Embed), Chart: text(r.Chart)})
		var refused *embedtoken.Error
		switch {
		case want == "" && err != nil, want != "" && !errors.As(err, &refused):
			t.Errorf("line %d, %s: %v, want %q", r.Line, r.Sentence, err, want)
		case refused != nil && refused.Reason != want:
			t.Errorf("line %d, %s: %q, want %q", r.Line, r.Sentence, refused.Reason, want)
		case want != "" && !cmp.Equal(got, embedtoken.Token{}):
			t.Errorf("line %d, %s: something is said of it: %+v", r.Line, r.Sentence, got)
		}
	}
}

func TestAGoodTokenSaysWhatItIsFor(t *testing.T) {
	var asked []embedtoken.Token
	v := open(t, func(c *embedtoken.Config) {
		c.Revoked = func(t embedtoken.Token) bool {
			asked = append(asked, t)
			return t.Chart == "c1"
		}
	})
	good := rows(t)[0]
	want := embedtoken.Token{
		Customer: "customer_1", Embed: "abcde", Features: []string{"flt", "srt", "core", "crt-view", "fork"}, KeyID: hostile.Active,
		ExpiresAt: time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC),
	}
	got, err := v.Verify(good.Text, embedtoken.Presented{Embed: "abcde"})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Fingerprint) != 64 {
		t.Errorf("the fingerprint is %q", got.Fingerprint)
	}
	want.Fingerprint = got.Fingerprint
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]embedtoken.Token{want}, asked); diff != "" {
		t.Errorf("asked whether another token is revoked:\n%s", diff)
	}
	for _, r := range rows(t) {
		if r.Reason != "" || text(r.Chart) == "" {
			continue
		}
		_, err := v.Verify(r.Text, embedtoken.Presented{})
		var refused *embedtoken.Error
		if !errors.As(err, &refused) || refused.Reason != verdict.Revoked || strings.Contains(err.Error(), "c1") {
			t.Errorf("a revoked token: %v", err)
		}
	}
}

func TestTheConfigurationIsWhatTokensAreHeldTo(t *testing.T) {
	good := rows(t)[0].Text // an hour is left of it
	reason := func(v *embedtoken.Verifier) verdict.Reason {
		_, err := v.Verify(good, embedtoken.Presented{})
		var refused *embedtoken.Error
		if errors.As(err, &refused) {
			return refused.Reason
		}
		return ""
	}
	if got := reason(open(t, func(c *embedtoken.Config) { c.MaxLifetime = time.Hour })); got != "" {
		t.Errorf("as long as is allowed: %q", got)
	}
	if got := reason(open(t, func(c *embedtoken.Config) { c.MaxLifetime = time.Hour - time.Second })); got != verdict.Policy {
		t.Errorf("longer than is allowed: %q", got)
	}
	if got := reason(open(t, func(c *embedtoken.Config) { c.Now = nil })); got == "" {
		t.Error("the system's clock shows the time of the test")
	}
	for _, r := range rows(t) {
		if r.Sentence != "issued as long before its end as the group allows" { // 30 days, and a minute is left
			continue
		}
		good = r.Text
		for _, c := range []struct {
			most, ever time.Duration
			want       verdict.Reason
		}{
			{0, 0, ""}, {0, 60 * 24 * time.Hour, ""}, {time.Hour, 0, verdict.Policy},
			{time.Hour, 30 * 24 * time.Hour, ""}, {time.Hour, 29 * 24 * time.Hour, verdict.Policy},
		} {
			if got := reason(open(t, func(cfg *embedtoken.Config) { cfg.MaxLifetime, cfg.LongestLifetime = c.most, c.ever })); got != c.want {
				t.Errorf("at most %s, and ever %s: %q, want %q", c.most, c.ever, got, c.want)
			}
		}
	}
	for _, r := range rows(t) {
		if r.Sentence != "issued within the leeway" {
			continue
		}
		for leeway, want := range map[time.Duration]verdict.Reason{-1: verdict.NotYetValid, time.Second: verdict.NotYetValid, time.Minute: ""} {
			good = r.Text
			if got := reason(open(t, func(c *embedtoken.Config) { c.Leeway = leeway })); got != want {
				t.Errorf("a leeway of %s: %q, want %q", leeway, got, want)
			}
		}
	}
	v := open(t, nil)
	if _, err := v.Verify(good, embedtoken.Presented{Origin: "null"}); err == nil {
		t.Error("an origin that is none is not compared")
	}
}

func TestAConfigurationThatIsNoneIsRefused(t *testing.T) {
	const value = "0123456789abcdef0123456789abcdef"
	one := map[string]string{"k": value}
	for what, cfg := range map[string]embedtoken.Config{
		"no key":                 {},
		"an id that is none":     {Keys: map[string]string{"a/b": value}},
		"a value that is none":   {Keys: map[string]string{"k": "short"}},
		"a negative lifetime":    {Keys: one, MaxLifetime: -time.Hour},
		"less than a second":     {Keys: one, MaxLifetime: time.Millisecond},
		"less ever than now":     {Keys: one, MaxLifetime: time.Hour, LongestLifetime: time.Minute},
		"less ever than 30 days": {Keys: one, LongestLifetime: time.Hour},
		"ever a negative one":    {Keys: one, MaxLifetime: time.Hour, LongestLifetime: -time.Hour},
		"another claim's name":   {Keys: one, ChartClaim: "exp"},
		"a claim with no letter": {Keys: one, ChartClaim: "ä"},
	} {
		if v, err := embedtoken.New(cfg); err == nil || v != nil || strings.Contains(err.Error(), "short") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAVerifierThatNewDidNotMakeRefusesEverything(t *testing.T) {
	good := rows(t)[0].Text
	for what, v := range map[string]*embedtoken.Verifier{"nil": nil, "the zero value": {}} {
		if got, err := v.Verify(good, embedtoken.Presented{}); err == nil || got.Customer != "" {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	v, good := open(b, nil), rows(b)[0].Text
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(good, embedtoken.Presented{Embed: "abcde"}); err != nil {
			b.Fatal(err)
		}
	}
}
