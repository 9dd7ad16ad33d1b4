package plainhttp

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// verdict is what the data of a connection begins with.
type verdict uint8

const (
	// partial may become a plain request when more has come.
	partial verdict = iota
	// whole is one plain request, with nothing behind it.
	whole
	// foreign is for net/http, whatever it is.
	foreign
)

// incoming is the request at hand of a connection. Its parts are used again for the
// next one, but for its texts.
type incoming struct {
	http.Request
	// blank is what a request begins as: handlers may leave something in theirs.
	blank  http.Request
	header http.Header
	values []string // what the slices in header are cut from
	// target is what url was parsed from: most requests of a connection have the same.
	target string
	url    url.URL
	body   body
}

// prepare sets what all requests of a connection have in common.
func (r *incoming) prepare(ctx context.Context, remote net.Addr) {
	r.header = make(http.Header, 8)
	r.blank = *(&http.Request{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: r.header}).WithContext(ctx)
	if remote != nil {
		r.blank.RemoteAddr = remote.String()
	}
}

// body is what a handler reads of a request.
type body struct{ bytes.Reader }

// Close implements [io.Closer].
func (*body) Close() error { return nil }

// end takes the body away from a handler that has returned.
func (r *incoming) end() { r.body.Reset(nil) }

// parse reads data as one request of those that are served here. It is plain when
//
//   - its lines end in CR LF, and hold nothing but ASCII that can be seen, spaces and
//     tabs;
//   - it is a POST that says its length once and in digits, or a GET without a body,
//     of HTTP/1.1 and with one Host;
//   - no field asks for something of the connection, says in another way where the
//     request ends, or means more than a handler is told by it;
//   - nothing comes behind it.
//
// So there are no two ways to see where it begins or ends, and it says to the handler
// what it would if net/http had read it: tests compare the two.
func (r *incoming) parse(data []byte, serves func(method, path string) bool) verdict {
	end := bytes.Index(data, []byte("\r\n\r\n"))
	if end < 0 {
		return partial
	}
	end += len("\r\n\r\n")
	r.Request = r.blank
	text := string(data[:end-2]) // one piece of memory for all texts, which may outlive data
	line, rest, ok := cutLine(text)
	if !ok || !r.takeLine(line) || !serves(r.Method, r.URL.Path) {
		return foreign
	}
	length, ok := r.takeFields(rest)
	if !ok || (r.Method == http.MethodGet) != (length < 0) {
		return foreign
	}
	r.ContentLength = max(length, 0)
	switch got := int64(len(data) - end); {
	case got < r.ContentLength:
		return partial
	case got > r.ContentLength:
		return foreign
	}
	r.Body = http.NoBody
	if r.ContentLength > 0 {
		r.body.Reset(data[end:])
		r.Body = &r.body
	}
	return whole
}

// cutLine cuts the first line off.
func cutLine(text string) (line, rest string, ok bool) {
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\r':
			if i+1 < len(text) && text[i+1] == '\n' {
				return text[:i], text[i+2:], true
			}
			return "", "", false
		case c < ' ' && c != '\t', c > '~':
			return "", "", false
		}
	}
	return "", "", false
}

// takeLine reads the request line.
func (r *incoming) takeLine(line string) bool {
	method, rest, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(rest, " ")
	if method != http.MethodPost && method != http.MethodGet || version != "HTTP/1.1" || target == "" || target[0] != '/' {
		return false
	}
	if target != r.target {
		target = strings.Clone(target) // or it would keep the whole header, API token and all
		parsed, err := url.ParseRequestURI(target)
		if err != nil || strings.ContainsAny(target, "#\t") {
			return false
		}
		r.target, r.url = target, *parsed
	}
	r.Method, r.RequestURI = method, r.target
	at := r.url // a handler may change its own
	r.URL = &at
	return true
}

// takeFields reads the lines of the header. length is -1 where none is said.
func (r *incoming) takeFields(rest string) (length int64, ok bool) {
	length = -1
	clear(r.header)
	clear(r.values) // or what the next request has no field for would be kept
	r.values = r.values[:0]
	for len(rest) > 0 {
		var line string
		if line, rest, ok = cutLine(rest); !ok {
			return 0, false
		}
		name, value, ok := cutField(line)
		if !ok {
			return 0, false
		}
		switch name {
		case "Host":
			if r.Host != "" || !plainHost(value) {
				return 0, false
			}
			r.Host = value // and not in the header, as net/http does it
			continue
		case "Content-Length":
			if length >= 0 {
				return 0, false
			}
			if length = digits(value); length < 0 {
				return 0, false
			}
		case "Connection":
			if !strings.EqualFold(value, "keep-alive") {
				return 0, false
			}
		case "Transfer-Encoding", "Trailer", "Te", "Upgrade", "Expect", "Keep-Alive", "Proxy-Connection",
			"Pragma": // which net/http makes a Cache-Control of
			return 0, false
		}
		if len(r.values) >= maxFields {
			return 0, false
		}
		r.add(name, value)
	}
	return length, r.Host != ""
}

// maxFields is how many fields a plain request may have, but for Host. What holds them
// is kept for the next request, and is so never large.
const maxFields = 64

func (r *incoming) add(name, value string) {
	if before, there := r.header[name]; there {
		r.header[name] = append(before, value)
		return
	}
	at := len(r.values)
	r.values = append(r.values, value)
	r.header[name] = r.values[at : at+1 : at+1]
}

// cutField cuts a line into the name, as it stands in [http.Header], and the value
// without the white space around it.
func cutField(line string) (name, value string, ok bool) {
	canonical, first := true, true
	for i := range len(line) {
		switch c := line[i]; {
		case c == ':' && i > 0:
			name, value = line[:i], trim(line[i+1:])
			if !canonical {
				name = http.CanonicalHeaderKey(name)
			}
			return name, value, true
		case c >= 'a' && c <= 'z':
			canonical = canonical && !first
		case c >= 'A' && c <= 'Z':
			canonical = canonical && first
		case c != '-' && c != '_' && (c < '0' || c > '9'):
			return "", "", false
		}
		first = line[i] == '-'
	}
	return "", "", false
}

// trim takes the white space around a value off.
func trim(value string) string {
	for len(value) > 0 && (value[0] == ' ' || value[0] == '\t') {
		value = value[1:]
	}
	for len(value) > 0 && (value[len(value)-1] == ' ' || value[len(value)-1] == '\t') {
		value = value[:len(value)-1]
	}
	return value
}

// plainHost is true of names and addresses, with or without a port.
func plainHost(value string) bool {
	for i := range len(value) {
		switch c := value[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			c == '.', c == '-', c == '_', c == ':', c == '[', c == ']':
		default:
			return false
		}
	}
	return value != ""
}

// digits is a number of one to five digits; -1 for anything else.
func digits(value string) int64 {
	if value == "" || len(value) > 5 {
		return -1
	}
	n := int64(0)
	for i := range len(value) {
		if value[i] < '0' || value[i] > '9' {
			return -1
		}
		n = n*10 + int64(value[i]-'0')
	}
	return n
}
