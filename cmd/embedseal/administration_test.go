package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestTheCommandsOfTheAdministrationGuideWork(t *testing.T) {
	t.Parallel()
	blocks := testedBlocks(t, contents(t, filepath.Join(repository, "docs", "administration.md")))
	if len(blocks) < 10 {
		t.Fatalf("docs/administration.md has only %d blocks that are marked with <!-- test -->", len(blocks))
	}
	second := freePort(t)
	for i := range blocks {
		blocks[i].text = strings.ReplaceAll(blocks[i].text, "8081", second)
	}
	// The directory's path is short, as a socket's has to be.
	dir, err := os.MkdirTemp("", "ems")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := "PATH=" + filepath.Dir(binary(t)) + string(os.PathListSeparator) + os.Getenv("PATH")
	p := startIn(t, dir, []string{path}, "sh", "-e", "-c", script(blocks, freePort(t)))
	o := p.wait(t)
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM) // a server that a block left running
	o.want(t, 0)
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("beside data and serve.log it leaves %v, %v", left, err)
	}
}
