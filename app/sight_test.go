package app_test

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/replay"
	"embedseal/domain/token"
)

// changed lists the fields of v, and calls with for each with v changed in that
// field only: to what values has for it.
func changed[T any](t *testing.T, before T, values map[string]any, with func(field string, after T)) {
	t.Helper()
	fields := reflect.TypeFor[T]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		value, known := values[name]
		if !known {
			t.Errorf("%s has a field %s that nobody thought of here: is it shown to administrators?", fields, name)
			continue
		}
		after := before
		reflect.ValueOf(&after).Elem().Field(i).Set(reflect.ValueOf(value))
		with(name, after)
	}
}

func policyValues(t *testing.T) map[string]any {
	return map[string]any{
		"DefaultLifetime": duration(t, "PT1M"), "MaxLifetime": duration(t, "PT2H"), "ChartEmbedding": true,
		"Embeds": []policy.Glob{"a*"}, "Customers": []policy.Glob{"b"}, "OriginRequired": true,
		"Origins":  []token.Origin{must(token.ParseOrigin("https://a.example/"))},
		"Features": must(token.ParseFeatures(nil)), "PinnedKey": key.ID("k1"), "Mode": policy.Clamp,
		"NoCharts": true, "LimitFeatures": true,
	}
}

// store puts g into a new office, in place of what is there.
func store(t *testing.T, g group.Group) *office {
	t.Helper()
	b := newOffice()
	if err := b.stores.GroupStore.CreateGroup(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestATagChangesWithEachFieldOfAGroupThatIsShownAndNoOther(t *testing.T) {
	before := group.Group{ID: "acme", Name: "Acme", Policy: policy.Default(), CreatedAt: now()}
	tags := func(g group.Group) (whole, rules app.Tag) {
		b := store(t, g)
		_, rules, err := b.groups.Policy(t.Context(), operator(), g.ID)
		if err != nil {
			t.Fatal(err)
		}
		return must(b.groups.Show(t.Context(), operator(), g.ID)).Tag, rules
	}
	whole, rules := tags(before)
	hidden := map[string]bool{"Tokens": true, "Horizon": true, "Creation": true}
	wider := policy.Default()
	wider.ChartEmbedding = true
	changed(t, before, map[string]any{
		"ID": group.ID("globex"), "Name": "Globex", "Policy": wider, "CreatedAt": now().Add(time.Second),
		"RotateEvery": duration(t, "P1D"), "Overlap": duration(t, "PT1H"), "Horizon": time.Hour,
		"Tokens": []apitoken.Token{{ID: "t1"}}, "Creation": mark(t, "k1", ""),
	}, func(field string, after group.Group) {
		if tag, _ := tags(after); (tag == whole) != hidden[field] {
			t.Errorf("a change of %s: the tag stays: %t", field, tag == whole)
		}
	})
	changed(t, policy.Default(), policyValues(t), func(field string, after policy.Policy) {
		g := before
		g.Policy = after
		if tag, rule := tags(g); tag == whole || rule == rules {
			t.Errorf("a change of the policy's %s changes no tag", field)
		}
	})
}

func TestATagChangesWithEachFieldOfATokenThatIsShownAndNoOther(t *testing.T) {
	before := apitoken.Token{ID: "t1", Name: "one", Digest: apitoken.Digest{1}, Scopes: apitoken.Mint, CreatedAt: now(), Previous: apitoken.Digest{2}, PreviousUntil: now()}
	tag := func(one apitoken.Token) app.Tag {
		b := store(t, group.Group{ID: "acme", Policy: policy.Default(), Tokens: []apitoken.Token{one}})
		return must(b.tokens.Show(t.Context(), operator(), "acme", one.ID)).Tag
	}
	first := tag(before)
	hidden := map[string]bool{"LastUsedAt": true, "Creation": true, "Refreshing": true, "Previous": true}
	restricted := func(field string, after policy.Restriction) {
		one := before
		if one.Restriction = after; field == "Features" {
			one.Restriction.LimitFeatures = true
		}
		if tag(one) == first {
			t.Errorf("a change of the restriction's %s does not change the tag", field)
		}
	}
	values := policyValues(t)
	changed(t, policy.Restriction{LimitFeatures: true, Features: must(token.ParseFeatures([]string{"flt"}))}, values, restricted)
	changed(t, before, map[string]any{
		"ID": "t2", "Name": "two", "Digest": apitoken.Digest{3}, "Scopes": apitoken.Read, "CreatedAt": now().Add(time.Second), "ExpiresAt": now(),
		"Networks": []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, "Restriction": policy.Restriction{NoCharts: true},
		"Previous": apitoken.Digest{4}, "PreviousUntil": now().Add(time.Second), "LastUsedAt": now(),
		"Creation": mark(t, "k1", ""), "Refreshing": mark(t, "k2", ""),
	}, func(field string, after apitoken.Token) {
		if got := tag(after); (got == first) != hidden[field] {
			t.Errorf("a change of %s: the tag stays: %t", field, got == first)
		}
	})
}

func TestATagIsTheSameForWhatIsStoredAndWhatIsReadBack(t *testing.T) {
	b := acmeOffice(t)
	empty := policy.Default()
	empty.Embeds, empty.Customers, empty.Origins = []policy.Glob{}, []policy.Glob{}, []token.Origin{}
	_, set, err := b.groups.SetPolicy(t.Context(), call(), operator(), "acme", "", func(policy.Policy) (policy.Policy, error) { return empty, nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, got, err := store(t, group.Group{ID: "acme", Policy: policy.Default()}).groups.Policy(t.Context(), operator(), "acme"); err != nil || got != set {
		t.Errorf("an empty list has the tag %s, none has %s (%v)", set, got, err)
	}
	issued := b.issue(t, app.NewToken{Scopes: apitoken.Mint, Networks: []netip.Prefix{}, Mark: replay.Mark{}})
	if shown := must(b.tokens.Show(t.Context(), operator(), "acme", issued.Token.ID)); shown.Tag != issued.Tag {
		t.Errorf("made with the tag %s, shown with %s", issued.Tag, shown.Tag)
	}
}
