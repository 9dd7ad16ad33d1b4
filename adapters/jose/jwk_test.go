package jose_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"embedseal/adapters/jose"
	"embedseal/domain/key"
	"embedseal/ports"
	"embedseal/ports/porttest"
)

func TestAnExportedKeyHasNoAlgAndIsImportedAsItWas(t *testing.T) {
	k := porttest.MaterialKey("k1", porttest.VectorSecret)
	data, err := jose.ExportJWK(k)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"kty":"oct","kid":"k1","k":"` + base64.RawURLEncoding.EncodeToString([]byte(porttest.VectorSecret)) + `"}`
	if string(data) != want {
		t.Errorf("got %s, want %s", data, want)
	}
	id, value, err := jose.ImportJWK(data)
	if err != nil || id != k.ID || !value.Equal(k.Secret) {
		t.Errorf("imported as %s, the same value %t, %v", id, value.Equal(k.Secret), err)
	}
}

func TestWhatMayStandInAnImportedKey(t *testing.T) {
	k := base64.RawURLEncoding.EncodeToString([]byte(porttest.VectorSecret))
	for name, text := range map[string]string{
		"alg of the content":      `{"kty":"oct","kid":"k1","alg":"A256GCM","k":"` + k + `"}`,
		"alg of the key":          `{"kty":"oct","kid":"k1","alg":"dir","k":"` + k + `"}`,
		"use for encryption":      `{"kty":"oct","kid":"k1","use":"enc","k":"` + k + `"}`,
		"members of other makers": `{"kty":"oct","kid":"k1","key_ops":["encrypt","decrypt"],"note":"x","k":"` + k + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			id, value, err := jose.ImportJWK([]byte(text))
			if err != nil || id != "k1" || value.Reveal() != porttest.VectorSecret {
				t.Errorf("got %s, the value %t, %v", id, value.Reveal() == porttest.VectorSecret, err)
			}
		})
	}
	t.Run("no kid", func(t *testing.T) {
		id, value, err := jose.ImportJWK([]byte(`{"kty":"oct","k":"` + k + `"}`))
		if err != nil || id != "" || value.Reveal() != porttest.VectorSecret {
			t.Errorf("got %q, %v", id, err)
		}
	})
}

func TestWhatIsRefusedAsAnImportedKey(t *testing.T) {
	k := base64.RawURLEncoding.EncodeToString([]byte(porttest.VectorSecret))
	short := base64.RawURLEncoding.EncodeToString([]byte(porttest.VectorSecret[:31]))
	binary := base64.RawURLEncoding.EncodeToString([]byte(porttest.VectorSecret[:31] + "\x00"))
	for name, text := range map[string]string{
		"nothing":                   ``,
		"null":                      `null`,
		"an array":                  `[]`,
		"an empty object":           `{}`,
		"no kty":                    `{"kid":"k1","k":"` + k + `"}`,
		"no k":                      `{"kty":"oct","kid":"k1"}`,
		"k is a number":             `{"kty":"oct","kid":"k1","k":12345678901234567890}`,
		"k is null":                 `{"kty":"oct","kid":"k1","k":null}`,
		"k is not base64url":        `{"kty":"oct","kid":"k1","k":"` + porttest.VectorSecret[:31] + `+"}`,
		"k is the value undecoded":  `{"kty":"oct","kid":"k1","k":"` + porttest.VectorSecret + `"}`,
		"a value of 31 bytes":       `{"kty":"oct","kid":"k1","k":"` + short + `"}`,
		"a value with a zero byte":  `{"kty":"oct","kid":"k1","k":"` + binary + `"}`,
		"k twice":                   `{"kty":"oct","kid":"k1","k":"` + k + `","k":"` + k + `"}`,
		"k in capitals":             `{"kty":"oct","kid":"k1","K":"` + k + `"}`,
		"another cipher":            `{"kty":"oct","kid":"k1","alg":"A128GCM","k":"` + k + `"}`,
		"a signing key":             `{"kty":"oct","kid":"k1","use":"sig","k":"` + k + `"}`,
		"a kid that is a path":      `{"kty":"oct","kid":"../k1","k":"` + k + `"}`,
		"a key set":                 `{"keys":[{"kty":"oct","kid":"k1","k":"` + k + `"}]}`,
		"an elliptic key":           `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
		"something after the key":   `{"kty":"oct","kid":"k1","k":"` + k + `"} {}`,
		"a key and 4 KiB of spaces": `{"kty":"oct","kid":"k1","k":"` + k + `"}` + strings.Repeat(" ", 4096),
		"deep nesting":              strings.Repeat("[", 4000),
	} {
		t.Run(name, func(t *testing.T) {
			id, value, err := jose.ImportJWK([]byte(text))
			if !errors.Is(err, key.ErrInvalid) || id != "" || !value.IsZero() {
				t.Fatalf("got %q, a value %t, %v", id, !value.IsZero(), err)
			}
			for _, secret := range []string{porttest.VectorSecret, porttest.VectorSecret[:31], k, "1234567890"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error quotes the value: %v", err)
				}
			}
		})
	}
}

func TestAKeyWhoseMaterialIsElsewhereIsNotExported(t *testing.T) {
	for _, k := range []key.Key{
		{ID: "k1", State: key.Active, Custody: key.VaultTransit},
		{ID: "k1", State: key.Destroyed, Custody: key.Material},
		{},
	} {
		if data, err := jose.ExportJWK(k); !errors.Is(err, ports.ErrCustody) || data != nil {
			t.Errorf("%s in custody %s: got %q, %v", k.State, k.Custody, data, err)
		}
	}
}
