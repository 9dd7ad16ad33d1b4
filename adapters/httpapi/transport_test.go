package httpapi_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// transportRefusals are requests that are wrong before anybody reads them.
func transportRefusals() []refusal {
	var all []refusal
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
		for _, path := range []string{route, "/api/generate_jwt"} {
			all = append(all, refusal{name: method + " " + path, request: request{method: method, path: path, body: minimal},
				status: http.StatusMethodNotAllowed, code: "method_not_allowed", header: http.Header{"Allow": {"POST"}}, unrecorded: true})
		}
	}
	all = append(all,
		refusal{name: "POST /healthz", request: request{path: "/healthz"}, status: http.StatusMethodNotAllowed,
			code: "method_not_allowed", header: http.Header{"Allow": {"GET, HEAD"}}, unrecorded: true},
		refusal{name: "OPTIONS *", request: request{method: "OPTIONS", path: "*"}, status: http.StatusNotFound,
			code: "not_found", unrecorded: true})
	for _, path := range []string{
		"/", "//api/generate_jwt/", "/api//generate_jwt/", "/api/generate_jwt//", "/api/generate_jwt/x", "/API/GENERATE_JWT/", "/api/generate_jwt%2F%2F",
		"/api/../api/generate_jwt/", "/./api/generate_jwt/", "/api/generate_jwt;x", "/api", "/api/", "/api/generate_jw", "/metrics", "/admin/v1/groups",
		"/healthz/", "/debug/pprof/", "/api/generate_jwt/" + apiToken("acme", "rw"),
	} {
		all = append(all, refusal{name: "POST " + path, request: request{path: path, body: minimal},
			status: http.StatusNotFound, code: "not_found", unrecorded: true})
	}
	auth := authorized()
	for name, headers := range map[string][]string{
		"no content type":            {auth},
		"text/plain":                 {auth, "Content-Type: text/plain"},
		"a form's type":              {auth, "Content-Type: application/x-www-form-urlencoded"},
		"a JSON-like type":           {auth, "Content-Type: application/ld+json"},
		"text/json":                  {auth, "Content-Type: text/json"},
		"latin1":                     {auth, "Content-Type: application/json; charset=latin1"},
		"UTF-16 declared":            {auth, "Content-Type: application/json; charset=utf-16"},
		"a parameter it has not":     {auth, "Content-Type: application/json; version=1"},
		"a type that does not parse": {auth, "Content-Type: application/json; charset"},
		"two types in one header":    {auth, "Content-Type: application/json, text/plain"},
		"two content types":          {auth, jsonIs, "Content-Type: text/plain"},
		"the same type twice":        {auth, jsonIs, jsonIs},
		"an empty type":              {auth, "Content-Type:"},
		"gzip":                       {auth, jsonIs, "Content-Encoding: gzip"},
		"gzip behind an empty one":   {auth, jsonIs, "Content-Encoding:", "Content-Encoding: gzip"},
		"identity":                   {auth, jsonIs, "Content-Encoding: identity"},
	} {
		all = append(all, refusal{name: "type: " + name, request: request{headers: headers, body: minimal},
			status: http.StatusUnsupportedMediaType, code: "unsupported_media_type"})
	}
	for name, size := range map[string]int{"a byte over 64 KiB": 64<<10 + 1, "1 MB": 1 << 20} {
		all = append(all,
			refusal{name: name, request: request{body: sized(size)}, status: http.StatusRequestEntityTooLarge, code: "body_too_large", says: "65536"},
			refusal{name: name + ", chunked", request: chunked(sized(size)), status: http.StatusRequestEntityTooLarge, code: "body_too_large"})
	}
	return all
}

// sized is a request body of that many bytes, with an id that fills it.
func sized(n int) string {
	const begin, end = `{"embed_id":"b","provided_id":"`, `"}`
	return begin + strings.Repeat("x", n-len(begin)-len(end)) + end
}

// chunked sends body in chunks of 8000 bytes, with no length before it.
func chunked(body string) request {
	var text strings.Builder
	for rest := body; rest != ""; {
		piece := rest[:min(len(rest), 8000)]
		rest = rest[len(piece):]
		fmt.Fprintf(&text, "%x\r\n%s\r\n", len(piece), piece)
	}
	text.WriteString("0\r\n\r\n")
	return request{headers: []string{jsonIs, authorized(), "Transfer-Encoding: chunked"}, without: true, body: text.String()}
}

// whole is every byte of the answer to a request that closes its connection.
func (s *site) whole(t *testing.T, text string) string {
	t.Helper()
	conn := s.dial(t)
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestABodyOfExactly64KiBIsRead(t *testing.T) {
	s := open(t)
	spaced := minimal + strings.Repeat(" ", 64<<10-len(minimal))
	s.send(t, request{body: spaced}).jwt(t)
	s.send(t, chunked(spaced)).jwt(t)
}
