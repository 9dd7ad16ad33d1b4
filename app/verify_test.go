package app_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"embedseal/adapters/jose"
	"embedseal/adapters/jose/hostile"
	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/token"
	"embedseal/domain/verdict"
	"embedseal/ports"
)

// court is a verifier of the group acme, which has the keys of the hostile tokens.
type court struct {
	*app.Verifier
	caller app.Caller
	stores *stores
	log    *journal
}

// revoking answers what it is, to everything.
type revoking struct {
	revoked bool
	err     error
	asked   *int
}

func (r revoking) Revoked(context.Context, group.ID, token.Fingerprint, token.Claims, key.ID) (bool, error) {
	if r.asked != nil {
		*r.asked++
	}
	return r.revoked, r.err
}

func newCourt(t testing.TB, cipher ports.TokenCipher, revocations app.Revocations) court {
	t.Helper()
	log := &journal{}
	c := court{stores: newStores(log), log: log, caller: callerOf(group.Group{ID: "acme", Policy: policy.Default()}, apitoken.Token{ID: "t1"})}
	ring, err := hostile.Ring(now())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.stores.UpdateRing(t.Context(), "acme", func(key.Ring) (key.Ring, error) { return ring, nil }); err != nil {
		t.Fatal(err)
	}
	if err := c.stores.UpdateRing(t.Context(), "globex", func(r key.Ring) (key.Ring, error) {
		return r.With(key.Key{ID: hostile.Foreign, State: key.Active, Custody: key.Material, Secret: value(hostile.Value(hostile.Foreign))})
	}); err != nil {
		t.Fatal(err)
	}
	c.Verifier = app.NewVerifier(c.stores, cipher, revocations, app.NewRefusals(log, stopped{now()}), stopped{now()},
		&dice{}, token.ChartClaim{}, app.Leeway(30*time.Second))
	return c
}

func (c court) verify(t testing.TB, text string, p verdict.Presented) app.Verdict {
	t.Helper()
	v, err := c.Verify(t.Context(), app.Call{}, c.caller, text, p)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestEveryHostileTokenIsRefusedForItsReason(t *testing.T) {
	rows, err := hostile.Rows(now())
	if err != nil {
		t.Fatal(err)
	}
	c := newCourt(t, jose.New(), app.NothingRevoked{})
	for _, r := range rows {
		presented, err := verdict.Present(r.Origin, r.Embed, r.Chart)
		if err != nil {
			t.Fatalf("line %d: %v", r.Line, err)
		}
		got := c.verify(t, r.Text, presented)
		if got.Reason != r.Reason || got.Active != (r.Reason == "") {
			t.Errorf("line %d, %s: active %t, %q, want %q", r.Line, r.Sentence, got.Active, got.Reason, r.Reason)
		}
		if got.Active && (got.Left <= 0 || got.Claims.Embed == "" || got.Fingerprint.IsZero()) {
			t.Errorf("line %d, %s: %+v", r.Line, r.Sentence, got)
		}
		checkedAt(t, r)
	}
}

// checkedAt looks whether a malformed token fails where the row says: the gate's own
// word for it, or words of what is said of it.
func checkedAt(t *testing.T, r hostile.Row) {
	t.Helper()
	if r.Reason != verdict.Malformed {
		return
	}
	compact, err := jwe.ParseCompact(r.Text)
	var gate *jwe.Error
	if errors.As(err, &gate) {
		if gate.Check != r.Check && (!strings.Contains(r.Check, " ") || !strings.Contains(gate.Detail, r.Check)) {
			t.Errorf("line %d, %s: fails at %s, want %s", r.Line, r.Sentence, gate.Check, r.Check)
		}
		return
	}
	found := inspector().Inspect(t.Context(), compact.Text(), value(hostile.Value(compact.Header().KeyID)), verdict.Presented{})
	if found.Reason != verdict.Malformed || !strings.Contains(fmt.Sprint(found.Problem), r.Check) {
		t.Errorf("line %d, %s: %v, want a problem with %q", r.Line, r.Sentence, found.Problem, r.Check)
	}
}

func TestEveryBitOfATokenCounts(t *testing.T) {
	c := newCourt(t, jose.New(), app.NothingRevoked{})
	rows, err := hostile.Rows(now())
	if err != nil {
		t.Fatal(err)
	}
	for _, good := range rows {
		if good.Reason != "" || good.Sentence != "one of ours" && !strings.HasPrefix(good.Sentence, "an IV of 16") {
			continue
		}
		for bit := range len(good.Text) * 8 {
			text := []byte(good.Text)
			text[bit/8] ^= 1 << (bit % 8)
			if got := c.verify(t, string(text), verdict.Presented{}); got.Active {
				t.Fatalf("%s: it is good with bit %d flipped: %q", good.Sentence, bit, text)
			}
		}
	}
}

func TestAVerdictSaysWhatStandsInTheToken(t *testing.T) {
	c := newCourt(t, jose.New(), app.NothingRevoked{})
	const exp = 1772370000 // an hour after now
	text, err := jose.New().Seal(t.Context(), "acme", key.NewSealer(key.Key{ID: hostile.Active, Custody: key.Material, Secret: value(hostile.Value(hostile.Active))}),
		fmt.Appendf(nil, `{"cst":"c","dsh":"d","cht":"x","exp":%d,"iat":%d,"rbc":["core"],"des":true,"iss":"https://a.example/"}`, exp, exp-3600))
	if err != nil {
		t.Fatal(err)
	}
	got := c.verify(t, string(text), verdict.Presented{})
	if !got.Active || got.Reason != "" || got.KeyID != hostile.Active || got.Fingerprint != token.FingerprintOfSealed(text) ||
		got.Left != time.Unix(exp, 0).Sub(now()) {
		t.Errorf("got %+v", got)
	}
	if written := string(got.Claims.AppendJSON(nil, token.ChartClaim{})); !strings.Contains(written, `"cht":"x"`) || !strings.Contains(written, `"rbc":["core"]`) {
		t.Errorf("the claims are %s", written)
	}
	if n := len(c.log.of(audit.ActionVerify)); n != 0 {
		t.Errorf("%d records of a token that is good", n)
	}
}

func TestWhatIsNotGoodIsRecordedWithItsReason(t *testing.T) {
	c := newCourt(t, jose.New(), revoking{revoked: true})
	good := goodToken(t)
	for range 3 {
		if got := c.verify(t, good, verdict.Presented{}); got.Reason != verdict.Revoked {
			t.Fatalf("got %+v", got)
		}
	}
	c.verify(t, "no token", verdict.Presented{})
	events := c.log.of(audit.ActionVerify)
	if len(events) != 2 {
		t.Fatalf("%d records, want one of each reason", len(events))
	}
	if e := events[0]; e.Outcome != audit.Refused || e.Code != "revoked" || e.KeyID != hostile.Active || e.Group != "acme" || e.TokenID != "t1" || e.Fingerprint.IsZero() {
		t.Errorf("the record is %+v", e)
	}
	if e := events[1]; e.Code != "malformed" || e.KeyID != "" || !e.Fingerprint.IsZero() {
		t.Errorf("the record is %+v", e)
	}
	c.log.refuse = func(audit.Event) error { return errors.New("disk full") }
	if _, err := c.Verify(t.Context(), app.Call{}, c.caller, strings.Repeat("a.", 4), verdict.Presented{}); err != nil {
		t.Errorf("what is counted with others needs no record of its own: %v", err)
	}
	c.caller = altered(c.caller, func(_ *group.Group, token *apitoken.Token) { token.ID = "t2" })
	if _, err := c.Verify(t.Context(), app.Call{}, c.caller, "no token", verdict.Presented{}); !errors.Is(err, app.ErrAudit) {
		t.Errorf("a verdict that could not be recorded is answered with %v, want %v", err, app.ErrAudit)
	}
}

func goodToken(t testing.TB) string {
	t.Helper()
	rows, err := hostile.Rows(now())
	if err != nil {
		t.Fatal(err)
	}
	if rows[0].Reason != "" {
		t.Fatal("the first row is no good token")
	}
	return rows[0].Text
}

func TestRevocationsAreAskedOfTokensThatAreGoodOtherwise(t *testing.T) {
	asked := 0
	c := newCourt(t, jose.New(), revoking{asked: &asked})
	rows, err := hostile.Rows(now())
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, r := range rows {
		c.verify(t, r.Text, verdict.Presented{})
		switch r.Reason {
		case "", verdict.OriginMismatch, verdict.EmbedMismatch, verdict.ChartMismatch:
			want++
		}
	}
	if asked != want || want == 0 {
		t.Errorf("asked %d times, want %d", asked, want)
	}
}

func TestWhatCannotBeFoundOutIsNoVerdict(t *testing.T) {
	good := goodToken(t)
	gone := fmt.Errorf("%w: no route", ports.ErrUnavailable)
	for what, c := range map[string]court{
		"the revocations are too old": newCourt(t, jose.New(), revoking{err: gone}),
		"the cipher is away":          newCourt(t, failing{gone}, app.NothingRevoked{}),
		"the custody is not ours":     newCourt(t, failing{ports.ErrCustody}, app.NothingRevoked{}),
	} {
		v, err := c.Verify(t.Context(), app.Call{}, c.caller, good, verdict.Presented{})
		if err == nil || v != (app.Verdict{}) {
			t.Errorf("%s: %+v, %v", what, v, err)
		}
	}
	c := newCourt(t, jose.New(), app.NothingRevoked{})
	c.stores.ringErr = gone
	if _, err := c.Verify(t.Context(), app.Call{}, c.caller, good, verdict.Presented{}); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("the store is away: %v", err)
	}
	if got := c.verify(t, "no token", verdict.Presented{}); got.Reason != verdict.Malformed {
		t.Errorf("a text that is none needs no store: %+v", got)
	}
}

// failing is a cipher that answers one error.
type failing struct{ err error }

func (f failing) Seal(context.Context, group.ID, *key.Sealer, []byte) ([]byte, error) {
	return nil, f.err
}
func (f failing) Open(context.Context, group.ID, key.Key, jwe.Compact) ([]byte, error) {
	return nil, f.err
}

func TestALongIVOfAKeyThatNobodyHasInHandIsATokenOfNobody(t *testing.T) {
	c := newCourt(t, failing{ports.ErrCustody}, app.NothingRevoked{})
	if err := c.stores.UpdateRing(t.Context(), "acme", func(key.Ring) (key.Ring, error) {
		return key.Ring{}.With(key.Key{ID: peerKid, State: key.Active, Custody: key.VaultTransit, Ref: "a:1"})
	}); err != nil {
		t.Fatal(err)
	}
	if got := c.verify(t, longIV, verdict.Presented{}); got.Reason != verdict.BadTag {
		t.Errorf("got %+v", got)
	}
	if _, err := c.Verify(t.Context(), app.Call{}, c.caller, normalIV, verdict.Presented{}); !errors.Is(err, ports.ErrCustody) {
		t.Errorf("an IV of 12 bytes: %v, want %v", err, ports.ErrCustody)
	}
}

// BenchmarkVerify is the use-case in process behind a store in memory: the gate, the
// key, the tag, the claims and all rules. "opening" is without the store.
func BenchmarkVerify(b *testing.B) {
	good := goodToken(b)
	b.Run("use-case", func(b *testing.B) {
		c := newCourt(b, jose.New(), app.NothingRevoked{})
		b.ReportAllocs()
		for b.Loop() {
			if got := c.verify(b, good, verdict.Presented{Embed: "abcde"}); !got.Active {
				b.Fatal(got.Reason)
			}
			c.log.steps = c.log.steps[:0]
		}
	})
	b.Run("opening", func(b *testing.B) {
		i, secret := inspector(), value(hostile.Value(hostile.Active))
		b.ReportAllocs()
		for b.Loop() {
			if found := i.Inspect(b.Context(), good, secret, verdict.Presented{}); found.Problem != nil {
				b.Fatal(found.Problem)
			}
		}
	})
}
