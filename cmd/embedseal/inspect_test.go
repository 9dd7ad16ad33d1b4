package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"embedseal/adapters/jose"
	"embedseal/domain/key"
)

const (
	vectorSecret = "0123456789abcdef0123456789abcdef"
	vectorKid    = "aa111111-1a11-111a-aa11-1aaaa11a1a11"
	vectorHeader = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiYWExMTExMTEtMWExMS0xMTFhLWFhMTEtMWFhYWExMWExYTExIn0"
	// Made with python-jose; what it seals expires in 2100.
	vector16 = vectorHeader + "..AAECAwQFBgcICQoLDA0ODw.neT32Lhf5DX0v9y_iDokn_5opKLiltvTeD7XCQXAYEc37GGBqsIULaBLcblXakFME7jE_eEodhj4RYBevV7Q.cfkIAm1QBrR257kfGqwEdA"
	vector12 = vectorHeader + "..AAECAwQFBgcICQoL.VsfeBKk66Iyc7UGMRfvlPNY4LbYOj0C-FvCblttW2KaHixR9PMZjf_xAyQPrju8aDo_umSqKteBJIVcqeTli.uyAKVhXokFOOre_tMvRUJw"
)

// inspected is what inspect finds, with that secret's value or with none.
func inspected(t *testing.T, text, secret string, more ...string) inspection {
	t.Helper()
	args := append([]string{"inspect", "--output", "json", strings.TrimSpace(text)}, more...)
	if secret != "" {
		args = append(args, "--secret-file", "-")
	}
	return decode[inspection](t, world{stdin: secret}.run(t, args...))
}

// seal makes a token with any plaintext.
func seal(t *testing.T, plaintext string) string {
	t.Helper()
	secret, err := key.ParseSecret(vectorSecret)
	if err != nil {
		t.Fatal(err)
	}
	k := key.Key{ID: vectorKid, State: key.Active, Custody: key.Material, Secret: secret}
	text, err := jose.New().Seal(t.Context(), firstGroup, key.NewSealer(k), []byte(plaintext))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func sealedUntil(t *testing.T, expires time.Time) string {
	t.Helper()
	return seal(t, fmt.Sprintf(`{"cst":"c","dsh":"e","exp":%d}`, expires.Unix()))
}

func TestInspectSaysInWordsWhatIsWrongWithAToken(t *testing.T) {
	good := sealedUntil(t, time.Now().Add(time.Hour))
	wrongSecret := strings.Repeat("w", 32)
	changed := good[:len(good)-30] + map[bool]string{true: "B", false: "A"}[good[len(good)-30] == 'A'] + good[len(good)-29:]
	for _, test := range []struct {
		name, text, secret string
		code               int
		opened             bool
		ivBytes            int
		says               string
	}{
		{"a good token, header only", good, "", exitOK, false, 12, "--secret-file"},
		{"a good token", good, vectorSecret, exitOK, true, 12, "Good"},
		{"the vector with 16 bytes of IV", vector16, vectorSecret, exitOK, true, 16, "IV           16 bytes"},
		{"the vector with 12 bytes of IV", vector12, vectorSecret, exitOK, true, 12, "2100-01-01T00:00:00Z"},
		{"another secret", good, wrongSecret, exitRefused, false, 12, "the secret is not the one this token was sealed with"},
		{"a changed token", changed, vectorSecret, exitRefused, false, 12, "or the token was changed"},
		{"expired", sealedUntil(t, time.Now().Add(-90*time.Minute)), vectorSecret, exitRefused, true, 12, "expired"},
		{"not valid yet", seal(t, fmt.Sprintf(`{"cst":"c","dsh":"e","exp":4102444800,"nbf":%d}`, time.Now().Add(time.Hour).Unix())), vectorSecret, exitRefused, true, 12, "not"},
		{"no expiry", seal(t, `{"cst":"c","dsh":"e"}`), vectorSecret, exitRefused, true, 12, "exp"},
		{"claims that are no JSON", seal(t, `hello`), vectorSecret, exitRefused, true, 12, "claims"},
		{"no segments", "a", "", exitRefused, false, 0, "1 segments"},
		{"words", "hello world", "", exitRefused, false, 0, "base64url"},
		{"a signed token", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "", exitRefused, false, 0, "3 segments, must have 5"},
		{"an encrypted key", strings.Replace(vector12, "..", ".AAAA.", 1), "", exitRefused, false, 0, "second segment must be empty"},
		{"another spelling", good[:len(good)-1] + "_", "", exitRefused, false, 0, ""},
		{"a space at the end", good + " ", "", exitRefused, false, 0, "base64url"},
		{"another algorithm", "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00iLCJraWQiOiJhIn0" + vector12[strings.Index(vector12, ".."):], "", exitRefused, false, 0, `alg is "RSA-OAEP", must be "dir"`},
		{"no key id", "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0" + vector12[strings.Index(vector12, ".."):], "", exitRefused, false, 0, "kid"},
		{"a short IV", vectorHeader + "..AAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA", "", exitRefused, false, 0, "IV has 3 bytes"},
		{"too long", strings.Repeat("a", 1<<20), "", exitRefused, false, 0, "bytes, at most"},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := []string{"inspect"}
			if test.secret != "" {
				args = append(args, "--secret-file", write(t, filepath.Join(t.TempDir(), "secret"), test.secret+"\n"))
			}
			o := world{stdin: test.text + "\n"}.run(t, args...).want(t, test.code)
			if !strings.Contains(o.stdout, test.says) || o.stderr != "" {
				t.Errorf("it does not say %q:\n%s%s", test.says, o.stdout, o.stderr)
			}
			found := decode[inspection](t, world{stdin: test.text + "\n"}.run(t, append(args, "--output", "json")...).want(t, test.code))
			if found.OK != (test.code == exitOK) || found.Opened != test.opened || found.IVBytes != test.ivBytes || (found.Problem == "") != found.OK || (found.Reason == "") != found.OK {
				t.Errorf("got %+v", found)
			}
			if well := test.ivBytes > 0; well != (found.Header != nil) || well != (len(found.Fingerprint) == 64) {
				t.Errorf("header %+v, fingerprint %s", found.Header, found.Fingerprint)
			}
			if found.Header != nil && *found.Header != (headerShown{"dir", "A256GCM", vectorKid}) {
				t.Errorf("header %+v", *found.Header)
			}
		})
	}
}

func TestInspectTakesTokenAndSecretFromWhereTheyAre(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"secret": vectorSecret, "secret.crlf": vectorSecret + "\r\n", "token": vector16 + "\n",
		"answer": `{"success": 1, "jwt": "` + vector16 + "\"}\n", "pretty": "{\n  \"success\": 1,\n  \"jwt\": \"" + vector16 + "\"\n}\r\n\r\n",
	} {
		write(t, filepath.Join(dir, name), text)
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, test := range []struct {
		name, stdin string
		args        []string
	}{
		{"argument and file", "", []string{vector16, "--secret-file", in("secret")}},
		{"argument and standard input", vectorSecret, []string{vector16, "--secret-file", "-"}},
		{"file and file", "", []string{"--token-file", in("token"), "--secret-file", in("secret.crlf")}},
		{"file and standard input", vectorSecret + "\n", []string{"--token-file", in("token"), "--secret-file", "-"}},
		{"standard input and file", vector16, []string{"--secret-file", in("secret")}},
		{"a dash for the token", vector16, []string{"-", "--secret-file", in("secret")}},
		{"a dash for the token's file", vector16 + "\r\n", []string{"--token-file", "-", "--secret-file", in("secret")}},
		{"the endpoint's answer", contents(t, in("answer")), []string{"--secret-file", in("secret")}},
		{"the endpoint's answer in a file", "", []string{"--token-file", in("answer"), "--secret-file", in("secret")}},
		{"the answer, spread over lines", "", []string{"--token-file", in("pretty"), "--secret-file", in("secret")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			found := decode[inspection](t, world{stdin: test.stdin}.run(t, append([]string{"inspect", "--output", "json"}, test.args...)...).want(t, exitOK))
			if !found.OK || string(found.Claims) != `{"exp":4102444800.123456,"cst":"customer_1","dsh":"abcde"}` || found.ExpiresAt != "2100-01-01T00:00:00Z" {
				t.Errorf("got %+v, claims %s", found, found.Claims)
			}
		})
	}
	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--secret-file", "-"}, exitUsage, "cannot both come from standard input"},
		{[]string{"-", "--secret-file", "-"}, exitUsage, "cannot both come from standard input"},
		{[]string{vector16, "--token-file", in("token")}, exitUsage, "given twice"},
		{[]string{"--token-file", in("none")}, exitFailure, in("none")},
		{[]string{vector16, "--secret-file", in("none")}, exitFailure, in("none")},
		{[]string{vector16, "--secret-file", in("token")}, exitFailure, in("token")},
	} {
		o := run(t, append([]string{"inspect"}, test.args...)...).want(t, test.code, test.says)
		if strings.Contains(o.stderr, vector16[:60]) {
			t.Errorf("the text of a file is shown:\n%s", o.stderr)
		}
	}
}
