package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"embedseal/domain/apitoken"
)

type shownToken struct {
	ID            string       `json:"id"`
	Name          string       `json:"name"`
	Scopes        []string     `json:"scopes"`
	CreatedAt     string       `json:"created_at"`
	ExpiresAt     *string      `json:"expires_at"`
	Networks      []string     `json:"networks"`
	Restriction   *shownPolicy `json:"restriction"`
	PreviousUntil *string      `json:"previous_until"`
	LastUsedAt    *string      `json:"last_used_at"`
	Token         string       `json:"token,omitempty"`
}

func TestAnAPITokenIsMadeAndItsTextShownOnce(t *testing.T) {
	s := govern(t)
	made := s.operate(t, "POST", acme+"/tokens",
		`{"name":"shop","scopes":["read-write"],"expires_in":"P1D","networks":["127.0.0.0/8","::1"],"restriction":{"embeds":["dash-*"],"chart_embedding":false,"features":["flt"]}}`)
	var got shownToken
	made.granted(t, http.StatusCreated, &got)
	want := shownToken{
		ID: got.ID, Name: "shop", Scopes: []string{"mint", "verify", "read", "write"}, CreatedAt: "2026-01-31T10:00:00Z", ExpiresAt: new("2026-02-01T10:00:00Z"),
		Networks: []string{"127.0.0.0/8", "::1/128"}, Token: got.Token,
		Restriction: &shownPolicy{Embeds: []string{"dash-*"}, Customers: []string{}, Origins: []string{}, Features: []string{"flt"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	at := made.header.Get("Location")
	if at != acme+"/tokens/"+got.ID {
		t.Errorf("it is at %q", at)
	}
	read := s.operate(t, "GET", at, "")
	if strings.Contains(read.body, got.Token) || read.header.Get("ETag") != made.header.Get("ETag") {
		t.Errorf("shown as %s with %s", read.body, read.header["Etag"])
	}
	s.present(t, got.Token, "GET", acme, "").granted(t, http.StatusOK, nil)
	s.operate(t, "GET", at, "").granted(t, http.StatusOK, &got)
	if got.LastUsedAt == nil || *got.LastUsedAt != "2026-01-31T10:00:00Z" {
		t.Errorf("last used at %v", got.LastUsedAt)
	}
	if text := s.logs.String(); strings.Contains(text, want.Token) {
		t.Error("the log has the token")
	}
}

func TestAnAPITokenIsChangedMemberByMember(t *testing.T) {
	s := govern(t)
	const rules = `{"networks":["10.0.0.0/8"],"expires_at":"2026-03-01T00:00:00+01:00","restriction":{"embeds":["a*"],"max_lifetime":"PT1H","features":["flt"],"chart_embedding":false}}`
	change := func(body string) shownToken {
		t.Helper()
		var got shownToken
		s.operate(t, "PATCH", acmeToken, body).granted(t, http.StatusOK, &got)
		return got
	}
	if got := change(rules); *got.ExpiresAt != "2026-02-28T23:00:00Z" || got.Networks[0] != "10.0.0.0/8" || got.Restriction.Embeds[0] != "a*" {
		t.Errorf("got %+v", got)
	}
	got := change(`{"name":"renamed","scopes":["mint"],"restriction":{"customers":["c*"],"features":null}}`)
	want := &shownPolicy{MaxLifetime: new("PT1H"), Embeds: []string{"a*"}, Customers: []string{"c*"}, Origins: []string{}}
	if diff := cmp.Diff(want, got.Restriction); diff != "" || got.Name != "renamed" || len(got.Scopes) != 1 {
		t.Errorf("got %+v, its restriction (-want +got):\n%s", got, diff)
	}
	if got := change(`{"restriction":null,"networks":null,"expires_at":null}`); got.Restriction != nil || len(got.Networks) != 0 || got.ExpiresAt != nil || got.Name != "renamed" {
		t.Errorf("got %+v", got)
	}
	if got := change(`{"expires_in":"PT1H"}`); *got.ExpiresAt != "2026-01-31T11:00:00Z" {
		t.Errorf("got %+v", got)
	}
}

func TestARefreshOverlapsAndARevocationEndsBoth(t *testing.T) {
	s := govern(t)
	s.allow(t, "acme", "ro", apitoken.ReadOnly)
	old := apiToken("acme", "ro")
	const path = acme + "/tokens/id-of-ro"
	var got shownToken
	refreshed := s.operate(t, "POST", path+"/refresh", "")
	refreshed.granted(t, http.StatusOK, &got)
	if got.PreviousUntil == nil || *got.PreviousUntil != "2026-01-31T11:00:00Z" || got.Token == "" || got.Token == old {
		t.Errorf("got %+v", got)
	}
	for _, text := range []string{old, got.Token} {
		s.present(t, text, "GET", acme, "").granted(t, http.StatusOK, nil)
	}
	s.clock.advance(time.Hour)
	if a := s.present(t, old, "GET", acme, ""); a.problem(t).Code != "unauthenticated" {
		t.Errorf("the old value is good for longer: %s", a.body)
	}
	text := got.Token
	got = shownToken{}
	s.operate(t, "GET", path, "").granted(t, http.StatusOK, &got)
	if got.PreviousUntil != nil {
		t.Errorf("an overlap that ended is shown: %+v", got)
	}
	s.operate(t, "DELETE", path, "", "If-Match: "+refreshed.header.Get("ETag")).granted(t, http.StatusNoContent, nil)
	if a := s.present(t, text, "GET", acme, ""); a.problem(t).Code != "unauthenticated" {
		t.Errorf("a revoked token is good: %s", a.body)
	}
}

func TestAPITokensAreListedPageByPage(t *testing.T) {
	s := govern(t)
	var seen []string
	for path := acme + "/tokens?limit=3"; path != ""; {
		var page shownPage[shownToken]
		s.operate(t, "GET", path, "").granted(t, http.StatusOK, &page)
		for _, one := range page.Items {
			if one.Token != "" {
				t.Errorf("%s is shown with its text", one.ID)
			}
			seen = append(seen, one.ID)
		}
		path = ""
		if page.Next != nil {
			path = acme + "/tokens?limit=3&after=" + *page.Next
		}
	}
	if strings.Join(seen, " ") != "id-of-late id-of-mint id-of-ro id-of-rw" {
		t.Errorf("listed %v", seen)
	}
}

func TestATokenOfOtherNetworksIsNobodys(t *testing.T) {
	s := govern(t)
	for network, good := range map[string]bool{"127.0.0.0/8": true, "192.0.2.0/24": false} {
		var got shownToken
		s.operate(t, "POST", acme+"/tokens", `{"name":"x","scopes":["read"],"networks":["`+network+`"]}`).granted(t, http.StatusCreated, &got)
		if a := s.present(t, got.Token, "GET", acme, ""); good != (a.status == http.StatusOK) {
			t.Errorf("%s: %s", network, a.body)
		}
	}
}
