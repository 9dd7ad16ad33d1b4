package apispec

import (
	"bytes"
	"io"
	"net/http"
	"testing"
)

// Handler checks every exchange of next.
func (s *Spec) Handler(t testing.TB, on Listener, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := r.Clone(r.Context()) // a handler may change what it is given
		var sent bytes.Buffer
		if r.Body != nil {
			r.Body = readCloser{io.TeeReader(r.Body, &sent), r.Body}
		}
		watched := &recorder{ResponseWriter: w}
		next.ServeHTTP(watched, r)
		if watched.status == 0 {
			watched.WriteHeader(http.StatusOK)
		}
		s.report(t, on, asked, sent.Bytes(), watched.status, watched.header, watched.body.Bytes())
	})
}

type readCloser struct {
	io.Reader
	io.Closer
}

// recorder keeps a copy of what goes through.
type recorder struct {
	http.ResponseWriter
	status int
	header http.Header
	body   bytes.Buffer
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status, w.header = status, w.Header().Clone()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.body.Write(p)
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController through.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// RoundTripper checks every exchange of next; nil is http.DefaultTransport. An
// exchange without an answer is passed on as it is.
func (s *Spec) RoundTripper(t testing.TB, on Listener, next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		var sent []byte
		if r.Body != nil && r.Body != http.NoBody { // whole: an answer may come before it was read
			var err error
			if sent, err = io.ReadAll(r.Body); err != nil {
				return nil, err
			}
			_ = r.Body.Close()
			r = r.Clone(r.Context())
			r.Body = io.NopCloser(bytes.NewReader(sent))
		}
		res, err := next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		received, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			return nil, err
		}
		res.Body = io.NopCloser(bytes.NewReader(received))
		s.report(t, on, r, sent, res.StatusCode, res.Header, received)
		return res, nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (s *Spec) report(t testing.TB, on Listener, r *http.Request, sent []byte, status int, header http.Header, received []byte) {
	if err := s.Check(on, r, sent, status, header, received); err != nil {
		t.Errorf("apispec: %s %s, answered %d, is not what docs/api/openapi.yaml says:\n%v", r.Method, r.URL.Path, status, err)
	}
}
