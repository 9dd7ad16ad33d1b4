package main

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"embedseal/adapters/httpload/floor"
)

// nowhere is an http.ResponseWriter without a connection.
type nowhere struct {
	header http.Header
	status int
}

func (w *nowhere) Header() http.Header         { return w.header }
func (w *nowhere) WriteHeader(status int)      { w.status = status }
func (w *nowhere) Write(p []byte) (int, error) { return len(p), nil }

// asking is the documented request to the handler, over and over, as net/http would
// give it: what costs in it is ours alone.
func (run bench) asking(tb testing.TB) func() {
	tb.Helper()
	handler, body := run.service.Server.Handler(), bytes.NewReader(nil)
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, mintPath, io.NopCloser(body))
	if err != nil {
		tb.Fatal(err)
	}
	request.RemoteAddr, request.ContentLength = "127.0.0.1:40000", int64(len(floor.Body))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Explo-Authorization", "Token "+run.token.Reveal())
	w := &nowhere{header: http.Header{}}
	text := []byte(floor.Body)
	return func() {
		clear(w.header)
		body.Reset(text)
		handler.ServeHTTP(w, request)
		if w.status != http.StatusOK {
			tb.Fatalf("answered %d", w.status)
		}
	}
}

// BenchmarkHandlerMint is the whole way of a request through our own code.
func BenchmarkHandlerMint(b *testing.B) {
	ask := newBench(b).asking(b)
	b.ReportAllocs()
	for b.Loop() {
		ask()
	}
}
