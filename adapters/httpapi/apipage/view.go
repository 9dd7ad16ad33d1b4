package apipage

import (
	"errors"
	"fmt"
	"html/template"
	"slices"
	"strings"
)

// view is what the page shows.
type view struct {
	Title, Version, Summary string
	Intro                   template.HTML
	// Assets is where the page's own files are.
	Assets  string
	Servers []serverView
	Schemes []schemeView
	Tags    []tagView
	Schemas []schemaView
}

type serverView struct {
	URL   string
	About template.HTML
}

type schemeView struct {
	Name  string
	About template.HTML
}

type tagView struct {
	Name, ID   string
	About      template.HTML
	Operations []operationView
}

type operationView struct {
	ID, Method, Path, Summary string
	About                     template.HTML
	Listeners                 string
	Security                  []string
	Anybody                   bool
	Parameters                []rowView
	Body                      *contentView
	Command                   string
	Answers, Problems         []answerView
}

// contentView is the body of a request or of an answer.
type contentView struct {
	About     template.HTML
	MediaType string
	Type      []linkView
	Rows      []rowView
	Example   string
}

type answerView struct {
	Status  string
	About   template.HTML
	Headers []string
	Content *contentView
	Codes   []string
}

// rowView is a parameter, or a member of an object.
type rowView struct {
	Name, In string
	Required bool
	Type     []linkView
	About    template.HTML
	Limits   []template.HTML
}

// linkView is a piece of a type's name. One with an ID leads to the schema.
type linkView struct{ Text, ID string }

type schemaView struct {
	Name   string
	About  template.HTML
	Type   []linkView
	Limits []template.HTML
	Rows   []rowView
}

func newView(text []byte) (view, error) {
	d, err := readDocument(text)
	if err != nil {
		return view{}, err
	}
	v := view{
		Title: d.text("info", "title"), Version: d.text("info", "version"), Summary: d.text("info", "summary"),
		Intro: markdown(d.text("info", "description")),
	}
	for _, s := range d.elements("servers") {
		v.Servers = append(v.Servers, serverView{URL: s.text("url"), About: inline(s.text("description"))})
	}
	names, schemes := d.members("components", "securitySchemes")
	for i, s := range schemes {
		v.Schemes = append(v.Schemes, schemeView{Name: names[i], About: inline(s.text("description"))})
	}
	for _, t := range d.elements("tags") {
		name := t.text("name")
		tag := tagView{Name: name, ID: "tag-" + strings.ReplaceAll(strings.ToLower(name), " ", "-"), About: inline(t.text("description"))}
		tag.Operations = operations(d, name)
		v.Tags = append(v.Tags, tag)
	}
	names, schemas := d.members("components", "schemas")
	for i, s := range schemas {
		v.Schemas = append(v.Schemas, schemaView{
			Name: names[i], About: inline(s.description()), Type: typeOf(s, true), Limits: limits(s), Rows: rows(s, ""),
		})
	}
	if len(v.Tags) == 0 || len(v.Schemas) == 0 {
		return view{}, errors.New("apipage: the document has no tags or no schemas")
	}
	return v, nil
}

// operations are those of a tag, in the order of the document.
func operations(d place, tag string) []operationView {
	var all []operationView
	paths, items := d.members("paths")
	for i, item := range items {
		methods, ops := item.members()
		for j, op := range ops {
			if slices.Contains(op.texts("tags"), tag) {
				all = append(all, operation(d, paths[i], item, strings.ToUpper(methods[j]), op))
			}
		}
	}
	return all
}

func operation(d place, path string, item place, method string, op place) operationView {
	v := operationView{
		ID: op.text("operationId"), Method: method, Path: path, Summary: op.text("summary"), About: markdown(op.text("description")),
	}
	var listeners []string
	for _, s := range item.elements("servers") {
		listeners = append(listeners, s.text("description"))
	}
	v.Listeners = strings.Join(listeners, ", ")
	for _, alternative := range op.elements("security") {
		names, _ := alternative.members()
		v.Security = append(v.Security, names...)
		v.Anybody = v.Anybody || len(names) == 0
	}
	parameters := append(item.elements("parameters"), op.elements("parameters")...)
	for _, p := range parameters {
		schema := p.get("schema")
		v.Parameters = append(v.Parameters, rowView{
			Name: p.text("name"), In: p.text("in"), Required: p.text("required") == "true", Type: typeOf(schema, false),
			About: inline(p.text("description")), Limits: limits(schema),
		})
	}
	if body := op.get("requestBody"); body.there() {
		v.Body = content(body)
	}
	v.Command = command(d, path, item, method, op, parameters, v.Body)
	statuses, answers := op.members("responses")
	for i, a := range answers {
		answer := answerView{Status: statuses[i], About: inline(a.text("description")), Content: content(a)}
		answer.Headers, _ = a.members("headers")
		// The first part is Problem with all codes there are; what comes next narrows it.
		for _, part := range a.elements("content", "application/problem+json", "schema", "allOf") {
			answer.Codes = part.texts("properties", "code", "enum")
		}
		if answer.Codes != nil {
			v.Problems = append(v.Problems, answer)
		} else {
			v.Answers = append(v.Answers, answer)
		}
	}
	return v
}

// content is the first media type of a body, or nil where there is none.
func content(n place) *contentView {
	names, media := n.members("content")
	if len(names) == 0 {
		return nil
	}
	schema := media[0].get("schema")
	c := &contentView{
		About: inline(n.text("description")), MediaType: strings.Join(names, ", "), Type: typeOf(schema, false), Rows: rows(schema, ""),
	}
	if example := media[0].get("example"); example.there() {
		c.Example = example.json("")
	}
	return c
}

// command is how to ask with curl.
func command(d place, path string, item place, method string, op place, parameters []place, body *contentView) string {
	servers := item.elements("servers")
	if len(servers) == 0 {
		return ""
	}
	url, socket := servers[0].text("url"), ""
	for _, s := range d.elements("servers") {
		if s.text("url") == url {
			socket = s.text("x-socket")
		}
	}
	for _, p := range parameters {
		if example := p.get("schema").texts("examples"); p.text("in") == "path" && len(example) > 0 {
			path = strings.ReplaceAll(path, "{"+p.text("name")+"}", example[0])
		}
	}
	lines := []string{"curl -sS"}
	switch {
	case socket != "":
		lines[0] += " --unix-socket " + socket
		url = "http://localhost"
	case len(op.elements("security")) > 0:
		lines = append(lines, `-H "Explo-Authorization: Token $API_TOKEN"`)
	}
	if method != "GET" {
		lines[0] += " -X " + method
	}
	if method == "HEAD" {
		lines[0] = strings.Replace(lines[0], "-X HEAD", "-I", 1)
	}
	lines[0] += " " + url + path
	if body != nil && body.Example != "" && body.Example != "{}" {
		lines = append(lines, "-H 'Content-Type: "+body.MediaType+"'", "-d '"+strings.ReplaceAll(body.Example, "'", `'\''`)+"'")
	}
	return strings.Join(lines, " \\\n  ")
}

// rows are the members of an object; those of an object inside stand below it,
// with its name before theirs.
func rows(s place, prefix string) []rowView {
	var all []rowView
	required := s.texts("required")
	names, members := s.members("properties")
	for i, m := range members {
		all = append(all, rowView{
			Name: prefix + names[i], Required: slices.Contains(required, names[i]), Type: typeOf(m, false), About: inline(m.description()), Limits: limits(m),
		})
		if m.name == "" {
			all = append(all, rows(m, prefix+names[i]+".")...)
		}
		if items := m.get("items"); m.name == "" && items.name == "" {
			all = append(all, rows(items, prefix+names[i]+"[].")...)
		}
	}
	return all
}

// typeOf says what a value is. open says to look into a component, instead of
// naming it.
func typeOf(s place, open bool) []linkView {
	if s.name != "" && !open {
		return []linkView{{Text: s.name, ID: "schema-" + s.name}}
	}
	for _, keyword := range []string{"anyOf", "oneOf", "allOf"} {
		var all []linkView
		for i, part := range s.elements(keyword) {
			if i > 0 && keyword == "allOf" {
				break // what comes next narrows the first
			}
			if i > 0 {
				all = append(all, linkView{Text: " or "})
			}
			all = append(all, typeOf(part, false)...)
		}
		if all != nil {
			return all
		}
	}
	if value := s.get("const"); value.there() {
		return []linkView{{Text: value.json("")}}
	}
	types := s.texts("type")
	var all []linkView
	for i, name := range types {
		if i > 0 {
			all = append(all, linkView{Text: " or "})
		}
		all = append(all, linkView{Text: name})
		if items := s.get("items"); name == "array" && items.there() {
			all = append(append(all, linkView{Text: " of "}), typeOf(items, false)...)
		}
	}
	return all
}

// limits are what a value is held to beside its type, if that is not said by the
// component that it names.
func limits(s place) []template.HTML {
	if s.name != "" && s.said != "" {
		return nil
	}
	var all []template.HTML
	add := func(format string, values ...any) { all = append(all, inline(fmt.Sprintf(format, values...))) }
	if words := s.texts("enum"); len(words) > 0 {
		add("one of `%s`", strings.Join(words, "`, `"))
	}
	if value := s.text("default"); value != "" {
		add("by default `%s`", value)
	}
	for _, bound := range []struct{ least, most, of string }{
		{"minimum", "maximum", ""}, {"minLength", "maxLength", " characters"}, {"minItems", "maxItems", " elements"},
	} {
		switch least, most := s.text(bound.least), s.text(bound.most); {
		case least != "" && most != "":
			add("%s to %s%s", least, most, bound.of)
		case least != "":
			add("at least %s%s", least, bound.of)
		case most != "":
			add("at most %s%s", most, bound.of)
		}
	}
	if format := s.text("format"); format != "" {
		add("format %s", format)
	}
	if pattern := s.text("pattern"); pattern != "" {
		add("like `%s`", pattern)
	}
	return all
}
