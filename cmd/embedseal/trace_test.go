package main

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"embedseal/domain/policy"
)

// needStrace fails, or outside of continuous integration skips, where there is
// no strace that works.
func needStrace(t *testing.T) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "strace", "-o", os.DevNull, "true").CombinedOutput()
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("strace does not run: %v %s", err, out)
	} else if err != nil {
		t.Skipf("strace does not run (%v) %s; install it with: make peers; in a container allow ptrace", err, out)
	}
}

// systemCall is one of a trace. It began and returned at those lines.
type systemCall struct {
	name, args   string
	begun, ended int
	failed       bool
}

var (
	callLine   = regexp.MustCompile(`^(\w+)\((.*)\)\s+= (-?\d+)`)
	descriptor = regexp.MustCompile(`^\d+<([^>]*)>`)
	writing    = regexp.MustCompile(`^(p?write|fallocate|ftruncate)`)
	naming     = regexp.MustCompile(`^(link|rename|mkdir)`)
	named      = regexp.MustCompile(`(?:<([^>]*)>, )?"([^"]*)"`)
)

// systemCalls reads what strace -f -y wrote, but for calls that never returned.
func systemCalls(t *testing.T, trace string) []systemCall {
	t.Helper()
	var calls []systemCall
	begun := map[string]systemCall{}
	for i, line := range strings.Split(contents(t, trace), "\n") {
		thread, text, _ := strings.Cut(line, " ")
		if head, ok := strings.CutSuffix(strings.TrimSpace(text), " <unfinished ...>"); ok {
			begun[thread] = systemCall{args: head, begun: i}
			continue
		}
		c := systemCall{begun: i}
		if _, rest, ok := strings.Cut(text, " resumed>"); ok && strings.HasPrefix(strings.TrimSpace(text), "<... ") {
			c = begun[thread]
			text = c.args + rest
		}
		if m := callLine.FindStringSubmatch(strings.TrimSpace(text)); m != nil {
			calls = append(calls, systemCall{m[1], m[2], c.begun, i, strings.HasPrefix(m[3], "-")})
		}
	}
	return calls
}

func (c systemCall) syncs() bool  { return c.name == "fsync" || c.name == "fdatasync" }
func (c systemCall) writes() bool { return writing.MatchString(c.name) }

// makes says whether the call makes a name, in a directory that must be synced.
func (c systemCall) makes() bool {
	return naming.MatchString(c.name) || c.name == "openat" && strings.Contains(c.args, "O_CREAT")
}

// path is the name that the call makes, or else that of its descriptor.
func (c systemCall) path() string {
	if m := descriptor.FindStringSubmatch(c.args); m != nil && !c.makes() {
		return m[1]
	}
	path := ""
	for _, m := range named.FindAllStringSubmatch(c.args, -1) {
		if path = m[2]; !filepath.IsAbs(path) {
			path = filepath.Join(m[1], path)
		}
	}
	return path
}

// inStore tells the store from the audit log, and from the lock, whose content
// may be lost.
func inStore(dir, path string) bool {
	store := filepath.Join(dir, "store")
	return path == store || path == store+".db" || strings.HasPrefix(path, store+"/") && path != store+"/lock"
}

// unsynced counts what changes the store before the answer begins, and says what
// of it is not synced: what is written by a sync of the file, a name by one of
// its directory, that begins after the change and returns before the answer.
func unsynced(calls []systemCall, dir string, answer systemCall) (changes int, faults []string) {
	for _, c := range calls {
		path := c.path()
		if c.failed || c.begun >= answer.begun || !c.writes() && !c.makes() || !inStore(dir, path) {
			continue
		}
		changes++
		if c.makes() {
			path = filepath.Dir(path)
		}
		if !slices.ContainsFunc(calls, func(s systemCall) bool {
			return s.syncs() && !s.failed && s.begun > c.ended && s.ended < answer.begun && s.path() == path
		}) {
			faults = append(faults, fmt.Sprintf("%s is not synced after %s(%.200s)", path, c.name, c.args))
		}
	}
	return changes, faults
}

func TestTraceTheStoreIsSyncedBeforeTheFirstTokenLeaves(t *testing.T) {
	needStrace(t)
	t.Parallel()
	for _, store := range lastingStores() {
		t.Run(store, func(t *testing.T) {
			dir, trace := t.TempDir(), filepath.Join(t.TempDir(), "trace")
			apiToken := fixture(t, dir, store, policy.Default())
			// With -D the process is the server, and strace a child of it.
			p := startIn(t, "", nil, "strace", "-D", "-f", "-y", "-s", "8192", "-o", trace,
				"-e", "trace=/^p?write,/^(fsync|fdatasync|fallocate|ftruncate|openat|(link|rename|mkdir).*)$",
				binary(t), "serve", "--data-dir", dir, "--store", store, "--listen", "127.0.0.1:0")
			post(t, p.address(t), apiToken, goodBody)
			p.terminate(t).want(t, exitOK)
			calls := systemCalls(t, trace)
			serving := slices.IndexFunc(calls, func(c systemCall) bool { return strings.Contains(c.args, "msg=serving") })
			sent := slices.IndexFunc(calls, func(c systemCall) bool {
				return c.writes() && strings.Contains(c.args, "<socket:[") && strings.Contains(c.args, `\"success\": 1`)
			})
			if serving < 0 || sent < serving {
				t.Fatalf("it serves at call %d and answers at call %d", serving, sent)
			}
			answer, calls := calls[sent], calls[serving:]
			if changes, faults := unsynced(calls, dir, answer); changes == 0 || len(faults) > 0 {
				t.Errorf("%d changes of the store before the answer\n%s", changes, strings.Join(faults, "\n"))
			}

			// The check must see it where the syncs of any one path are missing.
			for _, c := range calls {
				path := c.path()
				without := slices.DeleteFunc(slices.Clone(calls), func(s systemCall) bool { return s.syncs() && s.path() == path })
				if _, faults := unsynced(without, dir, answer); c.syncs() && inStore(dir, path) && c.begun < answer.begun && len(faults) == 0 {
					t.Errorf("without the syncs of %s the check finds nothing", path)
				}
			}
		})
	}
}

func TestTraceAFirstKeyThatCannotBeSyncedIsNotAnswered(t *testing.T) {
	needStrace(t)
	t.Parallel()
	for _, test := range []struct{ store, struck string }{ // where nothing is named every sync fails, the audit log's first
		{storeBbolt, ""}, {storeBbolt, "store.db"},
		{storeFile, ""}, {storeFile, "store/stage/0"}, {storeFile, "store/journal.tmp"}, {storeFile, "store/ring"}, {storeFile, "store"},
	} {
		t.Run(test.store+" "+cmp.Or(test.struck, "everything"), func(t *testing.T) {
			dir, trace := t.TempDir(), filepath.Join(t.TempDir(), "trace")
			apiToken := fixture(t, dir, test.store, policy.Default())
			serve := []string{"serve", "--data-dir", dir, "--store", test.store, "--listen", "127.0.0.1:0"}
			p := start(t, nil, serve...)
			get(t, p.address(t), "/healthz")
			command := []string{"strace", "-f", "-y", "-o", trace, "-e", "trace=fsync,fdatasync",
				"-e", "inject=fsync,fdatasync:error=EIO", "-p", fmt.Sprint(p.cmd.Process.Pid)}
			if test.struck != "" {
				command = append(command, "-P", filepath.Join(dir, test.struck))
			}
			tracer := startIn(t, "", nil, command...)
			for began := time.Now(); !strings.Contains(tracer.stderr.String(), " attached") && time.Since(began) < patient; {
				time.Sleep(5 * time.Millisecond) // if it never attaches, no sync is struck below
			}
			a := post(t, p.address(t), apiToken, goodBody)
			if a.status != http.StatusServiceUnavailable || strings.Contains(a.text, `"jwt"`) {
				t.Errorf("%d %s", a.status, a.text)
			}
			p.terminate(t).want(t, exitOK)
			tracer.wait(t)
			struck := "<" + filepath.Join(dir, cmp.Or(test.struck, "audit.log")) + ">) = -1 EIO (Input/output error) (INJECTED)"
			if text := contents(t, trace); !strings.Contains(text, struck) {
				t.Errorf("no line has %s:\n%s%s", struck, text, tracer.stderr.String())
			}
			p = start(t, nil, serve...)
			a = post(t, p.address(t), apiToken, goodBody)
			p.terminate(t).want(t, exitOK)
			ring := ringOf(t, dir, test.store)
			if k, _ := ring.Default(); a.status != http.StatusOK || ring.Len() != 1 || !inspected(t, a.JWT, k.Secret.Reveal()).OK {
				t.Errorf("%d %s with %d keys, or the default does not open it", a.status, a.text, ring.Len())
			}
		})
	}
}
