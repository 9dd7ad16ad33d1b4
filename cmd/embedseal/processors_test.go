package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestWhatTheOperatorSaysOfProcessorsCounts(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"GOMAXPROCS=3"}, "serve", "--dev", "--listen", "127.0.0.1:0")
	p.address(t)
	p.wantProcessors(t, 3)
}

// A control group has a test only where one can be made.
func TestHeldToHalfACoreAServerUsesOneProcessor(t *testing.T) {
	t.Parallel()
	dir, made := halfACore(t)
	if !made {
		t.Log("no control group can be made here: nothing was tested")
		return
	}
	p := startIn(t, "", nil, "sh", "-c", `echo $$ > "$0"/cgroup.procs && exec "$@"`, dir, binary(t), "serve", "--dev", "--listen", "127.0.0.1:0")
	p.address(t)
	p.wantProcessors(t, 1)
}

// halfACore makes a control group of either version, until the test ends.
func halfACore(t *testing.T) (dir string, made bool) {
	t.Helper()
	for _, g := range []struct {
		root   string
		limits [][2]string
	}{
		{"/sys/fs/cgroup", [][2]string{{"cpu.max", "50000 100000"}}},
		{"/sys/fs/cgroup/cpu", [][2]string{{"cpu.cfs_period_us", "100000"}, {"cpu.cfs_quota_us", "50000"}}},
	} {
		dir = filepath.Join(g.root, "embedseal-test-"+strconv.Itoa(os.Getpid()))
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		made = true
		for _, l := range g.limits {
			file, err := os.OpenFile(filepath.Join(dir, l[0]), os.O_WRONLY, 0) // a file that has to be there
			if err != nil {
				made = false
				break
			}
			_, err = file.WriteString(l[1])
			made = made && err == nil && file.Close() == nil
		}
		if !made {
			_ = os.Remove(dir)
			continue
		}
		t.Cleanup(func() {
			for range 100 { // its processes end first, which the kernel notices a little later
				if os.Remove(dir) == nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
			t.Errorf("the control group %s is left", dir)
		})
		return dir, true
	}
	return "", false
}

func (p *process) wantProcessors(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(patient); ; time.Sleep(10 * time.Millisecond) {
		said := p.stderr.String()
		if strings.Contains(said, "msg=serving") || strings.Contains(said, `"msg":"serving"`) {
			if !strings.Contains(said, `"processors":`+strconv.Itoa(n)+`,`) && !strings.Contains(said, `"processors":`+strconv.Itoa(n)+`}`) && !strings.Contains(said, "processors="+strconv.Itoa(n)) {
				t.Errorf("want %d processors:\n%s", n, said)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not serve:\n%s", said)
		}
	}
}
