package main

import (
	"encoding/json"
	"flag"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"embedseal/adapters/httpapi/pagetest"
)

var update = flag.Bool("update", false, "write the pictures of docs/images anew")

// startDemo runs the demo on a free port until the test ends.
func startDemo(t *testing.T) (*process, demonstration) {
	t.Helper()
	p := start(t, nil, "demo", "--listen", "127.0.0.1:0", "--output", "json")
	for deadline := time.Now().Add(patient); ; time.Sleep(20 * time.Millisecond) {
		if line, _, whole := strings.Cut(p.stdout.String(), "\n"); whole {
			var shown demonstration
			if err := json.Unmarshal([]byte(line), &shown); err != nil {
				t.Fatal(err)
			}
			return p, shown
		}
		if time.Now().After(deadline) {
			t.Fatalf("the demo does not begin\n%s", p.stderr.String())
		}
	}
}

// watched is the page of the demo in a browser.
type watched struct {
	*pagetest.Browser
	t *testing.T
}

func (w watched) state(name string) {
	w.t.Helper()
	w.Await(w.t, `document.body?.dataset.state === "`+name+`"`)
}

func (w watched) picture(name, scheme string) {
	w.t.Helper()
	w.Picture(w.t, scheme, filepath.Join(repository, "docs", "images", "demo-"+name+".png"), *update)
}

// press reaches the element by the Tab key alone, and presses Enter.
func (w watched) press(id string) {
	w.t.Helper()
	for range 20 {
		w.Do(w.t, chromedp.KeyEvent(kb.Tab))
		if pagetest.Ask[bool](w.t, w.Browser, `document.activeElement.id === "`+id+`" && getComputedStyle(document.activeElement).outlineStyle === "solid"`) {
			w.Do(w.t, chromedp.KeyEvent(kb.Enter))
			return
		}
	}
	w.t.Fatalf("%s cannot be reached by keyboard, or does not show the focus", id)
}

// quiet fails the test when the browser said anything else than was expected, or
// asked another host.
func (w watched) quiet(expected ...string) {
	w.t.Helper()
	requests, said := w.Take()
	for _, text := range said {
		known := false
		for _, part := range expected {
			known = known || strings.Contains(text, part)
		}
		if !known {
			w.t.Errorf("the browser says: %s", text)
		}
	}
	for _, url := range requests {
		if !strings.HasPrefix(url, "http://127.0.0.1:") && !strings.HasPrefix(url, "http://localhost:") && !strings.HasPrefix(url, "chrome-error:") {
			w.t.Errorf("the pages asked for %s", url)
		}
	}
}

func TestTheDemoInABrowser(t *testing.T) {
	b := pagetest.Open(t)
	p, shown := startDemo(t)
	w := watched{b, t}
	w.Do(t, chromedp.EmulateViewport(1000, 860), pagetest.Scheme("light"), chromedp.Navigate(shown.URL))
	w.state("shown")
	w.Tell(t, `window.mark = "still the same page"`)
	w.picture("light", "light")

	// The token is renewed, and nothing is loaded anew.
	w.Await(t, `Number(document.getElementById("renewed").textContent) >= 1`)
	w.state("shown")
	w.quiet()
	w.Do(t, pagetest.Scheme("dark"))
	time.Sleep(1500 * time.Millisecond) // for the picture: the dashboard asks once a second
	w.picture("dark", "dark")

	// Without renewal it ends, and the dashboard says so. A renewal replaces that.
	w.Do(t, pagetest.Scheme("light"))
	w.press("renewing")
	w.state("expired")
	w.picture("expired", "light")
	w.quiet("403")
	w.Do(t, chromedp.KeyEvent(kb.Enter))
	w.state("shown")

	// What was taken back stops at the next request, and no other is had.
	w.press("session")
	w.Await(t, `document.getElementById("log").textContent.includes("not shown: revoked")`)
	w.state("failed")
	if got := pagetest.Ask[string](t, b, `document.getElementById("state").textContent`); !strings.Contains(got, "signed_out") {
		t.Errorf("after signing out the state is %q", got)
	}
	w.picture("revoked", "light")
	w.quiet("403", "401")

	// In again at once: tokens of the second of a revocation are revoked, and the
	// application waits for the next.
	w.Do(t, chromedp.KeyEvent(kb.Enter))
	w.state("shown")
	if got := pagetest.Ask[string](t, b, `String(window.mark)`); got != "still the same page" {
		t.Errorf("the page was loaded anew: %s", got)
	}
	w.quiet("401", "403")

	// A page that is loaded while nobody is signed in has no dashboard, until somebody is.
	w.press("session")
	w.state("failed")
	w.Do(t, chromedp.Navigate(shown.URL))
	w.state("out")
	w.quiet("401", "403", "ERR_ABORTED")
	w.press("session")
	w.state("shown")

	// Legible, and nothing sticks out; the pages of the dashboard as well.
	for _, url := range []string{shown.URL, shown.Dashboard + "iframe/nothing/demo"} {
		w.Do(t, chromedp.Navigate(url))
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{400, 1000} {
				w.Do(t, pagetest.Scheme(scheme), chromedp.EmulateViewport(width, 860))
				if pale := pagetest.Ask[[]string](t, b, pagetest.PaleText); len(pale) > 0 {
					t.Errorf("%s, %s: hard to read:\n%s", url, scheme, strings.Join(pale, "\n"))
				}
				if wide := pagetest.Ask[[]string](t, b, pagetest.TooWide); len(wide) > 0 {
					t.Errorf("%s: wider than %d:\n%s", url, width, strings.Join(wide, "\n"))
				}
			}
		}
	}
	w.quiet("403", "ERR_ABORTED")

	// Of another origin the same page has no dashboard: the browser refuses it.
	w.Do(t, pagetest.Scheme("light"), chromedp.Navigate(shown.Elsewhere))
	w.state("refused")
	w.picture("refused", "light")
	_, said := w.Take()
	refused := false
	for _, text := range said {
		refused = refused || strings.Contains(text, "frame-ancestors http://127.0.0.1:")
		if !strings.Contains(text, "frame-ancestors") && !strings.Contains(text, "ERR_BLOCKED_BY_RESPONSE") && !strings.Contains(text, "loading failed") {
			t.Errorf("the browser says: %s", text)
		}
	}
	if !refused {
		t.Errorf("the browser does not say that it refused the frame: %q", said)
	}
	p.signal(t, syscall.SIGTERM)
	if o := p.wait(t).want(t, exitOK); o.stderr != "" {
		t.Errorf("standard error: %s", o.stderr)
	}
}

// What is revoked is so including the second of the revocation.
func TestWhoSignsInToTheDemoAgainAtOnceIsShownTheDashboard(t *testing.T) {
	t.Parallel()
	_, shown := startDemo(t)
	for range 3 {
		var made struct{ JWT string }
		for _, path := range []string{"sign-out", "sign-in", "embed-token"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, shown.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			err = json.NewDecoder(res.Body).Decode(&made)
			if _ = res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
				t.Fatalf("%s: %s, %v", path, res.Status, err)
			}
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, shown.Dashboard+"iframe/"+made.JWT+"/demo", nil)
		if err != nil {
			t.Fatal(err)
		}
		if status := answered(t, r); status != http.StatusOK {
			t.Errorf("the dashboard answers %d", status)
		}
	}
}

func TestTheDemoIsForThisMachineOnly(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{"0.0.0.0:0", "192.0.2.1:80", "[::]:0", "[::1]:0", "[::ffff:127.0.0.1]:0", "nowhere"} {
		start(t, nil, "demo", "--listen", listen).wait(t).want(t, exitUsage).oneLine(t)
	}
	_, shown := startDemo(t)
	start(t, nil, "demo", "--listen", strings.TrimSuffix(strings.TrimPrefix(shown.URL, "http://"), "/")).wait(t).want(t, exitAddress, "--listen").oneLine(t)

	// Pages of other names and of other origins get nothing.
	for _, url := range []string{shown.URL, shown.Dashboard} {
		for _, host := range []string{"rebound.example", "rebound.example:80", "127.0.0.1"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = host
			if status := answered(t, r); status != http.StatusMisdirectedRequest {
				t.Errorf("%s as %s: %d", url, host, status)
			}
		}
	}
	for _, path := range []string{"embed-token", "sign-out", "sign-in"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, shown.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", "https://elsewhere.example")
		if status := answered(t, r); status != http.StatusForbidden {
			t.Errorf("%s from elsewhere: %d", path, status)
		}
	}
}

func answered(t *testing.T, r *http.Request) int {
	t.Helper()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}
