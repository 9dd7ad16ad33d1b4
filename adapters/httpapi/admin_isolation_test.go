package httpapi_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"embedseal/domain/apitoken"
)

// hostileIDs are names that no constructor accepts. They are spelled as they stand
// in a request line.
func hostileIDs() []string {
	return []string{
		"..", ".", "%2e%2e", "%2E", "..%2f..", "%2fetc%2fpasswd", "%00", "a%00b", "Acme", "acme%20", "acme%2f", "%61cme", "a..b%0d%0aX:y",
		"=cmd%7C'%2Fc'!A1", "=1+1", "<script>", "%3Cscript%3E", "%ff", "~", "*", "ems_", strings.Repeat("a", 129), strings.Repeat("a", 8<<10),
	}
}

// body is one that the route accepts.
func acceptable(method, path string) string {
	switch {
	case method == http.MethodPost && strings.HasSuffix(path, "/tokens"):
		return `{"name":"x","scopes":["mint"]}`
	case method == http.MethodPost && strings.HasSuffix(path, "/revocations"):
		return `{"kind":"customer","subject":"x"}`
	case method == http.MethodPatch || method == http.MethodPut || method == http.MethodPost && !strings.Contains(path, "{key}"):
		return `{}`
	}
	return ""
}

// bytesOf is an answer without what names the request.
func (a answer) bytesOf(t *testing.T) string {
	t.Helper()
	id := a.header.Get("X-Request-Id")
	if !regexp.MustCompile(`^[a-z2-7]{16}$`).MatchString(id) {
		t.Errorf("the request id is %q", id)
	}
	header := a.header.Clone()
	header.Del("X-Request-Id")
	header.Del("Date")
	return fmt.Sprintln(a.status, header, strings.ReplaceAll(a.body, id, "<id>"))
}

// Whatever is asked with an API token about another group, or with another
// group's ids, is answered as for what does not exist; and so is what cannot.
func TestAnotherGroupIsAnsweredAsNone(t *testing.T) {
	s := govern(t)
	var foreign shownToken
	s.operate(t, "POST", "/admin/v1/groups/other/tokens", `{"name":"theirs","scopes":["read-write"]}`).granted(t, http.StatusCreated, &foreign)
	s.allow(t, "acme", "rw", apitoken.All)
	s.allow(t, "acme", "mint", apitoken.Mint)
	before := s.state(t)
	conditions := [][]string{nil, {`If-Match: "0000000000000000"`}, {"Idempotency-Key: k"}, {"If-Match: "}}
	compared := 0
	for _, r := range s.admin.Routes() {
		method, template := r[0], r[1]
		if !strings.Contains(template, "{group}") {
			continue
		}
		type place struct{ group, key, token string }
		fill := func(p place) string {
			return strings.NewReplacer("{group}", p.group, "{key}", p.key, "{token}", p.token).Replace(template)
		}
		// The ids of others, and those of nobody, each with what is compared to them.
		others := []place{{"other", foreignKey, foreign.ID}, {"bare", "x", "x"}, {"other", unknownKey, "none"}}
		for _, name := range hostileIDs() {
			others = append(others, place{name, foreignKey, foreign.ID})
		}
		type comparison struct {
			none   place
			others []place
		}
		comparisons := []comparison{{place{"none", unknownKey, "none"}, others}}
		if strings.Contains(template, "{key}") || strings.Contains(template, "{token}") {
			own := []place{{"acme", foreignKey, foreign.ID}}
			for _, name := range hostileIDs() {
				own = append(own, place{"acme", name, name})
			}
			comparisons = append(comparisons, comparison{place{"acme", unknownKey, "none"}, own})
		}
		for _, who := range []string{"rw", "ro", "mint"} {
			for _, headers := range conditions {
				for _, body := range []string{acceptable(method, template), `{"nope":1}`, "?nope=1"} {
					query := ""
					if strings.HasPrefix(body, "?") {
						query, body = body, acceptable(method, template)
					} else if body == `{"nope":1}` && (method == "GET" || method == "DELETE") {
						continue
					}
					for _, c := range comparisons {
						ask := func(p place) string {
							return s.present(t, apiToken("acme", who), method, fill(p)+query, body, headers...).bytesOf(t)
						}
						want := ask(c.none)
						compare := c.others
						if who != "rw" || len(headers) > 0 || query != "" { // some of them are enough
							compare = compare[:min(len(compare), 6)]
						}
						for _, other := range compare {
							if got := ask(other); got != want {
								t.Fatalf("%s %s as %s with %q, %q%s:\n%.300v is answered\n%s, and what is not there\n%s", method, template, who, headers, body, query, other, got, want)
							}
							compared++
						}
					}
				}
			}
		}
	}
	if compared < 4000 {
		t.Errorf("only %d answers were compared", compared)
	}
	if after := s.state(t); after != before {
		t.Errorf("something was changed:\n%s\n%s", before, after)
	}
}

// To an operator, too, what no constructor accepts is not there.
func TestHostileIDsAreNotThere(t *testing.T) {
	s := govern(t)
	for _, r := range s.admin.Routes() {
		method, template := r[0], r[1]
		for _, param := range []string{"{group}", "{key}", "{token}"} {
			if !strings.Contains(template, param) {
				continue
			}
			at := func(name string) string {
				path := strings.Replace(template, param, name, 1)
				return strings.NewReplacer("{group}", "acme", "{key}", namedKey, "{token}", "id-of-rw").Replace(path)
			}
			want := s.operate(t, method, at("none"), acceptable(method, template))
			if p := want.problem(t); p.Code != "not_found" {
				t.Errorf("%s %s: %s", method, at("none"), want.body)
			}
			for _, name := range hostileIDs() {
				valid := param == "{key}" && slices.Contains([]string{"Acme", "ems_"}, name) || param == "{token}" && slices.Contains([]string{"Acme", "ems_"}, name)
				got := s.operate(t, method, at(name), acceptable(method, template))
				if got.bytesOf(t) != want.bytesOf(t) && !valid {
					t.Errorf("%s %.80s: %s", method, at(name), got.body)
				}
			}
		}
	}
	for _, e := range s.audit.all() {
		if strings.ContainsAny(e.Group+e.KeyID+e.Target, "%<=/\x00~* ") || len(e.KeyID) > 128 {
			t.Errorf("recorded as %+v", e)
		}
	}
}

func TestWhatIsNoPathIsRefusedByTheTransport(t *testing.T) {
	s := govern(t)
	for name, status := range map[string]int{strings.Repeat("a", 1<<20): http.StatusRequestHeaderFieldsTooLarge, "%zz": http.StatusBadRequest} {
		if got := s.operate(t, "GET", "/admin/v1/groups/"+name, ""); got.status != status {
			t.Errorf("%.10s: status %d", name, got.status)
		}
	}
}
