package main

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// halfCore holds a process to half a core: by a control group where one can be
// made, or else by stopping it half of the time. Periods are short, so that what is
// measured is the load and not the stops.
func halfCore(pid int) (how string, free func(), err error) {
	const period, quota = "10000", "5000" // microseconds
	for _, g := range []struct {
		how, root string
		files     [][2]string
	}{
		{"a control group (v2)", "/sys/fs/cgroup", [][2]string{{"cpu.max", quota + " " + period}}},
		{"a control group (v1)", "/sys/fs/cgroup/cpu", [][2]string{{"cpu.cfs_period_us", period}, {"cpu.cfs_quota_us", quota}}},
	} {
		dir := filepath.Join(g.root, "embedseal-bench-"+strconv.Itoa(pid))
		if grouped(dir, g.files, pid) == nil {
			return g.how, func() { leave(dir, g.root, pid) }, nil
		}
		_ = os.Remove(dir)
	}
	return "stopping it half of the time", dutyCycle(pid), nil
}

func grouped(dir string, files [][2]string, pid int) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for _, f := range append(files, [2]string{"cgroup.procs", strconv.Itoa(pid)}) {
		file, err := os.OpenFile(filepath.Join(dir, f[0]), os.O_WRONLY, 0) // a file that is not there is no limit
		if err != nil {
			return err
		}
		_, err = file.WriteString(f[1])
		if err := file.Close(); err != nil {
			return err
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// leave gives the process back, and removes the group.
func leave(dir, root string, pid int) {
	_ = os.WriteFile(filepath.Join(root, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
	_ = os.Remove(dir)
}

// dutyCycle stops and continues a process, 5 ms each. The processor time it gets
// is half of each core that it uses: it should be told to use one (GOMAXPROCS).
func dutyCycle(pid int) (free func()) {
	const half = 5 * time.Millisecond
	stop := make(chan struct{})
	var cycling sync.WaitGroup
	cycling.Go(func() {
		defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }()
		for {
			for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
				if syscall.Kill(pid, signal) != nil {
					return
				}
				time.Sleep(half)
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	var once sync.Once
	return func() { once.Do(func() { close(stop); cycling.Wait() }) }
}
