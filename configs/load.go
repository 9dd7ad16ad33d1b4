package configs

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

// Input is everything that [Load] may look at.
type Input struct {
	// File is the path that the user gave by flag; empty leaves the choice to
	// the environment variable [EnvFile], and without that there is no file.
	File string
	// Environ is as [os.Environ] gives it. Only our own prefix is looked at.
	Environ []string
	// Flags holds the text of every flag that the user gave, by path of the key.
	Flags map[string]string
	// Named holds, by path, the name of the flag that was used, where the key has
	// a second one.
	Named map[string]string
	// Unread are the paths of secrets whose files are left alone, because the
	// caller has no use for them and perhaps no right to read them. Nil reads
	// all.
	Unread []string
	// NoStore says that the caller opens no store: what only a store needs, and
	// what contradicts it, is not looked for.
	NoStore bool
	// Open is [os.Open] when nil.
	Open func(path string) (fs.File, error)
}

// Load joins the layers, the later before the earlier: defaults, file,
// environment, flags; then it reads the files of secrets. It finds every fault
// before it gives up: the error is an [*Invalid]. Relative paths are relative
// to the working directory.
func Load(in Input) (Config, error) {
	l := newLoader(in)
	layers := []map[string]any{l.defaults()}
	file, origin := l.fileName()
	if file != "" {
		layers = append(layers, l.file(file, origin))
	}
	layers = append(layers, l.environment(), l.flags())
	for _, layer := range layers {
		if err := l.join(layer); err != nil {
			return Config{}, err
		}
	}
	if err := l.join(l.secrets()); err != nil {
		return Config{}, err
	}
	c, err := l.config()
	if err != nil {
		return Config{}, err
	}
	l.contradictions(c)
	if len(l.faults) > 0 {
		return Config{}, &Invalid{Faults: l.faults}
	}
	c.File, c.Warnings = file, append(l.warnings, l.advice(c)...)
	return c, nil
}

// loader is one run of [Load]. A layer maps the paths of keys to a string, or
// to a []string for a list: what joins the layers copies them deeply, and would
// lose the insides of a parsed value. Nothing that is wrong gets into a layer.
type loader struct {
	in       Input
	keys     []Key
	byPath   map[string]Key
	merged   *koanf.Koanf
	sources  map[string]string
	wrong    map[string]bool
	faults   []Fault
	warnings []string
}

func newLoader(in Input) *loader {
	if in.Open == nil {
		in.Open = openFile
	}
	l := &loader{
		in: in, keys: Keys(), byPath: map[string]Key{},
		merged: koanf.New("."), sources: map[string]string{}, wrong: map[string]bool{},
	}
	for _, k := range l.keys {
		l.byPath[k.Path] = k
	}
	return l
}

func openFile(path string) (fs.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("configs: %w", err)
	}
	return f, nil
}

func (l *loader) defaults() map[string]any {
	layer := map[string]any{}
	for _, k := range l.keys {
		l.put(layer, k, k.values(k.Default))
	}
	return layer
}

func (l *loader) join(layer map[string]any) error {
	if err := l.merged.Load(confmap.Provider(layer, "."), nil); err != nil {
		return fmt.Errorf("configs: join layers: %w", err)
	}
	return nil
}

// take puts the values into layer if the key accepts them.
func (l *loader) take(layer map[string]any, k Key, values []string, source string) {
	if err := k.set(&Config{}, values); err != nil {
		l.fault(k.Path, source, err.Error())
		return
	}
	l.put(layer, k, values)
	l.sources[k.Path] = source
}

func (l *loader) put(layer map[string]any, k Key, values []string) {
	if k.Kind == List {
		layer[k.Path] = values
		return
	}
	layer[k.Path] = values[0]
}

func (l *loader) fault(key, source, detail string) {
	l.wrong[key] = true
	l.faults = append(l.faults, Fault{Key: key, Source: source, Detail: detail})
}

// source is where the value of path came from.
func (l *loader) source(path string) string {
	if s, ok := l.sources[path]; ok {
		return s
	}
	return standard
}

// values reads the joined layers.
func (l *loader) values(k Key) []string {
	if k.Kind == List {
		return l.merged.Strings(k.Path)
	}
	return []string{l.merged.String(k.Path)}
}

// config reads the joined layers. What is faulty has its default.
func (l *loader) config() (Config, error) {
	var c Config
	for _, k := range l.keys {
		values := l.values(k)
		c.settings = append(c.settings, setting(k, strings.Join(values, ","), l.source(k.Path)))
		if k.Kind == Secret && values[0] == "" {
			continue
		}
		if err := k.set(&c, values); err != nil {
			return Config{}, fmt.Errorf("configs: set %s: %w", k.Path, err)
		}
	}
	return c, nil
}

// paths is the name of every key.
func (l *loader) paths() []string {
	names := make([]string, 0, len(l.keys))
	for _, k := range l.keys {
		names = append(names, k.Path)
	}
	return names
}

// sections is the name of every section.
func (l *loader) sections() []string {
	var names []string
	for _, k := range l.keys {
		if name, _, ok := strings.Cut(k.Path, "."); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
