package httpapi_test

import (
	"flag"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"embedseal/adapters/httpapi/pagetest"
)

var update = flag.Bool("update", false, "write the pictures of docs/images anew")

func TestTheReferencePageInABrowser(t *testing.T) {
	s := govern(t)
	b := pagetest.Open(t)
	home := "http://" + s.addr + "/"
	b.Do(t, pagetest.Scheme("light"), chromedp.Navigate(home))

	// Every operation is there to be seen, and opens where its link leads.
	for _, id := range operationIDs(t) {
		if got := pagetest.Ask[bool](t, b, fmt.Sprintf(`(() => {
			const link = document.querySelector('nav a[href="#%s"]'), inside = document.getElementById(%q);
			return !!link && link.checkVisibility() && !!inside && inside.closest('details').querySelector('summary').checkVisibility();
		})()`, id, id)); !got {
			t.Errorf("the operation %s is not shown", id)
		}
	}
	open := `document.getElementById("generateJwt").checkVisibility()`
	if pagetest.Ask[bool](t, b, open) {
		t.Error("the operation is open before anybody asked")
	}
	b.Do(t, chromedp.Click(`nav a[href="#generateJwt"]`))
	b.Await(t, open)

	// By keyboard: the first key leads to the link that skips the list, Enter goes
	// there, and further keys open and close an operation.
	b.Do(t, chromedp.Navigate(home), chromedp.KeyEvent(kb.Tab))
	if got := pagetest.Ask[string](t, b, `document.activeElement.className`); got != "skip" || !pagetest.Ask[bool](t, b, `document.activeElement.getBoundingClientRect().left >= 0`) {
		t.Errorf("the first key leads to %q, or it is not to be seen", got)
	}
	b.Do(t, chromedp.KeyEvent(kb.Enter))
	b.Await(t, `document.activeElement.id == "content"`)
	reached := false
	for range 40 {
		b.Do(t, chromedp.KeyEvent(kb.Tab))
		if reached = pagetest.Ask[bool](t, b, `document.activeElement.tagName == "SUMMARY"`); reached {
			break
		}
	}
	if !reached {
		t.Fatal("no operation can be reached by keyboard")
	}
	if got := pagetest.Ask[string](t, b, `getComputedStyle(document.activeElement).outlineStyle`); got != "solid" {
		t.Errorf("where the focus is, is not shown: outline %s", got)
	}
	for _, want := range []bool{true, false, true} {
		b.Do(t, chromedp.KeyEvent(kb.Enter))
		if got := pagetest.Ask[bool](t, b, `document.activeElement.parentElement.open`); got != want {
			t.Errorf("the operation is open: %t, want %t", got, want)
		}
	}

	// Light and dark, wide and narrow: legible, and nothing sticks out.
	for _, name := range []string{"light", "dark"} {
		b.Do(t, pagetest.Scheme(name), chromedp.EmulateViewport(400, 800))
		b.Tell(t, `document.querySelectorAll("details").forEach(d => d.open = true)`)
		if pale := pagetest.Ask[[]string](t, b, pagetest.PaleText); len(pale) > 0 {
			t.Errorf("%s: hard to read:\n%s", name, strings.Join(pale, "\n"))
		}
		for _, width := range []int64{400, 1200} {
			b.Do(t, chromedp.EmulateViewport(width, 800))
			if wide := pagetest.Ask[[]string](t, b, pagetest.TooWide); len(wide) > 0 {
				t.Errorf("%s: wider than %d:\n%s", name, width, strings.Join(wide, "\n"))
			}
		}
		b.Do(t, chromedp.Navigate(home))
		b.Tell(t, `location.hash = "#generateJwt"`)
		b.Await(t, open)
		b.Picture(t, name, filepath.Join("..", "..", "docs", "images", "api-reference-"+name+".png"), *update)
	}

	requests, said := b.Take()
	if len(requests) < 3 {
		t.Errorf("only these requests were seen: %q", requests)
	}
	for _, url := range requests {
		if !strings.HasPrefix(url, home) {
			t.Errorf("the page asked for %s", url)
		}
	}
	if len(said) > 0 {
		t.Errorf("the browser complains:\n%s", strings.Join(said, "\n"))
	}

	// What the policy is there for; and a complaint would have been seen.
	for what, attempt := range map[string]string{
		"an image of another host": `document.body.append(Object.assign(new Image(), {src: "http://192.0.2.1/x.png"}))`,
		"a style in the page":      `document.body.append(Object.assign(document.createElement("style"), {textContent: "main { display: none }"}))`,
		"a script in the page":     `document.body.append(Object.assign(document.createElement("script"), {textContent: "document.title = 'x'"}))`,
		"a request":                `fetch("/admin/v1/status").catch(() => 0)`,
	} {
		b.Tell(t, attempt)
		b.Tell(t, `new Promise(done => setTimeout(done, 100))`)
		requests, said := b.Take()
		if !slices.ContainsFunc(said, func(text string) bool { return strings.Contains(text, "Content Security Policy") }) {
			t.Errorf("%s is not refused: %q", what, said)
		}
		if slices.ContainsFunc(requests, func(url string) bool { return strings.Contains(url, "192.0.2.1") && len(said) == 0 }) {
			t.Errorf("%s was asked for", what)
		}
	}
	if !pagetest.Ask[bool](t, b, `document.title != "x" && document.querySelector("main").checkVisibility()`) {
		t.Error("a script or a style in the page has an effect")
	}
}

// operationIDs are those of the document.
func operationIDs(t *testing.T) []string {
	t.Helper()
	var ids []string
	for _, item := range at(t, "paths").(map[string]any) {
		for _, op := range item.(map[string]any) {
			if op, is := op.(map[string]any); is {
				ids = append(ids, op["operationId"].(string))
			}
		}
	}
	if len(ids) < 30 {
		t.Fatalf("only %d operations seen", len(ids))
	}
	return ids
}

func TestThePageAndItsFilesAreForEverybodyWhoMayConnect(t *testing.T) {
	s := govern(t)
	for path := range s.config.Page {
		for _, headers := range [][]string{{}, {"Origin: https://elsewhere.example"}, {"Sec-Fetch-Site: cross-site"}} {
			got := sendOver(t, dialTo(t, "tcp", s.addr), request{method: http.MethodGet, path: path, headers: headers}.String())
			if got.status != http.StatusOK || len(got.body) < 100 {
				t.Errorf("%s with %q: %d and %d bytes", path, headers, got.status, len(got.body))
			}
		}
	}
	for _, path := range []string{"/reference/0000000000000000/style.css", "/reference/", "/style.css", "/page.html", "//"} {
		got := sendOver(t, dialTo(t, "tcp", s.addr), request{method: http.MethodGet, path: path}.String())
		if p := got.problem(t); p.Code != "not_found" {
			t.Errorf("%s: %s", path, p.Code)
		}
	}
}
