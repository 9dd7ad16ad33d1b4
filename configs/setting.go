package configs

import (
	"slices"

	"embedseal/domain/secret"
)

// standard is the source of a value that nobody chose.
const standard = "default"

// Setting is one value and where it came from.
type Setting struct {
	Key string `json:"key"`
	// Value is written as the environment variable would be; a secret that is
	// set shows as [secret.Redacted], one that is not as nothing.
	Value string `json:"value"`
	// Source is "default", "file PATH:LINE", "environment EMBEDSEAL_X",
	// "flag --x", or for a secret the setting that named its file.
	Source string `json:"source"`
}

// Settings is every key in the order of [Keys].
func (c Config) Settings() []Setting { return slices.Clone(c.settings) }

// setting shows value unless it must not be shown.
func setting(k Key, value, source string) Setting {
	if k.Kind == Secret && value != "" {
		value = secret.Redacted
	}
	return Setting{Key: k.Path, Value: value, Source: source}
}
