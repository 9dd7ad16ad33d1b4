package crashtest_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// straced runs a writer under strace to its end, and returns it with the system
// calls that it made.
func straced(t *testing.T, env []string, options ...string) (*writer, []call) {
	t.Helper()
	needStrace(t)
	out := filepath.Join(t.TempDir(), "trace")
	args := []string{
		"strace", "-f", "-y", "-s", "300", "-o", out,
		"-e", "trace=open,openat,creat,mkdir,mkdirat,write,writev,pwrite64,pwritev,pwritev2,fallocate,ftruncate,fsync,fdatasync,sync_file_range," +
			"msync,link,linkat,symlinkat,rename,renameat,renameat2,unlink,unlinkat,copy_file_range,sendfile",
	}
	w := startCommand(t, append(append(args, options...), os.Args[0]), env)
	_ = w.wait() // what it said tells how it ended
	trace, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return w, parseTrace(t, string(trace))
}

// needStrace fails, or outside of continuous integration skips, where there is
// no strace that works.
func needStrace(t *testing.T) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "strace", "-o", os.DevNull, "true").CombinedOutput()
	if err == nil {
		return
	}
	text := fmt.Sprintf("strace does not run (%v) %s; install it with: apt-get install strace; in a container allow ptrace", err, out)
	if os.Getenv("CI") == "true" {
		t.Fatal(text)
	}
	t.Skip(text)
}

// call is a system call that succeeded, or a sync that failed.
type call struct {
	name   string
	args   string
	failed bool
}

var (
	callLine   = regexp.MustCompile(`^(\w+)\((.*)\)\s+= (-?\d+|0x[0-9a-f]+)`)
	fdPath     = regexp.MustCompile(`^\d+<([^>]*)>`)
	atPath     = regexp.MustCompile(`(?:\d+|AT_FDCWD)<([^>]*)>, "([^"]*)"`)
	nakedPath  = regexp.MustCompile(`"([^"]*)"`)
	lastNumber = regexp.MustCompile(`, (\d+), (\d+)$`)
)

// parseTrace puts the halves of interrupted lines together, at the place where
// the call returned.
func parseTrace(t *testing.T, trace string) []call {
	t.Helper()
	var calls []call
	begun := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(trace))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		process, line, _ := strings.Cut(lines.Text(), " ")
		line = strings.TrimSpace(line)
		if head, ok := strings.CutSuffix(line, " <unfinished ...>"); ok {
			begun[process] = head
			continue
		}
		if strings.HasPrefix(line, "<... ") {
			_, rest, ok := strings.Cut(line, " resumed>")
			if !ok {
				t.Fatalf("cannot read the trace: %s", line)
			}
			line = begun[process] + rest
		}
		m := callLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		c := call{name: m[1], args: m[2], failed: strings.HasPrefix(m[3], "-")}
		if !c.failed || c.isSync() {
			calls = append(calls, c)
		}
	}
	return calls
}

func (c call) isSync() bool { return c.name == "fsync" || c.name == "fdatasync" }

// path is the file that the call is about: that of its descriptor, or its name.
func (c call) path() string {
	switch c.name {
	case "open", "openat", "creat", "mkdir", "mkdirat", "unlink", "unlinkat":
		return c.paths()[0]
	}
	if m := fdPath.FindStringSubmatch(c.args); m != nil {
		return m[1]
	}
	return ""
}

// paths are the names in the call, whole.
func (c call) paths() []string {
	var all []string
	for _, m := range atPath.FindAllStringSubmatch(c.args, -1) {
		all = append(all, join(m[1], m[2]))
	}
	if all == nil {
		for _, m := range nakedPath.FindAllStringSubmatch(c.args, -1) {
			all = append(all, m[1])
		}
	}
	return append(all, "", "")
}

func join(dir, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(dir, name)
}

// says is what a writer says with this call, or nothing.
func (c call) says() string {
	if c.name != "write" || !strings.HasPrefix(c.args, "1<") {
		return ""
	}
	_, text, _ := strings.Cut(c.args, `"`)
	word, _, _ := strings.Cut(text, `\n`)
	return word
}

// metaPage is the offset at which the call writes a meta page of bbolt.
func (c call) metaPage() (offset int, ok bool) {
	m := lastNumber.FindStringSubmatch(c.args)
	if c.name != "pwrite64" || m == nil {
		return 0, false
	}
	size, err1 := strconv.Atoi(m[1])
	offset, err2 := strconv.Atoi(m[2])
	return offset, err1 == nil && err2 == nil && offset < 2*os.Getpagesize() && size <= os.Getpagesize()
}
