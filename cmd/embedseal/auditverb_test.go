package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// growing is an audit log behind a fake server, which may be away.
type growing struct {
	mu    sync.Mutex
	lines []string
	away  bool
}

func (g *growing) add(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for range n {
		g.lines = append(g.lines, fmt.Sprintf(`{"time":"2026-01-31T10:00:00.%06dZ","action":"mint","outcome":"granted","seq":%d,"log":"local","mac":"00"}`, len(g.lines), len(g.lines)+1))
	}
}

func (g *growing) leave(away bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.away = away
}

// ServeHTTP answers two records a page, whatever is asked.
func (g *growing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.away {
		panic(http.ErrAbortHandler)
	}
	query := r.URL.Query()
	from, upTo, next := 0, len(g.lines), "null"
	if query.Has("last") {
		from = max(0, len(g.lines)-2)
	} else {
		_, _ = fmt.Sscan(query.Get("after"), &from)
		if upTo = min(from+2, len(g.lines)); upTo < len(g.lines) {
			next = fmt.Sprintf(`"%d"`, upTo)
		}
	}
	sayJSON(w, http.StatusOK, `{"items":[`+strings.Join(g.lines[from:upTo], ",")+`],"next":`+next+`}`)
}

func TestTailFollowsALogThroughAnAbsenceOfItsServer(t *testing.T) {
	t.Parallel()
	g := &growing{}
	f := newFakeAdmin(t, g.ServeHTTP)
	g.add(5)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout, stderr lockedBuffer
	p := world{}.program(&stdout, &stderr, []string{"audit", "tail", "-n", "2", "--follow", "--output", "json", "--data-dir", f.dir})
	ended := make(chan int, 1)
	go func() { ended <- p.run(ctx) }()
	until := func(b *lockedBuffer, text string) {
		t.Helper()
		for deadline := time.Now().Add(patient); !strings.Contains(b.String(), text); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("no %q in:\n%s", text, b.String())
			}
		}
	}
	until(&stdout, `"seq":5,`)
	g.add(3)
	until(&stdout, `"seq":8,`)
	g.leave(true)
	until(&stderr, "the connection broke before there was an answer; waiting for it\n")
	g.add(1)
	g.leave(false)
	until(&stdout, `"seq":9,`)
	cancel()
	if code := <-ended; code != exitOK {
		t.Errorf("exit %d: %s", code, stderr.String())
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if want := strings.Join(g.lines[3:], "\n") + "\n"; stdout.String() != want {
		t.Errorf("got\n%s\nwant\n%s", stdout.String(), want)
	}
	if strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("standard error:\n%s", stderr.String())
	}
}

func TestFollowingEndsWhenTheServerRefuses(t *testing.T) {
	t.Parallel()
	times := 0
	f := newFakeAdmin(t, func(w http.ResponseWriter, _ *http.Request) {
		if times++; times == 1 {
			sayJSON(w, http.StatusOK, `{"items":[],"next":null}`)
			return
		}
		sayProblem(w, http.StatusNotFound, notFound)
	})
	f.run(t, "audit", "tail", "--follow").want(t, exitRefused, "404 not_found")
}

func TestClosedValuesAreCompleted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ args, want string }{
		{"group policy set --mode ", "reject clamp"}, {"group create acme --mode ", "reject clamp"},
		{"group policy set --features ", strings.Join(featureNames(), " ")}, {"token create --features ", strings.Join(featureNames(), " ")},
		{"token create --scopes ", strings.Join(scopeNames(), " ")}, {"token update t --scopes ", strings.Join(scopeNames(), " ")},
		{"audit search --outcome ", "granted refused failed intent unknown"}, {"audit search --action ", strings.Join(auditActions(), " ")},
		{"key list --output ", "text json"},
	} {
		args := strings.Split(test.args, " ")
		o := run(t, append([]string{"__complete"}, args...)...).want(t, exitOK)
		lines := strings.Split(o.stdout, "\n")
		if got := strings.Join(lines[:slices.Index(lines, ":4")], " "); got != test.want {
			t.Errorf("%s is completed to %q", test.args, got)
		}
	}
	for args, want := range map[string]string{"key ro": "rotate\t", "gro": "group\t", "group policy s": "set\t"} {
		if o := run(t, append([]string{"__complete"}, strings.Split(args, " ")...)...).want(t, exitOK); !strings.HasPrefix(o.stdout, want) {
			t.Errorf("%q completes to %q", args, o.stdout)
		}
	}
}

// enum is a closed set of docs/api/openapi.yaml.
func enum(t *testing.T, schema string) []string {
	t.Helper()
	var document struct {
		Components struct {
			Schemas map[string]struct {
				Enum []any `yaml:"enum"`
			} `yaml:"schemas"`
		} `yaml:"components"`
	}
	if err := yaml.Unmarshal([]byte(contents(t, filepath.Join(repository, "docs", "api", "openapi.yaml"))), &document); err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, value := range document.Components.Schemas[schema].Enum {
		values = append(values, fmt.Sprint(value))
	}
	slices.Sort(values)
	if len(values) == 0 {
		t.Fatalf("%s has no closed values", schema)
	}
	return values
}

func TestWhatIsCompletedIsWhatTheAPITakes(t *testing.T) {
	t.Parallel()
	for schema, names := range map[string][]string{
		"AuditAction": auditActions(), "AuditOutcome": auditOutcomes(), "Feature": featureNames(), "ScopeInput": scopeNames(), "Mode": modeNames(),
	} {
		slices.Sort(names)
		if want := enum(t, schema); !slices.Equal(names, want) {
			t.Errorf("%s: got %v, want %v", schema, names, want)
		}
	}
}
