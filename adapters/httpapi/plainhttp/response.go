package plainhttp

import (
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// response is what a handler writes its answer to. It is sent in one write when the
// handler has returned, and looks as net/http would have sent it, but that it has a
// length where net/http sends chunks.
type response struct {
	header http.Header
	// status is zero until the handler begins to write. head is the status line and
	// the header as they were then, body is what was written since.
	status     int
	head, body []byte
	// length is the Content-Length that the handler named, -1 where it named none, and
	// written what it has written, with what was too much.
	length, written int64
	// dated says whether the handler named a Date, typed whether the type of the body
	// is not to be guessed, closing whether it asked for the end of the connection.
	dated, typed, closing bool
	names                 []string
}

// reset makes it ready for the next answer.
func (w *response) reset() {
	clear(w.header)
	*w = response{header: w.header, length: -1, head: w.head[:0], body: w.body[:0], names: w.names[:0]}
}

// release gives the memory of a large answer back: a connection may be idle for long.
func (w *response) release() {
	if cap(w.head)+cap(w.body) > maxKept {
		w.head, w.body = nil, nil
	}
}

// Header implements [http.ResponseWriter].
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter]. Informational answers are not sent:
// who waits for the answer can do without.
func (w *response) WriteHeader(status int) {
	if w.status != 0 || status >= http.StatusContinue && status < http.StatusOK {
		return
	}
	if status < 100 || status > 999 {
		panic("plainhttp: no status: " + strconv.Itoa(status))
	}
	w.status = status
	text := http.StatusText(status)
	if text == "" {
		text = "status code " + strconv.Itoa(status)
	}
	w.head = strconv.AppendInt(append(w.head, "HTTP/1.1 "...), int64(status), 10)
	w.head = append(append(append(w.head, ' '), text...), "\r\n"...)
	for name, values := range w.header {
		if !w.note(name, values) || !validName(name) {
			continue
		}
		at := len(w.names)
		w.names = append(w.names, name)
		for ; at > 0 && w.names[at-1] > name; at-- { // in order, and there are few
			w.names[at] = w.names[at-1]
		}
		w.names[at] = name
	}
	for _, name := range w.names {
		for _, value := range w.header[name] {
			w.field(name, value)
		}
	}
}

// note remembers what the header says of the answer as a whole. It is false of what is
// not for the handler to say.
func (w *response) note(name string, values []string) bool {
	first := ""
	if len(values) > 0 {
		first = values[0]
	}
	switch name {
	case "Content-Length":
		n, err := strconv.ParseInt(first, 10, 64)
		if err != nil || n < 0 || w.bodyless() {
			return false
		}
		w.length = n
	case "Content-Type":
		w.typed = true
		return w.status != http.StatusNotModified
	case "Content-Encoding":
		w.typed = w.typed || first != ""
	case "Transfer-Encoding":
		return false
	case "Date":
		w.dated = true
	case "Connection":
		w.closing = first == "close"
	}
	return true
}

// validName is true of a token (RFC 9110 section 5.6.2): anything else could be more
// than a name.
func validName(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-', c >= '0' && c <= '9':
		case strings.IndexByte("!#$%&'*+.^_`|~", c) < 0:
			return false
		}
	}
	return name != ""
}

// field writes a line of the header. What would make two of it becomes a space.
func (w *response) field(name, value string) {
	w.head = append(append(w.head, name...), ": "...)
	if strings.ContainsAny(value, "\r\n") {
		value = strings.NewReplacer("\r", " ", "\n", " ").Replace(value)
	}
	w.head = append(append(w.head, textproto.TrimString(value)...), "\r\n"...)
}

// Write implements [http.ResponseWriter].
func (w *response) Write(data []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if len(data) == 0 {
		return 0, nil
	}
	if w.bodyless() {
		return 0, http.ErrBodyNotAllowed
	}
	if w.written += int64(len(data)); w.length >= 0 && w.written > w.length {
		return 0, http.ErrContentLength
	}
	w.body = append(w.body, data...)
	return len(data), nil
}

// bodyless is true of answers that have no body (RFC 9110 section 6.4.1).
func (w *response) bodyless() bool {
	return w.status < http.StatusOK || w.status == http.StatusNoContent || w.status == http.StatusNotModified
}

// finish returns the whole answer, and whether the connection can have another: not
// where the handler wrote less or more than it said. closing says that it cannot.
func (w *response) finish(now time.Time, closing bool) (answer []byte, more bool) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.dated {
		w.field("Date", date(now))
	}
	if !w.bodyless() {
		if w.length < 0 {
			w.field("Content-Length", strconv.Itoa(len(w.body)))
			w.length = w.written
		}
		if !w.typed && len(w.body) > 0 {
			w.field("Content-Type", http.DetectContentType(w.body))
		}
	}
	if closing && !w.closing {
		w.field("Connection", "close")
	}
	w.head = append(append(w.head, "\r\n"...), w.body...)
	return w.head, !w.closing && (w.bodyless() || w.length == w.written)
}

// dated is the text of a second.
type dated struct {
	second int64
	text   string
}

// lastDate is what was written last: all answers of a second have the same.
var lastDate atomic.Pointer[dated]

// date is the value of Date (RFC 9110 section 6.6.1).
func date(now time.Time) string {
	second := now.Unix()
	if d := lastDate.Load(); d != nil && d.second == second {
		return d.text
	}
	d := &dated{second, now.UTC().Format(http.TimeFormat)}
	lastDate.Store(d)
	return d.text
}
