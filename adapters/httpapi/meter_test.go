package httpapi_test

import (
	"net/http"
	"testing"

	"embedseal/ports"
)

func TestEveryAnswerToARequestForATokenIsCountedOnceByItsCode(t *testing.T) {
	s := open(t, limited)
	for _, step := range []struct {
		code   string
		status int
		r      request
	}{
		{"granted", http.StatusOK, as("acme", "rw")},
		{"insufficient_scope", http.StatusForbidden, as("acme", "ro")},
		{"unauthenticated", http.StatusUnauthorized, stranger()},
		{"malformed_json", http.StatusBadRequest, func() request { r := as("acme", "rw"); r.body = "{"; return r }()},
		{"browser_refused", http.StatusForbidden, func() request {
			r := as("acme", "rw")
			r.headers = append(r.headers, "Origin: https://app.example")
			return r
		}()},
	} {
		before, all := s.meter.count(step.code)
		s.want(t, 1, step.status, step.r)
		if after, allAfter := s.meter.count(step.code); after != before+1 || allAfter != all+1 {
			t.Errorf("%s: counted %d of %d, before %d of %d", step.code, after, allAfter, before, all)
		}
	}
	limited := 0
	for range 5 { // more failures than the address may have
		if s.send(t, stranger()).status == http.StatusTooManyRequests {
			limited++
		}
	}
	if of, _ := s.meter.count("rate_limited"); limited == 0 || of != limited {
		t.Errorf("rate_limited is counted %d times, and was answered %d times", of, limited)
	}
}

func TestAFailureIsCountedToo(t *testing.T) {
	s := open(t, func(s *setup) { s.cipher = faultyCipher{broken(ports.ErrSealed)} })
	s.want(t, 1, http.StatusServiceUnavailable, as("acme", "rw"))
	if of, all := s.meter.count("store_sealed"); of != 1 || all != 1 {
		t.Errorf("counted %d of %d", of, all)
	}
}

func TestAPanicIsCountedAsAnInternalError(t *testing.T) {
	s := open(t, func(s *setup) { s.keys = faultyKeys{KeyStore: s.keys, panics: "a fault"} })
	s.want(t, 1, http.StatusInternalServerError, as("acme", "rw"))
	if of, all := s.meter.count("internal_error"); of != 1 || all != 1 {
		t.Errorf("counted %d of %d", of, all)
	}
}
