package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"embedseal/adapters/memory"
	"embedseal/adapters/metrics"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
	"embedseal/ports/porttest"
)

// scraped is what a Prometheus server would read.
func scraped(t *testing.T, r *metrics.Registry) string {
	t.Helper()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func want(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("there is no line %q in\n%s", line, text)
		}
	}
}

func TestTheDecoratedStoresAreStores(t *testing.T) {
	open := func() *metrics.Stores {
		s := memory.Open()
		return metrics.New("v1").Stores(memory.NewKeyStore(s), memory.NewGroupStore(s))
	}
	porttest.KeyStore(t, porttest.KeyStores{Open: func(*testing.T) ports.KeyStore { return open() }})
	porttest.GroupStore(t, porttest.GroupStores{Open: func(*testing.T) (ports.GroupStore, ports.KeyStore) {
		s := open()
		return s, s
	}})
}

// failing answers every read of a ring with err.
type failing struct {
	ports.KeyStore
	err error
}

func (f failing) Ring(context.Context, group.ID) (key.Ring, error) { return key.Ring{}, f.err }

func TestCallsOfTheStoreAreCountedByTheirOutcome(t *testing.T) {
	r := metrics.New("v1")
	s := memory.Open()
	outcomes := map[error]string{
		nil: "ok", ports.ErrUnavailable: "unavailable", ports.ErrSealed: "sealed", ports.ErrDenied: "denied", ports.ErrReadOnly: "read_only",
		ports.ErrCorrupt: "unreadable", ports.ErrWrongMasterKey: "unreadable", ports.ErrUnknownOutcome: "unknown",
		ports.ErrNotPurged: "not_purged", ports.ErrConflict: "conflict", ports.ErrExists: "exists", ports.ErrNotFound: "not_found",
		context.Canceled: "given_up", errors.New("the caller's own"): "refused",
	}
	for err, word := range outcomes {
		wrapped := err
		if err != nil {
			wrapped = fmt.Errorf("read: %w", err)
		}
		counted := r.Stores(failing{memory.NewKeyStore(s), wrapped}, memory.NewGroupStore(s))
		if _, got := counted.Ring(t.Context(), "acme"); !errors.Is(got, err) {
			t.Errorf("%s: got %v", word, got)
		}
	}
	text := scraped(t, r)
	for _, word := range outcomes {
		want(t, text, fmt.Sprintf(`embedseal_store_calls_total{method="ring",outcome="%s"} %d`, word, map[bool]int{true: 2, false: 1}[word == "unreadable"]))
	}
	want(t, text, fmt.Sprintf(`embedseal_store_duration_seconds_count{method="ring"} %d`, len(outcomes)))
}

type log struct{ err error }

func (l log) Record(context.Context, audit.Event) error { return l.err }

func TestADamagedRecordIsAnIncreaseTheFirstTime(t *testing.T) {
	r := metrics.New("v1")
	s := memory.Open()
	counted := r.Stores(memory.NewKeyStore(s), memory.NewGroupStore(s))
	before := scraped(t, r)
	_, _ = counted.Groups(t.Context())
	_ = counted.CreateGroup(t.Context(), group.Group{ID: "g"})
	_, _ = counted.Group(t.Context(), "g")
	_ = counted.UpdateGroup(t.Context(), "g", func(g group.Group) (group.Group, error) { return g, nil })
	_, _ = counted.Ring(t.Context(), "g")
	_ = counted.UpdateRing(t.Context(), "g", func(r key.Ring) (key.Ring, error) { return r, nil })
	_ = counted.DeleteGroup(t.Context(), "g")
	called := regexp.MustCompile(`embedseal_store_calls_total\{method="(\w+)",outcome="(?:ok|refused|not_found)"\} 1`).FindAllStringSubmatch(scraped(t, r), -1)
	if len(called) != 7 {
		t.Errorf("%d methods are counted", len(called))
	}
	for _, m := range called {
		want(t, before, `embedseal_store_calls_total{method="`+m[1]+`",outcome="unreadable"} 0`)
	}
}

func TestRecordsAndAnswersAreCounted(t *testing.T) {
	r := metrics.New("v1.2.3")
	full := fmt.Errorf("%w: disk full", ports.ErrUnavailable)
	for _, err := range []error{nil, nil, full} {
		if got := r.Auditor(log{err}).Record(t.Context(), audit.Event{}); !errors.Is(got, err) {
			t.Errorf("got %v, want %v", got, err)
		}
	}
	r.Answered("granted", 20*time.Microsecond)
	r.Answered("unauthenticated", time.Millisecond)
	want(t, scraped(t, r), `embedseal_audit_records_total{outcome="written"} 2`, `embedseal_audit_records_total{outcome="failed"} 1`,
		`embedseal_audit_duration_seconds_count 3`, `embedseal_mint_answers_total{code="granted"} 1`,
		`embedseal_mint_answers_total{code="unauthenticated"} 1`, `embedseal_mint_duration_seconds_count 2`,
		`embedseal_build_info{version="v1.2.3"} 1`)
}

func TestAnswersToTokensAreCountedByTheirReason(t *testing.T) {
	r := metrics.New("v1")
	want(t, scraped(t, r), `embedseal_verify_answers_total{code="active"} 0`)
	r.Verified("active", 40*time.Microsecond)
	r.Verified("expired", 40*time.Microsecond)
	r.Verified("expired", 40*time.Microsecond)
	want(t, scraped(t, r), `embedseal_verify_answers_total{code="active"} 1`, `embedseal_verify_answers_total{code="expired"} 2`,
		`embedseal_verify_duration_seconds_count 3`)
}

func TestAnswersOfTheAdministrationAreCountedByTheirRoute(t *testing.T) {
	r := metrics.New("v1")
	r.Administered("/admin/v1/groups/{group}", http.StatusOK, 300*time.Microsecond)
	r.Administered("/admin/v1/groups/{group}", http.StatusNotFound, 300*time.Microsecond)
	r.Administered("", http.StatusNotFound, time.Microsecond)
	want(t, scraped(t, r), `embedseal_admin_answers_total{route="/admin/v1/groups/{group}",status="200"} 1`,
		`embedseal_admin_answers_total{route="/admin/v1/groups/{group}",status="404"} 1`,
		`embedseal_admin_answers_total{route="other",status="404"} 1`,
		`embedseal_admin_duration_seconds_count{route="/admin/v1/groups/{group}"} 2`)
}

func TestACacheIsReadWhenSomebodyAsks(t *testing.T) {
	r := metrics.New("v1")
	counts := metrics.CacheCounts{}
	var keys []metrics.GroupKeys
	r.Watch(func() metrics.CacheCounts { return counts }, func(time.Time) []metrics.GroupKeys { return keys })
	counts = metrics.CacheCounts{Hits: 5, Stale: 3, Asked: 2, Groups: 1}
	keys = []metrics.GroupKeys{
		{Group: "acme", DefaultMade: time.Unix(1795000000, 0), RotationDue: time.Unix(1796000000, 0), States: map[string]int{"active": 1, "retiring": 2}},
		{Group: "bare"},
	}
	text := scraped(t, r)
	want(t, text, "embedseal_cache_hits_total 5", "embedseal_cache_stale_total 3", "embedseal_cache_asked_total 2",
		"embedseal_cache_groups 1", `embedseal_default_key_created_timestamp_seconds{group="acme"} 1.795e+09`,
		`embedseal_default_key_rotation_due_timestamp_seconds{group="acme"} 1.796e+09`,
		`embedseal_keys{group="acme",state="active"} 1`, `embedseal_keys{group="acme",state="retiring"} 2`)
	if strings.Contains(text, "bare") {
		t.Errorf("a time that is not known is told:\n%s", text)
	}
	keys = nil
	if text := scraped(t, r); strings.Contains(text, "acme") {
		t.Errorf("a group that is gone is still there:\n%s", text)
	}
}

func TestLimitersAndReadinessAreReadWhenSomebodyAsks(t *testing.T) {
	r := metrics.New("v1")
	var limits []metrics.LimitCounts
	var last metrics.Readiness
	r.WatchLimits(func() []metrics.LimitCounts { return limits })
	r.WatchReadiness(func() metrics.Readiness { return last })
	if text := scraped(t, r); strings.Contains(text, "embedseal_limiter") || strings.Contains(text, "embedseal_ready") {
		t.Errorf("there is something before anything was found:\n%s", text)
	}
	limits = []metrics.LimitCounts{{Listener: "public", Kind: "token", Allowed: 7, Refused: 2, Buckets: 3, MaxBuckets: 16},
		{Listener: "public", Kind: "overload", Refused: 5}} // which remembers nobody
	last = metrics.Readiness{Ready: true, At: time.Unix(1795000000, 0), Up: map[string]bool{"store": false, "audit": true}}
	want(t, scraped(t, r), `embedseal_limiter_requests_total{kind="token",listener="public",outcome="allowed"} 7`,
		`embedseal_limiter_requests_total{kind="token",listener="public",outcome="refused"} 2`, `embedseal_limiter_buckets{kind="token",listener="public"} 3`,
		`embedseal_limiter_buckets_max{kind="token",listener="public"} 16`, `embedseal_limiter_requests_total{kind="overload",listener="public",outcome="refused"} 5`, `embedseal_ready 1`, `embedseal_ready_checked_timestamp_seconds 1.795e+09`,
		`embedseal_component_up{component="store"} 0`, `embedseal_component_up{component="audit"} 1`)
}

func TestHowTheAuditLogIsIsReadWhenSomebodyAsks(t *testing.T) {
	r := metrics.New("v1")
	status := audit.Status{Log: "local", Seq: 7, OK: true}
	r.WatchAudit(func() audit.Status { return status })
	want(t, scraped(t, r), `embedseal_audit_last_record{log="local"} 7`, `embedseal_audit_ok{log="local"} 1`)
	status = audit.Status{Log: "local", Seq: 8}
	want(t, scraped(t, r), `embedseal_audit_last_record{log="local"} 8`, `embedseal_audit_ok{log="local"} 0`)
}

func TestTheDocumentationNamesEveryMetric(t *testing.T) {
	r := metrics.New("v1")
	s := memory.Open()
	_, _ = r.Stores(memory.NewKeyStore(s), memory.NewGroupStore(s)).Groups(t.Context())
	_ = r.Auditor(log{}).Record(t.Context(), audit.Event{})
	r.Answered("granted", 0)
	r.Administered("/admin/v1/groups", http.StatusOK, 0)
	r.Watch(func() metrics.CacheCounts { return metrics.CacheCounts{} }, func(now time.Time) []metrics.GroupKeys {
		return []metrics.GroupKeys{{Group: "g", DefaultMade: now, RotationDue: now, States: map[string]int{"active": 1}}}
	})
	r.WatchLimits(func() []metrics.LimitCounts { return []metrics.LimitCounts{{Kind: "token", MaxBuckets: 1}} })
	r.WatchAudit(func() audit.Status { return audit.Status{} })
	r.WatchRevocations(func() []metrics.Revocations { return []metrics.Revocations{{Group: "g"}} })
	r.WatchReadiness(func() metrics.Readiness { return metrics.Readiness{At: time.Now(), Up: map[string]bool{"store": true}} })
	var there []string
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (embedseal_\S+) `).FindAllStringSubmatch(scraped(t, r), -1) {
		there = append(there, m[1])
	}
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(embedseal_[a-z_]+)` ").FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, m[1])
	}
	slices.Sort(there)
	slices.Sort(documented)
	if len(there) == 0 || !slices.Equal(there, documented) {
		t.Errorf("docs/metrics.md has %q, the program %q", documented, there)
	}
}

func TestRevocationsAreReadWhenSomebodyAsks(t *testing.T) {
	r := metrics.New("v1")
	var held []metrics.Revocations
	r.WatchRevocations(func() []metrics.Revocations { return held })
	held = []metrics.Revocations{{Group: "acme", Entries: 3, Asked: time.Unix(1795000000, 500e6)}}
	want(t, scraped(t, r), `embedseal_revocations{group="acme"} 3`, `embedseal_revocations_read_timestamp_seconds{group="acme"} 1.7950000005e+09`)
}
