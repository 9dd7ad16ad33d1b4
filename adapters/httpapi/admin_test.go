package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"testing"

	"embedseal/adapters/httpapi"
	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
)

const statusPath = "/admin/v1/status"

func TestWhoMayAdministerAndAsWhom(t *testing.T) {
	s := govern(t)
	s.allow(t, "acme", "mint", apitoken.Mint)
	uid := fmt.Sprintf("socket:uid=%d", os.Getuid())
	for _, tt := range []struct {
		sentence string
		answer   answer
		code     string
		// of the record; empty for none.
		action            audit.Action
		operator, tokenID string
	}{
		{"the socket asks for no token", s.apart().operate(t, "GET", statusPath, ""), "", "", "", ""},
		{"the operator token over TCP", s.apart().present(t, operatorToken, "GET", statusPath, ""), "", "", "", ""},
		{"no token over TCP", s.apart().present(t, "", "GET", statusPath, ""), "unauthenticated", audit.ActionRequest, "", ""},
		{"a token of nobody", s.apart().present(t, apiToken("acme", "nobody"), "GET", statusPath, ""), "unauthenticated", audit.ActionRequest, "", ""},
		{"the operator token in the other header", sendOver(t, dialTo(t, "tcp", s.addr),
			adminRequest("GET", statusPath, "", []string{"Explo-Authorization: Token " + operatorToken})), "", "", "", ""},
		{"the operator token, shortened", s.apart().present(t, operatorToken[1:], "GET", statusPath, ""), "unauthenticated", audit.ActionRequest, "", ""},
		{"a token that has expired", s.apart().present(t, apiToken("acme", "late"), "GET", statusPath, ""), "unauthenticated", audit.ActionRequest, "", ""},
		{"an API token, for what is not its group's", s.apart().present(t, apiToken("acme", "rw"), "GET", statusPath, ""), "insufficient_scope", audit.ActionRead, "", "id-of-rw"},
		{"an API token that may only mint", s.apart().present(t, apiToken("acme", "mint"), "GET", statusPath, ""), "insufficient_scope", audit.ActionRead, "", "id-of-mint"},
		{"an API token over the socket counts, too", s.apart().operate(t, "GET", statusPath, "", "Authorization: Bearer "+apiToken("acme", "rw")), "insufficient_scope", audit.ActionRead, "", "id-of-rw"},
		{"a wrong token over the socket", s.apart().operate(t, "GET", statusPath, "", "Authorization: Bearer x"), "unauthenticated", audit.ActionRequest, "", ""},
		{"a page of another site", s.apart().present(t, operatorToken, "GET", statusPath, "", "Origin: https://evil.example"), "browser_refused", audit.ActionRequest, "", ""},
		{"a page of this very address", s.apart().present(t, operatorToken, "GET", statusPath, "", "Sec-Fetch-Site: same-origin"), "browser_refused", audit.ActionRequest, "", ""},
		{"a browser on the socket", s.apart().operate(t, "GET", statusPath, "", "Origin: null"), "browser_refused", audit.ActionRequest, "", ""},
		{"a refusal of the operator", s.apart().operate(t, "GET", statusPath+"?q=1", ""), "invalid_request", audit.ActionRead, uid, ""},
	} {
		t.Run(tt.sentence, func(t *testing.T) {
			if tt.code == "" {
				if tt.answer.status != http.StatusOK {
					t.Fatalf("status %d: %s", tt.answer.status, tt.answer.body)
				}
				return
			}
			p := tt.answer.problem(t)
			if p.Code != tt.code {
				t.Fatalf("code %s: %s", p.Code, tt.answer.body)
			}
			for _, e := range s.audit.all() {
				if e.RequestID == p.RequestID {
					if e.Action != tt.action || e.Outcome != audit.Refused || e.Code != tt.code || e.Operator != tt.operator || e.TokenID != tt.tokenID {
						t.Errorf("recorded as %+v", e)
					}
					return
				}
			}
			t.Error("not recorded")
		})
	}
	if text := s.logs.String(); strings.Contains(text, operatorToken[1:]) || strings.Contains(text, apiToken("acme", "rw")) {
		t.Error("the log has a token")
	}
}

func TestWithoutAnOperatorTokenNoTextIsOne(t *testing.T) {
	s := govern(t, func(s *governed) { s.config.OperatorToken = httpapi.OperatorToken{} })
	for _, text := range []string{operatorToken, "", " "} {
		if got := s.present(t, text, "GET", statusPath, ""); got.problem(t).Code != "unauthenticated" {
			t.Errorf("%q: %s", text, got.body)
		}
	}
}

func TestTheStatusSaysWhatRuns(t *testing.T) {
	s := govern(t)
	got := s.operate(t, "GET", statusPath, "")
	got.checkHeaders(t, "application/json")
	var body struct {
		Version   string `json:"version"`
		StartedAt string `json:"started_at"`
		Store     string
		Custody   string
		Listeners []httpapi.Listening
		Audit     struct {
			Log string
			Seq int
			OK  bool
		}
		Groups int
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Fatal(err)
	}
	if body.Version != "v1.2.3" || body.StartedAt != "2026-01-31T10:00:00Z" || body.Store != "memory" || body.Custody != "material" || body.Groups != 3 {
		t.Errorf("got %+v", body)
	}
	if body.Audit.Log != "local" || body.Audit.Seq != 3 || !body.Audit.OK {
		t.Errorf("the audit log is %+v", body.Audit)
	}
	want := []httpapi.Listening{{Name: httpapi.NameSocket, Address: s.config.Socket}, {Name: httpapi.NameAdmin, Address: s.addr}}
	if fmt.Sprint(body.Listeners) != fmt.Sprint(want) {
		t.Errorf("the listeners are %v, want %v", body.Listeners, want)
	}
}

func TestWhoFailsToAuthenticateTooOftenWaits(t *testing.T) {
	s := govern(t, func(s *governed) {
		s.config.Rate = httpapi.RateConfig{Enabled: true, TokenPerSecond: 100, TokenBurst: 100, FailurePerSecond: 1, FailureBurst: 2}
	})
	for range 2 {
		if got := s.present(t, "x", "GET", statusPath, ""); got.problem(t).Code != "unauthenticated" {
			t.Fatal(got.body)
		}
	}
	got := s.present(t, "x", "GET", statusPath, "")
	if got.problem(t).Code != "rate_limited" || got.header.Get("Retry-After") == "" {
		t.Errorf("the third: %s", got.body)
	}
	if got := s.present(t, operatorToken, "GET", statusPath, ""); got.status != http.StatusOK {
		t.Errorf("the operator is held up by a stranger: %s", got.body)
	}
}

func TestPathsMethodsAndParametersAreWhatTheyAre(t *testing.T) {
	s := govern(t)
	for _, tt := range []struct{ method, path, code, allow string }{
		{"GET", "/admin/v1/status/", "not_found", ""},
		{"GET", "//admin/v1/status", "not_found", ""},
		{"GET", "/admin/v1/../v1/status", "not_found", ""},
		{"GET", "/admin/v1/stat%75s", "not_found", ""},
		{"GET", "/Admin/v1/status", "not_found", ""},
		{"GET", "/admin/v1", "not_found", ""},
		{"GET", "/api/generate_jwt/", "not_found", ""},
		{"GET", "/healthz", "not_found", ""},
		{"POST", "/admin/v1/status", "method_not_allowed", "GET"},
		{"HEAD", "/admin/v1/status", "", "GET"},
		{"OPTIONS", "/admin/v1/status", "method_not_allowed", "GET"},
		{"PROPFIND", "/admin/v1/status", "method_not_allowed", "GET"},
		{"GET", "/admin/v1/status?", "granted", ""},
		{"GET", "/admin/v1/status?x", "invalid_request", ""},
		{"GET", "/admin/v1/status?%zz", "invalid_request", ""},
		{"GET", "/admin/v1/status?a;b", "invalid_request", ""},
	} {
		got := s.operate(t, tt.method, tt.path, "")
		if got.header.Get("Allow") != tt.allow {
			t.Errorf("%s %s: Allow is %q", tt.method, tt.path, got.header.Get("Allow"))
		}
		switch tt.code {
		case "": // HEAD has no body
			if got.status != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: status %d", tt.method, tt.path, got.status)
			}
		case "granted":
			if got.status != http.StatusOK {
				t.Errorf("%s %s: status %d", tt.method, tt.path, got.status)
			}
		default:
			if p := got.problem(t); p.Code != tt.code {
				t.Errorf("%s %s: %s", tt.method, tt.path, got.body)
			}
		}
	}
}

func TestAnswersAreCountedUnderTheirRoute(t *testing.T) {
	s := govern(t)
	s.operate(t, "GET", statusPath, "")
	s.operate(t, "GET", statusPath+"?x", "")
	s.operate(t, "GET", "/admin/v1/ems_secret", "")
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string]int{statusPath + " 200": 1, statusPath + " 400": 1, " 404": 1} {
		if got := s.meter.administered[what]; got != want {
			t.Errorf("%q is counted %d times in %v", what, got, s.meter.administered)
		}
	}
}

func TestTheListenersEndTogetherAndTheSocketGoes(t *testing.T) {
	s := govern(t)
	second := httpapi.NewAdmin(httpapi.AdminConfig{Socket: s.config.Socket}, httpapi.Governance{}, nil, nil, s.clock, nil, s.meter, discard())
	if _, err := second.Listen(t.Context()); !errors.Is(err, httpapi.ErrAddressInUse) {
		t.Errorf("a second server on the socket: %v", err)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(s.config.Socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}

func TestWhereOneAddressIsTakenTheOtherIsGivenBack(t *testing.T) {
	s := govern(t)
	path := socketPath(t)
	second := httpapi.NewAdmin(httpapi.AdminConfig{Socket: path, Listen: s.addr}, httpapi.Governance{}, nil, nil, s.clock, nil, s.meter, discard())
	if _, err := second.Listen(t.Context()); !errors.Is(err, httpapi.ErrAddressInUse) || !strings.Contains(err.Error(), "--admin-listen") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}

func TestAServerWithoutAnAddressWaitsForItsEnd(t *testing.T) {
	s := govern(t)
	none := httpapi.NewAdmin(httpapi.AdminConfig{}, httpapi.Governance{}, nil, nil, s.clock, nil, s.meter, discard())
	if where, err := none.Listen(t.Context()); err != nil || where != nil {
		t.Errorf("listens on %v, %v", where, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := none.Serve(ctx); err != nil {
		t.Error(err)
	}
}
