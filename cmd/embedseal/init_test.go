package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/domain/apitoken"
)

func lastingStores() []string { return []string{storeBbolt, storeFile} }

// snapshot is the mode and the hash of everything in a directory.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		seen[name] = info.Mode().String()
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			seen[name] += fmt.Sprintf(" %x", sha256.Sum256(data))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// unchanged fails the test when a directory is not what it was.
func unchanged(t *testing.T, dir string, before map[string]string) {
	t.Helper()
	if diff := cmp.Diff(before, snapshot(t, dir)); diff != "" {
		t.Errorf("something was written (-before +after):\n%s", diff)
	}
}

func membersOf(t *testing.T, o outcome) []string {
	t.Helper()
	var members []string
	for name := range decode[map[string]json.RawMessage](t, o) {
		members = append(members, name)
	}
	slices.Sort(members)
	return members
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func contents(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestInitMakesAStoreOnceAndShowsItsSecretsOnce(t *testing.T) {
	for _, store := range lastingStores() {
		t.Run(store, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a", "b c")
			args := []string{"init", "--data-dir", dir, "--store", store, "--output", "json"}
			o := run(t, args...).want(t, exitOK)
			if o.stderr != "" {
				t.Errorf("standard error: %s", o.stderr)
			}
			want := []string{"api_token", "api_token_file", "created", "custody", "data_dir", "group", "key_id", "key_value", "store"}
			if diff := cmp.Diff(want, membersOf(t, o)); diff != "" {
				t.Error(diff)
			}
			made := decode[initialised](t, o)
			if presented, err := apitoken.Parse(made.APIToken); err != nil || presented.Group() != "default" {
				t.Errorf("the token: %v", err)
			}
			if len(made.KeyID) != 36 || len(made.KeyValue) != 32 {
				t.Errorf("key %s with %d characters", made.KeyID, len(made.KeyValue))
			}
			expected := initialised{
				Created: true, DataDir: dir, Store: store, Group: "default", APIToken: made.APIToken,
				APITokenFile: filepath.Join(dir, "api-token"), KeyID: made.KeyID, Custody: "material", KeyValue: made.KeyValue,
			}
			if diff := cmp.Diff(expected, made); diff != "" {
				t.Error(diff)
			}
			if got := contents(t, made.APITokenFile); got != made.APIToken+"\n" {
				t.Errorf("%s is not the token", made.APITokenFile)
			}

			before := snapshot(t, dir)
			for name, seen := range before {
				if mode, _, _ := strings.Cut(seen, " "); mode != "-rw-------" && mode != "drwx------" {
					t.Errorf("%s has mode %s", name, mode)
				}
			}
			o = run(t, args...).want(t, exitOK)
			if diff := cmp.Diff([]string{"api_token_file", "created", "custody", "data_dir", "group", "key_id", "store"}, membersOf(t, o)); diff != "" {
				t.Error(diff)
			}
			expected.Created, expected.APIToken, expected.KeyValue = false, "", ""
			if diff := cmp.Diff(expected, decode[initialised](t, o)); diff != "" {
				t.Error(diff)
			}
			unchanged(t, dir, before)
		})
	}
}

func TestInitSaysTheSameInWords(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first := run(t, "init", "--data-dir", dir, "--listen", ":7777").want(t, exitOK)
	second := run(t, "init", "--data-dir", dir).want(t, exitOK)
	apiToken := strings.TrimSpace(contents(t, filepath.Join(dir, "api-token")))
	if !strings.Contains(first.stdout, apiToken) || !strings.Contains(first.stdout, "http://127.0.0.1:7777/api/generate_jwt/") {
		t.Errorf("the first says\n%s", first.stdout)
	}
	if strings.Contains(second.stdout, apiToken) || !strings.Contains(second.stdout, "Nothing was made.") {
		t.Errorf("the second says\n%s", second.stdout)
	}
}

func TestInitClosesADirectoryThatWasOpenToOthers(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, "init", "--data-dir", dir).want(t, exitOK, "closed "+dir+" to other users")
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestInitRefusesWhatItCannotDoAndLeavesEverythingAlone(t *testing.T) {
	root := t.TempDir()
	plain := write(t, filepath.Join(root, "plain"), "x")
	sticky := filepath.Join(root, "shared")
	if err := os.Mkdir(sticky, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(sticky, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	for _, store := range lastingStores() {
		initialise(t, filepath.Join(root, "in "+store), store)
	}
	before := snapshot(t, root)
	for _, test := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"a store in memory", []string{"--store", "memory", "--data-dir", filepath.Join(root, "m")}, exitUsage, "serve --dev"},
		{"another type of store, file", []string{"--store", "file", "--data-dir", filepath.Join(root, "in bbolt")}, exitFailure, "holds a bbolt store already"},
		{"another type of store, bbolt", []string{"--store", "bbolt", "--data-dir", filepath.Join(root, "in file")}, exitFailure, "holds a file store already"},
		{"a file", []string{"--data-dir", plain}, exitFailure, plain + " is a file"},
		{"a directory below a file", []string{"--data-dir", filepath.Join(plain, "below")}, exitFailure, filepath.Join(plain, "below")},
		{"a directory that all users share", []string{"--data-dir", sticky}, exitFailure, "choose a directory of its own"},
		{"a store that is none", []string{"--store", "redis"}, exitConfig, "one of bbolt, file, memory"},
		{"a master key file that is not there", []string{"--data-dir", filepath.Join(root, "n"), "--master-key-file", "nowhere"}, exitConfig, "master_key_file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			run(t, append([]string{"init"}, test.args...)...).want(t, test.code, test.says)
			unchanged(t, root, before)
		})
	}
}

func TestWhatAKilledInitLeftIsSweptAway(t *testing.T) {
	dir := t.TempDir()
	stale := write(t, filepath.Join(dir, ".master.key.new-123"), randomKey("stale"))
	foreign := write(t, filepath.Join(dir, ".keep"), "")
	initialise(t, dir, storeBbolt)
	if exists(stale) || !exists(foreign) {
		t.Errorf("a copy of a master key is left: %v, a file of somebody else is left: %v", exists(stale), exists(foreign))
	}
}

func TestSeveralInitsAtOnceMakeOneStore(t *testing.T) {
	t.Parallel()
	for _, store := range lastingStores() {
		t.Run(store, func(t *testing.T) {
			for range 3 {
				dir := filepath.Join(t.TempDir(), "data")
				var racers []*process
				for range 3 {
					racers = append(racers, start(t, nil, "init", "--data-dir", dir, "--store", store, "--output", "json"))
				}
				var created []initialised
				keys := map[string]bool{}
				for _, racer := range racers {
					made := decode[initialised](t, racer.wait(t).want(t, exitOK))
					keys[made.KeyID] = true
					if made.Created {
						created = append(created, made)
					}
				}
				if len(created) != 1 || len(keys) != 1 {
					t.Fatalf("%d of 3 made something, and there are %d keys", len(created), len(keys))
				}
				mints(t, dir, store, created[0].APIToken, created[0].KeyID)
			}
		})
	}
}

func TestWhatInitSaysToPasteServesWhatItMade(t *testing.T) {
	root := t.TempDir()
	for _, test := range []struct {
		args []string
		line string
	}{
		{[]string{"--data-dir", root + "/a b", "--store", "file", "--listen", "127.0.0.1:9999"}, "--store file --data-dir '" + root + "/a b' --listen 127.0.0.1:9999"},
		{[]string{"--data-dir", root + "/b"}, "--data-dir " + root + "/b"},
	} {
		for range 2 { // the second finds it, and says the same
			o := run(t, append([]string{"init"}, test.args...)...).want(t, exitOK)
			if !strings.Contains(o.stdout, "\n  embedseal serve "+test.line+"\n") {
				t.Errorf("it does not say how to serve:\n%s", o.stdout)
			}
		}
	}
	file := write(t, root+"/config.yaml", "data_dir: "+root+"/c\n")
	if o := run(t, "init", "--config", file).want(t, exitOK); !strings.Contains(o.stdout, "\n  embedseal serve --config "+file+"\n") {
		t.Errorf("it does not say how to serve:\n%s", o.stdout)
	}
}

// mints proves that the store serves, and that its token mints with that key.
func mints(t *testing.T, dir, store, apiToken, keyID string) {
	t.Helper()
	s := serve(t, "--data-dir", dir, "--store", store)
	defer s.stop(t)
	a := post(t, s.address, apiToken, goodBody)
	if a.status != 200 {
		t.Fatalf("the token mints nothing: %s", a.text)
	}
	if kid := inspected(t, a.JWT, "").Header.Kid; kid != keyID {
		t.Fatalf("sealed with %s and not with %s", kid, keyID)
	}
}

func TestAnInitThatCouldNotShowItsSecretsShowsThemTheNextTime(t *testing.T) {
	for _, output := range []string{"text", "json"} {
		t.Run(output, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			args := []string{"init", "--data-dir", dir, "--output", output}
			world{stdout: full{}}.run(t, args...).want(t, exitFailure, "no space left on device")
			made := initialise(t, dir, storeBbolt)
			if made.APIToken+"\n" != contents(t, filepath.Join(dir, "api-token")) || made.KeyValue == "" {
				t.Errorf("it shows %+v", made)
			}
			if strings.Contains(run(t, args...).want(t, exitOK).stdout, made.APIToken) {
				t.Error("the token is shown again")
			}
		})
	}
}

// randomKey is a master key, as text.
func randomKey(seed string) string {
	sum := sha256.Sum256([]byte(seed))
	return hex.EncodeToString(sum[:])
}
