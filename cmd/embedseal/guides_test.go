package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestTheCommandsOfTheGuidesWork(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"operations/rotation.md", "operations/incident.md", "guides/embed.md"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			blocks := testedBlocks(t, contents(t, filepath.Join(repository, "docs", filepath.FromSlash(name))))
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
			path := "PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH")
			p := startIn(t, dir, []string{path}, "sh", "-e", "-c", strings.ReplaceAll(script(blocks, freePort(t)), "3000", freePort(t)))
			o := p.wait(t)
			_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM) // a server that a block left running
			o.want(t, 0)
		})
	}
}
