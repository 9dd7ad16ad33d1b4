package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/domain/audit"
)

const revocations = acme + "/revocations"

type shownRevocation struct {
	ID        string  `json:"id"`
	Kind      string  `json:"kind"`
	Subject   string  `json:"subject"`
	Before    *string `json:"before"`
	ExpiresAt string  `json:"expires_at"`
	CreatedAt string  `json:"created_at"`
	Note      string  `json:"note"`
}

type revocationPage struct {
	Items []shownRevocation `json:"items"`
	Next  *string           `json:"next"`
}

func TestEachKindOfRevocationIsMadeAndListed(t *testing.T) {
	s := govern(t)
	now, earlier := "2026-01-31T10:00:00Z", "2026-01-30T09:00:00Z"
	var want []shownRevocation
	for _, c := range []struct {
		body string
		want shownRevocation
	}{
		{`{"kind":"token","subject":"` + strings.Repeat("ab", 32) + `","note":"leaked"}`, shownRevocation{Kind: "token", Subject: strings.Repeat("ab", 32), Note: "leaked"}},
		{`{"kind":"customer","subject":"Röhren & Söhne"}`, shownRevocation{Kind: "customer", Subject: "Röhren & Söhne", Before: &now}},
		{`{"kind":"embed","subject":"abcde","before":"2026-01-30T10:00:00.9+01:00","note":null}`, shownRevocation{Kind: "embed", Subject: "abcde", Before: &earlier}},
		{`{"kind":"key","subject":"` + namedKey + `","before":null}`, shownRevocation{Kind: "key", Subject: namedKey, Before: &now}},
	} {
		s.audit.take()
		var got shownRevocation
		s.operate(t, "POST", revocations, c.body).granted(t, http.StatusCreated, &got)
		c.want.ID, c.want.CreatedAt, c.want.ExpiresAt = got.ID, now, "2026-03-02T10:00:01Z" // P30D is what the group allows
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.body, diff)
		}
		records := s.audit.take()
		if len(records) != 2 || records[0].Action != audit.ActionRevoke || records[0].Outcome != audit.Intent ||
			records[1].Outcome != audit.Granted || records[1].Target != got.ID || records[1].Group != "acme" {
			t.Errorf("%s is recorded as %+v", c.body, records)
		}
		want = append(want, got)
	}
	var got []shownRevocation
	for path := revocations + "?limit=3"; ; {
		var page revocationPage
		s.operate(t, "GET", path, "").granted(t, http.StatusOK, &page)
		got = append(got, page.Items...)
		if page.Next == nil {
			break
		}
		path = fmt.Sprint(revocations, "?limit=3&after=", *page.Next)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the list (-want +got):\n%s", diff)
	}
	var none revocationPage
	s.operate(t, "GET", "/admin/v1/groups/other/revocations", "").granted(t, http.StatusOK, &none)
	if len(none.Items) > 0 {
		t.Errorf("another group has %+v", none.Items)
	}
}

func TestAWritingTokenRevokesInItsOwnGroup(t *testing.T) {
	s := govern(t)
	s.present(t, apiToken("acme", "rw"), "POST", revocations, `{"kind":"customer","subject":"x"}`).granted(t, http.StatusCreated, nil)
	var page revocationPage
	s.present(t, apiToken("acme", "ro"), "GET", revocations, "").granted(t, http.StatusOK, &page)
	if len(page.Items) != 1 {
		t.Errorf("it sees %+v", page.Items)
	}
}
