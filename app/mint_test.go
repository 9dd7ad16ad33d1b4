package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/jose"
	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/token"
	"embedseal/ports"
)

// plaintext opens what was minted with k.
func plaintext(t *testing.T, text []byte, k key.Key) string {
	t.Helper()
	compact, err := jwe.ParseCompact(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if compact.Header().KeyID != string(k.ID) {
		t.Errorf("the kid is %s, want %s", compact.Header().KeyID, k.ID)
	}
	claims, err := jose.New().Open(t.Context(), "acme", k, compact)
	if err != nil {
		t.Fatal(err)
	}
	return string(claims)
}

func TestATokenHoldsWhatWasAskedForAndTheRecordSaysSo(t *testing.T) {
	b, k := newBench(), newKey("k1")
	b.give(t, "acme", "k1", k)
	caller := altered(acme(), func(g *group.Group, _ *apitoken.Token) { g.Policy.ChartEmbedding = true })
	d := token.Draft{
		ProvidedID: new("customer_1"), EmbedID: new("abcde"), KeyID: new("k1"), Expiration: new("PT1H"), ChartID: new("c1"),
		Features: []string{"srt", "flt"}, DisableEditing: new(true), EmbedOrigin: new("https://Your-Domain.com"),
	}
	minted, err := b.minter().Mint(t.Context(), call(), caller, d)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"cst":"customer_1","dsh":"abcde","cht":"c1","exp":1772370000,"iat":1772366400,"iss":"https://your-domain.com/","rbc":["srt","flt"],"des":true}`
	if got := plaintext(t, minted.Text, k); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if minted.KeyID != "k1" || string(minted.Claims.AppendJSON(nil, token.ChartClaim{})) != want {
		t.Errorf("the answer says %s, %+v", minted.KeyID, minted.Claims)
	}
	second := now().Truncate(time.Second)
	event := audit.Event{
		Time: now(), RequestID: "r1", Action: audit.ActionMint, Outcome: audit.Granted, Remote: "192.0.2.7",
		Group: "acme", TokenID: "t1", KeyID: "k1", Customer: "customer_1", Embed: "abcde", Chart: "c1",
		IssuedAt: second, ExpiresAt: second.Add(time.Hour), Fingerprint: token.FingerprintOfSealed(minted.Text),
	}
	if diff := cmp.Diff([]audit.Event{event}, b.log.events); diff != "" {
		t.Errorf("the record (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ring", "seal with k1", "record mint"}, b.log.steps); diff != "" {
		t.Errorf("the steps (-want +got):\n%s", diff)
	}
}

func TestTheLeastRequestGivesTheLeastToken(t *testing.T) {
	b, k := newBench(), newKey("k1")
	b.give(t, "acme", "k1", newKey("k0"), k)
	minted, err := b.minter().Mint(t.Context(), call(), acme(), draft())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := plaintext(t, minted.Text, k), `{"cst":"customer_1","dsh":"abcde","exp":1772452800,"iat":1772366400}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAChartIsWrittenUnderTheNameThatWasChosen(t *testing.T) {
	b, k := newBench(), newKey("k1")
	b.give(t, "acme", "k1", k)
	name, err := token.ParseChartClaim("chart_id")
	if err != nil {
		t.Fatal(err)
	}
	caller, d := altered(acme(), func(g *group.Group, _ *apitoken.Token) { g.Policy.ChartEmbedding = true }), draft()
	d.ChartID = new("c1")
	minted, err := app.NewMinter(b.stores, b.defaults(), b.cipher, b.log, stopped{now()}, name).Mint(t.Context(), call(), caller, d)
	if err != nil {
		t.Fatal(err)
	}
	if got := plaintext(t, minted.Text, k); !strings.Contains(got, `"chart_id":"c1"`) || strings.Contains(got, "cht") {
		t.Errorf("got %s", got)
	}
}

func TestNoRecordHoldsATokenOrASecret(t *testing.T) {
	b := newBench()
	caller := acme() // without a key: one is made, and recorded, too
	minted, err := b.minter().Mint(t.Context(), call(), caller, draft())
	if err != nil {
		t.Fatal(err)
	}
	b.give(t, "globex", "k1", newKey("k1"))
	caller = altered(caller, func(g *group.Group, _ *apitoken.Token) { g.ID = "globex" })
	if _, err := b.minter().Mint(t.Context(), call(), caller, draft()); err != nil {
		t.Fatal(err)
	}
	made := b.ring(t, "acme").Keys()[0].Secret.Reveal()
	asJSON, err := json.Marshal(b.log.events)
	if err != nil {
		t.Fatal(err)
	}
	records := fmt.Sprintf("%+v %#v %s", b.log.events, b.log.events, asJSON)
	if len(b.log.events) != 4 || !strings.Contains(records, "customer_1") {
		t.Fatalf("got %d events, want 4: the test looks at nothing", len(b.log.events))
	}
	parts := append(strings.Split(string(minted.Text), "."), string(minted.Text), canary, made)
	for _, part := range parts {
		if part != "" && strings.Contains(records, part) {
			t.Errorf("a record holds %s", part)
		}
	}
}

func TestNoRecordNoToken(t *testing.T) {
	b := newBench()
	b.give(t, "acme", "k1", newKey("k1"))
	full := fmt.Errorf("%w: disk full", ports.ErrUnavailable)
	b.log.refuse = func(audit.Event) error { return full }
	minted, err := b.minter().Mint(t.Context(), call(), acme(), draft())
	if !errors.Is(err, app.ErrAudit) || !errors.Is(err, full) {
		t.Errorf("got %v, want %v because of %v", err, app.ErrAudit, full)
	}
	if minted.Text != nil || minted.KeyID != "" || minted.Claims != (token.Claims{}) {
		t.Error("a token that is not recorded was handed out")
	}
}

func TestWhichKeySeals(t *testing.T) {
	b := newBench()
	retiring, disabled, destroyed := newKey("retiring"), newKey("disabled"), newKey("destroyed")
	retiring.State, disabled.State, destroyed.State, destroyed.Secret = key.Retiring, key.Disabled, key.Destroyed, key.Secret{}
	b.give(t, "acme", "standard", newKey("old"), newKey("standard"), retiring, disabled, destroyed)
	b.give(t, "globex", "foreign", newKey("foreign"))
	for _, tt := range []struct {
		ask  *string
		want key.ID
		err  error
	}{
		{nil, "standard", nil},
		{new("standard"), "standard", nil},
		{new("old"), "old", nil},
		{new("retiring"), "", key.ErrNotActive},
		{new("disabled"), "", key.ErrNotActive},
		{new("destroyed"), "", key.ErrNotActive},
		{new("unknown"), "", key.ErrUnknown},
		{new("foreign"), "", key.ErrUnknown},
	} {
		d := draft()
		d.KeyID = tt.ask
		records := len(b.log.events)
		minted, err := b.minter().Mint(t.Context(), call(), acme(), d)
		if !errors.Is(err, tt.err) || minted.KeyID != tt.want || (minted.Text != nil) != (tt.err == nil) {
			t.Errorf("want %q and %v, got %q and %v", tt.want, tt.err, minted.KeyID, err)
		}
		if tt.err != nil && (err.Error() != tt.err.Error() || len(b.log.events) != records) {
			t.Errorf("%v: says more than %q, or is recorded here", err, tt.err)
		}
	}
	if got := b.ring(t, "acme").Len() + b.ring(t, "globex").Len(); got != 6 {
		t.Errorf("there are %d keys now, want 6", got)
	}
}

func TestADefaultThatMayNotSealIsNotReplacedByMinting(t *testing.T) {
	b, k := newBench(), newKey("k1")
	k.State = key.Retiring
	b.give(t, "acme", "k1", newKey("k0"), k)
	if _, err := b.minter().Mint(t.Context(), call(), acme(), draft()); !errors.Is(err, key.ErrNotActive) {
		t.Errorf("got %v, want %v", err, key.ErrNotActive)
	}
	if n := b.log.count("create key"); n != 0 {
		t.Errorf("%d keys were made", n)
	}
}

func TestANamedKeyThatIsNotThereMakesNoDefault(t *testing.T) {
	b, d := newBench(), draft()
	d.KeyID = new("unknown")
	if _, err := b.minter().Mint(t.Context(), call(), acme(), d); !errors.Is(err, key.ErrUnknown) {
		t.Errorf("got %v, want %v", err, key.ErrUnknown)
	}
	if diff := cmp.Diff([]string{"ring"}, b.log.steps); diff != "" {
		t.Errorf("the steps (-want +got):\n%s", diff)
	}
}

func TestWhatIsRefusedCostsNoStoreCall(t *testing.T) {
	b := newBench()
	var invalid *token.Invalid
	if _, err := b.minter().Mint(t.Context(), call(), acme(), token.Draft{}); !errors.As(err, &invalid) || len(invalid.Faults) != 2 {
		t.Errorf("got %v, want both ids missing", err)
	}
	d := draft()
	d.Expiration, d.ChartID = new("P31D"), new("c1")
	var refusal *policy.Refusal
	if _, err := b.minter().Mint(t.Context(), call(), acme(), d); !errors.As(err, &refusal) || len(refusal.Broken) != 2 {
		t.Errorf("got %v, want both rules", err)
	}
	lawless := altered(acme(), func(g *group.Group, _ *apitoken.Token) { g.Policy = policy.Policy{} })
	if _, err := b.minter().Mint(t.Context(), call(), lawless, draft()); !errors.Is(err, policy.ErrInvalid) {
		t.Errorf("got %v, want %v", err, policy.ErrInvalid)
	}
	if len(b.log.steps) != 0 {
		t.Errorf("it took the steps %q", b.log.steps)
	}
}

func TestWhatBreaksIsNotATokenAndNotARecord(t *testing.T) {
	for _, away := range []error{ports.ErrUnavailable, ports.ErrCorrupt, ports.ErrCustody} {
		b := newBench()
		b.give(t, "acme", "k1", newKey("k1"))
		b.stores.ringErr = away
		if minted, err := b.minter().Mint(t.Context(), call(), acme(), draft()); !errors.Is(err, away) || minted.Text != nil {
			t.Errorf("the store: got %v, want %v", err, away)
		}
		b.stores.ringErr, b.cipher.err = nil, away
		if minted, err := b.minter().Mint(t.Context(), call(), acme(), draft()); !errors.Is(err, away) || minted.Text != nil {
			t.Errorf("the cipher: got %v, want %v", err, away)
		}
		if len(b.log.events) != 0 {
			t.Errorf("%d records of nothing", len(b.log.events))
		}
	}
}
