package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"embedseal/configs"
)

func TestEveryFaultOfAConfigurationIsSaidAtOnce(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "bad.yaml"), "store: redis\nhttp:\n  listen: nowhere\n  lisen: x\nrate:\n  token_burst: many\n")
	w := world{environ: []string{"EMBEDSEAL_LOG_LEVEL=loud", "EMBEDSEAL_STROE=file", "HOME=/root"}}
	args := []string{"config", "validate", "--config", path, "--rate-limit", "maybe", "--http-idle-timeout", "1"}
	want := []configs.Fault{
		{Key: "store", Source: "file " + path + ":1"}, {Key: "http.listen", Source: "file " + path + ":3"},
		{Key: "http.lisen", Source: "file " + path + ":4"}, {Key: "rate.token_burst", Source: "file " + path + ":6"},
		{Key: "log.level", Source: "environment EMBEDSEAL_LOG_LEVEL"}, {Key: "", Source: "environment EMBEDSEAL_STROE"},
		{Key: "http.idle_timeout", Source: "flag --http-idle-timeout"}, {Key: "rate_limit", Source: "flag --rate-limit"},
	}
	o := w.run(t, args...).want(t, exitConfig, "8 faults")
	for _, f := range want {
		if !strings.Contains(o.stderr, f.Source) || !strings.Contains(o.stderr, f.Key) {
			t.Errorf("%s (%s) is not named:\n%s", f.Key, f.Source, o.stderr)
		}
	}
	type verdict struct {
		Valid  bool            `json:"valid"`
		Faults []configs.Fault `json:"faults"`
	}
	got := decode[verdict](t, w.run(t, append(args, "--output", "json")...).want(t, exitConfig))
	if got.Valid || len(got.Faults) != len(want) {
		t.Fatalf("as JSON: %+v", got)
	}
	for i, f := range got.Faults {
		if f.Key != want[i].Key || f.Source != want[i].Source || f.Detail == "" {
			t.Errorf("fault %d: %+v, want %+v", i, f, want[i])
		}
	}
	for _, verb := range []string{"serve", "init", "mint --provided-id c --embed-id e", "inspect x", "config show"} {
		w.run(t, append(strings.Fields(verb), "--config", path)...).want(t, exitConfig, "6 faults")
	}
	run(t, "config", "validate", "--config", path+".not").want(t, exitConfig, "--config", `"`+path+`.not" cannot be read`)
}

func TestAGoodConfigurationIsCalledValid(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "good.yaml"), "store: file\n")
	for _, w := range []struct {
		world
		args []string
		file string
	}{
		{world{}, nil, ""},
		{world{}, []string{"--config", path}, path},
		{world{environ: []string{"EMBEDSEAL_CONFIG=" + path}}, nil, path},
	} {
		if o := w.run(t, append([]string{"config", "validate"}, w.args...)...).want(t, exitOK); o.stdout != "The configuration is valid.\n" {
			t.Errorf("it says %q", o.stdout)
		}
		type verdict struct {
			Valid    bool     `json:"valid"`
			File     string   `json:"file"`
			Warnings []string `json:"warnings"`
		}
		got := decode[verdict](t, w.run(t, append([]string{"config", "validate", "--output", "json"}, w.args...)...).want(t, exitOK))
		if !got.Valid || got.File != w.file || got.Warnings == nil || len(got.Warnings) != 0 {
			t.Errorf("as JSON: %+v", got)
		}
	}
	o := run(t, "config", "validate", "--server", "http://mint.example").want(t, exitOK, "embedseal: warning: server: ")
	if o.stdout != "The configuration is valid.\n" {
		t.Errorf("it says %q", o.stdout)
	}
}

func TestConfigShowsEveryValueAndItsSource(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "some.yaml"), "store: file\nrate_limit: off\nrate:\n  token_burst: 5\n")
	w := world{environ: []string{"EMBEDSEAL_RATE_TOKEN_BURST=6", "EMBEDSEAL_RATE_FAILURE_BURST=7"}}
	args := []string{"config", "show", "--config", path, "--rate-failure-burst", "8", "--listen", "127.0.0.1:9"}
	got := map[string]configs.Setting{}
	for _, s := range decode[[]configs.Setting](t, w.run(t, append(args, "--output", "json")...).want(t, exitOK)) {
		got[s.Key] = s
	}
	for _, k := range configs.Keys() {
		if _, shown := got[k.Path]; !shown {
			t.Errorf("%s is not shown", k.Path)
		}
	}
	for _, want := range []configs.Setting{
		{Key: "store", Value: "file", Source: "file " + path + ":1"},
		{Key: "rate_limit", Value: "off", Source: "file " + path + ":2"},
		{Key: "rate.token_burst", Value: "6", Source: "environment EMBEDSEAL_RATE_TOKEN_BURST"},
		{Key: "rate.failure_burst", Value: "8", Source: "flag --rate-failure-burst"},
		{Key: "rate.token_per_second", Value: "1000", Source: "default"},
		{Key: "http.listen", Value: "127.0.0.1:9"},
	} {
		if want.Key == "http.listen" { // whichever of its two flags was given
			want.Source = got[want.Key].Source
		}
		if got[want.Key] != want || !strings.HasPrefix(got["http.listen"].Source, "flag --") {
			t.Errorf("got %+v, want %+v", got[want.Key], want)
		}
	}
	text := w.run(t, args...).want(t, exitOK).stdout
	for _, s := range got {
		found := slices.ContainsFunc(strings.Split(text, "\n"), func(line string) bool {
			return strings.HasPrefix(line, s.Key+" ") && strings.Contains(line, s.Value) && strings.HasSuffix(line, s.Source)
		})
		if !found {
			t.Errorf("the table has no line with %+v:\n%s", s, text)
		}
	}
}

func TestNoSecretOfAConfigurationIsShown(t *testing.T) {
	dir := t.TempDir()
	made := initialise(t, filepath.Join(dir, "data"), storeBbolt)
	master := randomKey("canary")
	inline := write(t, filepath.Join(dir, "inline.yaml"), "master_key: "+master+"\napi_token: "+made.APIToken+"\n")
	misplaced := write(t, filepath.Join(dir, "misplaced.yaml"), "master_key: ["+master+"]\n"+master+": x\nstore: "+master+"\napi_tokn: "+made.APIToken+"\n")
	keyFile, tokenFile := write(t, filepath.Join(dir, "k"), master), write(t, filepath.Join(dir, "t"), made.APIToken)
	for _, test := range []struct {
		name string
		world
		args     []string
		code     int
		redacted int
	}{
		{"in the environment", world{environ: []string{"EMBEDSEAL_MASTER_KEY=" + master, "EMBEDSEAL_API_TOKEN=" + made.APIToken}}, nil, exitOK, 2},
		{"in files", world{environ: []string{"EMBEDSEAL_MASTER_KEY_FILE=" + keyFile, "EMBEDSEAL_API_TOKEN_FILE=" + tokenFile}}, nil, exitOK, 2},
		{"in files of flags", world{}, []string{"--master-key-file", keyFile, "--api-token-file", tokenFile}, exitOK, 2},
		{"in the configuration", world{}, []string{"--config", inline}, exitOK, 2},
		{"twice", world{environ: []string{"EMBEDSEAL_MASTER_KEY=" + master, "EMBEDSEAL_MASTER_KEY_FILE=" + keyFile}}, nil, exitConfig, 0},
		{"for the name of a file", world{environ: []string{"EMBEDSEAL_MASTER_KEY_FILE=" + master, "EMBEDSEAL_API_TOKEN_FILE=" + made.APIToken}}, nil, exitConfig, 0},
		{"a token that is none", world{environ: []string{"EMBEDSEAL_API_TOKEN=" + master}}, nil, exitConfig, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, verb := range []string{"show", "validate"} {
				for _, output := range []string{"text", "json"} {
					o := test.run(t, append([]string{"config", verb, "--output", output}, test.args...)...).want(t, test.code)
					said := o.stdout + o.stderr
					for _, secret := range []string{master, made.APIToken, made.APIToken[len("ems_default_"):]} {
						if strings.Contains(said, secret) {
							t.Errorf("config %s shows a secret:\n%s", verb, said)
						}
					}
					if verb == "show" && strings.Count(o.stdout, "[redacted]") != test.redacted {
						t.Errorf("want %d redacted:\n%s", test.redacted, o.stdout)
					}
				}
			}
		})
	}
	o := run(t, "config", "validate", "--config", misplaced).want(t, exitConfig)
	if strings.Contains(o.stderr, made.APIToken) {
		t.Errorf("a misplaced token is shown:\n%s", o.stderr)
	}
	run(t, "config", "validate", "--api-token-file", filepath.Join(dir, "none")).want(t, exitConfig, "api_token_file", "cannot be read")
}

func TestAFaultNamesTheFlagThatWasUsed(t *testing.T) {
	for _, flag := range []string{"--listen", "--http-listen"} {
		run(t, "serve", flag, "nonsense").want(t, exitConfig, "(flag "+flag+"):")
		for _, s := range decode[[]configs.Setting](t, run(t, "config", "show", flag, "127.0.0.1:7", "--output", "json").want(t, exitOK)) {
			if s.Key == "http.listen" && s.Source != "flag "+flag {
				t.Errorf("%s: shown as from %s", flag, s.Source)
			}
		}
	}
}
