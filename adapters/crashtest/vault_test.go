package crashtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"embedseal/adapters/vault"
	"embedseal/adapters/vault/vaultfake"
	"embedseal/adapters/vault/vaulttest"
	"embedseal/domain/group"
	"embedseal/domain/revocation"
	"embedseal/domain/secret"
	"embedseal/ports"
	"embedseal/ports/porttest"
)

// In Vault a page of revocations and the ledger that lists it are two writes. These
// writers revoke in one group of one Vault, race, and are killed between the two.

const (
	// vaultWriter is the backend of such a process; its directory is a prefix.
	vaultWriter = "vault"
	envAddress  = "EMBEDSEAL_CRASH_ADDRESS"
	envToken    = "EMBEDSEAL_CRASH_TOKEN"
	vaultGroup  = group.ID("acme")
)

// theVault is where they revoke.
type theVault struct{ address, token, prefix string }

func (v theVault) config() vault.Config {
	return vault.Config{
		Addresses: []string{v.address}, Prefix: v.prefix, Auth: vault.AuthConfig{Method: vault.MethodToken, Token: secret.New(v.token)},
		TryTimeout: 5 * time.Second, CallTimeout: 10 * time.Second, OrphanAfter: time.Nanosecond,
	}
}

func (v theVault) start(t *testing.T, first int) *writer {
	t.Helper()
	return startCommand(t, []string{os.Args[0]}, writerEnv(backend{name: vaultWriter}, v.prefix, 0, first, 1_000_000,
		envAddress+"="+v.address, envToken+"="+v.token))
}

// lasting is an entry that no other one outlives.
func lasting(number int) revocation.Entry {
	e := newEntry(number)
	e.CreatedAt, e.Before, e.ExpiresAt = someTime(), someTime(), someTime().AddDate(1, 0, 0)
	return e
}

// revoke revokes until it is killed, and says the number in the log with that of the
// write.
func revoke() int {
	v := theVault{os.Getenv(envAddress), os.Getenv(envToken), os.Getenv(envDir)}
	b, closing, err := vault.Open(context.Background(), v.config())
	if err != nil {
		return refused("open", err)
	}
	defer closing()
	say(sayReady)
	for i := number(envFirst); ; {
		end, err := vault.NewRevocationStore(b).Revoke(context.Background(), vaultGroup, lasting(i), revocation.MaxEntries)
		switch {
		case err == nil:
			say(sayAck, end.Seq, i)
			i++
		case !errors.Is(err, ports.ErrConflict): // that many races were lost
			return refused("revoke", err)
		}
	}
}

// vaultLog is what those who watch know of the log.
type vaultLog struct {
	theVault
	b *vault.Backend
	// said has the writes by their acknowledged numbers in the log.
	said map[uint64]int
	// at is where a reader stands, and read what it has.
	at   revocation.Cursor
	read []revocation.Entry
}

func watch(t *testing.T, v theVault) *vaultLog {
	t.Helper()
	b, closing, err := vault.Open(t.Context(), v.config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(closing)
	return &vaultLog{theVault: v, b: b, said: map[uint64]int{}}
}

// heard takes over what a writer said that was killed.
func (l *vaultLog) heard(t *testing.T, w *writer) {
	t.Helper()
	for _, line := range w.acked {
		var seq uint64
		var number int
		if _, err := fmt.Sscanf(line, sayAck+" %d %d", &seq, &number); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if other, twice := l.said[seq]; twice {
			t.Fatalf("the writes %d and %d were both acknowledged as %d", other, number, seq)
		}
		l.said[seq] = number
	}
}

// judge compares the log with what was said. A reader goes on from where it was.
func (l *vaultLog) judge(t *testing.T, killed int) {
	t.Helper()
	s := vault.NewRevocationStore(l.b)
	for more, anew := true, len(l.read) == 0; more; {
		c, err := s.Changes(t.Context(), vaultGroup, l.at)
		if err != nil {
			t.Fatal(err)
		}
		if c.Anew && !anew {
			t.Fatalf("a reader at %+v begins anew", l.at)
		}
		l.read, l.at, more, anew = append(l.read, c.Entries...), c.Next, c.More, false
	}
	seen := map[int]bool{}
	for i, e := range l.read {
		number := numberOf(e)
		want := lasting(number)
		want.Seq = uint64(i) + 1
		if e != want || seen[number] {
			t.Fatalf("entry %d is %d of the write %d, which was there: %t", i, e.Seq, number, seen[number])
		}
		seen[number] = true
		if said, acked := l.said[e.Seq]; acked && said != number {
			t.Fatalf("entry %d is of the write %d, acknowledged was %d", e.Seq, number, said)
		}
	}
	lost := 0
	for seq := range l.said {
		if seq > uint64(len(l.read)) {
			lost++
		}
	}
	if extra := len(l.read) - len(l.said); lost > 0 || extra > killed {
		t.Fatalf("%d acknowledged entries are lost; %d are there that were not acknowledged, of %d killed writers", lost, extra, killed)
	}
}

// left are the pages that the doctor names. It must name nothing else.
func (l *vaultLog) left(t *testing.T) []string {
	t.Helper()
	found, err := vault.Examine(t.Context(), l.config())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found.Findings {
		if f.Use == vault.UseAdvice && !f.OK {
			return strings.Split(f.Remedy, "\n")
		}
		if f.Use == vault.UseMint && !f.OK {
			t.Errorf("the doctor finds %+v", f)
		}
	}
	return nil
}

// killer kills a writer at one of its requests, before or after that is carried out.
type killer struct {
	mu     sync.Mutex
	prefix string
	at     int // 0: nobody is killed
	skip   bool
	seen   int
	kill   func()
	// what was the request.
	what string
}

func (k *killer) arm(prefix string, at int, skip bool, kill func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.prefix, k.at, k.seen, k.skip, k.kill = prefix, at, 0, skip, kill
}

// disarm returns which request it was.
func (k *killer) disarm() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.at = 0
	return k.what
}

func (k *killer) ask(r *http.Request) *vaultfake.Fault {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.at == 0 || !strings.Contains(r.URL.Path, "/"+k.prefix+"/") {
		return nil
	}
	if k.seen++; k.seen != k.at {
		return nil
	}
	// All of it must have come, if it is to be carried out.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return &vaultfake.Fault{Skip: true, Lost: true}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	k.kill()
	_, place, _ := strings.Cut(r.URL.Path, k.prefix+"/")
	folder, _, _ := strings.Cut(place, "/")
	k.what = r.Method + " " + folder
	if k.skip {
		return &vaultfake.Fault{Skip: true, Lost: true}
	}
	return nil
}

// Each request of a write that makes a page is the last one of its writer, carried out
// or not.
func TestAWriterOfVaultThatIsKilledAtAnyRequestLosesNothing(t *testing.T) {
	// Of opening the store, of thirteen revocations, and of one with a page.
	const requests = 2 + 2*13 + 3
	fake := vaultfake.Start(t)
	k := &killer{}
	fake.Intercept(k.ask)
	whats := map[string]int{}
	for at := requests - 3; at <= requests+1; at++ {
		for _, skip := range []bool{false, true} {
			v := theVault{fake.URL(), vaultfake.RootToken, fmt.Sprintf("kill-%d-%t", at, skip)}
			l := watch(t, v)
			started, dead := make(chan *os.Process, 1), make(chan struct{})
			k.arm(v.prefix, at, skip, func() {
				_ = (<-started).Kill()
				<-dead
			})
			w := v.start(t, 0)
			started <- w.cmd.Process
			for w.listen() {
			}
			close(dead)
			w.kill(t)
			l.heard(t, w)
			what := k.disarm()
			whats[what]++
			l.judge(t, 1)
			orphans := l.left(t)
			if want := what == "PUT revoked" && !skip || what == "PUT revocations" && skip && len(l.read) == 13; (len(orphans) == 1) != want {
				t.Errorf("killed at request %d, %s, not carried out: %t: the doctor names %v", at, what, skip, orphans)
			}
			// The next writer is not in the way of what was left.
			next := watch(t, v)
			next.said = l.said
			for i := range 20 {
				end, err := vault.NewRevocationStore(l.b).Revoke(t.Context(), vaultGroup, lasting(1000+i), revocation.MaxEntries)
				if err != nil {
					t.Fatal(err)
				}
				l.said[end.Seq] = 1000 + i
			}
			l.judge(t, 1)
			next.judge(t, 1)
			if now := l.left(t); !slices.Equal(now, orphans) {
				t.Errorf("after the next writer the doctor names %v, before it named %v", now, orphans)
			}
		}
	}
	t.Logf("killed at: %v", whats)
	if whats["PUT revoked"] != 2 || whats["PUT revocations"] < 4 {
		t.Errorf("the page was not among the requests: %v", whats)
	}
}

func TestKillVault(t *testing.T) { vaultKills(t, 3) }

func TestCampaignKillVault(t *testing.T) { vaultKills(t, porttest.LongRounds(t, 60, 5)) }

// vaultKills lets three writers race in a real Vault, and kills them at random moments.
func vaultKills(t *testing.T, rounds int) {
	const writers = 3
	server := vaulttest.Dev(t)
	random := rand.New(rand.NewPCG(porttest.Seed(t), 2))
	var l *vaultLog
	acked, entries, left := 0, 0, 0
	for round := range rounds {
		if round%10 == 0 {
			l = watch(t, theVault{server.Address, server.Token, fmt.Sprintf("race-%d", round)})
		}
		var all []*writer
		for w := range writers {
			all = append(all, l.start(t, (round*writers+w)*1_000_000))
		}
		for _, w := range all {
			for !w.ready && w.listen() {
			}
		}
		time.Sleep(50*time.Millisecond + randomUpTo(random, 400*time.Millisecond))
		for _, w := range all {
			w.kill(t)
			l.heard(t, w)
			acked += w.acks
		}
		before := len(l.read)
		l.judge(t, (round%10+1)*writers)
		entries += len(l.read) - before
		if round%10 == 9 || round == rounds-1 {
			left += len(l.left(t))
		}
	}
	t.Logf("%d rounds of %d writers: %d acknowledged entries, 0 lost, %d written and not acknowledged; %d pages left behind, each named by the doctor",
		rounds, writers, acked, entries-acked, left)
	if acked == 0 {
		t.Error("the kills came too early to show anything")
	}
}
