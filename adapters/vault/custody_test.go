package vault_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"embedseal/adapters/vault"
	"embedseal/adapters/vault/vaultfake"
	"embedseal/domain/key"
	"embedseal/ports"
)

// keyNames are the keys in Transit that the prefix begins.
func (s *site) keyNames(t *testing.T, prefix string) []string {
	t.Helper()
	r := s.ask(t, s.token, "LIST", "transit/keys", "")
	if r.status == http.StatusNotFound {
		return nil
	}
	all, _ := r.member(t, "data")["keys"].([]any)
	var names []string
	for _, n := range all {
		if name, _ := n.(string); strings.HasPrefix(name, prefix+".") {
			names = append(names, name)
		}
	}
	return names
}

func TestALostAnswerIsSettledWhateverWasApplied(t *testing.T) {
	for name, tt := range map[string]struct {
		method string
		skip   bool
	}{
		"created":           {http.MethodPut, false},
		"not created":       {http.MethodPut, true},
		"destroyed":         {http.MethodDelete, false},
		"not yet destroyed": {http.MethodDelete, true},
	} {
		t.Run(name, func(t *testing.T) {
			fake := vaultfake.Start(t)
			s := fakeSite(fake)
			prefix := newPrefix()
			patient := s.withPolicy(t, prefix, transitPolicy(prefix))
			patient.TryTimeout, patient.CallTimeout = 20*time.Second, 30*time.Second // nothing here is about time
			_, custody, cfg := s.transitWith(t, patient)
			var once sync.Once
			fake.Intercept(func(r *http.Request) *vaultfake.Fault {
				var f *vaultfake.Fault
				if r.Method == tt.method {
					once.Do(func() { f = &vaultfake.Fault{Lost: true, Skip: tt.skip} })
				}
				return f
			})
			k := mustCreate(t, custody, "acme", "k1")
			if names := s.keyNames(t, cfg.Prefix); len(names) != 1 {
				t.Fatalf("there are %q", names)
			}
			if err := custody.Destroy(t.Context(), "acme", k); err != nil {
				t.Fatal(err)
			}
			if names := s.keyNames(t, cfg.Prefix); len(names) != 0 {
				t.Errorf("there are %q", names)
			}
		})
	}
}

func TestAnOutcomeThatCannotBeReadIsUnknown(t *testing.T) {
	for _, method := range []string{http.MethodPut, http.MethodDelete} {
		fake := vaultfake.Start(t)
		s := fakeSite(fake)
		_, custody, _ := s.transit(t)
		there := mustCreate(t, custody, "acme", "there")
		var mu sync.Mutex
		lost := false
		fake.Intercept(func(r *http.Request) *vaultfake.Fault {
			mu.Lock()
			defer mu.Unlock()
			if strings.Contains(r.URL.Path, "/transit/keys/") && r.Method == method && !strings.HasSuffix(r.URL.Path, "/config") {
				lost = true
			}
			return &vaultfake.Fault{Lost: lost}
		})
		began, err := time.Now(), error(nil)
		if method == http.MethodPut {
			_, err = custody.Create(t.Context(), "acme", "k1")
		} else {
			err = custody.Destroy(t.Context(), "acme", there)
		}
		if !errors.Is(err, ports.ErrUnknownOutcome) || errors.Is(err, ports.ErrUnavailable) {
			t.Errorf("%s: got %v, want %v", method, err, ports.ErrUnknownOutcome)
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("%s: it took %s", method, took)
		}
	}
}

func TestAnOutageOfCustodyTellsWhich(t *testing.T) {
	for name, tt := range map[string]struct {
		fault vaultfake.Fault
		want  error
	}{
		"sealed": {vaultfake.Fault{Status: 503, Body: `{"errors":["Vault is sealed"]}`}, ports.ErrSealed},
		"denied": {vaultfake.Fault{Status: 403, Body: "{\"errors\":[\"1 error occurred:\\n\\t* permission denied\\n\\n\"]}"}, ports.ErrDenied},
		"away":   {vaultfake.Fault{Lost: true}, ports.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			fake := vaultfake.Start(t)
			s := fakeSite(fake)
			_, custody, cfg := s.transit(t)
			k := mustCreate(t, custody, "acme", "k1")
			fake.Intercept(func(*http.Request) *vaultfake.Fault { return &tt.fault })
			if made, err := custody.Create(t.Context(), "acme", "k2"); !errors.Is(err, tt.want) || made != (key.Key{}) {
				t.Errorf("create: got %v, want %v", err, tt.want)
			}
			if err := custody.Destroy(t.Context(), "acme", k); !errors.Is(err, tt.want) {
				t.Errorf("destroy: got %v, want %v", err, tt.want)
			}
			fake.Intercept(nil)
			if names := s.keyNames(t, cfg.Prefix); len(names) != 1 {
				t.Errorf("there are %q", names)
			}
		})
	}
}

func TestManyMayDestroyOneKeyAtOnce(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		_, custody, cfg := s.transit(t)
		k := mustCreate(t, custody, "acme", "k1")
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := custody.Destroy(t.Context(), "acme", k); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if names := s.keyNames(t, cfg.Prefix); len(names) != 0 {
			t.Errorf("there are %q", names)
		}
	})
}

func TestAKeyIsDestroyedWhenVaultSaysSoAndNotBefore(t *testing.T) {
	for _, body := range []string{"", "{}", `{"data":{"ok":true}}`, "<html>gone</html>"} {
		fake := vaultfake.Start(t)
		s := fakeSite(fake)
		_, custody, cfg := s.transit(t)
		k := mustCreate(t, custody, "acme", "k1")
		var once sync.Once
		fake.Intercept(func(r *http.Request) *vaultfake.Fault {
			var f *vaultfake.Fault
			if r.Method == http.MethodDelete {
				once.Do(func() { f = &vaultfake.Fault{Skip: true, Status: http.StatusOK, Body: body} })
			}
			return f
		})
		if err := custody.Destroy(t.Context(), "acme", k); err != nil {
			t.Errorf("%q: %v", body, err)
		}
		fake.Intercept(nil)
		if names := s.keyNames(t, cfg.Prefix); len(names) != 0 {
			t.Errorf("%q: it is said to be destroyed, and there are %q", body, names)
		}
	}
}

func TestAKeyIsFoundWhereItsRingSaysAfterThePrefixWasChanged(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		cfg := s.tokenConfig()
		k := mustCreate(t, vault.NewCustody(mustOpen(t, cfg)), "acme", "k1")
		cfg.Prefix = newPrefix()
		b := mustOpen(t, cfg)
		token := mustSeal(t, vault.NewCipher(b), k)
		if _, err := vault.NewCipher(b).Open(t.Context(), "acme", k, token); err != nil {
			t.Error(err)
		}
		for _, ref := range []string{"", "x", "svc.acme.k2:1", "svc.globex.k1:1", "svc.acme.k1:0", "svc.acme.k1:x", "a/b.acme.k1:1", ".acme.k1:1"} {
			stray := k
			stray.Ref = ref
			if _, err := vault.NewCipher(b).Seal(t.Context(), "acme", key.NewSealer(stray), []byte(transitClaims)); !errors.Is(err, ports.ErrCustody) {
				t.Errorf("%q: got %v", ref, err)
			}
		}
		if err := vault.NewCustody(b).Destroy(t.Context(), "acme", k); err != nil {
			t.Error(err)
		}
		if r := s.ask(t, s.token, http.MethodGet, "transit/keys/"+strings.TrimSuffix(k.Ref, ":1"), ""); r.status != http.StatusNotFound {
			t.Errorf("it is still there: %d", r.status)
		}
	})
}
