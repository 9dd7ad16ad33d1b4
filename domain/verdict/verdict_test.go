package verdict_test

import (
	"testing"
	"time"

	"embedseal/domain/iso8601"
	"embedseal/domain/key"
	"embedseal/domain/token"
	"embedseal/domain/verdict"
)

// now has a fraction of a second, as clocks do.
func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 987654321, time.UTC) }

func origin(t *testing.T, text string) token.Origin {
	t.Helper()
	o, err := token.ParseOrigin(text)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestAKeyOpensWhileItIsActiveOrRetiring(t *testing.T) {
	past, future := now().Add(-time.Hour), now().Add(time.Hour)
	for _, tt := range []struct {
		sentence string
		key      key.Key
		found    bool
		want     verdict.Reason
	}{
		{"a key that is not there", key.Key{State: key.Active}, false, verdict.UnknownKey},
		{"a key of no state", key.Key{}, true, verdict.UnknownKey},
		{"a destroyed key", key.Key{State: key.Destroyed}, true, verdict.UnknownKey},
		{"a disabled key", key.Key{State: key.Disabled}, true, verdict.KeyDisabled},
		{"a disabled key in its overlap", key.Key{State: key.Disabled, RetiresAt: future}, true, verdict.KeyDisabled},
		{"an active key", key.Key{State: key.Active}, true, ""},
		{"an active key in its overlap", key.Key{State: key.Active, RetiresAt: future}, true, ""},
		{"a key whose overlap has ended", key.Key{State: key.Active, RetiresAt: past}, true, ""},
		{"a retiring key", key.Key{State: key.Retiring}, true, ""},
	} {
		if got := verdict.OfKey(tt.key, tt.found, now()); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.sentence, got, tt.want)
		}
	}
}

func TestATokenIsGoodWithinItsTime(t *testing.T) {
	at := func(d time.Duration) time.Time { return now().Add(d) }
	const leeway = 30 * time.Second
	for _, tt := range []struct {
		sentence string
		claims   token.Claims
		want     verdict.Reason
	}{
		{"it ends in a nanosecond", token.Claims{ExpiresAt: at(1)}, ""},
		{"it ends now", token.Claims{ExpiresAt: now()}, verdict.Expired},
		{"it ended a nanosecond ago, which no leeway excuses", token.Claims{ExpiresAt: at(-1)}, verdict.Expired},
		{"it was issued within the leeway", token.Claims{ExpiresAt: at(time.Hour), IssuedAt: at(leeway)}, ""},
		{"it was issued beyond the leeway", token.Claims{ExpiresAt: at(time.Hour), IssuedAt: at(leeway + 1)}, verdict.NotYetValid},
		{"it begins within the leeway", token.Claims{ExpiresAt: at(time.Hour), NotBefore: at(leeway)}, ""},
		{"it begins beyond the leeway", token.Claims{ExpiresAt: at(time.Hour), NotBefore: at(leeway + 1)}, verdict.NotYetValid},
		{"it has ended and not begun", token.Claims{ExpiresAt: now(), NotBefore: at(time.Hour)}, verdict.Expired},
	} {
		if got := verdict.OfTime(tt.claims, now(), leeway); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.sentence, got, tt.want)
		}
	}
}

func TestNoTokenOutlivesWhatTheGroupAllowsOrItsRetiringKey(t *testing.T) {
	const day = 24 * time.Hour
	at := func(d time.Duration) time.Time { return now().Add(d) }
	active := key.Key{State: key.Active}
	retiring := key.Key{State: key.Retiring, RetiresAt: at(-day), SafeToDestroyAt: at(time.Hour)}
	overlap := key.Key{State: key.Active, RetiresAt: at(day), SafeToDestroyAt: at(2 * day)}
	for _, tt := range []struct {
		sentence string
		exp      time.Time
		key      key.Key
		longest  string
		horizon  time.Duration
		want     verdict.Reason
	}{
		{"as long as is allowed", at(day), active, "P1D", day, ""},
		{"a nanosecond longer", at(day + 1), active, "P1D", day, verdict.Policy},
		{"longer than is allowed now, and not than it once was", at(2 * day), active, "P1D", 30 * day, verdict.Policy},
		{"a month by the calendar", at(31 * day), active, "P1M", 31 * day, ""},
		{"a month by the calendar, and a nanosecond", at(31*day + 1), active, "P1M", 31 * day, verdict.Policy},
		{"a maximum beyond the year 9999", time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), active, "P9000Y", 0, ""},
		{"no maximum at all", at(1), active, "", 0, verdict.Policy},
		{"as long as its retiring key is needed", at(time.Hour), retiring, "P1D", 0, ""},
		{"longer than its retiring key is needed", at(time.Hour + 1), retiring, "P1D", 0, verdict.Policy},
		{"longer, under a horizon that has grown since", at(day), retiring, "P1D", 2 * day, ""},
		{"a key in its overlap, which still seals", at(4 * day), overlap, "P30D", day, ""},
		{"a retiring key of which nobody has reckoned when it is safe", at(day), key.Key{State: key.Retiring}, "P1D", day, ""},
	} {
		var longest iso8601.Duration
		if tt.longest != "" {
			var err error
			if longest, err = iso8601.Parse(tt.longest); err != nil {
				t.Fatal(err)
			}
		}
		if got := verdict.OfLife(token.Claims{ExpiresAt: tt.exp}, tt.key, longest, tt.horizon, now()); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.sentence, got, tt.want)
		}
	}
}

func TestNoTokenWasEverToLiveLongerThanTheGroupEverAllowed(t *testing.T) {
	const day = 24 * time.Hour
	second := now().Truncate(time.Second)
	for _, tt := range []struct {
		sentence string
		iat, exp time.Time
		longest  string
		horizon  time.Duration
		want     verdict.Reason
	}{
		{"as long as was ever allowed", second.Add(-29 * day), second.Add(day), "P30D", 30 * day, ""},
		{"a second longer, which rounding makes", second.Add(-29*day - time.Second), second.Add(day), "P30D", 30 * day, ""},
		{"a nanosecond more than that, and near its end", second.Add(-29*day - time.Second - 1), second.Add(day), "P30D", 30 * day, verdict.Policy},
		{"minted before the maximum was made shorter", second.Add(-29 * day), second.Add(time.Hour), "P1D", 30 * day, ""},
		{"longer than before the maximum was made shorter", second.Add(-30 * day), second.Add(time.Hour), "P1D", 30 * day, verdict.Policy},
		{"the end is before the issue", second.Add(time.Minute), second.Add(time.Second), "P30D", 30 * day, ""},
		{"the end is ages before the issue", time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), second.Add(time.Second), "P30D", 30 * day, ""},
		{"it does not say when it was issued", time.Time{}, second.Add(day), "P30D", 30 * day, ""},
		{"since 1970", time.Unix(1, 0), second.Add(time.Second), "P30D", 30 * day, verdict.Policy},
		{"as long as a maximum of more than 292 years", time.Unix(1, 0), time.Date(2500, 1, 1, 0, 0, 0, 0, time.UTC), "P9000Y", upperBound(t, "P9000Y"), ""},
	} {
		c := token.Claims{IssuedAt: tt.iat, ExpiresAt: tt.exp}
		longest, err := iso8601.Parse(tt.longest)
		if err != nil {
			t.Fatal(err)
		}
		if got := verdict.OfLife(c, key.Key{State: key.Active}, longest, tt.horizon, now()); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.sentence, got, tt.want)
		}
	}
}

func upperBound(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := iso8601.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d.UpperBound()
}

func TestWhatIsPresentedMustBeWhatTheTokenIsFor(t *testing.T) {
	here, there := origin(t, "https://a.example"), origin(t, "https://b.example")
	whole := token.Claims{Embed: "e", Origin: here}
	chart, unbound := whole, token.Claims{Embed: "e"}
	chart.Chart = "c"
	for _, tt := range []struct {
		sentence  string
		claims    token.Claims
		presented verdict.Presented
		want      verdict.Reason
	}{
		{"nothing is presented", chart, verdict.Presented{}, ""},
		{"all of it is right", chart, verdict.Presented{Origin: here, Embed: "e", Chart: "c"}, ""},
		{"another origin", whole, verdict.Presented{Origin: there, Embed: "e"}, verdict.OriginMismatch},
		{"an origin, of a token that is bound to none", unbound, verdict.Presented{Origin: there}, ""},
		{"another embed", whole, verdict.Presented{Embed: "E"}, verdict.EmbedMismatch},
		{"another chart", chart, verdict.Presented{Chart: "d"}, verdict.ChartMismatch},
		{"a chart, of a token for the whole embed", whole, verdict.Presented{Chart: "c"}, verdict.ChartMismatch},
		{"a chart's token, for its embed", chart, verdict.Presented{Embed: "e"}, ""},
		{"everything is wrong", chart, verdict.Presented{Origin: there, Embed: "f", Chart: "d"}, verdict.OriginMismatch},
		{"embed and chart are wrong", chart, verdict.Presented{Origin: here, Embed: "f", Chart: "d"}, verdict.EmbedMismatch},
	} {
		if got := verdict.OfUse(tt.claims, tt.presented); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.sentence, got, tt.want)
		}
	}
}
