package configs

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// texts reads node as the values of a key. It does not convert: text that looks
// like a number to YAML is a mistake where text is wanted, and the other way
// round.
func texts(kind Kind, node *yaml.Node) ([]string, bool) {
	if kind == Duration && node.Kind == yaml.ScalarNode && node.Tag == "!!int" && node.Value == "0" {
		return []string{node.Value}, true // the one number that needs no unit
	}
	if kind != List {
		text, ok := scalar(node, tags(kind)...)
		return []string{text}, ok
	}
	if node.Kind != yaml.SequenceNode || node.Tag != "!!seq" {
		return nil, false
	}
	values := make([]string, 0, len(node.Content))
	for _, item := range node.Content {
		text, ok := scalar(item, "!!str")
		if !ok || item.Anchor != "" {
			return nil, false
		}
		values = append(values, text)
	}
	return values, true
}

func scalar(node *yaml.Node, tags ...string) (string, bool) {
	if node.Kind != yaml.ScalarNode || !slices.Contains(tags, node.Tag) {
		return "", false
	}
	if node.Tag == "!!bool" {
		return strings.ToLower(node.Value), true
	}
	return node.Value, true
}

// tags are the YAML types that a value of kind may have.
func tags(kind Kind) []string {
	switch kind {
	case Switch:
		return []string{"!!bool", "!!str"}
	case Number:
		return []string{"!!int", "!!float"}
	case Integer:
		return []string{"!!int"}
	case Text, Duration, List, Secret, SecretFile:
	}
	return []string{"!!str"}
}

// wanted is kind in words.
func wanted(kind Kind) string {
	switch kind {
	case Switch:
		return "on or off"
	case Number:
		return "a number"
	case Integer:
		return "a whole number"
	case Duration:
		return "a duration with its unit, such as 10s"
	case List:
		return "a list of texts, such as [\"a\", \"b\"]"
	case Secret, SecretFile, Text:
		return "text; put it in quotes if it looks like something else"
	}
	return "text"
}

// described is what node is, in words, without its value.
func described(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	case yaml.DocumentNode, yaml.ScalarNode:
	}
	switch node.Tag {
	case "!!null":
		return "left empty"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	case "!!timestamp":
		return "a date"
	case "!!str":
		return "text"
	}
	return "of another type"
}
