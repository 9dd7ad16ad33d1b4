package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/key"
)

const (
	acme      = "/admin/v1/groups/acme"
	acmeKeys  = acme + "/keys"
	acmeToken = acme + "/tokens/id-of-rw"
)

// adminRefusal is a request to the administration API, and what it must be
// answered with.
type adminRefusal struct {
	name, method, path, body string
	headers                  []string
	// as is the API token that is presented over TCP; empty is the socket.
	as string
	// before puts things so.
	before func(*testing.T, *governed)
	status int
	code   string
	fields []string
	// action and key are those of the record.
	action audit.Action
	key    string
}

// adminRefusals is every one of them.
func adminRefusals() []adminRefusal {
	long := strings.Repeat("x", 101)
	return slices.Concat(stateRefusals(), bodyRefusalsOfAdmin(), []adminRefusal{
		{name: "a read-only token changes the group", method: "PATCH", path: acme, body: `{"name":"x"}`, as: "ro", status: 403, code: "insufficient_scope", action: audit.ActionUpdateGroup},
		{name: "a read-only token makes a key", method: "POST", path: acmeKeys, body: `{}`, as: "ro", status: 403, code: "insufficient_scope", action: audit.ActionCreateKey},
		{name: "a minting token reads", method: "GET", path: acme, as: "mint", status: 403, code: "insufficient_scope", action: audit.ActionRead},
		{name: "a writing token without reveal sees a value", method: "POST", path: acmeKeys + "/" + defaultKey + "/reveal", as: "rw", status: 403, code: "insufficient_scope", action: audit.ActionRevealKey, key: defaultKey},
		{name: "a writing token without reveal exports a key", method: "GET", path: acmeKeys + "/" + defaultKey + "/jwk", as: "rw", status: 403, code: "insufficient_scope", action: audit.ActionExportKey, key: defaultKey},
		{name: "an API token makes a group", method: "POST", path: "/admin/v1/groups", body: `{"id":"x"}`, as: "rw", status: 403, code: "insufficient_scope", action: audit.ActionCreateGroup},
		{name: "an API token deletes its group", method: "DELETE", path: acme, as: "rw", status: 403, code: "insufficient_scope", action: audit.ActionDeleteGroup},
		{name: "a token hands out a scope that it lacks", method: "POST", path: acme + "/tokens", body: `{"name":"x","scopes":["reveal"]}`, as: "rw", status: 403, code: "insufficient_scope", action: audit.ActionCreateToken},
		{name: "a group's name is too long", method: "PATCH", path: acme, body: `{"name":"` + long + `"}`, status: 400, code: "invalid_request", fields: []string{"name:malformed"}, action: audit.ActionUpdateGroup},
		{name: "a name that turns the writing around", method: "PATCH", path: acme, body: "{\"name\":\"a\u202eb\"}", status: 400, code: "invalid_request", fields: []string{"name:malformed"}, action: audit.ActionUpdateGroup},
		{name: "an API token in a note", method: "PATCH", path: acmeKeys + "/" + defaultKey, body: `{"note":"` + apiToken("acme", "rw") + `"}`, status: 400, code: "invalid_request", fields: []string{"note:malformed"}, action: audit.ActionUpdateKey, key: defaultKey},
		{name: "a limit of zero", method: "GET", path: acmeKeys + "?limit=0", status: 400, code: "invalid_request", fields: []string{"limit:malformed"}, action: audit.ActionRead},
		{name: "a limit beyond the limit", method: "GET", path: acmeKeys + "?limit=1001", status: 400, code: "invalid_request", fields: []string{"limit:malformed"}, action: audit.ActionRead},
		{name: "a limit in another spelling", method: "GET", path: acmeKeys + "?limit=+1", status: 400, code: "invalid_request", fields: []string{"limit:malformed"}, action: audit.ActionRead},
		{name: "a page after what is not there", method: "GET", path: acmeKeys + "?after=none", status: 400, code: "invalid_request", fields: []string{"after:malformed"}, action: audit.ActionRead},
		{name: "a parameter twice", method: "GET", path: acmeKeys + "?limit=1&limit=1", status: 400, code: "invalid_request", fields: []string{"limit:malformed"}, action: audit.ActionRead},
		{name: "a parameter that nobody knows", method: "GET", path: acmeKeys + "?limits=1", status: 400, code: "invalid_request", fields: []string{"limits:unknown_member"}, action: audit.ActionRead},
		{name: "a force that is none", method: "DELETE", path: acme + "?force=1", status: 400, code: "invalid_request", fields: []string{"force:malformed"}, action: audit.ActionDeleteGroup},
		{name: "a condition that says nothing", method: "DELETE", path: acme, headers: []string{"If-Match: "}, status: 400, code: "invalid_request", fields: []string{"If-Match:malformed"}, action: audit.ActionDeleteGroup},
		{name: "an idempotency key that is empty", method: "POST", path: acme + "/rotate", body: `{}`, headers: []string{"Idempotency-Key: "}, status: 400, code: "invalid_request", fields: []string{"Idempotency-Key:malformed"}, action: audit.ActionRotateKey},
		{name: "an idempotency key that is too long", method: "POST", path: acme + "/rotate", body: `{}`, headers: []string{"Idempotency-Key: " + strings.Repeat("x", 129)}, status: 400, code: "invalid_request", fields: []string{"Idempotency-Key:malformed"}, action: audit.ActionRotateKey},
		{name: "two idempotency keys", method: "POST", path: acme + "/rotate", body: `{}`, headers: []string{"Idempotency-Key: a", "Idempotency-Key: a"}, status: 400, code: "invalid_request", fields: []string{"Idempotency-Key:malformed"}, action: audit.ActionRotateKey},
		{name: "a read-only token revokes", method: "POST", path: revocations, body: `{"kind":"customer","subject":"x"}`, as: "ro", status: 403, code: "insufficient_scope", action: audit.ActionRevoke},
		{name: "nothing is said of what to revoke", method: "POST", path: revocations, body: `{}`, status: 400, code: "invalid_request", fields: []string{"kind:required", "subject:required"}, action: audit.ActionRevoke},
		{name: "a kind of revocation that there is not", method: "POST", path: revocations, body: `{"kind":"origin","subject":"x"}`, status: 400, code: "invalid_request", fields: []string{"kind:unknown_value"}, action: audit.ActionRevoke},
		{name: "a fingerprint in upper case", method: "POST", path: revocations, body: `{"kind":"token","subject":"` + strings.Repeat("AB", 32) + `"}`, status: 400, code: "invalid_request", fields: []string{"subject:malformed"}, action: audit.ActionRevoke},
		{name: "an API token in the place of a customer", method: "POST", path: revocations, body: `{"kind":"customer","subject":"` + apiToken("acme", "rw") + `"}`, status: 400, code: "invalid_request", fields: []string{"subject:malformed"}, action: audit.ActionRevoke},
		{name: "a customer with a control character", method: "POST", path: revocations, body: `{"kind":"customer","subject":"a\u0007"}`, status: 400, code: "invalid_request", fields: []string{"subject:malformed"}, action: audit.ActionRevoke},
		{name: "a key that the group has not is revoked", method: "POST", path: revocations, body: `{"kind":"key","subject":"nobody"}`, status: 400, code: "invalid_request", fields: []string{"subject:unknown_value"}, action: audit.ActionRevoke},
		{name: "a token in the place of its fingerprint", method: "POST", path: revocations, body: `{"kind":"token","subject":"` + vector + `"}`, status: 400, code: "invalid_request", fields: []string{"subject:malformed"}, action: audit.ActionRevoke},
		{name: "neither a token nor its fingerprint", method: "POST", path: revocations, body: `{"kind":"token","subject":null,"token":null}`, status: 400, code: "invalid_request", fields: []string{"subject:required"}, action: audit.ActionRevoke},
		{name: "an empty token", method: "POST", path: revocations, body: `{"kind":"token","token":""}`, status: 400, code: "invalid_request", fields: []string{"token:required"}, action: audit.ActionRevoke},
		{name: "a token that is a number", method: "POST", path: revocations, body: `{"kind":"token","token":1}`, status: 400, code: "invalid_request", fields: []string{"token:wrong_type"}, action: audit.ActionRevoke},
		{name: "a token cut short", method: "POST", path: revocations, body: `{"kind":"token","token":"` + vector[:len(vector)-1] + `"}`, status: 400, code: "invalid_request", fields: []string{"token:malformed"}, action: audit.ActionRevoke},
		{name: "a token respelled", method: "POST", path: revocations, body: `{"kind":"token","token":"` + vector[:len(vector)-1] + `x"}`, status: 400, code: "invalid_request", fields: []string{"token:malformed"}, action: audit.ActionRevoke},
		{name: "a token and its fingerprint", method: "POST", path: revocations, body: `{"kind":"token","subject":"` + strings.Repeat("ab", 32) + `","token":"` + vector + `"}`, status: 400, code: "invalid_request", fields: []string{"subject:malformed"}, action: audit.ActionRevoke},
		{name: "a token where a customer is revoked", method: "POST", path: revocations, body: `{"kind":"customer","token":"` + vector + `"}`, status: 400, code: "invalid_request", fields: []string{"token:malformed"}, action: audit.ActionRevoke},
		{name: "a token up to an instant", method: "POST", path: revocations, body: `{"kind":"token","token":"` + vector + `","before":"2026-01-31T09:00:00Z"}`, status: 400, code: "invalid_request", fields: []string{"before:malformed"}, action: audit.ActionRevoke},
		{name: "a token in the place of a kind", method: "POST", path: revocations, body: `{"kind":"` + vector + `","token":"` + vector + `"}`, status: 400, code: "invalid_request", fields: []string{"kind:unknown_value"}, action: audit.ActionRevoke},
		{name: "a token of another group's key", method: "POST", path: revocations, body: `{"kind":"token","token":"` + renamed(vector, foreignKey) + `"}`, status: 400, code: "invalid_request", fields: []string{"token:unknown_value"}, action: audit.ActionRevoke},
		{name: "what was issued in the future is revoked", method: "POST", path: revocations, body: `{"kind":"embed","subject":"x","before":"2026-01-31T10:00:01Z"}`, status: 400, code: "invalid_request", fields: []string{"before:malformed"}, action: audit.ActionRevoke},
		{name: "one token is revoked up to an instant", method: "POST", path: revocations, body: `{"kind":"token","subject":"` + strings.Repeat("ab", 32) + `","before":"2026-01-31T09:00:00Z"}`, status: 400, code: "invalid_request", fields: []string{"before:malformed"}, action: audit.ActionRevoke},
		{name: "an instant before there were any", method: "POST", path: revocations, body: `{"kind":"embed","subject":"x","before":"1969-01-31T09:00:00Z"}`, status: 400, code: "invalid_request", fields: []string{"before:malformed"}, action: audit.ActionRevoke},
		{name: "a page of revocations after what is not there", method: "GET", path: revocations + "?after=0000000000000000", status: 400, code: "invalid_request", fields: []string{"after:malformed"}, action: audit.ActionRead},
	})
}

// stateRefusals are those of well-formed requests.
func stateRefusals() []adminRefusal {
	stale := []string{`If-Match: "0000000000000000"`}
	key404 := acmeKeys + "/" + unknownKey
	all := []adminRefusal{
		{name: "the group is there", method: "POST", path: "/admin/v1/groups", body: `{"id":"acme"}`, status: 409, code: "group_exists", action: audit.ActionCreateGroup},
		{name: "the key is there", method: "POST", path: acmeKeys, body: `{"id":"` + namedKey + `"}`, status: 409, code: "key_exists", action: audit.ActionCreateKey, key: namedKey},
		{name: "the key was there", method: "POST", path: acmeKeys, body: `{"id":"` + destroyedKey + `","value":"0123456789abcdef0123456789abcdef"}`, status: 409, code: "key_exists", action: audit.ActionCreateKey, key: destroyedKey},
		{name: "the group has keys that open tokens", method: "DELETE", path: acme, status: 409, code: "group_in_use", action: audit.ActionDeleteGroup},
		{name: "the default key is retired", method: "POST", path: acmeKeys + "/" + defaultKey + "/retire", status: 409, code: "key_is_default", action: audit.ActionRetireKey, key: defaultKey},
		{name: "the default key is disabled", method: "POST", path: acmeKeys + "/" + defaultKey + "/disable", status: 409, code: "key_is_default", action: audit.ActionDisableKey, key: defaultKey},
		{name: "the default key is destroyed", method: "DELETE", path: acmeKeys + "/" + defaultKey + "?force=true", status: 409, code: "key_is_default", action: audit.ActionDestroyKey, key: defaultKey},
		{name: "the key that the policy pins is rotated", method: "POST", path: acme + "/rotate", status: 409, code: "key_is_pinned", action: audit.ActionRotateKey,
			before: func(t *testing.T, s *governed) {
				s.updateGroup(t, func(g group.Group) group.Group {
					g.Policy.PinnedKey = defaultKey
					return g
				})
			}},
		{name: "an active key is enabled", method: "POST", path: acmeKeys + "/" + namedKey + "/enable", status: 409, code: "key_state", action: audit.ActionEnableKey, key: namedKey},
		{name: "a retiring key becomes the default", method: "POST", path: acmeKeys + "/" + retiringKey + "/default", status: 409, code: "key_state", action: audit.ActionDefaultKey, key: retiringKey},
		{name: "a destroyed key is revealed", method: "POST", path: acmeKeys + "/" + destroyedKey + "/reveal", status: 409, code: "key_state", action: audit.ActionRevealKey, key: destroyedKey},
		{name: "an active key is destroyed", method: "DELETE", path: acmeKeys + "/" + namedKey, status: 409, code: "not_safe_to_destroy", action: audit.ActionDestroyKey, key: namedKey},
		{name: "the group is another than was read", method: "PATCH", path: acme, body: `{"name":"x"}`, headers: stale, status: 412, code: "precondition_failed", action: audit.ActionUpdateGroup},
		{name: "the group to be deleted is another", method: "DELETE", path: acme + "?force=true", headers: stale, status: 412, code: "precondition_failed", action: audit.ActionDeleteGroup},
		{name: "the policy is another", method: "PUT", path: acme + "/policy", body: `{}`, headers: stale, status: 412, code: "precondition_failed", action: audit.ActionUpdatePolicy},
		{name: "the key is another", method: "PATCH", path: acmeKeys + "/" + namedKey, body: `{"label":"x"}`, headers: stale, status: 412, code: "precondition_failed", action: audit.ActionUpdateKey, key: namedKey},
		{name: "the key to be retired is another", method: "POST", path: acmeKeys + "/" + namedKey + "/retire", headers: stale, status: 412, code: "precondition_failed", action: audit.ActionRetireKey, key: namedKey},
		{name: "the API token is another", method: "PATCH", path: acmeToken, body: `{"name":"x"}`, headers: stale, status: 412, code: "precondition_failed", action: audit.ActionUpdateToken},
		{name: "the API token to be revoked is another", method: "DELETE", path: acmeToken, headers: []string{`If-Match: W/"0000000000000000"`}, status: 412, code: "precondition_failed", action: audit.ActionRevokeToken},
		{name: "a key that is not there is shown", method: "GET", path: key404, status: 404, code: "not_found", action: audit.ActionRead},
		{name: "a key that is not there is renamed", method: "PATCH", path: key404, body: `{"label":"x"}`, status: 404, code: "not_found", action: audit.ActionUpdateKey},
		{name: "an API token that is not there is shown", method: "GET", path: acme + "/tokens/none", status: 404, code: "not_found", action: audit.ActionRead},
		{name: "an API token that is not there is refreshed", method: "POST", path: acme + "/tokens/none/refresh", body: `{}`, status: 404, code: "not_found", action: audit.ActionRefreshToken},
		{name: "a group that is not there is deleted", method: "DELETE", path: "/admin/v1/groups/none", status: 404, code: "not_found", action: audit.ActionDeleteGroup},
		{name: "the idempotency key was another request's", method: "POST", path: acme + "/rotate", body: `{"label":"b"}`, headers: []string{"Idempotency-Key: k"}, status: 409, code: "idempotency_conflict", action: audit.ActionRotateKey,
			before: func(t *testing.T, s *governed) {
				s.operate(t, "POST", acme+"/rotate", `{"label":"a"}`, "Idempotency-Key: k").granted(t, 201, nil)
			}},
		{name: "a key that never leaves its custody", method: "POST", path: acmeKeys + "/transit/reveal", status: 409, code: "not_exportable", action: audit.ActionRevealKey, key: "transit", before: withTransitKey},
		{name: "such a key is exported", method: "GET", path: acmeKeys + "/transit/jwk", status: 409, code: "not_exportable", action: audit.ActionExportKey, key: "transit", before: withTransitKey},
		{name: "the group is full of API tokens", method: "POST", path: acme + "/tokens", body: `{"name":"x","scopes":["mint"]}`, status: 409, code: "limit_reached", action: audit.ActionCreateToken,
			before: func(t *testing.T, s *governed) {
				s.updateGroup(t, func(g group.Group) group.Group {
					for i := len(g.Tokens); i < group.MaxTokens; i++ {
						g.Tokens = append(slices.Clip(g.Tokens), apitoken.Token{ID: fmt.Sprint("t", i), Digest: apitoken.Digest{1, byte(i), byte(i >> 8)}, Scopes: apitoken.Mint, CreatedAt: g.CreatedAt})
					}
					return g
				})
			}},
		{name: "the log does not take the outcome", method: "PATCH", path: acme, body: `{"name":"x"}`, status: 503, code: "outcome_unrecorded", action: audit.ActionUpdateGroup,
			before: func(_ *testing.T, s *governed) { s.audit.fail, s.audit.spare = errors.New("disk full"), 1 }},
		{name: "the log does not take the intent", method: "PATCH", path: acme, body: `{"name":"x"}`, status: 503, code: "audit_unavailable", action: audit.ActionUpdateGroup,
			before: func(_ *testing.T, s *governed) { s.audit.fail = errors.New("disk full") }},
	}
	return all
}

// bodyRefusalsOfAdmin are those of malformed bodies.
func bodyRefusalsOfAdmin() []adminRefusal {
	create := func(name, body string, fields ...string) adminRefusal {
		return adminRefusal{name: name, method: "POST", path: "/admin/v1/groups", body: body, status: 400, code: "invalid_request", fields: fields, action: audit.ActionCreateGroup}
	}
	token := func(name, body string, fields ...string) adminRefusal {
		return adminRefusal{name: name, method: "POST", path: acme + "/tokens", body: body, status: 400, code: "invalid_request", fields: fields, action: audit.ActionCreateToken}
	}
	return []adminRefusal{
		create("a group without an id", `{}`, "id:required"),
		create("a group whose id is null", `{"id":null}`, "id:required"),
		create("a group whose id is none", `{"id":"../x"}`, "id:malformed"),
		create("everything wrong with a group", `{"zz":1,"policy":{"mode":"maybe","nope":1,"embeds":["ok","","\\x"],"features":["all"],"origins":["x"],"pinned_key":"a b","max_lifetime":"PT0S","chart_embedding":"yes"},"overlap":"P20Y","rotate_every":"PT1H","name":1,"id":1}`,
			"id:wrong_type", "name:wrong_type", "rotate_every:malformed", "overlap:malformed", "policy.max_lifetime:not_positive", "policy.chart_embedding:wrong_type",
			"policy.embeds[1]:malformed", "policy.embeds[2]:malformed", "policy.origins[0]:malformed", "policy.features:unknown_value", "policy.pinned_key:malformed", "policy.mode:unknown_value",
			"zz:unknown_member", "policy.nope:unknown_member"),
		create("a policy that is no object", `{"id":"x","policy":[]}`, "policy:wrong_type"),
		create("a policy that pins a key of nobody", `{"id":"x","policy":{"pinned_key":"k"}}`, "policy.pinned_key:unknown_value"),
		create("a policy whose maximum no calendar ends", `{"id":"x","policy":{"max_lifetime":"P9999Y"}}`, "policy.max_lifetime:overflow"),
		token("an API token without anything", `{}`, "name:required", "scopes:required"),
		token("a scope that nobody knows", `{"name":"x","scopes":["admin"]}`, "scopes:unknown_value"),
		token("an API token that ends twice", `{"name":"x","scopes":["mint"],"expires_at":"2027-01-01T00:00:00Z","expires_in":"P1D"}`, "expires_in:malformed"),
		token("an API token that has ended", `{"name":"x","scopes":["mint"],"expires_at":"2026-01-31T10:00:00Z"}`, "expires_at:malformed"),
		token("a time without a zone", `{"name":"x","scopes":["mint"],"expires_at":"2027-01-01T00:00:00"}`, "expires_at:malformed"),
		token("a network with host bits", `{"name":"x","scopes":["mint"],"networks":["10.0.0.1/8"]}`, "networks:malformed"),
		token("a restriction wider than the policy", `{"name":"x","scopes":["mint"],"restriction":{"max_lifetime":"P60D"}}`, "restriction.max_lifetime:wider_than_group"),
		token("a restriction with a mode", `{"name":"x","scopes":["mint"],"restriction":{"mode":"clamp"}}`, "restriction.mode:unknown_member"),
		{name: "a value without an id", method: "POST", path: acmeKeys, body: `{"value":"0123456789abcdef0123456789abcdef"}`, status: 400, code: "invalid_request", fields: []string{"id:required"}, action: audit.ActionCreateKey},
		{name: "a value that is none", method: "POST", path: acmeKeys, body: `{"id":"k","value":"hunter2"}`, status: 400, code: "invalid_request", fields: []string{"value:malformed"}, action: audit.ActionCreateKey},
		{name: "an overlap beyond all bounds", method: "POST", path: acme + "/rotate", body: `{"overlap":"P9000Y"}`, status: 400, code: "invalid_request", fields: []string{"overlap:malformed"}, action: audit.ActionRotateKey},
		{name: "a negative overlap", method: "POST", path: acme + "/rotate", body: `{"overlap":"-PT1H"}`, status: 400, code: "invalid_request", fields: []string{"overlap:not_positive"}, action: audit.ActionRotateKey},
		{name: "a member of a step", method: "POST", path: acmeKeys + "/" + namedKey + "/retire", body: `{"now":true}`, status: 400, code: "invalid_request", fields: []string{"now:unknown_member"}, action: audit.ActionRetireKey, key: namedKey},
		{name: "a policy with an unknown pinned key", method: "PATCH", path: acme + "/policy", body: `{"pinned_key":"none"}`, status: 400, code: "invalid_request", fields: []string{"pinned_key:unknown_value"}, action: audit.ActionUpdatePolicy},
		{name: "a maximum that no calendar ends", method: "PATCH", path: acme + "/policy", body: `{"max_lifetime":"P8000Y"}`, status: 400, code: "invalid_request", fields: []string{"max_lifetime:overflow"}, action: audit.ActionUpdatePolicy},
		{name: "a member twice in a policy", method: "PATCH", path: acme + "/policy", body: `{"mode":"clamp","mode":"reject"}`, status: 400, code: "duplicate_member", action: audit.ActionUpdatePolicy},
		{name: "a member twice in an inner object", method: "POST", path: "/admin/v1/groups", body: `{"id":"x","policy":{"mode":"clamp","mode":"reject"}}`, status: 400, code: "duplicate_member", action: audit.ActionCreateGroup},
		{name: "a body that is no JSON", method: "PATCH", path: acme, body: `name=x`, status: 400, code: "malformed_json", action: audit.ActionUpdateGroup},
		{name: "a body behind the body", method: "PATCH", path: acme, body: `{}{}`, status: 400, code: "trailing_data", action: audit.ActionUpdateGroup},
		{name: "an array", method: "PUT", path: acme + "/policy", body: `[]`, status: 400, code: "not_an_object", action: audit.ActionUpdatePolicy},
		{name: "a body that is not called JSON", method: "PATCH", path: acme, body: `{}`, headers: []string{"Content-Type: application/merge-patch+json"}, status: 415, code: "unsupported_media_type", action: audit.ActionUpdateGroup},
		{name: "a step with a form", method: "POST", path: acme + "/rotate", body: `a=b`, headers: []string{"Content-Type: application/x-www-form-urlencoded"}, status: 415, code: "unsupported_media_type", action: audit.ActionRotateKey},
		{name: "a megabyte", method: "PATCH", path: acme, body: `{"name":"` + strings.Repeat("x", 1<<20) + `"}`, status: 413, code: "body_too_large", action: audit.ActionUpdateGroup},
	}
}

// withTransitKey puts a key into acme whose material is elsewhere.
func withTransitKey(t *testing.T, s *governed) {
	t.Helper()
	err := s.keys.UpdateRing(t.Context(), "acme", func(r key.Ring) (key.Ring, error) {
		return r.With(key.Key{ID: "transit", State: key.Active, Custody: key.VaultTransit, Ref: "x:1", CreatedAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *governed) updateGroup(t *testing.T, change func(group.Group) group.Group) {
	t.Helper()
	err := s.groups.UpdateGroup(context.WithoutCancel(t.Context()), "acme", func(g group.Group) (group.Group, error) { return change(g), nil })
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryRefusalOfTheAdministrationAPI(t *testing.T) {
	names := map[string]bool{}
	for _, r := range adminRefusals() {
		if names[r.name] {
			t.Fatalf("two refusals are called %q", r.name)
		}
		names[r.name] = true
		t.Run(r.name, func(t *testing.T) {
			s := govern(t)
			s.allow(t, "acme", "mint", apitoken.Mint)
			if r.before != nil {
				r.before(t, s)
			}
			rings := s.state(t)
			s.audit.take()
			var got answer
			if r.as == "" {
				got = s.operate(t, r.method, r.path, r.body, r.headers...)
			} else {
				got = s.present(t, apiToken("acme", r.as), r.method, r.path, r.body, r.headers...)
			}
			p := got.problem(t)
			if got.status != r.status || p.Code != r.code || !slices.Equal(p.fields(), r.fields) {
				t.Fatalf("status %d, code %s, fields %q, want %d, %s, %q: %s", got.status, p.Code, p.fields(), r.status, r.code, r.fields, got.body)
			}
			r.checkRecords(t, s.audit.take(), p)
			if after := s.state(t); after != rings && r.code != "outcome_unrecorded" {
				t.Errorf("it changed something:\n%s\n%s", rings, after)
			}
		})
	}
}

// state is what is stored, in words.
func (s *governed) state(t *testing.T) string {
	t.Helper()
	ids, err := s.groups.Groups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, id := range ids {
		g, err := s.groups.Group(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		ring, err := s.keys.Ring(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(&all, "%+v %+v\n", g, ring)
	}
	return all.String()
}

// checkRecords: a refusal is recorded once, by the use-case behind an intent or by
// the edge.
func (r adminRefusal) checkRecords(t *testing.T, events []audit.Event, p problem) {
	t.Helper()
	if r.code == "audit_unavailable" || r.code == "outcome_unrecorded" {
		return // there is no log to write it to
	}
	if len(events) == 0 {
		t.Fatal("it is not recorded")
	}
	last, intents := events[len(events)-1], events[:len(events)-1]
	if last.Outcome != audit.Refused || last.Code != p.Code || last.RequestID != p.RequestID || last.Group != "acme" && r.code != "not_found" && r.path != "/admin/v1/groups" {
		t.Errorf("recorded as %+v", last)
	}
	if last.Action != r.action && (last.Action != audit.ActionImportKey || r.action != audit.ActionCreateKey) {
		t.Errorf("recorded as %s, want %s", last.Action, r.action)
	}
	if last.KeyID != r.key {
		t.Errorf("the key of the record is %q, want %q", last.KeyID, r.key)
	}
	if len(intents) > 1 || len(intents) == 1 && (intents[0].Outcome != audit.Intent || intents[0].Change != last.Change || last.Change == "") {
		t.Errorf("before it stands %+v", intents)
	}
}
