package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"embedseal/domain/policy"
	"embedseal/domain/token"
)

// pressed is what came of many requests at once.
type pressed struct {
	mu        sync.Mutex
	granted   []string // the fingerprints of the tokens
	refused   int
	otherwise []string
}

// askFor asks so many times for a token, by a few at once; lost says that the server
// may go away meanwhile.
func askFor(t *testing.T, address, apiToken string, times int, lost bool) *pressed {
	t.Helper()
	var p pressed
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range times / 8 {
				a, err := tryPost(t.Context(), address, apiToken, goodBody)
				p.mu.Lock()
				switch {
				case err != nil && lost:
				case err != nil:
					p.otherwise = append(p.otherwise, err.Error())
				case a.status == http.StatusOK:
					p.granted = append(p.granted, token.FingerprintOfSealed([]byte(a.JWT)).String())
				case a.status == http.StatusServiceUnavailable && a.Code == "audit_unavailable" && a.JWT == "":
					p.refused++
				default:
					p.otherwise = append(p.otherwise, a.text)
				}
				p.mu.Unlock()
			}
		})
	}
	wg.Wait()
	return &p
}

// unaudited counts the tokens that no record in the files of the log speaks of.
func (p *pressed) unaudited(t *testing.T, path string) int {
	t.Helper()
	names, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	recorded := map[string]bool{}
	for _, name := range names {
		for line := range strings.Lines(contents(t, name)) {
			if _, rest, found := strings.Cut(line, `"fingerprint":"`); found && strings.HasSuffix(line, "\"}\n") {
				recorded[rest[:64]] = true
			}
		}
	}
	missing := 0
	for _, f := range p.granted {
		if !recorded[f] {
			missing++
		}
	}
	return missing
}

func TestOfAThousandRequestsOnABrokenDiskNoneIsGrantedWithoutARecord(t *testing.T) {
	needStrace(t)
	t.Parallel()
	// Several records may go into the log in one write.
	for what, inject := range map[string]string{
		"full now and then":   "write:error=ENOSPC:when=10+3",
		"broken now and then": "write:error=EIO:when=10+2",
		"full from then on":   "write:error=ENOSPC:when=40+",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			apiToken := fixture(t, dir, storeBbolt, policy.Default())
			log := filepath.Join(dir, "audit.log")
			p := startIn(t, "", nil, "strace", "-D", "-f", "-o", os.DevNull, "-P", log, "-e", "trace=write", "-e", "inject="+inject,
				binary(t), "serve", "--data-dir", dir, "--store", storeBbolt, "--listen", "127.0.0.1:0", "--audit-max-bytes", "1GiB")
			got := askFor(t, p.address(t), apiToken, 1000, false)
			p.terminate(t)
			if len(got.granted) < 20 || got.refused < 200 || len(got.otherwise) > 0 {
				t.Errorf("%d granted, %d refused, otherwise %.300q", len(got.granted), got.refused, got.otherwise)
			}
			if n := got.unaudited(t, log); n > 0 {
				t.Errorf("%d of %d tokens have no record", n, len(got.granted))
			}
			wantWhole(t, dir, storeBbolt)
		})
	}
}

// TestOnAFullDiskNothingIsGrantedWithoutARecord has a real file system that is
// full. Where this process may mount none, the faults above stand for it.
func TestOnAFullDiskNothingIsGrantedWithoutARecord(t *testing.T) {
	t.Parallel()
	dir, small := t.TempDir(), t.TempDir()
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=256k"); err != nil {
		t.Logf("nothing can be mounted here: %v", err)
		return
	}
	t.Cleanup(func() { _ = syscall.Unmount(small, syscall.MNT_DETACH) })
	apiToken := fixture(t, dir, storeBbolt, policy.Default())
	log := filepath.Join(small, "audit.log")
	p := start(t, nil, "serve", "--data-dir", dir, "--store", storeBbolt, "--listen", "127.0.0.1:0", "--audit-path", log, "--audit-max-bytes", "64KiB", "--rate-limit", "off")
	got := askFor(t, p.address(t), apiToken, 1000, false)
	if len(got.granted) < 50 || got.refused < 50 || len(got.otherwise) > 0 {
		t.Errorf("%d granted, %d refused, otherwise %.300q", len(got.granted), got.refused, got.otherwise)
	}
	if n := got.unaudited(t, log); n > 0 {
		t.Errorf("%d of %d tokens have no record", n, len(got.granted))
	}
	if err := syscall.Mount("", small, "", syscall.MS_REMOUNT, "size=8m"); err != nil {
		t.Fatal(err)
	}
	if a := post(t, p.address(t), apiToken, goodBody); a.status != http.StatusOK {
		t.Errorf("with room again: %d %s", a.status, a.text)
	}
	if o := execute(t, "audit", "verify", "--data-dir", dir, "--output", "json"); o.code != exitOK {
		t.Errorf("exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
	p.terminate(t).want(t, exitOK)
}

func TestAKilledServerHasARecordOfEveryTokenThatLeft(t *testing.T) {
	t.Parallel()
	for _, store := range lastingStores() {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			apiToken := fixture(t, dir, store, policy.Default())
			total := 0
			for round := range 5 {
				p := start(t, nil, "serve", "--data-dir", dir, "--store", store, "--listen", "127.0.0.1:0", "--audit-max-bytes", "64KiB", "--rate-limit", "off")
				address := p.address(t)
				go func() {
					time.Sleep(time.Duration(60+40*round) * time.Millisecond)
					_ = p.cmd.Process.Kill()
				}()
				got := askFor(t, address, apiToken, 4000, true)
				p.wait(t)
				total += len(got.granted)
				if n := got.unaudited(t, filepath.Join(dir, "audit.log")); n > 0 || len(got.otherwise) > 0 {
					t.Errorf("round %d: %d of %d tokens have no record; otherwise %.300q", round, n, len(got.granted), got.otherwise)
				}
			}
			if total < 50 {
				t.Errorf("only %d tokens were made", total)
			}
			wantWhole(t, dir, store)
		})
	}
}

// wantWhole serves once more and has the log verified.
func wantWhole(t *testing.T, dir, store string) {
	t.Helper()
	p := start(t, nil, "serve", "--data-dir", dir, "--store", store, "--listen", "127.0.0.1:0")
	p.address(t)
	if o := execute(t, "audit", "verify", "--data-dir", dir, "--output", "json"); o.code != exitOK {
		t.Errorf("exit %d: %.2000s%s", o.code, o.stdout, o.stderr)
	}
	p.terminate(t).want(t, exitOK)
}
