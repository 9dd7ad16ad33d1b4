package crashtest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"embedseal/ports"
	"embedseal/ports/porttest"
)

const (
	shortRounds = 10
	longRounds  = 300
	// freshEvery is after how many rounds the store is made anew: such a round
	// is killed during its very first start.
	freshEvery = 3
	// grownWrites are at least in every other store that is made anew: with them a log
	// of revocations has pages, and some have died. It is about to get another page.
	grownWrites = 60
)

func TestKillBbolt(t *testing.T) { kills(t, bboltBackend(), shortRounds) }
func TestKillFile(t *testing.T)  { kills(t, fileBackend(), shortRounds) }
func TestCampaignKillBbolt(t *testing.T) {
	kills(t, bboltBackend(), porttest.LongRounds(t, longRounds, shortRounds))
}
func TestCampaignKillFile(t *testing.T) {
	kills(t, fileBackend(), porttest.LongRounds(t, longRounds, shortRounds))
}

// tally is what a campaign saw.
type tally struct {
	rounds, fresh, grown, unborn, acknowledged, unacknowledged, pages int
}

// kills kills writers and checks what they leave: everything that was
// acknowledged and nothing else, except the one write that was being made.
func kills(t *testing.T, b backend, rounds int) {
	t.Helper()
	seed := porttest.Seed(t)
	random := rand.New(rand.NewPCG(seed, 0))
	ready, three := measure(t, b)
	var sum tally
	var dir string
	var storeSeed uint64
	done := 0
	var reading readers
	for round := range rounds {
		if round%freshEvery == 0 {
			dir, storeSeed, done, reading = t.TempDir(), seed+uint64(round), 0, readers{}
			if sum.fresh++; sum.fresh%2 == 0 {
				sum.grown++
				done = nextPageWrite(storeSeed, grownWrites) - random.IntN(3)
				dir = grown(t, b, storeSeed, done)
			}
		}
		w := startWriter(t, b, dir, storeSeed, done)
		// Half of the kills come while the store is being created or opened, or
		// soon after; the others among the writes.
		delay := ready/3 + randomUpTo(random, ready)
		if round%freshEvery != 0 && random.IntN(4) != 0 || random.IntN(4) == 0 {
			for !w.ready && w.listen() {
			}
			delay = randomUpTo(random, 2*(three-ready))
		}
		time.Sleep(delay)
		w.kill(t)
		sum.rounds++
		sum.acknowledged += w.acks
		n, err := check(t.Context(), b, dir, storeSeed, done, w, reading)
		if err != nil {
			t.Fatalf("round %d, killed after %s: %v", round, delay, err)
		}
		if !w.ready {
			sum.unborn++
		}
		sum.unacknowledged += n - done - w.acks
		for _, number := range pageWrites(storeSeed, n) {
			if number >= done {
				sum.pages++
			}
		}
		done = n
	}
	t.Logf("%s: %d rounds (%d from nothing, %d killed before the store was open), %d acknowledged writes, 0 lost, %d written and not acknowledged; %d moved revocations into a page",
		b.name, sum.rounds, sum.fresh-sum.grown, sum.unborn, sum.acknowledged, sum.unacknowledged, sum.pages)
	if sum.acknowledged == 0 || rounds >= longRounds && (sum.unborn == 0 || sum.pages == 0) {
		t.Error("the kills came too late or too early to show anything")
	}
}

// nextPageWrite is the number of the first write from that one on that moves
// revocations into a page.
func nextPageWrite(seed uint64, from int) int {
	for _, number := range pageWrites(seed, 10*from) {
		if number >= from {
			return number
		}
	}
	panic("there is no such write")
}

func randomUpTo(random *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(most) + 1))
}

// measure is how long a writer takes until it is ready, and until its third
// write is acknowledged.
func measure(t *testing.T, b backend) (ready, three time.Duration) {
	t.Helper()
	begin := time.Now()
	w := startWriter(t, b, t.TempDir(), 1, 0)
	defer w.kill(t)
	for w.acks < 3 {
		if !w.listen() {
			t.Fatalf("the writer ended: %s", w.last)
		}
		if w.ready && ready == 0 {
			ready = time.Since(begin)
		}
	}
	return ready, time.Since(begin)
}

var errLost = errors.New("an acknowledged write is lost")

// check opens the store and returns how many writes it holds: as many as were
// acknowledged, or one more; readers of revocations go on in it. What a kill during the first start left may be no
// store at all, and then must be possible to make one.
func check(ctx context.Context, b backend, dir string, seed uint64, before int, w *writer, reading readers) (int, error) {
	s, err := b.open(ctx, dir)
	if errors.Is(err, ports.ErrNotFound) && !w.ready && before == 0 {
		if _, err := b.create(ctx, dir); err != nil {
			return 0, fmt.Errorf("create after a kill during the creation: %w", err)
		}
		s, err = b.open(ctx, dir)
	}
	if err != nil {
		return 0, fmt.Errorf("open after %d writes: %w", before+w.acks, err)
	}
	defer s.close()
	got, err := readState(ctx, s)
	if err != nil {
		return 0, fmt.Errorf("read after %d writes: %w", before+w.acks, err)
	}
	n := before + w.acks
	for _, n := range []int{n, n + 1} {
		if holds := stateAfter(seed, n); got.String() == holds.String() {
			return n, reading.goOn(ctx, s, holds)
		}
	}
	return 0, fmt.Errorf("%w: after %d writes the store holds\n%s\nand not\n%s", errLost, n, got, stateAfter(seed, n))
}

// The check above must find a store that acknowledges before it commits.
func TestAWriterThatAcknowledgesTooEarlyIsCaught(t *testing.T) {
	for _, b := range backends() {
		t.Run(b.name, func(t *testing.T) {
			seed := porttest.Seed(t)
			random := rand.New(rand.NewPCG(seed, 1))
			ready, three := measure(t, b)
			const most = 60
			for round := range most {
				dir := t.TempDir()
				w := startWriter(t, b, dir, seed, 0, envEarly+"=1")
				for !w.ready && w.listen() {
				}
				time.Sleep(three - ready + randomUpTo(random, three-ready))
				w.kill(t)
				_, err := check(t.Context(), b, dir, seed, 0, w, readers{})
				if errors.Is(err, errLost) {
					t.Logf("caught in round %d", round)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			t.Errorf("in %d rounds nothing was found to be lost", most)
		})
	}
}

// writer is a process that writes, and what it said.
type writer struct {
	cmd   *exec.Cmd
	out   *bufio.Reader
	ready bool
	acks  int
	// acked are the lines that acknowledge.
	acked []string
	// refusals are the lines about refused writes.
	refusals []string
	last     string
}

func startWriter(t *testing.T, b backend, dir string, seed uint64, first int, more ...string) *writer {
	t.Helper()
	return startCommand(t, []string{os.Args[0]}, writerEnv(b, dir, seed, first, 1_000_000, more...))
}

func writerEnv(b backend, dir string, seed uint64, first, count int, more ...string) []string {
	return append([]string{
		envBackend + "=" + b.name,
		envDir + "=" + dir,
		fmt.Sprintf("%s=%d", envSeed, seed),
		fmt.Sprintf("%s=%d", envFirst, first),
		fmt.Sprintf("%s=%d", envCount, count),
	}, more...)
}

func startCommand(t *testing.T, args, env []string) *writer {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	// The race detector makes a process wait a second before it ends.
	cmd.Env = append(append([]string{"GORACE=atexit_sleep_ms=0"}, os.Environ()...), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &writer{cmd: cmd, out: bufio.NewReader(out)}
}

// listen reads one line, and reports whether there was one.
func (w *writer) listen() bool {
	line, err := w.out.ReadString('\n')
	if err != nil {
		if !errors.Is(err, io.EOF) {
			w.last = err.Error()
		}
		return false
	}
	w.last = strings.TrimSpace(line)
	switch word, _, _ := strings.Cut(w.last, " "); word {
	case sayReady:
		w.ready = true
	case sayAck:
		w.acks++
		w.acked = append(w.acked, w.last)
	case sayRefused:
		w.refusals = append(w.refusals, w.last)
	}
	return true
}

// kill sends SIGKILL, and reads what was said until then.
func (w *writer) kill(t *testing.T) {
	t.Helper()
	if err := w.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for w.listen() {
	}
	if err := w.cmd.Wait(); err == nil || w.cmd.ProcessState.Exited() {
		t.Fatalf("the writer ended before it was killed (%v): %s", err, w.last)
	}
	if len(w.refusals) > 0 {
		t.Fatalf("the writer was refused: %v", w.refusals)
	}
}

// wait lets the process come to its end.
func (w *writer) wait() error {
	for w.listen() {
	}
	return w.cmd.Wait()
}
