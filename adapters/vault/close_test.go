package vault_test

import (
	"runtime"
	"testing"
	"time"

	"embedseal/adapters/vault"
	"embedseal/adapters/vault/vaultfake"
)

func TestNothingGoesOnAfterClosing(t *testing.T) {
	fake := vaultfake.Start(t)
	away := fakeSite(fake).tokenConfig()
	away.Addresses, away.CallTimeout = []string{"http://127.0.0.1:1"}, 50*time.Millisecond
	before := runtime.NumGoroutine()
	for range 20 {
		for _, cfg := range []vault.Config{fakeSite(fake).tokenConfig(), away} {
			_, closing, err := vault.Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			closing()
			closing() // once more does no harm
		}
	}
	fakeRequests := fake.Requests()
	within(t, 10*time.Second, func() error {
		if n := runtime.NumGoroutine(); n > before+10 {
			return errLeft(n - before)
		}
		return nil
	})
	if n := fake.Requests(); n != fakeRequests {
		t.Errorf("%d requests were made after closing", n-fakeRequests)
	}
}

type errLeft int

func (errLeft) Error() string { return "goroutines are left" }
