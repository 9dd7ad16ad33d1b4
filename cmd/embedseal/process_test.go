package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patient is how long a test waits for what must come. Nothing is asserted
// about how soon it does.
const patient = 60 * time.Second

// repository is the top level, seen from this package.
var repository = filepath.Join("..", "..")

// built is the binary that `make build` makes, once for all tests.
var built = struct {
	once sync.Once
	dir  string
	err  error
}{}

// scratch is where processes have their temporary directories, which those leave that
// a test kills.
var scratch string

func TestMain(m *testing.M) {
	if said, child := os.LookupEnv(pressedBy); child {
		if err := pressAsChild(said); err != nil {
			panic(err)
		}
		os.Exit(0)
	}
	var err error
	if scratch, err = os.MkdirTemp("", "es"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(scratch)
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// binary is the path of the built program.
func binary(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "embedseal-binary-"); built.err != nil {
			return
		}
		build := exec.Command("make", "-s", "build", "BINARY="+filepath.Join(built.dir, "embedseal"))
		build.Dir, build.Env = repository, cleanEnvironment()
		if out, err := build.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("make build: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, "embedseal")
}

// cleanEnvironment is that of this process without what would configure the
// program, or the Makefile.
func cleanEnvironment(more ...string) []string {
	var kept []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		switch {
		case strings.HasPrefix(name, "EMBEDSEAL_"), strings.HasPrefix(name, "MAKE"), strings.HasPrefix(name, "GNUMAKE"):
		case slices.Contains([]string{"MFLAGS", "VERSION", "DATA_DIR", "STORE", "LISTEN", "BINARY", "CGO_ENABLED", "TESTFLAGS"}, name):
		default:
			kept = append(kept, entry)
		}
	}
	return append(append(kept, "TMPDIR="+scratch), more...)
}

// lockedBuffer is written by a process or a server, and read meanwhile.
type lockedBuffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

// outcome is what a run of the program left.
type outcome struct {
	code           int
	stdout, stderr string
}

// want fails the test unless the run ended with code and said every one of the
// words on standard error.
func (o outcome) want(t *testing.T, code int, words ...string) outcome {
	t.Helper()
	if o.code != code {
		t.Fatalf("exit %d, want %d\nstdout: %s\nstderr: %s", o.code, code, o.stdout, o.stderr)
	}
	for _, word := range words {
		if !strings.Contains(o.stderr, word) {
			t.Errorf("standard error does not say %q:\n%s", word, o.stderr)
		}
	}
	return o
}

// oneLine fails the test unless standard error is one line, but for the hint
// that follows wrong usage.
func (o outcome) oneLine(t *testing.T) {
	t.Helper()
	if said := regexp.MustCompile(`Try: embedseal[a-z -]* --help\n$`).ReplaceAllString(o.stderr, ""); strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "embedseal: ") {
		t.Errorf("not one clear line:\n%s", o.stderr)
	}
}

// decode reads standard output, which must be one JSON document of that shape.
func decode[T any](t *testing.T, o outcome) T {
	t.Helper()
	var v T
	decoder := json.NewDecoder(strings.NewReader(o.stdout))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&v); err != nil {
		t.Fatalf("standard output is not the JSON it should be: %v\n%s", err, o.stdout)
	}
	if decoder.More() {
		t.Fatalf("more than one document:\n%s", o.stdout)
	}
	return v
}

// process is a running binary.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr lockedBuffer
	ended          chan struct{}
}

// start starts the binary with those arguments and nothing of ours in its
// environment. The end of the test kills it.
func start(t *testing.T, environ []string, args ...string) *process {
	t.Helper()
	return startIn(t, "", environ, append([]string{binary(t)}, args...)...)
}

// startIn starts any command, as the leader of a group of processes.
func startIn(t *testing.T, dir string, environ []string, command ...string) *process {
	t.Helper()
	return startWith(t, dir, environ, nil, command...)
}

// startWith is startIn as another user, unless there is none.
func startWith(t *testing.T, dir string, environ []string, as *syscall.Credential, command ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(command[0], command[1:]...), ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = dir, cleanEnvironment(environ...)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: as}
	p.cmd.WaitDelay = 5 * time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.ended
	})
	return p
}

// signal sends a signal to the process alone.
func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// wait returns what is left when the process has ended.
func (p *process) wait(t *testing.T) outcome {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patient):
		t.Fatalf("still running\nstdout: %s\nstderr: %s", p.stdout.String(), p.stderr.String())
	}
	return outcome{p.cmd.ProcessState.ExitCode(), p.stdout.String(), p.stderr.String()}
}

// terminate is SIGTERM, and the wait for the end.
func (p *process) terminate(t *testing.T) outcome {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	return p.wait(t)
}

// execute runs the binary to its end.
func execute(t *testing.T, args ...string) outcome {
	t.Helper()
	return start(t, nil, args...).wait(t)
}

// address is where the server listens, once it says so in its log.
func (p *process) address(t *testing.T) string {
	t.Helper()
	return addressIn(t, &p.stderr, p.ended)
}

// printed is standard output, once those words are in it.
func (p *process) printed(t *testing.T, words string) string {
	t.Helper()
	for deadline := time.Now().Add(patient); ; time.Sleep(5 * time.Millisecond) {
		if said := p.stdout.String(); strings.Contains(said, words) {
			return said
		}
		if time.Now().After(deadline) {
			t.Fatalf("standard output does not say %q:\n%s", words, p.stdout.String())
		}
	}
}

func addressIn(t *testing.T, stderr *lockedBuffer, ended <-chan struct{}) string {
	t.Helper()
	serving := regexp.MustCompile(`msg=serving address=(\S+)`)
	over := false
	for deadline := time.Now().Add(patient); ; time.Sleep(5 * time.Millisecond) {
		if found := serving.FindStringSubmatch(stderr.String()); found != nil {
			return found[1]
		}
		if over || time.Now().After(deadline) {
			t.Fatalf("it does not serve:\n%s", stderr.String())
		}
		select {
		case <-ended:
			over = true // one more look at what it said last
		default:
		}
	}
}

// freePort is a port that nobody has now. It is none of those that the kernel
// gives away by itself, to the other tests among others.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(20_000 + rand.IntN(10_000))
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = listener.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}
