package httpload_test

import (
	"context"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"embedseal/adapters/httpload"
)

// against runs cfg against a handler.
func against(t *testing.T, handler http.HandlerFunc, cfg httpload.Config) httpload.Result {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	address := server.Listener.Addr().String()
	cfg.Dial = func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}
	if cfg.Request == nil {
		cfg.Request = httpload.Post(address, "/", `{"a": 1}`, "X-Who", "me")
	}
	result, err := httpload.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestAClosedLoopSendsWhatItIsToldTo(t *testing.T) {
	var seen atomic.Int64
	result := against(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Who") != "me" || r.Header.Get("Content-Type") != "application/json" || r.ContentLength != 8 {
			t.Error("not the request that was given")
		}
		seen.Add(1)
		_, _ = w.Write([]byte("fine"))
	}, httpload.Config{Connections: 3, Requests: 500})
	if result.Accepted != 500 || seen.Load() != 500 || result.Refused+result.Failed+result.Unsent != 0 {
		t.Errorf("%+v accepted of 500, the server saw %d", result.Accepted, seen.Load())
	}
	if result.AcceptedIn.Count() != 500 || result.AcceptedIn.At(0.99) <= 0 || result.PerSecond() <= 0 {
		t.Error("no durations")
	}
}

func TestRequestsAreSentInTurn(t *testing.T) {
	for _, rate := range []float64{0, 2000} {
		var seen [3]atomic.Int64
		result := against(t, func(_ http.ResponseWriter, r *http.Request) {
			seen[len(r.URL.Path)-2].Add(1)
		}, httpload.Config{
			Request: httpload.Post("x", "/a", ""), Others: [][]byte{httpload.Post("x", "/aa", ""), httpload.Post("x", "/aaa", "")},
			Connections: 3, Requests: 300, Rate: rate,
		})
		if result.Accepted != 300 || seen[0].Load() != 100 || seen[1].Load() != 100 || seen[2].Load() != 100 {
			t.Errorf("at %v/s: %d, %d and %d of each, want 100", rate, seen[0].Load(), seen[1].Load(), seen[2].Load())
		}
	}
}

func TestAnOpenLoopOffersItsRateAndNoMore(t *testing.T) {
	result := against(t, func(http.ResponseWriter, *http.Request) {},
		httpload.Config{Connections: 4, Rate: 400, Duration: 500 * time.Millisecond})
	if sent := result.Accepted + result.Unsent; sent != 200 {
		t.Errorf("%d were due in half a second of 400/s, want 200", sent)
	}
}

// What waits while the server stalls is charged for the whole wait, although
// nothing is sent meanwhile.
func TestAnOpenLoopCountsFromWhenARequestWasDue(t *testing.T) {
	var first atomic.Bool
	const stall = 300 * time.Millisecond
	handler := func(http.ResponseWriter, *http.Request) {
		if first.CompareAndSwap(false, true) {
			time.Sleep(stall)
		}
	}
	result := against(t, handler, httpload.Config{Connections: 1, Rate: 200, Requests: 100})
	if result.Accepted != 100 {
		t.Fatalf("%d of 100 accepted", result.Accepted)
	}
	// 60 were due during the stall; the one in the middle waited half of it.
	if got := result.AcceptedIn.At(0.7); got < stall/3 {
		t.Errorf("the 70th percentile is %s: what waited was not charged", got)
	}
	// Nor is waiting for a connection to be free the fault of who offers: that comes in time.
	if got := result.ServedIn.At(0.7); got < stall/3 {
		t.Errorf("the 70th percentile from when it was offered is %s: what waited was not charged", got)
	}
	if late := result.Late.At(0.5); late > stall/10 || result.Late.Count() != 100 {
		t.Errorf("%d were offered, half of them more than %s late, and nobody kept us", result.Late.Count(), late)
	}
}

// Nobody can offer 50 million a second: how late they are is told apart from how long
// they took.
func TestWhatIsOfferedLateIsToldApart(t *testing.T) {
	result := against(t, func(http.ResponseWriter, *http.Request) {}, httpload.Config{Connections: 1, Rate: 50e6, Requests: 2000})
	late, all, served := result.Late.Longest(), result.AcceptedIn.Longest(), result.ServedIn.Longest()
	if late < 10*time.Microsecond || served >= all || all-served > late || result.ServedIn.Count() != 2000 {
		t.Errorf("%s late at most: of %s at most %s from when they were offered, %d times", late, all, served, result.ServedIn.Count())
	}
}

func TestRefusalsAreCountedByTheirCode(t *testing.T) {
	var n atomic.Int64
	result := against(t, func(w http.ResponseWriter, _ *http.Request) {
		switch n.Add(1) % 4 {
		case 0:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = w.Write([]byte(`{"status":429,"code":"rate_limited"}`))
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable) // and no Retry-After
		case 2:
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusNotFound)
			w.(http.Flusher).Flush() // chunked
			_, _ = w.Write([]byte(`{"code":"not_found"}`))
		}
	}, httpload.Config{Connections: 1, Requests: 40})
	want := map[string]int64{"rate_limited": 10, "503": 10, "not_found": 10}
	for code, n := range want {
		if result.Codes[code] != n {
			t.Errorf("%s: %d, want %d", code, result.Codes[code], n)
		}
	}
	if result.Accepted != 10 || result.Refused != 30 || result.Unadvised != 10 || result.Failed != 0 {
		t.Errorf("accepted %d, refused %d, unadvised %d, failed %d (%v)", result.Accepted, result.Refused, result.Unadvised, result.Failed, result.Failure)
	}
}

func TestAnAnswerThatDoesNotComeIsAFailure(t *testing.T) {
	release := make(chan struct{})
	t.Cleanup(func() { close(release) }) // runs before the server is closed
	result := func() httpload.Result {
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
		t.Cleanup(server.CloseClientConnections)
		result, err := httpload.Run(t.Context(), httpload.Config{
			Dial: func(ctx context.Context) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "tcp", server.Listener.Addr().String())
			},
			Request: httpload.Post("x", "/", ""), Connections: 2, Requests: 2, Timeout: 50 * time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		return result
	}()
	if result.Failed != 2 || result.Failure == nil || result.Accepted != 0 {
		t.Errorf("failed %d (%v), accepted %d", result.Failed, result.Failure, result.Accepted)
	}
}

func TestWhatIsCancelledEndsAtOnceWithWhatItHas(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if n.Add(1) > 10 {
			cancel()
			<-r.Context().Done()
		}
	}))
	t.Cleanup(server.Close)
	result, err := httpload.Run(ctx, httpload.Config{
		Dial: func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", server.Listener.Addr().String())
		},
		Request: httpload.Post("x", "/", ""), Connections: 2, Duration: time.Hour,
	})
	if err != nil || result.Accepted != 10 || result.Failed != 0 {
		t.Errorf("accepted %d, failed %d, %v; want 10 and no failure", result.Accepted, result.Failed, err)
	}
}

func TestNobodyThereIsAnError(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	_, err = httpload.Run(t.Context(), httpload.Config{
		Dial: func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", address)
		},
		Request: httpload.Post("x", "/", ""), Connections: 1, Requests: 1,
	})
	if err == nil {
		t.Error("no error")
	}
	if _, err := httpload.Run(t.Context(), httpload.Config{Connections: 1}); err == nil {
		t.Error("no error for a run without an end")
	}
}

func TestPercentilesAreExactToTwoPercent(t *testing.T) {
	var h httpload.Histogram
	if h.At(0.5) != 0 {
		t.Error("nothing has no percentile")
	}
	random := rand.New(rand.NewPCG(1, 2))
	var all []time.Duration
	for range 20_000 {
		d := time.Duration(math.Exp(random.Float64() * 24)) // 1 ns to 26 s
		all = append(all, d)
		h.Record(d)
	}
	slices.Sort(all)
	for _, share := range []float64{0, 0.01, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[int(share*float64(len(all)-1))]
		if got := h.At(share); got < want || float64(got) > 1.016*float64(want)+1 {
			t.Errorf("%g: %d ns, want %d ns", share, got, want)
		}
	}
	h.Record(time.Hour) // beyond the last bucket
	if h.At(1) < 4*time.Minute || h.Longest() != time.Hour || h.Count() != 20_001 {
		t.Errorf("an hour is %s", h.At(1))
	}
}
