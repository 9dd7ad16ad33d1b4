package jose_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"embedseal/adapters/jose/hostile"
	"embedseal/domain/jwe"
	"embedseal/domain/verdict"
)

// guided is a program that docs/guides/verify.md shows, and one that asks it about
// one token after the other.
type guided struct {
	peer, file, driver string
	command            []string
	// longIV: its library opens a 16-byte IV.
	longIV bool
}

func guides() []guided {
	return []guided{
		{
			peer: "npm jose", file: "verify.mjs", command: []string{"node", "driver.mjs"},
			driver: `import { readFileSync } from "node:fs";
import { verify } from "./verify.mjs";
const results = [];
for (const { token, ...presented } of JSON.parse(readFileSync(0, "utf8"))) {
  results.push(await verify(token, presented).then(() => "", (e) => e.message || "refused"));
}
process.stdout.write(JSON.stringify(results));
`,
		},
		{
			peer: "python3-jwcrypto", file: "verify.py", command: []string{debianPython, "driver.py"}, longIV: true,
			driver: `import json, sys
from verify import NotGood, verify
read = lambda name: open(name).read().strip()
results = []
for job in json.load(sys.stdin):
    try:
        verify(job.pop("token"), {read("key-id"): read("key-value")}, **job)
        results.append("")
    except NotGood as e:
        results.append(str(e))
json.dump(results, sys.stdout)
`,
		},
	}
}

// What the guide shows refuses every hostile token that needs no key, and what is
// late, early, too long or for another use; and takes the good ones. What somebody
// with the key writes into claims may be read otherwise than by us, where a library
// reads JSON less strictly: he could have written anything.
func TestWhatTheGuideShowsRefusesHostileTokens(t *testing.T) {
	document, err := os.ReadFile(filepath.Join("..", "..", "docs", "guides", "verify.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range guides() {
		t.Run(g.peer, func(t *testing.T) {
			for _, p := range peers() {
				if p.name == g.peer {
					p.require(t)
				}
			}
			dir := t.TempDir()
			_, code, found := strings.Cut(string(document), "cat > "+g.file+" <<'")
			_, code, _ = strings.Cut(code, "\n")
			code, _, closed := strings.Cut(code, map[string]string{"verify.mjs": "\nJS\n", "verify.py": "\nPY\n"}[g.file])
			if !found || !closed {
				t.Fatalf("the guide does not show %s", g.file)
			}
			writeFile(t, filepath.Join(dir, g.file), code+"\n")
			writeFile(t, filepath.Join(dir, g.command[1]), g.driver)
			writeFile(t, filepath.Join(dir, "key-id"), hostile.Active)
			writeFile(t, filepath.Join(dir, "key-value"), hostile.Value(hostile.Active))
			modules, err := filepath.Abs(filepath.Join("testdata", "peers", "node_modules"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
				t.Fatal(err)
			}
			rows := g.rows(t)
			for i, got := range g.ask(t, dir, rows) {
				r := rows[i]
				if (got == "") != (r.Reason == "") {
					t.Errorf("line %d, %s: %q, want %q", r.Line, r.Sentence, got, r.Reason)
				}
			}
		})
	}
}

// rows are those that it is to judge as we do.
func (g guided) rows(t *testing.T) []hostile.Row {
	t.Helper()
	all, err := hostile.Rows(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var rows []hostile.Row
	for _, r := range all {
		compact, err := jwe.ParseCompact(r.Text)
		kid := compact.Header().KeyID
		switch {
		case r.Reason == "" && kid != hostile.Active, r.Reason == verdict.KeyDisabled: // it has one key
		case r.Reason == "" && compact.IsLongIV() && !g.longIV:
		case r.Sentence == "exp is in the next second": // which may be over
		case r.Sentence == "as long as the group allows" || strings.Contains(r.Sentence, "within the leeway"): // of a clock that stands still
		case strings.Contains(r.Sentence, "another script, and its punycode"), r.Section == "claims":
		case err == nil || r.Reason != "":
			rows = append(rows, r)
		}
	}
	if len(rows) < 200 {
		t.Fatalf("%d rows are left", len(rows))
	}
	return rows
}

func (g guided) ask(t *testing.T, dir string, rows []hostile.Row) []string {
	t.Helper()
	jobs := make([]map[string]string, len(rows))
	for i, r := range rows {
		jobs[i] = map[string]string{"token": r.Text}
		for name, given := range map[string]*string{"origin": r.Origin, "embed": r.Embed, "chart": r.Chart} {
			if given != nil {
				jobs[i][name] = *given
			}
		}
	}
	in, err := json.Marshal(jobs)
	if err != nil {
		t.Fatal(err)
	}
	var faults bytes.Buffer
	cmd := exec.CommandContext(t.Context(), g.command[0], g.command[1:]...)
	cmd.Dir, cmd.Stdin, cmd.Stderr = dir, bytes.NewReader(in), &faults
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &faults)
	}
	var results []string
	if err := json.Unmarshal(out, &results); err != nil || len(results) != len(rows) {
		t.Fatalf("%d results, %v", len(results), err)
	}
	return results
}
