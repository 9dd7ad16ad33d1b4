package plainhttp

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// response is what a handler writes its answer to. It is sent in one write when the
// handler has returned, and looks as net/http would have sent it.
type response struct {
	header http.Header
	// status is zero until the handler begins to write. head is the status line and
	// the header as they were then, body is what was written since.
	status     int
	head, body []byte
	// length is the Content-Length that the handler named, dated whether it named a
	// Date, closing whether it asked for the end of the connection.
	length         string
	dated, closing bool
	names          []string
}

// reset makes it ready for the next answer.
func (w *response) reset() {
	if cap(w.head)+cap(w.body) > maxKept {
		w.head, w.body = nil, nil
	}
	clear(w.header)
	*w = response{header: w.header, head: w.head[:0], body: w.body[:0], names: w.names[:0]}
}

// Header implements [http.ResponseWriter].
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter].
func (w *response) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	w.head = strconv.AppendInt(append(w.head, "HTTP/1.1 "...), int64(status), 10)
	w.head = append(append(append(w.head, ' '), http.StatusText(status)...), "\r\n"...)
	for name, values := range w.header {
		w.note(name, values)
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

// note remembers what the header says of the answer as a whole.
func (w *response) note(name string, values []string) {
	if len(values) == 0 {
		return
	}
	switch name {
	case "Content-Length":
		w.length = values[0]
	case "Date":
		w.dated = true
	case "Connection":
		w.closing = strings.EqualFold(values[0], "close")
	}
}

// field writes a line of the header. What would make two of it becomes a space.
func (w *response) field(name, value string) {
	w.head = append(append(w.head, name...), ": "...)
	if strings.ContainsAny(value, "\r\n") {
		value = strings.NewReplacer("\r", " ", "\n", " ").Replace(value)
	}
	w.head = append(append(w.head, trim(value)...), "\r\n"...)
}

// Write implements [http.ResponseWriter].
func (w *response) Write(data []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.bodyless() {
		return 0, http.ErrBodyNotAllowed
	}
	w.body = append(w.body, data...)
	return len(data), nil
}

// bodyless is true of answers that have no body (RFC 9110 section 6.4.1).
func (w *response) bodyless() bool {
	return w.status < http.StatusOK || w.status == http.StatusNoContent || w.status == http.StatusNotModified
}

// finish returns the whole answer, and whether the connection can have another. The
// answer is nil where the handler wrote less or more than it said.
func (w *response) finish(now time.Time) (answer []byte, more bool) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.dated {
		w.field("Date", date(now))
	}
	if !w.bodyless() && !w.measured() {
		return nil, false
	}
	w.head = append(append(w.head, "\r\n"...), w.body...)
	return w.head, !w.closing
}

// measured says how long the body is, and of what type where the handler did not.
func (w *response) measured() bool {
	if w.length != "" {
		n, err := strconv.Atoi(w.length)
		return err == nil && n == len(w.body)
	}
	w.field("Content-Length", strconv.Itoa(len(w.body)))
	if _, named := w.header["Content-Type"]; !named && len(w.body) > 0 {
		w.field("Content-Type", http.DetectContentType(w.body))
	}
	return true
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
