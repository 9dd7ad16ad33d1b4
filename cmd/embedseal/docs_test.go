package main

import (
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"embedseal/configs"
)

// sections are the parts of docs/cli.md by their heading; the part before the
// first verb is that of every verb.
func sections(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for part := range strings.SplitSeq("\n"+contents(t, filepath.Join(repository, "docs", "cli.md")), "\n## ") {
		heading, text, _ := strings.Cut(part, "\n")
		found[strings.Trim(heading, "`")] = text
	}
	return found
}

// jsonMembers are the names of the members of a struct, those of the structs in
// it included.
func jsonMembers(of reflect.Type) []string {
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice:
		if of.Elem().Kind() != reflect.Uint8 {
			return jsonMembers(of.Elem())
		}
	case reflect.Struct:
		var names []string
		for _, field := range reflect.VisibleFields(of) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			names = append(append(names, name), jsonMembers(field.Type)...)
		}
		return names
	}
	return nil
}

// printed are the members of what each verb prints. TestEveryVerbSpeaksJSON and
// the tests of the verbs hold the program to these shapes.
func printed() map[string][]string {
	return map[string][]string{
		"init":    jsonMembers(reflect.TypeFor[initialised]()),
		"doctor":  jsonMembers(reflect.TypeFor[diagnosis]()),
		"bench":   jsonMembers(reflect.TypeFor[benchAnswer]()),
		"demo":    jsonMembers(reflect.TypeFor[demonstration]()),
		"serve":   {"address", "store", "data_dir", "admin_socket"},
		"mint":    append(jsonMembers(reflect.TypeFor[mintAnswer]()), jsonMembers(reflect.TypeFor[dryRunAnswer]())...),
		"inspect": jsonMembers(reflect.TypeFor[inspection]()),
		"verify": append(append(jsonMembers(reflect.TypeFor[goodToken]()), jsonMembers(reflect.TypeFor[badToken]())...),
			"status", "code", "detail", "request_id", "errors"),
		"config validate": append(jsonMembers(reflect.TypeFor[configs.Fault]()), "valid", "file", "warnings", "faults"),
		"config show":     jsonMembers(reflect.TypeFor[configs.Setting]()),
		"version":         {"version", "go", "os", "arch"},
		"completion":      {"script"},
		"man":             {"page", "dir"},
	}
}

// administers reports whether a verb asks the administration API.
func administers(c *cobra.Command) bool {
	return c.Flags().Lookup("admin-socket") != nil && c.Flags().Lookup("store") == nil
}

// schemasOfTheAPI are those of docs/api/openapi.yaml, by name.
func schemasOfTheAPI(t *testing.T) map[string]bool {
	t.Helper()
	var document struct {
		Components struct {
			Schemas map[string]any `yaml:"schemas"`
		} `yaml:"components"`
	}
	if err := yaml.Unmarshal([]byte(contents(t, filepath.Join(repository, "docs", "api", "openapi.yaml"))), &document); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for name := range document.Components.Schemas {
		names[name] = true
	}
	return names
}

func TestTheDocumentationNamesEveryVerbItsFlagsAndItsMembers(t *testing.T) {
	settings := map[string]bool{"help": true}
	for _, k := range configs.Keys() {
		settings[k.Flag()], settings[k.Alias] = true, true
	}
	documented, members, schemas := sections(t), printed(), schemasOfTheAPI(t)
	for name, c := range verbs() {
		text, there := documented["embedseal "+name]
		if !there {
			t.Errorf("docs/cli.md has no section of %s", name)
			continue
		}
		asksTheAPI := administers(c)
		for _, f := range flagsOf(c) {
			shared := asksTheAPI && regexp.MustCompile("(?m)^\\|.*`--"+f.Name+"`.*\\|").MatchString(documented["Administering a server"])
			if !settings[f.Name] && !shared && !strings.Contains(text, "| `--"+f.Name+"` |") {
				t.Errorf("docs/cli.md does not explain %s --%s", name, f.Name)
			}
		}
		if asksTheAPI { // its members are those of the API
			schema := regexp.MustCompile("JSON[^:\n]*: (?:one )?`([A-Za-z]+)`").FindStringSubmatch(text)
			if schema == nil || !schemas[schema[1]] && schema[1] != "id" {
				t.Errorf("docs/cli.md names no schema of what %s prints: %q", name, schema)
			}
			continue
		}
		if len(members[name]) == 0 {
			t.Errorf("this test does not know what %s prints", name)
		}
		for _, member := range members[name] {
			if !strings.Contains(text, "`"+member+"`") {
				t.Errorf("docs/cli.md does not explain %s of %s", member, name)
			}
		}
	}
	for heading := range documented {
		if name, ok := strings.CutPrefix(heading, "embedseal "); ok && verbs()[name] == nil {
			t.Errorf("docs/cli.md explains %s, which is no verb", name)
		}
	}
	root := (&program{}).root()
	for _, name := range []string{"output", "config"} {
		if root.PersistentFlags().Lookup(name) == nil || !strings.Contains(documented[""], "| `--"+name+"` |") {
			t.Errorf("docs/cli.md does not explain --%s", name)
		}
	}
}

func TestTheDocumentationNamesEveryFlagThatItNamesRightly(t *testing.T) {
	known := map[string]bool{"--output": true, "--config": true, "--help": true, "--version": true, "--name": true}
	for _, c := range verbs() {
		for _, f := range flagsOf(c) {
			known["--"+f.Name] = true
		}
	}
	text := contents(t, filepath.Join(repository, "docs", "cli.md"))
	seen := regexp.MustCompile(`--[a-z][a-z-]*`).FindAllString(text, -1)
	if len(seen) == 0 {
		t.Fatal("docs/cli.md names no flag")
	}
	for _, name := range seen {
		if !known[name] {
			t.Errorf("docs/cli.md names %s, which no verb has", name)
		}
	}
}

func TestTheDocumentationNamesEveryExitCode(t *testing.T) {
	codes := []int{exitOK, exitFailure, exitUsage, exitConfig, exitStore, exitAddress, exitRefused}
	var documented []string
	for _, row := range regexp.MustCompile(`(?m)^\| ([0-9]+) \|`).FindAllStringSubmatch(sections(t)["Exit codes"], -1) {
		documented = append(documented, row[1])
	}
	if len(documented) != len(codes) {
		t.Errorf("docs/cli.md has the exit codes %v, the program %v", documented, codes)
	}
	for _, code := range codes {
		if !slices.Contains(documented, fmt.Sprint(code)) {
			t.Errorf("docs/cli.md does not explain exit code %d", code)
		}
	}
	for _, member := range []string{"error", "exit_code"} {
		if !strings.Contains(sections(t)["Exit codes"], "`"+member+"`") {
			t.Errorf("docs/cli.md does not explain the member %s of a failure", member)
		}
	}
}

// inCode are the calls of the program in the code of a document, each as the words
// that follow its name.
func inCode(document string) [][]string {
	var calls [][]string
	fenced := false
	for line := range strings.SplitSeq(document, "\n") {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
			continue
		}
		pieces := strings.Split(line, "`")
		for i, piece := range pieces {
			if !fenced && i%2 == 0 {
				continue
			}
			for _, found := range regexp.MustCompile(`(?:^|[ /(])embedseal((?: [a-z][a-z-]*)+)`).FindAllStringSubmatch(piece, -1) {
				calls = append(calls, strings.Fields(found[1]))
			}
		}
	}
	return calls
}

func TestEveryVerbThatADocumentCallsIsThere(t *testing.T) {
	documents := []string{filepath.Join(repository, "README.md")}
	for _, pattern := range []string{"*.md", "*/*.md"} {
		found, err := filepath.Glob(filepath.Join(repository, "docs", pattern))
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, found...)
	}
	seen := 0
	for _, name := range documents {
		for _, words := range inCode(contents(t, name)) {
			seen++
			c, rest, err := (&program{}).root().Find(words)
			if err != nil || !c.HasParent() || c.HasSubCommands() && len(rest) > 0 {
				t.Errorf("%s calls embedseal %s, which is no verb", name, strings.Join(words, " "))
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d calls are seen", seen)
	}
	if calls := inCode("`embedseal mint`, embedseal is\n```sh\nbin/embedseal group polcy show --group x | embedseal inspect\n```\n"); fmt.Sprint(calls) != "[[mint] [group polcy show] [inspect]]" {
		t.Errorf("seen %v", calls)
	}
}
