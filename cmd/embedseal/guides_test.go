package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"embedseal/adapters/httpapi/proxytest"
)

func TestTheCommandsOfTheGuidesWork(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"operations/rotation.md", "operations/incident.md", "guides/embed.md", "guides/verify.md", "guides/protect.md"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			guide := contents(t, filepath.Join(repository, "docs", filepath.FromSlash(name)))
			blocks := testedBlocks(t, guide)
			if len(blocks) == 0 {
				t.Fatal("no block is marked with <!-- test -->")
			}
			dir, err := os.MkdirTemp("", "es-") // a short one: a socket's path has 107 bytes at most
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			bin := t.TempDir()
			if err := os.Symlink(binary(t), filepath.Join(bin, "embedseal")); err != nil {
				t.Fatal(err)
			}
			others(t, guide, dir, bin)
			free := freePorts(t)
			path := "PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH")
			p := startIn(t, dir, []string{path, "EMBEDSEAL=" + clone(t, guide, free), "GOFLAGS=-mod=mod", "GOPROXY=off", "GONOSUMDB=*", "GOTOOLCHAIN=local"}, "sh", "-e", "-c", free.Replace(script(blocks, "8080")))
			o := p.wait(t)
			_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM) // a server that a block left running
			o.want(t, 0)
		})
	}
}

// Who comes from the README has a server on 8080 still: a guide then ends with what
// its own server said, and does not wait for ever.
func TestAGuideWhosePortIsTakenSaysSo(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"embed.md", "verify.md", "protect.md"} {
		t.Run(name, func(t *testing.T) {
			blocks := testedBlocks(t, contents(t, filepath.Join(repository, "docs", "guides", name)))
			bin := t.TempDir()
			if err := os.Symlink(binary(t), filepath.Join(bin, "embedseal")); err != nil {
				t.Fatal(err)
			}
			path := "PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH")
			// Twenty seconds are for people: here every pause is short.
			quick := strings.NewReplacer("--retry-delay 1", "--retry-delay 1 --retry-max-time 2", "sleep 0.1", "sleep 0.01", "8080", port, "9090", freePort(t))
			p := startIn(t, t.TempDir(), []string{path}, "sh", "-e", "-c", quick.Replace(blocks[0].text))
			if o := p.wait(t); o.code == 0 || !strings.Contains(o.stdout, "address in use") {
				t.Errorf("it ended with %d, and said %q", o.code, o.stdout)
			}
		})
	}
}

// freePorts puts free ones in the place of those that a guide has.
func freePorts(t *testing.T) *strings.Replacer {
	t.Helper()
	var pairs []string
	for _, port := range []string{"8080", "3000", "3001", "8443", "9090"} {
		pairs = append(pairs, port, freePort(t))
	}
	return strings.NewReplacer(pairs...)
}

// clone is the place that a guide calls $EMBEDSEAL: this tree, or, for a guide that
// runs a configuration out of it, a place with that file and the ports of the test.
func clone(t *testing.T, guide string, free *strings.Replacer) string {
	t.Helper()
	const file = "configs/proxy/nginx.conf"
	if strings.Contains(guide, "$EMBEDSEAL/"+file) {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "configs", "proxy"), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, file), free.Replace(contents(t, filepath.Join(repository, file))))
		return dir
	}
	tree, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// others puts where a guide finds them the libraries of others that it uses: npm's
// beside its files, and Debian's Python before any other. Without them the guide that
// needs them is left out, and in CI that is a failure.
func others(t *testing.T, guide, dir, bin string) {
	t.Helper()
	if strings.Contains(guide, "nginx -p") {
		proxytest.Needs(t, "nginx")
	}
	if !strings.Contains(guide, "jwcrypto") {
		return
	}
	const python = "/usr/bin/python3"
	modules, err := filepath.Abs(filepath.Join(repository, "adapters", "jose", "testdata", "peers", "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	_, noNode := os.Stat(filepath.Join(modules, "jose"))
	noPython := exec.CommandContext(t.Context(), python, "-c", "import jwcrypto.jwe").Run()
	if err := errors.Join(noNode, noPython); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the guide cannot be tried (make peers): %v", err)
		}
		t.Skipf("the guide cannot be tried: run `make peers`: %v", err)
	}
	if err := errors.Join(os.Symlink(modules, filepath.Join(dir, "node_modules")), os.Symlink(python, filepath.Join(bin, "python3"))); err != nil {
		t.Fatal(err)
	}
}
