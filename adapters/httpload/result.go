package httpload

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Result is what came of a run.
type Result struct {
	// Elapsed is until the last answer.
	Elapsed time.Duration
	// Accepted are the answers with a status 2xx, Refused all others; Failed are
	// requests without an answer, the first for the reason Failure.
	Accepted, Refused, Failed int64
	Failure                   error
	// Unsent are requests of an open loop that were due and never sent, because
	// every connection was waiting.
	Unsent int64
	// Unadvised are answers 429 and 503 without a Retry-After.
	Unadvised int64
	// Codes counts the refused by their code, or their status where they have none.
	Codes map[string]int64
	// AcceptedIn and RefusedIn are how long the answers took: in an open loop from
	// the moment the request was due.
	AcceptedIn, RefusedIn Histogram
	// ServedIn is AcceptedIn, but in an open loop from the moment at which this program
	// came to the request: on a machine that it shares with the server it may be late
	// itself, and Late is by how much, of all requests. What waited for a connection was
	// not late.
	ServedIn, Late Histogram
}

// PerSecond is how many requests were accepted in a second.
func (r *Result) PerSecond() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Accepted) / r.Elapsed.Seconds()
}

func (r *Result) add(t *tally) {
	r.Accepted += t.accepted.Count()
	r.Refused += t.refused.Count()
	r.Failed += t.failed
	r.Unadvised += t.unadvised
	if r.Failure == nil {
		r.Failure = t.failure
	}
	for code, n := range t.codes {
		r.Codes[code] += n
	}
	r.AcceptedIn.Add(&t.accepted)
	r.RefusedIn.Add(&t.refused)
	r.ServedIn.Add(&t.served)
}

// tally is what one connection saw.
type tally struct {
	accepted, served, refused Histogram
	failed, unadvised         int64
	failure                   error
	codes                     map[string]int64
}

// count says whether the request was accepted. It was sent so much late as late says.
func (t *tally) count(a answer, took, late time.Duration) bool {
	if a.ok() {
		t.accepted.Record(took)
		t.served.Record(took - late)
		return true
	}
	t.refused.Record(took)
	if (a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable) && !a.retryAfter {
		t.unadvised++
	}
	if t.codes == nil {
		t.codes = map[string]int64{}
	}
	name := a.code
	if name == "" {
		name = strconv.Itoa(a.status)
	}
	t.codes[name]++
	return false
}

// Post is a POST request of a JSON body. Headers are pairs of name and value.
func Post(host, path, body string, headers ...string) []byte {
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", path, host, len(body))
	for i := 0; i+1 < len(headers); i += 2 {
		request = fmt.Appendf(request, "%s: %s\r\n", headers[i], headers[i+1])
	}
	return fmt.Appendf(request, "\r\n%s", body)
}
