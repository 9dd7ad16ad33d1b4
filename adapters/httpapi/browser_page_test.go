package httpapi_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var update = flag.Bool("update", false, "write the pictures of docs/images anew")

// browser is a page of a real Chromium, and all that it did and said.
type browser struct {
	ctx context.Context

	mu       sync.Mutex
	requests []string
	said     []string
}

// browse opens Chromium. Without one the test is skipped, and fails where CI=true.
func browse(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("this test needs chromium: .ci/peers installs it")
		}
		t.Skip("chromium is not installed: apt-get install chromium, or make peers")
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.WindowSize(1200, 800), chromedp.WSURLReadTimeout(time.Minute),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("force-device-scale-factor", "1"), chromedp.Flag("disable-dev-shm-usage", true),
	}
	b := &browser{}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	b.ctx, cancel = chromedp.NewContext(ctx, chromedp.WithListener(b.hear))
	t.Cleanup(cancel)
	b.do(t, command(network.Enable, network.EnableParams{}), command(log.Enable, cdp.Empty{}))
	return b
}

func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *network.EventLoadingFailed:
		b.said = append(b.said, fmt.Sprintf("loading failed: %s %s", e.ErrorText, e.BlockedReason))
	case *runtime.EventConsoleAPICalled:
		b.said = append(b.said, fmt.Sprintf("console: %s", e.Type))
	case *runtime.EventExceptionThrown:
		b.said = append(b.said, "exception: "+e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		b.said = append(b.said, fmt.Sprintf("%s: %s", e.Entry.Source, e.Entry.Text))
	}
}

// command is one of the protocol, as a step.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, c, params)
		return err
	})
}

func (b *browser) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// ask is what an expression of JavaScript comes to.
func ask[T any](t *testing.T, b *browser, expression string) T {
	t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// tell runs JavaScript.
func (b *browser) tell(t *testing.T, script string) {
	t.Helper()
	ask[chromedp.Void](t, b, script)
}

// await waits until an expression is true.
func (b *browser) await(t *testing.T, expression string) {
	t.Helper()
	for range 200 {
		if ask[bool](t, b, expression) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("never true: %s", expression)
}

func scheme(name string) chromedp.Action[chromedp.Void] {
	return command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	})
}

// take is what was said since, and empties it.
func (b *browser) take() (requests, said []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	requests, said, b.requests, b.said = b.requests, b.said, nil, nil
	return requests, said
}

// paleText lists the pieces of text that are shown with a contrast below 4.5
// (WCAG 2.2, 1.4.3).
const paleText = `(() => {
	const rgb = c => c.match(/[\d.]+/g).map(Number);
	const light = c => { const [r, g, b] = rgb(c).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b };
	const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor, v = rgb(c); if (v.length < 4 || v[3] == 1) return c } return 'rgb(255, 255, 255)' };
	const pale = new Set();
	for (const e of document.body.querySelectorAll('*')) {
		if (![...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()) || !e.checkVisibility()) continue;
		const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
		if ((a + .05) / (b + .05) < 4.5) pale.add(e.tagName + '.' + e.className + ': ' + e.textContent.slice(0, 40));
	}
	return [...pale];
})()`

// tooWide lists what makes the page wider than its window.
const tooWide = `document.documentElement.scrollWidth <= innerWidth ? [] : [...document.body.querySelectorAll('*')]
	.filter(e => e.getBoundingClientRect().right > innerWidth && !e.closest('.wide, pre'))
	.map(e => e.tagName + '.' + e.className + ': ' + e.textContent.slice(0, 60))`

func TestTheReferencePageInABrowser(t *testing.T) {
	s := govern(t)
	b := browse(t)
	home := "http://" + s.addr + "/"
	b.do(t, scheme("light"), chromedp.Navigate(home))

	// Every operation is there to be seen, and opens where its link leads.
	for _, id := range operationIDs(t) {
		if got := ask[bool](t, b, fmt.Sprintf(`(() => {
			const link = document.querySelector('nav a[href="#%s"]'), inside = document.getElementById(%q);
			return !!link && link.checkVisibility() && !!inside && inside.closest('details').querySelector('summary').checkVisibility();
		})()`, id, id)); !got {
			t.Errorf("the operation %s is not shown", id)
		}
	}
	open := `document.getElementById("generateJwt").checkVisibility()`
	if ask[bool](t, b, open) {
		t.Error("the operation is open before anybody asked")
	}
	b.do(t, chromedp.Click(`nav a[href="#generateJwt"]`))
	b.await(t, open)

	// By keyboard: the first key leads to the link that skips the list, Enter goes
	// there, and further keys open and close an operation.
	b.do(t, chromedp.Navigate(home), chromedp.KeyEvent(kb.Tab))
	if got := ask[string](t, b, `document.activeElement.className`); got != "skip" || !ask[bool](t, b, `document.activeElement.getBoundingClientRect().left >= 0`) {
		t.Errorf("the first key leads to %q, or it is not to be seen", got)
	}
	b.do(t, chromedp.KeyEvent(kb.Enter))
	b.await(t, `document.activeElement.id == "content"`)
	reached := false
	for range 40 {
		b.do(t, chromedp.KeyEvent(kb.Tab))
		if reached = ask[bool](t, b, `document.activeElement.tagName == "SUMMARY"`); reached {
			break
		}
	}
	if !reached {
		t.Fatal("no operation can be reached by keyboard")
	}
	if got := ask[string](t, b, `getComputedStyle(document.activeElement).outlineStyle`); got != "solid" {
		t.Errorf("where the focus is, is not shown: outline %s", got)
	}
	for _, want := range []bool{true, false, true} {
		b.do(t, chromedp.KeyEvent(kb.Enter))
		if got := ask[bool](t, b, `document.activeElement.parentElement.open`); got != want {
			t.Errorf("the operation is open: %t, want %t", got, want)
		}
	}

	// Light and dark, wide and narrow: legible, and nothing sticks out.
	for _, name := range []string{"light", "dark"} {
		b.do(t, scheme(name), chromedp.EmulateViewport(400, 800))
		b.tell(t, `document.querySelectorAll("details").forEach(d => d.open = true)`)
		if pale := ask[[]string](t, b, paleText); len(pale) > 0 {
			t.Errorf("%s: hard to read:\n%s", name, strings.Join(pale, "\n"))
		}
		for _, width := range []int64{400, 1200} {
			b.do(t, chromedp.EmulateViewport(width, 800))
			if wide := ask[[]string](t, b, tooWide); len(wide) > 0 {
				t.Errorf("%s: wider than %d:\n%s", name, width, strings.Join(wide, "\n"))
			}
		}
		b.do(t, chromedp.Navigate(home))
		b.tell(t, `location.hash = "#generateJwt"`)
		b.await(t, open)
		shot, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		picture(t, name, shot)
	}

	requests, said := b.take()
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
		b.tell(t, attempt)
		b.tell(t, `new Promise(done => setTimeout(done, 100))`)
		requests, said := b.take()
		if !slices.ContainsFunc(said, func(text string) bool { return strings.Contains(text, "Content Security Policy") }) {
			t.Errorf("%s is not refused: %q", what, said)
		}
		if slices.ContainsFunc(requests, func(url string) bool { return strings.Contains(url, "192.0.2.1") && len(said) == 0 }) {
			t.Errorf("%s was asked for", what)
		}
	}
	if !ask[bool](t, b, `document.title != "x" && document.querySelector("main").checkVisibility()`) {
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

// picture checks that it is as light or as dark as it ought to be, and with
// -update puts it into docs/images, in at most 256 colours.
func picture(t *testing.T, scheme string, shot []byte) {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	seen, sum := map[color.Color]int{}, 0
	box := img.Bounds()
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			c := img.At(x, y)
			seen[c]++
			sum += int(color.GrayModel.Convert(c).(color.Gray).Y)
		}
	}
	if mean := sum / (box.Dx() * box.Dy()); (mean > 128) != (scheme == "light") {
		t.Errorf("%s: the picture has a mean brightness of %d", scheme, mean)
	}
	if !*update {
		return
	}
	var palette color.Palette
	for c := range seen {
		palette = append(palette, c)
	}
	slices.SortFunc(palette, func(a, b color.Color) int { return seen[b] - seen[a] })
	small := image.NewPaletted(box, palette[:min(len(palette), 256)])
	index := map[color.Color]uint8{}
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			c := img.At(x, y)
			i, known := index[c]
			if !known {
				i = uint8(small.Palette.Index(c))
				index[c] = i
			}
			small.SetColorIndex(x, y, i)
		}
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, small); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join("..", "..", "docs", "images")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "api-reference-"+scheme+".png"), out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
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
