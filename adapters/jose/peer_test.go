package jose_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"embedseal/adapters/jose"
	"embedseal/domain/key"
	"embedseal/ports/porttest"
)

// A job is what the programs in testdata/peers read, one a line.
type job struct {
	Op     string `json:"op"`
	KeyID  string `json:"kid"`
	Key    string `json:"key"`
	Claims string `json:"claims,omitempty"`
	Token  string `json:"token,omitempty"`
}

// An answer is what they write, one for each job.
type answer struct {
	Claims string `json:"claims"`
	Token  string `json:"token"`
	Error  string `json:"error"`
}

// A peer is a JOSE implementation that is not ours.
type peer struct {
	name string
	// probe is a command that succeeds where the peer is installed.
	probe []string
	// ivSize is the length of the IVs it writes, in bytes.
	ivSize int
	// opensLongIV: it opens a 16-byte IV, which RFC 7518 section 5.3 has none of.
	opensLongIV bool
	run         func(t *testing.T, jobs []job) []answer
}

// debianPython is Debian's interpreter: another one does not see its packages.
const debianPython = "/usr/bin/python3"

func peers() []peer {
	return []peer{
		{
			name:   "npm jose",
			probe:  []string{"node", "-e", "require.resolve('./testdata/peers/node_modules/jose')"},
			ivSize: 12,
			run:    program("node", "testdata/peers/npm-jose.js"),
		},
		{
			name:   "python3-jose",
			probe:  []string{debianPython, "-c", "import jose.jwe"},
			ivSize: 16, opensLongIV: true,
			run: program(debianPython, "testdata/peers/python_peer.py", "jose"),
		},
		{
			name:   "python3-jwcrypto",
			probe:  []string{debianPython, "-c", "import jwcrypto.jwe"},
			ivSize: 12, opensLongIV: true,
			run: program(debianPython, "testdata/peers/python_peer.py", "jwcrypto"),
		},
		{
			name:   "the jose command",
			probe:  []string{"jose", "alg"},
			ivSize: 12,
			run:    joseCommand,
		},
	}
}

// require ends the test where the peer is not installed: as a failure in CI.
func (p peer) require(t *testing.T) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), p.probe[0], p.probe[1:]...).CombinedOutput()
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed (make peers): %v\n%s", p.name, err, out)
	}
	t.Skipf("%s is not installed: run `make peers`", p.name)
}

// ask runs the jobs and returns one answer for each.
func (p peer) ask(t *testing.T, jobs []job) []answer {
	t.Helper()
	answers := p.run(t, jobs)
	if len(answers) != len(jobs) {
		t.Fatalf("%s gave %d answers to %d jobs", p.name, len(answers), len(jobs))
	}
	return answers
}

// program speaks JSON lines with a program of testdata/peers.
func program(command ...string) func(*testing.T, []job) []answer {
	return func(t *testing.T, jobs []job) []answer {
		t.Helper()
		var in, faults bytes.Buffer
		lines := json.NewEncoder(&in)
		for _, j := range jobs {
			if err := lines.Encode(j); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
		cmd.Stdin, cmd.Stderr = &in, &faults
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v\n%s", command, err, &faults)
		}
		var answers []answer
		scanner := bufio.NewScanner(bytes.NewReader(out))
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			var a answer
			if err := json.Unmarshal(scanner.Bytes(), &a); err != nil {
				t.Fatalf("%v wrote %q: %v", command, scanner.Text(), err)
			}
			answers = append(answers, a)
		}
		if err := scanner.Err(); err != nil {
			t.Fatal(err)
		}
		return answers
	}
}

// joseCommand runs the `jose` program once for each job, with a key that
// ExportJWK wrote.
func joseCommand(t *testing.T, jobs []job) []answer {
	t.Helper()
	answers := make([]answer, len(jobs))
	for i, j := range jobs {
		dir := t.TempDir()
		keyFile, inFile := filepath.Join(dir, "key.jwk"), filepath.Join(dir, "in")
		exported, err := jose.ExportJWK(porttest.MaterialKey(key.ID(j.KeyID), j.Key))
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, keyFile, string(exported))
		var args []string
		if j.Op == "seal" {
			writeFile(t, inFile, j.Claims)
			template := `{"protected":{"alg":"dir","enc":"A256GCM","kid":"` + j.KeyID + `"}}`
			args = []string{"jwe", "enc", "-i", template, "-I", inFile, "-k", keyFile, "-c", "-o", "-"}
		} else {
			writeFile(t, inFile, j.Token)
			args = []string{"jwe", "dec", "-i", inFile, "-k", keyFile, "-O", "-"}
		}
		var faults bytes.Buffer
		cmd := exec.CommandContext(t.Context(), "jose", args...)
		cmd.Stderr = &faults
		out, err := cmd.Output()
		switch {
		case err != nil:
			answers[i].Error = strings.TrimSpace(err.Error() + ": " + faults.String())
		case j.Op == "seal":
			answers[i].Token = string(out)
		default:
			answers[i].Claims = string(out)
		}
	}
	return answers
}

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
