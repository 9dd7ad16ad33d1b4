package main

import (
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"embedseal/adapters/httpload/halfcore"
)

// halfCore holds servers to half a core together: by a control group where one can be
// made, or else by stopping them half of the time. Periods are short, so that what is
// measured is the load and not the stops.
type halfCore struct {
	how   string
	group *halfcore.Group // nil without one
}

func holdToHalfCore() *halfCore {
	g := halfcore.Make("embedseal-bench-"+strconv.Itoa(os.Getpid()), 10*time.Millisecond)
	if g == nil {
		return &halfCore{how: "stopping it half of the time"}
	}
	return &halfCore{how: "a control group (" + g.Version + ")", group: g}
}

// free removes the group, when whoever was in it has ended.
func (h *halfCore) free() {
	if h.group != nil {
		_ = h.group.Remove()
	}
}

// wrap lets a command begin in the group, as in a container.
func (h *halfCore) wrap(cmd *exec.Cmd) {
	if h.group == nil {
		cmd.Env = append(cmd.Env, "GOMAXPROCS=1") // or it would get half of every core
		return
	}
	cmd.Args = h.group.Within(append([]string{cmd.Path}, cmd.Args[1:]...)...)
	cmd.Path = cmd.Args[0]
}

// hold begins to hold a server that was started, if that is not done already.
func (h *halfCore) hold(p *peer) (release func()) {
	if h.group == nil {
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
