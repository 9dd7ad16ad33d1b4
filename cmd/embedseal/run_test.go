package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"embedseal/adapters/httpapi/apispec"
)

// world is what surrounds a run in process.
type world struct {
	environ []string
	stdin   string
	stdout  io.Writer // a buffer when nil
	// terminal: somebody sees what is asked, and stdin is what they type.
	terminal bool
	// around holds what is asked of the administration API to its document.
	around func(http.RoundTripper) http.RoundTripper
}

// run runs the program in process, with nothing around it.
func run(t *testing.T, args ...string) outcome {
	t.Helper()
	return world{}.run(t, args...)
}

func (w world) run(t *testing.T, args ...string) outcome {
	t.Helper()
	var stdout, stderr lockedBuffer
	p := w.program(&stdout, &stderr, args)
	code := p.run(t.Context())
	return outcome{code, stdout.String(), stderr.String()}
}

func (w world) program(stdout, stderr io.Writer, args []string) *program {
	if w.stdout != nil {
		stdout = w.stdout
	}
	return &program{
		version: "v1.2.3", self: "embedseal", args: args, environ: w.environ,
		stdin: strings.NewReader(w.stdin), stdout: stdout, stderr: stderr, terminal: func() bool { return w.terminal }, around: w.around,
	}
}

// site is a server in process.
type site struct {
	address        string
	stdout, stderr lockedBuffer
	cancel         context.CancelFunc
	ended          chan struct{}
	code           int
}

// serve starts a server in process on a free port.
func serve(t *testing.T, args ...string) *site {
	t.Helper()
	return world{}.serve(t, args...)
}

func (w world) serve(t *testing.T, args ...string) *site {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &site{cancel: cancel, ended: make(chan struct{})}
	p := w.program(&s.stdout, &s.stderr, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...))
	go func() {
		s.code = p.run(ctx)
		close(s.ended)
	}()
	t.Cleanup(func() { s.stop(t) })
	s.address = addressIn(t, &s.stderr, s.ended)
	return s
}

// stop ends the server as a signal would.
func (s *site) stop(t *testing.T) {
	t.Helper()
	s.cancel()
	<-s.ended
	if s.code != exitOK {
		t.Errorf("the server ended with %d:\n%s", s.code, s.stderr.String())
	}
}

// answer is what the endpoint sent.
type answer struct {
	status int
	header http.Header
	text   string
	mintAnswer
}

const goodBody = `{"provided_id": "customer_1", "embed_id": "abcde", "expiration": "PT1H"}`

// post asks the endpoint at address for a token.
func post(t *testing.T, address, apiToken, body string) answer {
	t.Helper()
	a, err := tryPost(t.Context(), address, apiToken, body)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func tryPost(ctx context.Context, address, apiToken, body string) (answer, error) {
	var a answer
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/api/generate_jwt/", strings.NewReader(body))
	if err != nil {
		return a, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Explo-Authorization", "Token "+apiToken)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return a, err
	}
	data, err := conforms(request, body, response, apispec.Public)
	if err != nil {
		return a, err
	}
	a.status, a.header, a.text = response.StatusCode, response.Header, string(data)
	return a, json.Unmarshal(data, &a.mintAnswer)
}

// initialise makes a store in process and returns what was made.
func initialise(t *testing.T, dir, store string) initialised {
	t.Helper()
	made := decode[initialised](t, run(t, "init", "--data-dir", dir, "--store", store, "--output", "json").want(t, exitOK))
	if !made.Created {
		t.Fatalf("init found a store in %s", dir)
	}
	return made
}

// verbs is every command that does something, by its path.
func verbs() map[string]*cobra.Command {
	found := map[string]*cobra.Command{}
	var walk func(prefix string, c *cobra.Command)
	walk = func(prefix string, c *cobra.Command) {
		for _, sub := range c.Commands() {
			name := strings.TrimSpace(prefix + " " + sub.Name())
			if sub.HasSubCommands() {
				walk(name, sub)
			} else {
				found[name] = sub
			}
		}
	}
	p := &program{}
	walk("", p.root())
	return found
}

// flagsOf is every flag that a command has of its own.
func flagsOf(c *cobra.Command) []*pflag.Flag {
	var flags []*pflag.Flag
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			flags = append(flags, f)
		}
	})
	return flags
}

func TestWrongUsageIsRefusedAndSaysWhereHelpIs(t *testing.T) {
	for _, test := range []struct{ help, args string }{
		{"embedseal", "mnit"}, {"embedseal config", "config valdate"}, {"embedseal version", "--outptu json version"}, {"embedseal", "--outptu json"}, {"embedseal version", "version more"},
		{"embedseal version", "--output xml version"}, {"embedseal mint", "mint --provided-id a"},
		{"embedseal completion", "completion"}, {"embedseal completion", "completion tcsh"},
		{"embedseal mint", "mint --provided-id a --embed-id b --feature flt --no-features"},
		{"embedseal inspect", "inspect a b"}, {"embedseal man", "man mnit"}, {"embedseal man", "man config valdate"}, {"embedseal man", "man a b c"},
		{"embedseal init", "init here"}, {"embedseal serve", "serve here"}, {"embedseal serve", "serve --listen :1 --http-listen :2"},
	} {
		t.Run(test.args, func(t *testing.T) {
			o := run(t, strings.Fields(test.args)...).want(t, exitUsage)
			if o.stdout != "" || !strings.HasSuffix(o.stderr, "\nTry: "+test.help+" --help\n") {
				t.Errorf("standard output: %s\nstandard error: %s", o.stdout, o.stderr)
			}
		})
	}
	for name := range verbs() {
		t.Run(name+" with an unknown flag", func(t *testing.T) {
			run(t, append(strings.Fields(name), "--bogus")...).want(t, exitUsage, "unknown flag: --bogus")
		})
	}
}

func TestAFailureIsJSONForWhoeverAskedForJSON(t *testing.T) {
	for _, test := range []struct {
		args []string
		code int
	}{
		{[]string{"--output", "json", "mnit"}, exitUsage},
		{[]string{"init", "--bogus", "--output=json"}, exitUsage},
		{[]string{"init", "--store", "memory", "--output", "json"}, exitUsage},
		{[]string{"serve", "--output", "json", "--data-dir", "not/there"}, exitStore},
		{[]string{"serve", "--output", "json", "--rate-limit", "maybe"}, exitConfig},
	} {
		o := run(t, test.args...).want(t, test.code)
		var said struct {
			Error    string `json:"error"`
			ExitCode int    `json:"exit_code"`
		}
		if err := json.Unmarshal([]byte(o.stderr), &said); err != nil || said.Error == "" || said.ExitCode != test.code || o.stdout != "" {
			t.Errorf("%q: %v, %+v, standard output %q", test.args, err, said, o.stdout)
		}
	}
}

func TestHelpNamesEveryFlagAndItsDefault(t *testing.T) {
	for name, c := range verbs() {
		t.Run(name, func(t *testing.T) {
			o := run(t, append(strings.Fields(name), "--help")...).want(t, exitOK)
			for _, f := range flagsOf(c) {
				if !strings.Contains(o.stdout, "--"+f.Name) {
					t.Errorf("--%s is not there", f.Name)
				}
				if f.Usage == "" || !strings.Contains(words(o.stdout), words(f.Usage)) {
					t.Errorf("--%s is not explained", f.Name)
				}
			}
			_, flags, _ := strings.Cut(o.stdout, "\nFlags:\n")
			for line := range strings.SplitSeq(flags, "\n") {
				if len(line) > helpWidth {
					t.Errorf("wider than %d columns: %s", helpWidth, line)
				}
			}
		})
	}
	o := run(t, "serve", "--help")
	for _, standard := range []string{"127.0.0.1:8080", `default "1000"`, `default "2000"`, `default "15s"`, `default "bbolt"`} {
		if !strings.Contains(o.stdout, standard) {
			t.Errorf("serve --help does not show the default %s", standard)
		}
	}
	for _, code := range []string{"0 done", "1 failed", "2 wrong usage", "3 faults", "4 the store", "5 the listen", "6 the server refused"} {
		if o := run(t, "--help"); !strings.Contains(strings.ReplaceAll(o.stdout, "\n", " "), code) {
			t.Errorf("--help does not explain exit code %s", code)
		}
	}
}

// words is a text on one line.
func words(text string) string { return strings.Join(strings.Fields(text), " ") }

func TestTheVerbsOfACallerSayThatTheAPITokenDecidesTheGroup(t *testing.T) {
	for _, verb := range []string{"mint", "verify"} {
		run(t, verb, "--group", "acme").want(t, exitUsage, "unknown flag: --group; the API token decides the group: see --api-token-file\n")
	}
	if o := run(t, "serve", "--group", "acme").want(t, exitUsage, "unknown flag: --group\n"); strings.Contains(o.stderr, "API token") {
		t.Errorf("said %q", o.stderr)
	}
}

func TestTheDemoOffersNoConfiguration(t *testing.T) {
	if o := run(t, "demo", "--help").want(t, exitOK); strings.Contains(o.stdout, "--config") {
		t.Errorf("printed %s", o.stdout)
	}
	run(t, "demo", "--config", "x.yaml").want(t, exitUsage, "the demo reads no configuration: leave out --config\n")
	run(t, "--config", "x.yaml", "demo").want(t, exitUsage, "the demo reads no configuration: leave out --config\n")
}

// full is a disk that takes nothing more.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAnAnswerThatCannotBeWrittenIsAFailure(t *testing.T) {
	for _, args := range [][]string{
		{"version"}, {"version", "--output", "json"}, {"config", "show"}, {"config", "validate"}, {"man"}, {"completion", "bash"}, {"--help"},
	} {
		world{stdout: full{}}.run(t, args...).want(t, exitFailure, "no space left on device")
	}
}
