package vault_test

import (
	"encoding/base64"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	"embedseal/adapters/vault"
	"embedseal/adapters/vault/vaulttest"
	"embedseal/domain/key"
	"embedseal/domain/secret"
)

// benchBackend is a real Vault, and the backend that is measured on it.
func benchBackend(b *testing.B) (*vaulttest.Server, *vault.Backend) {
	b.Helper()
	server := vaulttest.Dev(b)
	backend, closing, err := vault.Open(b.Context(), vault.Config{
		Addresses: []string{server.Address}, Prefix: "bench",
		Auth: vault.AuthConfig{Method: vault.MethodToken, Token: secret.New(server.Token)},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(closing)
	return server, backend
}

// BenchmarkTransitSeal sets the cipher beside a loop that does nothing but
// transit/encrypt with the same client library and as many callers. They take
// turns, and the ratio is the median over the turns, as a machine is not
// equally fast all the time.
func BenchmarkTransitSeal(b *testing.B) {
	const callers, batch, turns = 32, 40, 11 // rounds of each caller in a turn
	server, backend := benchBackend(b)
	k, err := vault.NewCustody(backend).Create(b.Context(), "acme", "k1")
	if err != nil {
		b.Fatal(err)
	}
	client, err := vaultapi.NewClient(&vaultapi.Config{
		Address: server.Address, MaxRetries: 0,
		HttpClient: &http.Client{Transport: &http.Transport{MaxIdleConns: 4 * callers, MaxIdleConnsPerHost: callers}},
	})
	if err != nil {
		b.Fatal(err)
	}
	client.SetToken(server.Token)
	ours, bare := sealLoop(b, vault.NewCipher(backend), k), bareLoop(b, client)
	var oursTook, bareTook time.Duration
	var ratios []float64
	for b.Loop() {
		for range turns {
			var bareNow, oursNow time.Duration
			if len(ratios)%2 == 0 { // neither is always the first
				bareNow, oursNow = together(callers, batch, bare), together(callers, batch, ours)
			} else {
				oursNow, bareNow = together(callers, batch, ours), together(callers, batch, bare)
			}
			oursTook, bareTook = oursTook+oursNow, bareTook+bareNow
			ratios = append(ratios, bareNow.Seconds()/oursNow.Seconds())
		}
	}
	sealed := float64(len(ratios) * callers * batch)
	slices.Sort(ratios)
	b.ReportMetric(sealed/oursTook.Seconds(), "seals/s")
	b.ReportMetric(sealed/bareTook.Seconds(), "bare/s")
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(ratios[len(ratios)/4], "ratio-p25")
	b.ReportMetric(ratios[len(ratios)*3/4], "ratio-p75")
}

func sealLoop(b *testing.B, cipher *vault.Cipher, k key.Key) func() {
	return func() {
		if _, err := cipher.Seal(b.Context(), "acme", key.NewSealer(k), []byte(transitClaims)); err != nil {
			b.Error(err)
		}
	}
}

func bareLoop(b *testing.B, client *vaultapi.Client) func() {
	header := base64.StdEncoding.EncodeToString([]byte(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"dir","enc":"A256GCM","kid":"k1"}`))))
	plaintext := base64.StdEncoding.EncodeToString([]byte(transitClaims))
	return func() {
		_, err := client.Logical().WriteWithContext(b.Context(), "transit/encrypt/bench.acme.k1", map[string]any{
			"plaintext": plaintext, "associated_data": header, "key_version": 1,
		})
		if err != nil {
			b.Error(err)
		}
	}
}

// together is how long so many callers take who each do it rounds times.
func together(callers, rounds int, do func()) time.Duration {
	began := time.Now()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range rounds {
				do()
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}
