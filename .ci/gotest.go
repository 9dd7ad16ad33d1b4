//go:build ignore

// Command gotest runs "go test -json" with the arguments it is given and says
// what a person wants to know: one line for each package, the full output of
// whatever failed, and at the end "N passed, N failed" alone on a line.
//
// It fails when a test failed, when a package did not build, and when no test
// ran at all. With CI=true a skipped test is a failure too; only the campaigns
// (TestCampaign…) may skip, and only while EMBEDSEAL_LONG is not set.
//
//	go run .ci/gotest.go -log FILE -- -race ./...
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// event is a line of "go doc test2json", build events included.
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Elapsed     float64
	Output      string
	FailedBuild string
}

// pkg gathers the events of one package until its verdict is known.
type pkg struct {
	tests  []string          // in the order in which they started
	output map[string]string // by test; "" is the package's own
	state  map[string]string // by test: run, pass, fail, skip
}

type tally struct {
	strict                  bool // a skip is a failure
	long                    bool // a campaign's too
	passed, failed, skipped int
	notes                   []string // one line for each failure and skip
	packages                map[string]*pkg
	builds                  map[string]string // compiler output by import path
}

func main() {
	log := flag.String("log", "", "file for the output of every test, passed ones too")
	flag.Parse()
	if err := run(*log, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		os.Exit(1)
	}
}

func run(logFile string, args []string) error {
	full := io.Discard
	if logFile != "" {
		if err := os.MkdirAll(filepath.Dir(logFile), 0o755); err != nil {
			return err
		}
		f, err := os.Create(logFile)
		if err != nil {
			return err
		}
		defer f.Close()
		full = f
	}
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	t := &tally{
		strict:   os.Getenv("CI") == "true",
		long:     os.Getenv("EMBEDSEAL_LONG") != "",
		packages: map[string]*pkg{},
		builds:   map[string]string{},
	}
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			t.line(line, full)
		}
		if err != nil {
			break
		}
	}
	exit := cmd.Wait()
	return t.close(exit)
}

func (t *tally) line(line string, full io.Writer) {
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil || e.Action == "" {
		fmt.Print(line) // not ours to hide
		return
	}
	io.WriteString(full, e.Output)
	if e.Action == "build-output" {
		t.builds[e.ImportPath] += e.Output
		return
	}
	if e.Package == "" {
		return
	}
	p := t.packages[e.Package]
	if p == nil {
		p = &pkg{output: map[string]string{}, state: map[string]string{}}
		t.packages[e.Package] = p
	}
	switch e.Action {
	case "run":
		p.tests = append(p.tests, e.Test)
		p.state[e.Test] = "run"
	case "output":
		p.output[e.Test] += e.Output
	case "pass", "fail", "skip":
		if e.Test != "" {
			p.state[e.Test] = e.Action
			return
		}
		t.verdict(e, p)
		delete(t.packages, e.Package)
	}
}

// verdict counts a package that has ended and prints it.
func (t *tally) verdict(e event, p *pkg) {
	var passed, failed int
	var red []string
	for _, name := range p.tests {
		switch p.state[name] {
		case "pass":
			passed++
		case "skip":
			if t.strict && (t.long || !strings.HasPrefix(name, "TestCampaign")) {
				failed++
				red = append(red, name)
				t.notes = append(t.notes, fmt.Sprintf("SKIP is a failure here: %s %s", e.Package, name))
				continue
			}
			t.skipped++
			t.notes = append(t.notes, fmt.Sprintf("skip %s %s", e.Package, name))
		default: // "run": the process ended under it
			failed++
			red = append(red, name)
			t.notes = append(t.notes, fmt.Sprintf("FAIL %s %s", e.Package, name))
		}
	}
	if e.Action == "fail" && failed == 0 {
		failed = 1
		t.notes = append(t.notes, fmt.Sprintf("FAIL %s (the package itself)", e.Package))
	}
	t.passed += passed
	t.failed += failed
	if failed == 0 {
		if len(p.tests) > 0 {
			fmt.Printf("ok    %-44s %5d tests %7.1fs\n", e.Package, passed, e.Elapsed)
		}
		return
	}
	fmt.Printf("FAIL  %-44s %5d tests, %d failed\n", e.Package, passed+failed, failed)
	fmt.Print(t.builds[e.FailedBuild])
	for _, name := range red {
		fmt.Print(p.output[name])
	}
	fmt.Print(p.output[""])
}

// close prints the summary and turns it into an error.
func (t *tally) close(exit error) error {
	for name := range t.packages { // go test itself died
		t.failed++
		t.notes = append(t.notes, fmt.Sprintf("FAIL %s (no verdict)", name))
	}
	for _, note := range t.notes {
		fmt.Println(note)
	}
	if exit != nil && t.failed == 0 {
		t.failed++
	}
	if t.skipped > 0 {
		fmt.Println("skipped:", t.skipped)
	}
	fmt.Printf("%d passed, %d failed\n", t.passed, t.failed)
	switch {
	case t.failed > 0:
		return fmt.Errorf("%d failed", t.failed)
	case t.passed == 0:
		return fmt.Errorf("no test ran")
	}
	return nil
}
