package vault_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"embedseal/adapters/vault"
	"embedseal/adapters/vault/vaultfake"
	"embedseal/ports"
)

// tally counts the requests by path, with the times of some.
type tally struct {
	mu sync.Mutex
	at map[string][]time.Time
}

func watch(fake *vaultfake.Server) *tally {
	c := &tally{at: map[string][]time.Time{}}
	fake.Intercept(func(r *http.Request) *vaultfake.Fault {
		c.mu.Lock()
		defer c.mu.Unlock()
		path := strings.TrimPrefix(r.URL.Path, "/v1/")
		c.at[path] = append(c.at[path], time.Now())
		return nil
	})
	return c
}

func (c *tally) times(path string) []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]time.Time(nil), c.at[path]...)
}

const (
	loginPath = "auth/approle/login"
	renewPath = "auth/token/renew-self"
)

// appRoleBackend is logged in by AppRole.
func appRoleBackend(t *testing.T, s *site, settings string) *vault.Backend {
	t.Helper()
	id, secretID := s.appRole(t, settings)
	cfg := s.tokenConfig()
	cfg.Auth = vault.AuthConfig{Method: vault.MethodAppRole, RoleID: id, SecretID: newSecret(secretID())}
	return mustOpen(t, patient(cfg))
}

func TestARevokedTokenCostsOneLogInAndNoCall(t *testing.T) {
	t.Parallel()
	fake := vaultfake.Start(t)
	b := appRoleBackend(t, fakeSite(fake), `{"token_policies":"reader","token_ttl":"1h"}`)
	keys := vault.NewKeyStore(b)
	for round := range 3 {
		before := fake.Logins()
		fake.Revoke("")
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, err := keys.Ring(t.Context(), "acme"); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		wg.Wait()
		if n := fake.Logins() - before; n != 1 {
			t.Errorf("round %d: %d log-ins, want 1", round, n)
		}
		time.Sleep(2100 * time.Millisecond) // closer together, and it is a token that never works
	}
}

func TestAWriteIsMadeAgainWithTheNewToken(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		s.do(t, http.MethodPut, "sys/policies/acl/writer", `{"policy":"path \"secret/data/*\" { capabilities = [\"create\",\"update\",\"read\"] }"}`)
		settings := `{"policies":["writer"],"ttl":"1h"}`
		first := s.newToken(t, settings)
		cfg := s.tokenConfig()
		cfg.Auth = vault.AuthConfig{Method: vault.MethodToken, TokenFile: write(t, "token", first)}
		keys := vault.NewKeyStore(mustOpen(t, cfg))
		if err := keys.UpdateRing(t.Context(), "acme", adding(t, "k1")); err != nil {
			t.Fatal(err)
		}
		write(t, cfg.Auth.TokenFile, s.newToken(t, settings))
		s.do(t, http.MethodPut, "auth/token/revoke", `{"token":"`+first+`"}`)
		if err := keys.UpdateRing(t.Context(), "acme", adding(t, "k2")); err != nil {
			t.Error(err)
		}
		if r, err := keys.Ring(t.Context(), "acme"); err != nil || r.Len() != 2 {
			t.Errorf("got %d keys and the error %v", r.Len(), err)
		}
	})
}

func TestWhatAPolicyDeniesIsNoReasonToLogIn(t *testing.T) {
	fake := vaultfake.Start(t)
	b := appRoleBackend(t, fakeSite(fake), `{"token_policies":"reader","token_ttl":"1h"}`)
	keys, before := vault.NewKeyStore(b), fake.Logins()
	for range 20 {
		err := keys.UpdateRing(t.Context(), "acme", adding(t, "k1"))
		wantOnly(t, err, ports.ErrDenied)
		wantReads(t, b)
	}
	if n := fake.Logins() - before; n != 0 {
		t.Errorf("%d log-ins, want none", n)
	}
}

func TestATokenIsRenewedAtTwoThirdsAndReplacedBeforeItsMaximum(t *testing.T) {
	t.Parallel()
	const ttl, limit, watched = 3 * time.Second, 8 * time.Second, 12 * time.Second
	fake := vaultfake.Start(t)
	c := watch(fake)
	began := time.Now()
	b := appRoleBackend(t, fakeSite(fake), `{"token_policies":"reader","token_ttl":"3s","token_max_ttl":"8s"}`)
	keys := vault.NewKeyStore(b)
	reads, longest, last := 0, time.Duration(0), time.Now()
	for ; time.Since(began) < watched; reads++ {
		longest, last = max(longest, time.Since(last)), time.Now()
		if _, err := keys.Ring(t.Context(), "acme"); err != nil {
			t.Fatalf("after %v: %v", time.Since(began), err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	renewals, logins := c.times(renewPath), c.times(loginPath)
	if len(logins) != 2 {
		t.Fatalf("%d log-ins in %v with a maximum of %v, want 2", len(logins), watched, limit)
	}
	// On a machine that is busy a timer is as late as everything else.
	slack := 50*time.Millisecond + longest
	if lived := logins[1].Sub(logins[0]); lived < limit*2/3 || lived > limit+slack-50*time.Millisecond {
		t.Errorf("the token was replaced after %v, want it shortly before %v", lived, limit)
	}
	if len(renewals) < 3 {
		t.Fatalf("%d renewals", len(renewals))
	}
	before := logins[0]
	for i, at := range renewals[:2] {
		if after := at.Sub(before); after < ttl*2/3-slack || after > ttl*2/3+2*slack {
			t.Errorf("renewal %d came after %v, want two thirds of %v", i, after, ttl)
		}
		before = at
	}
	t.Logf("%d reads, %d renewals, %d log-ins, no read failed; the longest pause of this process was %v", reads, len(renewals), len(logins), longest)
}

func TestARenewalThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	fake := vaultfake.Start(t)
	b := appRoleBackend(t, fakeSite(fake), `{"token_policies":"reader","token_ttl":"3s"}`)
	var renewals atomic.Int64
	fake.Intercept(func(r *http.Request) *vaultfake.Fault {
		if strings.HasSuffix(r.URL.Path, renewPath) && renewals.Add(1) <= 2 {
			return &vaultfake.Fault{Skip: true, Status: http.StatusInternalServerError, Body: `{"errors":["leadership lost"]}`}
		}
		return nil
	})
	before := fake.Logins()
	for began := time.Now(); time.Since(began) < 8*time.Second && renewals.Load() < 3; time.Sleep(20 * time.Millisecond) {
		wantReads(t, b)
	}
	if renewals.Load() < 3 || fake.Logins() != before {
		t.Errorf("%d renewals and %d log-ins, want a third renewal and no log-in", renewals.Load(), fake.Logins()-before)
	}
}

func TestAnOutageIsNoLogInStormAndEndsWithinFiveSeconds(t *testing.T) {
	t.Parallel()
	fake := vaultfake.Start(t)
	s := fakeSite(fake)
	c := watch(fake)
	b := appRoleBackend(t, s, `{"token_policies":"reader","token_ttl":"1h"}`)
	keys := vault.NewKeyStore(b)
	attempts := len(c.times(loginPath))
	const outage = 6 * time.Second
	fake.Revoke("")
	fake.Intercept(func(r *http.Request) *vaultfake.Fault {
		if !strings.HasSuffix(r.URL.Path, loginPath) {
			return nil // the old token is refused
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.at[loginPath] = append(c.at[loginPath], time.Now())
		return &vaultfake.Fault{Skip: true, Status: http.StatusServiceUnavailable, Body: `{"errors":["Vault is sealed"]}`}
	})
	var calls, slow atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for began := time.Now(); time.Since(began) < outage; time.Sleep(10 * time.Millisecond) {
				asked := time.Now()
				_, err := keys.Ring(t.Context(), "acme")
				if !errors.Is(err, ports.ErrSealed) {
					t.Errorf("got the error %v, want %v", err, ports.ErrSealed)
				}
				if calls.Add(1); time.Since(asked) > 3*time.Second {
					slow.Add(1)
				}
			}
		})
	}
	wg.Wait()
	tried := c.times(loginPath)[attempts:]
	if len(tried) < 2 || len(tried) > int(outage/time.Second)+1 {
		t.Errorf("%d log-ins were tried in %v", len(tried), outage)
	}
	if slow.Load() > 0 {
		t.Errorf("%d of %d calls took longer than 3 s", slow.Load(), calls.Load())
	}
	fake.Intercept(nil)
	took := within(t, 5*time.Second, func() error { return b.Check(t.Context()) })
	t.Logf("%d calls, %d log-ins tried in %v, back after %v", calls.Load(), len(tried), outage, took)
}

func TestCredentialsThatAreRefusedAreNotTriedInALoop(t *testing.T) {
	t.Parallel()
	fake := vaultfake.Start(t)
	s := fakeSite(fake)
	s.do(t, http.MethodPut, "sys/policies/acl/reader", reader)
	token := s.newToken(t, `{"policies":["reader"],"ttl":"1h"}`)
	cfg := s.tokenConfig()
	cfg.Auth = vault.AuthConfig{Method: vault.MethodToken, TokenFile: write(t, "token", token)}
	b := mustOpen(t, patient(cfg))
	fake.Revoke(token)
	c := watch(fake)
	for began := time.Now(); time.Since(began) < 4*time.Second; time.Sleep(5 * time.Millisecond) {
		_, err := vault.NewKeyStore(b).Ring(t.Context(), "acme")
		wantOnly(t, err, ports.ErrDenied)
	}
	if n := len(c.times("auth/token/lookup-self")); n > 5 {
		t.Errorf("the token was looked up %d times in 4 s", n)
	}
	write(t, cfg.Auth.TokenFile, s.newToken(t, `{"policies":["reader"],"ttl":"1h"}`))
	within(t, 5*time.Second, func() error { return b.Check(t.Context()) })
}

func TestTheServiceStartsWithoutVaultAndFindsItLater(t *testing.T) {
	t.Parallel()
	place := reserve(t)
	fake := vaultfake.Start(t)
	cfg := fakeSite(fake).tokenConfig()
	cfg.Addresses = []string{"http://" + place.address}
	began := time.Now()
	b := mustOpen(t, cfg)
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("opening took %v", took)
	}
	began = time.Now()
	wantOnly(t, b.Check(t.Context()), ports.ErrUnavailable)
	if took := time.Since(began); took > time.Second {
		t.Errorf("a call before the log-in took %v", took)
	}
	cfg.RequireAtStart = true
	if _, _, err := vault.Open(t.Context(), cfg); !errors.Is(err, ports.ErrUnavailable) || errors.Is(err, ports.ErrDenied) {
		t.Errorf("got the error %v, want %v", err, ports.ErrUnavailable)
	}
	server := &http.Server{Handler: fake, ReadHeaderTimeout: time.Second}
	listener := place.listen(t)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	took := within(t, 5*time.Second, func() error { return b.Check(t.Context()) })
	t.Logf("found %v after it was there", took)
}

// place is a port on loopback that refuses connections until somebody listens, and
// that nobody else can have meanwhile: its socket is bound.
type place struct {
	address string
	socket  *os.File
}

func reserve(t *testing.T) place {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(fd)
	socket := os.NewFile(uintptr(fd), "reserved")
	t.Cleanup(func() { _ = socket.Close() })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return place{fmt.Sprint("127.0.0.1:", bound.(*syscall.SockaddrInet4).Port), socket}
}

func (p place) listen(t *testing.T) net.Listener {
	t.Helper()
	if err := syscall.Listen(int(p.socket.Fd()), 128); err != nil {
		t.Fatal(err)
	}
	l, err := net.FileListener(p.socket)
	if err != nil {
		t.Fatal(err)
	}
	// The socket takes connections for as long as either has it.
	if err := p.socket.Close(); err != nil {
		t.Fatal(err)
	}
	return l
}

// What a lease says is reckoned with, in a goroutine that nobody recovers.
func TestALeaseThatMakesNoSenseEndsNothing(t *testing.T) {
	for _, seconds := range []string{"-1", "-9223372036854775808", "0", "1", "9223372036854775807", "18446744074", "1e30", `"x"`} {
		for _, renewable := range []bool{true, false} {
			t.Run(fmt.Sprint(seconds, " ", renewable), func(t *testing.T) {
				t.Parallel()
				fake := vaultfake.Start(t)
				answer := fmt.Sprintf(`{"auth":{"client_token":%q,"lease_duration":%s,"renewable":%t}}`, vaultfake.RootToken, seconds, renewable)
				var asked atomic.Int64
				fake.Intercept(func(r *http.Request) *vaultfake.Fault {
					if !strings.HasSuffix(r.URL.Path, loginPath) && !strings.HasSuffix(r.URL.Path, renewPath) {
						return nil
					}
					asked.Add(1)
					return &vaultfake.Fault{Skip: true, Status: http.StatusOK, Body: answer}
				})
				cfg := fakeSite(fake).tokenConfig()
				cfg.Auth = vault.AuthConfig{Method: vault.MethodAppRole, RoleID: "r"}
				b := mustOpen(t, cfg)
				time.Sleep(time.Second)
				if err := b.Check(t.Context()); err != nil && seconds != "1e30" && seconds != `"x"` {
					t.Error(err)
				}
				if n := asked.Load(); n > 12 {
					t.Errorf("asked %d times in a second", n)
				}
			})
		}
	}
}
