// Package floor is what the service is measured against: the least that a server
// on net/http can do for a mint request. It belongs to the benchmarks; the binary
// does not link it.
package floor

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Body is the documented request, without a key id.
const Body = `{"provided_id": "customer_1", "embed_id": "abcde", "expiration": "PT1H", ` +
	`"rb_allowed_features": ["flt", "srt"], "disable_editable_section_editing": true, "embed_origin": "https://your-domain.com/"}`

type request struct {
	ProvidedID     string   `json:"provided_id"`
	EmbedID        string   `json:"embed_id"`
	Expiration     string   `json:"expiration"`
	Features       []string `json:"rb_allowed_features"`
	DisableEditing bool     `json:"disable_editable_section_editing"`
	EmbedOrigin    string   `json:"embed_origin"`
}

type claims struct {
	Cst string   `json:"cst"`
	Dsh string   `json:"dsh"`
	Exp int64    `json:"exp"`
	Iat int64    `json:"iat"`
	Iss string   `json:"iss"`
	Rbc []string `json:"rbc"`
	Des bool     `json:"des"`
}

// Handler decodes the body with encoding/json and seals with the standard library,
// under a key of its own, and does nothing else.
func Handler() (http.Handler, error) {
	block, err := aes.NewCipher([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		return nil, fmt.Errorf("floor: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("floor: %w", err)
	}
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"dir","enc":"A256GCM","kid":"aa111111-1a11-111a-aa11-1aaaa11a1a11"}`))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked request
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		now := time.Now().Unix()
		plain, err := json.Marshal(claims{asked.ProvidedID, asked.EmbedID, now + 3600, now, asked.EmbedOrigin, asked.Features, asked.DisableEditing})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		iv := make([]byte, aead.NonceSize())
		_, _ = rand.Read(iv) // never fails
		sealed := aead.Seal(nil, iv, plain, []byte(header))
		cut := len(sealed) - aead.Overhead()
		encode := base64.RawURLEncoding.EncodeToString
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"success": 1, "jwt": "%s..%s.%s.%s"}`, header, encode(iv), encode(sealed[:cut]), encode(sealed[cut:]))
	}), nil
}

// Empty answers every request at once, and reads nothing of it: what net/http
// itself costs.
func Empty() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
}
