package app_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/replay"
	"embedseal/domain/token"
	"embedseal/ports"
)

// issue makes a token in acme.
func (b *office) issue(t *testing.T, n app.NewToken) app.IssuedToken {
	t.Helper()
	issued, err := b.tokens.Create(t.Context(), call(), operator(), "acme", n)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

// use presents text, and returns the id of the token that it is taken for.
func (b *office) use(t *testing.T, text string, need apitoken.Scopes, from netip.Addr) (string, error) {
	t.Helper()
	caller, err := b.auth.Authenticate(t.Context(), text, need, from)
	return caller.TokenID(), err
}

func acmeOffice(t *testing.T) *office {
	t.Helper()
	b := newOffice()
	b.make(t, "acme")
	return b
}

func TestANewTokenCanBeUsedAtOnceAndItsTextIsKeptNowhere(t *testing.T) {
	b := acmeOffice(t)
	issued := b.issue(t, app.NewToken{Name: "shop", Scopes: apitoken.Mint, ExpiresIn: duration(t, "P1Y"), Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	text := issued.Text.Reveal()
	if id, err := b.use(t, text, apitoken.Mint, home()); err != nil || id != issued.Token.ID {
		t.Fatalf("used as %q: %v", id, err)
	}
	shown, err := b.tokens.Show(t.Context(), holding("acme", apitoken.Read), "acme", issued.Token.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(shown.Token.ID) != 16 || shown.Token.Name != "shop" || shown.Token.Scopes != apitoken.Mint || !shown.Token.CreatedAt.Equal(now().Truncate(time.Second)) ||
		!shown.Token.ExpiresAt.Equal(now().Truncate(time.Second).AddDate(1, 0, 0)) || len(shown.Token.Networks) != 1 || shown.Tag != issued.Tag {
		t.Errorf("shown is %+v", shown)
	}
	if got := b.outcomes(audit.ActionCreateToken); !slices.Equal(got, []string{"intent", "granted"}) {
		t.Errorf("recorded are %q", got)
	}
	for _, e := range b.log.of(audit.ActionCreateToken) {
		if e.Target != issued.Token.ID || e.Group != "acme" || e.Operator == "" || e.TokenID != "" {
			t.Errorf("recorded is %+v", e)
		}
	}
	if kept := fmt.Sprintf("%+v %+v", b.log.events, must(b.stores.GroupStore.Group(t.Context(), "acme"))); strings.Contains(kept, text) || strings.Contains(kept, text[len("ems_acme_"):]) {
		t.Error("the text of the token is kept")
	}
}

func TestATokenThatNobodyMayHaveIsNotMade(t *testing.T) {
	b := acmeOffice(t)
	origin := must(token.ParseOrigin("https://a.example/"))
	records := len(b.log.events)
	for what, n := range map[string]app.NewToken{
		"no scope":                    {},
		"an unknown scope":            {Scopes: 1 << 7},
		"a name with a line":          {Scopes: apitoken.Mint, Name: "a\nb"},
		"an expiry that is past":      {Scopes: apitoken.Mint, ExpiresAt: now().Add(-time.Second)},
		"an expiry that is now":       {Scopes: apitoken.Mint, ExpiresAt: now()},
		"an expiry beyond all dates":  {Scopes: apitoken.Mint, ExpiresAt: now().AddDate(9000, 0, 0)},
		"an expiry in endless years":  {Scopes: apitoken.Mint, ExpiresIn: duration(t, "P9999Y")},
		"two expiries":                {Scopes: apitoken.Mint, ExpiresAt: now().AddDate(1, 0, 0), ExpiresIn: duration(t, "P1Y")},
		"a network with host bits":    {Scopes: apitoken.Mint, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8")}},
		"a restriction that is none":  {Scopes: apitoken.Mint, Restriction: policy.Restriction{Embeds: []policy.Glob{""}}},
		"a key that is not there":     {Scopes: apitoken.Mint, Restriction: policy.Restriction{PinnedKey: "k9"}},
		"a key that cannot be a key":  {Scopes: apitoken.Mint, Restriction: policy.Restriction{PinnedKey: "../x"}},
		"no origin, but one required": {Scopes: apitoken.Mint, Restriction: policy.Restriction{Origins: []token.Origin{origin, origin}}},
	} {
		issued, err := b.tokens.Create(t.Context(), call(), operator(), "acme", n)
		if !errors.Is(err, apitoken.ErrInvalid) && !errors.Is(err, policy.ErrInvalid) || app.Recorded(err) || !issued.Text.IsZero() {
			t.Errorf("%s: got %v, want %v", what, err, apitoken.ErrInvalid)
		}
	}
	wide := app.NewToken{Scopes: apitoken.Mint, Restriction: policy.Restriction{MaxLifetime: duration(t, "P31D")}}
	var wider *policy.Invalid
	if _, err := b.tokens.Create(t.Context(), call(), operator(), "acme", wide); !errors.As(err, &wider) || wider.Faults[0].Field != policy.FieldMaxLifetime {
		t.Errorf("wider than its group: got %v", err)
	}
	records += 2 // what is wider shows only under the lock of the record
	if g := must(b.stores.GroupStore.Group(t.Context(), "acme")); len(g.Tokens) != 0 || len(b.log.events) != records {
		t.Errorf("there are %d tokens, and %d records too many", len(g.Tokens), len(b.log.events)-records)
	}
	if _, err := b.tokens.Create(t.Context(), call(), operator(), "nobody", app.NewToken{Scopes: apitoken.Mint}); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("in a group that is not there: got %v", err)
	}
}

func TestOfManyTokensMadeAtOnceNoneIsLost(t *testing.T) {
	b := acmeOffice(t)
	const many = 50
	var all sync.WaitGroup
	texts := make([]string, many)
	for i := range many {
		all.Go(func() {
			issued, err := b.tokens.Create(t.Context(), call(), operator(), "acme", app.NewToken{Name: fmt.Sprint(i), Scopes: apitoken.Mint})
			if err != nil {
				t.Error(err)
			}
			texts[i] = issued.Text.Reveal()
		})
	}
	all.Wait()
	for i, text := range texts {
		id, err := b.use(t, text, apitoken.Mint, home())
		if err != nil {
			t.Errorf("token %d: %v", i, err)
			continue
		}
		if view, err := b.tokens.Show(t.Context(), operator(), "acme", id); err != nil || view.Token.Name != fmt.Sprint(i) {
			t.Errorf("token %d is %q (%v)", i, view.Token.Name, err)
		}
	}
}

func TestAFullGroupTakesNoMoreTokens(t *testing.T) {
	b := acmeOffice(t)
	if err := b.stores.GroupStore.UpdateGroup(t.Context(), "acme", func(g group.Group) (group.Group, error) {
		for i := range group.MaxTokens - 1 {
			g.Tokens = append(g.Tokens, apitoken.Token{ID: fmt.Sprint("t", i), Digest: apitoken.Digest{1, byte(i), byte(i >> 8)}, Scopes: apitoken.Mint})
		}
		return g, nil
	}); err != nil {
		t.Fatal(err)
	}
	last := b.issue(t, app.NewToken{Scopes: apitoken.Mint})
	if _, err := b.tokens.Create(t.Context(), call(), operator(), "acme", app.NewToken{Scopes: apitoken.Mint}); !errors.Is(err, group.ErrFull) {
		t.Errorf("one more: got %v, want %v", err, group.ErrFull)
	}
	if id, err := b.use(t, last.Text.Reveal(), apitoken.Mint, home()); err != nil || id != last.Token.ID {
		t.Errorf("the thousandth: %q and %v", id, err)
	}
}

func TestTheSameRequestIsGrantedOneToken(t *testing.T) {
	b := acmeOffice(t)
	n := app.NewToken{Name: "shop", Scopes: apitoken.Mint, Mark: mark(t, "k1", "1")}
	first := b.issue(t, n)
	records := len(b.log.events)
	again := b.issue(t, n)
	if !again.Replayed || !again.Text.IsZero() || again.Token.ID != first.Token.ID || again.Tag != first.Tag || first.Replayed || first.Text.IsZero() {
		t.Errorf("first %+v, again %+v", first, again)
	}
	if len(b.log.events) != records {
		t.Errorf("asking again left %d records", len(b.log.events)-records)
	}
	n.Mark = mark(t, "k1", "2")
	if _, err := b.tokens.Create(t.Context(), call(), operator(), "acme", n); !errors.Is(err, replay.ErrOther) {
		t.Errorf("the key for another request: got %v, want %v", err, replay.ErrOther)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	made := map[string]int{}
	n.Mark = mark(t, "k2", "1")
	for range 20 {
		all.Go(func() {
			issued, err := b.tokens.Create(t.Context(), call(), operator(), "acme", n)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || issued.Replayed != issued.Text.IsZero() {
				t.Errorf("got %+v and %v", issued, err)
			}
			if made[issued.Token.ID]++; !issued.Replayed {
				made["fresh"]++
			}
		})
	}
	all.Wait()
	if made["fresh"] != 1 || len(made) != 2 {
		t.Errorf("sent twenty times at once it gave %v", made)
	}
	for _, e := range b.log.of(audit.ActionCreateToken) {
		if e.Outcome == audit.Granted && e.Target != first.Token.ID && made[e.Target] == 0 {
			t.Errorf("the log names a token that was never made: %+v", e)
		}
	}
}

// TestARefreshOverlapsForTheTimeThatWasChosen follows one token through two
// refreshes, by the clock.
func TestARefreshOverlapsForTheTimeThatWasChosen(t *testing.T) {
	b := acmeOffice(t)
	issued := b.issue(t, app.NewToken{Scopes: apitoken.Mint})
	id := issued.Token.ID
	texts := []string{issued.Text.Reveal()}
	refresh := func(overlap iso8601.Duration) app.IssuedToken {
		t.Helper()
		again, err := b.tokens.Refresh(t.Context(), call(), operator(), "acme", id, "", overlap, replay.Mark{})
		if err != nil || again.Token.ID != id || again.Text.IsZero() {
			t.Fatalf("refreshed to %+v: %v", again, err)
		}
		texts = append(texts, again.Text.Reveal())
		return again
	}
	at := func(later time.Duration, want ...bool) {
		t.Helper()
		b.clock.now = now().Truncate(time.Second).Add(later)
		for i, text := range texts {
			got, err := b.use(t, text, apitoken.Mint, home())
			if good := err == nil; good != want[i] || good && got != id {
				t.Errorf("after %s value %d is taken for %q (%v), want %t", later, i, got, err, want[i])
			}
			if err != nil && err.Error() != app.ErrUnauthenticated.Error() {
				t.Errorf("after %s value %d: %v", later, i, err)
			}
		}
	}
	at(0, true)
	if one := refresh(duration(t, "PT1H")); !one.Token.PreviousUntil.Equal(now().Truncate(time.Second).Add(time.Hour)) || one.Tag == issued.Tag {
		t.Errorf("refreshed to %+v", one)
	}
	at(0, true, true)
	at(time.Hour-time.Second, true, true)
	at(time.Hour, false, true)
	at(2*time.Hour, false, true)
	refresh(duration(t, "P7D"))
	at(2*time.Hour, false, true, true)
	at(2*time.Hour+7*day-time.Second, false, true, true)
	refresh(iso8601.Duration{})
	at(2*time.Hour+7*day-time.Second, false, false, false, true)
	at(1000*day, false, false, false, true)
	if got := b.outcomes(audit.ActionRefreshToken); !slices.Equal(got, []string{"intent", "granted", "intent", "granted", "intent", "granted"}) {
		t.Errorf("recorded are %q", got)
	}
	if _, err := b.tokens.Refresh(t.Context(), call(), operator(), "acme", id, "", duration(t, "P9999Y"), replay.Mark{}); !errors.Is(err, apitoken.ErrInvalid) {
		t.Errorf("an endless overlap: got %v", err)
	}
	if _, err := b.tokens.Refresh(t.Context(), call(), operator(), "acme", id, app.Match(issued.Tag), iso8601.Duration{}, replay.Mark{}); !errors.Is(err, app.ErrTag) {
		t.Errorf("the tag of before: got %v", err)
	}
	if _, err := b.tokens.Refresh(t.Context(), call(), operator(), "acme", "t9", "", iso8601.Duration{}, replay.Mark{}); !errors.Is(err, group.ErrUnknownToken) {
		t.Errorf("a token that is not there: got %v", err)
	}
	at(1000*day, false, false, false, true)
}

func TestTheSameRequestRefreshesOnce(t *testing.T) {
	b := acmeOffice(t)
	issued := b.issue(t, app.NewToken{Scopes: apitoken.Mint})
	refresh := func(request string) (app.IssuedToken, error) {
		return b.tokens.Refresh(t.Context(), call(), operator(), "acme", issued.Token.ID, "", duration(t, "PT1H"), mark(t, "k1", request))
	}
	first, err := refresh("1")
	if err != nil || first.Replayed {
		t.Fatalf("replayed %t: %v", first.Replayed, err)
	}
	again, err := refresh("1")
	if err != nil || !again.Replayed || !again.Text.IsZero() || again.Tag != first.Tag {
		t.Errorf("again: %+v and %v", again, err)
	}
	if id, err := b.use(t, first.Text.Reveal(), apitoken.Mint, home()); err != nil || id != issued.Token.ID {
		t.Errorf("the value of the first: %q and %v", id, err)
	}
	if _, err := refresh("2"); !errors.Is(err, replay.ErrOther) {
		t.Errorf("the key for another request: got %v, want %v", err, replay.ErrOther)
	}
}

// to is a change of a restriction.
func to(next policy.Restriction) func(policy.Restriction) policy.Restriction {
	return func(policy.Restriction) policy.Restriction { return next }
}

func TestWhatATokenMayDoIsChangedFromItsNextUseOn(t *testing.T) {
	b := acmeOffice(t)
	issued := b.issue(t, app.NewToken{Name: "shop", Scopes: apitoken.Mint})
	id, text := issued.Token.ID, issued.Text.Reveal()
	name, scopes, none := "shops", apitoken.ReadOnly, []netip.Prefix{}
	far, soon, never := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, now().Add(time.Hour), time.Time{}
	narrow, nothing := policy.Restriction{NoCharts: true}, policy.Restriction{}
	last := issued.TokenView
	for _, tt := range []struct {
		what  string
		patch app.TokenPatch
		check func(apitoken.Token) bool
		need  apitoken.Scopes
		err   error
	}{
		{"a name", app.TokenPatch{Name: &name}, func(t apitoken.Token) bool { return t.Name == name && t.Scopes == apitoken.Mint }, apitoken.Mint, nil},
		{"scopes", app.TokenPatch{Scopes: &scopes}, func(t apitoken.Token) bool { return t.Scopes == scopes && t.Name == name }, apitoken.Mint, app.ErrScope},
		{"networks", app.TokenPatch{Networks: &far}, func(t apitoken.Token) bool { return len(t.Networks) == 1 }, apitoken.Read, app.ErrUnauthenticated},
		{"any network", app.TokenPatch{Networks: &none}, func(t apitoken.Token) bool { return len(t.Networks) == 0 }, apitoken.Read, nil},
		{"an expiry", app.TokenPatch{ExpiresAt: &soon}, func(t apitoken.Token) bool { return t.ExpiresAt.Equal(soon.Truncate(time.Second)) }, apitoken.Read, nil},
		{"no expiry", app.TokenPatch{ExpiresAt: &never}, func(t apitoken.Token) bool { return t.ExpiresAt.IsZero() }, apitoken.Read, nil},
		{"a restriction", app.TokenPatch{Restrict: to(narrow)}, func(t apitoken.Token) bool { return t.Restriction.NoCharts }, apitoken.Read, nil},
		{"no restriction", app.TokenPatch{Restrict: to(nothing)}, func(t apitoken.Token) bool { return t.Restriction.IsZero() }, apitoken.Read, nil},
	} {
		view, err := b.tokens.Update(t.Context(), call(), operator(), "acme", id, app.Match(last.Tag), tt.patch)
		if err != nil || !tt.check(view.Token) || view.Tag == last.Tag || view.Token.Digest != issued.Token.Digest {
			t.Fatalf("%s: got %+v and %v", tt.what, view, err)
		}
		if _, err := b.use(t, text, tt.need, home()); !errors.Is(err, tt.err) {
			t.Errorf("%s: its use answers %v, want %v", tt.what, err, tt.err)
		}
		shown, err := b.tokens.Show(t.Context(), operator(), "acme", id)
		if err != nil || shown.Tag != view.Tag {
			t.Errorf("%s: shown is %+v (%v)", tt.what, shown, err)
		}
		last = view
	}
	noScope, past, bad := apitoken.Scopes(0), now().Add(-time.Hour), "a\x00"
	wide, unknown := policy.Restriction{MaxLifetime: duration(t, "P1Y")}, policy.Restriction{PinnedKey: "k9"}
	for what, tt := range map[string]struct {
		id    string
		match app.Match
		patch app.TokenPatch
		want  error
	}{
		"no scope":                  {id, "", app.TokenPatch{Scopes: &noScope}, apitoken.ErrInvalid},
		"an expiry that is past":    {id, "", app.TokenPatch{ExpiresAt: &past}, apitoken.ErrInvalid},
		"a name that is none":       {id, "", app.TokenPatch{Name: &bad}, apitoken.ErrInvalid},
		"a wider restriction":       {id, "", app.TokenPatch{Restrict: to(wide)}, policy.ErrInvalid},
		"a key that is not there":   {id, "", app.TokenPatch{Restrict: to(unknown)}, policy.ErrInvalid},
		"the tag of another state":  {id, app.Match(issued.Tag), app.TokenPatch{Name: &name}, app.ErrTag},
		"a token that is not there": {"t9", "", app.TokenPatch{Name: &name}, group.ErrUnknownToken},
	} {
		if _, err := b.tokens.Update(t.Context(), call(), operator(), "acme", tt.id, tt.match, tt.patch); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", what, err, tt.want)
		}
	}
	if shown, err := b.tokens.Show(t.Context(), operator(), "acme", id); err != nil || shown.Tag != last.Tag {
		t.Errorf("after what was refused: %+v and %v", shown, err)
	}
}

func TestARevokedTokenIsOneThatNeverWas(t *testing.T) {
	b := acmeOffice(t)
	one, two := b.issue(t, app.NewToken{Scopes: apitoken.Mint}), b.issue(t, app.NewToken{Scopes: apitoken.Mint})
	refreshed, err := b.tokens.Refresh(t.Context(), call(), operator(), "acme", one.Token.ID, "", duration(t, "P1D"), replay.Mark{})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.tokens.Revoke(t.Context(), call(), operator(), "acme", one.Token.ID, app.Match(one.Tag)); !errors.Is(err, app.ErrTag) {
		t.Errorf("with the tag of before: got %v", err)
	}
	if err := b.tokens.Revoke(t.Context(), call(), operator(), "acme", one.Token.ID, app.Match(refreshed.Tag)); err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"the value": refreshed.Text.Reveal(), "the value before": one.Text.Reveal()} {
		if _, err := b.use(t, text, apitoken.Mint, home()); !errors.Is(err, app.ErrUnauthenticated) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if _, err := b.use(t, two.Text.Reveal(), apitoken.Mint, home()); err != nil {
		t.Errorf("the other token: %v", err)
	}
	if err := b.tokens.Revoke(t.Context(), call(), operator(), "acme", one.Token.ID, ""); !errors.Is(err, group.ErrUnknownToken) {
		t.Errorf("again: got %v", err)
	}
	if got := b.outcomes(audit.ActionRevokeToken); !slices.Equal(got, []string{"intent", "refused some_code", "intent", "granted"}) {
		t.Errorf("recorded are %q", got)
	}
}

func TestTokensAreListedByTheirID(t *testing.T) {
	b := acmeOffice(t)
	var want []string
	for range 7 {
		want = append(want, b.issue(t, app.NewToken{Scopes: apitoken.Mint}).Token.ID)
	}
	slices.Sort(want)
	var got []string
	after := ""
	for {
		views, next, err := b.tokens.List(t.Context(), operator(), "acme", app.Page{After: after, Limit: 3})
		if err != nil || len(got) > 7 {
			t.Fatal(err)
		}
		for _, v := range views {
			got = append(got, v.Token.ID)
		}
		if after = next; next == "" {
			break
		}
		if err := b.tokens.Revoke(t.Context(), call(), operator(), "acme", next, ""); err != nil { // the next page begins behind it all the same
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
}

// TestNobodyHandsOutMoreThanTheyMayDo tries to make a token, to widen one, and to
// get the value of one by refreshing it.
func TestNobodyHandsOutMoreThanTheyMayDo(t *testing.T) {
	here, there := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, []netip.Prefix{netip.MustParsePrefix("11.0.0.0/8")}
	part := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("10.2.3.4/32")}
	in := func(d time.Duration) time.Time { return now().Truncate(time.Second).Add(d) }
	narrow := policy.Restriction{NoCharts: true}
	for _, tt := range []struct {
		sentence string
		own      apitoken.Token // without an id: an operator who may not reveal
		wanted   app.NewToken
		want     error
	}{
		{"what it has", apitoken.Token{ID: "mine", Scopes: apitoken.ReadWrite}, app.NewToken{Scopes: apitoken.ReadWrite}, nil},
		{"less than it has", apitoken.Token{ID: "mine", Scopes: apitoken.All}, app.NewToken{Scopes: apitoken.Mint, ExpiresAt: in(day), Networks: here, Restriction: narrow}, nil},
		{"a scope more", apitoken.Token{ID: "mine", Scopes: apitoken.Write}, app.NewToken{Scopes: apitoken.Write | apitoken.Mint}, app.ErrScope},
		{"reveal", apitoken.Token{ID: "mine", Scopes: apitoken.ReadWrite}, app.NewToken{Scopes: apitoken.Reveal}, app.ErrScope},
		{"reveal, which it has", apitoken.Token{ID: "mine", Scopes: apitoken.All}, app.NewToken{Scopes: apitoken.Reveal}, nil},
		{"reveal, as an operator who may not", apitoken.Token{}, app.NewToken{Scopes: apitoken.Reveal}, app.ErrScope},
		{"all else, as an operator", apitoken.Token{}, app.NewToken{Scopes: apitoken.ReadWrite}, nil},
		{"for ever, as one that expires", apitoken.Token{ID: "mine", Scopes: apitoken.All, ExpiresAt: in(day)}, app.NewToken{Scopes: apitoken.Mint}, app.ErrScope},
		{"longer than itself", apitoken.Token{ID: "mine", Scopes: apitoken.All, ExpiresAt: in(day)}, app.NewToken{Scopes: apitoken.Mint, ExpiresAt: in(day + time.Second)}, app.ErrScope},
		{"as long as itself", apitoken.Token{ID: "mine", Scopes: apitoken.All, ExpiresAt: in(day)}, app.NewToken{Scopes: apitoken.Mint, ExpiresAt: in(day)}, nil},
		{"from anywhere, as one that is bound", apitoken.Token{ID: "mine", Scopes: apitoken.All, Networks: here}, app.NewToken{Scopes: apitoken.Mint}, app.ErrScope},
		{"from elsewhere", apitoken.Token{ID: "mine", Scopes: apitoken.All, Networks: here}, app.NewToken{Scopes: apitoken.Mint, Networks: there}, app.ErrScope},
		{"from here and elsewhere", apitoken.Token{ID: "mine", Scopes: apitoken.All, Networks: part}, app.NewToken{Scopes: apitoken.Mint, Networks: here}, app.ErrScope},
		{"from within its networks", apitoken.Token{ID: "mine", Scopes: apitoken.All, Networks: here}, app.NewToken{Scopes: apitoken.Mint, Networks: part}, nil},
		{"without its restriction", apitoken.Token{ID: "mine", Scopes: apitoken.All, Restriction: narrow}, app.NewToken{Scopes: apitoken.Mint}, app.ErrScope},
		{"with another restriction", apitoken.Token{ID: "mine", Scopes: apitoken.All, Restriction: narrow},
			app.NewToken{Scopes: apitoken.Mint, Restriction: policy.Restriction{OriginRequired: true}}, app.ErrScope},
		{"with its restriction", apitoken.Token{ID: "mine", Scopes: apitoken.All, Restriction: narrow}, app.NewToken{Scopes: apitoken.Mint, Restriction: narrow}, nil},
	} {
		t.Run(tt.sentence, func(t *testing.T) {
			b := acmeOffice(t)
			by := app.Actor{Operator: "operator-token", Rights: app.ToRead | app.ToWrite}
			if tt.own.ID != "" {
				by = held(t, b.stores.GroupStore, app.Actor{Caller: callerOf(group.Group{ID: "acme", Policy: policy.Default()}, tt.own)})
			}
			given := b.issue(t, tt.wanted) // by an operator who may do all
			small := app.NewToken{Scopes: tt.wanted.Scopes & tt.own.Scopes, ExpiresAt: in(time.Hour), Networks: part, Restriction: tt.own.Restriction}
			if small.Scopes == 0 {
				small.Scopes = apitoken.Mint
			}
			widened := b.issue(t, small)
			_, create := b.tokens.Create(t.Context(), call(), by, "acme", tt.wanted)
			_, refresh := b.tokens.Refresh(t.Context(), call(), by, "acme", given.Token.ID, "", iso8601.Duration{}, replay.Mark{})
			_, update := b.tokens.Update(t.Context(), call(), by, "acme", widened.Token.ID, "",
				app.TokenPatch{Scopes: &tt.wanted.Scopes, ExpiresAt: &tt.wanted.ExpiresAt, Networks: &tt.wanted.Networks, Restrict: to(tt.wanted.Restriction)})
			for what, err := range map[string]error{"create": create, "refresh": refresh, "update": update} {
				if !errors.Is(err, tt.want) {
					t.Errorf("%s: got %v, want %v", what, err, tt.want)
				}
			}
		})
	}
}

func TestATokenThatWasMadeIsFoundAgainWhenTheKeyThatItPinsSealsNoMore(t *testing.T) {
	b := acmeOffice(t)
	b.give(t, "acme", "k2", newKey("k1"), newKey("k2"))
	n := app.NewToken{Name: "shop", Scopes: apitoken.Mint, Restriction: policy.Restriction{PinnedKey: "k1"}, Mark: mark(t, "once", "{}")}
	first := b.issue(t, n)
	gone := newKey("k1")
	gone.State = key.Disabled
	b.give(t, "acme", "k2", gone, newKey("k2"))
	if again := b.issue(t, n); !again.Replayed || again.Token.ID != first.Token.ID {
		t.Errorf("got %s, replayed: %t", again.Token.ID, again.Replayed)
	}
}

// as is whoever presents text, as of now.
func (b *office) as(t *testing.T, text string) app.Actor {
	t.Helper()
	caller, err := b.auth.Authenticate(t.Context(), text, 0, home())
	if err != nil {
		t.Fatal(err)
	}
	return app.Actor{Caller: caller}
}

// A request may authenticate, wait with its body, and go on when its token is
// revoked: what it made then would outlive the revocation.
func TestAnActorWhoWasTakenBackOrNarrowedSinceItAuthenticatedChangesNothing(t *testing.T) {
	scopes, soon, narrow := apitoken.Write, now().Truncate(time.Second).Add(time.Hour), policy.Restriction{NoCharts: true}
	read := apitoken.Read
	for what, tt := range map[string]struct {
		since func(*office, string) error
		// rights is what is said of a change that hands out nothing; grants, of one that does.
		rights, grants error
	}{
		"revoked": {func(b *office, id string) error {
			return b.tokens.Revoke(t.Context(), call(), operator(), "acme", id, "")
		}, app.ErrUnauthenticated, app.ErrUnauthenticated},
		"refreshed without an overlap": {func(b *office, id string) error {
			_, err := b.tokens.Refresh(t.Context(), call(), operator(), "acme", id, "", iso8601.Duration{}, replay.Mark{})
			return err
		}, app.ErrUnauthenticated, app.ErrUnauthenticated},
		"without the right": {func(b *office, id string) error {
			_, err := b.tokens.Update(t.Context(), call(), operator(), "acme", id, "", app.TokenPatch{Scopes: &read})
			return err
		}, app.ErrScope, app.ErrScope},
		"with fewer scopes": {func(b *office, id string) error {
			_, err := b.tokens.Update(t.Context(), call(), operator(), "acme", id, "", app.TokenPatch{Scopes: &scopes})
			return err
		}, nil, app.ErrScope},
		"with an end": {func(b *office, id string) error {
			_, err := b.tokens.Update(t.Context(), call(), operator(), "acme", id, "", app.TokenPatch{ExpiresAt: &soon})
			return err
		}, nil, app.ErrScope},
		"restricted": {func(b *office, id string) error {
			_, err := b.tokens.Update(t.Context(), call(), operator(), "acme", id, "", app.TokenPatch{Restrict: to(narrow)})
			return err
		}, nil, app.ErrScope},
	} {
		t.Run(what, func(t *testing.T) {
			b := acmeOffice(t)
			own, other := b.issue(t, app.NewToken{Scopes: apitoken.ReadWrite}), b.issue(t, app.NewToken{Scopes: apitoken.Mint})
			by := b.as(t, own.Text.Reveal())
			if err := tt.since(b, own.Token.ID); err != nil {
				t.Fatal(err)
			}
			name := "renamed"
			_, create := b.tokens.Create(t.Context(), call(), by, "acme", app.NewToken{Scopes: apitoken.Mint})
			_, refresh := b.tokens.Refresh(t.Context(), call(), by, "acme", other.Token.ID, "", iso8601.Duration{}, replay.Mark{})
			_, update := b.tokens.Update(t.Context(), call(), by, "acme", other.Token.ID, "", app.TokenPatch{Name: &name})
			for what, err := range map[string]error{"create": create, "refresh": refresh, "update": update} {
				if !errors.Is(err, tt.grants) {
					t.Errorf("%s: got %v, want %v", what, err, tt.grants)
				}
			}
			_, rename := b.groups.Update(t.Context(), call(), by, "acme", "", app.GroupPatch{Name: &name})
			revoke := b.tokens.Revoke(t.Context(), call(), by, "acme", other.Token.ID, "")
			for what, err := range map[string]error{"rename": rename, "revoke": revoke} {
				if !errors.Is(err, tt.rights) {
					t.Errorf("%s: got %v, want %v", what, err, tt.rights)
				}
			}
		})
	}
}

// The value before a refresh is given up: who still holds it gets no other that
// lasts longer, not even of the same token.
func TestTheValueBeforeARefreshHandsOutNothingThatOutlivesTheOverlap(t *testing.T) {
	b := acmeOffice(t)
	own := b.issue(t, app.NewToken{Scopes: apitoken.ReadWrite})
	next, err := b.tokens.Refresh(t.Context(), call(), operator(), "acme", own.Token.ID, "", duration(t, "PT1H"), replay.Mark{})
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]error{own.Text.Reveal(): app.ErrScope, next.Text.Reveal(): nil} {
		by := b.as(t, value)
		if _, err := b.tokens.Create(t.Context(), call(), by, "acme", app.NewToken{Scopes: apitoken.Mint}); !errors.Is(err, want) {
			t.Errorf("create: got %v, want %v", err, want)
		}
		if _, err := b.tokens.Create(t.Context(), call(), by, "acme", app.NewToken{Scopes: apitoken.Mint, ExpiresAt: next.Token.PreviousUntil}); err != nil {
			t.Errorf("create one that ends with the overlap: %v", err)
		}
	}
	if _, err := b.tokens.Refresh(t.Context(), call(), b.as(t, own.Text.Reveal()), "acme", own.Token.ID, "", iso8601.Duration{}, replay.Mark{}); !errors.Is(err, app.ErrScope) {
		t.Errorf("refresh with the value before: got %v, want %v", err, app.ErrScope)
	}
	if _, err := b.tokens.Refresh(t.Context(), call(), b.as(t, next.Text.Reveal()), "acme", own.Token.ID, "", iso8601.Duration{}, replay.Mark{}); err != nil {
		t.Errorf("refresh with its own value: %v", err)
	}
}
