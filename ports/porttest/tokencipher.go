package porttest

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"embedseal/domain/group"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/domain/secret"
	"embedseal/ports"
)

// VectorSecret is the value of the key that [Vectors] are sealed with.
const VectorSecret = "0123456789abcdef0123456789abcdef"

// Vector is a token that another implementation sealed.
type Vector struct {
	Name   string
	Key    key.Key
	IVSize int
	Claims string
	Token  string
}

// Vectors returns one token for each length of IV that is accepted, both made
// with python-jose.
func Vectors() []Vector {
	const (
		header = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiYWExMTExMTEtMWExMS0xMTFhLWFhMTEtMWFhYWExMWExYTExIn0"
		claims = `{"exp": 4102444800.123456, "cst": "customer_1", "dsh": "abcde"}`
	)
	k := MaterialKey("aa111111-1a11-111a-aa11-1aaaa11a1a11", VectorSecret)
	return []Vector{
		{
			Name: "a 12-byte IV", Key: k, IVSize: 12, Claims: claims,
			Token: header + "..AAECAwQFBgcICQoL.VsfeBKk66Iyc7UGMRfvlPNY4LbYOj0C-FvCblttW2KaHixR9PMZjf_xAyQPrju8aDo_umSqKteBJIVcqeTli.uyAKVhXokFOOre_tMvRUJw",
		},
		{
			Name: "a 16-byte IV", Key: k, IVSize: 16, Claims: claims,
			Token: header + "..AAECAwQFBgcICQoLDA0ODw.neT32Lhf5DX0v9y_iDokn_5opKLiltvTeD7XCQXAYEc37GGBqsIULaBLcblXakFME7jE_eEodhj4RYBevV7Q.cfkIAm1QBrR257kfGqwEdA",
		},
	}
}

// MaterialKey is an active key with that value in hand.
func MaterialKey(id key.ID, value string) key.Key {
	return key.Key{ID: id, State: key.Active, Custody: key.Material, Secret: key.Secret{Text: secret.New(value)}}
}

const (
	cipherGroup  = group.ID("acme")
	cipherClaims = `{"cst":"customer_1","dsh":"abcde","exp":4102444800}`
)

func cipherKey() key.Key { return MaterialKey("k.1_A-z", "value-of-the-first-key-32-chars!") }

// TokenCipher runs the contract of ports.TokenCipher on one that serves the
// custody [key.Material]. open returns a new cipher on each call.
func TokenCipher(t *testing.T, open func(t *testing.T) ports.TokenCipher) {
	for name, check := range map[string]func(*testing.T, ports.TokenCipher){
		"what was sealed is opened, whatever the state":  cipherOpensWhatItSealed,
		"the header is alg, enc and kid, in this order":  cipherWritesTheHeader,
		"a sealed token passes the gate with a short IV": cipherPassesTheGate,
		"two tokens of one key and claims differ":        cipherNeverRepeats,
		"a token with any bit flipped is refused":        cipherRefusesFlippedBits,
		"tokens that others sealed are opened":           cipherOpensVectors,
		"another custody is refused":                     cipherRefusesAnotherCustody,
		"of two values under one id only one opens":      cipherFollowsTheValue,
		"what it returns is the caller's to keep":        cipherSharesNothing,
		"it is safe for concurrent use":                  cipherIsConcurrent,
	} {
		t.Run(name, func(t *testing.T) { check(t, open(t)) })
	}
}

func cipherOpensWhatItSealed(t *testing.T, c ports.TokenCipher) {
	k := cipherKey()
	for state, claims := range map[key.State]string{
		key.Active:   cipherClaims,
		key.Retiring: " {\"cst\" : \"Zoë 客户 \\u2028\", \"exp\":1.0e9, \"rbc\":[] }\n",
		key.Disabled: `{"rbc":null,"z":"` + strings.Repeat("z", 4000) + `"}`,
	} {
		k.State = state
		got, err := c.Open(t.Context(), cipherGroup, k, sealed(t, c, k, claims))
		if err != nil || string(got) != claims {
			t.Errorf("%s: sealed %q, opened %q, %v", state, claims, got, err)
		}
	}
}

func cipherWritesTheHeader(t *testing.T, c ports.TokenCipher) {
	text, err := c.Seal(t.Context(), cipherGroup, key.NewSealer(cipherKey()), []byte(cipherClaims))
	if err != nil {
		t.Fatal(err)
	}
	encoded, _, _ := strings.Cut(string(text), ".")
	got, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"alg":"dir","enc":"A256GCM","kid":"k.1_A-z"}`; string(got) != want {
		t.Errorf("got the header %s, want %s", got, want)
	}
}

func cipherPassesTheGate(t *testing.T, c ports.TokenCipher) {
	for size := range 70 {
		k := cipherKey()
		k.ID = key.ID(strings.Repeat("k", size+1))
		token := sealed(t, c, k, `{"c":"`+strings.Repeat("x", size)+`"}`)
		if len(token.IV()) != 12 || len(token.Tag()) != 16 {
			t.Errorf("got an IV of %d and a tag of %d bytes", len(token.IV()), len(token.Tag()))
		}
		if token.Header().KeyID != string(k.ID) {
			t.Errorf("got kid %q, want %q", token.Header().KeyID, k.ID)
		}
	}
}

func cipherNeverRepeats(t *testing.T, c ports.TokenCipher) {
	const tokens = 200
	seen := map[string]bool{}
	for range tokens {
		seen[string(sealed(t, c, cipherKey(), cipherClaims).IV())] = true
	}
	if len(seen) != tokens {
		t.Errorf("got %d IVs for %d tokens", len(seen), tokens)
	}
}

func cipherRefusesFlippedBits(t *testing.T, c ports.TokenCipher) {
	own := sealed(t, c, cipherKey(), cipherClaims).Text()
	for _, v := range append(Vectors(), Vector{Name: "its own", Key: cipherKey(), Token: own}) {
		text, reached := v.Token, 0
		for bit := range len(text) * 8 {
			flipped := []byte(text)
			flipped[bit/8] ^= 1 << (bit % 8)
			token, err := jwe.ParseCompact(string(flipped))
			if err != nil {
				continue
			}
			reached++
			claims, err := c.Open(t.Context(), cipherGroup, v.Key, token)
			wantRefused(t, claims, err, ports.ErrBadTag)
		}
		// Most flips of a base64url character give another one.
		if reached < len(text)/2 {
			t.Errorf("%s: of %d flips only %d reached the cipher", v.Name, len(text)*8, reached)
		}
	}
}

func cipherOpensVectors(t *testing.T, c ports.TokenCipher) {
	for _, v := range Vectors() {
		token, err := jwe.ParseCompact(v.Token)
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		claims, err := c.Open(t.Context(), cipherGroup, v.Key, token)
		if err != nil || string(claims) != v.Claims {
			t.Errorf("%s: opened to %q, %v", v.Name, claims, err)
		}
	}
}

func cipherRefusesAnotherCustody(t *testing.T, c ports.TokenCipher) {
	token := sealed(t, c, cipherKey(), cipherClaims)
	stray := cipherKey()
	stray.Custody = key.VaultTransit
	for name, k := range map[string]key.Key{
		"transit":                   {ID: "k1", State: key.Active, Custody: key.VaultTransit},
		"transit, with a value":     stray,
		"the zero key":              {},
		"a destroyed key":           {ID: "k1", State: key.Destroyed, Custody: key.Material},
		"a value of the wrong size": MaterialKey("k1", "short"),
		"an id that is none":        MaterialKey(`k"1`, VectorSecret),
	} {
		t.Run(name, func(t *testing.T) {
			text, err := c.Seal(t.Context(), cipherGroup, key.NewSealer(k), []byte(cipherClaims))
			wantRefused(t, text, err, ports.ErrCustody)
			if name == "an id that is none" {
				return // opening does not look at the id
			}
			claims, err := c.Open(t.Context(), cipherGroup, k, token)
			wantRefused(t, claims, err, ports.ErrCustody)
		})
	}
}

func cipherFollowsTheValue(t *testing.T, c ports.TokenCipher) {
	old, renewed := cipherKey(), MaterialKey(cipherKey().ID, "value-of-the-other-key-32-chars!")
	first, second := sealed(t, c, old, cipherClaims), sealed(t, c, renewed, cipherClaims)
	if _, err := c.Open(t.Context(), cipherGroup, renewed, second); err != nil {
		t.Errorf("the new value does not open what it sealed: %v", err)
	}
	claims, err := c.Open(t.Context(), cipherGroup, old, second)
	wantRefused(t, claims, err, ports.ErrBadTag)
	claims, err = c.Open(t.Context(), cipherGroup, renewed, first)
	wantRefused(t, claims, err, ports.ErrBadTag)
	if strings.Contains(fmt.Sprint(err), renewed.Secret.Reveal()) {
		t.Error("the error holds the value")
	}
	claims, err = c.Open(t.Context(), cipherGroup, renewed, jwe.Compact{})
	wantRefused(t, claims, err, ports.ErrBadTag)
}

func cipherSharesNothing(t *testing.T, c ports.TokenCipher) {
	claims := []byte(cipherClaims)
	text, err := c.Seal(t.Context(), cipherGroup, key.NewSealer(cipherKey()), claims)
	if err != nil {
		t.Fatal(err)
	}
	if string(claims) != cipherClaims {
		t.Errorf("sealing changed the claims to %q", claims)
	}
	kept, token := bytes.Clone(text), sealed(t, c, cipherKey(), cipherClaims)
	for range 2 {
		got, err := c.Open(t.Context(), cipherGroup, cipherKey(), token)
		if err != nil || string(got) != cipherClaims {
			t.Fatalf("opened to %q, %v", got, err)
		}
		clear(got)
		_ = append(got, "overwritten by the caller"...)
	}
	if !bytes.Equal(text, kept) {
		t.Errorf("a later call changed the token to %q", text)
	}
}

func cipherIsConcurrent(t *testing.T, c ports.TokenCipher) {
	const callers, rounds = 8, 50
	shared := key.NewSealer(cipherKey()) // as that of a default key is
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for round := range rounds {
				// Pairs of callers share an id, with values of their own.
				k := MaterialKey(key.ID(fmt.Sprintf("k%d", i/2)), fmt.Sprintf("value-of-caller-%016d", i))
				claims := fmt.Sprintf(`{"caller":%d,"round":%d}`, i, round)
				if err := roundTrip(t.Context(), c, k, claims); err != nil {
					t.Errorf("caller %d, round %d: %v", i, round, err)
					return
				}
				if err := sealAndOpen(t.Context(), c, shared, claims); err != nil {
					t.Errorf("caller %d, round %d, with a key that all share: %v", i, round, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func roundTrip(ctx context.Context, c ports.TokenCipher, k key.Key, claims string) error {
	return sealAndOpen(ctx, c, key.NewSealer(k), claims)
}

func sealAndOpen(ctx context.Context, c ports.TokenCipher, s *key.Sealer, claims string) error {
	text, err := c.Seal(ctx, cipherGroup, s, []byte(claims))
	if err != nil {
		return err
	}
	token, err := jwe.ParseCompact(string(text))
	if err != nil {
		return err
	}
	got, err := c.Open(ctx, cipherGroup, *s.Key(), token)
	if err == nil && string(got) != claims {
		return fmt.Errorf("opened to %q", got)
	}
	return err
}

// sealed is a token of c that has passed the gate.
func sealed(t *testing.T, c ports.TokenCipher, k key.Key, claims string) jwe.Compact {
	t.Helper()
	text, err := c.Seal(t.Context(), cipherGroup, key.NewSealer(k), []byte(claims))
	if err != nil {
		t.Fatalf("seal: %v", err)
	}
	token, err := jwe.ParseCompact(string(text))
	if err != nil {
		t.Fatalf("the gate refuses %s: %v", text, err)
	}
	return token
}

// wantRefused asks for that sentinel, no other, and no result.
func wantRefused(t *testing.T, result []byte, err, want error) {
	t.Helper()
	if result != nil {
		t.Errorf("got %q beside the error", result)
	}
	for _, sentinel := range []error{ports.ErrBadTag, ports.ErrCustody, ports.ErrUnavailable} {
		if errors.Is(err, sentinel) != errors.Is(want, sentinel) {
			t.Errorf("got %v, want %v and nothing else", err, want)
		}
	}
}
