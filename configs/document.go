package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile is how large a configuration file may be, in bytes.
const maxFile = 1 << 20

// document is a configuration file while it is read.
type document struct {
	*loader
	path  string
	layer map[string]any
	// inline is set when a secret stands in the file itself.
	inline bool
}

// file reads the configuration file. It walks the nodes instead of decoding
// them, because only nodes know their lines, and a decoder lets pass what this
// refuses: two documents, anchors, tags, values of a neighbouring type.
func (l *loader) file(path, origin string) map[string]any {
	d := &document{loader: l, path: path, layer: map[string]any{}}
	data, mode, err := l.read(path, maxFile)
	if err != nil {
		l.fault(fileKey, origin, "the file "+strconv.Quote(path)+" "+err.Error())
		return d.layer
	}
	if line, ok := strangeLine(data); ok {
		d.faultAt("", line, "has a control character in it, or what is not UTF-8")
		return d.layer
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var root, second yaml.Node
	switch err := dec.Decode(&root); {
	case errors.Is(err, io.EOF):
		return d.layer
	case err != nil:
		line, detail := syntaxFault(data, err)
		d.faultAt("", line, detail)
		return d.layer
	}
	d.top(root.Content[0])
	switch err := dec.Decode(&second); {
	case err == nil:
		d.faultAt("", second.Line, "a second document begins here, want one")
	case !errors.Is(err, io.EOF):
		line, detail := syntaxFault(data, err)
		d.faultAt("", line, detail)
	}
	if d.inline && shared(mode) {
		l.warnings = append(l.warnings, fmt.Sprintf("file %s: it holds a secret and is open to others (mode %04o); chmod 600 it", path, mode.Perm()))
	}
	return d.layer
}

func (d *document) at(line int) string { return fmt.Sprintf("file %s:%d", d.path, line) }

func (d *document) faultAt(key string, line int, detail string) { d.fault(key, d.at(line), detail) }

func (d *document) top(root *yaml.Node) {
	switch {
	case root.Kind == yaml.MappingNode && d.ordinary("", root):
		d.mapping("", root)
	case root.Kind == yaml.ScalarNode && root.Tag == "!!null":
		return
	case root.Kind != yaml.MappingNode:
		d.faultAt("", root.Line, "the file is "+described(root)+", want lines of the form key: value")
	}
}

// mapping reads the keys of the section prefix, which is "" or ends in a dot.
func (d *document) mapping(prefix string, node *yaml.Node) {
	first := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		if name.Kind != yaml.ScalarNode || name.Tag != "!!str" || name.Anchor != "" {
			d.faultAt(strings.TrimSuffix(prefix, "."), name.Line, "has a key that is not plain text")
			continue
		}
		path := prefix + name.Value
		if line, ok := first[name.Value]; ok {
			d.faultAt(word(path), name.Line, fmt.Sprintf("stands twice, first on line %d", line))
			continue
		}
		first[name.Value] = name.Line
		d.entry(prefix, name, value)
	}
}

// entry is one key with what stands beside it: a setting, a section, or a
// mistake.
func (d *document) entry(prefix string, name, value *yaml.Node) {
	path := prefix + name.Value
	section, leaf, dotted := strings.Cut(name.Value, ".")
	k, known := d.byPath[path]
	switch {
	case known && dotted:
		d.faultAt(path, name.Line, fmt.Sprintf("a dot does not part keys in a file; write %s beneath %s:", leaf, section))
	case known:
		d.value(k, value)
	case !slices.Contains(d.sections(), path):
		candidates := d.paths()
		if value.Kind == yaml.MappingNode {
			candidates = d.sections()
		}
		d.faultAt(word(path), name.Line, "unknown key"+suggestion(path, candidates, asPath))
	case !d.ordinary(path, value) || value.Tag == "!!null":
		// a section whose every key is commented out
	case value.Kind != yaml.MappingNode:
		d.faultAt(path, value.Line, "is "+described(value)+", want the keys of the section, indented beneath it")
	default:
		d.mapping(path+".", value)
	}
}

// value reads the value of a key.
func (d *document) value(k Key, node *yaml.Node) {
	if !d.ordinary(k.Path, node) {
		return
	}
	values, ok := texts(k.Kind, node)
	if !ok {
		d.faultAt(k.Path, node.Line, fmt.Sprintf("is %s, want %s", described(node), wanted(k.Kind)))
		return
	}
	d.inline = d.inline || k.Kind == Secret
	d.take(d.layer, k, values, d.at(node.Line))
}

// ordinary refuses what makes one place of the file depend on another.
func (d *document) ordinary(path string, node *yaml.Node) bool {
	if node.Kind == yaml.AliasNode || node.Anchor != "" {
		d.faultAt(path, node.Line, "anchors and aliases are not supported; quote a value that begins with & or *")
		return false
	}
	return true
}
