package httpapi_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"embedseal/adapters/httpapi"
)

// waiting opens a site with the gate, where every request has waited as long as
// the value says, and so many connections that there can be an overload.
func waiting(t *testing.T) (*site, *atomic.Int64) {
	t.Helper()
	s, wait := waitingAlone(t)
	for range httpapi.Crowd {
		s.dial(t)
	}
	return s, wait
}

// waitingAlone is waiting without the connections.
func waitingAlone(t *testing.T) (*site, *atomic.Int64) {
	t.Helper()
	var wait atomic.Int64
	s := open(t, func(s *setup) {
		s.config.MaxWait = 25 * time.Millisecond
		s.waits = func() time.Duration { return time.Duration(wait.Load()) }
	})
	return s, &wait
}

// caller keeps one connection, as backends do.
type caller struct {
	conn net.Conn
	in   *bufio.Reader
}

func (s *site) caller(t *testing.T) *caller {
	t.Helper()
	conn := s.dial(t)
	return &caller{conn, bufio.NewReader(conn)}
}

// ask sends a request in pieces, one write for each, and returns the answer and its
// body.
func (c *caller) ask(t *testing.T, pieces ...string) (*http.Response, string) {
	t.Helper()
	for i, piece := range pieces {
		if i > 0 {
			time.Sleep(20 * time.Millisecond)
		}
		write(t, c.conn, piece)
	}
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// overload lets the queue stand until the server refuses. It returns how many
// requests that took.
func overload(t *testing.T, s *site, c *caller) int {
	t.Helper()
	for i := 1; i <= 5000; i++ {
		s.clock.advance(time.Millisecond)
		if response, _ := c.ask(t, keepAlive(request{body: minimal})); response.StatusCode == http.StatusServiceUnavailable {
			return i
		}
	}
	t.Fatal("it refuses nothing")
	return 0
}

// overloaded is waiting, and a caller who was refused since every request waits so long.
func overloaded(t *testing.T, long time.Duration) (*site, *atomic.Int64, *caller) {
	t.Helper()
	s, wait := waiting(t)
	wait.Store(int64(long))
	c := s.caller(t)
	overload(t, s, c)
	return s, wait, c
}

func TestWhatWaitedTooLongInAStandingQueueIsRefusedAndNothingOfItLookedAt(t *testing.T) {
	s, _, c := overloaded(t, 30*time.Millisecond)
	s.audit.take()
	refused, early := 0, 0
	for range 128 {
		response, body := c.ask(t, keepAlive(request{body: minimal}))
		if response.StatusCode == http.StatusOK {
			continue
		}
		refused++
		if response.Header.Get("Date") == "" { // it has one from a handler
			early++
		}
		if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") != "1" ||
			response.Header.Get("Cache-Control") != "no-store" || response.Header.Get("X-Content-Type-Options") != "nosniff" ||
			response.Header.Get("Content-Type") != "application/problem+json" {
			t.Fatalf("%s %v", response.Status, response.Header)
		}
		id := response.Header.Get("X-Request-Id")
		if len(id) != 16 || !strings.Contains(body, `"code":"overloaded"`) || !strings.Contains(body, `"request_id":"`+id+`"`) {
			t.Fatalf("id %q: %s", id, body)
		}
	}
	if refused != 128 {
		t.Errorf("%d of 128 refused, want all", refused)
	}
	if early != refused {
		t.Errorf("%d of %d were refused before there was a handler", early, refused)
	}
	if records := len(s.audit.take()); records != 0 {
		t.Errorf("%d records of what was refused", records)
	}
	limits := s.server.Limits()
	if l := limits[len(limits)-1]; l.Kind != "overload" || l.Refused != 129 || l.Allowed != 0 {
		t.Errorf("counted %+v", l)
	}
}

// Where refusing alone takes up the processor, all of them wait too long for ever.
func TestWhereNobodyIsInTimeOneIn64IsServed(t *testing.T) {
	s, _, c := overloaded(t, 30*time.Millisecond)
	for range 2 { // windows, of which one is followed by one in which some are served
		var served int
		for range 256 {
			s.clock.advance(time.Millisecond)
			if response, _ := c.ask(t, keepAlive(request{body: minimal})); response.StatusCode == http.StatusOK {
				served++
			}
		}
		if served < 1 || served > 4 {
			t.Errorf("%d of 256 were served", served)
		}
	}
}

// What waits no longer than a twentieth of what is too long is served, so that what is
// served is answered in time.
func TestInAnOverloadWhoeverHasNotWaitedIsServed(t *testing.T) {
	_, wait, c := overloaded(t, 30*time.Millisecond)
	for i := range 80 {
		status := http.StatusOK
		if wait.Store(int64(1250 * time.Microsecond)); i%2 == 0 {
			wait.Store(int64(1251 * time.Microsecond))
			status = http.StatusServiceUnavailable
		}
		if response, _ := c.ask(t, keepAlive(request{body: minimal})); response.StatusCode != status {
			t.Fatalf("request %d: %s, want %d", i, response.Status, status)
		}
	}
}

// The answer of a request that was read piece by piece comes from the handler, and
// is the same.
func TestWhatComesInPiecesIsRefusedAlike(t *testing.T) {
	_, _, c := overloaded(t, 30*time.Millisecond)
	whole := keepAlive(request{body: minimal})
	split := strings.Index(whole, "\r\n\r\n") + 4
	var one, two *http.Response
	var bodyOne, bodyTwo string
	for range 3 { // one may be among those that are served all the same
		if one, bodyOne = c.ask(t, whole); one.StatusCode == http.StatusServiceUnavailable {
			break
		}
	}
	for range 3 {
		if two, bodyTwo = c.ask(t, whole[:split], whole[split:]); two.StatusCode == http.StatusServiceUnavailable {
			break
		}
	}
	for _, r := range []*http.Response{one, two} {
		r.Header.Del("Date")
	}
	bodyOne = strings.ReplaceAll(bodyOne, one.Header.Get("X-Request-Id"), "id")
	bodyTwo = strings.ReplaceAll(bodyTwo, two.Header.Get("X-Request-Id"), "id")
	if bodyOne != bodyTwo || len(one.Header) != len(two.Header) || one.ContentLength != two.ContentLength {
		t.Errorf("%v %s\n%v %s", one.Header, bodyOne, two.Header, bodyTwo)
	}
}

// What makes a few wait is somebody else's use of the machine, and refusing them would
// make nobody wait less.
func TestAFewAreNoOverloadHoweverLateTheyAre(t *testing.T) {
	s, wait := waitingAlone(t)
	wait.Store(int64(time.Second))
	c := s.caller(t)
	others := make([]net.Conn, httpapi.Crowd-2)
	for i := range others {
		others[i] = s.dial(t)
	}
	served := func(why string) {
		t.Helper()
		for range 500 {
			s.clock.advance(10 * time.Millisecond)
			if response, body := c.ask(t, keepAlive(request{body: minimal})); response.StatusCode != http.StatusOK {
				t.Fatalf("%s: %s %s", why, response.Status, body)
			}
		}
	}
	counted := func(want int) { // the server is told in its own time
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); s.server.Open() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d connections are counted, want %d", s.server.Open(), want)
			}
		}
	}
	served("one connection is missing to a crowd")
	others = append(others, s.dial(t))
	overload(t, s, c)
	for _, conn := range others {
		_ = conn.Close()
	}
	counted(1)
	served("the others left")
	wait.Store(int64(12 * time.Millisecond)) // not late, but refused in overload
	for range httpapi.Crowd {
		s.dial(t)
	}
	counted(httpapi.Crowd + 1)
	served("another crowd came")
}

func TestABurstAndAPauseAreNoOverload(t *testing.T) {
	s, wait := waiting(t)
	c := s.caller(t)
	for range 40 { // stalls of 60 ms, a second apart
		wait.Store(int64(80 * time.Millisecond))
		for range 60 {
			s.clock.advance(time.Millisecond)
			if response, body := c.ask(t, keepAlive(request{body: minimal})); response.StatusCode != http.StatusOK {
				t.Fatalf("%s %s", response.Status, body)
			}
		}
		wait.Store(0)
		for range 100 {
			s.clock.advance(10 * time.Millisecond)
			c.ask(t, keepAlive(request{body: minimal}))
		}
	}
}

// Half a second of it, after which each waited less than the one before.
func TestWhatBecomesLessIsNoOverload(t *testing.T) {
	s, wait := waiting(t)
	c := s.caller(t)
	for i := range 500 {
		wait.Store(int64(time.Duration(600-i) * time.Millisecond))
		s.clock.advance(time.Millisecond)
		if response, body := c.ask(t, keepAlive(request{body: minimal})); response.StatusCode != http.StatusOK {
			t.Fatalf("%d: %s %s", i, response.Status, body)
		}
	}
	if took := overload(t, s, c); took < 60 { // what no longer becomes less is one
		t.Errorf("refused after %d ms", took)
	}
}

func TestAfterAnOverloadEverythingInTimeIsServedAtOnce(t *testing.T) {
	s, wait, c := overloaded(t, 30*time.Millisecond)
	for range 200 {
		s.clock.advance(time.Millisecond)
		c.ask(t, keepAlive(request{body: minimal}))
	}
	wait.Store(int64(time.Millisecond))
	for i := range 200 {
		s.clock.advance(10 * time.Millisecond)
		if response, _ := c.ask(t, keepAlive(request{body: minimal})); response.StatusCode != http.StatusOK {
			t.Fatalf("request %d after it: %s", i, response.Status)
		}
	}
	wait.Store(int64(30 * time.Millisecond)) // one late request begins no new one
	if response, _ := c.ask(t, keepAlive(request{body: minimal})); response.StatusCode != http.StatusOK {
		t.Errorf("still refused: %s", response.Status)
	}
}

// calmDown ends an overload: sixteen in a row are in time, after a while without any.
func calmDown(t *testing.T, s *site, wait *atomic.Int64, c *caller) {
	t.Helper()
	s.clock.advance(40 * time.Millisecond)
	wait.Store(int64(time.Millisecond))
	for range 16 {
		c.ask(t, keepAlive(request{body: minimal}))
	}
}

// refusesAtOnce asks late, and says whether that begins an overload without a queue that
// stands.
func refusesAtOnce(t *testing.T, wait *atomic.Int64, c *caller) bool {
	t.Helper()
	wait.Store(int64(30 * time.Millisecond))
	refused := false
	for range 9 * 16 { // nine of them are looked at
		response, _ := c.ask(t, keepAlive(request{body: minimal}))
		refused = refused || response.StatusCode == http.StatusServiceUnavailable
	}
	return refused
}

// After a pause of the process the first request may have just come in while others lie
// unread: one that is in time says nothing. Sixteen in a row do.
func TestAPauseIsNoEndOfAnOverload(t *testing.T) {
	for inTime, status := range map[int]int{1: http.StatusServiceUnavailable, 15: http.StatusServiceUnavailable, 16: http.StatusOK} {
		s, wait, c := overloaded(t, 30*time.Millisecond)
		s.clock.advance(40 * time.Millisecond)
		wait.Store(int64(time.Millisecond))
		for i := range inTime {
			if response, _ := c.ask(t, keepAlive(request{body: minimal})); response.StatusCode != http.StatusOK {
				t.Fatalf("request %d after a pause, in time: %s", i, response.Status)
			}
		}
		wait.Store(int64(30 * time.Millisecond))
		if response, _ := c.ask(t, keepAlive(request{body: minimal})); response.StatusCode != status {
			t.Errorf("a late one after %d in time: %s, want %d", inTime, response.Status, status)
		}
	}
}

// What ended a moment ago begins again as soon as requests are late, and what ended long
// ago does not.
func TestAnOverloadThatWasThereAMomentAgoIsSeenAtOnce(t *testing.T) {
	for _, tt := range []struct {
		ago     time.Duration
		refuses bool
	}{{0, true}, {900 * time.Millisecond, true}, {1100 * time.Millisecond, false}} {
		s, wait, c := overloaded(t, 30*time.Millisecond)
		calmDown(t, s, wait, c)
		s.clock.advance(tt.ago)
		if refused := refusesAtOnce(t, wait, c); refused != tt.refuses {
			t.Errorf("%s after the end of one, late requests are refused at once: %t", tt.ago, refused)
		}
	}
}

// Who is refused for having waited a little keeps no overload going.
func TestWhatIsHardlyLateKeepsNoOverloadGoing(t *testing.T) {
	s, wait, c := overloaded(t, 30*time.Millisecond)
	s.clock.advance(100 * time.Millisecond)
	c.ask(t, keepAlive(request{body: minimal})) // the window of the beginning ends
	wait.Store(int64(2 * time.Millisecond))
	for i := range 40 {
		s.clock.advance(time.Millisecond)
		if response, _ := c.ask(t, keepAlive(request{body: minimal})); response.StatusCode != http.StatusServiceUnavailable {
			t.Fatalf("request %d, in the window in which another was late: %s", i, response.Status)
		}
	}
	s.clock.advance(100 * time.Millisecond)
	c.ask(t, keepAlive(request{body: minimal}))
	if response, _ := c.ask(t, keepAlive(request{body: minimal})); response.StatusCode != http.StatusOK {
		t.Errorf("after a window in which one of forty was late: %s", response.Status)
	}
}

// Half of them find the server idle: it has time, and the others wait for something else.
func TestPausesKeepNoOverloadGoing(t *testing.T) {
	for fresh, status := range map[int]int{4: http.StatusServiceUnavailable, 6: http.StatusOK} { // of ten
		s, wait, c := overloaded(t, 30*time.Millisecond)
		s.clock.advance(100 * time.Millisecond)
		c.ask(t, keepAlive(request{body: minimal})) // the window of the beginning ends
		for i := range 90 {
			s.clock.advance(time.Millisecond)
			if wait.Store(int64(250 * time.Microsecond)); i%10 >= fresh {
				wait.Store(int64(5 * time.Millisecond))
			}
			c.ask(t, keepAlive(request{body: minimal}))
		}
		s.clock.advance(100 * time.Millisecond)
		wait.Store(int64(5 * time.Millisecond))
		c.ask(t, keepAlive(request{body: minimal}))
		if response, _ := c.ask(t, keepAlive(request{body: minimal})); response.StatusCode != status {
			t.Errorf("after a window in which %d of 10 found it idle: %s, want %d", fresh, response.Status, status)
		}
	}
}

// An overload that is seen at once and over soon makes no next one be seen at once.
func TestBeingWaryEnds(t *testing.T) {
	s, wait, c := overloaded(t, 30*time.Millisecond)
	calmDown(t, s, wait, c)
	s.clock.advance(600 * time.Millisecond)
	if !refusesAtOnce(t, wait, c) {
		t.Error("600 ms after the first, late requests are served")
	}
	calmDown(t, s, wait, c)
	s.clock.advance(600 * time.Millisecond)
	if refusesAtOnce(t, wait, c) {
		t.Error("1240 ms after the first, which only one that was soon over followed, late requests are refused at once")
	}
}

// A clock that is set back must neither keep an overload going nor hide one.
func TestAClockThatIsSetBackChangesNothingOfAnOverload(t *testing.T) {
	s, wait := waiting(t)
	wait.Store(int64(30 * time.Millisecond))
	c := s.caller(t)
	for range 48 { // three of these are looked at: a queue that may stand
		c.ask(t, keepAlive(request{body: minimal}))
	}
	s.clock.advance(-time.Hour)
	overload(t, s, c)
	for range 200 {
		s.clock.advance(time.Millisecond)
		c.ask(t, keepAlive(request{body: minimal}))
	}
	s.clock.advance(-time.Hour)
	wait.Store(int64(time.Millisecond))
	for i := range 100 {
		s.clock.advance(10 * time.Millisecond)
		if response, _ := c.ask(t, keepAlive(request{body: minimal})); response.StatusCode != http.StatusOK {
			t.Fatalf("request %d after it: %s", i, response.Status)
		}
	}
	wait.Store(int64(30 * time.Millisecond)) // nor does one late request begin a new one
	if response, _ := c.ask(t, keepAlive(request{body: minimal})); response.StatusCode != http.StatusOK {
		t.Errorf("still refused: %s", response.Status)
	}
}

func TestHealthIsAnsweredInOverload(t *testing.T) {
	_, _, c := overloaded(t, time.Second)
	for range 20 {
		if response, _ := c.ask(t, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); response.StatusCode != http.StatusOK {
			t.Fatal(response.Status)
		}
	}
}

// A request in the body of another is that one's body, however it is cut up, also
// while requests are refused.
func TestARequestInABodyIsNoRequestInOverload(t *testing.T) {
	_, _, c := overloaded(t, time.Second)
	inner := keepAlive(request{body: minimal})
	head := "POST /api/generate_jwt/ HTTP/1.1\r\nHost: x\r\nContent-Length: " + strconv.Itoa(len(inner)) + "\r\n\r\n"
	for range 10 {
		c.ask(t, head, inner)
	}
	// Were one of them answered twice, the answers would be out of step by now.
	if response, _ := c.ask(t, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); response.StatusCode != http.StatusOK {
		t.Errorf("out of step: %s", response.Status)
	}
	// The same for what was sent before its turn.
	write(t, c.conn, inner+inner+"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	c.ask(t)
	c.ask(t)
	if response, _ := c.ask(t); response.StatusCode != http.StatusOK || response.ContentLength != int64(len("{\"status\":\"ok\"}\n")) {
		t.Errorf("out of step: %s", response.Status)
	}
}

// What follows a request that was sent before its turn is the rest of that one, and
// not one of its own.
func TestTheRestOfARequestThatCameEarlyIsNoRequestInOverload(t *testing.T) {
	inner := keepAlive(request{body: minimal})
	head := "POST /api/generate_jwt/ HTTP/1.1\r\nHost: x\r\n"
	length := "Content-Length: " + strconv.Itoa(len(inner)) + "\r\n\r\n"
	for name, pieces := range map[string][]string{
		"the body":            {inner + head + length, inner},
		"headers and body":    {inner + head, length, inner},
		"what looks like one": {inner + head, strings.Replace(inner, " HTTP/1.1", ": HTTP/1.1", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, c := overloaded(t, time.Second)
			c.ask(t, pieces...)
			if name == "what looks like one" { // which is a header that nobody may send
				if response, _ := c.ask(t); response.StatusCode != http.StatusBadRequest {
					t.Errorf("out of step: %s", response.Status)
				}
				return
			}
			c.ask(t)
			if response, _ := c.ask(t, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); response.StatusCode != http.StatusOK {
				t.Errorf("out of step: %s", response.Status)
			}
		})
	}
}

// A connection that is closed while its client sends still is closed in two steps, or
// the client would lose the answer.
func TestTheGateLeavesTheAnswerToWhoSendsTooMuch(t *testing.T) {
	s, _ := waiting(t)
	conn := s.dial(t)
	write(t, conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 128<<10))
	if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 431 ") {
		t.Errorf("%v after %q", err, answer)
	}
}

// What came together a while ago is no beginning of what comes together now.
func TestTwoBurstsAreNoOverload(t *testing.T) {
	s, wait := waiting(t)
	c := s.caller(t)
	for range 4 {
		wait.Store(int64(30 * time.Millisecond))
		for range 10 * 16 { // ten of them are looked at
			if response, body := c.ask(t, keepAlive(request{body: minimal})); response.StatusCode != http.StatusOK {
				t.Fatalf("%s %s", response.Status, body)
			}
		}
		s.clock.advance(time.Minute)
	}
}

// net/http reads ahead while it handles a request without a body.
func TestTheGateAndNetHTTPReadAConnectionTogether(t *testing.T) {
	s := open(t, func(s *setup) { s.config.MaxWait = time.Nanosecond })
	for range httpapi.Crowd {
		s.dial(t)
	}
	var callers sync.WaitGroup
	for range 4 {
		conn := s.dial(t)
		callers.Go(func() {
			in := bufio.NewReader(conn)
			for range 200 {
				if _, err := io.WriteString(conn, "GET /elsewhere?a=b HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n"); err != nil {
					t.Error(err)
					return
				}
				response, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				if response.StatusCode != http.StatusNotFound && response.StatusCode != http.StatusServiceUnavailable {
					t.Error(response.Status)
				}
			}
		})
	}
	callers.Wait()
}
