package apipage

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// place is a place in an OpenAPI document, references followed. Members
// keep the order in which they are written. The zero value is a place where
// nothing is.
type place struct {
	root, node *yaml.Node
	// name is the component's, if the place is one that a reference led to.
	name string
	// said is the description beside that reference, which goes before the
	// component's own.
	said string
}

func readDocument(text []byte) (place, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return place{}, fmt.Errorf("apipage: read the document: %w", err)
	}
	if root.Kind != yaml.DocumentNode || root.Content[0].Kind != yaml.MappingNode {
		return place{}, errors.New("apipage: read the document: it is no object")
	}
	top := root.Content[0]
	return place{root: top, node: top}, nil
}

func (d place) there() bool { return d.node != nil }

// get goes down, member by member.
func (d place) get(names ...string) place {
	for _, name := range names {
		found := place{}
		if d.node != nil && d.node.Kind == yaml.MappingNode {
			for i := 0; i+1 < len(d.node.Content); i += 2 {
				if d.node.Content[i].Value == name {
					found = place{root: d.root, node: d.node.Content[i+1]}.follow()
				}
			}
		}
		d = found
	}
	return d
}

func (d place) follow() place {
	if d.node == nil || d.node.Kind != yaml.MappingNode {
		return d
	}
	said := ""
	for i := 0; i+1 < len(d.node.Content); i += 2 {
		if d.node.Content[i].Value == "description" {
			said = d.node.Content[i+1].Value
		}
	}
	for i := 0; i+1 < len(d.node.Content); i += 2 {
		if path, local := strings.CutPrefix(d.node.Content[i+1].Value, "#/"); local && d.node.Content[i].Value == "$ref" {
			names := strings.Split(path, "/")
			target := place{root: d.root, node: d.root}.get(names...)
			target.name, target.said = names[len(names)-1], said
			return target
		}
	}
	return d
}

// text is a scalar, as it is written.
func (d place) text(names ...string) string {
	if found := d.get(names...); found.node != nil && found.node.Kind == yaml.ScalarNode {
		return found.node.Value
	}
	return ""
}

// description is the nearest one.
func (d place) description() string {
	if d.said != "" {
		return d.said
	}
	return d.text("description")
}

// members are those of an object, in order.
func (d place) members(names ...string) (keys []string, values []place) {
	found := d.get(names...)
	if found.node == nil || found.node.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(found.node.Content); i += 2 {
		keys = append(keys, found.node.Content[i].Value)
		values = append(values, place{root: d.root, node: found.node.Content[i+1]}.follow())
	}
	return keys, values
}

// elements are those of a list.
func (d place) elements(names ...string) []place {
	found := d.get(names...)
	if found.node == nil || found.node.Kind != yaml.SequenceNode {
		return nil
	}
	var all []place
	for _, n := range found.node.Content {
		all = append(all, place{root: d.root, node: n}.follow())
	}
	return all
}

// texts are the scalars of a list, or the one that stands in place of a list.
func (d place) texts(names ...string) []string {
	if one := d.text(names...); one != "" {
		return []string{one}
	}
	var all []string
	for _, e := range d.elements(names...) {
		all = append(all, e.node.Value)
	}
	return all
}

// json writes the place as JSON, its members in order.
func (d place) json(indent string) string {
	if d.node == nil {
		return ""
	}
	inner := indent + "  "
	var parts []string
	open, end := "{", "}"
	switch d.node.Kind {
	case yaml.MappingNode:
		keys, values := d.members()
		for i, key := range keys {
			parts = append(parts, strconv.Quote(key)+": "+values[i].json(inner))
		}
	case yaml.SequenceNode:
		open, end = "[", "]"
		short := true
		for _, e := range d.elements() {
			parts = append(parts, e.json(inner))
			short = short && e.node.Kind == yaml.ScalarNode
		}
		if short {
			return open + strings.Join(parts, ", ") + end
		}
	default:
		if tag := d.node.ShortTag(); tag == "!!int" || tag == "!!bool" || tag == "!!null" || tag == "!!float" {
			return d.node.Value
		}
		text, err := json.Marshal(d.node.Value)
		if err != nil { // texts always encode
			return `""`
		}
		return string(text)
	}
	if len(parts) == 0 {
		return open + end
	}
	return open + "\n" + inner + strings.Join(parts, ",\n"+inner) + "\n" + indent + end
}
