package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestVersionIsThatOfTheBuild(t *testing.T) {
	t.Parallel()
	type about struct {
		Version string `json:"version"`
		Go      string `json:"go"`
		OS      string `json:"os"`
		Arch    string `json:"arch"`
	}
	want := about{"v1.2.3", runtime.Version(), runtime.GOOS, runtime.GOARCH}
	if got := decode[about](t, run(t, "version", "--output", "json").want(t, exitOK)); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if o := run(t, "version"); o.stdout != "embedseal v1.2.3 ("+runtime.Version()+", "+runtime.GOOS+"/"+runtime.GOARCH+")\n" {
		t.Errorf("it says %q", o.stdout)
	}
	if got := decode[about](t, execute(t, "version", "--output", "json").want(t, exitOK)); got.Version == "" || got.Go != runtime.Version() {
		t.Errorf("the binary says %+v", got)
	}
}

func TestCompletionIsAScriptThatItsShellAccepts(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		t.Run(shell, func(t *testing.T) {
			o := run(t, "completion", shell).want(t, exitOK)
			if !strings.Contains(o.stdout, "embedseal") || !strings.Contains(o.stdout, "__complete") {
				t.Fatalf("no completion of embedseal:\n%.300s", o.stdout)
			}
			if got := decode[map[string]string](t, run(t, "completion", shell, "--output", "json").want(t, exitOK))["script"]; got != o.stdout {
				t.Error("as JSON it is another script")
			}
			checks := map[string][]string{"bash": {"-n"}, "zsh": {"-n"}, "fish": {"--no-execute"}}[shell]
			path, err := exec.LookPath(shell)
			if checks == nil || err != nil && shell != "bash" { // bash is everywhere; the others are looked at where they are
				return
			}
			script := write(t, filepath.Join(t.TempDir(), "script"), o.stdout)
			if out, err := exec.CommandContext(t.Context(), path, append(checks, script)...).CombinedOutput(); err != nil {
				t.Errorf("%s refuses it: %v\n%s", shell, err, out)
			}
		})
	}
	if o := run(t, "__complete", "config", "v").want(t, exitOK); !strings.HasPrefix(o.stdout, "validate\t") {
		t.Errorf("'config v' completes to %q", o.stdout)
	}
}

func TestTheManualHasAPageForEveryVerb(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "man1")
	run(t, "man", "--dir", dir).want(t, exitOK)
	for name, c := range verbs() {
		page := contents(t, filepath.Join(dir, "embedseal-"+strings.ReplaceAll(name, " ", "-")+".1"))
		o := run(t, append([]string{"man"}, strings.Fields(name)...)...).want(t, exitOK)
		for _, text := range []string{page, o.stdout} {
			if !strings.Contains(text, ".TH") || !strings.Contains(text, `embedseal v1.2.3`) {
				t.Errorf("the page of %s begins %.200s", name, text)
			}
			for _, f := range flagsOf(c) {
				if !strings.Contains(text, "-"+strings.ReplaceAll(f.Name, "-", "-")) {
					t.Errorf("the page of %s does not have --%s", name, f.Name)
				}
			}
		}
	}
	if o := run(t, "man").want(t, exitOK); !strings.Contains(o.stdout, "Exit codes") {
		t.Errorf("the page of the command has no exit codes")
	}
	parents := 7 // config, group, group policy, key, token, revoke, audit
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != len(verbs())+parents+1 {
		t.Errorf("%d pages, %v", len(entries), err)
	}
	if got := decode[map[string]string](t, run(t, "man", "--dir", dir, "--output", "json").want(t, exitOK)); got["dir"] != dir {
		t.Errorf("as JSON: %v", got)
	}
	if got := decode[map[string]string](t, run(t, "man", "serve", "--output", "json").want(t, exitOK)); got["page"] != run(t, "man", "serve").stdout {
		t.Errorf("as JSON: %.100v", got)
	}
}

func TestEveryVerbSpeaksJSON(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	made := initialise(t, dir, storeBbolt)
	s := serve(t, "--data-dir", dir, "--output", "json")
	asked := map[string]outcome{"serve": {stdout: s.stdout.String()}}
	for name, args := range map[string][]string{
		"init":            {"--data-dir", filepath.Join(t.TempDir(), "other")},
		"mint":            {"--server", "http://" + s.address, "--data-dir", dir, "--provided-id", "c", "--embed-id", "e"},
		"bench":           {"--server", "http://" + s.address, "--data-dir", dir, "--requests", "20"},
		"inspect":         {vector12},
		"verify":          {vector12, "--secret-file", write(t, filepath.Join(t.TempDir(), "secret"), vectorSecret)},
		"config validate": nil,
		"config show":     nil,
		"version":         nil,
		"completion":      {"zsh"},
		"man":             nil,
	} {
		asked[name] = run(t, append(append(strings.Fields(name), "--output", "json"), args...)...).want(t, exitOK)
	}
	_, v := fakeVault(t)
	asked["doctor"] = v.world().run(t, "doctor", "--output", "json").want(t, exitOK)
	shown, _ := startDemo(t)
	asked["demo"] = outcome{stdout: shown.stdout.String()}
	for name, c := range verbs() {
		if administers(c) { // see TestEveryVerbAsksTheAPIAndShowsItsAnswer
			continue
		}
		o, tried := asked[name]
		if !tried || !json.Valid([]byte(o.stdout)) || strings.Count(o.stdout, "\n") != 1 || o.stderr != "" {
			t.Errorf("%s: tried %v, standard output %q, standard error %q", name, tried, o.stdout, o.stderr)
			continue
		}
		object, _, _ := strings.Cut(strings.TrimPrefix(o.stdout, "["), "},")
		if name == "config show" { // a list: the first entry stands for all
			o.stdout = object + "}"
		}
		for _, member := range membersOf(t, o) {
			if !slices.Contains(printed()[name], member) {
				t.Errorf("%s prints the member %s, which is not documented", name, member)
			}
		}
	}
	if !strings.Contains(asked["mint"].stdout, `"success":1`) || made.APIToken == "" {
		t.Errorf("mint says %s", asked["mint"].stdout)
	}
}
