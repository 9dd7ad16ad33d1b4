package app_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"embedseal/adapters/jose"
	"embedseal/adapters/jose/hostile"
	"embedseal/adapters/memory"
	"embedseal/app"
	"embedseal/domain/group"
	"embedseal/domain/jwe"
	"embedseal/domain/revocation"
	"embedseal/domain/token"
	"embedseal/domain/verdict"
	"embedseal/ports"
)

// A good token is good until it, its customer, its embed or its key is revoked, and
// from then on the verifier says so.
func TestTheVerifierRefusesWhatWasRevoked(t *testing.T) {
	text := goodToken(t)
	compact, err := jwe.ParseCompact(text)
	if err != nil {
		t.Fatal(err)
	}
	before := newCourt(t, jose.New(), app.NothingRevoked{}).verify(t, text, verdict.Presented{})
	for _, n := range []app.NewRevocation{
		{Kind: revocation.Token, Subject: token.FingerprintOf(compact).String()},
		{Kind: revocation.Customer, Subject: before.Claims.Customer},
		{Kind: revocation.Embed, Subject: before.Claims.Embed},
		{Kind: revocation.Key, Subject: string(before.KeyID)},
	} {
		t.Run(n.Kind.String(), func(t *testing.T) {
			store := withGroup(t)
			withKey(t, store, hostile.Active)
			p := newProcess(t, store, newMoving(), shared())
			c := newCourt(t, jose.New(), p.revoked)
			if v := c.verify(t, text, verdict.Presented{}); !v.Active {
				t.Fatalf("before it is %+v", v)
			}
			p.revoke(t, n)
			if v := c.verify(t, text, verdict.Presented{}); v.Active || v.Reason != verdict.Revoked {
				t.Errorf("after it is %+v", v)
			}
			p.store.fail(ports.ErrUnavailable)
			p.clock.add(freshFor + grace)
			if v, err := c.Verify(t.Context(), app.Call{}, c.caller, text, verdict.Presented{}); err == nil {
				t.Errorf("past the grace it is %+v", v)
			}
		})
	}
}

// Verifying with a million revocations takes no more than a tenth longer than with
// none: compare the two.
func BenchmarkVerifyAmongRevocations(b *testing.B) {
	text := goodToken(b)
	for _, n := range []int{0, revocation.MaxEntries} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var store ports.RevocationStore = memory.NewRevocationStore(memory.Open())
			if n > 0 {
				store = &manyRevoked{n: n}
			}
			revoked := app.NewRevoked(store, app.Freshness{}, stopped{now()})
			c := newCourt(b, jose.New(), revoked)
			read(b, revoked)
			b.ReportAllocs()
			for b.Loop() {
				if v, err := c.Verify(b.Context(), app.Call{}, c.caller, text, verdict.Presented{}); err != nil || !v.Active {
					b.Fatal(v, err)
				}
			}
		})
	}
}

// read waits until the copy of acme was read, however long that takes.
func read(b *testing.B, r *app.Revoked) {
	b.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		_, err := r.Revoked(b.Context(), "acme", token.Fingerprint{}, token.Claims{}, "")
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			b.Fatal(err)
		}
	}
}

// manyRevoked is a log of n entries.
type manyRevoked struct {
	ports.RevocationStore
	n int
}

func (m *manyRevoked) Changes(_ context.Context, _ group.ID, since revocation.Cursor) (revocation.Changes, error) {
	const step = 10_000
	c := revocation.Changes{Anew: since == revocation.Cursor{}, Next: revocation.Cursor{Log: "log", Seq: since.Seq}}
	for len(c.Entries) < step && c.Next.Seq < uint64(m.n) {
		c.Next.Seq++
		id := [8]byte{byte(c.Next.Seq), byte(c.Next.Seq >> 8), byte(c.Next.Seq >> 16)}
		e := revocation.Entry{
			Seq: c.Next.Seq, ID: revocation.NewID(id), Kind: revocation.Token,
			Subject:   token.FingerprintOfSealed(id[:]).String(),
			CreatedAt: now().Truncate(time.Second), ExpiresAt: now().Truncate(time.Second).Add(time.Hour),
		}
		if c.Next.Seq%2 == 0 {
			e.Kind, e.Subject, e.Before = revocation.Customer, fmt.Sprint("customer-", c.Next.Seq), e.CreatedAt
		}
		c.Entries = append(c.Entries, e)
	}
	c.More = c.Next.Seq < uint64(m.n)
	return c, nil
}
