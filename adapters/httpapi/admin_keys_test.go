package httpapi_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type shownKey struct {
	ID           string  `json:"id"`
	State        string  `json:"state"`
	Custody      string  `json:"custody"`
	Default      bool    `json:"default"`
	Label        string  `json:"label"`
	Note         string  `json:"note"`
	CreatedAt    string  `json:"created_at"`
	RetiresAt    *string `json:"retires_at"`
	SafeToDelete *string `json:"safe_to_destroy_at"`
	Value        string  `json:"value,omitempty"`
	Warnings     []struct {
		Field, Code, Detail string
	} `json:"warnings,omitempty"`
}

type shownRotation struct {
	Key          shownKey  `json:"key"`
	Previous     *shownKey `json:"previous"`
	SafeToDelete *string   `json:"safe_to_destroy_at"`
}

func TestAKeyIsMadeAndItsValueShownOnce(t *testing.T) {
	s := govern(t)
	made := s.operate(t, "POST", acmeKeys, `{"label":"web","note":"of the\nshop"}`)
	var got shownKey
	made.granted(t, http.StatusCreated, &got)
	want := shownKey{ID: got.ID, State: "active", Custody: "material", Label: "web", Note: "of the\nshop", CreatedAt: "2026-01-31T10:00:00Z", Value: got.Value}
	if diff := cmp.Diff(want, got); diff != "" || !regexp.MustCompile(`^[0-9A-Za-z_-]{32}$`).MatchString(got.Value) {
		t.Errorf("value %q, -want +got:\n%s", got.Value, diff)
	}
	at := made.header.Get("Location")
	if at != acmeKeys+"/"+got.ID {
		t.Errorf("it is at %q", at)
	}
	read := s.operate(t, "GET", at, "")
	if strings.Contains(read.body, got.Value) || read.header.Get("ETag") != made.header.Get("ETag") {
		t.Errorf("shown as %s with %s", read.body, read.header["Etag"])
	}
	var revealed struct{ ID, Value string }
	s.operate(t, "POST", at+"/reveal", "").granted(t, http.StatusOK, &revealed)
	if revealed.ID != got.ID || revealed.Value != got.Value {
		t.Errorf("revealed as %+v", revealed)
	}
	jwk := s.operate(t, "GET", at+"/jwk", "")
	jwk.checkHeaders(t, "application/jwk+json")
	if want := fmt.Sprintf("{\"kty\":\"oct\",\"kid\":%q,\"k\":%q}\n", got.ID, base64.RawURLEncoding.EncodeToString([]byte(got.Value))); jwk.body != want {
		t.Errorf("exported as %s, want %s", jwk.body, want)
	}
}

func TestAKeyIsImportedWithWhatStandsAroundItsValue(t *testing.T) {
	s := govern(t)
	var got shownKey
	s.operate(t, "POST", acmeKeys, `{"id":"old.key","value":"  0123456789abcdef0123456789abcdef\r\n","default":true}`).granted(t, http.StatusCreated, &got)
	if got.ID != "old.key" || !got.Default || got.Value != "0123456789abcdef0123456789abcdef" || len(got.Warnings) != 1 || got.Warnings[0].Code != "trimmed" {
		t.Errorf("got %+v", got)
	}
	got = shownKey{}
	s.operate(t, "POST", acmeKeys, `{"id":"other.key","value":"fedcba9876543210fedcba9876543210"}`).granted(t, http.StatusCreated, &got)
	if got.Default || got.Warnings != nil {
		t.Errorf("got %+v", got)
	}
}

func TestAKeyGoesThroughItsStates(t *testing.T) {
	s := govern(t)
	path := acmeKeys + "/" + namedKey
	step := func(what, state string) shownKey {
		t.Helper()
		var got shownKey
		s.operate(t, "POST", path+"/"+what, "").granted(t, http.StatusOK, &got)
		if got.State != state || got.Value != "" {
			t.Errorf("%s: %+v", what, got)
		}
		return got
	}
	step("disable", "disabled")
	step("enable", "active")
	if got := step("default", "active"); !got.Default {
		t.Errorf("got %+v", got)
	}
	path = acmeKeys + "/" + defaultKey // which is not the default any more
	retired := step("retire", "retiring")
	if retired.RetiresAt == nil || *retired.RetiresAt != "2026-01-31T10:00:00Z" || retired.SafeToDelete == nil {
		t.Fatalf("got %+v", retired)
	}
	if got := s.operate(t, "DELETE", path, ""); got.problem(t).Code != "not_safe_to_destroy" {
		t.Errorf("destroyed before its time: %s", got.body)
	}
	s.clock.advance(31 * 24 * time.Hour)
	var got shownKey
	s.operate(t, "DELETE", path, "").granted(t, http.StatusOK, &got)
	if got.State != "destroyed" {
		t.Errorf("got %+v", got)
	}
	s.operate(t, "PATCH", path, `{"label":"gone","note":null}`).granted(t, http.StatusOK, &got)
	if got.Label != "gone" || got.Note != "" || got.State != "destroyed" {
		t.Errorf("got %+v", got)
	}
	s.operate(t, "DELETE", acmeKeys+"/"+disabledKey+"?force=true", "").granted(t, http.StatusOK, &got)
}

func TestKeysAreListedInTheirOrderPageByPage(t *testing.T) {
	s := govern(t)
	var seen []string
	for path := acmeKeys + "?limit=2"; path != ""; {
		var page shownPage[shownKey]
		s.operate(t, "GET", path, "").granted(t, http.StatusOK, &page)
		for _, k := range page.Items {
			if k.Value != "" || k.Default != (k.ID == defaultKey) {
				t.Errorf("got %+v", k)
			}
			seen = append(seen, k.ID)
		}
		path = ""
		if page.Next != nil {
			path = acmeKeys + "?limit=2&after=" + *page.Next
		}
	}
	if want := []string{defaultKey, namedKey, retiringKey, disabledKey, destroyedKey}; fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("listed %v, want %v", seen, want)
	}
}

func TestARotationNamesBothKeysAndWhenTheOldOneMayGo(t *testing.T) {
	s := govern(t)
	var got shownRotation
	made := s.operate(t, "POST", acme+"/rotate", `{"overlap":"P1D","label":"autumn"}`)
	made.granted(t, http.StatusCreated, &got)
	if !got.Key.Default || got.Key.Value == "" || got.Key.Label != "autumn" || made.header.Get("Location") != acmeKeys+"/"+got.Key.ID {
		t.Errorf("the new key is %+v, at %s", got.Key, made.header.Get("Location"))
	}
	previous := got.Previous
	if previous == nil || previous.ID != defaultKey || previous.Default || previous.Value != "" || previous.RetiresAt == nil || *previous.RetiresAt != "2026-02-01T10:00:00Z" ||
		got.SafeToDelete == nil || *got.SafeToDelete != *previous.SafeToDelete || *got.SafeToDelete != "2026-03-03T10:00:00Z" {
		t.Errorf("the key before is %+v, and retires at %s, safe at %s: %s", previous, *previous.RetiresAt, *got.SafeToDelete, made.body)
	}
	got = shownRotation{}
	s.operate(t, "POST", acme+"/rotate", `{"overlap":"PT0S"}`).granted(t, http.StatusCreated, &got)
	if got.Previous.State != "retiring" {
		t.Errorf("without an overlap the key before is %+v", got.Previous)
	}
	got = shownRotation{}
	s.operate(t, "POST", "/admin/v1/groups/bare/rotate", "").granted(t, http.StatusCreated, &got)
	if got.Previous != nil || got.SafeToDelete != nil {
		t.Errorf("a group without a key had %+v", got.Previous)
	}
}

func TestManyRotationsAtOnceLoseNoKey(t *testing.T) {
	s := govern(t)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { s.operate(t, "POST", acme+"/rotate", `{"overlap":"PT0S"}`).granted(t, http.StatusCreated, nil) })
	}
	all.Wait()
	var page shownPage[shownKey]
	s.operate(t, "GET", acmeKeys, "").granted(t, http.StatusOK, &page)
	defaults := 0
	for _, k := range page.Items {
		if k.Default {
			defaults++
		}
	}
	if len(page.Items) != 25 || defaults != 1 {
		t.Errorf("%d keys, %d of them the default", len(page.Items), defaults)
	}
}
