package apispec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// Listener is where an exchange takes place: a server of the document, by its
// URL. A path belongs to the listeners that its `servers` name.
type Listener string

// The listeners.
const (
	Public         Listener = "http://127.0.0.1:8080"
	Administration Listener = "http://127.0.0.1:8081"
	Operations     Listener = "http://127.0.0.1:9090"
)

// Spec is a document that was read. It may be used by many at a time.
type Spec struct {
	paths    []path
	notFound answer // of a path that is not documented
	noMethod answer // of a method that is not
}

type path struct {
	segments   []string
	listeners  []Listener
	operations map[string]operation // by method
	// subpaths says that everything below it is the same, and so is the path without
	// the slash at its end (x-subpaths).
	subpaths bool
}

type operation struct {
	parameters []parameter
	body       map[string]*jsonschema.Schema // by media type; nil means that it takes none
	needsBody  bool
	security   [][]credential // one of them
	answers    map[string]answer
}

type parameter struct {
	name, in string
	required bool
	schema   *jsonschema.Schema
}

// credential is a header, and the scheme its value begins with, if it is named.
type credential struct{ header, scheme string }

type answer struct {
	headers map[string]parameter
	content map[string]*jsonschema.Schema
}

// New reads the document. The error says where it is not one.
func New(document []byte) (*Spec, error) {
	var tree any
	if err := yaml.Unmarshal(document, &tree); err != nil {
		return nil, fmt.Errorf("apispec: read the document: %w", err)
	}
	text, err := json.Marshal(tree)
	if err != nil {
		return nil, fmt.Errorf("apispec: read the document: %w", err)
	}
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("apispec: read the document: %w", err)
	}
	r := &reader{compiler: jsonschema.NewCompiler(), root: node{value: root}}
	r.compiler.DefaultDraft(jsonschema.Draft2020)
	r.compiler.AssertFormat()
	if err := r.compiler.AddResource(resource, root); err != nil {
		return nil, fmt.Errorf("apispec: read the document: %w", err)
	}
	s := r.spec()
	if r.err != nil {
		return nil, fmt.Errorf("apispec: %w", r.err)
	}
	return s, nil
}

// resource is what the compiler knows the document as.
const resource = "openapi.yaml"

// reader walks the document, and keeps the first thing that is wrong.
type reader struct {
	compiler *jsonschema.Compiler
	root     node
	err      error
}

// node is a place in the document.
type node struct {
	at    string // JSON pointer
	value any
}

func (r *reader) fail(n node, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("#%s: %s", n.at, fmt.Sprintf(format, args...))
	}
}

// get is a member of n, behind its reference if it is one.
func (r *reader) get(n node, name string) (node, bool) {
	members, _ := n.value.(map[string]any)
	value, found := members[name]
	pointer := strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
	return r.follow(node{at: n.at + "/" + pointer, value: value}), found
}

func (r *reader) follow(n node) node {
	members, _ := n.value.(map[string]any)
	ref, given := members["$ref"].(string)
	if !given {
		return n
	}
	target := r.root
	pointer, local := strings.CutPrefix(ref, "#/")
	for name := range strings.SplitSeq(pointer, "/") {
		found := false
		if target, found = r.get(target, strings.NewReplacer("~1", "/", "~0", "~").Replace(name)); !found || !local {
			r.fail(n, "%s leads nowhere", ref)
			return n
		}
	}
	return target
}

// members calls do for each member of n, in the order of their names.
func (r *reader) members(n node, do func(name string, member node)) {
	values, _ := n.value.(map[string]any)
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		member, _ := r.get(n, name)
		do(name, member)
	}
}

// elements are those of the list that n has under that name.
func (r *reader) elements(n node, name string) []node {
	list, _ := r.get(n, name)
	values, _ := list.value.([]any)
	var all []node
	for i, value := range values {
		all = append(all, r.follow(node{at: fmt.Sprintf("%s/%d", list.at, i), value: value}))
	}
	return all
}

func (r *reader) text(n node, name string) string {
	member, _ := r.get(n, name)
	text, _ := member.value.(string)
	return text
}

func (r *reader) truth(n node, name string) bool {
	member, _ := r.get(n, name)
	truth, _ := member.value.(bool)
	return truth
}

func (r *reader) schema(n node) *jsonschema.Schema {
	schema, found := r.get(n, "schema")
	if !found {
		r.fail(n, "has no schema")
		return nil
	}
	segments := strings.Split(schema.at, "/")
	for i := range segments { // a fragment of a URL
		segments[i] = url.PathEscape(segments[i])
	}
	compiled, err := r.compiler.Compile(resource + "#" + strings.Join(segments, "/"))
	if err != nil {
		r.fail(schema, "%v", err)
	}
	return compiled
}

func (r *reader) spec() *Spec {
	s := &Spec{}
	components, _ := r.get(r.root, "components")
	answers, _ := r.get(components, "responses")
	for name, into := range map[string]*answer{"NotFound": &s.notFound, "MethodNotAllowed": &s.noMethod} {
		n, found := r.get(answers, name)
		if !found {
			r.fail(answers, "no response %s, which is that of what is not documented", name)
		}
		*into = r.answer(n)
	}
	paths, _ := r.get(r.root, "paths")
	r.members(paths, func(name string, item node) {
		p := path{segments: strings.Split(name, "/"), operations: map[string]operation{}}
		for _, server := range r.elements(item, "servers") {
			p.listeners = append(p.listeners, Listener(r.text(server, "url")))
		}
		if len(p.listeners) == 0 {
			r.fail(item, "has no servers: of which listener is it?")
		}
		shared := r.parameters(item)
		for _, method := range []string{
			http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
		} {
			if n, found := r.get(item, strings.ToLower(method)); found {
				p.operations[method] = r.operation(n, shared)
			}
		}
		// x-methods: those that are the same operation as get.
		for _, method := range r.elements(item, "x-methods") {
			name, _ := method.value.(string)
			get, found := p.operations[http.MethodGet]
			if !found {
				r.fail(method, "there is no get to be the same as")
			}
			p.operations[strings.ToUpper(name)] = get
		}
		p.subpaths = r.truth(item, "x-subpaths")
		s.paths = append(s.paths, p)
	})
	if len(s.paths) == 0 {
		r.fail(paths, "no paths")
	}
	return s
}

func (r *reader) parameters(n node) []parameter {
	var all []parameter
	for _, p := range r.elements(n, "parameters") {
		all = append(all, parameter{name: r.text(p, "name"), in: r.text(p, "in"), required: r.truth(p, "required"), schema: r.schema(p)})
	}
	return all
}

func (r *reader) operation(n node, shared []parameter) operation {
	o := operation{parameters: append(slices.Clone(shared), r.parameters(n)...), answers: map[string]answer{}}
	if body, found := r.get(n, "requestBody"); found {
		o.body, o.needsBody = r.content(body), r.truth(body, "required")
	}
	for _, alternative := range r.elements(n, "security") {
		all := []credential{}
		r.members(alternative, func(name string, _ node) { all = append(all, r.credential(name)) })
		o.security = append(o.security, all)
	}
	answers, _ := r.get(n, "responses")
	r.members(answers, func(status string, a node) { o.answers[status] = r.answer(a) })
	return o
}

func (r *reader) credential(name string) credential {
	components, _ := r.get(r.root, "components")
	schemes, _ := r.get(components, "securitySchemes")
	scheme, _ := r.get(schemes, name)
	switch {
	case r.text(scheme, "type") == "http" && r.text(scheme, "scheme") == "bearer":
		return credential{header: "Authorization", scheme: "Bearer"}
	case r.text(scheme, "type") == "apiKey" && r.text(scheme, "in") == "header":
		return credential{header: r.text(scheme, "name")}
	}
	r.fail(schemes, "%s is none that this package knows", name)
	return credential{}
}

func (r *reader) content(n node) map[string]*jsonschema.Schema {
	content, _ := r.get(n, "content")
	all := map[string]*jsonschema.Schema{}
	r.members(content, func(media string, m node) { all[media] = r.schema(m) })
	return all
}

func (r *reader) answer(n node) answer {
	a := answer{headers: map[string]parameter{}, content: r.content(n)}
	headers, _ := r.get(n, "headers")
	r.members(headers, func(name string, h node) {
		a.headers[http.CanonicalHeaderKey(name)] = parameter{name: name, required: r.truth(h, "required"), schema: r.schema(h)}
	})
	return a
}
