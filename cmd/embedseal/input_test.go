package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// waiting are the verbs that read standard input, on a server that answers as it is
// documented.
func waiting(dir string) map[string][]string {
	value := filepath.Join(dir, "value")
	return map[string][]string{
		"token":                     {"verify"},
		"token to inspect":          {"inspect"},
		"value of the embed secret": {"inspect", vector16, "--secret-file", "-"},
		"token, offline":            {"verify", "--secret-file", value},
		"token to revoke":           {"revoke", "token", "--token-file", "-", "--yes", "--data-dir", dir},
		"value to import":           {"key", "import", "k", "--value-file", "-", "--data-dir", dir},
		"policy":                    {"group", "policy", "set", "--policy-file", "-", "--data-dir", dir},
		"key of the audit log":      {"audit", "verify", "--file", value, "--key-file", "-"},
	}
}

// neverReads is a standard input on which nothing comes.
type neverReads struct{ asked chan struct{} }

func (r neverReads) Read([]byte) (int, error) {
	close(r.asked)
	select {}
}

func TestASignalEndsEveryWaitForInput(t *testing.T) {
	f := newFakeAdmin(t, ofPath(examples(t)))
	write(t, filepath.Join(f.dir, "value"), vectorSecret)
	data := filepath.Join(t.TempDir(), "data")
	initialise(t, data, storeBbolt)
	verbs := waiting(f.dir)
	verbs["requests of a batch"] = []string{"mint", "--batch", "-", "--data-dir", data}
	for name, args := range verbs {
		t.Run(name, func(t *testing.T) {
			ctx, signal := context.WithCancel(t.Context())
			defer signal()
			var stdout, stderr lockedBuffer
			p := world{}.program(&stdout, &stderr, args)
			in := neverReads{make(chan struct{})}
			p.stdin = in
			ended := make(chan int, 1)
			go func() { ended <- p.run(ctx) }()
			<-in.asked
			signal()
			select {
			case code := <-ended:
				outcome{code, stdout.String(), stderr.String()}.want(t, exitFailure, "ended while it waited for input")
			case <-time.After(patient):
				t.Error("it goes on waiting")
			}
		})
	}
	if asked := f.questions(); len(asked) != 0 {
		t.Errorf("without its input it asked the server %+v", asked)
	}
}

func TestCtrlCEndsTheWaitOfTheProgram(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		fifo := filepath.Join(t.TempDir(), "fifo")
		if err := syscall.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
		p := startIn(t, "", nil, "sh", "-c", `exec "$0" inspect <"$1"`, binary(t), fifo)
		in, err := os.OpenFile(fifo, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = in.Close() }()
		const setPipeSize, page = 1031, 4096 // F_SETPIPE_SZ, which the package syscall has not
		if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, in.Fd(), setPipeSize, page); errno != 0 {
			t.Fatal(errno)
		}
		// More than the pipe holds: when it is written, the program reads.
		if _, err := in.WriteString(strings.Repeat("a", page+1)); err != nil {
			t.Fatal(err)
		}
		p.signal(t, s)
		p.wait(t).want(t, exitFailure, "ended while it waited for input: "+s.String()+" signal received")
	}
}

func TestWhoeverIsAtATerminalIsToldWhatIsWaitedFor(t *testing.T) {
	o := world{stdin: vector16 + "\n", terminal: true}.run(t, "inspect").want(t, exitOK)
	if o.stderr != "Paste the token, then press Enter and Ctrl-D; Ctrl-C ends it.\n" {
		t.Errorf("told %q", o.stderr)
	}
	o = world{stdin: vectorSecret, terminal: true}.run(t, "inspect", vector16, "--secret-file", "-").want(t, exitOK)
	if !strings.HasPrefix(o.stderr, "Paste the value of the embed secret, then") {
		t.Errorf("told %q", o.stderr)
	}
	data := filepath.Join(t.TempDir(), "data")
	initialise(t, data, storeBbolt)
	world{terminal: true}.run(t, "mint", "--batch", "-", "--data-dir", data).want(t, exitFailure, "Paste the requests, one on each line, then")
	if o = (world{terminal: true}).run(t, "inspect", vector16).want(t, exitOK); o.stderr != "" {
		t.Errorf("it waits for nothing, and says %q", o.stderr)
	}
}

func TestNoTokenIsWrongUsageAndNoBadToken(t *testing.T) {
	f := newFakeAdmin(t, ofPath(examples(t)))
	empty, value := write(t, filepath.Join(f.dir, "empty"), "\n"), write(t, filepath.Join(f.dir, "value"), vectorSecret)
	for _, args := range [][]string{
		{"inspect"}, {"inspect", ""}, {"inspect", "-"}, {"inspect", "--token-file", empty}, {"verify", "--secret-file", value},
		{"verify"}, {"revoke", "token", "--token-file", "-", "--yes", "--data-dir", f.dir},
	} {
		run(t, args...).want(t, exitUsage, "no token was given")
	}
	run(t, "inspect", "--token-file", empty).want(t, exitUsage, empty+" is empty")
}

func TestAFileInThePlaceOfATokenIsNamed(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "t1", vector16)
	write(t, "value", vectorSecret)
	for _, verb := range [][]string{{"inspect", "t1"}, {"verify", "t1"}, {"verify", "t1", "--secret-file", "value"}} {
		run(t, verb...).want(t, exitUsage, "t1 is a file: use --token-file t1\n")
	}
	write(t, vector16[:200], "")
	run(t, "inspect", vector16).want(t, exitOK) // a token is one, whatever files there are
	run(t, "inspect", ".").want(t, exitRefused) // a directory holds none
}

func TestWhatCannotBeReadIsSaidOnce(t *testing.T) {
	t.Chdir(t.TempDir())
	o := run(t, "inspect", "--token-file", "none").want(t, exitFailure)
	if o.stderr != "embedseal: none cannot be read: no such file or directory\n" {
		t.Errorf("said %q", o.stderr)
	}
	run(t, "inspect", "--token-file", ".").want(t, exitFailure, ". cannot be read: is a directory\n")
	p := world{}.program(io.Discard, io.Discard, nil)
	p.stdin = broken{}
	if _, err := p.readInput(t.Context(), standardInput, "token"); err == nil || err.Error() != "standard input cannot be read: unexpected EOF" {
		t.Errorf("said %v", err)
	}
}

// broken is a standard input that breaks.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
