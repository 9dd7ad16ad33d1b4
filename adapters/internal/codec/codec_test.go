package codec_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"embedseal/adapters/internal/codec"
	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/replay"
	"embedseal/domain/token"
	"embedseal/ports"
)

// The documents that stores hold today; what reads them must go on reading
// them.
const (
	ringText = `{"v":1,"group":"acme","default":"k1","keys":[` +
		`{"id":"k1","state":"active","custody":"material","secret":"0123456789abcdef0123456789abcdef","created_at":"2026-02-28T23:59:59Z"},` +
		`{"id":"k2","state":"destroyed","custody":"material"},` +
		`{"id":"k3","state":"retiring","custody":"vault-transit","ref":"embedseal.acme.k3:1","created_at":"2026-02-28T23:59:59Z"}]}`
	groupText = `{"v":1,"id":"acme","name":"Acme","policy":{"default_lifetime":"PT24H","max_lifetime":"P30D","chart_embedding":true},` +
		`"tokens":[{"id":"t1","name":"ours","digest":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",` +
		`"scopes":["verify","read"],"created_at":"2026-02-28T23:59:59Z","expires_at":"2027-02-28T23:59:59Z"}],` +
		`"created_at":"2026-02-28T23:59:59Z"}`
	secretText = "0123456789abcdef0123456789abcdef"
)

func instant() time.Time { return time.Date(2026, 2, 28, 23, 59, 59, 0, time.UTC) }

func ring(t *testing.T) key.Ring {
	t.Helper()
	value, err := key.ParseSecret(secretText)
	if err != nil {
		t.Fatal(err)
	}
	r, err := key.NewRing([]key.Key{
		{ID: "k1", State: key.Active, Custody: key.Material, Secret: value, CreatedAt: instant()},
		{ID: "k2", State: key.Destroyed, Custody: key.Material},
		{ID: "k3", State: key.Retiring, Custody: key.VaultTransit, Ref: "embedseal.acme.k3:1", CreatedAt: instant()},
	}, "k1")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func acme(t *testing.T) group.Group {
	t.Helper()
	g := group.Group{ID: "acme", Name: "Acme", Policy: policy.Default(), CreatedAt: instant()}
	g.Policy.ChartEmbedding = true
	token := apitoken.Token{ID: "t1", Name: "ours", Scopes: apitoken.ReadOnly, CreatedAt: instant(), ExpiresAt: instant().AddDate(1, 0, 0)}
	for i := range token.Digest {
		token.Digest[i] = byte(i%16) * 0x11
	}
	g.Tokens = []apitoken.Token{token}
	return g
}

func TestTheDocumentOfARingStaysAsItIs(t *testing.T) {
	want := ring(t)
	doc, err := codec.EncodeRing("acme", want)
	if diff := cmp.Diff(ringText, string(doc)); diff != "" || err != nil {
		t.Fatalf("error %v, document:\n%s", err, diff)
	}
	got, err := codec.DecodeRing("acme", doc)
	if diff := cmp.Diff(want.Keys(), got.Keys(), sameMark()); diff != "" || err != nil || got.DefaultID() != "k1" {
		t.Errorf("error %v, default %q, keys:\n%s", err, got.DefaultID(), diff)
	}
}

// sameMark compares the marks of requests, which cmp does not look into.
func sameMark() cmp.Option { return cmp.Comparer(func(a, b replay.Mark) bool { return a == b }) }

// governedText is a ring whose keys were rotated, labelled and taken out of use.
const governedText = `{"v":1,"group":"acme","default":"k2","keys":[` +
	`{"id":"k1","state":"active","custody":"material","secret":"0123456789abcdef0123456789abcdef","created_at":"2026-02-28T23:59:59Z",` +
	`"label":"of the shop","note":"asked for by\nM\u003cü\u003e","retires_at":"2026-03-07T23:59:59Z","safe_to_destroy_at":"2026-04-06T23:59:59Z"},` +
	`{"id":"k2","state":"active","custody":"material","secret":"0123456789abcdef0123456789abcdef","created_at":"2026-02-28T23:59:59Z",` +
	`"replaces":"k1","creation":"bccb4563f3b004ff14ccc6044e33f641e3b0c44298fc1c149afbf4c8996fb924"},` +
	`{"id":"k3","state":"destroyed","custody":"vault-transit","ref":"embedseal.acme.k3:1","safe_to_destroy_at":"2026-04-06T23:59:59Z"}]}`

func governed(t *testing.T) key.Ring {
	t.Helper()
	mark, err := replay.Of("once", "keys/acme", nil)
	if err != nil {
		t.Fatal(err)
	}
	keys, retires, safe := ring(t).Keys(), instant().AddDate(0, 0, 7), instant().AddDate(0, 0, 37)
	keys[0].Label, keys[0].Note, keys[0].RetiresAt, keys[0].SafeToDestroyAt = "of the shop", "asked for by\nM<ü>", retires, safe
	keys[1].State, keys[1].Secret, keys[1].CreatedAt, keys[1].Replaces, keys[1].Creation = key.Active, keys[0].Secret, instant(), "k1", mark
	keys[2].State, keys[2].CreatedAt, keys[2].SafeToDestroyAt = key.Destroyed, time.Time{}, safe
	r, err := key.NewRing(keys, "k2")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheDocumentOfAGovernedRingStaysAsItIs(t *testing.T) {
	want := governed(t)
	doc, err := codec.EncodeRing("acme", want)
	if diff := cmp.Diff(governedText, string(doc)); diff != "" || err != nil {
		t.Fatalf("error %v, document:\n%s", err, diff)
	}
	got, err := codec.DecodeRing("acme", doc)
	if diff := cmp.Diff(want.Keys(), got.Keys(), sameMark()); diff != "" || err != nil || got.DefaultID() != "k2" {
		t.Errorf("error %v, default %q, keys:\n%s", err, got.DefaultID(), diff)
	}
}

func TestADamagedGovernedRingIsRefused(t *testing.T) {
	for _, d := range []damage{
		{"a label in two lines", "of the shop", `of the\nshop`},
		{"an empty label", `"label":"of the shop"`, `"label":""`},
		{"a label spelled another way", "of the shop", `\u006ff the shop`},
		{"a note that controls a terminal", `\nM`, `\u001bM`},
		{"no time", "2026-03-07T23:59:59Z", "soon"},
		{"a time in another zone", "2026-03-07T23:59:59Z", "2026-03-07T23:59:59+00:00"},
		{"safe before it retires", "2026-03-07T23:59:59Z", "2026-05-07T23:59:59Z"},
		{"safe and never to retire", `"retires_at":"2026-03-07T23:59:59Z",`, ""},
		{"it replaces no id", `"replaces":"k1"`, `"replaces":"k 1"`},
		{"a mark in capitals", "bccb4563", "BCCB4563"},
		{"half a mark", "e3b0c44298fc1c149afbf4c8996fb924", ""},
		{"a member that nobody knows", `"replaces"`, `"replaced"`},
	} {
		t.Run(d.name, func(t *testing.T) {
			_, err := codec.DecodeRing("acme", damaged(t, governedText, d))
			wantCorrupt(t, err)
		})
	}
}

func TestTheDocumentOfAGroupStaysAsItIs(t *testing.T) {
	want := acme(t)
	doc, err := codec.EncodeGroup(want)
	if diff := cmp.Diff(groupText, string(doc)); diff != "" || err != nil {
		t.Fatalf("error %v, document:\n%s", err, diff)
	}
	got, err := codec.DecodeGroup("acme", doc)
	same := cmpopts.EquateComparable(iso8601.Duration{}, token.Features{}, token.Origin{})
	if diff := cmp.Diff(want, got, same, cmpopts.EquateEmpty()); diff != "" || err != nil {
		t.Errorf("error %v, group:\n%s", err, diff)
	}
}

func TestTheEmptyRingIsADocument(t *testing.T) {
	doc, err := codec.EncodeRing("acme", key.Ring{})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := codec.DecodeRing("acme", doc); r.Len() != 0 || r.DefaultID() != "" || err != nil {
		t.Errorf("got %d keys and %v", r.Len(), err)
	}
}

func TestATimeIsKeptToTheNanosecondInUTC(t *testing.T) {
	g := acme(t)
	g.CreatedAt = instant().Add(123456789).In(time.FixedZone("", 5*3600))
	doc, err := codec.EncodeGroup(g)
	if err != nil {
		t.Fatal(err)
	}
	got, err := codec.DecodeGroup("acme", doc)
	if err != nil || !got.CreatedAt.Equal(g.CreatedAt) || got.CreatedAt.Location() != time.UTC {
		t.Errorf("got %v and %v, want %v", got.CreatedAt, err, g.CreatedAt)
	}
}

// damage is a document with one thing replaced.
type damage struct{ name, old, new string }

func TestADamagedRingIsRefused(t *testing.T) {
	for _, d := range append(anyDocument(),
		damage{"another group", `"group":"acme"`, `"group":"globex"`},
		damage{"a default that is not there", `"default":"k1"`, `"default":"k9"`},
		damage{"an empty default", `"default":"k1"`, `"default":""`},
		damage{"no keys", ringText[strings.Index(ringText, `,"keys"`):], "}"},
		damage{"null keys", ringText[strings.Index(ringText, `[`):], "null}"},
		damage{"two keys of one id", `"id":"k2"`, `"id":"k1"`},
		damage{"an unsafe id", `"id":"k2"`, `"id":"k 2"`},
		damage{"an unknown state", `"active"`, `"Active"`},
		damage{"an unknown custody", `"custody":"vault-transit"`, `"custody":"unknown"`},
		damage{"a short secret", secretText, secretText[1:]},
		damage{"a secret with a space", secretText, " " + secretText[1:]},
		damage{"a secret spelled another way", secretText, `\u0030` + secretText[1:]},
		damage{"an active key without a secret", `"secret":"` + secretText + `",`, ""},
		damage{"a destroyed key with a secret", `"destroyed","custody":"material"`, `"destroyed","custody":"material","secret":"` + secretText + `"`},
		damage{"a secret that Vault should have", `"vault-transit"`, `"vault-transit","secret":"` + secretText + `"`},
	) {
		t.Run(d.name, func(t *testing.T) {
			doc := damaged(t, ringText, d)
			_, err := codec.DecodeRing("acme", doc)
			wantCorrupt(t, err)
		})
	}
	_, err := codec.DecodeRing("globex", []byte(ringText))
	wantCorrupt(t, err)
}

func TestADamagedGroupIsRefused(t *testing.T) {
	for _, d := range append(anyDocument(),
		damage{"another id", `"id":"acme"`, `"id":"globex"`},
		damage{"no lifetime", `"PT24H"`, `""`},
		damage{"a lifetime of zero", `"PT24H"`, `"PT0H"`},
		damage{"a lifetime spelled another way", `"PT24H"`, `"PT024H"`},
		damage{"a maximum that is no duration", `"P30D"`, `"30 days"`},
		damage{"a number for a switch", `"chart_embedding":true`, `"chart_embedding":1`},
		damage{"no switch", `,"chart_embedding":true`, ``},
		damage{"null tokens", groupText[strings.Index(groupText, `[{`) : strings.Index(groupText, `}]`)+2], "null"},
		damage{"an unknown scope", `"verify"`, `"admin"`},
		damage{"scopes out of order", `"verify","read"`, `"read","verify"`},
		damage{"a scope twice", `"verify","read"`, `"verify","read","read"`},
		damage{"an alias for scopes", `"verify","read"`, `"read-only"`},
		damage{"null scopes", `["verify","read"]`, `null`},
		damage{"a short digest", `"digest":"00`, `"digest":"`},
		damage{"a digest in upper case", `aabbcc`, `AABBCC`},
		damage{"not UTF-8", `"Acme"`, "\"\xff\""},
		damage{"a name spelled another way", `"Acme"`, `"\u0041cme"`},
	) {
		t.Run(d.name, func(t *testing.T) {
			doc := damaged(t, groupText, d)
			_, err := codec.DecodeGroup("acme", doc)
			wantCorrupt(t, err)
		})
	}
}

// anyDocument is what can be wrong with both kinds.
func anyDocument() []damage {
	return []damage{
		{"nothing", "*", ""},
		{"null", "*", "null"},
		{"an array", "*", "[]"},
		{"an empty object", "*", "{}"},
		{"not JSON", "*", "\x00\x01\x02"},
		{"deep nesting", "*", strings.Repeat(`{"v":`, 20000)},
		{"another format", `"v":1`, `"v":2`},
		{"a format that is not whole", `"v":1`, `"v":1.0`},
		{"no format", `"v":1,`, ``},
		{"an unknown member", `"v":1`, `"v":1,"w":1`},
		{"a member in another case", `"v":1`, `"V":1`},
		{"a member twice", `"v":1`, `"v":1,"v":1`},
		{"a space", `"v":1`, `"v": 1`},
		{"a time in another zone", `2026-02-28T23:59:59Z`, `2026-02-28T23:59:59+00:00`},
		{"a time that is none", `2026-02-28T23:59:59Z`, `2026-02-30T23:59:59Z`},
		{"the zero time", `2026-02-28T23:59:59Z`, `0001-01-01T00:00:00Z`},
	}
}

func damaged(t *testing.T, doc string, d damage) []byte {
	t.Helper()
	if d.old == "*" {
		return []byte(d.new)
	}
	if !strings.Contains(doc, d.old) {
		t.Fatalf("the document has no %s", d.old)
	}
	return []byte(strings.Replace(doc, d.old, d.new, 1))
}

func TestWhatFollowsADocumentIsRefused(t *testing.T) {
	for _, tail := range []string{" ", "\n", "}", "{}", "\x00", ringText} {
		_, err := codec.DecodeRing("acme", []byte(ringText+tail))
		wantCorrupt(t, err)
		_, err = codec.DecodeGroup("acme", []byte(groupText+tail))
		wantCorrupt(t, err)
	}
	for n := range len(ringText) {
		_, err := codec.DecodeRing("acme", []byte(ringText[:n]))
		wantCorrupt(t, err)
	}
}

func wantCorrupt(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, ports.ErrCorrupt) {
		t.Fatalf("got the error %v, want %v", err, ports.ErrCorrupt)
	}
	if errors.Is(err, key.ErrInvalid) || errors.Is(err, group.ErrInvalid) || errors.Is(err, codec.ErrInvalid) {
		t.Errorf("the error %v blames the caller", err)
	}
	if strings.Contains(err.Error(), secretText[1:]) {
		t.Errorf("the error %v holds the secret", err)
	}
}

func TestAGroupThatCannotBeReadBackIsNotWritten(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*group.Group)
		want   error
	}{
		"an unsafe id":      {func(g *group.Group) { g.ID = "../x" }, group.ErrInvalid},
		"no policy":         {func(g *group.Group) { g.Policy = policy.Policy{} }, policy.ErrInvalid},
		"a name, not UTF-8": {func(g *group.Group) { g.Name = "\xff" }, codec.ErrInvalid},
		"a token, not UTF-8": {func(g *group.Group) {
			g.Tokens[0].Name = "\xff"
		}, codec.ErrInvalid},
		"an unknown scope": {func(g *group.Group) { g.Tokens[0].Scopes |= 1 << 7 }, codec.ErrInvalid},
		"two tokens of one id": {func(g *group.Group) {
			g.Tokens = append(g.Tokens, g.Tokens[0])
		}, codec.ErrInvalid},
		"a year that cannot be written": {func(g *group.Group) { g.CreatedAt = instant().AddDate(9000, 0, 0) }, codec.ErrInvalid},
	} {
		g := acme(t)
		c.change(&g)
		if _, err := codec.EncodeGroup(g); !errors.Is(err, c.want) {
			t.Errorf("%s: got the error %v, want %v", name, err, c.want)
		}
		if err := codec.CheckGroup(g); !errors.Is(err, c.want) {
			t.Errorf("%s: the check answers %v, want %v", name, err, c.want)
		}
	}
	if _, err := codec.EncodeRing("../x", ring(t)); !errors.Is(err, group.ErrInvalid) {
		t.Errorf("a ring of an unsafe id: got %v", err)
	}
}
