package app

import (
	"context"
	"time"

	"embedseal/domain/token"
)

// callerGoodFor is how long a batch goes on with what it knows of its caller. Most
// are done in a fraction of it.
const callerGoodFor = time.Second

// Batch makes the tokens of one request that asks for many, one after the other.
// Each is judged, sealed and recorded as [Minter.Mint] does it, by the ring as it is
// at that moment. It is for one goroutine.
type Batch struct {
	minter *Minter
	call   Call
	caller Caller
	again  func(context.Context) (Caller, error)
	// seen is when the caller was last found to be one.
	seen time.Time
}

// Batch begins a batch of the caller, who was authenticated just now. again
// authenticates the same API token once more: a batch can take longer than a policy
// or an API token stays what it was.
func (m *Minter) Batch(call Call, caller Caller, again func(context.Context) (Caller, error)) *Batch {
	return &Batch{minter: m, call: call, caller: caller, again: again, seen: m.clock.Now()}
}

// Mint makes the next token: see [Minter.Mint], whose errors it has, and those of
// again. An error ends nothing: the next may be made all the same.
func (b *Batch) Mint(ctx context.Context, d token.Draft) (Minted, error) {
	if err := ctx.Err(); err != nil {
		return Minted{}, err
	}
	if now := b.minter.clock.Now(); now.Sub(b.seen) >= callerGoodFor {
		caller, err := b.again(ctx)
		if err != nil {
			return Minted{}, err
		}
		b.caller, b.seen = caller, now
	}
	return b.minter.Mint(ctx, b.call, b.caller, d)
}

// Caller is who the batch is made for, as it was last seen.
func (b *Batch) Caller() Caller { return b.caller }
