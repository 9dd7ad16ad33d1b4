package vaulttest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
)

// process is a server's process. It is started again with the same arguments.
type process struct {
	binary string
	args   []string
	dir    string // its home, and where its log is

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// start runs the process in a group and an environment of its own: what it
// starts ends with it, and nothing that the developer exported reaches it.
func (p *process) start() error {
	log, err := os.OpenFile(p.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd := exec.Command(p.binary, p.args...) //nolint:gosec // the server under test
	cmd.Dir = p.dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = []string{"HOME=" + p.dir, "PATH=/usr/bin:/bin", "TMPDIR=" + os.TempDir(), "LANG=C"}
	cmd.SysProcAttr = attributes()
	started, done := make(chan error), make(chan struct{})
	go func() {
		// The thread that starts the process has to outlive it: with the thread
		// the kernel would end the process too, see attributes.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer log.Close()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log
			close(done)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", p.binary, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd, p.done = cmd, done
	return nil
}

// kill ends the process as a power cut would, and returns when it is gone.
func (p *process) kill() {
	cmd, done := p.current()
	if cmd == nil {
		return
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the group: it is ours
	<-done
}

func (p *process) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	cmd, _ := p.current()
	if cmd == nil {
		t.Fatalf("send %s: the server is not running:\n%s", sig, p.tail())
	}
	if err := cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

func (p *process) running() bool {
	cmd, _ := p.current()
	return cmd != nil
}

// pid is 0 when the process is not there.
func (p *process) pid() int {
	cmd, _ := p.current()
	if cmd == nil {
		return 0
	}
	return cmd.Process.Pid
}

// current is the process that runs, and what is closed when it ends; nil when
// there is none.
func (p *process) current() (*exec.Cmd, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil, nil
	}
	select {
	case <-p.done:
		return nil, nil
	default:
		return p.cmd, p.done
	}
}

func (p *process) log() string { return filepath.Join(p.dir, "vault.log") }

// tail is the end of the log.
func (p *process) tail() string {
	text, err := os.ReadFile(p.log())
	if err != nil {
		return err.Error()
	}
	const most = 4 << 10
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return string(bytes.ToValidUTF8(text, []byte("?")))
}
