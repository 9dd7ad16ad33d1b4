package outagetest_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"embedseal/adapters/cache"
	"embedseal/adapters/clock"
	"embedseal/adapters/custody"
	"embedseal/adapters/entropy"
	"embedseal/adapters/jose"
	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/secret"
	"embedseal/domain/token"
	"embedseal/ports"
)

// site is one process of ours that mints and writes, all of it but HTTP.
type site struct {
	name   string
	keys   ports.KeyStore
	groups ports.GroupStore

	authenticator *app.Authenticator
	minter        *app.Minter
	apiToken      secret.Text

	minted, failed, acknowledged atomic.Int64

	mu sync.Mutex
	// sure is how many writes there are at least, and unsure how many more there
	// may be.
	sure, unsure                     int
	sealed, away, unknown, conflicts int64
	slowest, slowestMint             time.Duration
	rotated                          map[key.ID]bool // true: perhaps
	errors                           map[string]int  // of writes
}

// newSite puts the use-cases on r. The first one makes an API token and a
// default key.
func newSite(t *testing.T, r replica, i int) *site {
	t.Helper()
	s := &site{name: fmt.Sprintf("site-%d", i), rotated: map[key.ID]bool{}, errors: map[string]int{}}
	s.keys, s.groups = cached(r)
	changes := app.NewChanges(nobody{}, clock.System{}, entropy.System{}, func(error) string { return "" })
	defaults := app.NewDefaultKeys(s.keys, custody.NewLocal(entropy.System{}), changes, clock.System{}, entropy.System{})
	s.authenticator = app.NewAuthenticator(s.groups, app.NewLastUse(s.groups, clock.System{}), clock.System{})
	s.minter = app.NewMinter(s.keys, defaults, jose.New(), nobody{}, clock.System{}, token.ChartClaim{})

	s.apiToken = apitoken.New("acme", [apitoken.Entropy]byte{1})
	if i == 0 {
		err := s.groups.UpdateGroup(t.Context(), "acme", func(g group.Group) (group.Group, error) {
			g.Tokens = []apitoken.Token{{
				ID: "t1", Digest: apitoken.DigestOf(s.apiToken), Scopes: apitoken.Mint,
				CreatedAt: g.CreatedAt, ExpiresAt: time.Now().AddDate(1, 0, 0).UTC().Truncate(time.Second),
			}}
			g.Name = "site-0=1 site-1=0" // counts as a write of the first
			return g, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		s.sure = 1
	}
	if err := s.mint(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// mint does what a request does.
func (s *site) mint(ctx context.Context) error {
	caller, err := s.authenticator.Authenticate(ctx, s.apiToken.Reveal(), apitoken.Mint, netip.Addr{})
	if err != nil {
		return err
	}
	customer, embed := "customer_1", "abcde"
	_, err = s.minter.Mint(ctx, app.Call{}, caller, token.Draft{ProvidedID: &customer, EmbedID: &embed})
	return err
}

// mintAll mints at a steady rate: each at its time, however long the one before
// takes.
func (s *site) mintAll(ctx context.Context, t *testing.T) {
	var under sync.WaitGroup
	defer under.Wait()
	tick := time.NewTicker(mintInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		under.Go(func() {
			begin := time.Now()
			err := s.mint(context.WithoutCancel(t.Context()))
			took := time.Since(begin)
			s.minted.Add(1)
			s.mu.Lock()
			s.slowestMint = max(s.slowestMint, took)
			s.mu.Unlock()
			if err != nil && s.failed.Add(1) <= 5 {
				t.Errorf("%s: a mint failed after %s: %v", s.name, took, err)
			}
		})
	}
}

func (s *site) writeAll(ctx context.Context, t *testing.T) {
	tick := time.NewTicker(writeInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.write(t)
		}
	}
}

// refused is how many writes were answered so far that Vault is sealed, or that
// it cannot be reached.
func (s *site) refused(sealed bool) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sealed {
		return s.sealed
	}
	return s.away
}

func (s *site) judge(t *testing.T) {
	t.Helper()
	if s.failed.Load() > 0 {
		t.Errorf("%s: %d of %d mints failed", s.name, s.failed.Load(), s.minted.Load())
	}
	if s.minted.Load() == 0 || s.acknowledged.Load() == 0 {
		t.Errorf("%s did nothing", s.name)
	}
}

func (s *site) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%s: %d mints, %d failed, the slowest took %s; %d writes acknowledged, %d refused as sealed, %d as unavailable, %d conflicts, %d unknown, the slowest took %s",
		s.name, s.minted.Load(), s.failed.Load(), s.slowestMint.Round(time.Millisecond),
		s.acknowledged.Load(), s.sealed, s.away, s.conflicts, s.unknown, s.slowest.Round(time.Millisecond))
}

// nobody is an auditor.
type nobody struct{}

func (nobody) Record(context.Context, audit.Event) error { return nil }

// cached is what stands between the use-cases and Vault. It is stale sooner than
// it would be by default, so that an outage is noticed at once.
func cached(r replica) (ports.KeyStore, ports.GroupStore) {
	c := cache.NewRemote(r.keys, r.groups, cache.RemoteConfig{FreshFor: time.Second, Grace: time.Hour}, clock.System{})
	return c, c
}
