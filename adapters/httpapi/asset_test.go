package httpapi_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"embedseal/adapters/httpapi"
)

const moduleFile = "assets/keepalive.js"

func TestTheModuleIsServedToPagesOfEveryOrigin(t *testing.T) {
	s := open(t)
	module, err := os.ReadFile(moduleFile)
	if err != nil {
		t.Fatal(err)
	}
	if len(module) >= 4000 {
		t.Errorf("the module has %d bytes, and less than 4000 are promised", len(module))
	}
	for path, caching := range map[string]string{
		httpapi.KeepalivePath: "public, no-cache", httpapi.KeepaliveDigest(): "public, max-age=31536000, immutable",
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			for _, headers := range [][]string{{}, {"Origin: https://elsewhere.example", "Sec-Fetch-Site: cross-site"}} {
				got := sendOver(t, dialTo(t, "tcp", s.addr), request{method: method, path: path, headers: headers}.String())
				if got.status != http.StatusOK || method == http.MethodGet && got.body != string(module) || method == http.MethodHead && got.body != "" {
					t.Errorf("%s %s: %d and %d bytes", method, path, got.status, len(got.body))
				}
				for name, want := range map[string]string{
					"Content-Type": "text/javascript; charset=utf-8", "X-Content-Type-Options": "nosniff", "Cache-Control": caching,
					"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin",
				} {
					if value := got.header.Get(name); value != want {
						t.Errorf("%s %s: %s is %q", method, path, name, value)
					}
				}
			}
		}
	}
}

func TestTheModuleIsSentAgainOnlyIfItIsAnother(t *testing.T) {
	s := open(t)
	_, digest, _ := strings.Cut(httpapi.KeepaliveDigest(), "/embed/")
	digest, _, _ = strings.Cut(digest, "/")
	for held, want := range map[string]int{
		`"` + digest + `"`: http.StatusNotModified, `W/"` + digest + `"`: http.StatusNotModified, "*": http.StatusNotModified,
		`"0000000000000000", "` + digest + `"`: http.StatusNotModified,
		`"0000000000000000"`:                   http.StatusOK, digest: http.StatusOK,
	} {
		got := sendOver(t, dialTo(t, "tcp", s.addr), request{method: http.MethodGet, path: httpapi.KeepalivePath, headers: []string{"If-None-Match: " + held}}.String())
		if got.status != want || (want == http.StatusNotModified) != (got.body == "") || got.header.Get("ETag") != `"`+digest+`"` {
			t.Errorf("%s: %d, %d bytes, ETag %s", held, got.status, len(got.body), got.header.Get("ETag"))
		}
	}
	for _, path := range []string{"/embed/", "/embed/keepalive.js/", "/embed/0000000000000000/keepalive.js", "/assets/keepalive.js", "/embed/../server.go"} {
		if p := sendOver(t, dialTo(t, "tcp", s.addr), request{method: http.MethodGet, path: path}.String()).problem(t); p.Code != "not_found" {
			t.Errorf("%s: %s", path, p.Code)
		}
	}
	if p := sendOver(t, dialTo(t, "tcp", s.addr), request{method: http.MethodPost, path: httpapi.KeepalivePath}.String()).problem(t); p.Code != "method_not_allowed" {
		t.Errorf("POST: %s", p.Code)
	}
}

// The module itself: testdata/keepalive.test.mjs, run by Node's own test runner.
func TestTheModuleInNode(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("this test needs Node.js")
		}
		t.Skip("Node.js is not installed")
	}
	module, err := os.ReadFile(moduleFile)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(module), `"*"`) || strings.Contains(string(module), "import ") {
		t.Error("the module posts to everybody, or depends on something")
	}
	copied := filepath.Join(t.TempDir(), "keepalive.mjs") // whose type does not depend on a package.json
	if err := os.WriteFile(copied, module, 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), node, "--test", "--test-reporter=tap", "testdata/keepalive.test.mjs")
	c.Env = append(os.Environ(), "KEEPALIVE="+copied)
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "# fail 0") || strings.Contains(string(out), "# pass 0") {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out[strings.LastIndex(string(out), "\n1.."):])
}
