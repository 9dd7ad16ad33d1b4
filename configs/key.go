package configs

import "strings"

// envPrefix begins the name of every environment variable that is ours.
const envPrefix = "EMBEDSEAL_"

// EnvFile is the environment variable that names the configuration file.
const EnvFile = envPrefix + "CONFIG"

// fileKey stands for the configuration file itself, which is no setting.
const fileKey = "config"

// Kind is how a value is written.
type Kind string

// The kinds. A [List] is a sequence in a file, and parted by commas everywhere
// else. A [Secret] has no flag and is never shown.
const (
	Text       Kind = "text"
	Switch     Kind = "switch"
	Duration   Kind = "duration"
	Number     Kind = "number"
	Integer    Kind = "integer"
	List       Kind = "list"
	Secret     Kind = "secret"
	SecretFile Kind = "secret file"
)

// fileSuffix makes the path of a secret's file from the path of the secret.
const fileSuffix = "_file"

// Key is one setting.
type Key struct {
	// Path is the name in the file, its section before a dot: http.listen.
	Path string
	Kind Kind
	// Default is written as the environment variable would be.
	Default string
	// Accepts says in words which values are allowed.
	Accepts string
	// Doc is one sentence for the documentation and for --help.
	Doc string
	// Alias is the name of a second, shorter flag, or empty.
	Alias string

	// set reads the values (one, but for a list) into a Config. Its error does
	// not name the key, and holds no secret.
	set func(c *Config, values []string) error
}

// Env is the name of the key's environment variable.
func (k Key) Env() string { return envName(k.Path) }

func envName(path string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// Flag is the name of the key's flag without its dashes. A secret has none,
// because every process of the machine can read the arguments of another.
func (k Key) Flag() string {
	if k.Kind == Secret {
		return ""
	}
	return flagName(k.Path)
}

func flagName(path string) string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(path)
}

// values parts the text of an environment variable or a flag.
func (k Key) values(text string) []string {
	if k.Kind != List {
		return []string{text}
	}
	values := []string{}
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" || strings.TrimSpace(text) != "" {
			values = append(values, item)
		}
	}
	return values
}

// row joins what a key accepts to where its value goes.
func row[T any](path, standard string, g grammar[T], field func(*Config) *T, doc string) Key {
	return Key{
		Path: path, Kind: g.kind, Default: standard, Accepts: g.accepts, Doc: doc,
		set: func(c *Config, values []string) error {
			value, err := g.parse(values)
			if err != nil {
				return err
			}
			*field(c) = value
			return nil
		},
	}
}
