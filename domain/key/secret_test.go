package key_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"embedseal/domain/key"
	"embedseal/domain/secret"
)

// canary is a value that no output may hold, whole or in part.
const canary = "canary-0123456789-canary-0123456"

func secretOf(t *testing.T, value string) key.Secret {
	t.Helper()
	s, err := key.ParseSecret(value)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAValueIsThirtyTwoPrintableCharacters(t *testing.T) {
	var all []byte
	for c := byte('!'); c <= '~'; c++ {
		all = append(all, c)
	}
	for _, good := range []string{string(all[:32]), string(all[32:64]), string(all[len(all)-32:]), strings.Repeat("!", 32), strings.Repeat("~", 32)} {
		s, err := key.ParseSecret(good)
		if err != nil || s.Reveal() != good || s.IsZero() {
			t.Errorf("%q: %v", good, err)
		}
	}
	for c := range 256 {
		if c > ' ' && c <= '~' {
			continue
		}
		for _, at := range []int{0, 15, 31} {
			value := []byte(canary)
			value[at] = byte(c)
			refused(t, string(value))
		}
	}
	for _, n := range []int{0, 1, 16, 31, 33, 64, 1 << 20} {
		refused(t, strings.Repeat("x", n))
	}
	refused(t, canary[:31]+"ä")     // 33 bytes
	refused(t, canary[:30]+"ä")     // 32 bytes, 31 characters
	refused(t, canary+"\n")         // as pasted from a file
	refused(t, canary[:31]+" ")     // as pasted from a page
	refused(t, "\ufeff"+canary[3:]) // 32 bytes, with a byte order mark
}

func refused(t *testing.T, value string) {
	t.Helper()
	s, err := key.ParseSecret(value)
	if !errors.Is(err, key.ErrInvalid) || !s.IsZero() {
		t.Fatalf("%.40q: got %v, want %v", value, err, key.ErrInvalid)
	}
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("the error repeats the value: %v", err)
	}
}

func TestAValueOfOursIsOneThatIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := [key.SecretEntropy]byte(rapid.SliceOfN(rapid.Byte(), key.SecretEntropy, key.SecretEntropy).Draw(t, "random"))
		made := key.NewSecret(random)
		read, err := key.ParseSecret(made.Reveal())
		if err != nil || !read.Equal(made) {
			t.Errorf("%q is not read back: %v", made.Reveal(), err)
		}
	})
}

func TestAllBitsOfChanceAreInTheValue(t *testing.T) {
	values := map[string]bool{key.NewSecret([key.SecretEntropy]byte{}).Reveal(): true}
	for bit := range 8 * key.SecretEntropy {
		var random [key.SecretEntropy]byte
		random[bit/8] = 1 << (bit % 8)
		values[key.NewSecret(random).Reveal()] = true
	}
	if want := 1 + 192; len(values) != want {
		t.Errorf("got %d values of one bit each, want %d", len(values), want)
	}
}

func TestSecretsAreEqualWhenEveryCharacterIs(t *testing.T) {
	s := secretOf(t, canary)
	if !s.Equal(secretOf(t, canary)) || s.Equal(key.Secret{}) || (key.Secret{}).Equal(s) {
		t.Error("Equal is wrong")
	}
	for at := range canary {
		other := []byte(canary)
		other[at] ^= 1
		if s.Equal(secretOf(t, string(other))) {
			t.Errorf("a change of character %d is not seen", at)
		}
	}
}

func TestNothingThatHoldsASecretPrintsIt(t *testing.T) {
	k := key.Key{ID: "k1", State: key.Active, Custody: key.Material, Secret: secretOf(t, canary)}
	ring, err := key.NewRing([]key.Key{k}, "k1")
	if err != nil {
		t.Fatal(err)
	}
	type holder struct {
		Key    key.Key
		Ring   key.Ring
		hidden key.Key
		ring   key.Ring
		any    any
	}
	h := holder{Key: k, Ring: ring, hidden: k, ring: ring, any: k}
	var out bytes.Buffer
	for _, v := range []any{
		k.Secret, &k.Secret, k, &k, []key.Key{k}, []*key.Key{&k}, map[key.ID]key.Key{"k1": k}, [1]any{k}, ring, &ring, ring.Keys(), h, &h, []holder{h},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%c", "%U", "%p", "%t", "%e", "%w"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		fmt.Fprint(&out, v)
		fmt.Fprintln(&out, errors.Join(fmt.Errorf("with %v", v)))
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(data)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
	}
	for _, part := range []string{"canary", fmt.Sprintf("%x", "canary"), fmt.Sprintf("%X", "canary"), fmt.Sprintf("% x", "canary"), "99 97 110 97"} {
		if strings.Contains(out.String(), part) {
			t.Errorf("the secret was printed as %s", part)
		}
	}
	if strings.Count(out.String(), secret.Redacted) < 100 {
		t.Error("hardly anything was printed: the test looks at nothing")
	}
}

func TestAPastedValueIsTrimmedAndSaysSo(t *testing.T) {
	for _, around := range []string{"", " ", "\n", "\r\n", "\t \u00a0", "\ufeff", "\u200b", "\u2028"} {
		for _, text := range []string{around + canary, canary + around, around + canary + around} {
			s, trimmed, err := key.TrimSecret(text)
			if err != nil || s.Reveal() != canary || trimmed != (around != "") {
				t.Errorf("around it %q: trimmed is %t, %v", around, trimmed, err)
			}
		}
	}
	for _, bad := range []string{"", " ", canary[:16] + " " + canary[16:], canary[:16] + " " + canary[17:], canary[1:] + " ", "\x00" + canary, canary + canary} {
		s, trimmed, err := key.TrimSecret(bad)
		if !errors.Is(err, key.ErrInvalid) || !s.IsZero() || trimmed || strings.Contains(err.Error(), "canary") {
			t.Errorf("%.40q: trimmed is %t, %v", bad, trimmed, err)
		}
	}
}
