package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestVerifySaysTheSameWithAServerAndWithTheSecret(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	made := initialise(t, dir, storeBbolt)
	s := serve(t, "--data-dir", dir)
	secret := write(t, filepath.Join(t.TempDir(), "secret"), made.KeyValue+"\n")
	there, here := []string{"--server", "http://" + s.address, "--data-dir", dir}, []string{"--secret-file", secret}
	minted := run(t, append([]string{
		"mint", "--provided-id", "cüst", "--embed-id", "e1", "--expiration", "PT1H", "--feature", "core",
		"--embed-origin", "https://a.example", "--disable-editing",
	}, there...)...).want(t, exitOK).stdout
	for _, test := range []struct {
		name, text string
		args       []string
		code       int
		reason     string
		// what the server says of it, and what the secret does
		there, here string
	}{
		{"a good token", minted, nil, exitOK, "", "", ""},
		{"presented as it should be", minted, []string{"--embed-origin", "https://A.example/", "--embed-id", "e1"}, exitOK, "", "", ""},
		{
			"on another origin", minted, []string{"--embed-origin", "https://b.example"}, exitRefused, "origin_mismatch",
			"it is for another origin than https://b.example", "it is for the origin https://a.example/, and https://b.example was presented",
		},
		{
			"for another dashboard", minted, []string{"--embed-id", "e2"}, exitRefused, "embed_mismatch",
			"it is for another embed than e2", "it is for the embed e1, and e2 was presented",
		},
		{
			"for a chart", minted, []string{"--chart-id", "c"}, exitRefused, "chart_mismatch",
			"it is for another chart than c, or for the whole dashboard", "it is for the whole dashboard, and the chart c was presented",
		},
		{
			"no token", "hello", nil, exitRefused, "malformed",
			"this is not the text of a token, or its claims cannot be read; embedseal inspect says more", "this is not the text of a token: the token has 1 segments, must have 5",
		},
		{
			"a changed token", changed(strings.TrimSpace(minted)), nil, exitRefused, "bad_tag",
			"it was not sealed with that key, or was changed since", "it was not sealed with this secret, or was changed since",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var texts, objects []string
			for i, how := range [][]string{there, here} {
				args := append(append([]string{"verify", strings.TrimSpace(test.text)}, how...), test.args...)
				o := run(t, args...).want(t, test.code)
				j := run(t, append(args, "--output", "json")...).want(t, test.code)
				if o.stderr != "" || j.stderr != "" {
					t.Errorf("standard error: %q, %q", o.stderr, j.stderr)
				}
				if test.reason != "" {
					if bad := decode[badToken](t, j); bad.Active || string(bad.Reason) != test.reason || o.stdout != "Not good     "+test.reason+": "+[]string{test.there, test.here}[i]+"\n" {
						t.Errorf("%+v, %q", bad, o.stdout)
					}
					continue
				}
				good := decode[goodToken](t, j)
				if !good.Active || good.ExpiresIn < 3500 || good.ExpiresIn > 3600 || len(good.Features) != 3 || !good.DisableEditing {
					t.Errorf("%+v", good)
				}
				_, text, _ := strings.Cut(o.stdout, "\n")
				text, rest, _ := strings.Cut(text, "Expires")
				if strings.Contains(rest, "Not asked    whether it was revoked") != (i == 1) {
					t.Errorf("what was not asked: %q", o.stdout)
				}
				good.ExpiresIn = 0
				texts, objects = append(texts, text), append(objects, fmt.Sprint(good.ProvidedID, good.Features, *good.EmbedOrigin, *good.IssuedAt, good.ExpiresAt, good.KeyID, good.Fingerprint))
				if !strings.Contains(text, "Customer     cüst\n") || !strings.Contains(text, "Chart        the whole dashboard") {
					t.Errorf("printed %q", o.stdout)
				}
			}
			if len(texts) == 2 && (texts[0] != texts[1] || objects[0] != objects[1]) {
				t.Errorf("the server and the secret differ:\n%s\n%s\n%s\n%s", texts[0], texts[1], objects[0], objects[1])
			}
		})
	}
}

// changed is the token with another letter in the middle of its tag.
func changed(text string) string {
	at := len(text) - 10
	letter := "A"
	if text[at] == 'A' {
		letter = "B"
	}
	return text[:at] + letter + text[at+1:]
}

func TestVerifyFindsWhatNeedsTheSecretOnly(t *testing.T) {
	secret := write(t, filepath.Join(t.TempDir(), "secret"), vectorSecret)
	for text, reason := range map[string]string{
		sealedUntil(t, time.Now().Add(-time.Minute)):                                                              "expired",
		seal(t, fmt.Sprintf(`{"cst":"c","dsh":"e","exp":4102444800,"nbf":%d}`, time.Now().Add(time.Hour).Unix())): "not_yet_valid",
		seal(t, `{"cst":"c"}`): "malformed",
	} {
		o := run(t, "verify", text, "--secret-file", secret, "--output", "json").want(t, exitRefused)
		if bad := decode[badToken](t, o); string(bad.Reason) != reason || bad.Problem == "" {
			t.Errorf("got %+v, want %s", bad, reason)
		}
	}
	for text, says := range map[string]string{
		sealedUntil(t, time.Now().Add(-time.Hour)): "Not good     expired: its time was over at " + time.Now().Add(-time.Hour).UTC().Format("2006-"),
		seal(t, `{"cst":"c"}`):                     "Not good     malformed: its claims cannot be read: exp is missing\n",
		seal(t, fmt.Sprintf(`{"cst":"c","dsh":"e","exp":4102444800,"nbf":%d}`, time.Now().Add(time.Hour).Unix())): "Not good     not_yet_valid: its time has not come; embedseal inspect",
	} {
		if o := run(t, "verify", text, "--secret-file", secret).want(t, exitRefused); !strings.HasPrefix(o.stdout, says) {
			t.Errorf("%q is not %q", o.stdout, says)
		}
	}
	late := seal(t, fmt.Sprintf(`{"cst":"c","dsh":"e","exp":4102444800,"iat":%d}`, time.Now().Add(20*time.Second).Unix()))
	run(t, "verify", late, "--secret-file", secret).want(t, exitOK)
	run(t, "verify", late, "--secret-file", secret, "--token-leeway", "0s").want(t, exitRefused)
}

func TestVerifyRefusesWhatMakesNoSense(t *testing.T) {
	secret := write(t, filepath.Join(t.TempDir(), "secret"), vectorSecret)
	run(t, "verify", vector12, "--secret-file", secret, "--embed-origin", "null").want(t, exitUsage, "not a web origin")
	run(t, "verify", vector12, "--secret-file", secret, "--embed-id", "").want(t, exitUsage, "must not be empty")
	run(t, "verify", vector12, "--token-file", secret).want(t, exitUsage, "twice")
	run(t, "verify", vector12, "--data-dir", t.TempDir()).want(t, exitFailure, "no API token")

	dir := filepath.Join(t.TempDir(), "data")
	initialise(t, dir, storeBbolt)
	s := serve(t, "--data-dir", dir)
	o := run(t, "verify", vector12, "--server", "http://"+s.address, "--data-dir", dir, "--embed-origin", "x", "--output", "json").want(t, exitRefused)
	if got := decode[mintAnswer](t, o); got.Code != "invalid_request" || got.Errors[0].Field != "embed_origin" {
		t.Errorf("got %+v", got)
	}
	o = run(t, "verify", vector12, "--server", "http://"+s.address, "--data-dir", dir).want(t, exitRefused)
	if !strings.Contains(o.stdout, "Not good     unknown_key: the group") {
		t.Errorf("printed %q", o.stdout)
	}
}
