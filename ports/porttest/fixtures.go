package porttest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/replay"
	"embedseal/domain/token"
	"embedseal/ports"
)

// errBoom is what a change fails with; it is compared by identity.
type errBoom struct{}

func (*errBoom) Error() string { return "boom" }

// start is an instant that every record format must be able to hold.
func start() time.Time { return time.Date(2026, 2, 28, 23, 59, 59, 0, time.UTC) }

// newKey is an active key in custody of the ring, whose value begins with its
// id; without a value, which no ring takes, when the id holds a space.
func newKey(id string) key.Key {
	value, err := key.ParseSecret((id + strings.Repeat("x", key.SecretSize))[:key.SecretSize])
	if err != nil {
		value = key.Secret{}
	}
	return key.Key{ID: key.ID(id), State: key.Active, Custody: key.Material, Secret: value, CreatedAt: start()}
}

// adding is a change that adds keys.
func adding(ids ...string) func(key.Ring) (key.Ring, error) {
	return func(r key.Ring) (key.Ring, error) {
		for _, id := range ids {
			var err error
			if r, err = r.With(newKey(id)); err != nil {
				return key.Ring{}, err
			}
		}
		return r, nil
	}
}

// replacing is a change that forgets the ring before it.
func replacing(r key.Ring) func(key.Ring) (key.Ring, error) {
	return func(key.Ring) (key.Ring, error) { return r, nil }
}

func newRing(t *testing.T, keys []key.Key, defaultID key.ID) key.Ring {
	t.Helper()
	r, err := key.NewRing(keys, defaultID)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// everyRing is a ring with every state in every custody.
func everyRing(t *testing.T, defaultID key.ID) key.Ring {
	var keys []key.Key
	for i, state := range []key.State{key.Active, key.Retiring, key.Disabled, key.Destroyed} {
		for _, custody := range []key.Custody{key.VaultTransit, key.Material} {
			k := newKey(fmt.Sprintf("%s.%s-%d", state, custody, i))
			k.State, k.Custody, k.CreatedAt = state, custody, start().Add(time.Duration(i)*time.Hour)
			if custody != key.Material || state == key.Destroyed {
				k.Secret = key.Secret{}
			}
			if custody != key.Material {
				k.Ref = "svc.acme." + string(k.ID) + ":1"
			}
			keys = append(keys, k)
		}
	}
	unborn := newKey("NO_DATE")
	unborn.CreatedAt = time.Time{}
	leaving := newKey("LEAVING")
	leaving.Label, leaving.Note, leaving.Replaces = `Acme "Röhren" <1>`, "asked for by\n\tÄ & Ö", "NO_DATE"
	leaving.RetiresAt, leaving.SafeToDestroyAt, leaving.Creation = start().AddDate(0, 0, 7), start().AddDate(0, 0, 37), newMark(t)
	return newRing(t, append(keys, unborn, leaving), defaultID)
}

func newMark(t *testing.T) replay.Mark {
	t.Helper()
	mark, err := replay.Of("once", "porttest", nil)
	if err != nil {
		t.Fatal(err)
	}
	return mark
}

// sameMark compares the marks of requests, which cmp does not look into.
func sameMark() cmp.Option { return cmp.Comparer(func(a, b replay.Mark) bool { return a == b }) }

func duration(t *testing.T, text string) iso8601.Duration {
	t.Helper()
	d, err := iso8601.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// newGroup is a group with one API token.
func newGroup(id group.ID) group.Group {
	return group.Group{
		ID: id, Name: "The group " + string(id), Policy: policy.Default(), CreatedAt: start(),
		Tokens: []apitoken.Token{newToken("first")},
	}
}

func newToken(id string) apitoken.Token {
	t := apitoken.Token{ID: id, Name: "token " + id, Scopes: apitoken.ReadWrite, CreatedAt: start()}
	copy(t.Digest[:], id)
	return t
}

// everyGroup has one of everything that a group can hold.
func everyGroup(t *testing.T) group.Group {
	g := newGroup("acme")
	g.Name = "Acme \"Röhren\" & Söhne <\\> \U0001F4C8\x00\u2028"
	origin, err := token.ParseOrigin("https://a.example/")
	if err != nil {
		t.Fatal(err)
	}
	g.Policy = policy.Policy{
		DefaultLifetime: duration(t, "P1M2DT3H4.5S"), MaxLifetime: duration(t, "P1Y"), ChartEmbedding: true,
		Embeds: []policy.Glob{"sales-*", `\*?`}, Customers: []policy.Glob{"Röhren & <Söhne>\u2028"}, OriginRequired: true,
		Origins: []token.Origin{origin}, PinnedKey: "k1", Mode: policy.Clamp, // and features: none, which is not the same as no ceiling
	}
	restricted := newToken("restricted")
	restricted.Restriction = policy.Restriction{
		DefaultLifetime: duration(t, "PT5M"), MaxLifetime: duration(t, "PT1H"), NoCharts: true, Embeds: []policy.Glob{"sales-1"},
		Customers: []policy.Glob{"*"}, OriginRequired: true, Origins: []token.Origin{origin}, LimitFeatures: true, PinnedKey: "k1",
	}
	g.Tokens = append(g.Tokens, restricted)
	for scopes := apitoken.Scopes(0); scopes <= apitoken.All; scopes++ {
		token := newToken("token-" + strconv.Itoa(int(scopes)))
		token.Scopes, token.Name = scopes, ""
		if scopes%2 == 1 {
			token.ExpiresAt = start().Add(time.Duration(scopes) * time.Hour)
		}
		for i := range token.Digest {
			token.Digest[i] = byte(i) ^ byte(scopes)<<3
		}
		g.Tokens = append(g.Tokens, token)
	}
	g.RotateEvery, g.Overlap, g.Horizon = duration(t, "P3M"), duration(t, "PT0.5S"), 366*24*time.Hour
	g.Creation = markOf(t, "group")
	used := &g.Tokens[len(g.Tokens)-1]
	used.Networks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::/0"), netip.MustParsePrefix("192.0.2.7/32")}
	used.Previous[31], used.PreviousUntil = 1, start().AddDate(0, 0, 7)
	used.LastUsedAt = apitoken.HourOf(start())
	used.Creation, used.Refreshing = markOf(t, "creation"), markOf(t, "refresh")
	return g
}

// markOf is the mark of a request with that key.
func markOf(t *testing.T, key string) replay.Mark {
	t.Helper()
	m, err := replay.Of(key, "porttest", nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// naming is a change of a group's name.
func naming(name string) func(group.Group) (group.Group, error) {
	return func(g group.Group) (group.Group, error) {
		g.Name = name
		return g, nil
	}
}

func mustUpdateRing(t *testing.T, s ports.KeyStore, g group.ID, change func(key.Ring) (key.Ring, error)) {
	t.Helper()
	if err := s.UpdateRing(t.Context(), g, change); err != nil {
		t.Fatalf("update the ring of %s: %v", g, err)
	}
}

func mustCreate(t *testing.T, s ports.GroupStore, g group.Group) {
	t.Helper()
	if err := s.CreateGroup(t.Context(), g); err != nil {
		t.Fatalf("create the group %s: %v", g.ID, err)
	}
}

func wantRing(t *testing.T, s ports.KeyStore, g group.ID, want key.Ring) {
	t.Helper()
	got, err := s.Ring(t.Context(), g)
	if err != nil {
		t.Fatalf("read the ring of %s: %v", g, err)
	}
	diffRings(t, g, want, got)
}

func diffRings(t *testing.T, g group.ID, want, got key.Ring) {
	t.Helper()
	if got.DefaultID() != want.DefaultID() {
		t.Errorf("the ring of %s has the default %q, want %q", g, got.DefaultID(), want.DefaultID())
	}
	if diff := cmp.Diff(want.Keys(), got.Keys(), cmpopts.EquateEmpty(), sameMark()); diff != "" {
		t.Errorf("the ring of %s (-want +got):\n%s", g, diff)
	}
}

// wantKeys compares the ids only.
func wantKeys(t *testing.T, s ports.KeyStore, g group.ID, ids ...key.ID) {
	t.Helper()
	r, err := s.Ring(t.Context(), g)
	if err != nil {
		t.Fatalf("read the ring of %s: %v", g, err)
	}
	var got []key.ID
	for _, k := range r.Keys() {
		got = append(got, k.ID)
	}
	if diff := cmp.Diff(ids, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the keys of %s (-want +got):\n%s", g, diff)
	}
}

func wantGroup(t *testing.T, s ports.GroupStore, want group.Group) {
	t.Helper()
	got, err := s.Group(t.Context(), want.ID)
	if err != nil {
		t.Fatalf("read the group %s: %v", want.ID, err)
	}
	diffGroups(t, want, got)
}

func diffGroups(t *testing.T, want, got group.Group) {
	t.Helper()
	same := cmpopts.EquateComparable(iso8601.Duration{}, token.Features{}, token.Origin{}, netip.Prefix{})
	if diff := cmp.Diff(want, got, same, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the group %s (-want +got):\n%s", want.ID, diff)
	}
}

func wantGroups(t *testing.T, s ports.GroupStore, want ...group.ID) {
	t.Helper()
	got, err := s.Groups(t.Context())
	if err != nil {
		t.Fatalf("list the groups: %v", err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the groups (-want +got):\n%s", diff)
	}
}

// wantError asks for want, and that err wraps no other of the sentinels that a
// store answers with.
func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got the error %v, want %v", err, want)
	}
	for _, other := range []error{
		ports.ErrNotFound, ports.ErrExists, ports.ErrConflict, ports.ErrUnavailable, ports.ErrUnknownOutcome, ports.ErrCorrupt,
	} {
		if errors.Is(err, other) && !errors.Is(want, other) {
			t.Errorf("the error %v also says %v", err, other)
		}
	}
}

// insist tries again after a lost race, as callers do.
func insist(update func() error) error {
	for {
		if err := update(); !errors.Is(err, ports.ErrConflict) {
			return err
		}
	}
}

func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// unsafeIDs are what no constructor makes, and what would escape from a
// directory, a path or a bucket of a careless store.
func unsafeIDs() []group.ID {
	return []group.ID{
		"", ".", "..", "../x", "../../etc/passwd", "/etc/passwd", "a/b", `a\b`, "a/../b", "acme/", "/acme", "ACME",
		"acme\x00", "\x00", "a b", "acme.sealed", "acme\n", "%2e%2e", "ä", "\xff", "a:b", "a_b", "*", "~",
		group.ID(strings.Repeat("a", group.MaxID+1)), group.ID(strings.Repeat("../", 20)),
	}
}
