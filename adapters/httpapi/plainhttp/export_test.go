package plainhttp

import "net/http"

// Incoming reads one request after the other, as a connection does.
type Incoming struct{ in incoming }

// NewIncoming is that of a new connection.
func NewIncoming() *Incoming {
	r := &Incoming{}
	r.in.prepare(&client{}, nil)
	return r
}

// Parse returns the request where data is a whole plain one. more says that it
// could become one.
func (r *Incoming) Parse(data []byte, serves func(method, path string) bool) (req *http.Request, more bool) {
	switch r.in.parse(data, serves) {
	case whole:
		r.in.begin()
		return &r.in.Request, false
	case partial:
		return nil, true
	}
	return nil, false
}

// MaxRequest is the largest plain request.
const MaxRequest = maxRequest
