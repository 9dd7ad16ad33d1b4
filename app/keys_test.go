package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/jose"
	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/replay"
	"embedseal/domain/secret"
	"embedseal/domain/token"
	"embedseal/ports"
)

const (
	day       = 24 * time.Hour
	staleness = 2 * time.Minute
)

// governed is a bench with the group acme, and a clock that can be moved.
type governed struct {
	*bench
	clock *movable
	keys  *app.Keys
}

func govern(t *testing.T) *governed {
	t.Helper()
	b := &governed{bench: newBench(), clock: &movable{now()}}
	b.found(t, group.Group{ID: "acme", Policy: policy.Default()})
	b.keys = b.with(b.vault)
	return b
}

// with is the use-case over another custody.
func (b *governed) with(custody ports.KeyCustody) *app.Keys {
	return app.NewKeys(b.stores, b.stores, custody, newChanges(b.log), b.clock, b.random, app.Staleness(staleness))
}

// found makes a group.
func (b *governed) found(t *testing.T, g group.Group) {
	t.Helper()
	if err := b.stores.GroupStore.CreateGroup(t.Context(), g); err != nil {
		t.Fatal(err)
	}
}

func (b *governed) rotate(t *testing.T) app.Rotated {
	t.Helper()
	done, err := b.keys.Rotate(t.Context(), call(), operator(), "acme", app.Rotation{})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func duration(t *testing.T, text string) iso8601.Duration {
	t.Helper()
	d, err := iso8601.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// sameMark compares the marks of requests, which cmp does not look into.
func sameMark() cmp.Option { return cmp.Comparer(func(a, b replay.Mark) bool { return a == b }) }

// transit keeps material outside of the ring.
type transit struct{ *vault }

func (v transit) Create(ctx context.Context, g group.ID, id key.ID) (key.Key, error) {
	k, err := v.vault.Create(ctx, g, id)
	k.Custody, k.Secret, k.Ref = key.VaultTransit, key.Secret{}, "embedseal."+string(g)+"."+string(id)+":1"
	return k, err
}

func TestAKeyIsMadeInItsCustodyThenInTheRingBetweenTwoRecords(t *testing.T) {
	b := govern(t)
	b.log.steps = nil
	made, err := b.keys.Create(t.Context(), call(), operator(), "acme", app.NewKey{Label: "of the shop", Note: "for\ntests"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"group", "ring", "record create_key", "create key", "update", "record create_key"}, b.log.steps); diff != "" {
		t.Errorf("the steps (-want +got):\n%s", diff)
	}
	intent, outcome := b.log.events[0], b.log.events[1]
	if intent.Outcome != audit.Intent || outcome.Outcome != audit.Granted || outcome.Change != intent.Change || outcome.KeyID != string(made.Key.ID) ||
		outcome.Group != "acme" || outcome.Operator != "socket:uid=1000" {
		t.Errorf("recorded are %+v and %+v", intent, outcome)
	}
	stored, _ := b.ring(t, "acme").Find(made.Key.ID)
	if made.Value.IsZero() || !stored.Secret.Equal(made.Value) || !made.Key.Secret.IsZero() || made.Default || made.Key.Label != "of the shop" ||
		stored.Note != "for\ntests" || !stored.CreatedAt.Equal(now().Truncate(time.Second)) {
		t.Errorf("made %+v, stored %+v", made, stored)
	}
	shown, err := b.keys.Show(t.Context(), operator(), "acme", made.Key.ID)
	if err != nil || shown != made.ShownKey {
		t.Errorf("shown is %+v, made %+v, %v", shown, made.ShownKey, err)
	}
	asDefault, err := b.keys.Create(t.Context(), call(), operator(), "acme", app.NewKey{ID: "k2", Default: true})
	if err != nil || !asDefault.Default || b.ring(t, "acme").DefaultID() != "k2" {
		t.Errorf("a default: %+v, %v", asDefault, err)
	}
	all, err := b.keys.List(t.Context(), operator(), "acme")
	if err != nil || len(all) != 2 || all[0].Key.ID != made.Key.ID || !all[1].Default || !all[0].Key.Secret.IsZero() {
		t.Errorf("the list is %+v, %v", all, err)
	}
}

func TestAnImportedKeySealsAsItsOwnerDid(t *testing.T) {
	b := govern(t)
	made, err := b.keys.Import(t.Context(), call(), operator(), "acme", app.NewKey{ID: "aa111111-1a11", Default: true}, secret.New("\ufeff "+canary+"\r\n"))
	if err != nil || !made.Trimmed || made.Value.Reveal() != canary {
		t.Fatalf("made %+v, %v", made, err)
	}
	if len(b.vault.there) != 0 {
		t.Errorf("the custody was asked for %v", b.vault.there)
	}
	minted, err := b.minter().Mint(t.Context(), call(), acme(), draft())
	if err != nil || minted.KeyID != "aa111111-1a11" {
		t.Fatalf("minted with %q, %v", minted.KeyID, err)
	}
	if got := plaintext(t, minted.Text, newKey("aa111111-1a11")); !strings.Contains(got, "customer_1") {
		t.Errorf("got %s", got)
	}
	exact, err := b.keys.Import(t.Context(), call(), operator(), "acme", app.NewKey{ID: "exact"}, secret.New(canary))
	if err != nil || exact.Trimmed || exact.Default {
		t.Errorf("made %+v, %v", exact, err)
	}
	if e := b.log.of(audit.ActionImportKey); len(e) != 4 || e[1].KeyID != "aa111111-1a11" {
		t.Errorf("recorded are %+v", e)
	}
}

func TestWhatTheRingWouldNotTakeIsNotMade(t *testing.T) {
	b := govern(t)
	b.give(t, "acme", "k1", newKey("k1"))
	b.log.steps, b.log.events = nil, nil
	for what, try := range map[string]func() (app.MadeKey, error){
		"a taken id": func() (app.MadeKey, error) {
			return b.keys.Create(t.Context(), call(), operator(), "acme", app.NewKey{ID: "k1"})
		},
		"an id with a slash": func() (app.MadeKey, error) {
			return b.keys.Create(t.Context(), call(), operator(), "acme", app.NewKey{ID: "../k"})
		},
		"a label of two lines": func() (app.MadeKey, error) {
			return b.keys.Create(t.Context(), call(), operator(), "acme", app.NewKey{Label: "a\nb"})
		},
		"a note that controls": func() (app.MadeKey, error) {
			return b.keys.Create(t.Context(), call(), operator(), "acme", app.NewKey{Note: "\x1b"})
		},
		"no id to import": func() (app.MadeKey, error) {
			return b.keys.Import(t.Context(), call(), operator(), "acme", app.NewKey{}, secret.New(canary))
		},
		"a short value": func() (app.MadeKey, error) {
			return b.keys.Import(t.Context(), call(), operator(), "acme", app.NewKey{ID: "k2"}, secret.New(canary[1:]))
		},
		"no value": func() (app.MadeKey, error) {
			return b.keys.Import(t.Context(), call(), operator(), "acme", app.NewKey{ID: "k2"}, secret.Text{})
		},
	} {
		made, err := try()
		if !errors.Is(err, key.ErrInvalid) || made != (app.MadeKey{}) || strings.Contains(fmt.Sprint(err), "canary") {
			t.Errorf("%s: made %+v, %v", what, made, err)
		}
	}
	if len(b.log.events) != 0 || b.log.count("create key") != 0 || b.ring(t, "acme").Len() != 1 {
		t.Errorf("the steps were %v", b.log.steps)
	}
}

func TestARotationSaysWhenTheOldKeyMayGo(t *testing.T) {
	seconds := now().Truncate(time.Second)
	for _, c := range []struct {
		ofGroup, asked string
		overlap        time.Duration
	}{
		{"", "", 7 * day},
		{"P1D", "", day},
		{"P1D", "PT0S", 0},
		{"", "PT0S", 0},
		{"", "P2W", 14 * day},
	} {
		b := govern(t)
		g := group.Group{ID: "globex", Policy: policy.Default()}
		if c.ofGroup != "" {
			g.Overlap = duration(t, c.ofGroup)
		}
		b.found(t, g)
		b.give(t, "globex", "old", newKey("old"))
		how := app.Rotation{Label: "spring"}
		if c.asked != "" {
			d, err := app.ParseOverlap(c.asked)
			if err != nil {
				t.Fatal(err)
			}
			how.Overlap = &d
		}
		done, err := b.keys.Rotate(t.Context(), call(), operator(), "globex", how)
		if err != nil {
			t.Fatal(err)
		}
		retires := seconds.Add(c.overlap)
		safe := retires.Add(30*day + staleness)
		if c.overlap == 0 { // of the fraction of a second that has gone by, the safe side
			safe = safe.Add(time.Second)
		}
		old := done.Previous
		if old == nil || old.Key.ID != "old" || !old.Key.RetiresAt.Equal(retires) || !old.Key.SafeToDestroyAt.Equal(safe) || old.Default {
			t.Fatalf("group %q, asked %q: the old key is %+v, want it to retire at %s and be safe at %s", c.ofGroup, c.asked, old, retires, safe)
		}
		if want := map[bool]key.State{true: key.Retiring, false: key.Active}[c.overlap == 0]; old.Key.State != want {
			t.Errorf("asked %q: the old key is %s, want %s", c.asked, old.Key.State, want)
		}
		if !done.Default || done.Value.IsZero() || done.Key.Label != "spring" || b.ring(t, "globex").DefaultID() != done.Key.ID {
			t.Errorf("the new key is %+v", done.ShownKey)
		}
	}
}

func TestTheKeyThatAPolicyPinsIsNotRotatedAway(t *testing.T) {
	b := govern(t)
	first := b.rotate(t).Key.ID
	pin := func(id key.ID) {
		t.Helper()
		if err := b.stores.UpdateGroup(t.Context(), "acme", func(g group.Group) (group.Group, error) {
			g.Policy.PinnedKey = id
			return g, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	pin(first)
	if _, err := b.keys.Rotate(t.Context(), call(), operator(), "acme", app.Rotation{}); !errors.Is(err, app.ErrRotatesPinned) {
		t.Errorf("the pinned default was rotated: %v", err)
	}
	ring, err := b.stores.Ring(t.Context(), "acme")
	if err != nil || ring.DefaultID() != first || ring.Len() != 1 {
		t.Errorf("the ring has %d keys and the default %s, %v", ring.Len(), ring.DefaultID(), err)
	}
	pin("another") // the default does not seal, and may go
	b.rotate(t)
}

func TestAnOverlapThatEndsNeverIsRefused(t *testing.T) {
	for _, text := range []string{"P9000Y", "P7973Y9M29D"} { // the second ends in 9999, and its tokens do not
		b := govern(t)
		d := duration(t, text)
		if _, err := b.keys.Rotate(t.Context(), call(), operator(), "acme", app.Rotation{Overlap: &d}); !errors.Is(err, iso8601.ErrOverflow) {
			t.Errorf("%s: %v", text, err)
		}
		if ring := b.ring(t, "acme"); ring.Len() != 0 || len(b.vault.there) != 0 {
			t.Errorf("%s: there are %d keys", text, ring.Len())
		}
	}
	for text, want := range map[string]error{"PT0S": nil, "P0D": nil, "P7D": nil, "-P1D": iso8601.ErrNotPositive, "PT-0S": iso8601.ErrNotPositive, "": iso8601.ErrMalformed, "7d": iso8601.ErrMalformed} {
		if d, err := app.ParseOverlap(text); !errors.Is(err, want) || d.IsZero() != (text != "P7D") {
			t.Errorf("%q: %s, %v, want %v", text, d, err, want)
		}
	}
}

func TestARotatedKeySealsForWhoNamesItUntilTheOverlapEnds(t *testing.T) {
	b := govern(t)
	b.give(t, "acme", "old", newKey("old"))
	done := b.rotate(t)
	minter := app.NewMinter(b.stores, b.defaults(), b.cipher, b.log, b.clock, token.ChartClaim{})
	mint := func(id *string) (key.ID, error) {
		d := draft()
		d.KeyID = id
		minted, err := minter.Mint(t.Context(), call(), acme(), d)
		return minted.KeyID, err
	}
	expect := func(when string, id *string, want key.ID, wantErr error) {
		t.Helper()
		if got, err := mint(id); got != want || !errors.Is(err, wantErr) {
			t.Errorf("%s: sealed with %q and %v, want %q and %v", when, got, err, want, wantErr)
		}
	}
	expect("at once", nil, done.Key.ID, nil)
	expect("during the overlap", new("old"), "old", nil)
	b.clock.now = done.Previous.Key.RetiresAt.Add(-time.Nanosecond)
	expect("at its end", new("old"), "old", nil)
	b.clock.now = done.Previous.Key.RetiresAt
	expect("after the overlap", new("old"), "", key.ErrNotActive)
	expect("after the overlap", nil, done.Key.ID, nil)
	shown, err := b.keys.Show(t.Context(), operator(), "acme", "old")
	if err != nil || shown.Key.State != key.Retiring {
		t.Errorf("it is shown as %s, %v", shown.Key.State, err)
	}
	if stored, _ := b.ring(t, "acme").Find("old"); stored.State != key.Active || shown.Tag != done.Previous.Tag {
		t.Errorf("stored it is %s, and its tag has changed from %s to %s", stored.State, done.Previous.Tag, shown.Tag)
	}
	if _, err := b.keys.Destroy(t.Context(), call(), operator(), "acme", "old", "", false); !errors.Is(err, key.ErrNotSafe) {
		t.Errorf("destroyed while tokens may be open: %v", err)
	}
	b.clock.now = done.Previous.Key.SafeToDestroyAt
	gone, err := b.keys.Destroy(t.Context(), call(), operator(), "acme", "old", "", false)
	if err != nil || gone.Key.State != key.Destroyed {
		t.Errorf("then it is %s, %v", gone.Key.State, err)
	}
}

func TestAPolicyThatWasWidenedMakesDestroyingWait(t *testing.T) {
	b := govern(t)
	b.give(t, "acme", "old", newKey("old"))
	done := b.rotate(t)
	if err := b.stores.UpdateGroup(t.Context(), "acme", func(g group.Group) (group.Group, error) {
		g.Policy.MaxLifetime = duration(t, "P60D")
		return g, nil
	}); err != nil {
		t.Fatal(err)
	}
	shown, err := b.keys.Show(t.Context(), operator(), "acme", "old")
	want := done.Previous.Key.SafeToDestroyAt.Add(30 * day)
	if err != nil || !shown.Key.SafeToDestroyAt.Equal(want) {
		t.Errorf("it is safe at %s, want %s: %v", shown.Key.SafeToDestroyAt, want, err)
	}
	b.clock.now = want.Add(-time.Second)
	if _, err := b.keys.Destroy(t.Context(), call(), operator(), "acme", "old", "", false); !errors.Is(err, key.ErrNotSafe) {
		t.Errorf("got %v, want %v", err, key.ErrNotSafe)
	}
}

// steps are the changes of one key, by name.
func (b *governed) steps(t *testing.T) map[string]func(by app.Actor, g group.ID, id key.ID, match app.Match) (app.ShownKey, error) {
	ctx := t.Context()
	return map[string]func(app.Actor, group.ID, key.ID, app.Match) (app.ShownKey, error){
		"default": func(by app.Actor, g group.ID, id key.ID, m app.Match) (app.ShownKey, error) {
			return b.keys.SetDefault(ctx, call(), by, g, id, m)
		},
		"retire": func(by app.Actor, g group.ID, id key.ID, m app.Match) (app.ShownKey, error) {
			return b.keys.Retire(ctx, call(), by, g, id, m)
		},
		"disable": func(by app.Actor, g group.ID, id key.ID, m app.Match) (app.ShownKey, error) {
			return b.keys.Disable(ctx, call(), by, g, id, m)
		},
		"enable": func(by app.Actor, g group.ID, id key.ID, m app.Match) (app.ShownKey, error) {
			return b.keys.Enable(ctx, call(), by, g, id, m)
		},
		"destroy": func(by app.Actor, g group.ID, id key.ID, m app.Match) (app.ShownKey, error) {
			return b.keys.Destroy(ctx, call(), by, g, id, m, true)
		},
		"update": func(by app.Actor, g group.ID, id key.ID, m app.Match) (app.ShownKey, error) {
			return b.keys.Update(ctx, call(), by, g, id, m, app.KeyPatch{Label: new("new")})
		},
	}
}

func TestEachStepOfAKeyIsRecordedAndShown(t *testing.T) {
	b := govern(t)
	b.give(t, "acme", "k1", newKey("k1"), newKey("k2"))
	for _, c := range []struct {
		step   string
		action audit.Action
		state  key.State
	}{
		{"update", audit.ActionUpdateKey, key.Active},
		{"default", audit.ActionDefaultKey, key.Active},
		{"disable", audit.ActionDisableKey, key.Disabled},
		{"enable", audit.ActionEnableKey, key.Active},
		{"retire", audit.ActionRetireKey, key.Retiring},
		{"destroy", audit.ActionDestroyKey, key.Destroyed},
	} {
		id := key.ID("k1") // not the default from the second step on
		if c.step == "default" {
			id = "k2"
		}
		before, err := b.keys.Show(t.Context(), operator(), "acme", id)
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range []app.Match{`"0123456789abcdef"`, app.Match("W/" + before.Tag)} {
			if _, err := b.steps(t)[c.step](operator(), "acme", id, wrong); !errors.Is(err, app.ErrTag) {
				t.Errorf("%s with another tag: %v", c.step, err)
			}
		}
		if again, _ := b.keys.Show(t.Context(), operator(), "acme", id); again != before {
			t.Errorf("%s with another tag changed %+v to %+v", c.step, before, again)
		}
		b.log.events = nil
		after, err := b.steps(t)[c.step](operator(), "acme", id, app.Match(before.Tag))
		if err != nil || after.Key.State != c.state || after.Tag == before.Tag || !after.Key.Secret.IsZero() {
			t.Fatalf("%s: from %+v to %+v, %v", c.step, before, after, err)
		}
		if shown, err := b.keys.Show(t.Context(), operator(), "acme", id); err != nil || shown != after {
			t.Errorf("%s: answered %+v, shown %+v, %v", c.step, after, shown, err)
		}
		e := b.log.events
		if len(e) != 2 || e[0].Action != c.action || e[0].Outcome != audit.Intent || e[1].Outcome != audit.Granted || e[1].KeyID != string(id) {
			t.Errorf("%s: recorded are %+v", c.step, e)
		}
	}
	if k, _ := b.ring(t, "acme").Find("k1"); k.Label != "new" || !k.Secret.IsZero() {
		t.Errorf("the tombstone is %+v", k)
	}
}

func TestWithoutARecordNoStepIsTaken(t *testing.T) {
	b := govern(t)
	b.give(t, "acme", "k1", newKey("k1"), newKey("k2"))
	b.log.refuse = func(audit.Event) error { return ports.ErrUnavailable }
	before := b.ring(t, "acme").Keys()
	for name, step := range b.steps(t) {
		if _, err := step(operator(), "acme", "k2", ""); !errors.Is(err, app.ErrAudit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.keys.Create(t.Context(), call(), operator(), "acme", app.NewKey{}); !errors.Is(err, app.ErrAudit) {
		t.Errorf("create: %v", err)
	}
	if _, err := b.keys.Rotate(t.Context(), call(), operator(), "acme", app.Rotation{}); !errors.Is(err, app.ErrAudit) {
		t.Errorf("rotate: %v", err)
	}
	if k, err := b.keys.Reveal(t.Context(), call(), operator(), "acme", "k1"); !errors.Is(err, app.ErrAudit) || !k.Secret.IsZero() {
		t.Errorf("reveal: %v", err)
	}
	if diff := cmp.Diff(before, b.ring(t, "acme").Keys(), sameMark()); diff != "" || len(b.vault.there) != 0 {
		t.Errorf("it was changed, the custody keeps %v:\n%s", b.vault.there, diff)
	}
}

// revealed to nobody whose record of the outcome is missing.
func TestAValueWhoseGivingIsNotRecordedIsNotGiven(t *testing.T) {
	b := govern(t)
	b.give(t, "acme", "k1", newKey("k1"))
	b.log.refuse = func(e audit.Event) error {
		if e.Outcome == audit.Intent {
			return nil
		}
		return ports.ErrUnavailable
	}
	if k, err := b.keys.Reveal(t.Context(), call(), operator(), "acme", "k1"); !errors.Is(err, app.ErrUnrecorded) || !k.Secret.IsZero() {
		t.Errorf("got %v and the value: %t", err, !k.Secret.IsZero())
	}
	if doc, err := b.keys.ExportJWK(t.Context(), call(), operator(), "acme", "k1"); !errors.Is(err, app.ErrUnrecorded) || doc != nil {
		t.Errorf("got %v and %d bytes", err, len(doc))
	}
}

func TestAValueIsGivenToWhoMaySeeIt(t *testing.T) {
	b := govern(t)
	outside := newKey("outside")
	outside.Custody, outside.Secret, outside.Ref = key.VaultTransit, key.Secret{}, "embedseal.acme.outside:1"
	gone := newKey("gone")
	gone.State, gone.Secret = key.Destroyed, key.Secret{}
	b.give(t, "acme", "k1", newKey("k1"), outside, gone)
	reader := scoped(acme(), apitoken.ReadWrite)
	revealer := altered(acme(), func(_ *group.Group, t *apitoken.Token) { t.ID, t.Scopes = "revealer", apitoken.Reveal })
	for _, c := range []struct {
		by   app.Actor
		id   key.ID
		want error
	}{
		{operator(), "k1", nil},
		{held(t, b.stores.GroupStore, app.Actor{Caller: revealer}), "k1", nil},
		{app.Actor{Operator: "operator-token", Rights: app.ToRead | app.ToWrite}, "k1", app.ErrScope},
		{app.Actor{Caller: reader}, "k1", app.ErrScope},
		{app.Actor{}, "k1", ports.ErrNotFound},
		{operator(), "outside", app.ErrNotExportable},
		{operator(), "gone", key.ErrState},
		{operator(), "none", key.ErrUnknown},
		{operator(), "../k1", key.ErrUnknown},
	} {
		b.log.events = nil
		k, err := b.keys.Reveal(t.Context(), call(), c.by, "acme", c.id)
		if !errors.Is(err, c.want) || (k.Secret.Reveal() == canary) != (c.want == nil) {
			t.Errorf("%+v reveals %s: %v, want %v", c.by.Rights, c.id, err, c.want)
		}
		if c.want == nil && (len(b.log.events) != 2 || b.log.events[1].Action != audit.ActionRevealKey || b.log.events[1].KeyID != "k1") {
			t.Errorf("recorded are %+v", b.log.events)
		}
		doc, err := b.keys.ExportJWK(t.Context(), call(), c.by, "acme", c.id)
		if !errors.Is(err, c.want) || (doc != nil) != (c.want == nil) {
			t.Errorf("%+v exports %s: %v, want %v", c.by.Rights, c.id, err, c.want)
		}
	}
	doc, err := b.keys.ExportJWK(t.Context(), call(), operator(), "acme", "k1")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := jose.ExportJWK(newKey("k1"))
	if err != nil {
		t.Fatal(err)
	}
	var a, z map[string]string
	if json.Unmarshal(doc, &a) != nil || json.Unmarshal(theirs, &z) != nil || !cmp.Equal(a, z) {
		t.Errorf("got %v, go-jose writes %v", a, z)
	}
	id, value, err := jose.ImportJWK(doc)
	if err != nil || id != "k1" || value.Reveal() != canary {
		t.Errorf("read back as %s, %v", id, err)
	}
}

func TestTheKeysOfAnotherGroupAreNotThere(t *testing.T) {
	b := govern(t)
	b.found(t, group.Group{ID: "globex", Policy: policy.Default()})
	b.give(t, "acme", "k1", newKey("k1"))
	b.give(t, "globex", "theirs", newKey("theirs"), newKey("other"))
	all := scoped(acme(), apitoken.ReadWrite|apitoken.Reveal)
	by := held(t, b.stores.GroupStore, app.Actor{Caller: all})
	before := b.ring(t, "globex").Keys()
	answers := map[string][]error{}
	for _, g := range []group.ID{"globex", "nobody"} {
		for name, step := range b.steps(t) {
			_, err := step(by, g, "theirs", "")
			answers[name] = append(answers[name], err)
		}
		for name, try := range map[string]func() error{
			"list":   func() error { _, err := b.keys.List(t.Context(), by, g); return err },
			"show":   func() error { _, err := b.keys.Show(t.Context(), by, g, "theirs"); return err },
			"reveal": func() error { _, err := b.keys.Reveal(t.Context(), call(), by, g, "theirs"); return err },
			"export": func() error { _, err := b.keys.ExportJWK(t.Context(), call(), by, g, "theirs"); return err },
			"create": func() error { _, err := b.keys.Create(t.Context(), call(), by, g, app.NewKey{}); return err },
			"import": func() error {
				_, err := b.keys.Import(t.Context(), call(), by, g, app.NewKey{ID: "x"}, secret.New(canary))
				return err
			},
			"rotate": func() error { _, err := b.keys.Rotate(t.Context(), call(), by, g, app.Rotation{}); return err },
		} {
			answers[name] = append(answers[name], try())
		}
	}
	for name, got := range answers {
		if !errors.Is(got[0], ports.ErrNotFound) || !errors.Is(got[1], ports.ErrNotFound) ||
			strings.ReplaceAll(got[0].Error(), "globex", "nobody") != got[1].Error() {
			t.Errorf("%s: there %v, not there %v", name, got[0], got[1])
		}
	}
	if len(answers) != 13 || len(b.log.events) != 0 {
		t.Errorf("%d verbs were tried, %d records written", len(answers), len(b.log.events))
	}
	if diff := cmp.Diff(before, b.ring(t, "globex").Keys(), sameMark()); diff != "" {
		t.Errorf("their ring was changed:\n%s", diff)
	}
	// In its own group, the id of another's key is one that is not there.
	for name, step := range b.steps(t) {
		if _, err := step(by, "acme", "theirs", ""); !errors.Is(err, key.ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRightsAreAskedForEachStep(t *testing.T) {
	b := govern(t)
	b.give(t, "acme", "k1", newKey("k1"), newKey("k2"))
	reader := scoped(acme(), apitoken.ReadOnly|apitoken.Reveal)
	for _, by := range []app.Actor{held(t, b.stores.GroupStore, app.Actor{Caller: reader}), {Operator: "o", Rights: app.ToRead | app.ToReveal}} {
		for name, step := range b.steps(t) {
			if _, err := step(by, "acme", "k2", ""); !errors.Is(err, app.ErrScope) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := b.keys.Rotate(t.Context(), call(), by, "acme", app.Rotation{}); !errors.Is(err, app.ErrScope) {
			t.Errorf("rotate: %v", err)
		}
		if _, err := b.keys.List(t.Context(), by, "acme"); err != nil {
			t.Errorf("list: %v", err)
		}
	}
	minter := app.Actor{Caller: acme()} // may mint, and see nothing
	if _, err := b.keys.List(t.Context(), minter, "acme"); !errors.Is(err, app.ErrScope) {
		t.Errorf("list: %v", err)
	}
}

func TestMaterialOutsideOfTheRingGoesBeforeTheRingSaysSo(t *testing.T) {
	b := govern(t)
	b.keys = b.with(transit{b.vault})
	first, second := b.rotate(t), b.rotate(t)
	if !first.Value.IsZero() || first.Key.Custody != key.VaultTransit || len(b.vault.there) != 2 {
		t.Fatalf("made %+v", first)
	}
	old := first.Key.ID
	b.vault.destroyErr = ports.ErrUnavailable
	if _, err := b.keys.Destroy(t.Context(), call(), operator(), "acme", old, "", true); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("while the custody is away: %v", err)
	}
	if k, _ := b.ring(t, "acme").Find(old); k.State != key.Disabled || k.Ref == "" {
		t.Errorf("the ring says %+v, and the material is there", k)
	}
	e := b.log.of(audit.ActionDestroyKey)
	if e[len(e)-1].Outcome != audit.Failed {
		t.Errorf("recorded is %+v", e[len(e)-1])
	}
	b.vault.destroyErr = nil
	b.log.steps = nil
	gone, err := b.keys.Destroy(t.Context(), call(), operator(), "acme", old, "", true)
	if err != nil || gone.Key.State != key.Destroyed {
		t.Errorf("then: %+v, %v", gone, err)
	}
	if diff := cmp.Diff([]string{"group", "ring", "record destroy_key", "update", "destroy key", "update", "record destroy_key"}, b.log.steps); diff != "" {
		t.Errorf("the steps (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]key.ID{second.Key.ID}, b.vault.there); diff != "" {
		t.Errorf("the custody keeps (-want +got):\n%s", diff)
	}
	// Again: what an answer that was lost leaves its sender to do.
	if again, err := b.keys.Destroy(t.Context(), call(), operator(), "acme", old, "", false); err != nil || again != gone {
		t.Errorf("again: %+v, %v", again, err)
	}
	if _, err := b.keys.Destroy(t.Context(), call(), operator(), "acme", second.Key.ID, "", true); !errors.Is(err, key.ErrIsDefault) || len(b.vault.there) != 1 {
		t.Errorf("the default: %v, the custody keeps %v", err, b.vault.there)
	}
}

func TestWhatTheRingDidNotTakeIsGivenBack(t *testing.T) {
	for _, c := range []struct {
		answer error
		id     key.ID
		kept   int
	}{
		{ports.ErrConflict, "", 0},
		{ports.ErrUnavailable, "", 0},
		{ports.ErrReadOnly, "", 0},
		{ports.ErrUnknownOutcome, "", 1},
		{ports.ErrNotPurged, "", 1},
		{context.Canceled, "", 1},
		// Of a chosen id there may be another's material by now.
		{ports.ErrConflict, "chosen", 1},
	} {
		b := govern(t)
		b.stores.updateErr = c.answer
		made, err := b.keys.Create(t.Context(), call(), operator(), "acme", app.NewKey{ID: c.id})
		if !errors.Is(err, c.answer) || made != (app.MadeKey{}) || len(b.vault.there) != c.kept {
			t.Errorf("%v: made %+v, %v; the custody keeps %v", c.answer, made, err, b.vault.there)
		}
		if c.id != "" {
			continue
		}
		if _, err := b.keys.Rotate(t.Context(), call(), operator(), "acme", app.Rotation{}); !errors.Is(err, c.answer) || len(b.vault.there) != 2*c.kept {
			t.Errorf("%v: %v; the custody keeps %v", c.answer, err, b.vault.there)
		}
	}
	b := govern(t)
	b.stores.updateErr, b.vault.destroyErr = ports.ErrConflict, ports.ErrSealed
	if _, err := b.keys.Rotate(t.Context(), call(), operator(), "acme", app.Rotation{}); !errors.Is(err, ports.ErrConflict) || errors.Is(err, ports.ErrSealed) {
		t.Errorf("what cannot be given back: %v", err)
	}
}

func TestAnIDThatTheCustodyHasOrCannotHaveIsTheCallersFault(t *testing.T) {
	for _, c := range []struct {
		answer, want error
		hidden       bool // the custody's word does not count beside the ring's
	}{
		{ports.ErrExists, key.ErrTaken, true},
		{ports.ErrCustody, key.ErrInvalid, true},
		{ports.ErrSealed, ports.ErrSealed, false},
	} {
		b := govern(t)
		b.vault.createErr = fmt.Errorf("vault: create: %w", c.answer)
		_, err := b.keys.Create(t.Context(), call(), operator(), "acme", app.NewKey{ID: "k1"})
		if !errors.Is(err, c.want) || c.hidden && errors.Is(err, c.answer) {
			t.Errorf("%v: got %v, want %v", c.answer, err, c.want)
		}
	}
}

func mark(t *testing.T, once, request string) replay.Mark {
	t.Helper()
	m, err := replay.Of(once, "keys/acme", []byte(request))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestARequestThatIsSentAgainMakesNothing(t *testing.T) {
	b := govern(t)
	b.give(t, "acme", "old", newKey("old"))
	how := app.Rotation{Mark: mark(t, "once", "{}")}
	first, err := b.keys.Rotate(t.Context(), call(), operator(), "acme", how)
	if err != nil || first.Replayed {
		t.Fatalf("made %+v, %v", first, err)
	}
	records := len(b.log.events)
	second, err := b.keys.Rotate(t.Context(), call(), operator(), "acme", how)
	if err != nil || !second.Replayed || !second.Value.IsZero() || second.ShownKey != first.ShownKey || *second.Previous != *first.Previous {
		t.Errorf("again: %+v, %v", second, err)
	}
	if b.ring(t, "acme").Len() != 2 || len(b.vault.there) != 1 || len(b.log.events) != records {
		t.Errorf("%d keys, the custody keeps %v", b.ring(t, "acme").Len(), b.vault.there)
	}
	if _, err := b.keys.Rotate(t.Context(), call(), operator(), "acme", app.Rotation{Mark: mark(t, "once", "{1}")}); !errors.Is(err, replay.ErrOther) {
		t.Errorf("another request: %v", err)
	}
	imported := app.NewKey{ID: "theirs", Mark: mark(t, "twice", "{}")}
	for i := range 2 {
		made, err := b.keys.Import(t.Context(), call(), operator(), "acme", imported, secret.New(canary+"\n"))
		if err != nil || made.Replayed != (i == 1) || made.Value.IsZero() != (i == 1) || !made.Trimmed {
			t.Errorf("import number %d: %+v, %v", i, made, err)
		}
	}
}

func TestOfOneRequestSentAHundredTimesAtOnceOneMakesTheKey(t *testing.T) {
	const senders = 100
	b := govern(t)
	b.stores.onRing = gate(senders) // all of them see a ring without the mark
	ids := make([]key.ID, senders)
	values := make([]bool, senders)
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() {
			made, err := b.keys.Create(t.Context(), call(), operator(), "acme", app.NewKey{Mark: mark(t, "once", "{}")})
			if err != nil {
				t.Error(err)
			}
			ids[i], values[i] = made.Key.ID, !made.Value.IsZero()
		})
	}
	all.Wait()
	b.stores.onRing = nil
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) != 1 || b.ring(t, "acme").Len() != 1 || !cmp.Equal(b.vault.there, ids) {
		t.Errorf("made were %v, the ring has %d keys, the custody %v", ids, b.ring(t, "acme").Len(), b.vault.there)
	}
	shown := 0
	for _, value := range values {
		if value {
			shown++
		}
	}
	if shown != 1 {
		t.Errorf("the value was shown %d times", shown)
	}
}
