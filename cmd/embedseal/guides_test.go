package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestTheCommandsOfTheGuidesWork(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"operations/rotation.md", "operations/incident.md", "guides/embed.md", "guides/verify.md"} {
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
			tree, err := filepath.Abs(repository)
			if err != nil {
				t.Fatal(err)
			}
			path := "PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH")
			p := startIn(t, dir, []string{path, "EMBEDSEAL=" + tree, "GOFLAGS=-mod=mod", "GOPROXY=off", "GONOSUMDB=*", "GOTOOLCHAIN=local"}, "sh", "-e", "-c", strings.ReplaceAll(script(blocks, freePort(t)), "3000", freePort(t)))
			o := p.wait(t)
			_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM) // a server that a block left running
			o.want(t, 0)
		})
	}
}

// others puts where a guide finds them the libraries of others that it uses: npm's
// beside its files, and Debian's Python before any other. Without them the guide that
// needs them is left out, and in CI that is a failure.
func others(t *testing.T, guide, dir, bin string) {
	t.Helper()
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
