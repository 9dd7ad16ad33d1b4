package app_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/memory"
	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/replay"
	"embedseal/domain/revocation"
	"embedseal/domain/token"
	"embedseal/ports"
)

func withKey(t *testing.T, s *memory.Store, id key.ID) {
	t.Helper()
	err := memory.NewKeyStore(s).UpdateRing(t.Context(), "acme", func(r key.Ring) (key.Ring, error) {
		return r.With(key.Key{ID: id, State: key.Active, Custody: key.Material, Secret: key.NewSecret([key.SecretEntropy]byte{1})})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEachKindOfRevocationTakesBackWhatItNames(t *testing.T) {
	issued := now().Add(-time.Minute).Truncate(time.Second)
	mine := token.Claims{Customer: "customer_1", Embed: "abcde", IssuedAt: issued}
	later, silent, other := mine, mine, mine
	later.IssuedAt, silent.IssuedAt = issued.Add(2*time.Minute), time.Time{}
	other.Customer, other.Embed = "customer_2", "fghij"
	leaked := token.Fingerprint{1, 2, 3}
	for _, c := range []struct {
		n                      app.NewRevocation
		later, silent, another bool // whether the same of another time, of none, and another token is taken back
	}{
		{app.NewRevocation{Kind: revocation.Token, Subject: leaked.String()}, true, true, false},
		{app.NewRevocation{Kind: revocation.Customer, Subject: "customer_1"}, false, true, false},
		{app.NewRevocation{Kind: revocation.Embed, Subject: "abcde"}, false, true, false},
		{app.NewRevocation{Kind: revocation.Key, Subject: "key-1"}, false, true, true},
		{app.NewRevocation{Kind: revocation.Customer, Subject: "customer_1", Before: issued}, false, true, false},
	} {
		t.Run(c.n.Kind.String(), func(t *testing.T) {
			store := withGroup(t)
			withKey(t, store, "key-1")
			p := newProcess(t, store, newMoving(), app.Freshness{})
			p.revoke(t, c.n)
			for _, asked := range []struct {
				f    token.Fingerprint
				c    token.Claims
				want bool
			}{{leaked, mine, true}, {leaked, later, c.later}, {leaked, silent, c.silent}, {token.Fingerprint{9}, other, c.another}} {
				got, err := p.revoked.Revoked(t.Context(), "acme", asked.f, asked.c, "key-1")
				if err != nil || got != asked.want {
					t.Errorf("%+v: revoked is %t (%v), want %t", asked.c, got, err, asked.want)
				}
			}
			if got, err := p.revoked.Revoked(t.Context(), "globex", leaked, mine, "key-1"); got || err != nil {
				t.Errorf("in another group it is %t (%v)", got, err)
			}
		})
	}
}

func TestARevocationEndsWhenTheLastTokenThatItCanMatchHas(t *testing.T) {
	store := withGroup(t)
	p := newProcess(t, store, newMoving(), shared())
	g, err := memory.NewGroupStore(store).Group(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	made := p.revoke(t, theCustomer())
	least := now().Add(g.LongestLifetime() + freshFor + grace)
	if e := made.Entry; e.ExpiresAt.Before(least) || e.ExpiresAt.After(least.Add(time.Second)) || !e.Before.Equal(now().Truncate(time.Second)) {
		t.Errorf("it is %+v, want it to end at %v", e, least)
	}
}

func TestARevocationIsRecordedBeforeAndAfter(t *testing.T) {
	store := withGroup(t)
	withKey(t, store, "key-1")
	p := newProcess(t, store, newMoving(), app.Freshness{})
	leaked := token.Fingerprint{7}
	for _, c := range []struct {
		n    app.NewRevocation
		want audit.Event
	}{
		{app.NewRevocation{Kind: revocation.Token, Subject: leaked.String()}, audit.Event{Fingerprint: leaked}},
		{app.NewRevocation{Kind: revocation.Customer, Subject: "c"}, audit.Event{Customer: "c"}},
		{app.NewRevocation{Kind: revocation.Embed, Subject: "e"}, audit.Event{Embed: "e"}},
		{app.NewRevocation{Kind: revocation.Key, Subject: "key-1"}, audit.Event{KeyID: "key-1"}},
	} {
		p.log.events = nil
		made := p.revoke(t, c.n)
		if len(p.log.events) != 2 {
			t.Fatalf("there are %d records", len(p.log.events))
		}
		for i, outcome := range []audit.Outcome{audit.Intent, audit.Granted} {
			got := p.log.events[i]
			want := c.want
			want.Time, want.Action, want.Outcome, want.RequestID, want.Remote = got.Time, audit.ActionRevoke, outcome, call().RequestID, call().Remote
			want.Operator, want.Group, want.Target, want.Change = operator().Operator, "acme", string(made.Entry.ID), got.Change
			want.IssuedAt, want.ExpiresAt = made.Entry.Before, made.Entry.ExpiresAt
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", c.n.Kind, outcome, diff)
			}
		}
	}
	p.log.events, p.log.refuse = nil, func(audit.Event) error { return ports.ErrUnavailable }
	if _, err := p.revoker.Revoke(t.Context(), call(), operator(), "acme", theCustomer()); !errors.Is(err, app.ErrAudit) {
		t.Errorf("got %v, want %v", err, app.ErrAudit)
	}
	if list, _, err := p.revoker.List(t.Context(), operator(), "acme", app.Page{}); err != nil || len(list) != 4 {
		t.Errorf("without a record there are %d (%v), want the four of before", len(list), err)
	}
}

func TestWhatIsNotToBeRevokedIsRefused(t *testing.T) {
	store := withGroup(t)
	p := newProcess(t, store, newMoving(), app.Freshness{})
	reader := holding("acme", apitoken.Read)
	stranger := holding("globex", apitoken.Write)
	for _, c := range []struct {
		name string
		by   app.Actor
		g    group.ID
		n    app.NewRevocation
		want error
	}{
		{"no such kind", operator(), "acme", app.NewRevocation{Subject: "x"}, revocation.ErrInvalid},
		{"no fingerprint", operator(), "acme", app.NewRevocation{Kind: revocation.Token, Subject: "x"}, revocation.ErrInvalid},
		{"a token with an instant", operator(), "acme", app.NewRevocation{Kind: revocation.Token, Subject: token.Fingerprint{1}.String(), Before: now()}, revocation.ErrInvalid},
		{"the future", operator(), "acme", app.NewRevocation{Kind: revocation.Customer, Subject: "x", Before: now().Add(time.Minute)}, revocation.ErrInvalid},
		{"no such key", operator(), "acme", app.NewRevocation{Kind: revocation.Key, Subject: "key-9"}, key.ErrUnknown},
		{"no such group", operator(), "globex", theCustomer(), ports.ErrNotFound},
		{"may only read", reader, "acme", theCustomer(), app.ErrScope},
		{"another group", stranger, "acme", theCustomer(), ports.ErrNotFound},
	} {
		if _, err := p.revoker.Revoke(t.Context(), call(), c.by, c.g, c.n); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	if n := len(p.log.events); n != 0 {
		t.Errorf("%d records of what was not begun", n)
	}
	if _, _, err := p.revoker.List(t.Context(), stranger, "acme", app.Page{}); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("a list of another group: %v", err)
	}
}

// full is a store without room.
type full struct{ ports.RevocationStore }

func (full) Revoke(_ context.Context, _ group.ID, _ revocation.Entry, room int) (revocation.Cursor, error) {
	return revocation.Cursor{}, fmt.Errorf("%w: %d", revocation.ErrFull, room)
}

func TestAGroupHoldsAMillionRevocationsAndNoMore(t *testing.T) {
	p := newProcess(t, withGroup(t), newMoving(), app.Freshness{})
	p.store.RevocationStore = full{p.store.RevocationStore}
	_, err := p.revoker.Revoke(t.Context(), call(), operator(), "acme", theCustomer())
	if !errors.Is(err, revocation.ErrFull) || err.Error() != fmt.Sprintf("revoke in acme: %v: %d", revocation.ErrFull, 1_000_000) {
		t.Errorf("got %v", err)
	}
}

func markOf(t *testing.T, key, request string) replay.Mark {
	t.Helper()
	m, err := replay.Of(key, "revocations", []byte(request))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTheSameRequestRevokesOnceOnEveryReplica(t *testing.T) {
	store, clock := withGroup(t), newMoving()
	one, other := newProcess(t, store, clock, shared()), newProcess(t, store, clock, shared())
	other.want(t, false) // it has a copy from before
	n := theCustomer()
	n.Mark = markOf(t, "once", "a")
	first := one.revoke(t, n)
	for _, p := range []*process{one, other} {
		again := p.revoke(t, n)
		if !again.Replayed || again.Entry.ID != first.Entry.ID {
			t.Errorf("got %+v, want the one of before: %+v", again, first)
		}
		p.want(t, true)
	}
	n.Mark = markOf(t, "once", "b")
	if _, err := other.revoker.Revoke(t.Context(), call(), operator(), "acme", n); !errors.Is(err, replay.ErrOther) {
		t.Errorf("got %v, want %v", err, replay.ErrOther)
	}
	if list, _, err := one.revoker.List(t.Context(), operator(), "acme", app.Page{}); err != nil || len(list) != 1 {
		t.Errorf("there are %d (%v)", len(list), err)
	}
}

func TestTheSameRequestSentManyTimesAtOnceRevokesOnce(t *testing.T) {
	store, clock := withGroup(t), newMoving()
	replicas := []*process{newProcess(t, store, clock, shared()), newProcess(t, store, clock, shared())}
	n := theCustomer()
	n.Mark = markOf(t, "once", "a")
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			if _, err := replicas[i%2].revoker.Revoke(t.Context(), call(), operator(), "acme", n); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if list, _, err := replicas[0].revoker.List(t.Context(), operator(), "acme", app.Page{}); err != nil || len(list) != 1 {
		t.Errorf("there are %d (%v)", len(list), err)
	}
}

func TestRevocationsAreListedInPagesAsTheStoreHasThem(t *testing.T) {
	store, clock := withGroup(t), newMoving()
	one, other := newProcess(t, store, clock, shared()), newProcess(t, store, clock, shared())
	other.want(t, false)
	var want []revocation.ID
	for i := range 25 {
		n := theCustomer()
		n.Subject, n.Note = fmt.Sprint("c", i), fmt.Sprint("note ", i)
		want = append(want, one.revoke(t, n).Entry.ID)
	}
	var got []revocation.ID
	at := app.Page{Limit: 10}
	for {
		page, next, err := other.revoker.List(t.Context(), operator(), "acme", at)
		if err != nil || len(page) > 10 {
			t.Fatal(len(page), err)
		}
		for _, e := range page {
			got = append(got, e.ID)
		}
		if at.After = next; next == "" {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, _, err := other.revoker.List(t.Context(), operator(), "acme", app.Page{After: "0000000000000000"}); !errors.Is(err, app.ErrPageEnd) {
		t.Errorf("got %v, want %v", err, app.ErrPageEnd)
	}
}
