package main

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/token"
)

// verifying is a question about a token that run has made, and the token.
func (run bench) verifying(b *testing.B) (inquiry, string) {
	b.Helper()
	caller, err := app.NewAuthenticator(run.stores.Groups, app.NewLastUse(run.stores.Groups, run.clock), run.clock).
		Authenticate(b.Context(), run.token.Reveal(), apitoken.Verify, netip.Addr{})
	must(b, err)
	defaults := app.NewDefaultKeys(run.stores.Keys, run.stores.Custody, nil, run.clock, nil)
	minter := app.NewMinter(run.stores.Keys, defaults, run.stores.Cipher, run.auditor, run.clock, token.ChartClaim{})
	customer, embed, origin := "customer_1", "abcde", "https://your-domain.com/"
	made, err := minter.Mint(b.Context(), app.Call{}, caller, token.Draft{
		ProvidedID: &customer, EmbedID: &embed, EmbedOrigin: &origin, Features: []string{"flt", "srt"},
	})
	must(b, err)
	return posting(verifyPath, run.token.Reveal(), `{"jwt": "`+string(made.Text)+`", "embed_origin": "https://your-domain.com/", "embed_id": "abcde"}`),
		string(made.Text)
}

// BenchmarkHTTPVerify is POST /api/verify_jwt/ on the road that BenchmarkHTTPMint
// takes.
func BenchmarkHTTPVerify(b *testing.B) {
	run := newBench(b)
	q, _ := run.verifying(b)
	benchmarkHTTP(b, run.service.Server.Handler(), q)
}

// BenchmarkHTTPVerifyFloor is the least that can be done: net/http, the same body
// decoded with encoding/json, opened with the standard library, answered.
func BenchmarkHTTPVerifyFloor(b *testing.B) {
	q, handler := verifyFloor(b)
	benchmarkHTTP(b, handler, q)
}

// BenchmarkHTTPVerifyRatio runs both in turns, and reports how much of the floor's
// requests per second the product makes.
func BenchmarkHTTPVerifyRatio(b *testing.B) {
	run := newBench(b)
	ours, _ := run.verifying(b)
	least, handler := verifyFloor(b)
	floor, verify := serveHTTP(b, handler), serveHTTP(b, run.service.Server.Handler())
	var floorRate, verifyRate float64
	rounds := 0
	for b.Loop() {
		for range 5 {
			floorRate += press(b, floor, least, 500*time.Millisecond)
			verifyRate += press(b, verify, ours, 500*time.Millisecond)
			rounds++
		}
	}
	b.ReportMetric(floorRate/float64(rounds), "floor-req/s")
	b.ReportMetric(verifyRate/float64(rounds), "verify-req/s")
	b.ReportMetric(verifyRate/floorRate, "verify/floor")
	b.ReportMetric(0, "ns/op")
}

// verifyFloor trusts its input, which the product may not.
func verifyFloor(b *testing.B) (inquiry, http.Handler) {
	b.Helper()
	block, err := aes.NewCipher([]byte(vectorSecret))
	must(b, err)
	aead, err := cipher.NewGCM(block)
	must(b, err)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			JWT    string `json:"jwt"`
			Origin string `json:"embed_origin"`
			Embed  string `json:"embed_id"`
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		parts := strings.Split(asked.JWT, ".")
		bytes := func(i int) []byte {
			data, err := base64.RawURLEncoding.DecodeString(parts[i])
			if err != nil {
				return nil
			}
			return data
		}
		plain, err := aead.Open(nil, bytes(2), append(bytes(3), bytes(4)...), []byte(parts[0]))
		var claims map[string]any
		if err != nil || json.Unmarshal(plain, &claims) != nil || claims["dsh"] != asked.Embed {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"success": 1, "active": true, "claims": claims})
	})
	return posting(verifyPath, "x", `{"jwt": "`+vector12+`", "embed_origin": "https://your-domain.com/", "embed_id": "abcde"}`), handler
}
