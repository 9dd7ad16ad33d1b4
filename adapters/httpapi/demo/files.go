package demo

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

//go:embed pages
var embedded embed.FS

// alike is the part of every page's policy that is the same: its own files, and
// nothing else.
const alike = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "

// common sets the headers of every answer.
func common(header http.Header) {
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer") // the address of the dashboard has the token in it
}

// page answers with a page made of a template, under a policy.
func page(w http.ResponseWriter, status int, name, policy string, values any) {
	var out bytes.Buffer
	made, err := template.ParseFS(embedded, "pages/"+name)
	if err == nil {
		err = made.Execute(&out, values)
	}
	if err != nil { // they are our own, and a test opens all
		http.Error(w, "the page cannot be made", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	common(header)
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", alike+policy)
	answer(w, status, out.Bytes())
}

// files are those of pages/ with these names.
func files(mux *http.ServeMux, names ...string) {
	types := map[string]string{"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}
	for _, name := range names {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, _ *http.Request) {
			body, err := embedded.ReadFile("pages/" + name)
			if err != nil {
				http.Error(w, "the file is missing", http.StatusInternalServerError)
				return
			}
			common(w.Header())
			w.Header().Set("Content-Type", types[name[strings.LastIndex(name, ".")+1:]])
			answer(w, http.StatusOK, body)
		})
	}
}

func answerJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil { // texts and numbers always encode
		status, body = http.StatusInternalServerError, nil
	}
	common(w.Header())
	w.Header().Set("Content-Type", "application/json")
	answer(w, status, append(body, '\n'))
}

func answer(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
