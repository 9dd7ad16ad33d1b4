package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pasted are the commands that init shows, one for each curl and printf.
func pasted(t *testing.T, p *process, last string, count int) []string {
	t.Helper()
	stdout := p.printed(t, last)
	var commands []string
	inside := false
	for line := range strings.Lines(stdout) {
		switch {
		case strings.HasPrefix(line, "  curl "), strings.HasPrefix(line, "  printf "), strings.Contains(line, "/embedseal status "):
			commands = append(commands, line)
		case inside:
			commands[len(commands)-1] += line
		}
		inside = strings.HasSuffix(line, "\\\n")
	}
	if len(commands) != count {
		t.Fatalf("%d commands to paste in\n%s", len(commands), stdout)
	}
	return commands
}

func TestMakeRunServesAndItsCommandsWorkAsPrinted(t *testing.T) {
	t.Parallel()
	contents(t, filepath.Join(repository, "Makefile")) // so that a change of it runs this test again
	dir := t.TempDir()
	data, listen := filepath.Join(dir, "its data"), "127.0.0.1:"+freePort(t)
	binary(t) // two builds at once would only be slower
	begin := func() *process {
		p := startIn(t, repository, nil, "make", "-s", "run", "DATA_DIR="+data, "LISTEN="+listen, "BINARY="+filepath.Join(dir, "embedseal"))
		waitUntilHealthy(t, p, listen)
		return p
	}
	end := func(p *process) {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGINT) // as a terminal does
		p.wait(t).want(t, p.cmd.ProcessState.ExitCode(), "msg=stopped")
	}

	p := begin()
	commands := pasted(t, p, "--token-file answer.json\n", 2)
	for i, want := range []string{`"success": 1`, "Good         sealed with this secret, and not expired"} {
		o := startIn(t, dir, nil, "sh", "-e", "-c", commands[i]).wait(t).want(t, 0)
		if !strings.Contains(o.stdout, want) {
			t.Errorf("%sgives\n%s%s", commands[i], o.stdout, o.stderr)
		}
	}
	end(p)
	before := snapshot(t, filepath.Join(data, "api-token"))
	key := snapshot(t, filepath.Join(data, "master.key"))

	p = begin()
	p.printed(t, "Nothing was made.")
	if o := startIn(t, dir, nil, "sh", "-e", "-c", pasted(t, p, "--token-file answer.json\n", 2)[0]).wait(t); !strings.Contains(o.stdout, `"success": 1`) {
		t.Errorf("the first command of the second start gives\n%s%s", o.stdout, o.stderr)
	}
	again := startIn(t, dir, nil, "sh", "-e", "-c", commands[1]).wait(t) // the key value of the first start
	if again.code != 0 || !strings.Contains(again.stdout, "Good") {
		t.Errorf("the second start seals with another secret:\n%s%s", again.stdout, again.stderr)
	}
	end(p)
	unchanged(t, filepath.Join(data, "api-token"), before)
	unchanged(t, filepath.Join(data, "master.key"), key)
}

func waitUntilHealthy(t *testing.T, p *process, listen string) {
	t.Helper()
	for deadline := time.Now().Add(patient); ; time.Sleep(20 * time.Millisecond) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listen+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
			return
		}
		over := time.Now().After(deadline)
		select {
		case <-p.ended:
			over = true
		default:
		}
		if over {
			t.Fatalf("it does not serve:\n%s%s", p.stdout.String(), p.stderr.String())
		}
	}
}

func TestTheCommandsOfADevelopmentServerWorkAsPrinted(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "serve", "--dev", "--listen", "127.0.0.1:0")
	p.address(t)
	dir := t.TempDir()
	for i, want := range []string{`"success": 1`, "Good ", "memory\n"} {
		command := pasted(t, p, "/admin.sock\n", 3)[i]
		if o := startIn(t, dir, nil, "sh", "-e", "-c", command).wait(t).want(t, 0); !strings.Contains(o.stdout, want) {
			t.Errorf("%sgives\n%s%s", command, o.stdout, o.stderr)
		}
	}
}
