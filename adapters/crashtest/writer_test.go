package crashtest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"embedseal/ports"
)

// The environment of a writer process.
const (
	envBackend = "EMBEDSEAL_CRASH_BACKEND" // makes the test binary a writer
	envDir     = "EMBEDSEAL_CRASH_DIR"
	envSeed    = "EMBEDSEAL_CRASH_SEED"
	envFirst   = "EMBEDSEAL_CRASH_FIRST" // the number of the first write
	envCount   = "EMBEDSEAL_CRASH_COUNT" // how many writes to make
	envEarly   = "EMBEDSEAL_CRASH_EARLY" // acknowledge before the write: wrong on purpose
)

// What a writer says, one line each.
const (
	sayReady   = "ready"
	sayAck     = "ack"     // and the number of the write
	sayRefused = "refused" // and the number, and the error
)

func TestMain(m *testing.M) {
	name := os.Getenv(envBackend)
	if name == "" {
		os.Exit(m.Run())
	}
	// System calls are counted for each thread: keep them all on one.
	runtime.LockOSThread()
	if name == vaultWriter {
		os.Exit(revoke())
	}
	for _, b := range backends() {
		if b.name == name {
			os.Exit(write(b))
		}
	}
	os.Exit(2)
}

// write creates the store if need be, opens it, and writes until it is killed or
// has made all its writes. A refused write is tried again, once the store says
// that it did not happen.
func write(b backend) int {
	ctx, dir, seed := context.Background(), os.Getenv(envDir), uint64(number(envSeed))
	if _, err := b.create(ctx, dir); err != nil {
		return refused("create", err)
	}
	s, err := b.open(ctx, dir)
	if err != nil {
		return refused("open", err)
	}
	defer s.close()
	say(sayReady)
	first := number(envFirst)
	current := stateAfter(seed, first)
	for i := first; i < first+number(envCount); i++ {
		o := nextOp(seed, i, current)
		next := o.apply(current)
		if os.Getenv(envEarly) != "" {
			say(sayAck, i)
		}
		for tries := 0; ; tries++ {
			err := o.run(ctx, s)
			if err == nil {
				break
			}
			refused(strconv.Itoa(i), err)
			there, err := settled(ctx, s)
			if err != nil {
				return refused("read", err)
			}
			if there == next.String() {
				break
			}
			if tries == 3 {
				return refused("all", errors.New("gave up"))
			}
		}
		if os.Getenv(envEarly) == "" {
			say(sayAck, i)
		}
		current = next
	}
	return 0
}

// settled reads the store after a refused write, for as long as it says that it
// is unavailable.
func settled(ctx context.Context, s stores) (string, error) {
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		got, err := readState(ctx, s)
		if err == nil || !errors.Is(err, ports.ErrUnavailable) || time.Now().After(deadline) {
			return got.String(), err
		}
	}
}

// say writes a line in one system call, not buffered: what was said before a
// kill has been said.
func say(words ...any) {
	if _, err := os.Stdout.WriteString(fmt.Sprintln(words...)); err != nil {
		os.Exit(3)
	}
}

func refused(what string, err error) int {
	say(sayRefused, what, strings.ReplaceAll(fmt.Sprint(err), "\n", "; "))
	return 1
}

func number(name string) int {
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		fmt.Fprintln(os.Stderr, name, err)
		os.Exit(2)
	}
	return n
}
