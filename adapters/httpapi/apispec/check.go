package apispec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"embedseal/domain/strictjson"
)

// Check holds one exchange to the document, with the bodies as they were on the
// wire. The error has a line for each thing that does not conform.
func (s *Spec) Check(on Listener, request *http.Request, sent []byte, status int, header http.Header, received []byte) error {
	if ofTransport(status, header) {
		return nil
	}
	var found faults
	found.common(status, header, received)
	escaped := request.URL.EscapedPath()
	p, values, documented := s.find(on, escaped)
	if status == http.StatusNotFound && strings.Contains(escaped, "%") {
		documented = false // a listener may compare paths as they were written
	}
	if !documented {
		if status != http.StatusNotFound {
			found.add("the path is not documented for this listener, and answered %d instead of 404", status)
		}
		found.answer(s.notFound, request.Method, header, received)
		return found.err()
	}
	o, documented := p.operations[request.Method]
	if !documented {
		if status != http.StatusMethodNotAllowed {
			found.add("the method is not documented, and answered %d instead of 405", status)
		}
		found.answer(s.noMethod, request.Method, header, received)
		for method := range strings.SplitSeq(header.Get("Allow"), ", ") {
			if _, known := p.operations[method]; !known {
				found.add("Allow names %q, which is not documented", method)
			}
		}
		return found.err()
	}
	a, documented := o.answers[fmt.Sprint(status)]
	if !documented {
		found.add("the status %d is not documented", status)
		return found.err()
	}
	found.answer(a, request.Method, header, received)
	if status < 300 {
		found.request(on, o, values, request, sent)
	}
	return found.err()
}

// find is the documented path: the one with the fewest parameters, if several
// match.
func (s *Spec) find(on Listener, escaped string) (path, map[string]string, bool) {
	got := strings.Split(escaped, "/")
	var best path
	var values map[string]string
	for _, p := range s.paths {
		if !slices.Contains(p.listeners, on) {
			continue
		}
		of := got
		if p.subpaths && len(got) >= len(p.segments)-1 {
			of = append(slices.Clone(got[:len(p.segments)-1]), "") // its last segment is empty
		}
		if v, ok := match(p.segments, of); ok && (values == nil || len(v) < len(values)) {
			best, values = p, v
		}
	}
	return best, values, values != nil
}

func match(want, got []string) (map[string]string, bool) {
	if len(want) != len(got) {
		return nil, false
	}
	values := map[string]string{}
	for i, segment := range want {
		name, variable := strings.CutPrefix(segment, "{")
		text, err := url.PathUnescape(got[i])
		switch {
		case err != nil, variable && text == "", !variable && text != segment:
			return nil, false
		case variable:
			values[strings.TrimSuffix(name, "}")] = text
		}
	}
	return values, true
}

// ofTransport is true of what net/http answers without asking a handler: see
// docs/errors.md.
func ofTransport(status int, header http.Header) bool {
	return slices.Contains([]int{400, 417, 431, 501, 505}, status) && header.Get("X-Request-Id") == "" &&
		header.Get("Connection") == "close" && !strings.Contains(header.Get("Content-Type"), "json")
}

type faults []error

func (f *faults) add(format string, args ...any) { *f = append(*f, fmt.Errorf(format, args...)) }

func (f *faults) err() error { return errors.Join(*f...) }

// common is what the document says in words.
func (f *faults) common(status int, header http.Header, body []byte) {
	for name, values := range header {
		if len(values) != 1 && name != "Vary" {
			f.add("the header %s stands there %d times", name, len(values))
		}
	}
	if mediaType(header) != "application/problem+json" {
		if status >= 400 && status != http.StatusServiceUnavailable && len(body) > 0 {
			f.add("a failure that is no problem: %s", mediaType(header))
		}
		return
	}
	var p struct {
		Type, Code, Detail string
		Status             int
		ErrorMsg           string `json:"error_msg"`
		RequestID          string `json:"request_id"`
	}
	if json.Unmarshal(body, &p) != nil {
		return // the schema says so
	}
	if p.Status != status || p.Type != "urn:embedseal:problem:"+p.Code || p.ErrorMsg != p.Detail || p.RequestID != header.Get("X-Request-Id") {
		f.add("the members of the problem contradict one another, the status or X-Request-Id")
	}
}

// ofEvery are the headers that HTTP itself has on answers.
func ofEvery() []string {
	return []string{"Connection", "Content-Length", "Content-Type", "Date", "Transfer-Encoding"}
}

func (f *faults) answer(a answer, method string, header http.Header, body []byte) {
	for name, h := range a.headers {
		values := header[name]
		if len(values) == 0 && h.required {
			f.add("the header %s is missing", name)
		}
		for _, value := range values {
			f.text("the header "+name, h.schema, value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if _, documented := a.headers[name]; !documented && !slices.Contains(ofEvery(), name) {
			f.add("the header %s is not documented", name)
		}
	}
	media := mediaType(header)
	schema, documented := a.content[media]
	switch {
	case method == http.MethodHead && len(body) == 0:
	case len(a.content) == 0:
		if len(body) > 0 {
			f.add("a body of %d bytes, and none is documented", len(body))
		}
	case !documented:
		f.add("the content type %q is not documented", header.Get("Content-Type"))
	case strings.HasSuffix(media, "json"):
		f.json("the answer", schema, body)
	case len(body) == 0:
		f.add("no body")
	}
}

func (f *faults) request(on Listener, o operation, inPath map[string]string, r *http.Request, body []byte) {
	query := r.URL.Query()
	known := map[string]bool{}
	for _, p := range o.parameters {
		var values []string
		switch p.in {
		case "path":
			values = []string{inPath[p.name]}
		case "query":
			known[p.name] = true
			values = query[p.name]
		case "header":
			values = r.Header.Values(p.name)
		}
		switch {
		case len(values) == 0 && p.required:
			f.add("accepted without the parameter %s", p.name)
		case len(values) > 1:
			f.add("accepted with the parameter %s %d times", p.name, len(values))
		case len(values) == 1:
			f.text("accepted, the parameter "+p.name, p.schema, values[0])
		}
	}
	for name := range query {
		if !known[name] && on != Public { // which ignores them, as the documented service
			f.add("accepted with the query parameter %s, which is not documented", name)
		}
	}
	if len(o.security) > 0 && !slices.ContainsFunc(o.security, func(all []credential) bool { return presents(r.Header, all) }) {
		f.add("accepted without the credentials that are documented")
	}
	if len(body) == 0 {
		if o.needsBody {
			f.add("accepted without a body")
		}
		return
	}
	schema, documented := o.body[mediaType(r.Header)]
	if !documented {
		f.add("accepted a body as %q, which is not documented", r.Header.Get("Content-Type"))
		return
	}
	// What is wrong in an element of a batch is answered by its item.
	if _, err := strictjson.Envelope(body, "requests", func(string, strictjson.Value) error { return nil }); err != nil {
		f.add("accepted, the request is not strictly an object: %w", err)
		return
	}
	f.schema("accepted, the request", schema, body)
}

func presents(header http.Header, all []credential) bool {
	for _, c := range all {
		scheme, _, _ := strings.Cut(header.Get(c.header), " ")
		if scheme == "" || c.scheme != "" && !strings.EqualFold(scheme, c.scheme) {
			return false
		}
	}
	return true
}

func mediaType(header http.Header) string {
	media, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return header.Get("Content-Type")
	}
	return media
}

// text takes a value as a text, or as the number or truth that it spells.
func (f *faults) text(what string, schema *jsonschema.Schema, value string) {
	err := schema.Validate(value)
	if err == nil {
		return
	}
	if spelled, no := jsonschema.UnmarshalJSON(strings.NewReader(value)); no == nil && schema.Validate(spelled) == nil {
		return
	}
	f.add("%s: %w", what, err)
}

func (f *faults) json(what string, schema *jsonschema.Schema, body []byte) {
	if err := strictjson.Object(body, func(string, strictjson.Value) error { return nil }); err != nil {
		f.add("%s is not strictly an object: %w", what, err)
		return
	}
	f.schema(what, schema, body)
}

func (f *faults) schema(what string, schema *jsonschema.Schema, body []byte) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		f.add("%s: %w", what, err)
	}
}
