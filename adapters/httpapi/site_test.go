package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"embedseal/adapters/custody"
	"embedseal/adapters/entropy"
	"embedseal/adapters/httpapi"
	"embedseal/adapters/httpapi/apispec"
	"embedseal/adapters/jose"
	"embedseal/adapters/memory"
	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/token"
	"embedseal/ports"
)

// The keys of the group acme, of which the first is the default, and the one
// key of the group other. The group bare has none.
const (
	defaultKey   = "11111111-2222-4333-8444-555555555555"
	namedKey     = "aa111111-1a11-111a-aa11-1aaaa11a1a11"
	retiringKey  = "retiring-key"
	disabledKey  = "disabled-key"
	destroyedKey = "destroyed-key"
	foreignKey   = "foreign-key"
	unknownKey   = "unknown-key"
)

// values are the embed secrets by key.
func values() map[string]string {
	return map[string]string{
		defaultKey:  "default-value-Zq4Xw9Lk2Vb7Nn1Ty8",
		namedKey:    "0123456789abcdef0123456789abcdef",
		retiringKey: "retiring-value-Jd5Rm3Hs6Pf0Gc2Ka",
		disabledKey: "disabled-value-Ue8Io1Wz4Ql7Yx3Bv",
		foreignKey:  "foreign-value-Mn6Bv3Cx9Zl2Kj5Hg4",
	}
}

// site is a running server, with everything around it at hand.
type site struct {
	setup
	addr   string
	server *httpapi.Server
	clock  *clock
	audit  *recorder
	meter  *meter
	logs   *logbook
	// unwatch ends that every exchange is held to the API's document.
	unwatch func()
	// stop ends the server, and returns what Serve did.
	stop func() error
}

// setup is what a test may have otherwise.
type setup struct {
	// waits is how long each request has waited, where a test says so.
	waits  func() time.Duration
	config httpapi.Config
	policy policy.Policy
	// restriction is that of every API token.
	restriction policy.Restriction
	chart       token.ChartClaim
	groups      ports.GroupStore
	keys        ports.KeyStore
	custody     ports.KeyCustody
	cipher      ports.TokenCipher
	revocations app.Revocations
	audit       *recorder
}

// open starts a server on a free port of the loopback, which ends with the test.
func open(t *testing.T, changes ...func(*setup)) *site {
	t.Helper()
	store := memory.Open()
	s := &site{
		setup: setup{
			config: httpapi.Config{
				Listen:            "127.0.0.1:0",
				ReadHeaderTimeout: 8 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 15 * time.Second,
				IdleTimeout: time.Minute, ShutdownTimeout: 15 * time.Second,
			},
			policy: policy.Default(),
			groups: memory.NewGroupStore(store), keys: memory.NewKeyStore(store),
			custody: custody.NewLocal(entropy.System{}), cipher: jose.New(), audit: &recorder{}, revocations: app.NothingRevoked{},
		},
		clock: &clock{now: time.Date(2026, 1, 31, 10, 0, 0, 500e6, time.UTC)}, meter: &meter{answers: map[string]int{}}, logs: &logbook{},
	}
	before := s.setup
	for _, change := range changes {
		change(&s.setup)
	}
	s.audit = s.setup.audit
	fill(t, before, s.policy, s.restriction)

	log := slog.New(slog.NewTextHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	recorded := app.NewChanges(s.audit, s.clock, entropy.System{}, httpapi.CodeOf)
	refusals := app.NewRefusals(s.audit, s.clock)
	defaults := app.NewDefaultKeys(s.keys, s.custody, recorded, s.clock, entropy.System{})
	server, err := httpapi.New(s.config, app.NewAuthenticator(s.groups, app.NewLastUse(s.groups, s.clock), s.clock),
		app.NewMinter(s.keys, defaults, s.cipher, s.audit, s.clock, s.chart),
		app.NewVerifier(s.keys, s.cipher, s.revocations, refusals, s.clock, entropy.System{}, s.chart, app.Leeway(30*time.Second)),
		refusals, s.clock, entropy.System{}, s.meter, log)
	if err != nil {
		t.Fatal(err)
	}
	s.server = server
	if s.waits != nil {
		server.Waits(s.waits)
	}
	s.unwatch = server.Surround(func(next http.Handler) http.Handler { return spec(t).Handler(t, apispec.Public, next) })
	s.serve(t)
	return s
}

// serve listens, and answers until the test or stop ends it.
func (s *site) serve(t *testing.T) {
	t.Helper()
	addr, err := s.server.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.addr = addr.String()
	s.stop = running(t, s.server.Serve)
}

// running serves until the test or the returned func ends it.
func running(t *testing.T, serve func(context.Context) error) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- serve(ctx) }()
	stopped := false
	stop = func() error {
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() {
		if stopped {
			return
		}
		if err := stop(); err != nil {
			t.Errorf("the server did not end well: %v", err)
		}
	})
	return stop
}

// fill writes the groups and rings that every site has, past whatever faults a
// test put before the stores.
func fill(t *testing.T, in setup, rules policy.Policy, narrower policy.Restriction) {
	t.Helper()
	created := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	state := map[string]key.State{retiringKey: key.Retiring, disabledKey: key.Disabled, destroyedKey: key.Destroyed}
	rings := map[group.ID][]string{
		"acme": {defaultKey, namedKey, retiringKey, disabledKey, destroyedKey}, "other": {foreignKey}, "bare": {},
	}
	for id, kids := range rings {
		g := group.Group{ID: id, Name: string(id), Policy: rules, CreatedAt: created}
		for name, scopes := range map[string]apitoken.Scopes{
			"rw": apitoken.ReadWrite, "ro": apitoken.ReadOnly, "mint": apitoken.Mint, "late": apitoken.ReadWrite,
		} {
			record := apitoken.Token{
				ID: "id-of-" + name, Name: name, Digest: apitoken.DigestOf(textOf(id, name)), Scopes: scopes, CreatedAt: created,
				Restriction: narrower,
			}
			if name == "late" {
				record.ExpiresAt = time.Date(2026, 1, 31, 10, 0, 0, 500e6, time.UTC)
			}
			g.Tokens = append(g.Tokens, record)
		}
		if err := in.groups.CreateGroup(t.Context(), g); err != nil {
			t.Fatal(err)
		}
		for i, kid := range kids {
			st, given := state[kid]
			if !given {
				st = key.Active
			}
			k := key.Key{ID: key.ID(kid), State: st, Custody: key.Material, CreatedAt: created}
			if v := values()[kid]; v != "" {
				secret, err := key.ParseSecret(v)
				if err != nil {
					t.Fatal(err)
				}
				k.Secret = secret
			}
			err := in.keys.UpdateRing(t.Context(), id, func(r key.Ring) (key.Ring, error) {
				if i == 0 {
					return r.WithDefault(k)
				}
				return r.With(k)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// errBroken is the cause behind a fault. Only the log may have its text.
var errBroken = errors.New("dial tcp 10.9.8.7:8200: canary of the inside")

func broken(sentinel error) error { return fmt.Errorf("%w: %w", sentinel, errBroken) }
