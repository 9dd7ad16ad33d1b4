package app_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"embedseal/adapters/jose"
	"embedseal/adapters/memory"
	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/secret"
	"embedseal/domain/token"
	"embedseal/ports"
)

// stopped is a clock that shows one time.
type stopped struct{ time.Time }

func (s stopped) Now() time.Time { return s.Time }

// now is what every test's clock shows: a time with a fraction.
func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 987654321, time.UTC) }

// dice gives other bytes on every call, and the same in every run.
type dice struct {
	mu sync.Mutex
	n  uint64
}

func (d *dice) Fill(p []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(p) > 0 {
		d.n++
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, d.n))
		p = p[copy(p, sum[:]):]
	}
}

// journal is what happened, in order. It is the auditor as well.
type journal struct {
	mu     sync.Mutex
	steps  []string
	events []audit.Event
	// refuse, when set, is what Record answers to an event.
	refuse func(audit.Event) error
}

func (j *journal) note(step string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.steps = append(j.steps, step)
}

func (j *journal) Record(_ context.Context, e audit.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.refuse != nil {
		if err := j.refuse(e); err != nil {
			return err
		}
	}
	j.steps = append(j.steps, "record "+string(e.Action))
	j.events = append(j.events, e)
	return nil
}

func (j *journal) count(step string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for _, s := range j.steps {
		if s == step {
			n++
		}
	}
	return n
}

// of lists the events of one action.
func (j *journal) of(action audit.Action) []audit.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(j.events), func(e audit.Event) bool { return e.Action != action })
}

// stores are memory stores that note each call when it returns.
type stores struct {
	ports.KeyStore
	ports.GroupStore
	log *journal
	// onRing runs after each read of a ring, before it is answered.
	onRing func()
	// The errors, when set, are answered in place of asking the store.
	ringErr, updateErr, groupErr, createErr error
}

func newStores(log *journal) *stores {
	s := memory.Open()
	return &stores{KeyStore: memory.NewKeyStore(s), GroupStore: memory.NewGroupStore(s), log: log}
}

func (s *stores) Ring(ctx context.Context, g group.ID) (key.Ring, error) {
	defer s.log.note("ring")
	if s.ringErr != nil {
		return key.Ring{}, s.ringErr
	}
	r, err := s.KeyStore.Ring(ctx, g)
	if s.onRing != nil {
		s.onRing()
	}
	return r, err
}

func (s *stores) UpdateRing(ctx context.Context, g group.ID, change func(key.Ring) (key.Ring, error)) error {
	if s.updateErr != nil {
		return s.updateErr
	}
	err := s.KeyStore.UpdateRing(ctx, g, change)
	if err == nil {
		s.log.note("update")
	}
	return err
}

func (s *stores) Group(ctx context.Context, id group.ID) (group.Group, error) {
	s.log.note("group")
	if s.groupErr != nil {
		return group.Group{}, s.groupErr
	}
	return s.GroupStore.Group(ctx, id)
}

func (s *stores) CreateGroup(ctx context.Context, g group.Group) error {
	if s.createErr != nil {
		return s.createErr
	}
	s.log.note("create group")
	return s.GroupStore.CreateGroup(ctx, g)
}

// vault makes keys like the custody of the ring, and knows which of them were
// made and not destroyed since.
type vault struct {
	dice
	log                   *journal
	mu                    sync.Mutex
	there                 []key.ID
	createErr, destroyErr error
}

func (v *vault) Create(_ context.Context, _ group.ID, id key.ID) (key.Key, error) {
	if v.createErr != nil {
		return key.Key{}, v.createErr
	}
	var random [key.SecretEntropy]byte
	v.Fill(random[:])
	v.mu.Lock()
	defer v.mu.Unlock()
	v.there = append(v.there, id)
	v.log.note("create key")
	return key.Key{ID: id, State: key.Active, Custody: key.Material, Secret: key.NewSecret(random)}, nil
}

func (v *vault) Destroy(_ context.Context, _ group.ID, k key.Key) error {
	if v.destroyErr != nil {
		return v.destroyErr
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.there = slices.DeleteFunc(v.there, func(id key.ID) bool { return id == k.ID })
	v.log.note("destroy key")
	return nil
}

// cipher is the real one, and notes each sealing before it begins.
type cipher struct {
	*jose.Cipher
	log *journal
	err error
}

func (c cipher) Seal(ctx context.Context, g group.ID, k *key.Sealer, claims []byte) ([]byte, error) {
	c.log.note("seal with " + string(k.ID()))
	if c.err != nil {
		return nil, c.err
	}
	return c.Cipher.Seal(ctx, g, k, claims)
}

// bench is everything a use-case stands on.
type bench struct {
	log    *journal
	stores *stores
	vault  *vault
	cipher *cipher
	random *dice
}

func newBench() *bench {
	log := &journal{}
	return &bench{
		log: log, stores: newStores(log), vault: &vault{log: log}, cipher: &cipher{Cipher: jose.New(), log: log},
		random: &dice{n: 1 << 32},
	}
}

func (b *bench) defaults() *app.DefaultKeys {
	return app.NewDefaultKeys(b.stores, b.vault, newChanges(b.log), stopped{now()}, b.random)
}

func (b *bench) minter() *app.Minter {
	return app.NewMinter(b.stores, b.defaults(), b.cipher, b.log, stopped{now()}, token.ChartClaim{})
}

func (b *bench) authenticator() *app.Authenticator {
	return app.NewAuthenticator(b.stores, app.NewLastUse(b.stores, stopped{now()}), stopped{now()})
}

// home is where callers call from.
func home() netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, 7}) }

func (b *bench) bootstrapper() *app.Bootstrapper {
	return app.NewBootstrapper(b.stores, b.defaults(), newChanges(b.log), stopped{now()}, b.random)
}

// call is the call of every test.
func call() app.Call { return app.Call{RequestID: "r1", Remote: "192.0.2.7"} }

// acme is a caller in the group acme.
func acme() app.Caller {
	return callerOf(
		group.Group{ID: "acme", Policy: policy.Default()},
		apitoken.Token{ID: "t1", Scopes: apitoken.Mint},
	)
}

func callerOf(g group.Group, t apitoken.Token) app.Caller {
	return app.NewCaller(&g, &t, t.Digest)
}

// scoped is c with an API token of those scopes.
func scoped(c app.Caller, scopes apitoken.Scopes) app.Caller {
	return altered(c, func(_ *group.Group, t *apitoken.Token) { t.Scopes = scopes })
}

// altered is c with another group or API token.
func altered(c app.Caller, change func(*group.Group, *apitoken.Token)) app.Caller {
	g, t := c.Group(), c.Token()
	change(&g, &t)
	return callerOf(g, t)
}

// draft is a request that can be granted.
func draft() token.Draft {
	return token.Draft{ProvidedID: new("customer_1"), EmbedID: new("abcde")}
}

// canary is the value of every embed secret that a test makes itself.
const canary = "canary-0123456789-canary-0123456"

// newKey is an active key with the value of the canary.
func newKey(id key.ID) key.Key {
	return key.Key{ID: id, State: key.Active, Custody: key.Material, Secret: key.Secret{Text: secret.New(canary)}, CreatedAt: now().Truncate(time.Second)}
}

// give puts keys into the group's ring, with the default named.
func (b *bench) give(t *testing.T, g group.ID, defaultID key.ID, keys ...key.Key) {
	t.Helper()
	ring, err := key.NewRing(keys, defaultID)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.stores.KeyStore.UpdateRing(t.Context(), g, func(key.Ring) (key.Ring, error) { return ring, nil }); err != nil {
		t.Fatal(err)
	}
}

// ring reads the ring past every fault.
func (b *bench) ring(t *testing.T, g group.ID) key.Ring {
	t.Helper()
	ring, err := b.stores.KeyStore.Ring(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}
