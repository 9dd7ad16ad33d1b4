package apipage_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"embedseal/adapters/httpapi/apipage"
	"embedseal/docs/api"
)

// served is what is answered under each path.
func served(t *testing.T, document []byte) map[string]*httptest.ResponseRecorder {
	t.Helper()
	p, err := apipage.New(document)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*httptest.ResponseRecorder{}
	for path, handler := range p.Handlers() {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		all[path] = w
	}
	return all
}

func TestThePageLoadsItsOwnFilesAndNothingElse(t *testing.T) {
	all := served(t, api.Document())
	page := all["/"].Body.String()
	for _, match := range regexp.MustCompile(`\s(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if target, inside := strings.CutPrefix(match[1], "#"); inside {
			if !strings.Contains(page, ` id="`+target+`"`) {
				t.Errorf("a link to %s, which is not there", match[1])
			}
		} else if all[match[1]] == nil {
			t.Errorf("the page wants %s, which is not served", match[1])
		}
	}
	if found := regexp.MustCompile(`(?i)<script|<style|\sstyle=|\son[a-z]+=|javascript:|<iframe|<form`).FindString(page); found != "" {
		t.Errorf("the page has %q", found)
	}
	if ids := regexp.MustCompile(`\sid="([^"]*)"`).FindAllStringSubmatch(page, -1); len(ids) < 100 {
		t.Errorf("only %d places", len(ids))
	} else {
		seen := map[string]bool{}
		for _, id := range ids {
			if seen[id[1]] {
				t.Errorf("two places are called %s", id[1])
			}
			seen[id[1]] = true
		}
	}
	if all["/admin/v1/openapi.yaml"].Body.String() != string(api.Document()) {
		t.Error("the document is served otherwise than it is")
	}
}

func TestEveryFileHasTheHeadersOfThePage(t *testing.T) {
	for path, w := range served(t, api.Document()) {
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
			"Referrer-Policy":         "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if cached := w.Header().Get("Cache-Control") != ""; cached != strings.HasPrefix(path, "/reference/") {
			t.Errorf("%s: Cache-Control is %q", path, w.Header().Get("Cache-Control"))
		}
	}
}

func TestThePageShowsWhatADeveloperNeeds(t *testing.T) {
	page := served(t, api.Document())["/"].Body.String()
	for _, want := range []string{
		"curl -sS -X POST http://127.0.0.1:8080/api/generate_jwt/ \\\n  -H &#34;Explo-Authorization: Token $API_TOKEN&#34; \\\n",
		"curl -sS --unix-socket data/admin.sock -X PATCH http://localhost/admin/v1/groups/production \\\n",
		"&#34;provided_id&#34;: &#34;customer_1&#34;",
		"<code>not_safe_to_destroy</code>", "<code>Idempotency-Replayed</code>",
		`<a href="#schema-KeyID">KeyID</a> or null`, "1 to 512 characters",
		"The id of your customer.", // the words beside a reference, not those behind it
		"<code>listeners[].address</code>",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not have %s", want)
		}
	}
}

// A client author looks up what one status means: the codes of all the others there
// would hide it.
func TestAStatusShowsItsOwnCodesOnly(t *testing.T) {
	var document struct {
		Paths      map[string]map[string]yaml.Node
		Components struct{ Responses map[string]yaml.Node }
	}
	if err := yaml.Unmarshal(api.Document(), &document); err != nil {
		t.Fatal(err)
	}
	type response struct {
		Ref     string `yaml:"$ref"`
		Content map[string]struct {
			Schema struct {
				AllOf []struct {
					Properties struct{ Code struct{ Enum []string } }
				} `yaml:"allOf"`
			}
		}
	}
	page := served(t, api.Document())["/"].Body.String()
	rows, shown := regexp.MustCompile(`<tr><th scope="row">(\d+)</th><td>[^\n]*?<br>([^\n]*?)</td></tr>`), 0
	for path, item := range document.Paths {
		for method, node := range item {
			var op struct {
				ID        string `yaml:"operationId"`
				Responses map[string]response
			}
			if node.Kind != yaml.MappingNode || node.Decode(&op) != nil || op.ID == "" {
				continue
			}
			_, after, found := strings.Cut(page, `<div class="inside" id="`+op.ID+`">`)
			if !found {
				t.Fatalf("the page does not have %s %s", method, path)
			}
			after, _, _ = strings.Cut(after, "</details>")
			for _, row := range rows.FindAllStringSubmatch(after, -1) {
				r := op.Responses[row[1]]
				if name, local := strings.CutPrefix(r.Ref, "#/components/responses/"); local {
					of := document.Components.Responses[name]
					if err := of.Decode(&r); err != nil {
						t.Fatal(err)
					}
				}
				var want, got []string
				for _, part := range r.Content["application/problem+json"].Schema.AllOf {
					want = append(want, part.Properties.Code.Enum...)
				}
				for _, code := range regexp.MustCompile(`<code>(\w+)</code>`).FindAllStringSubmatch(row[2], -1) {
					got = append(got, code[1])
				}
				if len(want) == 0 || !slices.Equal(got, want) {
					t.Errorf("%s, %s: the page shows %q, and the document has %q", op.ID, row[1], got, want)
				}
				shown++
			}
		}
	}
	if shown < 100 {
		t.Errorf("only %d statuses are shown with their codes", shown)
	}
}

// The document is ours; what it says is escaped all the same.
func TestTextOfTheDocumentIsText(t *testing.T) {
	const hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>"
	document := string(api.Document())
	for _, place := range []string{
		"summary: Make an embed token\n", "description: The id of the group.\n", "name: Mint\n", "pattern: '^[a-z0-9-]{1,40}$'", "provided_id: customer_1\n",
		"    Three listeners, and nothing of one is served on another:\n",
	} {
		if !strings.Contains(document, place) {
			t.Fatalf("the document has no %q", place)
		}
		key, _, found := strings.Cut(place, ": ")
		changed := key + ": \"`" + hostile + "` **" + hostile + "** " + hostile + "\"\n"
		if !found {
			changed = "    " + hostile + " `" + hostile + "`\n"
		}
		page := served(t, []byte(strings.Replace(document, place, changed, 1)))["/"].Body.String()
		if strings.Contains(page, "<script") || strings.Contains(page, "<img src=x") {
			t.Errorf("%q: the page has the script", place)
		}
		if !strings.Contains(page, "&lt;script&gt;") && !strings.Contains(page, `\u003cscript`) {
			t.Errorf("%q: the page does not have the text", place)
		}
	}
}

func TestWhatIsNoDocumentIsRefused(t *testing.T) {
	for _, text := range []string{"", "[]", "x: [", "openapi: 3.1.1\n"} {
		if w := served(t, []byte(text))["/"]; w.Code != http.StatusInternalServerError {
			t.Errorf("%q: answered %d", text, w.Code)
		}
	}
}
