package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// halfCore holds servers to half a core together: by a control group where one can be
// made, or else by stopping them half of the time. Periods are short, so that what is
// measured is the load and not the stops.
type halfCore struct {
	how string
	dir string // of the control group; empty without one
}

func holdToHalfCore() *halfCore {
	const period, quota = "10000", "5000" // microseconds
	for _, g := range []struct {
		how, root string
		files     [][2]string
	}{
		{"a control group (v2)", "/sys/fs/cgroup", [][2]string{{"cpu.max", quota + " " + period}}},
		{"a control group (v1)", "/sys/fs/cgroup/cpu", [][2]string{{"cpu.cfs_period_us", period}, {"cpu.cfs_quota_us", quota}}},
	} {
		h := &halfCore{how: g.how, dir: filepath.Join(g.root, "embedseal-bench-"+strconv.Itoa(os.Getpid()))}
		if h.make(g.files) == nil {
			return h
		}
		h.free()
	}
	return &halfCore{how: "stopping it half of the time"}
}

// make fails where the files are none that exist already, and so set no limit.
func (h *halfCore) make(files [][2]string) error {
	if err := os.Mkdir(h.dir, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		file, err := os.OpenFile(filepath.Join(h.dir, f[0]), os.O_WRONLY, 0)
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

// free removes the group, when whoever was in it has ended.
func (h *halfCore) free() {
	if h.dir != "" {
		_ = os.Remove(h.dir)
	}
}

// wrap lets a command begin in the group, as in a container: what it reads of its
// limits when it begins is then what it gets.
func (h *halfCore) wrap(cmd *exec.Cmd) {
	if h.dir == "" {
		cmd.Env = append(cmd.Env, "GOMAXPROCS=1") // or it would get half of every core
		return
	}
	into := `echo $$ > "$0"/cgroup.procs && exec "$@"`
	cmd.Path, cmd.Args = "/bin/sh", append([]string{"sh", "-c", into, h.dir, cmd.Path}, cmd.Args[1:]...)
}

// hold begins to hold a server that was started, if that is not done already.
func (h *halfCore) hold(p *peer) (release func()) {
	if h.dir == "" {
		return dutyCycle(p.cmd.Process.Pid)
	}
	return func() {}
}

// dutyCycle stops and continues a process, 5 ms each.
func dutyCycle(pid int) (release func()) {
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
