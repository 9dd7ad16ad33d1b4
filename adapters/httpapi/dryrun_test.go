package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/ports"
)

// tried is the answer to a dry run.
type tried struct {
	Success  int             `json:"success"`
	DryRun   bool            `json:"dry_run"`
	Allowed  bool            `json:"allowed"`
	Claims   json.RawMessage `json:"claims"`
	KeyID    *string         `json:"key_id"`
	Errors   []fault         `json:"errors"`
	Warnings []fault         `json:"warnings"`
}

// dry is r as a dry run.
func dry(r request) request {
	if r.path == "" {
		r.path = route
	}
	r.path += "?dry_run=1"
	return r
}

// tried reads the answer to a dry run, and checks what every one of them has.
func (a answer) tried(t *testing.T) tried {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	var got tried
	decoder := json.NewDecoder(strings.NewReader(a.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&got); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	a.checkHeaders(t, "application/json")
	if got.Success != 1 || !got.DryRun || got.Errors == nil || got.Warnings == nil || strings.Contains(a.body, `"jwt"`) {
		t.Errorf("the answer is %s", a.body)
	}
	if got.Allowed != (string(got.Claims) != "null") || got.Allowed != (len(got.Errors) == 0) || !got.Allowed && (got.KeyID != nil || len(got.Warnings) > 0) {
		t.Errorf("the answer contradicts itself: %s", a.body)
	}
	return got
}

func TestADryRunSaysWhatARuleWouldDo(t *testing.T) {
	eachWay(t, func(t *testing.T, s *site, r rule, whose string, cut bool) {
		got := s.send(t, dry(r.request())).tried(t)
		e := s.audit.take()
		if len(e) != 1 || e[0].Action != audit.ActionMintDryRun || !slices.Equal(e[0].Rules, []string{r.fault}) || !e[0].Fingerprint.IsZero() {
			t.Fatalf("recorded as %+v", e)
		}
		if n, all := s.meter.count("dry_run"); n != 1 || all != 1 {
			t.Errorf("counted %d of %d", n, all)
		}
		said := got.Errors
		if cut {
			said = got.Warnings
			if string(got.Claims) != `{`+base+`,`+r.clamped+`}` || got.KeyID == nil || *got.KeyID != r.sealedWith() || e[0].Outcome != audit.Granted {
				t.Errorf("claims %s, recorded as %+v", got.Claims, e[0])
			}
		} else if got.Allowed || e[0].Outcome != audit.Refused {
			t.Errorf("allowed %t, recorded as %+v", got.Allowed, e[0])
		}
		if len(said) != 1 || said[0].name() != r.fault {
			t.Fatalf("it says %+v", said)
		}
		r.explains(t, said[0].Detail, whose)
	})
}

func TestADryRunShowsTheClaimsOfTheTokenThatTheSameRequestGives(t *testing.T) {
	s := open(t, withCharts)
	for _, body := range []string{minimal, allEight, `{"provided_id":"<&>\u2028\"","embed_id":"\\"}`} {
		for _, path := range []string{route, strings.TrimSuffix(route, "/")} {
			got := s.send(t, dry(request{path: path, body: body})).tried(t)
			if got.KeyID == nil {
				t.Fatal("it names no key")
			}
			want := unseal(t, s.send(t, request{path: path, body: body}).jwt(t), values()[*got.KeyID]).claims
			if string(got.Claims) != want {
				t.Errorf("%s: a dry run says\n%s, the token\n%s", body, got.Claims, want)
			}
		}
	}
}

func TestADryRunSaysWhichKeyCannotSeal(t *testing.T) {
	for kid, want := range map[string]string{
		"no-such-key": "key_id:unknown_key", foreignKey: "key_id:unknown_key",
		retiringKey: "key_id:key_not_active", disabledKey: "key_id:key_not_active", destroyedKey: "key_id:key_not_active",
	} {
		s := open(t)
		r := request{body: `{"provided_id":"customer_1","embed_id":"abcde","key_id":"` + kid + `"}`}
		got := s.send(t, dry(r)).tried(t)
		if len(got.Errors) != 1 || got.Errors[0].name() != want {
			t.Errorf("%s: it says %+v, want %s", kid, got.Errors, want)
		}
		if e := s.audit.take(); len(e) != 1 || e[0].KeyID != "" || !slices.Equal(e[0].Rules, []string{want}) || e[0].Outcome != audit.Refused {
			t.Errorf("%s: recorded as %+v", kid, e)
		}
		// The policy names the same key, and the caller none.
		s = open(t, func(s *setup) { s.policy.PinnedKey = key.ID(kid) })
		got = s.send(t, dry(request{body: minimal})).tried(t)
		if len(got.Errors) != 1 || got.Errors[0].name() != "key_id:key_not_active" || !strings.Contains(got.Errors[0].Detail, "pins") {
			t.Errorf("%s, pinned: it says %+v", kid, got.Errors)
		}
		p := s.send(t, request{body: minimal}).problem(t)
		if p.Status != http.StatusConflict || p.Code != "key_not_active" || !strings.Contains(p.Detail, "pins") {
			t.Errorf("%s, pinned: minting is answered with %+v", kid, p)
		}
	}
}

// countingKeys counts what would make a key.
type countingKeys struct {
	ports.KeyStore
	updates *int
}

func (k countingKeys) UpdateRing(ctx context.Context, g group.ID, change func(key.Ring) (key.Ring, error)) error {
	*k.updates++
	return k.KeyStore.UpdateRing(ctx, g, change)
}

func TestADryRunMakesNoDefaultKey(t *testing.T) {
	updates := 0
	s := open(t, func(s *setup) { s.keys = countingKeys{s.keys, &updates} })
	before := updates
	for range 3 {
		got := s.send(t, dry(as("bare", "rw"))).tried(t)
		if !got.Allowed || got.KeyID != nil {
			t.Errorf("allowed %t by the key %v, want by one that would be made", got.Allowed, got.KeyID)
		}
	}
	ring, err := s.keys.Ring(t.Context(), "bare")
	if updates != before || ring.Len() != 0 || err != nil {
		t.Errorf("%d updates, and %d keys: %v", updates-before, ring.Len(), err)
	}
	for _, e := range s.audit.take() {
		if e.Action != audit.ActionMintDryRun || e.Outcome != audit.Granted || e.KeyID != "" {
			t.Errorf("recorded as %+v", e)
		}
	}
}

func TestADryRunNeedsWhatAMintNeeds(t *testing.T) {
	for name, step := range map[string]struct {
		r      request
		status int
		code   string
	}{
		"no token":         {stranger(), http.StatusUnauthorized, "unauthenticated"},
		"another scope":    {as("acme", "ro"), http.StatusForbidden, "insufficient_scope"},
		"a browser":        {request{headers: []string{jsonIs, authorized(), "Sec-Fetch-Site: cross-site"}, body: minimal}, http.StatusForbidden, "browser_refused"},
		"no JSON":          {request{body: "{"}, http.StatusBadRequest, "malformed_json"},
		"a field is wrong": {request{body: `{"provided_id":"a"}`}, http.StatusBadRequest, "invalid_request"},
		"another method":   {request{method: http.MethodPut, body: minimal}, http.StatusMethodNotAllowed, "method_not_allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			p := s.send(t, dry(step.r)).problem(t)
			if p.Status != step.status || p.Code != step.code {
				t.Fatalf("answered with %d %s", p.Status, p.Code)
			}
			for _, e := range s.audit.take() {
				if e.Action != audit.ActionMintDryRun || e.Code != step.code {
					t.Errorf("recorded as %+v", e)
				}
			}
		})
	}
}

func TestADryRunThatCannotBeRecordedOrReadIsNotAnswered(t *testing.T) {
	s := open(t)
	s.audit.fail = errors.New("the disk is full")
	if p := s.send(t, dry(request{body: minimal})).problem(t); p.Code != "audit_unavailable" {
		t.Errorf("answered with %s", p.Code)
	}
	s = open(t, func(s *setup) { s.keys = faultyKeys{KeyStore: s.keys, fail: broken(ports.ErrSealed)} })
	if p := s.send(t, dry(request{body: minimal})).problem(t); p.Code != "store_sealed" {
		t.Errorf("answered with %s", p.Code)
	}
}

// queries are those that might have been meant as a dry run.
func queryRefusals() []refusal {
	var all []refusal
	for _, query := range []string{
		"dry_run=2", "dry_run=", "dry_run", "dry_run=yes", "dry_run=True", "dry_run=1%20", "dry_run=1&dry_run=1", "dry_run=0&dry_run=1", "x=1&dry_run=on",
		"dry-run=1", "dryrun=1", "DRY_RUN=1", "Dry_Run=0", "dry_rnu=1", "dry_run%5B%5D=1", "%64ry%2Drun=1",
		"%zz", "dry_run=1;x=1", "x=%f", "dry_run=%",
	} {
		all = append(all, refusal{
			name: "the query " + query, request: request{path: route + "?" + query, body: minimal}, status: http.StatusBadRequest, code: "invalid_query",
		})
	}
	return all
}

func TestAQueryThatHasNothingToDoWithADryRunIsLetBe(t *testing.T) {
	s := open(t, func(s *setup) { s.policy.Mode = policy.Clamp })
	for _, query := range []string{"", "x=1", "utm_source=a&utm_source=b", "_=1769853600", "debug", "run=1", "dry_run=0", "dry_run=false", "x=%20&dry_run=0", "api_version=2", "dry_run_of_last_week=1"} {
		unseal(t, s.send(t, request{path: route + "?" + query, body: minimal}).jwt(t), values()[defaultKey])
	}
	for _, query := range []string{"dry_run=1", "dry_run=true", "%64ry_run=%31", "x=1&dry_run=1"} {
		if !s.send(t, request{path: route + "?" + query, body: minimal}).tried(t).Allowed {
			t.Errorf("%s is no dry run", query)
		}
	}
}
