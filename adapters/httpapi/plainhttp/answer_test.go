package plainhttp_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

// saying is hello with a field of the header.
func saying(name, value string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(name, value)
		hello(w, r)
	}
}

// answers are handlers whose answer is the same, byte for byte, as that of net/http.
var answers = map[string]http.HandlerFunc{
	"nothing":       func(http.ResponseWriter, *http.Request) {},
	"a body":        hello,
	"an empty body": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(nil) },
	"a status":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) },
	"no content":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
	"not modified": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"1"`)
		w.WriteHeader(http.StatusNotModified)
	},
	"no content, of a length": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusNoContent)
	},
	"not modified, of a length": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusNotModified)
	},
	"a body where none is allowed": func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		if n, err := w.Write(nil); n != 0 || err != nil {
			panic("nothing is allowed everywhere")
		}
		if n, err := io.WriteString(w, "x"); n != 0 || err != http.ErrBodyNotAllowed { //nolint:errorlint // this very value
			panic("it is not refused")
		}
	},
	"an unknown status": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(599) },
	"no status":         func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(99) },
	"no status either":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(1000) },
	"a type":            saying("Content-Type", "application/json"),
	"no type": func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = nil
		hello(w, r)
	},
	"a body that is a page": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html><script>") },
	"an encoded body": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(w, "\x1f\x8b\x08")
	},
	"the length": saying("Content-Length", "5"),
	"the length and type": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5")
		w.Header().Set("Content-Type", "text/plain")
		hello(w, r)
	},
	"a length that is too small": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "7")
		_, _ = io.WriteString(w, "hello")
		if _, err := io.WriteString(w, "you"); err != http.ErrContentLength { //nolint:errorlint // this very value
			panic("it is not refused")
		}
	},
	"a length that is too small at once": saying("Content-Length", "2"),
	"a length that is too large":         saying("Content-Length", "9"),
	"a length without a body": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "9")
		w.WriteHeader(http.StatusOK)
	},
	"fields": func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Set-Cookie"] = []string{"a=1", "b=2", ""}
		h["Zz"], h["aa"], h["Mm"], h["X-None"] = []string{"1"}, []string{"2"}, []string{"3"}, nil
		hello(w, r)
	},
	"values with line breaks": func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X"] = []string{"a\r\nSet-Cookie: b=1\r\n\r\nc", " d ", "\te\t", "\r\n", "f\n ", "\x00g\xff"}
		hello(w, r)
	},
	"names that are none": func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for _, name := range []string{"X: y\r\nSet-Cookie", "", "a b", "a\n", "ä", "(a)", http.TrailerPrefix + "X"} {
			if !strings.HasPrefix(name, "Trailer") {
				h[name] = []string{"1"}
			}
		}
		h["a!#$%&'*+-.^_`|~9"] = []string{"2"}
		hello(w, r)
	},
	"the end of the connection":              saying("Connection", "close"),
	"the end of the connection, differently": saying("Connection", "Close"),
	"the end of the connection without a body": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusNoContent)
	},
	"its own date": saying("Date", "today"),
	"no date": func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		hello(w, r)
	},
	"two statuses": func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		w.WriteHeader(http.StatusConflict)
		hello(w, r)
	},
	"a header that changes": func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["X"] = []string{"1"}
		h.Set("Content-Type", "text/css")
		w.WriteHeader(http.StatusOK)
		h.Set("X", "2")
		h.Set("Y", "3")
		h.Del("Content-Type")
		h.Set("Content-Length", "2")
		h.Set("Connection", "close")
		h.Set("Date", "never")
		hello(w, r)
	},
	"a type that comes late": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X", "1")
		hello(w, r)
		w.Header().Set("Content-Type", "text/css")
		w.Header().Set("Content-Encoding", "gzip")
	},
	"a value that changes": func(w http.ResponseWriter, r *http.Request) {
		values := []string{"1"}
		w.Header()["X"] = values
		w.WriteHeader(http.StatusOK)
		values[0] = "2"
		hello(w, r)
	},
	"a large body of its length": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", itoa(300<<10))
		for range 300 {
			_, _ = w.Write([]byte(strings.Repeat("<p>abcde", 128)))
		}
	},
	"a panic":         func(http.ResponseWriter, *http.Request) { panic("before") },
	"a panic, late":   func(w http.ResponseWriter, r *http.Request) { hello(w, r); panic("after") },
	"an abort":        func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	"an abort, later": func(w http.ResponseWriter, r *http.Request) { hello(w, r); panic(http.ErrAbortHandler) },
	"an error":        func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "so not", http.StatusForbidden) },
	"a redirect":      func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/b", http.StatusFound) },
	"a body unread":   hello,
}

// talk sends a request, and another one where the connection has not ended with the
// answer, and returns all that came.
func talk(t *testing.T, addr, request string) string {
	p := dial(t, addr)
	p.send(request)
	_, _, _ = p.answer(http.MethodGet)
	p.send(strings.Replace(get, "/a", "/end", 1))
	_, _ = io.ReadAll(p.r)
	return p.undated()
}

func TestAnswersAreThoseOfNetHTTP(t *testing.T) {
	t.Parallel()
	for name, handler := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			twice := func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/end" {
					w.Header().Set("Connection", "close")
					return
				}
				handler(w, r)
			}
			s, want := start(t, twice, nil), reference(t, twice)
			for _, request := range []string{get, post} {
				got, want := talk(t, s.addr, request), talk(t, want, request)
				if got != want {
					t.Errorf("%.30q is answered\n%.900q, net/http answers\n%.900q", request, got, want)
				}
			}
			if s.plain.Load() < 2 {
				t.Errorf("it was net/http that answered")
			}
		})
	}
}

// In these net/http sends in chunks what here has a length: the answer is the same.
func TestAnswersOfUnknownLengthSayTheSameAsThoseOfNetHTTP(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"large": func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				_, _ = w.Write([]byte(strings.Repeat("<p>abcde", 128)))
			}
		},
		"the length is none":     saying("Content-Length", "five"),
		"the length is negative": saying("Content-Length", "-5"),
		"the length is empty":    saying("Content-Length", ""),
		"in chunks": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Transfer-Encoding", "chunked")
			w.Header().Set("Content-Type", "text/plain")
			hello(w, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, want := start(t, handler, nil), dial(t, reference(t, handler))
			got := dial(t, s.addr)
			for range 2 { // the connection goes on
				got.send(get)
				want.send(get)
				one, body, err := got.answer(http.MethodGet)
				if err != nil {
					t.Fatal(err)
				}
				other, wantBody, err := want.answer(http.MethodGet)
				if err != nil {
					t.Fatal(err)
				}
				if body != wantBody || one.ContentLength != int64(len(wantBody)) || one.TransferEncoding != nil {
					t.Errorf("answered %.300q of the length %d, want %.300q", body, one.ContentLength, wantBody)
				}
				for _, h := range []http.Header{one.Header, other.Header} {
					h.Del("Date")
					h.Del("Content-Length")
				}
				if got, want := len(one.Header), len(other.Header); got != want || one.Header.Get("Content-Type") != other.Header.Get("Content-Type") {
					t.Errorf("the header is %v, want %v", one.Header, other.Header)
				}
			}
		})
	}
}
