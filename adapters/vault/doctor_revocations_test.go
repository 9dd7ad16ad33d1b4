package vault_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"embedseal/adapters/vault"
	"embedseal/domain/group"
	"embedseal/domain/label"
	"embedseal/domain/revocation"
	"embedseal/domain/token"
)

// largeEntry is as large as one may be: fourteen of them fill a ledger.
func largeEntry(n int) revocation.Entry {
	made := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	return revocation.Entry{
		ID: revocation.NewID([8]byte{byte(n >> 16), byte(n >> 8), byte(n)}), Kind: revocation.Customer, Subject: strings.Repeat("<", token.MaxID),
		Before: made, CreatedAt: made, ExpiresAt: made.AddDate(1, 0, 0), Note: strings.Repeat("<", label.MaxNote),
	}
}

func mustRevoke(t *testing.T, b *vault.Backend, g group.ID, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		if _, err := vault.NewRevocationStore(b).Revoke(t.Context(), g, largeEntry(n), revocation.MaxEntries); err != nil {
			t.Fatal(err)
		}
	}
}

// pagesOf are the names of all pages of revocations.
func pagesOf(t *testing.T, s *site, prefix string) []string {
	t.Helper()
	r := s.ask(t, s.token, "LIST", "secret/metadata/"+prefix+"/revoked", "")
	if r.status == http.StatusNotFound {
		return nil
	}
	list, _ := r.member(t, "data")["keys"].([]any)
	var names []string
	for _, n := range list {
		name, _ := n.(string)
		names = append(names, name)
	}
	return names
}

// copySecret puts what a secret holds under another name.
func (s *site) copySecret(t *testing.T, from, to string) {
	t.Helper()
	_, text, _ := strings.Cut(s.do(t, http.MethodGet, "secret/data/"+from, "").body, `"data":{"data":`)
	text, _, _ = strings.Cut(text, `,"metadata"`)
	s.do(t, http.MethodPut, "secret/data/"+to, `{"data":`+text+`}`)
}

func TestTheDoctorNamesPagesOfRevocationsThatNoGroupLists(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		prefix := newPrefix()
		cfg := patient(s.withPolicy(t, prefix, policyOf(prefix, "")))
		cfg.OrphanAfter = time.Nanosecond
		b := mustOpen(t, cfg)
		mustRevoke(t, b, "acme", 0, 30)
		mustRevoke(t, b, "acme-2", 0, 3)
		listed := pagesOf(t, s, prefix)
		if found := sick(b.Doctor(t.Context())); len(found) > 0 || len(listed) < 2 {
			t.Fatalf("with the pages %v: got %+v", listed, found)
		}
		folder := prefix + "/revoked/"
		// Of a group that lists others, and of one that is gone; what is no page of ours
		// is left alone.
		for _, name := range []string{"acme-0badcafe", "gone-0badcafe", "acme-notapage", "Upper-0badcafe", "0badcafe"} {
			s.copySecret(t, folder+listed[0], folder+name)
		}
		found := sick(b.Doctor(t.Context()))
		if len(found) != 1 || found[0].Use != vault.UseAdvice || !strings.HasSuffix(found[0].Detail, ": acme-0badcafe, gone-0badcafe") {
			t.Fatalf("got %+v", found)
		}
		command := "vault kv metadata delete -mount=secret " + folder
		if want := command + "acme-0badcafe\n" + command + "gone-0badcafe"; found[0].Remedy != want {
			t.Errorf("got %q, want %q", found[0].Remedy, want)
		}
		// One that is about to be listed looks the same.
		young := cfg
		young.OrphanAfter = time.Minute
		if found := sick(mustOpen(t, young).Doctor(t.Context())); len(found) > 0 {
			t.Errorf("pages of a moment ago: got %+v", found)
		}
		// What is listed and missing is a fault, and then nothing is named to be deleted.
		s.do(t, http.MethodDelete, "secret/metadata/"+folder+listed[0], "")
		found = sick(b.Doctor(t.Context()))
		if len(found) != 1 || found[0].Use != vault.UseMint || !strings.Contains(found[0].Detail, "those of acme: the page "+listed[0]+" is missing") ||
			strings.Contains(found[0].Remedy, "metadata delete") {
			t.Errorf("got %+v", found)
		}
		s.copySecret(t, folder+"acme-0badcafe", folder+listed[0])
		s.do(t, http.MethodPut, "secret/data/"+prefix+"/revocations/acme-2", `{"data":{"v":1}}`)
		found = sick(b.Doctor(t.Context()))
		if len(found) != 1 || !strings.Contains(found[0].Detail, "those of acme-2") || strings.Contains(found[0].Remedy, "metadata delete") {
			t.Errorf("got %+v", found)
		}
	})
}

func TestTheDoctorSaysThatItMayNotLookAtRevocations(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site) {
		prefix := newPrefix()
		line := `path "secret/metadata/` + prefix + `/*" { capabilities = ["delete", "list", "read"] }`
		some := `path "secret/metadata/` + prefix + `/rings/*" { capabilities = ["delete", "list", "read"] }`
		cfg := s.withPolicy(t, prefix, policyOf(prefix, line)+"\n"+some+"\n"+strings.Replace(some, "rings", "groups", 1))
		found := false
		for _, f := range sick(mustOpen(t, cfg).Doctor(t.Context())) {
			found = found || f.Use == vault.UseAdminister && f.Check == "revocations" && strings.HasPrefix(f.Detail, "not looked at") && f.Remedy == strings.Replace(line, `"delete", "list", "read"`, `"read", "list", "delete"`, 1)
		}
		if !found {
			t.Error("it does not say so")
		}
	})
}
