package jose_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lestrrat-go/jwx/v3/jwa"
	jwxjwe "github.com/lestrrat-go/jwx/v3/jwe"

	"embedseal/adapters/jose"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/ports/porttest"
)

// claimShapes are what tokens hold, ours and those of others.
func claimShapes() map[string]string {
	return map[string]string{
		"the least":                     `{"cst":"customer_1","dsh":"abcde","exp":4102444800}`,
		"all we emit":                   `{"cst":"customer_1","dsh":"abcde","cht":"chart_1","exp":4102444800,"iat":1700000000,"rbc":["flt","srt"],"des":true,"iss":"https://your-domain.com/"}`,
		"no features":                   `{"cst":"customer_1","dsh":"abcde","exp":4102444800,"rbc":[]}`,
		"null for features":             `{"cst":"customer_1","dsh":"abcde","exp":4102444800,"rbc":null}`,
		"every feature, editing on":     `{"cst":"customer_1","dsh":"abcde","exp":4102444800,"rbc":["*"],"des":false}`,
		"a float expiry":                `{"exp": 4102444800.123456, "cst": "customer_1", "dsh": "abcde"}`,
		"characters beyond ASCII":       `{"cst":"Zoë 客户 😀 \u2028 \"\\ <&>","dsh":"abcde","exp":4102444800}`,
		"the longest identifiers":       `{"cst":"` + long('c') + `","dsh":"` + long('d') + `","exp":4102444800}`,
		"claims that nobody here knows": `{"cst":"c","dsh":"d","exp":4102444800,"x":{"y":[1,null,{}]}}`,
	}
}

func long(c byte) string {
	text := make([]byte, 256)
	for i := range text {
		text[i] = c
	}
	return string(text)
}

func TestPeersOpenWhatWeSeal(t *testing.T) {
	k := porttest.MaterialKey("aa111111-1a11-111a-aa11-1aaaa11a1a11", porttest.VectorSecret)
	for _, p := range peers() {
		t.Run(p.name, func(t *testing.T) {
			p.require(t)
			var jobs []job
			var want []string
			for _, claims := range claimShapes() {
				text, err := jose.New().Seal(t.Context(), "acme", key.NewSealer(k), []byte(claims))
				if err != nil {
					t.Fatal(err)
				}
				jobs = append(jobs, job{Op: "open", KeyID: string(k.ID), Key: porttest.VectorSecret, Token: string(text)})
				want = append(want, claims)
			}
			for i, got := range p.ask(t, jobs) {
				if got.Error != "" || got.Claims != want[i] {
					t.Errorf("opened %q to %q (%s)", want[i], got.Claims, got.Error)
				}
			}
		})
	}
}

func TestPeersRefuseATokenOfAnotherKey(t *testing.T) {
	other := porttest.MaterialKey("aa111111-1a11-111a-aa11-1aaaa11a1a11", "another-value-of-32-characters-x")
	text, err := jose.New().Seal(t.Context(), "acme", key.NewSealer(other), []byte(`{"cst":"c"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range peers() {
		t.Run(p.name, func(t *testing.T) {
			p.require(t)
			got := p.ask(t, []job{{Op: "open", KeyID: string(other.ID), Key: porttest.VectorSecret, Token: string(text)}})[0]
			if got.Error == "" {
				t.Errorf("opened it to %q", got.Claims)
			}
		})
	}
}

func TestWeOpenWhatPeersSeal(t *testing.T) {
	k := porttest.MaterialKey("aa111111-1a11-111a-aa11-1aaaa11a1a11", porttest.VectorSecret)
	for _, p := range peers() {
		t.Run(p.name, func(t *testing.T) {
			p.require(t)
			var jobs []job
			for _, claims := range claimShapes() {
				jobs = append(jobs, job{Op: "seal", KeyID: string(k.ID), Key: porttest.VectorSecret, Claims: claims})
			}
			for i, got := range p.ask(t, jobs) {
				if got.Error != "" {
					t.Fatalf("sealing %q: %s", jobs[i].Claims, got.Error)
				}
				token, err := jwe.ParseCompact(got.Token)
				if err != nil {
					t.Errorf("the gate refuses %q: %v", got.Token, err)
					continue
				}
				if token.Header().KeyID != string(k.ID) || len(token.IV()) != p.ivSize {
					t.Errorf("got kid %q and an IV of %d bytes, want %q and %d", token.Header().KeyID, len(token.IV()), k.ID, p.ivSize)
				}
				claims, err := jose.New().Open(t.Context(), "acme", k, token)
				if err != nil {
					t.Errorf("open: %v", err)
					continue
				}
				if diff := cmp.Diff(decode(t, jobs[i].Claims), decode(t, string(claims))); diff != "" {
					t.Errorf("claims (-sealed +opened):\n%s", diff)
				}
			}
		})
	}
}

func TestPeersOpenTheVectors(t *testing.T) {
	for _, p := range peers() {
		t.Run(p.name, func(t *testing.T) {
			p.require(t)
			var jobs []job
			for _, v := range porttest.Vectors() {
				jobs = append(jobs, job{Op: "open", KeyID: string(v.Key.ID), Key: v.Key.Secret.Reveal(), Token: v.Token})
			}
			for i, got := range p.ask(t, jobs) {
				v := porttest.Vectors()[i]
				if v.IVSize == 16 && !p.opensLongIV {
					if got.Error == "" {
						t.Errorf("%s: opened, and was known not to be", v.Name)
					}
					continue
				}
				if got.Error != "" || got.Claims != v.Claims {
					t.Errorf("%s: opened to %q (%s)", v.Name, got.Claims, got.Error)
				}
			}
		})
	}
}

func TestJWXAndWeOpenOneAnother(t *testing.T) {
	k := porttest.MaterialKey("aa111111-1a11-111a-aa11-1aaaa11a1a11", porttest.VectorSecret)
	withKey := jwxjwe.WithKey(jwa.DIRECT(), []byte(porttest.VectorSecret))
	for name, claims := range claimShapes() {
		t.Run(name, func(t *testing.T) {
			ours, err := jose.New().Seal(t.Context(), "acme", key.NewSealer(k), []byte(claims))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := jwxjwe.Decrypt(ours, withKey); err != nil || string(got) != claims {
				t.Errorf("jwx opened ours to %q, %v", got, err)
			}

			headers := jwxjwe.NewHeaders()
			if err := headers.Set(jwxjwe.KeyIDKey, string(k.ID)); err != nil {
				t.Fatal(err)
			}
			theirs, err := jwxjwe.Encrypt([]byte(claims), withKey,
				jwxjwe.WithContentEncryption(jwa.A256GCM()), jwxjwe.WithProtectedHeaders(headers))
			if err != nil {
				t.Fatal(err)
			}
			token, err := jwe.ParseCompact(string(theirs))
			if err != nil {
				t.Fatalf("the gate refuses %s: %v", theirs, err)
			}
			if got, err := jose.New().Open(t.Context(), "acme", k, token); err != nil || string(got) != claims {
				t.Errorf("we opened theirs to %q, %v", got, err)
			}
		})
	}
}

func decode(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}
