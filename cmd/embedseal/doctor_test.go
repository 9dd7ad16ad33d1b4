package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"embedseal/adapters/datadir"
)

// examined is what doctor finds, with the findings by their check.
func examined(t *testing.T, code int, args ...string) map[string][]finding {
	t.Helper()
	d := decode[diagnosis](t, run(t, append([]string{"doctor", "--output", "json"}, args...)...).want(t, code))
	if d.OK != (code == exitOK) || len(d.Findings) == 0 {
		t.Errorf("ok is %v with %d findings, and it ended with %d", d.OK, len(d.Findings), code)
	}
	by := map[string][]finding{}
	for _, f := range d.Findings {
		by[f.Check] = append(by[f.Check], f)
		if !f.OK && f.Remedy == "" || f.Detail == "" || f.Needed == (f.Use == useAdvice) {
			t.Errorf("a fault without a remedy, or a finding without a word: %+v", f)
		}
	}
	return by
}

// faulty fails the test unless the check found a fault that says word, with that
// remedy.
func faulty(t *testing.T, by map[string][]finding, check, word, remedy string) {
	t.Helper()
	for _, f := range by[check] {
		if !f.OK && strings.Contains(f.Detail, word) && strings.Contains(f.Remedy, remedy) {
			return
		}
	}
	t.Errorf("%s: no fault says %q with the remedy %q: %+v", check, word, remedy, by[check])
}

func sound(t *testing.T, by map[string][]finding, check, word string) {
	t.Helper()
	for _, f := range by[check] {
		if f.OK && strings.Contains(f.Detail, word) {
			return
		}
	}
	t.Errorf("%s: nothing good says %q: %+v", check, word, by[check])
}

// initialisedDir is a data directory with a store of that kind.
func initialisedDir(t *testing.T, store string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data dir")
	run(t, "init", "--store", store, "--data-dir", dir).want(t, exitOK)
	return dir
}

// localStores runs f for each store in the data directory.
func localStores(t *testing.T, f func(t *testing.T, store string)) {
	t.Helper()
	for _, store := range []string{storeBbolt, storeFile} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			f(t, store)
		})
	}
}

func TestTheDoctorFindsNothingWrongWithWhatInitMade(t *testing.T) {
	t.Parallel()
	localStores(t, func(t *testing.T, store string) {
		dir := initialisedDir(t, store)
		by := examined(t, exitOK, "--store", store, "--data-dir", dir)
		sound(t, by, "store", "every record verified; groups: 1")
		sound(t, by, "master key", "made under it")
		sound(t, by, "lock", "no process")
		sound(t, by, "permissions", "only the user")
		sound(t, by, "audit log", "last record is of 20")
		sound(t, by, "audit chain", "whole: records 1 to ")
		sound(t, by, "disk", "free of")
		o := run(t, "doctor", "--store", store, "--data-dir", dir).want(t, exitOK)
		if !strings.Contains(o.stdout, "\nNothing is missing for a server.") || strings.Contains(o.stdout, "FAULT") {
			t.Errorf("it says:\n%s", o.stdout)
		}
	})
}

func TestTheDoctorWorksBesideARunningServer(t *testing.T) {
	t.Parallel()
	localStores(t, func(t *testing.T, store string) {
		dir := initialisedDir(t, store)
		args := []string{"--store", store, "--data-dir", dir}
		s := serve(t, append(args, "--ops-listen", "127.0.0.1:0")...)
		by := examined(t, exitOK, append(args, "--ops-listen", s.ops(t))...)
		sound(t, by, "lock", "held by")
		sound(t, by, "store", "held by that process")
		sound(t, by, "readiness", "/readyz: ready")
		sound(t, by, "administration socket", "admin.sock answers: version v1.2.3, groups: 1")
		if err := os.Remove(filepath.Join(dir, "master.key")); err != nil {
			t.Fatal(err)
		}
		faulty(t, examined(t, exitFailure, args...), "master key", "there is no master key", "bring it back")
		if store == storeFile {
			otherMasterKey(t, dir)
			faulty(t, examined(t, exitFailure, args...), "master key", "another master key", "would not start again")
		}
		if status := post(t, s.address, readToken(t, dir), goodBody).status; status != http.StatusOK {
			t.Errorf("the server answers %d after it was looked at", status)
		}
	})
}

func readToken(t *testing.T, dir string) string {
	t.Helper()
	return strings.TrimSpace(contents(t, filepath.Join(dir, "api-token")))
}

func otherMasterKey(t *testing.T, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "master.key"), []byte("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheDoctorNamesEachFaultOfADataDirectoryWithItsRemedy(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		breaks              func(t *testing.T, dir, store string)
		check, word, remedy string
	}{
		"no data directory": {func(t *testing.T, dir, _ string) { done(t, os.RemoveAll(dir)) }, "data directory", "is not there", "embedseal init --data-dir '"},
		"a file in its place": {func(t *testing.T, dir, _ string) {
			done(t, os.RemoveAll(dir))
			done(t, os.WriteFile(dir, nil, 0o600))
		}, "data directory", "is a file", "choose another"},
		"a directory open to others": {func(t *testing.T, dir, _ string) { done(t, os.Chmod(dir, 0o755)) }, "permissions", "mode 0755", "chmod go= '"},
		"a master key open to others": {func(t *testing.T, dir, _ string) { done(t, os.Chmod(filepath.Join(dir, "master.key"), 0o640)) },
			"permissions", "mode 0640", "chmod go= '"},
		"no store": {func(t *testing.T, dir, store string) { done(t, os.RemoveAll(filepath.Join(dir, storeName(store)))) }, "store", "there is no", "embedseal init"},
		"no master key": {func(t *testing.T, dir, _ string) { done(t, os.Remove(filepath.Join(dir, "master.key"))) },
			"master key", "there is no master key", "master_key_file"},
		"a master key that is none": {func(t *testing.T, dir, _ string) {
			done(t, os.WriteFile(filepath.Join(dir, "master.key"), []byte("short"), 0o600))
		},
			"master key", "master key", "bring it back"},
		"another master key": {func(t *testing.T, dir, _ string) { otherMasterKey(t, dir) }, "master key", "another master key", "bring back"},
		"a damaged store":    {damage, "store", "unreadable", "backup"},
		"an init that was killed": {func(t *testing.T, dir, _ string) {
			done(t, os.WriteFile(filepath.Join(dir, "init.pending"), nil, 0o600))
		},
			"init", "interrupted", "embedseal init"},
		"a clock that stands behind": {func(t *testing.T, dir, _ string) {
			later := time.Now().Add(time.Hour)
			done(t, os.Chtimes(filepath.Join(dir, "master.key"), later, later))
		}, "clock", "behind", "timedatectl"},
		"a clock that stands behind the audit log": {func(t *testing.T, dir, _ string) {
			line := `{"time":"` + time.Now().Add(24*time.Hour).UTC().Format(time.RFC3339Nano) + `"}` + "\n{\"time\":"
			done(t, os.WriteFile(filepath.Join(dir, "audit.log"), []byte(line), 0o600))
		}, "clock", "the last record of the audit log", "timedatectl"},
		"a record that was edited": {func(t *testing.T, dir, _ string) {
			text := contents(t, filepath.Join(dir, "audit.log"))
			edited := strings.Replace(text, `"outcome":"granted"`, `"outcome":"refused"`, 1)
			if edited == text {
				t.Fatalf("there is nothing to edit in\n%s", text)
			}
			done(t, os.WriteFile(filepath.Join(dir, "audit.log"), []byte(edited), 0o600))
		}, "audit chain", "edited", "embedseal audit verify"},
		"a log that was removed": {func(t *testing.T, dir, _ string) { done(t, os.Remove(filepath.Join(dir, "audit.log"))) },
			"audit chain", "is not there", "bring the file back"},
		"an end that was cut off": {func(t *testing.T, dir, _ string) {
			first, _, _ := strings.Cut(contents(t, filepath.Join(dir, "audit.log")), "\n")
			done(t, os.WriteFile(filepath.Join(dir, "audit.log"), []byte(first+"\n"), 0o600))
		}, "audit chain", "truncated", "embedseal audit verify"},
		"a directory where the audit log is meant": {func(t *testing.T, dir, _ string) {
			done(t, os.Remove(filepath.Join(dir, "audit.log")))
			done(t, os.Mkdir(filepath.Join(dir, "audit.log"), 0o700))
		}, "audit log", "is a directory", "let this user write"},
	} {
		t.Run(name, func(t *testing.T) {
			localStores(t, func(t *testing.T, store string) {
				dir := initialisedDir(t, store)
				tt.breaks(t, dir, store)
				code := exitFailure
				if tt.check == "init" {
					code = exitOK
				}
				faulty(t, examined(t, code, "--store", store, "--data-dir", dir), tt.check, tt.word, tt.remedy)
			})
		})
	}
}

func done(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// damage changes one bit of the record of the group.
func damage(t *testing.T, dir, store string) {
	t.Helper()
	path := filepath.Join(dir, "store", "group", "default.sealed")
	if store == storeBbolt {
		path = filepath.Join(dir, "store.db")
	}
	data := []byte(contents(t, path))
	if store == storeBbolt {
		name := []byte("group/default") // in pages that are free, too: each of them
		for at, rest := 0, data; bytes.Contains(rest, name); rest = data[at:] {
			at += bytes.Index(rest, name) + len(name)
			data[at+20] ^= 1
		}
	} else {
		data[20] ^= 1
	}
	done(t, os.WriteFile(path, data, 0o600))
}

func TestTheDoctorSeesWhatBelongsToSomebodyElse(t *testing.T) {
	t.Parallel()
	dir := initialisedDir(t, storeBbolt)
	if err := os.Chown(filepath.Join(dir, "store.db"), 12345, -1); err != nil {
		done(t, os.Chmod(dir, 0o500)) // only root may give a file away; to others the directory can be closed
		faulty(t, examined(t, exitFailure, "--data-dir", dir), "data directory", "may not work in it", "run as the user")
		return
	}
	faulty(t, examined(t, exitFailure, "--data-dir", dir), "permissions", "belongs to the user 12345", "chown -R ")
}

func TestTheDoctorSeesAnAuditLogElsewhere(t *testing.T) {
	t.Parallel()
	dir, log := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "audit.log")
	run(t, "init", "--data-dir", dir, "--audit-path", log).want(t, exitOK)
	by := examined(t, exitOK, "--data-dir", dir, "--audit-path", log)
	sound(t, by, "audit log", log)
	sound(t, by, "disk of the audit log", "free of")
	sound(t, examined(t, exitOK, "--data-dir", dir, "--audit-path", "-"), "audit log", "standard error")
	faulty(t, examined(t, exitFailure, "--data-dir", dir, "--audit-path", filepath.Join(log, "x")), "audit log", "auditlog: ", "make files beside it")
}

func TestTheDoctorAsksTheRunningServer(t *testing.T) {
	t.Parallel()
	dir := initialisedDir(t, storeBbolt)
	listener, err := net.Listen("unix", filepath.Join(dir, datadir.AdminSocket)) //nolint:noctx // of a test
	done(t, err)
	done(t, os.Chmod(filepath.Join(dir, datadir.AdminSocket), 0o600))
	said := map[string]any{"version": "v9", "groups": 3, "audit": map[string]any{"ok": true}}
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/admin/v1/status" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(said)
	})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener)
	}()
	sound(t, examined(t, exitOK, "--data-dir", dir), "administration socket", "version v9, groups: 3")
	said["audit"] = map[string]any{"ok": false}
	faulty(t, examined(t, exitFailure, "--data-dir", dir), "administration socket", "cannot write its audit log", "disk")
	_ = server.Close()
	<-ended

	listener, err = net.Listen("unix", filepath.Join(dir, datadir.AdminSocket)) //nolint:noctx // of a test
	done(t, err)
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	done(t, os.Chmod(filepath.Join(dir, datadir.AdminSocket), 0o600))
	done(t, listener.Close())
	sound(t, examined(t, exitOK, "--data-dir", dir), "administration socket", "left by a server that ended")
}

func TestTheDoctorSeesThatAServerIsNotReady(t *testing.T) {
	t.Parallel()
	dir := initialisedDir(t, storeBbolt)
	s := serve(t, "--data-dir", dir, "--ops-listen", "127.0.0.1:0")
	done(t, os.Remove(filepath.Join(dir, "audit.log")))
	done(t, os.Mkdir(filepath.Join(dir, "audit.log"), 0o700))
	untilNotReady(t, s.ops(t), "audit", "audit_unavailable")
	by := examined(t, exitFailure, "--data-dir", dir, "--ops-listen", s.ops(t))
	faulty(t, by, "readiness", "audit_unavailable", "docs/operations/monitoring.md")

	// Another program has the address.
	other, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // of a test
	done(t, err)
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.NotFoundHandler()}
	go func() { _ = server.Serve(other) }()
	defer func() { _ = server.Close() }()
	faulty(t, examined(t, exitFailure, "--data-dir", dir, "--ops-listen", other.Addr().String()), "readiness", "as a server does", "another program")
}

// untilNotReady waits until /readyz is 503 with that code for the component.
func untilNotReady(t *testing.T, address, component, code string) {
	t.Helper()
	for deadline := time.Now().Add(patient); ; time.Sleep(50 * time.Millisecond) {
		status, body := ready(t, address)
		for _, c := range body.Components {
			if status == http.StatusServiceUnavailable && c.Name == component && c.Code == code {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d %+v", status, body)
		}
	}
}
