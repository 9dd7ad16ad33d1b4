package app_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/policy"
	"embedseal/domain/token"
)

func TestABatchLooksAtItsCallerOnceASecond(t *testing.T) {
	b, clock := newBench(), newMoving()
	b.give(t, "acme", "k1", newKey("k1"))
	asked, gone := 0, errors.New("taken back")
	var err error
	run := app.NewMinter(b.stores, b.defaults(), b.cipher, b.log, clock, token.ChartClaim{}).Batch(call(), acme(),
		func(context.Context) (app.Caller, error) {
			asked++
			caller := acme()
			caller = altered(caller, func(g *group.Group, _ *apitoken.Token) { g.Policy.Mode = policy.Clamp })
			return caller, err
		})
	d := draft()
	d.Expiration = new("P90D") // more than the policy allows
	var refusal *policy.Refusal
	for range 3 {
		clock.add(300 * time.Millisecond)
		if _, err := run.Mint(t.Context(), d); !errors.As(err, &refusal) || asked != 0 {
			t.Fatalf("%v, asked %d times", err, asked)
		}
	}
	clock.add(100 * time.Millisecond)
	for range 2 {
		if minted, err := run.Mint(t.Context(), d); err != nil || len(minted.Clamped) != 1 || asked != 1 {
			t.Fatalf("under another policy: %v, asked %d times", err, asked)
		}
	}
	err = gone
	clock.add(time.Second)
	for i := range 2 { // one that is gone is looked for each time
		if minted, err := run.Mint(t.Context(), draft()); !errors.Is(err, gone) || minted.Text != nil || asked != 2+i {
			t.Fatalf("%v, asked %d times", err, asked)
		}
	}
	if run.Caller().TokenID() != "t1" || run.Caller().Group().Policy.Mode != policy.Clamp {
		t.Errorf("the caller is %s of %+v", run.Caller().TokenID(), run.Caller().Group())
	}
	if n := len(b.log.events); n != 2 {
		t.Errorf("%d records, want 2", n)
	}
}

func TestABatchWhoseTimeIsOverMakesNothing(t *testing.T) {
	b := newBench()
	b.give(t, "acme", "k1", newKey("k1"))
	run := b.minter().Batch(call(), acme(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := run.Mint(ctx, draft()); err != nil {
		t.Fatal(err)
	}
	cancel()
	if minted, err := run.Mint(ctx, draft()); !errors.Is(err, context.Canceled) || minted.Text != nil {
		t.Errorf("got %v", err)
	}
	if n := len(b.log.events); n != 1 {
		t.Errorf("%d records, want 1", n)
	}
}
