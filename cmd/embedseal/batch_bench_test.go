package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"embedseal/adapters/httpapi"
)

// BenchmarkBatch presses full batches through HTTP on loopback, and the use-case in
// a loop (authentication and audit record included), in turns and by as many workers
// as there are processors, and reports how much of the use-case's tokens per second
// the batches make. The client that sends and reads them has to do with the same
// processors.
func BenchmarkBatch(b *testing.B) {
	run := newBench(b)
	address := serveHTTP(b, run.service.Server.Handler())
	request := batchRequest(address, run.token.Reveal(), httpapi.MaxBatch)
	workers := runtime.GOMAXPROCS(0)
	const long = 500 * time.Millisecond
	var looped, batched float64
	rounds := 0
	for b.Loop() {
		for range 5 {
			looped += together(b, workers, long, func() func() (int, error) {
				mint := run.mintingOnce(b)
				return func() (int, error) { return 1, mint() }
			})
			batched += together(b, workers, long, func() func() (int, error) {
				conn, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", address)
				must(b, err)
				b.Cleanup(func() { _ = conn.Close() })
				in := bufio.NewReaderSize(conn, 64<<10)
				return func() (int, error) {
					return httpapi.MaxBatch, exchangeBatch(conn, in, request, httpapi.MaxBatch)
				}
			})
			rounds++
		}
	}
	b.ReportMetric(looped/float64(rounds), "loop-tokens/s")
	b.ReportMetric(batched/float64(rounds), "batch-tokens/s")
	b.ReportMetric(batched/looped, "batch/loop")
	b.ReportMetric(0, "ns/op")
}

// together has each worker do its work for as long, and returns what they made per
// second.
func together(b *testing.B, workers int, long time.Duration, worker func() func() (int, error)) float64 {
	b.Helper()
	var made atomic.Int64
	var group sync.WaitGroup
	begin := time.Now()
	for range workers {
		work := worker()
		group.Go(func() {
			for time.Since(begin) < long {
				n, err := work()
				if err != nil {
					b.Error(err)
					return
				}
				made.Add(int64(n))
			}
		})
	}
	group.Wait()
	return float64(made.Load()) / time.Since(begin).Seconds()
}

// batchRequest asks n times for what benchBody asks for, each for another customer.
func batchRequest(address, apiToken string, n int) []byte {
	var body strings.Builder
	body.WriteString(`{"defaults": {"embed_id": "abcde", "expiration": "PT1H", "rb_allowed_features": ["flt", "srt"], ` +
		`"disable_editable_section_editing": true, "embed_origin": "https://your-domain.com/"}, "requests": [`)
	for i := range n {
		if i > 0 {
			body.WriteString(",")
		}
		fmt.Fprintf(&body, "\n"+`{"provided_id": "customer_%d"}`, i)
	}
	body.WriteString("]}")
	return fmt.Appendf(nil, "POST /api/generate_jwts/ HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"+
		"Explo-Authorization: Token %s\r\nContent-Length: %d\r\n\r\n%s", address, apiToken, body.Len(), body.String())
}

// exchangeBatch sends a batch and reads its answer, which must have n tokens.
func exchangeBatch(conn net.Conn, in *bufio.Reader, request []byte, n int) error {
	if _, err := conn.Write(request); err != nil {
		return err
	}
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if got := bytes.Count(text, []byte(`{"success": 1, "jwt": "`)); response.StatusCode != http.StatusOK || got != n {
		return fmt.Errorf("answered %s with %d tokens, want %d", response.Status, got, n)
	}
	return nil
}
