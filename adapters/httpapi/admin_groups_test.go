package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/domain/apitoken"
)

// shownPolicy, shownGroup, shownKey and shownToken are answers, as a client reads
// them.
type shownPolicy struct {
	DefaultLifetime *string  `json:"default_lifetime"`
	MaxLifetime     *string  `json:"max_lifetime"`
	ChartEmbedding  bool     `json:"chart_embedding"`
	Embeds          []string `json:"embeds"`
	Customers       []string `json:"customers"`
	OriginRequired  bool     `json:"origin_required"`
	Origins         []string `json:"origins"`
	Features        []string `json:"features"`
	PinnedKey       *string  `json:"pinned_key"`
	Mode            string   `json:"mode,omitempty"`
}

type shownGroup struct {
	ID          string      `json:"id"`
	Name        string      `json:"name"`
	CreatedAt   string      `json:"created_at"`
	RotateEvery *string     `json:"rotate_every"`
	Overlap     string      `json:"overlap"`
	Policy      shownPolicy `json:"policy"`
	Keys        int         `json:"keys"`
	Tokens      int         `json:"tokens"`
}

type shownPage[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next"`
}

func defaultPolicy() shownPolicy {
	return shownPolicy{
		DefaultLifetime: new("PT24H"), MaxLifetime: new("P30D"), Embeds: []string{}, Customers: []string{}, Origins: []string{}, Mode: "reject",
	}
}

func TestAGroupIsMadeShownChangedAndDeleted(t *testing.T) {
	s := govern(t)
	made := s.operate(t, "POST", "/admin/v1/groups",
		`{"id":"fresh","name":"Fresh","rotate_every":"P90D","overlap":"P3D","policy":{"max_lifetime":"P1D","default_lifetime":"PT1H","chart_embedding":true,
		"embeds":["dash-*"],"customers":["c?"],"origin_required":true,"origins":["https://A.example"],"features":["flt"],"mode":"clamp"}}`)
	var got shownGroup
	made.granted(t, http.StatusCreated, &got)
	want := shownGroup{
		ID: "fresh", Name: "Fresh", CreatedAt: "2026-01-31T10:00:00Z", RotateEvery: new("P90D"), Overlap: "P3D", Keys: 1,
		Policy: shownPolicy{
			DefaultLifetime: new("PT1H"), MaxLifetime: new("P1D"), ChartEmbedding: true, Embeds: []string{"dash-*"}, Customers: []string{"c?"},
			OriginRequired: true, Origins: []string{"https://a.example/"}, Features: []string{"flt"}, Mode: "clamp",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("made (-want +got):\n%s", diff)
	}
	if at := made.header.Get("Location"); at != "/admin/v1/groups/fresh" {
		t.Errorf("it is at %q", at)
	}
	read := s.operate(t, "GET", "/admin/v1/groups/fresh", "")
	if read.body != made.body || read.header.Get("ETag") != made.header.Get("ETag") {
		t.Errorf("shown as %s with %s, made as %s with %s", read.body, read.header["Etag"], made.body, made.header["Etag"])
	}

	changed := s.operate(t, "PATCH", "/admin/v1/groups/fresh", `{"name":null,"rotate_every":null,"overlap":null}`, "If-Match: "+read.header.Get("ETag"))
	changed.granted(t, http.StatusOK, &got)
	want.Name, want.RotateEvery, want.Overlap = "fresh", nil, "P7D"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	if again := s.operate(t, "PATCH", "/admin/v1/groups/fresh", `{"name":"x"}`, "If-Match: "+read.header.Get("ETag")); again.problem(t).Code != "precondition_failed" {
		t.Errorf("a stale tag: %s", again.body)
	}
	s.operate(t, "PATCH", "/admin/v1/groups/fresh", `{}`, "If-Match: *").granted(t, http.StatusOK, &got)

	deleted := s.operate(t, "DELETE", "/admin/v1/groups/fresh?force=true", "", "If-Match: "+changed.header.Get("ETag"))
	deleted.granted(t, http.StatusNoContent, nil)
	if deleted.body != "" {
		t.Errorf("it says %s", deleted.body)
	}
	if gone := s.operate(t, "GET", "/admin/v1/groups/fresh", ""); gone.problem(t).Code != "not_found" {
		t.Errorf("still there: %s", gone.body)
	}
}

func TestAGroupNeedsAnIDOnly(t *testing.T) {
	s := govern(t)
	var got shownGroup
	s.operate(t, "POST", "/admin/v1/groups", `{"id":"x","name":null,"policy":null,"rotate_every":null,"overlap":null}`).granted(t, http.StatusCreated, &got)
	if diff := cmp.Diff(shownGroup{ID: "x", Name: "x", CreatedAt: "2026-01-31T10:00:00Z", Overlap: "P7D", Policy: defaultPolicy(), Keys: 1}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestGroupsAreListedPageByPage(t *testing.T) {
	s := govern(t)
	var seen []string
	for path := "/admin/v1/groups?limit=2"; path != ""; {
		var page shownPage[shownGroup]
		s.operate(t, "GET", path, "").granted(t, http.StatusOK, &page)
		for _, g := range page.Items {
			seen = append(seen, g.ID)
		}
		path = ""
		if page.Next != nil {
			path = "/admin/v1/groups?limit=2&after=" + *page.Next
		}
	}
	if fmt.Sprint(seen) != "[acme bare other]" {
		t.Errorf("listed %v", seen)
	}
	var own shownPage[shownGroup]
	s.present(t, apiToken("acme", "ro"), "GET", "/admin/v1/groups", "").granted(t, http.StatusOK, &own)
	if len(own.Items) != 1 || own.Items[0].ID != "acme" || own.Next != nil {
		t.Errorf("an API token sees %+v", own)
	}
}

func TestAPolicyIsReplacedAndPatched(t *testing.T) {
	s := govern(t)
	const path = acme + "/policy"
	var got shownPolicy
	read := s.operate(t, "GET", path, "")
	read.granted(t, http.StatusOK, &got)
	if diff := cmp.Diff(defaultPolicy(), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	put := s.operate(t, "PUT", path, `{"max_lifetime":"P1D","embeds":["a*","b"],"features":[],"pinned_key":"`+namedKey+`","mode":"clamp"}`, "If-Match: "+read.header.Get("ETag"))
	put.granted(t, http.StatusOK, &got)
	want := defaultPolicy()
	want.MaxLifetime, want.Embeds, want.Features, want.PinnedKey, want.Mode = new("P1D"), []string{"a*", "b"}, []string{}, new(namedKey), "clamp"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("replaced (-want +got):\n%s", diff)
	}
	got = shownPolicy{}
	s.operate(t, "PATCH", path, `{"embeds":null,"features":null,"pinned_key":null,"chart_embedding":true}`).granted(t, http.StatusOK, &got)
	want.Embeds, want.Features, want.PinnedKey, want.ChartEmbedding = []string{}, nil, nil, true
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("patched (-want +got):\n%s", diff)
	}
	got = shownPolicy{}
	s.operate(t, "PUT", path, `{}`).granted(t, http.StatusOK, &got)
	if diff := cmp.Diff(defaultPolicy(), got); diff != "" {
		t.Errorf("put back (-want +got):\n%s", diff)
	}
}

func TestAnAPITokenGovernsItsOwnGroup(t *testing.T) {
	s := govern(t)
	s.allow(t, "acme", "rw", apitoken.All)
	text := apiToken("acme", "rw")
	s.present(t, text, "PATCH", acme, `{"name":"Ours"}`).granted(t, http.StatusOK, nil)
	s.present(t, text, "PATCH", acme+"/policy", `{"mode":"clamp"}`).granted(t, http.StatusOK, nil)
	s.present(t, text, "POST", acme+"/rotate", `{}`).granted(t, http.StatusCreated, nil)
	s.present(t, text, "POST", acmeKeys+"/"+namedKey+"/reveal", "").granted(t, http.StatusOK, nil)
	s.present(t, text, "POST", acme+"/tokens", `{"name":"more","scopes":["mint"]}`).granted(t, http.StatusCreated, nil)
	for _, e := range s.audit.all() {
		if e.Group != "acme" || e.TokenID != "id-of-rw" || e.Operator != "" {
			t.Errorf("recorded as %+v", e)
		}
	}
	if n := len(s.audit.all()); n != 10 {
		t.Errorf("%d records, want an intent and an outcome of each change", n)
	}
}

func TestAnOperatorTokenRevealsOnlyWhereThatIsOn(t *testing.T) {
	for _, on := range []bool{false, true} {
		s := govern(t, func(s *governed) { s.config.OperatorReveal = on })
		got := s.present(t, operatorToken, "POST", acmeKeys+"/"+namedKey+"/reveal", "")
		if on != (got.status == http.StatusOK) || on != strings.Contains(got.body, values()[namedKey]) {
			t.Errorf("operator_reveal %t: %d %s", on, got.status, got.body)
		}
		s.present(t, operatorToken, "PATCH", acme, `{"name":"x"}`).granted(t, http.StatusOK, nil)
	}
}
