package httpapi_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"embedseal/domain/audit"
	"embedseal/domain/key"
	"embedseal/domain/token"
	"embedseal/ports"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// storeFaults are what a store or a cipher may answer, and what the caller is
// told.
func storeFaults() []struct {
	err    error
	status int
	code   string
} {
	return []struct {
		err    error
		status int
		code   string
	}{
		{ports.ErrUnavailable, 503, "store_unavailable"},
		{ports.ErrHeld, 503, "store_unavailable"},
		{ports.ErrSealed, 503, "store_sealed"},
		{ports.ErrDenied, 503, "store_denied"},
		{ports.ErrReadOnly, 503, "store_denied"},
		{ports.ErrCorrupt, 503, "store_unreadable"},
		{ports.ErrWrongMasterKey, 503, "store_unreadable"},
		{ports.ErrUnknownOutcome, 503, "outcome_unknown"},
		{ports.ErrCustody, 503, "custody_unavailable"},
		{ports.ErrCustodyUnavailable, 503, "custody_unavailable"},
		{ports.ErrConflict, 409, "conflict"},
		{key.ErrNoDefault, 409, "no_default_key"},
		{context.DeadlineExceeded, 503, "timeout"},
		{context.Canceled, 503, "timeout"},
		{ports.ErrBadTag, 500, "internal_error"},
		{errors.New("of a kind that nobody foresaw"), 500, "internal_error"},
	}
}

func TestEveryFaultBehindUsHasItsOwnCode(t *testing.T) {
	for _, f := range storeFaults() {
		fail := broken(f.err)
		for place, change := range map[string]func(*setup){
			"groups":        func(s *setup) { s.groups = faultyGroups{s.groups, fail} },
			"keys":          func(s *setup) { s.keys = faultyKeys{KeyStore: s.keys, fail: fail} },
			"new keys":      func(s *setup) { s.keys = faultyKeys{KeyStore: s.keys, failUpdate: fail} },
			"custody":       func(s *setup) { s.custody = faultyCustody{s.custody, fail} },
			"token cipher":  func(s *setup) { s.cipher = faultyCipher{fail} },
			"wrapped twice": func(s *setup) { s.cipher = faultyCipher{fmt.Errorf("seal: %w", fail)} },
		} {
			t.Run(f.code+" of "+place+": "+f.err.Error(), func(t *testing.T) {
				s := open(t, change)
				got := s.send(t, as("bare", "rw"))
				p := got.problem(t)
				// Who may read the ring and not write it only mints: that a key is
				// missing is for another replica to mend.
				f := f
				if errors.Is(f.err, ports.ErrReadOnly) && (place == "new keys" || place == "custody") {
					f.status, f.code = 409, "no_default_key"
				}
				if got.status != f.status || p.Code != f.code {
					t.Fatalf("%d %s, want %d %s", got.status, p.Code, f.status, f.code)
				}
				if wait := got.header.Get("Retry-After"); (wait == "1") != (f.status == 503) {
					t.Errorf("Retry-After is %q", wait)
				}
				s.checkFailure(t, got, p)
			})
		}
	}
}

// checkFailure: recorded as what it is, the cause in the log and nowhere else.
func (s *site) checkFailure(t *testing.T, got answer, p problem) {
	t.Helper()
	if strings.Contains(got.body, "10.9.8.7") || strings.Contains(got.body, "canary") || strings.Contains(got.body, `"jwt"`) {
		t.Errorf("the answer tells too much: %s", got.body)
	}
	if !strings.Contains(s.logs.String(), "canary of the inside") || !strings.Contains(s.logs.String(), p.RequestID) {
		t.Errorf("the log does not have the cause with the request's id: %s", s.logs)
	}
	events := s.audit.take()
	last := events[len(events)-1]
	want := audit.Failed
	if got.status < 500 {
		want = audit.Refused
	}
	if last.Outcome != want || last.Code != p.Code || last.RequestID != p.RequestID {
		t.Errorf("the last record is %+v", last)
	}
	for _, e := range events {
		if e.Action == audit.ActionMint && e.Outcome == audit.Granted {
			t.Errorf("a mint was recorded: %+v", e)
		}
	}
}

func TestWithoutARecordThereIsNoToken(t *testing.T) {
	s := open(t, func(s *setup) { s.audit.fail = broken(ports.ErrUnavailable) })
	for name, r := range map[string]request{
		"a mint":       {body: minimal},
		"a new key":    as("bare", "rw"),
		"a refusal":    {body: "{"},
		"a stranger":   stranger(),
		"an odd key":   keyRequest(unknownKey),
		"a wrong type": {headers: []string{authorized()}, body: minimal},
	} {
		got := s.send(t, r)
		p := got.problem(t)
		if got.status != http.StatusServiceUnavailable || p.Code != "audit_unavailable" || got.header.Get("Retry-After") != "1" {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		if strings.Contains(got.body, "eyJ") || strings.Contains(got.body, "canary") || len(p.Errors) > 0 {
			t.Errorf("%s: the answer tells too much: %s", name, got.body)
		}
	}
	ring, err := s.keys.Ring(t.Context(), "bare")
	if err != nil || ring.Len() != 0 {
		t.Errorf("a key was made without a record: %d, %v", ring.Len(), err)
	}
}

func TestTheRecordIsWrittenBeforeTheAnswerLeaves(t *testing.T) {
	s := open(t, func(s *setup) { s.audit.entered, s.audit.gate = make(chan struct{}), make(chan struct{}) })
	for _, r := range []request{{body: minimal}, {body: "{"}} {
		conn := s.dial(t)
		if _, err := io.WriteString(conn, r.String()); err != nil {
			t.Fatal(err)
		}
		<-s.audit.entered
		if err := conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Error("the answer left before the record was written")
		}
		s.audit.gate <- struct{}{}
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 ") {
			t.Errorf("then came %q, %v", text, err)
		}
		if events := s.audit.take(); len(events) != 1 {
			t.Errorf("%d records", len(events))
		}
	}
}

func TestTheRecordOfAMintSaysWhatWasMinted(t *testing.T) {
	s := open(t, withCharts)
	got := s.send(t, request{body: allEight})
	text := got.jwt(t)
	events := s.audit.take()
	if len(events) != 1 {
		t.Fatalf("%d records", len(events))
	}
	e := events[0]
	if e.Action != audit.ActionMint || e.Outcome != audit.Granted || e.RequestID != got.header.Get("X-Request-Id") || e.Remote != "127.0.0.1" ||
		e.Group != "acme" || e.TokenID != "id-of-rw" || e.KeyID != namedKey || e.Customer != "c" || e.Embed != "e" || e.Chart != "h" ||
		e.ExpiresAt.Sub(e.IssuedAt) != time.Second || e.Fingerprint != token.Fingerprint(sha256.Sum256([]byte(text))) || e.Code != "" {
		t.Errorf("the record is %+v", e)
	}
}

func TestAPanicIsAnswered500AndLoggedWithoutHeaders(t *testing.T) {
	canary := apiToken("acme", "rw") + " in a panic"
	for name, value := range map[string]any{"a text": canary, "an error": errors.New(canary), "a runtime error": nil} {
		t.Run(name, func(t *testing.T) {
			s := open(t, func(s *setup) {
				s.keys = faultyKeys{KeyStore: s.keys, panics: value}
				if value == nil {
					s.cipher = nil
				}
			})
			got := s.send(t, request{headers: []string{jsonIs, authorized(), "X-Canary: of-the-headers"}, body: minimal})
			if p := got.problem(t); got.status != http.StatusInternalServerError || p.Code != "internal_error" {
				t.Errorf("%d %s", got.status, got.body)
			}
			log := s.logs.String()
			if !strings.Contains(log, "level=ERROR msg=panic") || !strings.Contains(log, "app.(*Minter).Mint") ||
				!strings.Contains(log, got.header.Get("X-Request-Id")) {
				t.Errorf("the log has no stack: %s", log)
			}
			if value == nil && !strings.Contains(log, "nil pointer dereference") {
				t.Errorf("the log does not say what went wrong: %s", log)
			}
			for _, never := range []string{"of-the-headers", apiToken("acme", "rw"), "in a panic", "Explo-Authorization"} {
				if strings.Contains(log, never) || strings.Contains(got.body, never) {
					t.Errorf("%q is in the log or the answer: %s", never, log)
				}
			}
			if e := s.audit.take(); len(e) != 1 || e[0].Outcome != audit.Failed || e[0].Action != audit.ActionRequest || e[0].Code != "internal_error" {
				t.Errorf("recorded as %+v", e)
			}
			s.send(t, request{body: "{"}).problem(t) // the server goes on
		})
	}
}

func TestAnAuditorThatPanicsIsAnswered500(t *testing.T) {
	s := open(t, func(s *setup) { s.audit.panics = "canary of the auditor" })
	got := s.send(t, request{body: minimal})
	if p := got.problem(t); p.Code != "internal_error" || strings.Contains(s.logs.String(), "canary") {
		t.Errorf("%s, and the log: %s", got.body, s.logs)
	}
}

func TestWhatIsRefusedIsNoError(t *testing.T) {
	s := open(t)
	s.send(t, request{body: "{"}).problem(t)
	if log := s.logs.String(); strings.Contains(log, "level=ERROR") || !strings.Contains(log, "code=malformed_json") {
		t.Errorf("the log is %s", log)
	}
}
