package main

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// destructive are the verbs that ask first, with what they show before.
func destructive() map[string]struct {
	args  []string
	shows []string
	does  string
} {
	type verb = struct {
		args  []string
		shows []string
		does  string
	}
	const revokes = "POST /admin/v1/groups/default/revocations"
	return map[string]verb{
		"group delete": {[]string{"acme"}, []string{"The group production (Production) will be deleted with its embed secrets (2) and API tokens (1). This cannot be undone."}, "DELETE /admin/v1/groups/acme"},
		"key destroy": {[]string{"k"}, []string{
			"The material of the embed secret " + exampleID + " (web shop), which is active, default, will be destroyed. This cannot be undone.",
			"It is not known whether tokens are left that it sealed; the server will refuse this without --force.",
		}, "DELETE /admin/v1/groups/default/keys/k"},
		"key disable":     {[]string{"k"}, []string{"Tokens that the embed secret " + exampleID + " (web shop) sealed stop working at once, until it is enabled again."}, "POST /admin/v1/groups/default/keys/k/disable"},
		"key reveal":      {[]string{"k"}, []string{"The value of the embed secret " + exampleID + " (web shop) of the group default will stand on this terminal"}, "POST /admin/v1/groups/default/keys/k/reveal"},
		"key export":      {[]string{"k"}, []string{"will stand on this terminal, and that it was shown will stand in the audit log."}, "GET /admin/v1/groups/default/keys/k/jwk"},
		"token revoke":    {[]string{"t"}, []string{"The API token " + tokenID + " (web shop) of the group default will be revoked; it was last used in the hour from 2026-02-01T09:00:00Z", "This cannot be undone."}, "DELETE /admin/v1/groups/default/tokens/t"},
		"revoke token":    {[]string{fingerprintID}, []string{"In the group default, the token of the fingerprint " + fingerprintID + " is refused from the next request on. This cannot be undone."}, revokes},
		"revoke customer": {[]string{"a b\u202e"}, []string{`In the group default, every token of the customer "a b\u202e" that was issued until now is refused from the next request on. This cannot be undone.`}, revokes},
		"revoke embed":    {[]string{"abcde", "--before", "2026-01-31T10:00:00Z"}, []string{"every token for the embed abcde that was issued up to 2026-01-31T10:00:00Z is refused"}, revokes},
		"revoke key":      {[]string{"k"}, []string{"every token under the key k that was issued until now is refused"}, revokes},
		"audit key":       {nil, []string{"whoever has it can forge records"}, "GET /admin/v1/audit/key"},
	}
}

// ofPath answers each path with what the document says is there.
func ofPath(documented map[string]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case strings.HasSuffix(path, "/reveal"):
			sayJSON(w, http.StatusOK, documented["Revealed"])
		case strings.HasSuffix(path, "/jwk"):
			sayJSON(w, http.StatusOK, documented["JWK"])
		case strings.HasSuffix(path, "/revocations"):
			sayJSON(w, http.StatusCreated, documented["RevocationMade"])
		case strings.HasSuffix(path, "/audit/key"):
			sayJSON(w, http.StatusOK, documented["AuditKey"])
		case strings.Contains(path, "/keys/"):
			sayJSON(w, http.StatusOK, documented["Key"])
		case r.Method == http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		case strings.Contains(path, "/tokens/"):
			sayJSON(w, http.StatusOK, documented["Token"])
		default:
			sayJSON(w, http.StatusOK, documented["Group"])
		}
	}
}

func TestWhatCannotBeTakenBackIsAskedAboutOnATerminal(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t, ofPath(examples(t)))
	for name, verb := range destructive() {
		t.Run(name, func(t *testing.T) {
			args := append(append(strings.Fields(name), verb.args...), "--data-dir", f.dir)
			for _, yes := range []string{"y\n", "YES\n", "yes"} {
				f.questions()
				world{stdin: yes, terminal: true}.run(t, args...).want(t, exitOK, append(verb.shows, "Go on? [y/N] ")...)
				if asked := f.questions(); len(asked) == 0 || asked[len(asked)-1].line != verb.does {
					t.Errorf("after %q asked %+v", yes, asked)
				}
			}
			for _, no := range []string{"", "\n", "n\n", "yeah\n", "no y\n"} {
				world{stdin: no, terminal: true}.run(t, args...).want(t, exitFailure, "not confirmed; nothing was done")
				if asked := f.questions(); len(asked) > 1 || len(asked) == 1 && !strings.HasPrefix(asked[0].line, "GET ") {
					t.Errorf("after %q asked %+v", no, asked)
				}
			}
			world{stdin: "y\n"}.run(t, args...).want(t, exitUsage, "there is no terminal to ask on: add --yes")
			if asked := f.questions(); len(asked) != 0 {
				t.Errorf("without a terminal asked %+v", asked)
			}
			if o := run(t, append(args, "--yes")...).want(t, exitOK); strings.Contains(o.stderr, "Go on?") {
				t.Errorf("with --yes: %+v", o)
			}
			if asked := f.questions(); len(asked) != 1 || asked[0].line != verb.does {
				t.Errorf("with --yes asked %+v", asked)
			}
		})
	}
	for name, c := range verbs() {
		if _, known := destructive()[name]; (c.Flags().Lookup("yes") != nil) != known {
			t.Errorf("%s: has --yes and is not tried here, or the other way round", name)
		}
	}
}

func TestWhatWasShownIsWhatGoes(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t, ofPath(examples(t)))
	for _, args := range [][]string{{"group", "delete", "g"}, {"key", "destroy", "k"}, {"key", "disable", "k"}, {"token", "revoke", "t"}} {
		world{stdin: "y\n", terminal: true}.run(t, append(args, "--data-dir", f.dir)...).want(t, exitOK)
		if asked := f.questions(); len(asked) != 2 || asked[1].match != `"0f1e2d3c4b5a6978"` {
			t.Errorf("%v: asked %+v", args, asked)
		}
		world{stdin: "y\n", terminal: true}.run(t, append(args, "--if-match", "*", "--data-dir", f.dir)...).want(t, exitOK)
		if asked := f.questions(); len(asked) != 2 || asked[1].match != "*" {
			t.Errorf("%v: asked %+v", args, asked)
		}
	}
}

func TestForceSaysWhatItBreaks(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t, ofPath(examples(t)))
	world{stdin: "n\n", terminal: true}.run(t, "key", "destroy", "k", "--force", "--data-dir", f.dir).want(t, exitFailure, "; they stop working at once.")
	world{stdin: "n\n", terminal: true}.run(t, "group", "delete", "k", "--force", "--data-dir", f.dir).want(t, exitFailure, "stop working at once.")
}

// A real terminal, as Debian's script makes one.
func TestARealTerminalIsAskedOn(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("script"); err != nil {
		t.Skip("there is no script (bsdutils)")
	}
	f := newFakeAdmin(t, ofPath(examples(t)))
	command := binary(t) + " key destroy k --data-dir " + f.dir
	for answer, code := range map[string]int{"y": exitOK, "n": exitFailure} {
		p := startIn(t, "", nil, "sh", "-c", `printf '`+answer+`\n' | script -qec '`+command+`' `+filepath.Join(t.TempDir(), "typescript"))
		o := p.wait(t)
		if o.code != code || !strings.Contains(o.stdout, "Go on? [y/N]") {
			t.Errorf("%s: %+v", answer, o)
		}
		asked := f.questions()
		if did := len(asked) == 2 && strings.HasPrefix(asked[1].line, "DELETE "); did != (code == exitOK) {
			t.Errorf("%s: asked %+v", answer, asked)
		}
	}
	// Neither a file nor /dev/null is a terminal.
	for _, from := range []string{"/dev/null", filepath.Join(f.dir, "answers")} {
		if from != "/dev/null" {
			write(t, from, "y\n")
		}
		o := startIn(t, "", nil, "sh", "-c", command+" < "+from).wait(t)
		o.want(t, exitUsage, "--yes")
	}
	if asked := f.questions(); len(asked) != 0 {
		t.Errorf("asked %+v", asked)
	}
}
