package httpapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"embedseal/adapters/httpapi"
	"embedseal/adapters/httpapi/pagetest"
)

// pages serves these files, by method and path, under an origin of its own.
func pages(t *testing.T, files map[string]func() (contentType, body string)) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; connect-src 'self'; script-src 'self' http://127.0.0.1:*; frame-src http://127.0.0.1:*")
		file := files[r.Method+" "+r.URL.Path]
		if file == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		contentType, body := file()
		w.Header().Set("Content-Type", contentType)
		_, _ = fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func file(contentType, format string, values ...any) func() (string, string) {
	return func() (string, string) { return contentType, fmt.Sprintf(format, values...) }
}

// What only a browser can say: whose a message is, and who gets the answer.
func TestTheModuleInABrowser(t *testing.T) {
	s := open(t)
	b := pagetest.Open(t)
	// A frame announces when it is told to, and tells what it is given.
	frame := map[string]func() (string, string){
		"GET /": file("text/html", `<!doctype html><title>frame</title><script src="/frame.js"></script>`),
		"GET /frame.js": file("text/javascript", `onmessage = e => e.data.tell
			? parent.postMessage({event: e.data.tell}, e.origin)
			: parent.postMessage({given: e.origin + " " + JSON.stringify(e.data)}, e.origin);`),
	}
	right, wrong := pages(t, frame), pages(t, frame)
	var minted atomic.Int64
	host := pages(t, map[string]func() (string, string){
		"GET /": file("text/html", `<!doctype html><title>host</title><iframe id="right" src="%[1]s/"></iframe>
			<iframe id="twin" src="%[1]s/"></iframe><iframe id="wrong" src="%[2]s/"></iframe><script type="module" src="/host.js"></script>`, right, wrong),
		"GET /host.js": file("text/javascript", `import { keepAlive } from "http://%s%s";
			window.said = [];
			for (const name of ["renewed", "failed"]) addEventListener("embedseal:" + name, e => said.push(e.target.id + " " + name));
			addEventListener("message", e => { if (e.data.given) said.push([...document.querySelectorAll("iframe")].find(f => f.contentWindow === e.source).id + " given " + e.data.given) });
			window.tell = (id, origin) => document.getElementById(id).contentWindow.postMessage({tell: "customerJwtExpired"}, origin);
			addEventListener("load", () => window.keeper = keepAlive(document.getElementById("right"), {renew: "/token"}));`,
			s.addr, httpapi.KeepaliveDigest()),
		"POST /token": func() (string, string) {
			return "application/json", fmt.Sprintf(`{"success": 1, "jwt": "header..iv.text%d.tag"}`, minted.Add(1))
		},
	})
	b.Do(t, chromedp.Navigate(host+"/"))
	b.Await(t, `!!window.keeper`)

	// A twin of the frame, a frame of another origin, and the page itself.
	b.Tell(t, fmt.Sprintf(`tell("twin", %q); tell("wrong", %q); postMessage({event: "customerJwtExpired"}, origin)`, right, wrong))
	b.Tell(t, `new Promise(done => setTimeout(done, 300))`)
	if n := minted.Load(); n != 0 {
		t.Errorf("%d tokens are asked for because of somebody else", n)
	}
	b.Tell(t, fmt.Sprintf(`tell("right", %q)`, right))
	b.Await(t, `said.length == 2`)
	want := fmt.Sprintf(`right renewed; right given %s {"event":"updateCustomerJwt","detail":{"jwt":"header..iv.text1.tag"}}`, host)
	if got := pagetest.Ask[string](t, b, `said.join("; ")`); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	requests, said := b.Take()
	if len(said) > 0 {
		t.Errorf("the browser complains:\n%s", strings.Join(said, "\n"))
	}
	for _, url := range requests {
		if !strings.HasPrefix(url, "http://127.0.0.1:") {
			t.Errorf("the pages asked for %s", url)
		}
	}

	// Once the frame has gone elsewhere, the announcement that it made before is
	// answered to nobody.
	b.Tell(t, fmt.Sprintf(`new Promise(done => { const f = document.getElementById("right"); f.onload = done; f.src = %q; said.length = 0 })`, wrong+"/"))
	b.Tell(t, fmt.Sprintf(`tell("right", %q); keeper.renew()`, wrong))
	b.Tell(t, `new Promise(done => setTimeout(done, 300))`)
	if got := pagetest.Ask[string](t, b, `said.join("; ")`); got != "right renewed" {
		t.Errorf("a frame that went elsewhere: %s", got)
	}
	if _, said := b.Take(); len(said) != 1 || !strings.Contains(said[0], "postMessage") {
		t.Errorf("the browser says: %q", said)
	}
	b.Tell(t, `keeper.stop()`)
}
