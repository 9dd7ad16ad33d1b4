package app_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"embedseal/adapters/jose"
	"embedseal/app"
	"embedseal/domain/group"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/domain/secret"
	"embedseal/domain/token"
	"embedseal/domain/verdict"
	"embedseal/ports"
)

// Two tokens that python-jose made, of one key: `exp` is a float, and the IV
// has 16 and 12 bytes.
const (
	peerKey  = "0123456789abcdef0123456789abcdef"
	peerKid  = "aa111111-1a11-111a-aa11-1aaaa11a1a11"
	header   = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiYWExMTExMTEtMWExMS0xMTFhLWFhMTEtMWFhYWExMWExYTExIn0.."
	longIV   = header + "AAECAwQFBgcICQoLDA0ODw.neT32Lhf5DX0v9y_iDokn_5opKLiltvTeD7XCQXAYEc37GGBqsIULaBLcblXakFME7jE_eEodhj4RYBevV7Q.cfkIAm1QBrR257kfGqwEdA"
	normalIV = header + "AAECAwQFBgcICQoL.VsfeBKk66Iyc7UGMRfvlPNY4LbYOj0C-FvCblttW2KaHixR9PMZjf_xAyQPrju8aDo_umSqKteBJIVcqeTli.uyAKVhXokFOOre_tMvRUJw"
)

func inspector() *app.Inspector {
	return app.NewInspector(jose.New(), stopped{now()}, token.ChartClaim{}, 0)
}

func value(text string) key.Secret { return key.Secret{Text: secret.New(text)} }

// sealed is a token with the canary's key, whatever its claims say.
func sealed(t *testing.T, claims string) string {
	t.Helper()
	text, err := jose.New().Seal(t.Context(), "", key.NewSealer(newKey("k1")), []byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestATokenOfAnotherLibraryIsTakenApart(t *testing.T) {
	for _, text := range []string{longIV, normalIV} {
		found := inspector().Inspect(t.Context(), text, value(peerKey), verdict.Presented{})
		if found.Problem != nil || !found.Opened || found.Compact.Header().KeyID != peerKid {
			t.Fatalf("opened %t, kid %q: %v", found.Opened, found.Compact.Header().KeyID, found.Problem)
		}
		if string(found.Payload) != `{"exp": 4102444800.123456, "cst": "customer_1", "dsh": "abcde"}` {
			t.Errorf("the payload is %s", found.Payload)
		}
		if found.Claims.Customer != "customer_1" || found.Claims.Embed != "abcde" || found.Left != found.Claims.ExpiresAt.Sub(now()) || found.Left < 6e5*time.Hour {
			t.Errorf("got %+v, %s left", found.Claims, found.Left)
		}
	}
}

func TestWithoutTheSecretTheTextIsJudgedAlone(t *testing.T) {
	found := inspector().Inspect(t.Context(), longIV, key.Secret{}, verdict.Presented{})
	if found.Problem != nil || found.Opened || found.Payload != nil || found.Claims != (token.Claims{}) {
		t.Errorf("opened %t, payload %q: %v", found.Opened, found.Payload, found.Problem)
	}
	if found.Compact.Header().KeyID != peerKid || len(found.Compact.IV()) != 16 {
		t.Errorf("kid %q, an IV of %d bytes", found.Compact.Header().KeyID, len(found.Compact.IV()))
	}
}

func TestEachProblemIsNamed(t *testing.T) {
	at := func(seconds int64) string {
		return `{"cst":"c","dsh":"d","exp":` + strconv.FormatInt(now().Unix()+seconds, 10) + `}`
	}
	for _, tt := range []struct {
		sentence string
		text     string
		secret   key.Secret
		problem  error
		opened   bool
		left     time.Duration
	}{
		{"nothing", "", value(canary), jwe.ErrMalformed, false, 0},
		{"another kind of token", "eyJhbGciOiJIUzI1NiJ9.e30.x", value(canary), jwe.ErrMalformed, false, 0},
		{"a token with a newline behind", longIV + "\n", value(peerKey), jwe.ErrMalformed, false, 0},
		{"a token cut short", longIV[:len(longIV)-1], key.Secret{}, jwe.ErrMalformed, false, 0},
		{"another secret", longIV, value(canary), ports.ErrBadTag, false, 0},
		{"a changed ciphertext", strings.Replace(longIV, ".neT3", ".neT4", 1), value(peerKey), ports.ErrBadTag, false, 0},
		{"claims that are none", sealed(t, `[]`), value(canary), token.ErrClaims, true, 0},
		{"claims without exp", sealed(t, `{"cst":"c","dsh":"d"}`), value(canary), token.ErrClaims, true, 0},
		{"an expiry that is now", sealed(t, at(0)), value(canary), token.ErrExpired, true, -987654321},
		{"a token long expired", sealed(t, at(-3600)), value(canary), token.ErrExpired, true, -time.Hour - 987654321},
		{"a token from later on", sealed(t, strings.Replace(at(60), "}", `,"nbf":`+strconv.FormatInt(now().Unix()+1, 10)+"}", 1)), value(canary), token.ErrNotYetValid, true, 59*time.Second + 12345679},
		{"a good token", sealed(t, at(60)), value(canary), nil, true, 59*time.Second + 12345679},
	} {
		t.Run(tt.sentence, func(t *testing.T) {
			found := inspector().Inspect(t.Context(), tt.text, tt.secret, verdict.Presented{})
			if !errors.Is(found.Problem, tt.problem) {
				t.Errorf("the problem is %v, want %v", found.Problem, tt.problem)
			}
			if found.Opened != tt.opened || (found.Payload != nil) != tt.opened || found.Left != tt.left {
				t.Errorf("opened %t, payload %q, %s left, want %t and %s", found.Opened, found.Payload, found.Left, tt.opened, tt.left)
			}
			if found.Problem != nil && (strings.Contains(found.Problem.Error(), "canary") || strings.Contains(found.Problem.Error(), peerKey)) {
				t.Errorf("the problem holds the secret: %v", found.Problem)
			}
		})
	}
}

// closed is a cipher that opens nothing.
type closed struct{ *jose.Cipher }

func (closed) Open(context.Context, group.ID, key.Key, jwe.Compact) ([]byte, error) {
	return nil, ports.ErrCustody
}

func TestACipherThatCannotOpenIsNotAWrongSecret(t *testing.T) {
	found := app.NewInspector(closed{}, stopped{now()}, token.ChartClaim{}, 0).Inspect(t.Context(), longIV, value(peerKey), verdict.Presented{})
	if !errors.Is(found.Problem, ports.ErrCustody) || errors.Is(found.Problem, ports.ErrBadTag) || found.Opened {
		t.Errorf("opened %t: %v, want %v", found.Opened, found.Problem, ports.ErrCustody)
	}
}
