package configs

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// ours is every variable with our prefix, the last of two with one name.
func (l *loader) ours() map[string]string {
	vars := map[string]string{}
	for _, entry := range l.in.Environ {
		if name, value, ok := strings.Cut(entry, "="); ok && strings.HasPrefix(name, envPrefix) {
			vars[name] = value
		}
	}
	return vars
}

// fileName is the configuration file and where its name came from.
func (l *loader) fileName() (file, origin string) {
	if l.in.File != "" {
		return l.in.File, "flag --config"
	}
	return l.ours()[EnvFile], "environment " + EnvFile
}

// environment reads the variables of the known keys; every other one with our
// prefix is a fault.
func (l *loader) environment() map[string]any {
	layer, vars, byEnv := map[string]any{}, l.ours(), map[string]Key{}
	for _, k := range l.keys {
		byEnv[k.Env()] = k
	}
	known := append(l.paths(), fileKey)
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		source, plainName := "environment "+word(name), strings.ToLower(strings.TrimPrefix(name, envPrefix))
		k, ok := byEnv[name]
		switch {
		case ok && unset(k, vars[name]):
			l.fault(k.Path, source, "is empty; unset the variable, or give it a value")
		case ok:
			l.take(layer, k, k.values(vars[name]), source)
		case name != EnvFile && !serviceLink(name, vars):
			l.fault("", source, "unknown variable"+suggestion(plainName, known, envName))
		}
	}
	return layer
}

// flags reads the flags that the user gave.
func (l *loader) flags() map[string]any {
	layer := map[string]any{}
	for _, path := range slices.Sorted(maps.Keys(l.in.Flags)) {
		k, ok := l.byPath[path]
		name := flagName(word(path))
		if used := l.in.Named[path]; used != "" && used == k.Alias {
			name = used
		}
		source := "flag --" + name
		switch text := l.in.Flags[path]; {
		case !ok:
			l.fault(word(path), source, "unknown key"+suggestion(path, l.paths(), asPath))
		case k.Kind == Secret:
			l.fault(path, source, "a secret does not travel on the command line; use --"+flagName(path+fileSuffix)+" or "+k.Env())
		case unset(k, text):
			l.fault(path, source, "is empty; leave the flag out, or give it a value")
		default:
			l.take(layer, k, k.values(text), source)
		}
	}
	return layer
}

// unset reports a secret that somebody meant to give: what expanded to nothing
// must not silently become a weaker default.
func unset(k Key, text string) bool {
	return text == "" && (k.Kind == Secret || k.Kind == SecretFile)
}

// serviceLink reports a variable that Kubernetes puts into every container of
// the namespace for a service called embedseal or embedseal-something: it is
// not about us.
// https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
func serviceLink(name string, vars map[string]string) bool {
	link := regexp.MustCompile(`^(.+?)_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)
	match := link.FindStringSubmatch(name)
	if match == nil {
		return false
	}
	_, ok := vars[match[1]+"_SERVICE_HOST"]
	return ok
}

// word is as much of a name as is safe to show: what follows the first strange
// character may be a secret that was run into the name.
func word(name string) string {
	const longest = 64
	end := strings.IndexFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '.' && r != '-'
	})
	if end < 0 {
		end = len(name)
	}
	if end = min(end, longest); end < len(name) {
		return name[:end] + "…"
	}
	return name
}
