package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAMasterKeyFromOutsideIsUsedAndNotCopied(t *testing.T) {
	for _, store := range lastingStores() {
		t.Run(store, func(t *testing.T) {
			root := t.TempDir()
			keyFile := write(t, filepath.Join(root, "elsewhere.key"), randomKey("right")+"\n")
			environ, flag := []string{"EMBEDSEAL_MASTER_KEY=" + randomKey("right")}, []string{"--master-key-file", keyFile}
			fileInEnviron := []string{"EMBEDSEAL_MASTER_KEY_FILE=" + keyFile}
			dir := filepath.Join(root, "data")
			args := []string{"--data-dir", dir, "--store", store, "--output", "json"}

			made := decode[initialised](t, world{environ: environ}.run(t, append([]string{"init"}, args...)...).want(t, exitOK))
			if _, err := os.Lstat(filepath.Join(dir, "master.key")); err == nil {
				t.Error("the key was written into the data directory")
			}
			for name, same := range map[string]outcome{
				"the environment":           world{environ: environ}.run(t, append([]string{"init"}, args...)...),
				"a file of the environment": world{environ: fileInEnviron}.run(t, append([]string{"init"}, args...)...),
				"a file of a flag":          run(t, append(append([]string{"init"}, args...), flag...)...),
			} {
				if found := decode[initialised](t, same.want(t, exitOK)); found.Created || found.KeyID != made.KeyID {
					t.Errorf("with the key from %s: %+v", name, found)
				}
			}

			before := snapshot(t, dir)
			for _, verb := range []string{"init", "serve"} {
				with := append([]string{verb}, args...)
				run(t, with...).want(t, exitStore, "there is no master key", filepath.Join(dir, "master.key"))
				world{environ: []string{"EMBEDSEAL_MASTER_KEY=" + randomKey("wrong")}}.run(t, with...).
					want(t, exitStore, "sealed under another master key")
				world{environ: []string{"EMBEDSEAL_MASTER_KEY=short"}}.run(t, with...).
					want(t, exitStore, "invalid master key", "32 bytes in base64")
			}
			unchanged(t, dir, before)
		})
	}
}

func TestAStoreWhoseMasterKeyIsGoneOrChangedIsLeftAlone(t *testing.T) {
	for _, store := range lastingStores() {
		dir := filepath.Join(t.TempDir(), "data")
		made := initialise(t, dir, store)
		keyFile := filepath.Join(dir, "master.key")
		right := contents(t, keyFile)
		for _, test := range []struct {
			name, key, says string
		}{
			{"gone", "", "there is no master key"},
			{"another", randomKey("another"), "sealed under another master key"},
			{"none", "not a key", "invalid master key"},
			{"empty", "\n", "invalid master key"},
		} {
			t.Run(store+", "+test.name, func(t *testing.T) {
				if err := os.Remove(keyFile); err != nil && test.key == "" {
					t.Fatal(err)
				}
				if test.key != "" {
					write(t, keyFile, test.key)
				}
				before := snapshot(t, dir)
				for _, verb := range []string{"init", "serve"} {
					run(t, verb, "--data-dir", dir, "--store", store).want(t, exitStore, test.says).oneLine(t)
				}
				unchanged(t, dir, before)
			})
		}
		write(t, keyFile, right)
		mints(t, dir, store, made.APIToken, made.KeyID)
	}
}

func TestADamagedStoreIsNamedAndLeftAlone(t *testing.T) {
	for store, pattern := range map[string]string{storeBbolt: "store.db", storeFile: "store/header*"} {
		t.Run(store, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			initialise(t, dir, store)
			victims, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil || len(victims) != 1 {
				t.Fatalf("%q, %v", victims, err)
			}
			if err := os.Truncate(victims[0], 20); err != nil {
				t.Fatal(err)
			}
			before := snapshot(t, dir)
			for _, verb := range []string{"init", "serve"} {
				run(t, verb, "--data-dir", dir, "--store", store).want(t, exitStore, dir, "stored data unreadable").oneLine(t)
			}
			unchanged(t, dir, before)
		})
	}
}
