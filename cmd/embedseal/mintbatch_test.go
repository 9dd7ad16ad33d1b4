package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"embedseal/domain/policy"
)

// lines are the items that were printed.
func (o outcome) lines(t *testing.T) []mintAnswer {
	t.Helper()
	var all []mintAnswer
	for line := range strings.Lines(o.stdout) {
		var a mintAnswer
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, a)
	}
	return all
}

func TestMintAsksForALineEachAndPrintsALineEach(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	made := initialise(t, dir, storeBbolt)
	s := serve(t, "--data-dir", dir)
	mint := []string{"mint", "--server", "http://" + s.address, "--data-dir", dir}
	file := write(t, filepath.Join(t.TempDir(), "batch"), "{\"embed_id\": \"e1\"}\n\n  {\"embed_id\":\"e2\",\"provided_id\":\"d\"}  \n{\"embed_id\":\"e3\"}")
	got := run(t, append(mint, "--batch", file, "--provided-id", "c", "--expiration", "PT1H", "--no-features")...).want(t, exitOK).lines(t)
	if len(got) != 3 {
		t.Fatalf("%d lines", len(got))
	}
	for i, want := range []string{`{"cst":"c","dsh":"e1"`, `{"cst":"d","dsh":"e2"`, `{"cst":"c","dsh":"e3"`} {
		if claims := string(inspected(t, got[i].JWT, made.KeyValue).Claims); !strings.HasPrefix(claims, want) || !strings.Contains(claims, `"rbc":[]`) {
			t.Errorf("line %d is %s", i, claims)
		}
	}

	// What is refused is a line, too, and the exit code says so.
	from := world{stdin: `{"provided_id":"c"}` + "\n" + `{"embed_id":"e","key_id":"nobodys"}` + "\n" + `[]` + "\n"}
	o := from.run(t, append(mint, "--batch", "-", "--provided-id", "c")...).want(t, exitRefused, "refused 3 of 3")
	var codes []string
	for _, a := range o.lines(t) {
		codes = append(codes, a.Code)
	}
	if fmt.Sprint(codes) != "[invalid_request unknown_key not_an_object]" {
		t.Errorf("got %s", codes)
	}
	if o = from.run(t, append(mint, "--batch", "-", "--provided-id", "c", "--output", "json")...).want(t, exitRefused); o.stderr != "" || len(o.lines(t)) != 3 {
		t.Errorf("as JSON: %q, %q", o.stdout, o.stderr)
	}

	// What stands before a line that is no JSON is asked for.
	from.stdin = `{"embed_id":"e1"}` + "\n" + `{"embed_id":` + "\n" + `{"embed_id":"e3"}`
	if o = from.run(t, append(mint, "--batch", "-", "--provided-id", "c")...).want(t, exitFailure, "line 2 is not JSON"); len(o.lines(t)) != 1 {
		t.Errorf("%q", o.stdout)
	}
	from.stdin = "\n"
	from.run(t, append(mint, "--batch", "-", "--provided-id", "c")...).want(t, exitFailure, "no request").oneLine(t)
	run(t, append(mint, "--batch", filepath.Join(dir, "none"))...).want(t, exitFailure, "none").oneLine(t)
	run(t, append(mint, "--batch", file, "--expiration", "soon")...).want(t, exitRefused, "400 invalid_request", "defaults.expiration")
	run(t, append(mint, "--batch", file, "--dry-run")...).want(t, exitUsage)
}

// 2500 lines are three batches, and more than one API token may have at once.
func TestMintWaitsForTheRateWhereThereAreManyLines(t *testing.T) {
	dir := t.TempDir()
	fixture(t, dir, storeBbolt, policy.Default())
	s := serve(t, "--data-dir", dir, "--rate-token-burst", "1200", "--rate-token-per-second", "1200")
	var text strings.Builder
	for i := range 2500 {
		fmt.Fprintf(&text, "{\"provided_id\":\"c%d\"}\n", i)
	}
	o := world{stdin: text.String()}.run(t, "mint", "--server", "http://"+s.address, "--data-dir", dir, "--batch", "-", "--embed-id", "e").want(t, exitOK)
	got := o.lines(t)
	seen := map[string]bool{}
	for _, a := range got {
		seen[a.JWT] = true
	}
	if len(got) != 2500 || len(seen) != 2500 {
		t.Errorf("%d lines, %d tokens", len(got), len(seen))
	}
}

func TestMintSaysWhatIsWrongWithTheAnswerToABatch(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	initialise(t, dir, storeBbolt)
	answer := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }))
	t.Cleanup(server.Close)
	for text, says := range map[string]string{
		"<html>":                          "not as an embedseal server does",
		`{"success": 1, "jwt": "x"}`:      "not as an embedseal server does",
		`{"success": 1, "items": [`:       "cut off after 0 of 2",
		`{"success": 1, "items": [{}`:     "cut off after 1 of 2",
		`{"success": 1, "items": [{},{`:   "cut off after 1 of 2",
		`{"success": 1, "items": [{}]}`:   "not as an embedseal server does",
		`{"success": 1, "items": [{},{}]`: "cut off after 2 of 2",
	} {
		answer = text
		from := world{stdin: "{}\n{}\n"}
		from.run(t, "mint", "--server", server.URL, "--data-dir", dir, "--batch", "-").want(t, exitFailure, says).oneLine(t)
	}
}
