package codec_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"embedseal/adapters/internal/codec"
	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/policy"
	"embedseal/domain/replay"
	"embedseal/domain/token"
)

// fullGroupText is the document of a group of which everything was set that can
// be changed while a server runs.
const fullGroupText = `{"v":1,"id":"acme","name":"Acme","policy":{"default_lifetime":"PT24H","max_lifetime":"P30D","chart_embedding":true},` +
	`"tokens":[{"id":"t1","name":"ours","digest":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",` +
	`"scopes":["verify","read","reveal"],"created_at":"2026-02-28T23:59:59Z","expires_at":"2027-02-28T23:59:59Z",` +
	`"networks":["10.0.0.0/8","2001:db8::/32"],` +
	`"previous":"ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100","previous_until":"2026-03-07T23:59:59Z",` +
	`"last_used_at":"2026-02-28T23:00:00Z","creation":"` + createdText + `","refreshing":"` + refreshedText + `"}],` +
	`"created_at":"2026-02-28T23:59:59Z","rotate_every":"P90D","overlap":"PT12H","horizon_seconds":31622400,"creation":"` + createdText + `"}`

const (
	createdText   = "10112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	refreshedText = "20112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
)

func mark(t *testing.T, text string) replay.Mark {
	t.Helper()
	m, err := replay.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func duration(t *testing.T, text string) iso8601.Duration {
	t.Helper()
	d, err := iso8601.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func fullGroup(t *testing.T) group.Group {
	t.Helper()
	g := acme(t)
	g.RotateEvery, g.Overlap, g.Horizon = duration(t, "P90D"), duration(t, "PT12H"), 366*24*time.Hour
	g.Creation = mark(t, createdText)
	one := &g.Tokens[0]
	one.Scopes |= apitoken.Reveal
	one.Networks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for i := range one.Previous {
		one.Previous[i] = 0xff - one.Digest[i]
	}
	one.PreviousUntil, one.LastUsedAt = instant().AddDate(0, 0, 7), apitoken.HourOf(instant())
	one.Creation, one.Refreshing = mark(t, createdText), mark(t, refreshedText)
	return g
}

func sameGroup() cmp.Option {
	return cmp.Options{cmpopts.EquateComparable(iso8601.Duration{}, token.Features{}, token.Origin{}, netip.Prefix{}), cmpopts.EquateEmpty()}
}

func TestTheDocumentOfAGovernedGroupStaysAsItIs(t *testing.T) {
	want := fullGroup(t)
	doc, err := codec.EncodeGroup(want)
	if diff := cmp.Diff(fullGroupText, string(doc)); diff != "" || err != nil {
		t.Fatalf("error %v, document:\n%s", err, diff)
	}
	got, err := codec.DecodeGroup("acme", doc)
	if diff := cmp.Diff(want, got, sameGroup()); diff != "" || err != nil {
		t.Errorf("error %v, group:\n%s", err, diff)
	}
}

func TestADamagedGovernedGroupIsRefused(t *testing.T) {
	previous := fullGroupText[strings.Index(fullGroupText, `"previous":`):strings.Index(fullGroupText, `"previous_until"`)]
	for _, d := range []damage{
		{"no such horizon", "31622400", "-1"},
		{"a horizon beyond every clock", "31622400", "9223372037"},
		{"a horizon that is not whole", "31622400", "1.5"},
		{"a horizon of zero", `"horizon_seconds":31622400`, `"horizon_seconds":0`},
		{"a rotation that is none", `"P90D"`, `"90D"`},
		{"an empty rotation", `"P90D"`, `""`},
		{"a rotation spelled another way", `"P90D"`, `"P090D"`},
		{"an overlap of zero", `"PT12H"`, `"PT0S"`},
		{"a network with host bits", `10.0.0.0/8`, `10.0.0.1/8`},
		{"a network spelled another way", `2001:db8::/32`, `2001:0db8::/32`},
		{"an address for a network", `10.0.0.0/8`, `10.0.0.0`},
		{"a network that is none", `10.0.0.0/8`, `all`},
		{"no networks", `["10.0.0.0/8","2001:db8::/32"]`, `[]`},
		{"null networks", `["10.0.0.0/8","2001:db8::/32"]`, `null`},
		{"an earlier value without an end", `"previous_until":"2026-03-07T23:59:59Z",`, ``},
		{"an end without an earlier value", previous, ``},
		{"a short earlier value", `"ffeedd`, `"ffee`},
		{"an earlier value in upper case", `"ffeedd`, `"FFEEDD`},
		{"an earlier value of zeros", `ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100`, strings.Repeat("0", 64)},
		{"a last use at no time", `"2026-02-28T23:00:00Z"`, `"now"`},
		{"a mark that is none", createdText, createdText[1:]},
		{"a mark in upper case", `"refreshing":"20112233445566778899aabbccddeeff`, `"refreshing":"20112233445566778899AABBCCDDEEFF`},
		{"an empty mark", `"refreshing":"` + refreshedText, `"refreshing":"`},
		{"another order", `"overlap":"PT12H","horizon_seconds":31622400`, `"horizon_seconds":31622400,"overlap":"PT12H"`},
	} {
		t.Run(d.name, func(t *testing.T) {
			_, err := codec.DecodeGroup("acme", damaged(t, fullGroupText, d))
			wantCorrupt(t, err)
		})
	}
}

func TestAGovernedGroupThatCannotBeReadBackIsNotWritten(t *testing.T) {
	for name, change := range map[string]func(*group.Group){
		"a horizon of the past":           func(g *group.Group) { g.Horizon = -time.Second },
		"a horizon that is not whole":     func(g *group.Group) { g.Horizon = time.Second + 1 },
		"too many tokens":                 func(g *group.Group) { g.Tokens = make([]apitoken.Token, group.MaxTokens+1) },
		"a network that is none":          func(g *group.Group) { g.Tokens[0].Networks[0] = netip.Prefix{} },
		"a network with host bits":        func(g *group.Group) { g.Tokens[0].Networks[0] = netip.MustParsePrefix("10.0.0.1/8") },
		"too many networks":               func(g *group.Group) { g.Tokens[0].Networks = make([]netip.Prefix, apitoken.MaxNetworks+1) },
		"an earlier value without an end": func(g *group.Group) { g.Tokens[0].PreviousUntil = time.Time{} },
		"an end without an earlier value": func(g *group.Group) { g.Tokens[0].Previous = apitoken.Digest{} },
		"a last use in the year 10000":    func(g *group.Group) { g.Tokens[0].LastUsedAt = instant().AddDate(9000, 0, 0) },
	} {
		g := fullGroup(t)
		change(&g)
		if _, err := codec.EncodeGroup(g); !errors.Is(err, codec.ErrInvalid) {
			t.Errorf("%s: got the error %v, want %v", name, err, codec.ErrInvalid)
		}
	}
}

// governGroup sets what a running server changes.
func governGroup(t *rapid.T, g *group.Group) {
	marks := func(label string) replay.Mark {
		m, err := replay.Of(rapid.StringMatching(`[ -~]{0,20}`).Draw(t, label), "tokens", nil)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	if rapid.Bool().Draw(t, "rotates") {
		g.RotateEvery, g.Overlap = durations().Draw(t, "every"), durations().Draw(t, "overlap")
	}
	g.Horizon = time.Duration(rapid.Int64Range(0, 9223372036).Draw(t, "horizon")) * time.Second
	g.Creation = marks("creation of the group")
	for i := range g.Tokens {
		one := &g.Tokens[i]
		one.Scopes = apitoken.Scopes(rapid.Uint8Range(0, uint8(apitoken.All)).Draw(t, "all scopes"))
		one.LastUsedAt, one.Creation, one.Refreshing = times().Draw(t, "used"), marks("creation"), marks("refreshing")
		for range rapid.IntRange(0, 3).Draw(t, "networks") {
			size := rapid.SampledFrom([]int{4, 16}).Draw(t, "size")
			addr, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "address"))
			network, err := addr.Prefix(rapid.IntRange(0, 8*size).Draw(t, "bits"))
			if err != nil {
				t.Fatal(err)
			}
			one.Networks = append(one.Networks, network)
		}
		if rapid.Bool().Draw(t, "refreshed") {
			copy(one.Previous[:], rapid.SliceOfN(rapid.ByteMin(1), len(one.Previous), len(one.Previous)).Draw(t, "previous"))
			one.PreviousUntil = time.Unix(rapid.Int64Range(0, 253402300799).Draw(t, "until"), 0).UTC()
		}
	}
}

// The id that somebody asks with may be a part of a whole request, which must not be kept
// with each group that was ever asked for.
func TestAGroupThatWasReadKeepsNothingOfTheQuestion(t *testing.T) {
	doc, err := codec.EncodeGroup(group.Group{ID: "acme", Name: "Acme", Policy: policy.Default()})
	if err != nil {
		t.Fatal(err)
	}
	request := strings.Clone("Explo-Authorization: Token of acme")
	asked := request[len(request)-len("acme"):]
	g, err := codec.DecodeGroup(group.ID(asked), doc)
	if err != nil {
		t.Fatal(err)
	}
	if unsafe.StringData(string(g.ID)) == unsafe.StringData(asked) {
		t.Error("its id is a part of the request")
	}
}
