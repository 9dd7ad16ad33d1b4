package app_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/token"
	"embedseal/ports"
)

// clamping is a caller whose group cuts to an hour, to one feature and to k1.
func clamping(t *testing.T) app.Caller {
	t.Helper()
	features, err := token.ParseFeatures([]string{"srt"})
	if err != nil {
		t.Fatal(err)
	}
	return altered(acme(), func(g *group.Group, _ *apitoken.Token) {
		g.Policy.Mode, g.Policy.PinnedKey, g.Policy.Features = policy.Clamp, "k1", features
	})
}

// greedy asks for more than clamping may have.
func greedy() token.Draft {
	d := draft()
	d.KeyID, d.Expiration, d.Features = new("k2"), new("P31D"), []string{"*"}
	return d
}

func cut() []string {
	return []string{"key_id:key_not_allowed", "expiration:lifetime_too_long", "rb_allowed_features:feature_not_allowed"}
}

func names(faults []token.Fault) []string {
	var all []string
	for _, f := range faults {
		all = append(all, f.Field+":"+f.Code)
	}
	return all
}

func TestTheRecordOfATokenThatWasCutNamesWhatWasCut(t *testing.T) {
	b, k := newBench(), newKey("k1")
	b.give(t, "acme", "k2", k, newKey("k2"))
	minted, err := b.minter().Mint(t.Context(), call(), clamping(t), greedy())
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"cst":"customer_1","dsh":"abcde","exp":1774958400,"iat":1772366400,"rbc":["srt"]}`
	if got := plaintext(t, minted.Text, k); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if diff := cmp.Diff(cut(), names(minted.Clamped)); diff != "" {
		t.Errorf("what was cut (-want +got):\n%s", diff)
	}
	if e := b.log.events; len(e) != 1 || e[0].Outcome != audit.Granted || e[0].KeyID != "k1" || !cmp.Equal(cut(), e[0].Rules) {
		t.Errorf("recorded as %+v", e)
	}
}

func TestADryRunIsTheMintWithoutTheToken(t *testing.T) {
	b := newBench()
	b.give(t, "acme", "k2", newKey("k1"), newKey("k2"))
	run, err := b.minter().DryRun(t.Context(), call(), clamping(t), greedy())
	if err != nil {
		t.Fatal(err)
	}
	if !run.Allowed || run.KeyID != "k1" || run.Broken != nil || !cmp.Equal(cut(), names(run.Clamped)) ||
		string(run.Claims) != `{"cst":"customer_1","dsh":"abcde","exp":1774958400,"iat":1772366400,"rbc":["srt"]}` {
		t.Errorf("got %+v", run)
	}
	second := now().Truncate(time.Second)
	event := audit.Event{
		Time: now(), RequestID: "r1", Action: audit.ActionMintDryRun, Outcome: audit.Granted, Remote: "192.0.2.7", Rules: cut(),
		Group: "acme", TokenID: "t1", KeyID: "k1", Customer: "customer_1", Embed: "abcde", IssuedAt: second, ExpiresAt: second.Add(30 * 24 * time.Hour),
	}
	if diff := cmp.Diff([]audit.Event{event}, b.log.events); diff != "" {
		t.Errorf("the record (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ring", "record mint_dry_run"}, b.log.steps); diff != "" {
		t.Errorf("the steps (-want +got):\n%s", diff)
	}
}

func TestADryRunThatIsRefusedSaysWhyAndCostsNoStoreCall(t *testing.T) {
	b, caller, d := newBench(), acme(), draft()
	caller = altered(caller, func(_ *group.Group, t *apitoken.Token) { t.Restriction.Customers = []policy.Glob{"customer_2"} })
	d.ChartID = new("c1")
	run, err := b.minter().DryRun(t.Context(), call(), caller, d)
	want := []string{"provided_id:customer_not_allowed", "chart_id:chart_embedding_disabled"}
	if err != nil || run.Allowed || run.Claims != nil || run.KeyID != "" || !cmp.Equal(want, names(run.Broken)) {
		t.Errorf("got %+v and %v", run, err)
	}
	if diff := cmp.Diff([]string{"record mint_dry_run"}, b.log.steps); diff != "" {
		t.Errorf("the steps (-want +got):\n%s", diff)
	}
	if e := b.log.events[0]; e.Outcome != audit.Refused || !cmp.Equal(want, e.Rules) || e.Customer != "customer_1" || e.Embed != "abcde" || e.Chart != "c1" || !e.ExpiresAt.IsZero() {
		t.Errorf("recorded as %+v", e)
	}
}

func TestADryRunMakesNoKeyAndSaysWhenNoneCouldBeMade(t *testing.T) {
	b := newBench()
	run, err := b.minter().DryRun(t.Context(), call(), acme(), draft())
	if err != nil || !run.Allowed || run.KeyID != "" || b.log.count("create key") != 0 || b.ring(t, "acme").Len() != 0 {
		t.Errorf("got %+v, %v, and the steps %q", run, err, b.log.steps)
	}
	full := make([]key.Key, key.MaxRing)
	for i := range full {
		full[i] = newKey(key.ID(fmt.Sprint("k", i)))
	}
	b.give(t, "acme", "", full...)
	run, err = b.minter().DryRun(t.Context(), call(), acme(), draft())
	if err != nil || run.Allowed || !cmp.Equal([]string{"key_id:no_default_key"}, names(run.Broken)) {
		t.Errorf("got %+v and %v", run, err)
	}
}

func TestADryRunFailsAsAMintDoes(t *testing.T) {
	var invalid *token.Invalid
	b := newBench()
	if _, err := b.minter().DryRun(t.Context(), call(), acme(), token.Draft{}); !errors.As(err, &invalid) || len(b.log.steps) != 0 {
		t.Errorf("got %v after %q", err, b.log.steps)
	}
	lawless := altered(acme(), func(g *group.Group, _ *apitoken.Token) { g.Policy = policy.Policy{} })
	if _, err := b.minter().DryRun(t.Context(), call(), lawless, draft()); !errors.Is(err, policy.ErrInvalid) || len(b.log.events) != 0 {
		t.Errorf("got %v", err)
	}
	b.stores.ringErr = ports.ErrCorrupt
	if run, err := b.minter().DryRun(t.Context(), call(), acme(), draft()); !errors.Is(err, ports.ErrCorrupt) || run.Allowed || len(b.log.events) != 0 {
		t.Errorf("got %+v and %v", run, err)
	}
	b.stores.ringErr, b.log.refuse = nil, func(audit.Event) error { return errors.New("the disk is full") }
	if run, err := b.minter().DryRun(t.Context(), call(), acme(), draft()); !errors.Is(err, app.ErrAudit) || run.Allowed || run.Claims != nil {
		t.Errorf("got %+v and %v", run, err)
	}
}

func TestAPinnedKeyThatCannotSealIsNotTheCallersFault(t *testing.T) {
	retiring := newKey("k1")
	retiring.State = key.Retiring
	for pinned, want := range map[key.ID]error{"k1": key.ErrNotActive, "gone": key.ErrUnknown} {
		b, caller := newBench(), acme()
		b.give(t, "acme", "k2", retiring, newKey("k2"))
		caller = altered(caller, func(g *group.Group, _ *apitoken.Token) { g.Policy.PinnedKey = pinned })
		if _, err := b.minter().Mint(t.Context(), call(), caller, draft()); !errors.Is(err, app.ErrPinned) || !errors.Is(err, want) {
			t.Errorf("%s: got %v", pinned, err)
		}
		d := draft()
		d.KeyID = new(string(pinned))
		if _, err := b.minter().Mint(t.Context(), call(), caller, d); errors.Is(err, app.ErrPinned) || !errors.Is(err, want) {
			t.Errorf("%s, named: got %v", pinned, err)
		}
		if run, err := b.minter().DryRun(t.Context(), call(), caller, draft()); err != nil || !cmp.Equal([]string{"key_id:key_not_active"}, names(run.Broken)) {
			t.Errorf("%s: a dry run says %+v and %v", pinned, run, err)
		}
	}
}
