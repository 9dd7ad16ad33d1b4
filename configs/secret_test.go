package configs_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/configs"
	"embedseal/domain/apitoken"
	"embedseal/domain/secret"
	"embedseal/domain/token"
)

// comparers let go-cmp look at values whose fields are their own business.
var comparers = cmp.Options{
	cmp.Comparer(secret.Text.Equal),
	cmp.Comparer(func(a, b token.Origin) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b token.ChartClaim) bool { return a == b }),
}

// apiToken is well-formed and belongs to nobody.
var apiToken = apitoken.New("default", [apitoken.Entropy]byte{1, 2, 3}).Reveal()

// operatorToken is as short as one may be.
const operatorToken = "operator-0123456789-abcdefghijkl"

const canary = "hunter2-correct-horse"

func TestASecretIsReadFromEveryPlaceThatMayHoldIt(t *testing.T) {
	contents := map[string]string{
		"inline.yaml": "master_key: " + canary, "named.yaml": "master_key_file: bare",
		"bare": canary, "newline": canary + "\n", "crlf": canary + "\r\n",
	}
	tests := []struct {
		name, source, file string
		in                 configs.Input
	}{
		{"the configuration file", "file inline.yaml:1", "", configs.Input{File: "inline.yaml"}},
		{"a file that it names", "the file of master_key_file, from file named.yaml:1", "bare", configs.Input{File: "named.yaml"}},
		{"the environment", "environment EMBEDSEAL_MASTER_KEY", "", configs.Input{Environ: []string{"EMBEDSEAL_MASTER_KEY=" + canary}}},
		{"a file that the environment names", "the file of master_key_file, from environment EMBEDSEAL_MASTER_KEY_FILE", "newline",
			configs.Input{Environ: []string{"EMBEDSEAL_MASTER_KEY_FILE=newline"}}},
		{"a file that a flag names", "the file of master_key_file, from flag --master-key-file", "crlf",
			configs.Input{Flags: map[string]string{"master_key_file": "crlf"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.in.Open = files(contents)
			c, err := configs.Load(test.in)
			if err != nil {
				t.Fatal(err)
			}
			if c.MasterKey.Reveal() != canary {
				t.Error("another secret was read")
			}
			want := configs.Setting{Key: "master_key", Value: secret.Redacted, Source: test.source}
			if diff := cmp.Diff(want, source(t, c, "master_key")); diff != "" {
				t.Error(diff)
			}
			if c.MasterKeyFile != test.file {
				t.Errorf("the file is %q", c.MasterKeyFile)
			}
		})
	}
}

func TestNoPrintingOfAConfigurationShowsASecret(t *testing.T) {
	c := load(t, "master_key: "+canary, []string{"EMBEDSEAL_API_TOKEN=" + apiToken}, nil)
	if c.Client.APIToken.Reveal() != apiToken {
		t.Fatal("the API token was not read")
	}
	shown, err := json.Marshal(struct {
		Config   configs.Config
		Settings []configs.Setting
	}{c, c.Settings()})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(shown), fmt.Sprintf("%v %+v %#v", c, c, c), fmt.Sprint(c.Settings())} {
		if strings.Contains(text, canary) || strings.Contains(text, apiToken) {
			t.Errorf("shows a secret: %s", text)
		}
	}
}

func TestNoFaultShowsASecret(t *testing.T) {
	file := func(text string) configs.Input {
		return configs.Input{File: "e.yaml", Open: files(map[string]string{
			"e.yaml": text, "spaced": canary + " x\n", "empty": "\n", "lines": canary + "\n\n", "long": canary + strings.Repeat("x", 5000),
		})}
	}
	tests := map[string]configs.Input{
		"a list":                         file("master_key: [" + canary + "]"),
		"a mapping":                      file("master_key: {" + canary + ": x}"),
		"a mapping by accident":          file("master_key:\n  " + canary + ": x"),
		"no space behind the colon":      file("master_key:" + canary),
		"no space, and more lines":       file("store: file\nmaster_key:" + canary + "\nlog: {}"),
		"no space, and a colon":          file("master_key:" + canary + ": x"),
		"an equals sign":                 file("master_key=" + canary + ": x"),
		"a colon within":                 file("master_key: " + canary + ": x"),
		"like an anchor":                 file("master_key: &" + canary),
		"like an alias":                  file("master_key: *" + canary),
		"like a tag":                     file("master_key: !" + canary),
		"like a tag with a value":        file("master_key: !!int " + canary),
		"like a tag of a float":          file("master_key: !!float " + canary),
		"like a directive":               file("master_key: %" + canary),
		"like something reserved":        file("master_key: @" + canary),
		"like a block":                   file("master_key: |" + canary),
		"a quote that stays open":        file("master_key: \"" + canary),
		"a wrong escape":                 file(`master_key: "\q` + canary + `"`),
		"an alias for a section":         file("http: *" + canary),
		"twice":                          file("master_key: " + canary + "\nmaster_key: " + canary),
		"a space":                        file("master_key: " + canary + " " + canary),
		"a line break":                   file("master_key: \"" + canary + "\\n\""),
		"a malformed API token":          file("api_token: " + canary),
		"the wrong place for a secret":   file("master_key_file: " + canary),
		"a short operator token":         file("operator_token: " + canary),
		"a short token of an operator":   file("admin:\n  operator_token: " + canary),
		"an operator token with accents": file("operator_token: é" + canary + canary),
		"the wrong place for a token":    file("api_token_file: " + apiToken),
		"both":                           file("master_key: " + canary + "\nmaster_key_file: spaced"),
		"a file with a space":            file("master_key_file: spaced"),
		"a file with two lines":          file("master_key_file: lines"),
		"a file that is too long":        file("master_key_file: long"),
		"a file for another secret":      file("api_token_file: spaced"),
		"an empty file":                  file("master_key_file: empty"),
		"a user in the server's URL":     file("server: http://x:" + canary + "@mint.example"),
		"a query in the server's URL":    file("server: http://mint.example/?t=" + canary),
		"no URL":                         file("server: '" + canary + "'"),
		"a password in an origin":        file("http: {browser_origins: ['https://x:" + canary + "@a.example']}"),
		"an unknown variable":            {Environ: []string{"EMBEDSEAL_MASTERKEY=" + canary}},
		"a variable with a strange name": {Environ: []string{"EMBEDSEAL_MASTER_KEY:" + canary + "=x"}},
		"a variable that is malformed":   {Environ: []string{"EMBEDSEAL_API_TOKEN=" + canary}},
		"a variable that is empty":       {Environ: []string{"EMBEDSEAL_MASTER_KEY="}},
		"a file variable that is empty":  {Environ: []string{"EMBEDSEAL_MASTER_KEY_FILE="}},
		"a flag":                         {Flags: map[string]string{"api_token": canary}},
		"a flag that is empty":           {Flags: map[string]string{"api_token_file": ""}},
		"an unknown flag":                {Flags: map[string]string{"apitoken": canary}},
	}
	for name, in := range tests {
		t.Run(name, func(t *testing.T) {
			for _, f := range faults(t, in) {
				if text := f.String(); strings.Contains(text, "hunter2") || strings.Contains(text, apiToken) {
					t.Errorf("shows the secret: %s", text)
				}
			}
		})
	}
}

func TestASecretAndItsFileTogetherAreRefusedWhereverTheyStand(t *testing.T) {
	open := files(map[string]string{"k": canary, "a.yaml": "master_key: x", "b.yaml": "master_key_file: k"})
	tests := map[string]configs.Input{
		"environment twice":    {Environ: []string{"EMBEDSEAL_MASTER_KEY=x", "EMBEDSEAL_MASTER_KEY_FILE=k"}},
		"file and environment": {File: "a.yaml", Environ: []string{"EMBEDSEAL_MASTER_KEY_FILE=k"}},
		"environment and file": {File: "b.yaml", Environ: []string{"EMBEDSEAL_MASTER_KEY=x"}},
		"file and flag":        {File: "a.yaml", Flags: map[string]string{"master_key_file": "k"}},
		"though it is unread":  {File: "a.yaml", Flags: map[string]string{"master_key_file": "k"}, Unread: []string{"master_key"}},
	}
	for name, in := range tests {
		t.Run(name, func(t *testing.T) {
			in.Open = open
			got := faults(t, in)
			if len(got) != 1 || got[0].Key != "master_key" || !strings.Contains(got[0].Detail, "keep one of them") {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestTheFileOfAnUnreadSecretIsLeftAlone(t *testing.T) {
	c, err := configs.Load(configs.Input{Flags: map[string]string{"master_key_file": "nowhere"}, Unread: []string{"master_key"}})
	if err != nil {
		t.Fatal(err)
	}
	if !c.MasterKey.IsZero() || c.MasterKeyFile != "nowhere" {
		t.Errorf("got %+v", c)
	}
}

func TestASecretThatOthersCanReadIsWarnedAbout(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	open, closed := write("open.key", canary, 0o640), write("closed.key", canary, 0o600)
	tests := []struct {
		name, file, key string
		want            []string
	}{
		{"a closed file", "", closed, nil},
		{"a file open to the group", "", open, []string{"master_key_file (environment EMBEDSEAL_MASTER_KEY_FILE): the file is open to others (mode 0640); chmod 600 it"}},
		{"an open configuration without a secret", write("a.yaml", "store: file", 0o644), "", nil},
		{"a closed configuration with a secret", write("b.yaml", "master_key: k", 0o600), "", nil},
		{"an open configuration with a secret", write("c.yaml", "master_key: k", 0o604), "",
			[]string{"file " + dir + "/c.yaml: it holds a secret and is open to others (mode 0604); chmod 600 it"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := configs.Input{File: test.file}
			if test.key != "" {
				in.Environ = []string{"EMBEDSEAL_MASTER_KEY_FILE=" + test.key}
			}
			c, err := configs.Load(in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, c.Warnings); diff != "" {
				t.Error(diff)
			}
		})
	}
}
