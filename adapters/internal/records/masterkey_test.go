package records_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"embedseal/adapters/internal/records"
)

func TestAMasterKeyIsReadInEveryUsualForm(t *testing.T) {
	raw := []byte(strings.Repeat("\xfb\xff", 16))
	raw[0] = 1
	want := records.NewMasterKey([records.MasterKeySize]byte(raw)).Text().Reveal()
	for name, text := range map[string]string{
		"base64":              base64.StdEncoding.EncodeToString(raw),
		"base64, not padded":  base64.RawStdEncoding.EncodeToString(raw),
		"base64url":           base64.URLEncoding.EncodeToString(raw),
		"base64url, raw":      base64.RawURLEncoding.EncodeToString(raw),
		"hex":                 hex.EncodeToString(raw),
		"hex, upper case":     strings.ToUpper(hex.EncodeToString(raw)),
		"with a line break":   base64.StdEncoding.EncodeToString(raw) + "\r\n",
		"between white space": " \t" + hex.EncodeToString(raw) + " ",
		"its own text":        want,
	} {
		k, err := records.ParseMasterKey(text)
		if err != nil || k.Text().Reveal() != want {
			t.Errorf("%s: got another key, and the error %v", name, err)
		}
	}
}

func TestWhatIsNoMasterKeyIsRefusedWithoutRepeatingIt(t *testing.T) {
	good := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	for _, text := range []string{
		"", " ", "short", good[:40], good + good, good + "==", good[:43] + "!", "\x00" + good, good[:20] + "\n" + good[20:],
		strings.Repeat("0", 64), strings.Repeat("A", 43), strings.Repeat("zz", 32), hex.EncodeToString([]byte(good)),
		good[:42] + "x=", strings.Repeat("a", 1<<20),
	} {
		k, err := records.ParseMasterKey(text)
		if !errors.Is(err, records.ErrMasterKey) || !k.IsZero() {
			t.Errorf("%.80q: got the error %v", text, err)
		}
		if len(text) > 4 && strings.Contains(err.Error(), text) {
			t.Errorf("%q is in the error", text)
		}
	}
}

func TestAMasterKeyNeverPrints(t *testing.T) {
	k := masterKey(65)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{k, &k, struct{ k records.MasterKey }{k}} {
			if got := fmt.Sprintf(verb, v); strings.Contains(got, "ABCDEF") || strings.Contains(got, "4142434445") || strings.Contains(got, "65 66 67") {
				t.Errorf("%s of %T shows the key: %s", verb, v, got)
			}
		}
	}
}
