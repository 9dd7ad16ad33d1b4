package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"embedseal/adapters/httpapi"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/ports"
)

// limited bounds each token to 2 a second and 4 at once, and failing peers to 1
// and 3.
func limited(s *setup) {
	s.config.Rate = httpapi.RateConfig{Enabled: true, TokenPerSecond: 2, TokenBurst: 4, FailurePerSecond: 1, FailureBurst: 3}
}

func as(g group.ID, name string) request {
	return request{headers: []string{jsonIs, "Explo-Authorization: Token " + apiToken(g, name)}, body: minimal}
}

func stranger(more ...string) request {
	return request{headers: append([]string{jsonIs, "Explo-Authorization: Token nonsense"}, more...), body: minimal}
}

// want sends r n times and checks the status of each answer.
func (s *site) want(t *testing.T, n, status int, r request) answer {
	t.Helper()
	var last answer
	for i := range n {
		if last = s.send(t, r); last.status != status {
			t.Fatalf("request %d of %d got %d, want %d: %s", i+1, n, last.status, status, last.body)
		}
	}
	return last
}

func TestTheLimitersCountWhatTheyAllowAndRefuse(t *testing.T) {
	s := open(t, limited)
	s.want(t, 4, http.StatusOK, as("acme", "rw"))
	s.want(t, 2, http.StatusTooManyRequests, as("acme", "rw"))
	s.want(t, 1, http.StatusOK, as("acme", "mint"))
	s.want(t, 3, http.StatusUnauthorized, stranger())
	s.want(t, 5, http.StatusTooManyRequests, stranger())
	want := []httpapi.LimitCounts{
		{Kind: "token", Allowed: 5, Refused: 2, Buckets: 2, MaxBuckets: 32768},
		{Kind: "failure", Allowed: 3, Refused: 5, Buckets: 1, MaxBuckets: 32768},
	}
	if got := s.server.Limits(); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := open(t).server.Limits(); len(got) != 0 {
		t.Errorf("limiters that are off count: %+v", got)
	}
}

func TestEachAPITokenHasARateOfItsOwn(t *testing.T) {
	s := open(t, limited)
	s.want(t, 4, http.StatusOK, as("acme", "rw"))
	got := s.want(t, 1, http.StatusTooManyRequests, as("acme", "rw"))
	if p := got.problem(t); p.Code != "rate_limited" || got.header.Get("Retry-After") != "1" {
		t.Errorf("%s, Retry-After %q", p.Code, got.header.Get("Retry-After"))
	}
	s.want(t, 4, http.StatusOK, as("acme", "mint"))      // another token of the group
	s.want(t, 4, http.StatusOK, as("other", "rw"))       // the same id in another group
	s.want(t, 3, http.StatusForbidden, as("acme", "ro")) // a refusal counts as well
	s.want(t, 1, http.StatusForbidden, as("acme", "ro"))
	s.want(t, 1, http.StatusTooManyRequests, as("acme", "ro"))

	s.clock.advance(499 * time.Millisecond)
	s.want(t, 1, http.StatusTooManyRequests, as("acme", "rw"))
	s.clock.advance(time.Millisecond)
	s.want(t, 1, http.StatusOK, as("acme", "rw"))
	s.want(t, 1, http.StatusTooManyRequests, as("acme", "rw"))
	s.clock.advance(time.Hour)
	s.want(t, 4, http.StatusOK, as("acme", "rw")) // a burst, not an hour's worth
	s.want(t, 1, http.StatusTooManyRequests, as("acme", "rw"))
}

func TestRetryAfterSaysWhenTheNextRequestPasses(t *testing.T) {
	s := open(t, func(s *setup) {
		s.config.Rate = httpapi.RateConfig{Enabled: true, TokenPerSecond: 0.4, TokenBurst: 1, FailurePerSecond: 1, FailureBurst: 1}
	})
	s.want(t, 1, http.StatusOK, as("acme", "rw"))
	if got := s.want(t, 1, http.StatusTooManyRequests, as("acme", "rw")); got.header.Get("Retry-After") != "3" {
		t.Errorf("Retry-After is %q, want 2.5 s rounded up", got.header.Get("Retry-After"))
	}
	s.clock.advance(3 * time.Second)
	s.want(t, 1, http.StatusOK, as("acme", "rw"))
}

func TestStrangersAreCountedByTheirAddress(t *testing.T) {
	s := open(t, limited)
	s.want(t, 1, http.StatusUnauthorized, stranger())
	s.want(t, 1, http.StatusUnauthorized, request{headers: []string{jsonIs}, body: minimal})
	s.want(t, 1, http.StatusForbidden, fromPage("https://a.example"))
	for _, r := range []request{stranger(), {headers: []string{jsonIs}, body: minimal}, fromPage("https://a.example")} {
		got := s.want(t, 1, http.StatusTooManyRequests, r)
		if p := got.problem(t); p.Code != "rate_limited" || got.header.Get("Retry-After") != "1" || got.header.Get("Www-Authenticate") != "" {
			t.Errorf("%s %v", p.Code, got.header)
		}
	}
	s.want(t, 4, http.StatusOK, as("acme", "rw")) // who is known is not held up by strangers at the same address
	s.clock.advance(time.Second)
	s.want(t, 1, http.StatusUnauthorized, stranger())
	s.want(t, 1, http.StatusTooManyRequests, stranger())
}

func TestWithoutARateNothingIsRefused(t *testing.T) {
	s := open(t)
	s.want(t, 100, http.StatusUnauthorized, stranger())
	s.want(t, 100, http.StatusOK, as("acme", "rw"))
}

func TestAFloodIsRecordedOnceASecond(t *testing.T) {
	s := open(t, limited)
	flood := func(n int) []audit.Event {
		s.want(t, n, http.StatusTooManyRequests, as("acme", "rw"))
		return s.audit.take()
	}
	check := func(events []audit.Event, alike int) {
		t.Helper()
		if len(events) != 1 || events[0].Alike != alike || events[0].Code != "rate_limited" || events[0].Outcome != audit.Refused ||
			events[0].Group != "acme" || events[0].TokenID != "id-of-rw" {
			t.Errorf("recorded %+v, want one that stands for %d", events, alike)
		}
	}
	s.want(t, 4, http.StatusOK, as("acme", "rw"))
	if events := s.audit.take(); len(events) != 4 {
		t.Fatalf("%d mints were recorded, want 4", len(events))
	}
	check(flood(30), 1)
	s.clock.advance(400 * time.Millisecond)
	if events := flood(10); len(events) != 0 {
		t.Errorf("recorded %+v within the same second", events)
	}
	s.clock.advance(600 * time.Millisecond)
	s.want(t, 2, http.StatusOK, as("acme", "rw"))
	s.audit.take()
	check(flood(5), 40) // the 29 and the 10 before, and this first one
	s.clock.advance(time.Second)
	s.want(t, 2, http.StatusOK, as("acme", "rw"))
	s.audit.take()
	check(flood(1), 5)
}

func TestAnAddressBehindAProxyIsBelievedOfTrustedProxiesOnly(t *testing.T) {
	behind := func(ip string) request { return stranger("X-Forwarded-For: " + ip) }
	remote := func(s *site) string {
		events := s.audit.take()
		return events[len(events)-1].Remote
	}
	t.Run("of nobody by default", func(t *testing.T) {
		s := open(t, limited)
		s.want(t, 3, http.StatusUnauthorized, behind("192.0.2.1"))
		if got := remote(s); got != "127.0.0.1" {
			t.Errorf("recorded as %s", got)
		}
		s.want(t, 1, http.StatusTooManyRequests, behind("192.0.2.2"))
	})
	t.Run("not of another network", func(t *testing.T) {
		s := open(t, limited, func(s *setup) { s.config.TrustedProxies = []string{"10.0.0.0/8", "::1"} })
		s.want(t, 3, http.StatusUnauthorized, behind("192.0.2.1"))
		s.want(t, 1, http.StatusTooManyRequests, behind("192.0.2.2"))
	})
	t.Run("of a trusted one, from the right", func(t *testing.T) {
		s := open(t, limited, func(s *setup) { s.config.TrustedProxies = []string{"127.0.0.0/8", "10.0.0.7"} })
		s.want(t, 3, http.StatusUnauthorized, behind("192.0.2.1"))
		if got := remote(s); got != "192.0.2.1" {
			t.Errorf("recorded as %s", got)
		}
		s.want(t, 1, http.StatusTooManyRequests, behind("192.0.2.1"))
		s.want(t, 1, http.StatusUnauthorized, behind("192.0.2.2"))
		s.want(t, 1, http.StatusTooManyRequests, behind("203.0.113.9, 192.0.2.1, 10.0.0.7"))
		s.want(t, 1, http.StatusTooManyRequests, stranger("X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 192.0.2.1"))
		s.want(t, 1, http.StatusUnauthorized, behind("198.51.100.1, nonsense")) // counts as the proxy itself
		if got := remote(s); got != "127.0.0.1" {
			t.Errorf("recorded as %s", got)
		}
	})
	t.Run("in no other header", func(t *testing.T) {
		s := open(t, limited, func(s *setup) { s.config.TrustedProxies = []string{"127.0.0.1"} })
		s.want(t, 1, http.StatusUnauthorized, stranger("X-Real-Ip: 192.0.2.1", "Forwarded: for=192.0.2.1", "True-Client-Ip: 192.0.2.1"))
		if got := remote(s); got != "127.0.0.1" {
			t.Errorf("recorded as %s", got)
		}
	})
	t.Run("IPv6 by the /64 that one subscriber has", func(t *testing.T) {
		s := open(t, limited, func(s *setup) { s.config.TrustedProxies = []string{"127.0.0.1"} })
		s.want(t, 1, http.StatusUnauthorized, behind("2001:db8:0:1::1"))
		s.want(t, 2, http.StatusUnauthorized, behind("2001:db8:0:1:ffff::2"))
		s.want(t, 1, http.StatusTooManyRequests, behind("2001:db8:0:1::3"))
		s.want(t, 1, http.StatusUnauthorized, behind("2001:db8:0:2::1"))
		s.want(t, 3, http.StatusUnauthorized, behind("192.0.2.77"))
		s.want(t, 1, http.StatusTooManyRequests, behind("::ffff:192.0.2.77"))
	})
	if _, err := httpapi.New(httpapi.Config{TrustedProxies: []string{"proxy.example"}}, nil, nil, nil, nil, nil, nil, nil, quiet()); err == nil {
		t.Error("a name is taken for a trusted proxy")
	}
}

// remembering is a store that counts what it is asked about groups that it has
// not found before.
type remembering struct {
	ports.GroupStore
	known map[group.ID]bool
	asked int
}

func (r *remembering) Knows(id group.ID) bool { return r.known[id] }

func (r *remembering) Group(ctx context.Context, id group.ID) (group.Group, error) {
	if !r.known[id] {
		r.asked++
	}
	g, err := r.GroupStore.Group(ctx, id)
	r.known[id] = err == nil
	return g, err
}

func TestAStrangerWhoInventsGroupsIsRefusedBeforeTheStoreIsAsked(t *testing.T) {
	var groups *remembering
	s := open(t, limited, func(s *setup) {
		groups = &remembering{GroupStore: s.groups, known: map[group.ID]bool{}}
		s.groups = groups
	})
	s.want(t, 1, http.StatusOK, as("acme", "rw"))
	groups.asked = 0
	for i := range 3 {
		s.want(t, 1, http.StatusUnauthorized, as(group.ID(fmt.Sprint("invented-", i)), "rw"))
	}
	for i := range 50 {
		s.want(t, 1, http.StatusTooManyRequests, as(group.ID(fmt.Sprint("invented-", 100+i)), "rw"))
	}
	if groups.asked != 3 {
		t.Errorf("the store was asked %d times, want 3", groups.asked)
	}
	// Whose group is known is not held up by them.
	s.want(t, 3, http.StatusOK, as("acme", "rw"))
	s.clock.advance(time.Second)
	s.want(t, 1, http.StatusUnauthorized, as("invented-200", "rw"))
}
