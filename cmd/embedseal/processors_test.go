package main

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"embedseal/adapters/httpload/halfcore"
)

func TestWhatTheOperatorSaysOfProcessorsCounts(t *testing.T) {
	t.Parallel()
	start(t, []string{"GOMAXPROCS=3"}, "serve", "--dev", "--listen", "127.0.0.1:0").wantProcessors(t, 3)
}

// A control group has a test only where one can be made.
func TestHeldToHalfACoreAServerUsesOneProcessor(t *testing.T) {
	t.Parallel()
	g := halfcore.Make("embedseal-test-"+strconv.Itoa(os.Getpid()), 100*time.Millisecond)
	if g == nil {
		t.Log("no control group can be made here: nothing was tested")
		return
	}
	t.Cleanup(func() {
		var err error
		for range 100 { // its processes have ended, which the kernel notices a little later
			if err = g.Remove(); err == nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Error(err)
	})
	startIn(t, "", nil, g.Within(binary(t), "serve", "--dev", "--listen", "127.0.0.1:0")...).wantProcessors(t, 1)
}

func (p *process) wantProcessors(t *testing.T, n int) {
	t.Helper()
	p.address(t) // it is in the same line
	_, rest, _ := strings.Cut(p.stderr.String(), " processors=")
	if got := strings.Fields(rest); len(got) == 0 || got[0] != strconv.Itoa(n) {
		t.Errorf("want %d processors:\n%s", n, p.stderr.String())
	}
}
