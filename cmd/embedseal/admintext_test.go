package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// hostile is text that is anything but itself on a terminal or in a table.
const hostile = `\u001b]0;owned\u0007\u001b[2J\u202eabc\n\t\r\u0000=HYPERLINK(1)<script>`

func TestStoredTextsNeverReachTheTerminalAsTheyStand(t *testing.T) {
	t.Parallel()
	policy := `{"default_lifetime":"` + hostile + `","max_lifetime":"P1D","chart_embedding":true,"embeds":["` + hostile + `"],"customers":["` + hostile + `"],"origin_required":true,"origins":["` + hostile + `"],"features":["` + hostile + `"],"pinned_key":"` + hostile + `","mode":"` + hostile + `"}`
	group := `{"id":"` + hostile + `","name":"` + hostile + `","created_at":"2026-01-31T10:00:00Z","rotate_every":"` + hostile + `","overlap":"` + hostile + `","policy":` + policy + `,"keys":1,"tokens":1}`
	key := `{"id":"` + hostile + `","state":"` + hostile + `","custody":"` + hostile + `","default":true,"label":"` + hostile + `","note":"` + hostile + `","created_at":"2026-01-31T10:00:00Z","retires_at":null,"safe_to_destroy_at":null}`
	token := `{"id":"` + hostile + `","name":"` + hostile + `","scopes":["` + hostile + `"],"created_at":"2026-01-31T10:00:00Z","expires_at":null,"networks":["` + hostile + `"],"restriction":` + policy + `,"previous_until":null,"last_used_at":null,"token":"` + hostile + `"}`
	record := `{"time":"` + hostile + `","seq":3,"action":"` + hostile + `","outcome":"` + hostile + `","rules":["` + hostile + `"],"` + hostile + `":"` + hostile + `","odd":{"a":"` + hostile + `"}}`
	list := func(item string) string { return `{"items":[` + item + `,` + item + `],"next":"` + hostile + `"}` }
	for _, test := range []struct {
		answer string
		args   []string
	}{
		{list(group), []string{"group", "list", "--limit", "2"}},
		{group, []string{"group", "show", "g"}},
		{policy, []string{"group", "policy", "show"}},
		{list(key), []string{"key", "list", "--limit", "2"}},
		{key, []string{"key", "show", "k"}},
		{`{"id":"k","value":"` + hostile + `"}`, []string{"key", "reveal", "k", "--yes"}},
		{`{"key":` + key + `,"previous":` + key + `,"safe_to_destroy_at":null}`, []string{"key", "rotate"}},
		{list(token), []string{"token", "list", "--limit", "2"}},
		{token, []string{"token", "create", "--name", "n", "--scopes", "mint"}},
		{list(record), []string{"audit", "search", "--limit", "2"}},
		{`{"ok":false,"records":1,"findings":[{"file":"` + hostile + `","line":1,"seq":1,"kind":"` + hostile + `","detail":"` + hostile + `"}]}`, []string{"audit", "verify"}},
		{`{"log":"` + hostile + `","key":"` + hostile + `"}`, []string{"audit", "key", "--yes"}},
		{`{"version":"` + hostile + `","started_at":"2026-01-31T10:00:00Z","store":"` + hostile + `","custody":"` + hostile + `","listeners":[{"name":"` + hostile + `","address":"` + hostile + `"}],"audit":{"log":"` + hostile + `","seq":1,"ok":false},"groups":1}`, []string{"status"}},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			f := newFakeAdmin(t, func(w http.ResponseWriter, _ *http.Request) { sayJSON(w, http.StatusOK, test.answer) })
			o := f.run(t, test.args...)
			if !strings.Contains(o.stdout, `\x1b]0;owned\a`) || !strings.Contains(o.stdout, "=HYPERLINK(1)<script>") {
				t.Errorf("the text is not there, escaped:\n%s", o.stdout)
			}
			for _, r := range o.stdout + o.stderr {
				if r < ' ' && r != '\n' || r == 0x7f || r == '\u202e' {
					t.Fatalf("%q stands there as it is:\n%q", r, o.stdout)
				}
			}
			asJSON := f.run(t, append(test.args, "--output", "json")...)
			if !strings.Contains(asJSON.stdout, hostile) { // for programs it is as it was
				t.Errorf("as JSON it is another:\n%s", asJSON.stdout)
			}
		})
	}
}

func TestOnlyTextThatIsItselfIsShownBare(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"web shop": "web shop", "Größe 大": "Größe 大", `a\b`: `a\b`, "": "", "=1+1": "=1+1", "a\"b": "a\"b",
		"a\nb": `"a\nb"`, "\x1b[0m": `"\x1b[0m"`, `"quoted"`: `"\"quoted\""`, " a": `" a"`, "a ": `"a "`, "a\u00a0b": `"a\u00a0b"`,
		"\u202e": `"\u202e"`, "a\xff": `"a\xff"`, "\ufffd": `"\ufffd"`, "\u200b": `"\u200b"`,
	} {
		got := shown(text)
		if got != want && !(text == "\ufffd" && strings.HasPrefix(got, `"`)) {
			t.Errorf("%q is shown as %s, want %s", text, got, want)
		}
	}
}

func TestMomentsSayHowFarOffTheyAre(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	for want, d := range map[string]time.Duration{
		"2026-02-10T10:00:00Z (in 10d)": 240 * time.Hour, "2026-02-01T22:00:00Z (in 36h)": 36 * time.Hour, "2026-01-31T11:30:00Z (in 90m)": 90 * time.Minute,
		"2026-01-31T10:01:00Z (in 60s)": time.Minute, "2026-05-01T09:59:59Z (in 90d)": 90*24*time.Hour - time.Second, "2026-01-31T10:00:00Z (0s ago)": 0, "2026-01-29T10:00:00Z (2d ago)": -48 * time.Hour,
	} {
		at := now.Add(d)
		if got := moment(&at, now); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if moment(nil, now) != "" {
		t.Error("no moment is one")
	}
}

func TestTheLastUseIsAnHourAndNoMoment(t *testing.T) {
	one := `{"id":"5f3a9c0d1e2b4a67","name":"n","scopes":["mint"],"created_at":"2026-01-31T01:40:00Z","expires_at":null,"networks":[],"restriction":null,"previous_until":null,"last_used_at":"2026-01-31T01:00:00Z"}`
	for _, test := range []struct {
		answer string
		args   []string
	}{
		{`{"items":[` + one + `],"next":null}`, []string{"token", "list"}},
		{one, []string{"token", "show", "5f3a9c0d1e2b4a67"}},
	} {
		f := newFakeAdmin(t, always(http.StatusOK, test.answer))
		o := run(t, append(test.args, "--data-dir", f.dir)...).want(t, exitOK)
		if !strings.Contains(o.stdout, "in the hour from 2026-01-31T01:00:00Z") || strings.Contains(o.stdout, "01:00:00Z (") {
			t.Errorf("printed %q", o.stdout)
		}
	}
}

func TestWhatIsShownOnceGoesIntoANewFileThatNobodyElseReads(t *testing.T) {
	t.Parallel()
	documented := examples(t)
	const value, text = "0123456789abcdef0123456789abcdef", "ems_acme_VWM00my5rsNSFlKgaWqQ4mb8gdEqno0YqdLQ"
	for _, test := range []struct {
		example, secret string
		args            []string
	}{
		{"KeyMade", value, []string{"key", "create"}},
		{"Rotated", value, []string{"key", "rotate"}},
		{"Revealed", value, []string{"key", "reveal", "k", "--yes"}},
		{"JWK", documented["JWK"], []string{"key", "export", "k", "--yes"}},
		{"TokenMade", text, []string{"token", "create", "--name", "n", "--scopes", "mint"}},
		{"TokenRefreshed", text, []string{"token", "refresh", "t"}},
		{"AuditKey", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", []string{"audit", "key", "--yes"}},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			f := newFakeAdmin(t, always(http.StatusOK, documented[test.example]))
			hidden := test.secret
			if test.example == "JWK" {
				hidden = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
			}
			for _, output := range []string{"text", "json"} {
				out := filepath.Join(t.TempDir(), "secret")
				args := append(test.args, "--secret-out", out, "--output", output)
				o := f.run(t, args...).want(t, exitOK)
				info, err := os.Stat(out)
				if err != nil || info.Mode() != 0o600 || contents(t, out) != test.secret+"\n" {
					t.Fatalf("the file: %v, %v", info, err)
				}
				if strings.Contains(o.stdout+o.stderr, hidden) {
					t.Errorf("%s: shown too: %+v", output, o)
				}
				if output == "json" {
					parsed(t, o.stdout)
				}
				f.questions()
				f.run(t, args...).want(t, exitFailure, "is there already")
				if asked := f.questions(); len(asked) != 0 || contents(t, out) != test.secret+"\n" {
					t.Errorf("asked %+v", asked)
				}
			}
			refusing := newFakeAdmin(t, func(w http.ResponseWriter, _ *http.Request) { sayProblem(w, http.StatusNotFound, notFound) })
			out := filepath.Join(t.TempDir(), "secret")
			refusing.run(t, append(test.args, "--secret-out", out)...).want(t, exitRefused)
			if exists(out) {
				t.Error("a refusal leaves a file")
			}
			f.questions()
			f.run(t, append(test.args, "--secret-out", filepath.Join(out, "below"))...).want(t, exitFailure, "--secret-out")
			if asked := f.questions(); len(asked) != 0 {
				t.Errorf("asked %+v", asked)
			}
		})
	}
}

func TestASecretThatCannotBeWrittenIsPrintedSoThatItIsNotLost(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full")
	}
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := &secretOut{path: "/dev/full", f: f}
	body, err := out.take([]byte(`{"id":"x","value":"v"}`), "value")
	if err == nil || string(body) != `{"id":"x","value":"v"}` || out.kept {
		t.Errorf("%s, %v", body, err)
	}
	_ = f.Close()
}

func TestAKeyThatStaysInVaultLeavesNoFile(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t, always(http.StatusCreated, strings.Replace(examples(t)["Key"], `"material"`, `"vault-transit"`, 1)))
	out := filepath.Join(t.TempDir(), "secret")
	f.run(t, "key", "create", "--secret-out", out).want(t, exitOK, "its value stays with the custody vault-transit", "nothing is written to "+out)
	if exists(out) {
		t.Error("there is a file")
	}
}

func TestAMemberIsTakenOutAndTheOthersStay(t *testing.T) {
	t.Parallel()
	rest, taken, err := without([]byte(`{ "a" : 1.50, "key":{"value":"v","b":"<\u003e"} ,"value":null}`), "key", "value")
	if err != nil || string(taken) != `"v"` || string(rest) != `{"a":1.50,"key":{"b":"<\u003e"},"value":null}` {
		t.Errorf("%s, %s, %v", rest, taken, err)
	}
	for _, text := range []string{"", "[]", "7", `{"a":`, `{"a":1`} {
		if _, _, err := without([]byte(text), "a"); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}

func TestSinceCanBeSaidAsHowLongAgo(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"PT1H": "2026-01-31T09:00:00Z", "P1D": "2026-01-30T10:00:00Z", "2026-01-31T10:00:00+02:00": "2026-01-31T08:00:00Z",
	} {
		if got, err := ago(text, now); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}
