// Package apipage answers: how does the API look to somebody who reads? It makes
// one HTML page of the OpenAPI document, without a script, and without a request
// to any other host.
package apipage

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"sync"
)

// Page is the API's document, the page made of it, and the files that it needs.
type Page struct {
	files map[string]file
}

type file struct {
	contentType string
	// body makes what is answered, when it is first asked for.
	body func() ([]byte, error)
	// forEver says that the path changes with the body.
	forEver bool
}

//go:embed page.html style.css icon.svg
var embedded embed.FS

// New takes an OpenAPI document. The page is made of it when somebody first asks for
// it: that takes as long as all else of a server's start, and few servers are asked.
func New(document []byte) (*Page, error) {
	style, err := embedded.ReadFile("style.css")
	if err != nil {
		return nil, fmt.Errorf("apipage: %w", err)
	}
	icon, err := embedded.ReadFile("icon.svg")
	if err != nil {
		return nil, fmt.Errorf("apipage: %w", err)
	}
	sum := sha256.Sum256(append(append([]byte(nil), style...), icon...))
	assets := "/reference/" + hex.EncodeToString(sum[:8])
	return &Page{files: map[string]file{
		"/": {contentType: "text/html; charset=utf-8", body: sync.OnceValues(func() ([]byte, error) {
			return render(document, assets)
		})},
		assets + "/style.css":    {contentType: "text/css; charset=utf-8", body: made(style), forEver: true},
		assets + "/icon.svg":     {contentType: "image/svg+xml", body: made(icon), forEver: true},
		"/admin/v1/openapi.yaml": {contentType: "application/yaml", body: made(append([]byte(nil), document...))},
	}}, nil
}

func made(body []byte) func() ([]byte, error) { return func() ([]byte, error) { return body, nil } }

// render makes the page. The error says what of the document is none.
func render(document []byte, assets string) ([]byte, error) {
	v, err := newView(document)
	if err != nil {
		return nil, err
	}
	v.Assets = assets
	tmpl, err := template.ParseFS(embedded, "page.html")
	if err != nil {
		return nil, fmt.Errorf("apipage: %w", err)
	}
	var page bytes.Buffer
	if err := tmpl.Execute(&page, v); err != nil {
		return nil, fmt.Errorf("apipage: %w", err)
	}
	return page.Bytes(), nil
}

// Handlers are what answers GET, by path. They add to the headers that every
// answer has.
func (p *Page) Handlers() map[string]http.Handler {
	all := map[string]http.Handler{}
	for path, f := range p.files {
		all[path] = f
	}
	return all
}

// policy lets the page load its own style and icon, and nothing else.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// ServeHTTP implements http.Handler.
func (f file) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	body, err := f.body()
	if err != nil { // a document that the tests have not seen
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", f.contentType)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Content-Security-Policy", policy)
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("X-Frame-Options", "DENY")
	if f.forEver {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = w.Write(body)
}
