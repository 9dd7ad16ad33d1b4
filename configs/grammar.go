package configs

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"embedseal/adapters/vault"
	"embedseal/domain/key"
	"embedseal/domain/secret"
)

// Bounds that keep a mistake from becoming a setting.
const (
	maxText  = 4096
	maxItems = 256
	maxRate  = 1_000_000
)

// grammar is what a key accepts and how that is read.
type grammar[T any] struct {
	kind    Kind
	accepts string
	parse   func(values []string) (T, error)
}

// single is a grammar for one value; it refuses what could break a log line.
func single[T any](kind Kind, accepts string, parse func(string) (T, error)) grammar[T] {
	return grammar[T]{kind, accepts, func(values []string) (T, error) {
		var none T
		if len(values) != 1 {
			return none, errors.New("want one value")
		}
		if err := plain(values[0]); err != nil {
			return none, err
		}
		return parse(values[0])
	}}
}

func listOf[T any](accepts string, parse func(string) (T, error)) grammar[[]T] {
	return grammar[[]T]{List, "a list of " + accepts, func(values []string) ([]T, error) {
		if len(values) > maxItems {
			return nil, fmt.Errorf("has %d entries, want at most %d", len(values), maxItems)
		}
		list := make([]T, 0, len(values))
		for i, v := range values {
			if err := plain(v); err != nil {
				return nil, fmt.Errorf("entry %d %w", i+1, err)
			}
			item, err := parse(v)
			if err != nil {
				return nil, fmt.Errorf("entry %d: %w", i+1, err)
			}
			list = append(list, item)
		}
		return list, nil
	}}
}

// plain refuses without showing: the text may be a secret.
func plain(s string) error {
	switch {
	case len(s) > maxText:
		return fmt.Errorf("has %d bytes, want at most %d", len(s), maxText)
	case !utf8.ValidString(s):
		return errors.New("is not valid UTF-8")
	case strings.ContainsFunc(s, unicode.IsControl):
		return errors.New("has a control character or a line break in it")
	}
	return nil
}

// shown quotes a value that is no secret, cut to what fits on a line.
func shown(s string) string {
	if len(s) > 64 {
		s = strings.ToValidUTF8(s[:64], "") + "…"
	}
	return strconv.Quote(s)
}

func oneOf(words ...string) grammar[string] {
	list := strings.Join(words, ", ")
	return single(Text, "one of "+list, func(s string) (string, error) {
		for _, w := range words {
			if s == w {
				return w, nil
			}
		}
		return "", fmt.Errorf("%s is none of %s", shown(s), list)
	})
}

func logLevel() grammar[slog.Level] {
	words := oneOf("debug", "info", "warn", "error")
	return grammar[slog.Level]{words.kind, words.accepts, func(values []string) (slog.Level, error) {
		word, err := words.parse(values)
		return map[string]slog.Level{
			"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
		}[word], err
	}}
}

func custody() grammar[key.Custody] {
	words := oneOf(key.Material.String(), key.VaultTransit.String())
	return grammar[key.Custody]{words.kind, words.accepts, func(values []string) (key.Custody, error) {
		word, err := words.parse(values)
		if err != nil {
			return 0, err
		}
		return key.ParseCustody(word)
	}}
}

// optional accepts the empty text, too.
func optional(g grammar[string]) grammar[string] {
	parse := g.parse
	g.accepts += ", or nothing"
	g.parse = func(values []string) (string, error) {
		if len(values) == 1 && values[0] == "" {
			return "", nil
		}
		return parse(values)
	}
	return g
}

// vaultPath is what stands in the paths of Vault's API.
func vaultPath(what string) grammar[string] {
	return single(Text, what+": A-Z, a-z, 0-9, ., _ and -, with single slashes in between", func(s string) (string, error) {
		if _, err := vault.ParsePath(s); err != nil {
			return "", fmt.Errorf("%s %w", shown(s), err)
		}
		return s, nil
	})
}

// name is a word that somebody else gives a meaning to.
func name(s string) (string, error) {
	if strings.ContainsFunc(s, unicode.IsSpace) {
		return "", errors.New("has a space in it")
	}
	return s, nil
}

func host(s string) (string, error) {
	if _, err := netip.ParseAddr(s); err != nil && !hostName(s) {
		return "", fmt.Errorf("%s names no host", shown(s))
	}
	return s, nil
}

func onOff() grammar[bool] {
	return single(Switch, "on or off (true or false)", func(s string) (bool, error) {
		switch s {
		case "on", "true":
			return true, nil
		case "off", "false":
			return false, nil
		}
		return false, fmt.Errorf("%s is neither on nor off", shown(s))
	})
}

// directory is a path that must be given: what expanded to nothing in a script
// must not make a store in the wrong place.
func directory() grammar[string] {
	return single(Text, "a path", func(s string) (string, error) {
		if s == "" {
			return "", errors.New("is empty; leave it out, or name a directory")
		}
		return checkPath(s)
	})
}

func pathOrStream() grammar[string] { return single(Text, "a path, or -", checkPath) }

// path may be empty: nothing was named.
func path() grammar[string] { return single(Text, "a path", checkPath) }

func secretFile() grammar[string] { return single(SecretFile, "a path", checkPath) }

func checkPath(s string) (string, error) {
	if s == "~" || strings.HasPrefix(s, "~/") {
		return "", errors.New("begins with ~, which only a shell understands; write the directory in full")
	}
	return s, nil
}

// masterKey leaves the form of the key to the store that uses it.
func masterKey() grammar[secret.Text] {
	return secretText("text without spaces", func(string) error { return nil })
}

// secretText reads a secret; check must not put its argument into its error.
func secretText(accepts string, check func(string) error) grammar[secret.Text] {
	return single(Secret, accepts, func(s string) (secret.Text, error) {
		switch {
		case s == "":
			return secret.Text{}, errors.New("is empty")
		case strings.ContainsFunc(s, unicode.IsSpace):
			return secret.Text{}, errors.New("has a space in it")
		}
		if err := check(s); err != nil {
			return secret.Text{}, err
		}
		return secret.New(s), nil
	})
}

// leastOperatorToken is the shortest operator token, in bytes: one that nobody
// guesses.
const leastOperatorToken = 32

func operatorToken() grammar[secret.Text] {
	return secretText("32 or more printable ASCII characters without a space", func(text string) error {
		if len(text) < leastOperatorToken {
			return fmt.Errorf("is shorter than %d characters", leastOperatorToken)
		}
		if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return errors.New("has a character in it that is not printable ASCII")
		}
		return nil
	})
}

func within(least, most time.Duration) grammar[time.Duration] {
	accepts := fmt.Sprintf("a duration from %s to %s", compact(least), compact(most))
	return single(Duration, accepts, func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		switch {
		case err != nil:
			return 0, fmt.Errorf("%s is not a duration; write a number and a unit, such as 10s or 1m30s", shown(s))
		case d < least || d > most:
			return 0, fmt.Errorf("%s is out of range: want %s to %s", shown(s), compact(least), compact(most))
		}
		return d, nil
	})
}

// compact leaves out the zero units that [time.Duration.String] writes.
func compact(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func perSecond() grammar[float64] {
	return single(Number, "a number above 0, at most 1000000", func(s string) (float64, error) {
		n, err := strconv.ParseFloat(s, 64)
		switch {
		case err != nil || strings.Trim(s, "0123456789.-") != "":
			return 0, fmt.Errorf("%s is not a decimal number", shown(s))
		case n <= 0 || n > maxRate:
			return 0, fmt.Errorf("%s is out of range: want above 0, at most %d", shown(s), maxRate)
		}
		return n, nil
	})
}

func burst() grammar[int] { return wholeFrom(1, maxRate) }

func wholeFrom(least, most int) grammar[int] {
	return single(Integer, fmt.Sprintf("a whole number from %d to %d", least, most), func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		switch {
		case errors.Is(err, strconv.ErrRange) || err == nil && (n < least || n > most):
			return 0, fmt.Errorf("%s is out of range: want %d to %d", shown(s), least, most)
		case err != nil:
			return 0, fmt.Errorf("%s is not a whole number", shown(s))
		}
		return n, nil
	})
}

// bytesWithin reads a number of bytes with its unit: a bare number could be meant as
// anything.
func bytesWithin(least, most int64) grammar[int64] {
	accepts := fmt.Sprintf("a whole number with KiB, MiB or GiB, from %s to %s", compactBytes(least), compactBytes(most))
	return single(Text, accepts, func(s string) (int64, error) {
		for unit, size := range byteUnits() {
			digits, found := strings.CutSuffix(s, unit)
			n, err := strconv.ParseUint(digits, 10, 32)
			if !found || err != nil && !errors.Is(err, strconv.ErrRange) {
				continue
			}
			if total := int64(n) * size; err == nil && total >= least && total <= most {
				return total, nil
			}
			return 0, fmt.Errorf("%s is out of range: want %s to %s", shown(s), compactBytes(least), compactBytes(most))
		}
		return 0, fmt.Errorf("%s is not a number of bytes; write a whole number and a unit, such as 64MiB", shown(s))
	})
}

func byteUnits() map[string]int64 {
	return map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
}

func compactBytes(n int64) string {
	for _, unit := range []string{"GiB", "MiB"} {
		if size := byteUnits()[unit]; n%size == 0 {
			return strconv.FormatInt(n/size, 10) + unit
		}
	}
	return strconv.FormatInt(n/byteUnits()["KiB"], 10) + "KiB"
}

func hostPort() grammar[string] {
	return single(Text, "host:port", func(s string) (string, error) {
		host, port, err := net.SplitHostPort(s)
		if err != nil {
			return "", fmt.Errorf("%s is not host:port, such as 127.0.0.1:8080 or [::1]:8080", shown(s))
		}
		if port == "" || !validPort(port) {
			return "", fmt.Errorf("%s has no port from 0 to 65535", shown(s))
		}
		if _, err := netip.ParseAddr(host); host != "" && err != nil && !hostName(host) {
			return "", fmt.Errorf("%s names no host", shown(s))
		}
		return s, nil
	})
}

// validPort takes an absent port for a valid one.
func validPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return s == "" || err == nil
}

func hostName(s string) bool {
	const digits = "0123456789."
	return len(s) <= 253 && strings.Trim(s, digits) != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.'
	})
}

// network reads a network, or an address as the network of it alone.
func network(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("%s is neither an address nor a network such as 10.0.0.0/8", shown(s))
	case p.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("%s mixes IPv4 and IPv6; write the IPv4 network", shown(s))
	case p.Bits() == 0:
		return netip.Prefix{}, fmt.Errorf("%s is every address: anybody could claim to be anybody", shown(s))
	case p != p.Masked():
		return netip.Prefix{}, fmt.Errorf("%s has address bits beyond its length; write %s, or the address alone", shown(s), p.Masked())
	}
	return p, nil
}

// baseURL never shows the value: it may have a password in it.
func baseURL() grammar[string] {
	return single(Text, "an http or https URL", func(s string) (string, error) {
		u, err := url.Parse(s)
		switch {
		case err != nil || !validPort(u.Port()) || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.Opaque != "":
			return "", errors.New("is not an http or https URL with a host")
		case u.User != nil:
			return "", errors.New("has a user or a password in it; the API token is given by itself")
		case u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#"):
			return "", errors.New("has a query or a fragment in it")
		}
		return strings.TrimRight(s, "/"), nil
	})
}
