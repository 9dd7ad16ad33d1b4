package main

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"embedseal/app"
	"embedseal/domain/apitoken"
	"embedseal/domain/token"
)

// BenchmarkHTTPForwardFloor is the least that can answer a proxy: net/http, the
// token cut out of the address, opened with the standard library, decoded with
// encoding/json, answered.
func BenchmarkHTTPForwardFloor(b *testing.B) {
	handler, text := floorForward(b)
	benchmarkHTTP(b, handler, forwardInquiry("x", text))
}

// BenchmarkHTTPForward is the product on the same road.
func BenchmarkHTTPForward(b *testing.B) {
	run := newBench(b)
	benchmarkHTTP(b, run.service.Server.Handler(), forwardInquiry(run.token.Reveal(), run.embedded(b)))
}

// BenchmarkHTTPForwardRatio runs both in turns, and reports how much of the floor's
// requests per second the product makes.
func BenchmarkHTTPForwardRatio(b *testing.B) {
	run := newBench(b)
	handler, text := floorForward(b)
	floor, forward := serveHTTP(b, handler), serveHTTP(b, run.service.Server.Handler())
	least, ours := forwardInquiry("x", text), forwardInquiry(run.token.Reveal(), run.embedded(b))
	var floorRate, forwardRate float64
	rounds := 0
	for b.Loop() {
		for range 5 {
			floorRate += press(b, floor, least, 500*time.Millisecond)
			forwardRate += press(b, forward, ours, 500*time.Millisecond)
			rounds++
		}
	}
	b.ReportMetric(floorRate/float64(rounds), "floor-req/s")
	b.ReportMetric(forwardRate/float64(rounds), "forward-req/s")
	b.ReportMetric(forwardRate/floorRate, "forward/floor")
	b.ReportMetric(0, "ns/op")
}

// embedded is an embed token of the group, with everything in it.
func (run bench) embedded(b *testing.B) string {
	b.Helper()
	auth := app.NewAuthenticator(run.stores.Groups, app.NewLastUse(run.stores.Groups, run.clock), run.clock)
	caller, err := auth.Authenticate(b.Context(), run.token.Reveal(), apitoken.Mint, netip.Addr{})
	must(b, err)
	customer, embed, lifetime, origin, yes := "customer_1", "abcde", "PT1H", "https://your-domain.com/", true
	minted, err := app.NewMinter(run.stores.Keys, nil, run.stores.Cipher, run.auditor, run.clock, token.ChartClaim{}).
		Mint(b.Context(), app.Call{RequestID: "bench"}, caller, token.Draft{
			ProvidedID: &customer, EmbedID: &embed, Expiration: &lifetime, EmbedOrigin: &origin,
			Features: []string{"flt", "srt"}, DisableEditing: &yes,
		})
	must(b, err)
	return string(minted.Text)
}

// forwardInquiry is what nginx asks.
func forwardInquiry(apiToken, text string) inquiry {
	return func(address string) []byte {
		return fmt.Appendf(nil, "GET /api/forward_auth/ HTTP/1.1\r\nHost: %s\r\nExplo-Authorization: Token %s\r\n"+
			"X-Original-URI: /iframe/%s/production?page=1\r\nCookie: theme=dark\r\nUser-Agent: bench\r\n\r\n", address, apiToken, text)
	}
}

// floorForward is that handler, and a token for it.
func floorForward(b *testing.B) (http.Handler, string) {
	b.Helper()
	block, err := aes.NewCipher([]byte("0123456789abcdef0123456789abcdef"))
	must(b, err)
	aead, err := cipher.NewGCM(block)
	must(b, err)
	encode, decode := base64.RawURLEncoding.EncodeToString, base64.RawURLEncoding.DecodeString
	header := encode([]byte(`{"alg":"dir","enc":"A256GCM","kid":"aa111111-1a11-111a-aa11-1aaaa11a1a11"}`))
	iv := make([]byte, 12)
	sealed := aead.Seal(nil, iv, fmt.Appendf(nil, `{"cst":"customer_1","dsh":"abcde","exp":%d,"iss":"https://your-domain.com/","rbc":["flt","srt"],"des":true}`,
		time.Now().Add(time.Hour).Unix()), []byte(header))
	cut := len(sealed) - 16
	text := header + ".." + encode(iv) + "." + encode(sealed[:cut]) + "." + encode(sealed[cut:])
	type claims struct {
		Cst string   `json:"cst"`
		Dsh string   `json:"dsh"`
		Exp int64    `json:"exp"`
		Iss string   `json:"iss"`
		Rbc []string `json:"rbc"`
		Des bool     `json:"des"`
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse := func(err error) { http.Error(w, fmt.Sprint(err), http.StatusForbidden) }
		parts := strings.Split(strings.Split(r.Header.Get("X-Original-URI"), "/")[2], ".")
		iv, err := decode(parts[2])
		if err != nil {
			refuse(err)
			return
		}
		sealed, err := decode(parts[3])
		if err != nil {
			refuse(err)
			return
		}
		tag, err := decode(parts[4])
		if err != nil {
			refuse(err)
			return
		}
		plain, err := aead.Open(nil, iv, append(sealed, tag...), []byte(parts[0]))
		if err != nil {
			refuse(err)
			return
		}
		var c claims
		if err := json.Unmarshal(plain, &c); err != nil || time.Now().Unix() >= c.Exp {
			refuse(err)
			return
		}
		out := w.Header()
		out.Set("X-Embed-Customer", c.Cst)
		out.Set("X-Embed-Id", c.Dsh)
		out.Set("X-Embed-Features", strings.Join(c.Rbc, ","))
		out.Set("X-Embed-Editing", fmt.Sprint(!c.Des))
		out.Set("X-Embed-Expires", time.Unix(c.Exp, 0).UTC().Format(time.RFC3339))
		out.Set("Content-Security-Policy", "frame-ancestors "+c.Iss)
		out.Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
	}), text
}
