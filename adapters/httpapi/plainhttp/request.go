package plainhttp

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/textproto"
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
// next one.
type incoming struct {
	// Request is what a handler gets: see begin.
	http.Request
	// text is the header that was read last, with the line that ends it; it is empty
	// when that was none. Callers who keep a connection mostly send the same again, and
	// then read and fields are what it says.
	text   string
	read   http.Request
	fields []field
	// blank is what a request begins as, header what a handler gets of the fields, and
	// values what its slices are cut from.
	blank  http.Request
	header http.Header
	values []string
	// target is what parsed is of; url is what a handler gets of it.
	target      string
	parsed, url url.URL
	body        body
}

// field is a line of a header.
type field struct{ name, value string }

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

// begin makes a request that was read ready for a handler.
func (r *incoming) begin() {
	r.Request, r.url = r.read, r.parsed
	r.Body = http.NoBody
	if r.ContentLength > 0 {
		r.Body = &r.body
	}
	clear(r.header)
	clear(r.values)
	r.values = r.values[:0]
	for _, f := range r.fields {
		if before, there := r.header[f.name]; there {
			r.header[f.name] = append(before, f.value)
			continue
		}
		at := len(r.values)
		r.values = append(r.values, f.value)
		r.header[f.name] = r.values[at : at+1 : at+1]
	}
}

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
	if r.text == "" || len(data) < len(r.text) || string(data[:len(r.text)]) != r.text {
		end := bytes.Index(data, []byte("\r\n\r\n"))
		if end < 0 {
			return partial
		}
		// One piece of memory for all texts of the header, which may outlive data.
		if text := string(data[:end+len("\r\n\r\n")]); !r.parseHeader(text, serves) {
			r.text = ""
			return foreign
		}
	}
	body := data[len(r.text):]
	switch got := int64(len(body)); {
	case got < r.read.ContentLength:
		return partial
	case got > r.read.ContentLength:
		return foreign
	}
	r.body.Reset(body)
	return whole
}

// parseHeader reads the header of a request.
func (r *incoming) parseHeader(text string, serves func(method, path string) bool) bool {
	r.read = r.blank
	line, rest, ok := cutLine(text[:len(text)-len("\r\n")])
	if !ok || !r.takeLine(line) || !serves(r.read.Method, r.parsed.Path) {
		return false
	}
	length, ok := r.takeFields(rest)
	if !ok || (r.read.Method == http.MethodGet) != (length < 0) {
		return false
	}
	r.text, r.read.ContentLength = text, max(length, 0)
	return true
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
		target = strings.Clone(target) // or it would keep the header in memory
		parsed, err := url.ParseRequestURI(target)
		if err != nil || strings.ContainsAny(target, "#\t") {
			return false
		}
		r.target, r.parsed = target, *parsed
	}
	r.read.Method, r.read.RequestURI, r.read.URL = method, r.target, &r.url
	return true
}

// takeFields reads the lines of the header. length is -1 where none is said.
func (r *incoming) takeFields(rest string) (length int64, ok bool) {
	length = -1
	clear(r.fields) // or what the next request has no field for would be kept
	r.fields = r.fields[:0]
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
			if r.read.Host != "" || !plainHost(value) {
				return 0, false
			}
			r.read.Host = value // and not in the header, as net/http does it
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
		if len(r.fields) >= maxFields {
			return 0, false
		}
		r.fields = append(r.fields, field{name, value})
	}
	return length, r.read.Host != ""
}

// maxFields is how many fields a plain request may have, but for Host. What holds them
// is kept for the next request, and is so never large.
const maxFields = 64

// cutField cuts a line into the name, as it stands in [http.Header], and the value
// without the white space around it.
func cutField(line string) (name, value string, ok bool) {
	canonical, first := true, true
	for i := range len(line) {
		switch c := line[i]; {
		case c == ':' && i > 0:
			name, value = line[:i], textproto.TrimString(line[i+1:])
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
