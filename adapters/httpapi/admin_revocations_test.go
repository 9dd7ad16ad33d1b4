package httpapi_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"embedseal/adapters/jose"
	"embedseal/domain/audit"
	"embedseal/domain/key"
	"embedseal/domain/token"
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

// tokenOf is a token under one of the keys, of any group.
func tokenOf(t *testing.T, id, claims string) string {
	t.Helper()
	s, err := key.ParseSecret(values()[id])
	if err != nil {
		t.Fatal(err)
	}
	text, err := jose.New().Seal(t.Context(), "any", key.NewSealer(key.Key{ID: key.ID(id), Custody: key.Material, Secret: s}), []byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// renamed is a token whose header names another key.
func renamed(text, id string) string {
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"dir","enc":"A256GCM","kid":"` + id + `"}`))
	return header + text[strings.IndexByte(text, '.'):]
}

// A token that is given itself is revoked for as long as it says that it is good, and
// stands nowhere afterwards.
func TestATokenThatIsGivenIsRevokedUntilItEnds(t *testing.T) {
	s := govern(t)
	var given []string
	for _, c := range []struct{ key, claims, until string }{
		{namedKey, `{"cst":"a","dsh":"b","exp":4102444800}`, "2100-01-01T00:00:01Z"},
		{disabledKey, `{"cst":"a","dsh":"b","exp":4102444800.5}`, "2100-01-01T00:00:01Z"},
		{retiringKey, `{"cst":"a","dsh":"b","exp":1769857200}`, "2026-03-02T10:00:01Z"}, // P30D is what the group allows
		{namedKey, `{"cst":"a","dsh":"b","exp":1}`, "2026-03-02T10:00:01Z"},
	} {
		text := tokenOf(t, c.key, c.claims)
		var got shownRevocation
		s.operate(t, "POST", revocations, `{"kind":"token","subject":null,"token":"`+text+`"}`).granted(t, http.StatusCreated, &got)
		want := shownRevocation{ID: got.ID, Kind: "token", Subject: token.FingerprintOfSealed([]byte(text)).String(), ExpiresAt: c.until, CreatedAt: "2026-01-31T10:00:00Z"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.claims, diff)
		}
		given = append(given, text)
	}
	everything := s.logs.String() + printed(s.audit.all()) + s.state(t) + s.operate(t, "GET", revocations, "").body
	for _, text := range given {
		if strings.Contains(everything, text) || strings.Contains(everything, strings.Split(text, ".")[3]) {
			t.Errorf("%s stands somewhere", text)
		}
	}
}

// A token that does not open is refused alike whether its key is another group's or
// nobody's, and told how to be revoked all the same.
func TestATokenOfNoKeyOfTheGroupIsRefusedAndItsFingerprintIsNot(t *testing.T) {
	s := govern(t)
	const claims = `{"cst":"canary-customer","dsh":"b","exp":4102444800}`
	foreign, mine := tokenOf(t, foreignKey, claims), tokenOf(t, namedKey, claims)
	at := strings.LastIndexByte(mine, '.') + 1
	var details []string
	for _, text := range []string{foreign, renamed(foreign, unknownKey), mine[:at] + strings.Repeat("A", len(mine)-at), tokenOf(t, namedKey, `{"cst":"canary-customer"}`)} {
		fingerprint := token.FingerprintOfSealed([]byte(text)).String()
		p := s.operate(t, "POST", revocations, `{"kind":"token","token":"`+text+`"}`).problem(t)
		if p.Code != "invalid_request" || len(p.Errors) != 1 || p.Errors[0].Field != "token" || !strings.Contains(p.Errors[0].Detail, "send its fingerprint "+fingerprint+" as subject") {
			t.Fatalf("%s is answered %+v", text, p)
		}
		details = append(details, p.Errors[0].Code+strings.Replace(p.Errors[0].Detail, fingerprint, "", 1))
		s.operate(t, "POST", revocations, `{"kind":"token","subject":"`+fingerprint+`"}`).granted(t, http.StatusCreated, nil)
		if everything := fmt.Sprint(p) + s.logs.String() + printed(s.audit.all()); strings.Contains(everything, text) || strings.Contains(everything, "canary") {
			t.Errorf("%s stands somewhere", text)
		}
	}
	if details[0] != details[1] || details[0] != details[2] || details[0] == details[3] {
		t.Errorf("they are told %q", details)
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
