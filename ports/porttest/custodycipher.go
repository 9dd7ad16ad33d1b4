package porttest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"embedseal/domain/group"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/ports"
)

// pair is a cipher and the custody that makes its keys.
type pair struct {
	ports.TokenCipher
	custody ports.KeyCustody
}

// CustodyCipher runs the contracts of ports.KeyCustody and ports.TokenCipher on
// a custody that makes its own keys, and the cipher that serves it. open
// returns a new pair on each call, whose custody has made nothing.
func CustodyCipher(t *testing.T, open func(t *testing.T) (ports.TokenCipher, ports.KeyCustody)) {
	for name, check := range map[string]func(*testing.T, pair){
		"a created key is active and not dated":         custodyMakesAKey,
		"what was sealed is opened, whatever the state": custodyOpensWhatItSealed,
		"the header is alg, enc and kid, in this order": custodyWritesTheHeader,
		"ids and claims of every length pass the gate":  custodyPassesTheGate,
		"two tokens of one key and claims differ":       custodyNeverRepeats,
		"a token with any bit flipped is refused":       custodyRefusesFlippedBits,
		"a token of another key or group is refused":    custodyKeepsKeysApart,
		"another custody is refused":                    custodyRefusesAnother,
		"a token that others sealed is not opened":      custodyRefusesVectors,
		"an id that is made twice is not one key":       custodyMakesNoKeyTwice,
		"a destroyed key seals and opens nothing":       custodyDestroys,
		"destroying what is not there is no error":      custodyDestroysNothing,
		"what it returns is the caller's to keep":       custodySharesNothing,
		"it is safe for concurrent use":                 custodyIsConcurrent,
	} {
		t.Run(name, func(t *testing.T) {
			cipher, custody := open(t)
			check(t, pair{cipher, custody})
		})
	}
}

// create is a new key of g.
func (p pair) create(t *testing.T, g group.ID, id key.ID) key.Key {
	t.Helper()
	k, err := p.custody.Create(t.Context(), g, id)
	if err != nil {
		t.Fatalf("create %s of %s: %v", id, g, err)
	}
	return k
}

func custodyMakesAKey(t *testing.T, p pair) {
	k := p.create(t, cipherGroup, "k.1_A-z")
	if k.ID != "k.1_A-z" || k.State != key.Active || !k.CreatedAt.IsZero() {
		t.Errorf("got id %s, state %s, created %s", k.ID, k.State, k.CreatedAt)
	}
	if ring, err := (key.Ring{}).WithDefault(k); err != nil || ring.DefaultID() != k.ID {
		t.Errorf("the ring refuses it: %v", err)
	}
}

func custodyOpensWhatItSealed(t *testing.T, p pair) {
	k := p.create(t, cipherGroup, "k1")
	for state, claims := range map[key.State]string{
		key.Active:   cipherClaims,
		key.Retiring: " {\"cst\" : \"Zoë 客户 \\u2028\", \"exp\":1.0e9, \"rbc\":[] }\n",
		key.Disabled: `{"rbc":null,"z":"` + strings.Repeat("z", 4000) + `"}`,
	} {
		k.State = state
		got, err := p.Open(t.Context(), cipherGroup, k, sealed(t, p, k, claims))
		if err != nil || string(got) != claims {
			t.Errorf("%s: sealed %q, opened %q, %v", state, claims, got, err)
		}
	}
}

func custodyWritesTheHeader(t *testing.T, p pair) {
	text, err := p.Seal(t.Context(), cipherGroup, key.NewSealer(p.create(t, cipherGroup, "k.1_A-z")), []byte(cipherClaims))
	if err != nil {
		t.Fatal(err)
	}
	encoded, _, _ := strings.Cut(string(text), ".")
	got, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if want := `{"alg":"dir","enc":"A256GCM","kid":"k.1_A-z"}`; err != nil || string(got) != want {
		t.Errorf("got the header %s (%v), want %s", got, err, want)
	}
}

func custodyPassesTheGate(t *testing.T, p pair) {
	for _, size := range []int{1, 2, 3, 36, 127, 128} {
		k := p.create(t, cipherGroup, key.ID(strings.Repeat("k", size)))
		for extra := range 16 {
			token := sealed(t, p, k, `{"c":"`+strings.Repeat("x", extra)+`"}`)
			if len(token.IV()) != 12 || len(token.Tag()) != 16 {
				t.Errorf("got an IV of %d and a tag of %d bytes", len(token.IV()), len(token.Tag()))
			}
			if token.Header().KeyID != string(k.ID) {
				t.Errorf("got kid %q, want %q", token.Header().KeyID, k.ID)
			}
		}
	}
}

func custodyNeverRepeats(t *testing.T, p pair) {
	const tokens = 200
	k, seen := p.create(t, cipherGroup, "k1"), map[string]bool{}
	for range tokens {
		seen[string(sealed(t, p, k, cipherClaims).IV())] = true
	}
	if len(seen) != tokens {
		t.Errorf("got %d IVs for %d tokens", len(seen), tokens)
	}
}

func custodyRefusesFlippedBits(t *testing.T, p pair) {
	k := p.create(t, cipherGroup, "k1")
	text, reached := sealed(t, p, k, cipherClaims).Text(), 0
	for bit := range len(text) * 8 {
		flipped := []byte(text)
		flipped[bit/8] ^= 1 << (bit % 8)
		token, err := jwe.ParseCompact(string(flipped))
		if err != nil {
			continue
		}
		reached++
		claims, err := p.Open(t.Context(), cipherGroup, k, token)
		wantRefused(t, claims, err, ports.ErrBadTag)
	}
	if reached < len(text)/2 {
		t.Errorf("of %d flips only %d reached the cipher", len(text)*8, reached)
	}
}

// custodyKeepsKeysApart has groups and ids that a hyphen makes one text of.
func custodyKeepsKeysApart(t *testing.T, p pair) {
	type place struct {
		group group.ID
		id    key.ID
	}
	places := []place{{"a", "b-c"}, {"a-b", "c"}, {"a", "c"}, {"a", "C"}}
	keys, tokens := make([]key.Key, len(places)), make([]jwe.Compact, len(places))
	for i, at := range places {
		keys[i] = p.create(t, at.group, at.id)
		text, err := p.Seal(t.Context(), at.group, key.NewSealer(keys[i]), []byte(cipherClaims))
		if err != nil {
			t.Fatal(err)
		}
		if tokens[i], err = jwe.ParseCompact(string(text)); err != nil {
			t.Fatal(err)
		}
	}
	for i, at := range places {
		for j, token := range tokens {
			claims, err := p.Open(t.Context(), at.group, keys[i], token)
			if i != j {
				wantRefused(t, claims, err, ports.ErrBadTag)
			} else if err != nil {
				t.Errorf("%v does not open its own: %v", at, err)
			}
		}
	}
}

func custodyRefusesAnother(t *testing.T, p pair) {
	k := p.create(t, cipherGroup, "k1")
	token := sealed(t, p, k, cipherClaims)
	other := key.Key{ID: k.ID, State: key.Active, Custody: key.VaultTransit}
	if k.Custody == key.VaultTransit {
		other = MaterialKey(k.ID, VectorSecret)
	}
	badID, destroyed := k, key.Key{ID: k.ID, State: key.Destroyed, Custody: k.Custody}
	badID.ID = `k"1`
	for name, stray := range map[string]key.Key{
		"another": other, "the zero key": {}, "a destroyed key": destroyed, "an id that is none": badID,
	} {
		t.Run(name, func(t *testing.T) {
			text, err := p.Seal(t.Context(), cipherGroup, key.NewSealer(stray), []byte(cipherClaims))
			wantRefused(t, text, err, ports.ErrCustody)
			if name == "an id that is none" {
				return // one with the key in hand opens without looking at the id
			}
			claims, err := p.Open(t.Context(), cipherGroup, stray, token)
			wantRefused(t, claims, err, ports.ErrCustody)
		})
	}
}

func custodyRefusesVectors(t *testing.T, p pair) {
	k := p.create(t, cipherGroup, "k1")
	for _, v := range Vectors() {
		token, err := jwe.ParseCompact(v.Token)
		if err != nil {
			t.Fatal(err)
		}
		claims, err := p.Open(t.Context(), cipherGroup, k, token)
		if v.IVSize == 16 && errors.Is(err, ports.ErrCustody) {
			continue // a custody need not open these
		}
		wantRefused(t, claims, err, ports.ErrBadTag)
	}
	claims, err := p.Open(t.Context(), cipherGroup, k, jwe.Compact{})
	wantRefused(t, claims, err, ports.ErrBadTag)
}

func custodyMakesNoKeyTwice(t *testing.T, p pair) {
	first := p.create(t, cipherGroup, "k1")
	token := sealed(t, p, first, cipherClaims)
	second, err := p.custody.Create(t.Context(), cipherGroup, "k1")
	if err == nil {
		claims, err := p.Open(t.Context(), cipherGroup, second, token)
		wantRefused(t, claims, err, ports.ErrBadTag)
	} else if !errors.Is(err, ports.ErrExists) || second != (key.Key{}) {
		t.Errorf("got %v and %v, want %v", second, err, ports.ErrExists)
	}
	if _, err := p.Open(t.Context(), cipherGroup, first, token); err != nil {
		t.Errorf("the first key is not what it was: %v", err)
	}
}

func custodyDestroys(t *testing.T, p pair) {
	k, kept := p.create(t, cipherGroup, "k1"), p.create(t, cipherGroup, "k2")
	token := sealed(t, p, k, cipherClaims)
	for range 2 {
		if err := p.custody.Destroy(t.Context(), cipherGroup, k); err != nil {
			t.Fatal(err)
		}
	}
	gone := key.Key{ID: k.ID, State: key.Destroyed, Custody: k.Custody}
	text, err := p.Seal(t.Context(), cipherGroup, key.NewSealer(gone), []byte(cipherClaims))
	wantRefused(t, text, err, ports.ErrCustody)
	claims, err := p.Open(t.Context(), cipherGroup, gone, token)
	wantRefused(t, claims, err, ports.ErrCustody)
	if err := p.custody.Destroy(t.Context(), cipherGroup, gone); err != nil {
		t.Errorf("destroying what the ring calls destroyed: %v", err)
	}
	sealed(t, p, kept, cipherClaims)
}

func custodyDestroysNothing(t *testing.T, p pair) {
	k := p.create(t, cipherGroup, "k1")
	token := sealed(t, p, k, cipherClaims)
	never := k
	never.ID = "never"
	for at, stranger := range map[group.ID]key.Key{cipherGroup: never, "other": k} {
		if err := p.custody.Destroy(t.Context(), at, stranger); err != nil {
			t.Errorf("%s of %s: %v", stranger.ID, at, err)
		}
	}
	if _, err := p.Open(t.Context(), cipherGroup, k, token); err != nil {
		t.Errorf("a key that was not meant is gone: %v", err)
	}
}

func custodySharesNothing(t *testing.T, p pair) {
	k, claims := p.create(t, cipherGroup, "k1"), []byte(cipherClaims)
	text, err := p.Seal(t.Context(), cipherGroup, key.NewSealer(k), claims)
	if err != nil || string(claims) != cipherClaims {
		t.Fatalf("sealing left the claims %q, %v", claims, err)
	}
	kept, token := bytes.Clone(text), sealed(t, p, k, cipherClaims)
	for range 2 {
		got, err := p.Open(t.Context(), cipherGroup, k, token)
		if err != nil || string(got) != cipherClaims {
			t.Fatalf("opened to %q, %v", got, err)
		}
		clear(got)
	}
	if !bytes.Equal(text, kept) {
		t.Errorf("a later call changed the token to %q", text)
	}
}

func custodyIsConcurrent(t *testing.T, p pair) {
	const callers, rounds = 8, 20
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			k, err := p.custody.Create(t.Context(), cipherGroup, key.ID(fmt.Sprintf("k%d", i)))
			for round := 0; err == nil && round < rounds; round++ {
				err = roundTrip(t.Context(), p, k, fmt.Sprintf(`{"caller":%d,"round":%d}`, i, round))
			}
			if err == nil {
				err = p.custody.Destroy(t.Context(), cipherGroup, k)
			}
			if err != nil {
				t.Errorf("caller %d: %v", i, err)
			}
		})
	}
	wg.Wait()
}
