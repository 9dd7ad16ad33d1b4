package app_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"embedseal/adapters/jose"
	"embedseal/adapters/jose/hostile"
	"embedseal/adapters/memory"
	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/domain/revocation"
	"embedseal/domain/token"
	"embedseal/domain/verdict"
	"embedseal/ports"
)

// sealedUnder is a token of those claims, under the key of that name of the hostile
// tokens.
func sealedUnder(t *testing.T, id, claims string) jwe.Compact {
	t.Helper()
	text, err := jose.New().Seal(t.Context(), "acme", key.NewSealer(key.Key{ID: key.ID(id), Custody: key.Material, Secret: value(hostile.Value(id))}), []byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	compact, err := jwe.ParseCompact(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// endingAt is the claims of a token that does not say when it was issued.
func endingAt(exp time.Time) string {
	return fmt.Sprintf(`{"cst":"c","dsh":"d","exp":%d}`, exp.Unix())
}

// withRing gives the group the keys of the hostile tokens.
func withRing(t *testing.T, s *memory.Store) {
	t.Helper()
	ring, err := hostile.Ring(now())
	if err != nil {
		t.Fatal(err)
	}
	if err := memory.NewKeyStore(s).UpdateRing(t.Context(), "acme", func(key.Ring) (key.Ring, error) { return ring, nil }); err != nil {
		t.Fatal(err)
	}
}

func ofToken(c jwe.Compact) app.NewRevocation {
	return app.NewRevocation{Kind: revocation.Token, Token: c}
}

func ofFingerprint(c jwe.Compact) app.NewRevocation {
	return app.NewRevocation{Kind: revocation.Token, Subject: token.FingerprintOf(c).String()}
}

// A holder of the value seals a token whose end is a year away. It is refused until
// that has come near. Revoked by what it is, it stays so; by its fingerprint, nobody
// knows until when, and it does not.
func TestATokenThatWasGivenItselfNeverComesBack(t *testing.T) {
	const year = 365 * 24 * time.Hour
	text := sealedUnder(t, hostile.Active, endingAt(now().Add(year)))
	for _, c := range []struct {
		how  string
		n    app.NewRevocation
		want verdict.Reason
	}{{"itself", ofToken(text), verdict.Revoked}, {"by its fingerprint", ofFingerprint(text), ""}} {
		t.Run(c.how, func(t *testing.T) {
			store, clock := withGroup(t), newMoving()
			withRing(t, store)
			newProcess(t, store, clock, app.Freshness{}).revoke(t, c.n)
			clock.add(year - time.Hour)
			p := newProcess(t, store, clock, app.Freshness{})
			p.revoke(t, theCustomer()) // whoever writes removes what has died
			verifier := app.NewVerifier(memory.NewKeyStore(store), jose.New(), p.revoked, nil, clock, &dice{}, token.ChartClaim{}, 0)
			g, err := memory.NewGroupStore(store).Group(t.Context(), "acme")
			if err != nil {
				t.Fatal(err)
			}
			got, err := verifier.Verify(t.Context(), app.Call{}, callerOf(g, apitoken.Token{}), text.Text(), verdict.Presented{})
			if err != nil || got.Reason != c.want {
				t.Errorf("an hour before its end it is %q (%v), want %q", got.Reason, err, c.want)
			}
		})
	}
}

func TestARevocationIsKeptUntilTheTokenThatWasGivenEnds(t *testing.T) {
	store := withGroup(t)
	withRing(t, store)
	p := newProcess(t, store, newMoving(), app.Freshness{})
	usual := p.revoke(t, theCustomer()).Entry.ExpiresAt
	for _, c := range []struct {
		sentence, key string
		exp, want     time.Time
	}{
		{"an end that is near", hostile.Active, now().Add(time.Hour), usual},
		{"one that is over", hostile.Active, now().Add(-time.Hour), usual},
		{"one that is far", hostile.Active, usual.Add(time.Hour), usual.Add(time.Hour + time.Second)},
		{"one that is far, of a disabled key", hostile.Disabled, usual.Add(time.Hour), usual.Add(time.Hour + time.Second)},
		{"the last that there is", hostile.Retiring, time.Unix(253402300799, 0), time.Unix(253402300799, 0)},
	} {
		compact := sealedUnder(t, c.key, endingAt(c.exp))
		p.log.events = nil
		made := p.revoke(t, ofToken(compact))
		if !made.Entry.ExpiresAt.Equal(c.want) || made.Entry.Kind != revocation.Token || made.Entry.Subject != token.FingerprintOf(compact).String() {
			t.Errorf("%s: it is %+v, want it to be kept until %v", c.sentence, made.Entry, c.want)
		}
		for _, e := range p.log.of(audit.ActionRevoke) {
			if e.Fingerprint != token.FingerprintOf(compact) || !e.ExpiresAt.Equal(c.want) || strings.Contains(fmt.Sprintf("%+v", e), compact.Text()) {
				t.Errorf("%s: the record is %+v", c.sentence, e)
			}
		}
	}
}

func TestATokenThatTheGroupCannotOpenIsNotRevokedByItself(t *testing.T) {
	store := withGroup(t)
	withRing(t, store)
	p := newProcess(t, store, newMoving(), app.Freshness{})
	far := endingAt(now().Add(time.Hour))
	sealed := sealedUnder(t, hostile.Active, far).Text()
	at := strings.LastIndexByte(sealed, '.')
	tampered, err := jwe.ParseCompact(sealed[:at+1] + strings.Repeat("A", len(sealed)-at-1))
	if err != nil {
		t.Fatal(err)
	}
	good := sealedUnder(t, hostile.Active, far)
	other := ofFingerprint(good)
	other.Token = good
	for _, c := range []struct {
		sentence string
		n        app.NewRevocation
		want     error
	}{
		{"a key of another group", ofToken(sealedUnder(t, hostile.Foreign, far)), app.ErrUnopened},
		{"a destroyed key", ofToken(sealedUnder(t, hostile.Destroyed, far)), app.ErrUnopened},
		{"a tag that is wrong", ofToken(tampered), app.ErrUnopened},
		{"no claims of ours", ofToken(sealedUnder(t, hostile.Active, `{"cst":"canary","exp":1}`)), token.ErrClaims},
		{"beside its fingerprint", other, revocation.ErrInvalid},
		{"of another kind", app.NewRevocation{Kind: revocation.Customer, Token: good}, revocation.ErrInvalid},
	} {
		_, err := p.revoker.Revoke(t.Context(), call(), operator(), "acme", c.n)
		if !errors.Is(err, c.want) || strings.Contains(fmt.Sprint(err), "canary") || strings.Contains(fmt.Sprint(err), c.n.Token.Text()) {
			t.Errorf("%s: got %v, want %v", c.sentence, err, c.want)
		}
	}
	if n := len(p.log.events); n != 0 {
		t.Errorf("%d records of what was not begun", n)
	}
	away := fmt.Errorf("%w: no route", ports.ErrCustodyUnavailable)
	changes := app.NewChanges(p.log, p.clock, &dice{}, func(error) string { return "some_code" })
	revoker := app.NewRevoker(memory.NewGroupStore(store), memory.NewKeyStore(store), failing{away}, p.store, p.revoked, changes, p.clock, &seeds{}, token.ChartClaim{}, 0)
	if _, err := revoker.Revoke(t.Context(), call(), operator(), "acme", ofToken(good)); !errors.Is(err, ports.ErrCustodyUnavailable) || len(p.log.events) != 0 {
		t.Errorf("the custody is away: %v, %d records", err, len(p.log.events))
	}
}

// The answer to the same request does not depend on what has become of the key.
func TestTheSameTokenSentAgainIsRevokedOnceThoughItsKeyIsGone(t *testing.T) {
	store := withGroup(t)
	withRing(t, store)
	p := newProcess(t, store, newMoving(), app.Freshness{})
	n := ofToken(sealedUnder(t, hostile.Active, endingAt(now().Add(time.Hour))))
	n.Mark = markOf(t, "once", "a")
	first := p.revoke(t, n)
	if err := memory.NewKeyStore(store).UpdateRing(t.Context(), "acme", func(key.Ring) (key.Ring, error) { return key.Ring{}, nil }); err != nil {
		t.Fatal(err)
	}
	if again := p.revoke(t, n); !again.Replayed || again.Entry.ID != first.Entry.ID {
		t.Errorf("got %+v, want the one of before: %+v", again, first)
	}
	n.Mark = markOf(t, "another", "a")
	if _, err := p.revoker.Revoke(t.Context(), call(), operator(), "acme", n); !errors.Is(err, app.ErrUnopened) {
		t.Errorf("got %v, want %v", err, app.ErrUnopened)
	}
}
