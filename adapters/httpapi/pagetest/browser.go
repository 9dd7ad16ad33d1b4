// Package pagetest answers, for tests: what does a page do in a real Chromium? It is
// linked into no binary.
package pagetest

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
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
)

// Browser is a page of a real Chromium, and all that it did and said.
type Browser struct {
	ctx context.Context

	mu       sync.Mutex
	requests []string
	said     []string
}

// Open opens Chromium. Without one the test is skipped, and fails where CI=true.
func Open(t *testing.T) *Browser {
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
	b := &Browser{}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	b.ctx, cancel = chromedp.NewContext(ctx, chromedp.WithListener(b.hear))
	t.Cleanup(cancel)
	b.Do(t, command(network.Enable, network.EnableParams{}), command(log.Enable, cdp.Empty{}))
	return b
}

func (b *Browser) hear(event any) {
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

// Do takes steps, one after the other.
func (b *Browser) Do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// Ask is what an expression of JavaScript comes to.
func Ask[T any](t *testing.T, b *Browser, expression string) T {
	t.Helper()
	v, err := ask[T](b, expression)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}

func ask[T any](b *Browser, expression string) (T, error) {
	return chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// Tell runs JavaScript.
func (b *Browser) Tell(t *testing.T, script string) {
	t.Helper()
	Ask[chromedp.Void](t, b, script)
}

// Await waits until an expression is true. A page that is left while it is asked has no
// answer, and the next one is asked.
func (b *Browser) Await(t *testing.T, expression string) {
	t.Helper()
	for range 600 {
		yes, err := ask[bool](b, expression)
		if err != nil && !strings.Contains(err.Error(), "Inspected target navigated or closed") {
			t.Fatalf("%s: %v", expression, err)
		}
		if yes && err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	_, said := b.Take()
	t.Fatalf("never true: %s\nthe browser said: %q", expression, said)
}

// Scheme is light or dark.
func Scheme(name string) chromedp.Action[chromedp.Void] {
	return command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	})
}

// Take is what was said since, and empties it.
func (b *Browser) Take() (requests, said []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	requests, said, b.requests, b.said = b.requests, b.said, nil, nil
	return requests, said
}

// PaleText lists the pieces of text that are shown with a contrast below 4.5
// (WCAG 2.2, 1.4.3).
const PaleText = `(() => {
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

// TooWide lists what makes the page wider than its window.
const TooWide = `document.documentElement.scrollWidth <= innerWidth ? [] : [...document.body.querySelectorAll('*')]
	.filter(e => e.getBoundingClientRect().right > innerWidth && !e.closest('.wide, pre'))
	.map(e => e.tagName + '.' + e.className + ': ' + e.textContent.slice(0, 60))`

// Picture takes a picture of the window, checks that it is as light or as dark as it
// ought to be, and with update writes it to that file, in at most 256 colours.
func (b *Browser) Picture(t *testing.T, scheme, name string, update bool) {
	t.Helper()
	shot, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
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
	if !update {
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
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
