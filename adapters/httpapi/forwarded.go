package httpapi

import (
	"errors"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Where an embed token may stand in the request that a proxy asks about.
const (
	forwardedHeader = "Embed-Token"
	forwardedName   = "embed_token" // of a cookie, and of a parameter of the query
	forwardedCookie = "__Host-" + forwardedName
	forwardedFolder = "iframe" // /iframe/<token>/…
)

// forwardedURIs are the headers in which proxies hand over the address that they
// were asked for: nginx as it is configured, Traefik and Caddy by themselves.
func forwardedURIs() []string { return []string{"X-Original-Uri", "X-Forwarded-Uri"} }

var (
	errNoEmbedToken = errors.New("the request has no embed token")
	// errUnclear: two readers of the request could find different embed tokens in
	// it, one of them perhaps the program behind the proxy.
	errUnclear = errors.New("the request does not name one embed token")
)

// embedToken is the one embed token of a request that a proxy asks about. header
// is that of the proxy's question: it has the client's own beside what the proxy
// adds, and nobody can tell which is whose. So all places are looked at, and must
// agree. rest is what the path of the question has behind the route, with its
// query: some proxies put the address there.
//
// Errors: [errNoEmbedToken], [errUnclear].
func embedToken(header http.Header, rest string) (string, error) {
	var found sighting
	found.one(header[forwardedHeader])
	found.cookies(header["Cookie"])
	for _, name := range forwardedURIs() {
		switch values := header[name]; {
		case len(values) > 1:
			found.unclear = true
		case len(values) == 1:
			found.uri(values[0])
		}
	}
	if rest != "" {
		found.uri(rest)
	}
	switch {
	case found.unclear:
		return "", errUnclear
	case found.text == "":
		return "", errNoEmbedToken
	}
	return found.text, nil
}

// sighting is what was found so far.
type sighting struct {
	text    string
	unclear bool
}

// take notes a text. An empty one is nothing: a cookie that was emptied is none.
func (s *sighting) take(text string) {
	if text == "" {
		return
	}
	s.unclear = s.unclear || s.text != "" && s.text != text
	s.text = text
}

func (s *sighting) one(values []string) {
	s.unclear = s.unclear || len(values) > 1
	for _, v := range values {
		s.take(v)
	}
}

// cookies reads them as they stand: no quotes are taken off, nothing is decoded.
func (s *sighting) cookies(lines []string) {
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			name, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
			if ours(name) {
				s.take(value)
				continue
			}
			for part := range strings.SplitSeq(pair, ",") { // where some begin the next one
				name, _, set := strings.Cut(part, "=")
				s.unclear = s.unclear || set && nearlyOurs(name)
			}
		}
	}
}

func ours(name string) bool { return name == forwardedName || name == forwardedCookie }

// nearlyOurs reports whether some framework takes the name of a cookie or of a
// parameter for one of ours: decoded, without white space around it, in any case,
// and as PHP registers it.
func nearlyOurs(name string) bool {
	if len(name) < len(forwardedName) {
		return false
	}
	name, _, _ = strings.Cut(decodedOnce(name), "\x00")
	name = strings.TrimFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' })
	name, _, _ = strings.Cut(name, "[")
	name = strings.Map(func(r rune) rune {
		if r == '.' || r == ' ' || r == '+' {
			return '_'
		}
		return r
	}, name)
	return strings.EqualFold(name, forwardedName) || strings.EqualFold(name, forwardedCookie)
}

// uri reads an address as it stands in a request line (RFC 9112 section 3.2.1).
func (s *sighting) uri(text string) {
	foreign := func(r rune) bool { return r <= ' ' || r > '~' || r == '#' }
	if !strings.HasPrefix(text, "/") || strings.ContainsFunc(text, foreign) {
		s.unclear = true
		return
	}
	path, query, _ := strings.Cut(text, "?")
	s.path(path)
	s.query(query)
}

// path looks for /iframe/<token>/…, percent-decoded once. The program behind the
// proxy may read the path in another way, and find an /iframe/ where there is
// none, or another token in it: then nothing is found, and the request is unclear.
func (s *sighting) path(path string) {
	strict := strings.Split(path, "/")[1:]
	for i, segment := range strict {
		strict[i] = decodedOnce(segment)
	}
	token, is := framed(strict, func(name string) bool { return name == forwardedFolder })
	for depth := 0; ; depth++ {
		decoded := decodedOnce(path)
		for how := range readingsOf(decoded) {
			other, seen := framed(how.read(decoded), func(name string) bool { return strings.EqualFold(name, forwardedFolder) })
			if seen != is || other != token {
				s.unclear = true
				return
			}
		}
		if decoded == path {
			break
		}
		if depth == maxDecoded {
			s.unclear = true
			return
		}
		path = decoded
	}
	s.take(token)
}

// maxDecoded is how often a path may be percent-encoded over.
const maxDecoded = 4

// framed is the token of a path in segments, and whether there is the folder for
// it.
func framed(segments []string, folder func(string) bool) (token string, is bool) {
	if len(segments) == 0 || !folder(segments[0]) {
		return "", false
	}
	if len(segments) > 1 {
		token = segments[1]
	}
	return token, true
}

// reading is how a server that wants to please takes a path apart. One that does
// more of it may lose what another finds: all combinations are tried.
type reading uint8

const (
	turned  reading = 1 << iota // backslashes separate
	bared                       // parameters behind a semicolon are dropped
	joined                      // empty segments are dropped
	walked                      // dots are followed
	allRead                     // how many combinations there are
)

// readingsOf are those that can differ on a path.
func readingsOf(path string) iter.Seq[reading] {
	plain := !strings.ContainsAny(path, `\;`) && !strings.Contains(path, "//") && !strings.Contains(path, "/.")
	return func(yield func(reading) bool) {
		for how := range allRead {
			if !yield(how) || plain {
				return
			}
		}
	}
}

func (how reading) read(path string) []string {
	if how&turned != 0 {
		path = strings.ReplaceAll(path, `\`, "/")
	}
	var segments []string
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if how&bared != 0 {
			segment, _, _ = strings.Cut(segment, ";")
		}
		switch {
		case segment == "" && how&joined != 0, segment == "." && how&walked != 0:
		case segment == ".." && how&walked != 0:
			segments = segments[:max(len(segments)-1, 0)]
		default:
			segments = append(segments, segment)
		}
	}
	return segments
}

// decodedOnce leaves what is no escape as it stands.
func decodedOnce(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if high, low := unhex(text[i+1]), unhex(text[i+2]); high >= 0 && low >= 0 {
				out = append(out, byte(high<<4|low))
				i += 2
				continue
			}
		}
		out = append(out, text[i])
	}
	return string(out)
}

// unhex is -1 for what is no hexadecimal digit.
func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// query looks for the parameter embed_token. Others are let be, whatever is in
// them, unless their name cannot be read.
func (s *sighting) query(query string) {
	for pair := range strings.SplitSeq(query, "&") {
		for i, part := range slices.Collect(strings.SplitSeq(pair, ";")) {
			name, _, _ := strings.Cut(part, "=")
			name, err := url.QueryUnescape(name)
			switch {
			case i == 0 && err != nil, (i > 0 || name != forwardedName) && nearlyOurs(name): // some split at semicolons too
				s.unclear = true
			case i == 0 && name == forwardedName:
				_, value, _ := strings.Cut(pair, "=")
				text, err := url.QueryUnescape(value)
				s.unclear = s.unclear || err != nil
				s.take(text)
			}
		}
	}
}
