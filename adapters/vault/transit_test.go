package vault_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/lestrrat-go/jwx/v3/jwa"
	jwxjwe "github.com/lestrrat-go/jwx/v3/jwe"

	"embedseal/adapters/jose"
	"embedseal/adapters/vault"
	"embedseal/adapters/vault/vaultfake"
	"embedseal/domain/group"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/domain/secret"
	"embedseal/ports"
	"embedseal/ports/porttest"
)

const transitClaims = `{"cst":"customer_1","dsh":"abcde","exp":4102444800}`

// transitPolicy is what a replica needs that makes keys in Transit, too.
func transitPolicy(prefix string) string {
	return fmt.Sprintf(`
path "secret/data/%[1]s/*" { capabilities = ["create", "read", "update"] }
path "transit/encrypt/%[1]s.*" { capabilities = ["update"] }
path "transit/decrypt/%[1]s.*" { capabilities = ["update"] }
path "transit/keys/%[1]s.*" { capabilities = ["read", "update", "delete"] }
`, prefix)
}

// withPolicy is a configuration of the site with a token of that policy.
func (s *site) withPolicy(t *testing.T, prefix, hcl string) vault.Config {
	t.Helper()
	s.do(t, http.MethodPut, "sys/policies/acl/"+prefix, fmt.Sprintf(`{"policy":%q}`, hcl))
	cfg := s.tokenConfig()
	cfg.Prefix = prefix
	cfg.Auth.Token = secret.New(s.newToken(t, fmt.Sprintf(`{"policies":[%q]}`, prefix)))
	return cfg
}

func (s *site) transit(t *testing.T) (*vault.Cipher, *vault.Custody, vault.Config) {
	t.Helper()
	prefix := newPrefix()
	return s.transitWith(t, s.withPolicy(t, prefix, transitPolicy(prefix)))
}

func (s *site) transitWith(t *testing.T, cfg vault.Config) (*vault.Cipher, *vault.Custody, vault.Config) {
	t.Helper()
	b := mustOpen(t, cfg)
	return vault.NewCipher(b), vault.NewCustody(b), cfg
}

// transitKey is a key as the ring has it of a custody with that prefix.
func transitKey(prefix string, id key.ID) key.Key {
	return key.Key{ID: id, State: key.Active, Custody: key.VaultTransit, Ref: prefix + ".acme." + string(id) + ":1"}
}

func mustCreate(t *testing.T, c *vault.Custody, g group.ID, id key.ID) key.Key {
	t.Helper()
	k, err := c.Create(t.Context(), g, id)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func mustSeal(t *testing.T, c *vault.Cipher, k key.Key) jwe.Compact {
	t.Helper()
	text, err := c.Seal(t.Context(), "acme", key.NewSealer(k), []byte(transitClaims))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwe.ParseCompact(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestTransitCipherAndCustody(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		porttest.CustodyCipher(t, func(t *testing.T) (ports.TokenCipher, ports.KeyCustody) {
			cipher, custody, _ := s.transit(t)
			return cipher, custody
		})
	})
}

func TestAnyJOSELibraryWithTheExportedKeyOpensAToken(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		cipher, _, cfg := s.transit(t)
		name := "transit/%s/" + cfg.Prefix + ".acme.k1"
		s.do(t, http.MethodPut, fmt.Sprintf(name, "keys"), `{"type":"aes256-gcm96","exportable":true}`)
		export := s.do(t, http.MethodGet, "transit/export/encryption-key/"+cfg.Prefix+".acme.k1", "")
		versions, _ := export.member(t, "data")["keys"].(map[string]any)
		encoded, _ := versions["1"].(string)
		material, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(material) != key.SecretSize {
			t.Fatalf("exported %d bytes, %v", len(material), err)
		}
		// A rotation does not change what a kid is.
		s.do(t, http.MethodPut, fmt.Sprintf(name, "keys")+"/rotate", "{}")
		token := mustSeal(t, cipher, transitKey(cfg.Prefix, "k1"))

		object, err := gojose.ParseEncryptedCompact(token.Text(), []gojose.KeyAlgorithm{gojose.DIRECT}, []gojose.ContentEncryption{gojose.A256GCM})
		if err != nil {
			t.Fatal(err)
		}
		got, err := object.Decrypt(material)
		if err != nil || string(got) != transitClaims || object.Header.KeyID != "k1" {
			t.Errorf("go-jose opened %q of kid %q, %v", got, object.Header.KeyID, err)
		}
		opened, err := jwxjwe.Decrypt([]byte(token.Text()), jwxjwe.WithKey(jwa.DIRECT(), material))
		if err != nil || string(opened) != transitClaims {
			t.Errorf("jwx opened %q, %v", opened, err)
		}
		inHand := key.Key{ID: "k1", State: key.Active, Custody: key.Material, Secret: key.Secret{Text: secret.New(string(material))}}
		got, err = jose.New().Open(t.Context(), "acme", inHand, token)
		if err != nil || string(got) != transitClaims {
			t.Errorf("jose opened %q, %v", got, err)
		}
		// And the other way: what is sealed with the exported key opens here.
		text, err := jose.New().Seal(t.Context(), "acme", key.NewSealer(inHand), []byte(transitClaims))
		if err != nil {
			t.Fatal(err)
		}
		if token, err = jwe.ParseCompact(string(text)); err != nil {
			t.Fatal(err)
		}
		if got, err = cipher.Open(t.Context(), "acme", transitKey(cfg.Prefix, "k1"), token); err != nil || string(got) != transitClaims {
			t.Errorf("Transit opened %q, %v", got, err)
		}
	})
}

func TestACreatedKeyCannotBeExported(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		_, custody, cfg := s.transit(t)
		mustCreate(t, custody, "acme", "k1")
		if r := s.ask(t, s.token, http.MethodGet, "transit/export/encryption-key/"+cfg.Prefix+".acme.k1", ""); r.status == http.StatusOK {
			t.Errorf("exported: %s", r.body)
		}
		data := s.do(t, http.MethodGet, "transit/keys/"+cfg.Prefix+".acme.k1", "").member(t, "data")
		for member, want := range map[string]any{
			"type": "aes256-gcm96", "exportable": false, "allow_plaintext_backup": false, "derived": false,
			"deletion_allowed": false, "latest_version": float64(1),
		} {
			if data[member] != want {
				t.Errorf("%s is %v, want %v", member, data[member], want)
			}
		}
	})
}

func TestAKeyThatTransitLostIsRefusedAndNotMadeAnew(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		cipher, custody, cfg := s.transit(t)
		k := mustCreate(t, custody, "acme", "k1")
		token := mustSeal(t, cipher, k)
		if err := custody.Destroy(t.Context(), "acme", k); err != nil {
			t.Fatal(err)
		}
		// k is a copy that has not heard of it.
		text, err := cipher.Seal(t.Context(), "acme", key.NewSealer(k), []byte(transitClaims))
		if !errors.Is(err, ports.ErrCustody) || errors.Is(err, ports.ErrUnavailable) || text != nil {
			t.Errorf("sealed %q, %v, want %v", text, err, ports.ErrCustody)
		}
		claims, err := cipher.Open(t.Context(), "acme", k, token)
		if !errors.Is(err, ports.ErrCustody) || errors.Is(err, ports.ErrBadTag) || claims != nil {
			t.Errorf("opened %q, %v, want %v", claims, err, ports.ErrCustody)
		}
		if r := s.ask(t, s.token, http.MethodGet, "transit/keys/"+cfg.Prefix+".acme.k1", ""); r.status != http.StatusNotFound {
			t.Errorf("the key is there: %d %s", r.status, r.body)
		}
	})
}

func TestATokenThatMayDoEverythingMakesNoMissingKeyEither(t *testing.T) {
	s := realSite(t)
	cfg := s.tokenConfig()
	cipher := vault.NewCipher(mustOpen(t, cfg))
	if _, err := cipher.Seal(t.Context(), "acme", key.NewSealer(transitKey(cfg.Prefix, "k1")), []byte(transitClaims)); !errors.Is(err, ports.ErrCustody) {
		t.Errorf("got %v, want %v", err, ports.ErrCustody)
	}
	if r := s.ask(t, s.token, http.MethodGet, "transit/keys/"+cfg.Prefix+".acme.k1", ""); r.status != http.StatusNotFound {
		t.Errorf("the key is there: %d %s", r.status, r.body)
	}
}

func TestAnotherKeyOfThatNameIsNotUsed(t *testing.T) {
	s := realSite(t)
	cipher, custody, cfg := s.transit(t)
	for id, settings := range map[string]string{
		"other-type": `{"type":"chacha20-poly1305"}`,
		"derived":    `{"type":"aes256-gcm96","derived":true}`,
		"too-new":    `{}`,
	} {
		name := "transit/keys/" + cfg.Prefix + ".acme." + id
		s.do(t, http.MethodPut, name, settings)
		if id == "too-new" {
			s.do(t, http.MethodPut, name+"/rotate", "{}")
			s.do(t, http.MethodPut, name+"/config", `{"min_decryption_version":2,"min_encryption_version":2}`)
		}
		if _, err := custody.Create(t.Context(), "acme", key.ID(id)); !errors.Is(err, ports.ErrExists) {
			t.Errorf("%s: created: %v", id, err)
		}
		if id == "other-type" {
			continue // ChaCha20-Poly1305 looks alike to whoever seals; Create never made one
		}
		if _, err := cipher.Seal(t.Context(), "acme", key.NewSealer(transitKey(cfg.Prefix, key.ID(id))), []byte(transitClaims)); !errors.Is(err, ports.ErrCustody) {
			t.Errorf("%s: sealed: %v", id, err)
		}
	}
}

func TestWhatCannotBeInTransitIsRefusedWithoutACall(t *testing.T) {
	fake := vaultfake.Start(t)
	s := fakeSite(fake)
	cfg := s.tokenConfig()
	nested := cfg
	nested.Prefix = "apps/embedseal"
	for name, tt := range map[string]struct {
		cfg   vault.Config
		group group.ID
		id    key.ID
	}{
		"no id":                       {cfg, "acme", ""},
		"an id with a slash":          {cfg, "acme", "a/b"},
		"an id that ends with a dot":  {cfg, "acme", "a."},
		"an id that begins with one":  {cfg, "acme", ".a"},
		"an id that ends in a hyphen": {cfg, "acme", "a-"},
		"two dots in a row":           {cfg, "acme", "a..b"},
		"no group":                    {cfg, "", "k1"},
		"a group that is none":        {cfg, "a/b", "k1"},
		"a prefix of two folders":     {nested, "acme", "k1"},
	} {
		t.Run(name, func(t *testing.T) {
			b := mustOpen(t, tt.cfg)
			cipher, custody := vault.NewCipher(b), vault.NewCustody(b)
			before := fake.Requests()
			_, sealErr := cipher.Seal(t.Context(), tt.group, key.NewSealer(transitKey(tt.cfg.Prefix, tt.id)), []byte(transitClaims))
			_, createErr := custody.Create(t.Context(), tt.group, tt.id)
			for _, err := range []error{sealErr, createErr, custody.Destroy(t.Context(), tt.group, transitKey(tt.cfg.Prefix, tt.id))} {
				if !errors.Is(err, ports.ErrCustody) {
					t.Errorf("got %v, want %v", err, ports.ErrCustody)
				}
			}
			if made := fake.Requests() - before; made != 0 {
				t.Errorf("%d requests were made", made)
			}
		})
	}
}

func TestALongIVIsRefusedWithoutACall(t *testing.T) {
	fake := vaultfake.Start(t)
	cipher, _, _ := fakeSite(fake).transit(t)
	before := fake.Requests()
	for _, v := range porttest.Vectors() {
		if v.IVSize != 16 {
			continue
		}
		token, err := jwe.ParseCompact(v.Token)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cipher.Open(t.Context(), "acme", transitKey("svc", v.Key.ID), token); !errors.Is(err, ports.ErrCustody) {
			t.Errorf("got %v, want %v", err, ports.ErrCustody)
		}
	}
	if made := fake.Requests() - before; made != 0 {
		t.Errorf("%d requests were made", made)
	}
}

func TestWhateverKeepsTransitAwayIsCustodyUnavailable(t *testing.T) {
	fake := vaultfake.Start(t)
	cipher, custody, _ := fakeSite(fake).transit(t)
	k := mustCreate(t, custody, "acme", "k1")
	token := mustSeal(t, cipher, k)
	const spill = "what-the-server-repeats"
	for name, fault := range map[string]vaultfake.Fault{
		"sealed":                {Status: 503, Body: `{"errors":["Vault is sealed"]}`},
		"denied":                {Status: 403, Body: "{\"errors\":[\"1 error occurred:\\n\\t* permission denied\\n\\n\"]}"},
		"limited":               {Status: 429, Body: `{"errors":["quota exceeded"]}`},
		"broken":                {Status: 500, Body: `{"errors":["` + spill + `"]}`},
		"lost":                  {Lost: true},
		"cut":                   {Cut: true},
		"no JSON":               {Status: 200, Body: spill},
		"no data":               {Status: 200, Body: `{}`},
		"another version":       {Status: 200, Body: `{"data":{"ciphertext":"vault:v2:AAAA","plaintext":"!"}}`},
		"too short":             {Status: 200, Body: `{"data":{"ciphertext":"vault:v1:AAAA","plaintext":"AAAA"}}`},
		"nothing":               {Status: 204, Body: " "},
		"a proxy that is no JS": {Status: 502, Body: "<html>" + spill},
	} {
		fake.Intercept(func(r *http.Request) *vaultfake.Fault {
			if strings.Contains(r.URL.Path, "/transit/encrypt/") || strings.Contains(r.URL.Path, "/transit/decrypt/") {
				return &fault
			}
			return nil
		})
		text, sealErr := cipher.Seal(t.Context(), "acme", key.NewSealer(k), []byte(transitClaims))
		claims, openErr := cipher.Open(t.Context(), "acme", k, token)
		for _, err := range []error{sealErr, openErr} {
			if !errors.Is(err, ports.ErrCustodyUnavailable) || !errors.Is(err, ports.ErrUnavailable) || errors.Is(err, ports.ErrBadTag) {
				t.Errorf("%s: got %v, want %v", name, err, ports.ErrCustodyUnavailable)
			}
			if err != nil && strings.Contains(err.Error(), spill) {
				t.Errorf("%s: the error repeats what the server said: %v", name, err)
			}
		}
		if text != nil || claims != nil {
			t.Errorf("%s: got %q and %q", name, text, claims)
		}
	}
	fake.Intercept(nil)
	mustSeal(t, cipher, k)
}

func TestOneLostAnswerFailsNoSeal(t *testing.T) {
	fake := vaultfake.Start(t)
	cipher, custody, _ := fakeSite(fake).transit(t)
	k := mustCreate(t, custody, "acme", "k1")
	var asked atomic.Int64
	fake.Intercept(func(*http.Request) *vaultfake.Fault {
		return &vaultfake.Fault{Lost: asked.Add(1) == 1}
	})
	mustSeal(t, cipher, k)
	if asked.Load() != 2 {
		t.Errorf("%d requests, want 2", asked.Load())
	}
}

func TestWhoeverStopsWaitingForASealIsToldSo(t *testing.T) {
	cipher, _, _ := fakeSite(vaultfake.Start(t)).transit(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := cipher.Seal(ctx, "acme", key.NewSealer(transitKey("svc", "k1")), []byte(transitClaims)); err != context.Canceled { //nolint:errorlint // as it is
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}
