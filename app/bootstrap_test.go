package app_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/policy"
	"embedseal/domain/secret"
	"embedseal/domain/token"
	"embedseal/ports"
)

func TestTheFirstGroupHasAPolicyATokenAndAKey(t *testing.T) {
	b := newBench()
	boot := b.bootstrapper()
	text := boot.NewAPIToken("default")
	done, err := boot.Run(t.Context(), app.Call{}, "default", text)
	if err != nil || !done.Created {
		t.Fatalf("created %t: %v", done.Created, err)
	}
	g, err := b.stores.GroupStore.Group(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Tokens) != 1 || len(g.Tokens[0].ID) != 16 {
		t.Fatalf("the tokens are %+v", g.Tokens)
	}
	second := now().Truncate(time.Second)
	want := group.Group{
		ID: "default", Name: "default", Policy: policy.Default(), CreatedAt: second,
		Tokens: []apitoken.Token{{ID: g.Tokens[0].ID, Name: "first", Digest: apitoken.DigestOf(text), Scopes: apitoken.ReadWrite, CreatedAt: second}},
	}
	if diff := cmp.Diff(want, g, cmpopts.EquateComparable(iso8601.Duration{}, token.Features{}, token.Origin{})); diff != "" {
		t.Errorf("the group (-want +got):\n%s", diff)
	}
	ring := b.ring(t, "default")
	if ring.Len() != 1 || ring.DefaultID() != done.Key.ID || done.Key.Secret.IsZero() {
		t.Errorf("%d keys, the default is %q, told is %q", ring.Len(), ring.DefaultID(), done.Key.ID)
	}
	if diff := cmp.Diff([]string{"group", "record create_group", "create group", "record create_group", "ring", "record create_key", "create key", "update", "record create_key"}, b.log.steps); diff != "" {
		t.Errorf("the steps (-want +got):\n%s", diff)
	}
	recorded := audit.Event{Time: now(), Action: audit.ActionCreateGroup, Outcome: audit.Granted, Group: "default", Change: b.log.events[0].Change}
	if diff := cmp.Diff(recorded, b.log.events[1]); diff != "" {
		t.Errorf("the record of the group (-want +got):\n%s", diff)
	}
}

func TestTheFirstTokenMintsAtOnce(t *testing.T) {
	b := newBench()
	boot := b.bootstrapper()
	text := boot.NewAPIToken("default")
	if _, err := boot.Run(t.Context(), app.Call{}, "default", text); err != nil {
		t.Fatal(err)
	}
	caller, err := b.authenticator().Authenticate(t.Context(), text.Reveal(), apitoken.Mint, home())
	if err != nil {
		t.Fatal(err)
	}
	if minted, err := b.minter().Mint(t.Context(), call(), caller, draft()); err != nil || len(minted.Text) == 0 {
		t.Fatal(err)
	}
	if ring := b.ring(t, "default"); ring.Len() != 1 {
		t.Errorf("minting made %d more keys", ring.Len()-1)
	}
}

func TestASecondRunMakesNothing(t *testing.T) {
	b := newBench()
	boot := b.bootstrapper()
	first, err := boot.Run(t.Context(), app.Call{}, "default", boot.NewAPIToken("default"))
	if err != nil {
		t.Fatal(err)
	}
	before, _ := b.stores.GroupStore.Group(t.Context(), "default")
	records := len(b.log.events)
	for range 2 {
		again, err := b.bootstrapper().Run(t.Context(), app.Call{}, "default", boot.NewAPIToken("default"))
		if err != nil || again.Created || again.Key.ID != first.Key.ID {
			t.Errorf("created %t, key %q and %v, want the key %q", again.Created, again.Key.ID, err, first.Key.ID)
		}
	}
	after, _ := b.stores.GroupStore.Group(t.Context(), "default")
	if diff := cmp.Diff(before, after, cmpopts.EquateComparable(iso8601.Duration{}, token.Features{}, token.Origin{})); diff != "" {
		t.Errorf("the group was changed (-before +after):\n%s", diff)
	}
	if b.ring(t, "default").Len() != 1 || len(b.log.events) != records {
		t.Errorf("%d keys and %d new records", b.ring(t, "default").Len(), len(b.log.events)-records)
	}
}

func TestARunThatWasKilledIsFinishedByTheNext(t *testing.T) {
	killed := errors.New("killed")
	for what, kill := range map[string]func(b *bench) (undo func()){
		"before the group was recorded": func(b *bench) func() {
			b.log.refuse = func(audit.Event) error { return killed }
			return func() { b.log.refuse = nil }
		},
		"before the group was written": func(b *bench) func() {
			b.stores.createErr = killed
			return func() { b.stores.createErr = nil }
		},
		"before the key was made": func(b *bench) func() {
			b.vault.createErr = killed
			return func() { b.vault.createErr = nil }
		},
		"before the key was recorded": func(b *bench) func() {
			b.log.refuse = func(e audit.Event) error {
				if e.Action == audit.ActionCreateKey {
					return killed
				}
				return nil
			}
			return func() { b.log.refuse = nil }
		},
		"before the key was written": func(b *bench) func() {
			b.stores.updateErr = killed
			return func() { b.stores.updateErr = nil }
		},
	} {
		t.Run(what, func(t *testing.T) {
			b := newBench()
			undo := kill(b)
			boot := b.bootstrapper()
			text := boot.NewAPIToken("default") // drawn once, and kept by the caller
			if done, err := boot.Run(t.Context(), app.Call{}, "default", text); !errors.Is(err, killed) || done.Created || done.Key.ID != "" {
				t.Fatalf("created %t, key %q and %v, want %v", done.Created, done.Key.ID, err, killed)
			}
			undo()
			done, err := b.bootstrapper().Run(t.Context(), app.Call{}, "default", text)
			if err != nil || done.Key.ID == "" {
				t.Fatalf("key %q and %v", done.Key.ID, err)
			}
			if ring := b.ring(t, "default"); ring.Len() != 1 || ring.DefaultID() != done.Key.ID {
				t.Errorf("%d keys, the default is %q, told is %q", ring.Len(), ring.DefaultID(), done.Key.ID)
			}
			if _, err := b.authenticator().Authenticate(t.Context(), text.Reveal(), apitoken.ReadWrite, home()); err != nil {
				t.Errorf("the token that was drawn first: %v", err)
			}
		})
	}
}

func TestATextThatIsNoTokenOfTheGroupMakesNothing(t *testing.T) {
	for what, text := range map[string]secret.Text{
		"another group's":   apitoken.New("acme", [apitoken.Entropy]byte{1}),
		"another secret":    secret.New(canary),
		"nothing":           {},
		"a mistyped token":  secret.New(apitoken.New("default", [apitoken.Entropy]byte{1}).Reveal() + "x"),
		"of a longer group": apitoken.New("default-2", [apitoken.Entropy]byte{1}),
	} {
		b := newBench()
		_, err := b.bootstrapper().Run(t.Context(), app.Call{}, "default", text)
		if !errors.Is(err, apitoken.ErrMalformed) {
			t.Errorf("%s: got %v, want %v", what, err, apitoken.ErrMalformed)
		}
		if diff := cmp.Diff([]string{"group"}, b.log.steps); diff != "" {
			t.Errorf("%s: the steps (-want +got):\n%s", what, diff)
		}
	}
}

func TestAStoreThatIsAwayIsNotAnEmptyOne(t *testing.T) {
	for _, away := range []error{ports.ErrUnavailable, ports.ErrCorrupt, ports.ErrWrongMasterKey} {
		b := newBench()
		b.stores.groupErr = fmt.Errorf("read: %w", away)
		boot := b.bootstrapper()
		if _, err := boot.Run(t.Context(), app.Call{}, "default", boot.NewAPIToken("default")); !errors.Is(err, away) {
			t.Errorf("got %v, want %v", err, away)
		}
		if b.log.count("create group") != 0 || len(b.log.events) != 0 {
			t.Errorf("%v: a group was made", away)
		}
	}
}

func TestEveryAPITokenIsANewOneOfItsGroup(t *testing.T) {
	boot := newBench().bootstrapper()
	seen := map[string]bool{}
	for range 100 {
		text := boot.NewAPIToken("a-b")
		presented, err := apitoken.Parse(text.Reveal())
		if err != nil || presented.Group() != "a-b" {
			t.Fatalf("the group is %q: %v", presented.Group(), err)
		}
		seen[text.Reveal()] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d different tokens of 100", len(seen))
	}
}

func TestAGroupThatLostItsKeyGetsOneAndItIsSaidSo(t *testing.T) {
	b := newBench()
	if err := b.stores.GroupStore.CreateGroup(t.Context(), group.Group{ID: "default", Name: "default", Policy: policy.Default()}); err != nil {
		t.Fatal(err)
	}
	for i, made := range []bool{true, false} {
		done, err := b.bootstrapper().Run(t.Context(), app.Call{}, "default", b.bootstrapper().NewAPIToken("default"))
		if err != nil || done.Created || done.KeyMade != made || done.Key.ID == "" {
			t.Errorf("run %d: %+v, %v", i, done, err)
		}
	}
}

func TestWhoseGroupAnotherMadeMeanwhileGoesOnWithIt(t *testing.T) {
	b := newBench()
	other := b.bootstrapper()
	first := other.NewAPIToken("default")
	b.log.refuse = func(audit.Event) error { // before the group is written
		b.log.refuse = nil
		return b.stores.GroupStore.CreateGroup(t.Context(), group.Group{
			ID: "default", Name: "theirs", Policy: policy.Default(), Tokens: []apitoken.Token{{ID: "t", Digest: apitoken.DigestOf(first)}},
		})
	}
	done, err := b.bootstrapper().Run(t.Context(), app.Call{}, "default", other.NewAPIToken("default"))
	if err != nil || done.Created || !done.KeyMade || done.Key.ID == "" {
		t.Errorf("got %+v, %v", done, err)
	}
	if g, err := b.stores.GroupStore.Group(t.Context(), "default"); err != nil || len(g.Tokens) != 1 || !g.Tokens[0].Digest.Equal(apitoken.DigestOf(first)) {
		t.Errorf("the group is not that of the other: %+v, %v", g, err)
	}
}
