package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// block is a piece of a document that a reader pastes into a shell.
type block struct {
	line int
	text string
}

// testedBlocks are the ```sh blocks of a document with the line <!-- test -->
// directly above them.
func testedBlocks(t *testing.T, document string) []block {
	t.Helper()
	var blocks []block
	lines := strings.Split(document, "\n")
	for i, line := range lines {
		if line != "<!-- test -->" {
			continue
		}
		if i+1 >= len(lines) || lines[i+1] != "```sh" {
			t.Fatalf("line %d: no ```sh block follows the mark", i+1)
		}
		end := slices.Index(lines[i+2:], "```")
		if end < 0 {
			t.Fatalf("line %d: the block has no end", i+2)
		}
		blocks = append(blocks, block{i + 3, strings.Join(lines[i+2:i+2+end], "\n")})
	}
	return blocks
}

// script runs the blocks one after the other in one shell, which ends at the
// first command that fails and says before each block where it stands.
func script(blocks []block, port string) string {
	var b strings.Builder
	for _, each := range blocks {
		fmt.Fprintf(&b, "echo '## line %d' >&2\n%s\n", each.line, strings.ReplaceAll(each.text, "8080", port))
	}
	return b.String()
}

func TestTheCommandsOfTheREADMEWork(t *testing.T) {
	t.Parallel()
	blocks := testedBlocks(t, contents(t, filepath.Join(repository, "README.md")))
	if len(blocks) == 0 {
		t.Fatal("README.md has no block that is marked with <!-- test -->")
	}
	tree := copyOfTheTree(t)
	bin := filepath.Join(tree, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(binary(t), filepath.Join(bin, "embedseal")); err != nil {
		write(t, filepath.Join(bin, "embedseal"), contents(t, binary(t)))
		if err := os.Chmod(filepath.Join(bin, "embedseal"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	path := "PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH")
	p := startIn(t, tree, []string{path}, "sh", "-e", "-c", script(blocks, freePort(t)))
	o := p.wait(t)
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM) // a server that a block left running
	o.want(t, 0)
}

// copyOfTheTree copies what a clone would have.
func copyOfTheTree(t *testing.T) string {
	t.Helper()
	tree := filepath.Join(t.TempDir(), "embedseal")
	leftOut := []string{"bin", "data", "node_modules"}
	err := filepath.WalkDir(repository, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(repository, name)
		if err != nil {
			return err
		}
		switch {
		case rel != "." && d.IsDir() && (slices.Contains(leftOut, d.Name()) || strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(tree, rel), 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(tree, rel), data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestOnlyMarkedBlocksAreTakenAndAFailureIsSeen(t *testing.T) {
	document := "```sh\nnever\n```\n\n<!-- test -->\n```sh\ntrue\ncurl 127.0.0.1:8080\n```\n\n<!-- test -->\n```sh\nfalse\n```\n"
	blocks := testedBlocks(t, document)
	if len(blocks) != 2 || blocks[0] != (block{7, "true\ncurl 127.0.0.1:8080"}) || blocks[1] != (block{13, "false"}) {
		t.Fatalf("got %+v", blocks)
	}
	if text := script(blocks[:1], "4711"); !strings.Contains(text, "curl 127.0.0.1:4711") {
		t.Errorf("the port is not replaced: %s", text)
	}
	if o := startIn(t, t.TempDir(), nil, "sh", "-e", "-c", script(blocks[1:], "1")).wait(t); o.code != 1 || o.stderr != "## line 13\n" {
		t.Errorf("got %+v", o)
	}
}
