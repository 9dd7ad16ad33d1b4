package apitoken_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"embedseal/domain/apitoken"
)

func networks(t interface{ Fatal(...any) }, texts ...string) []netip.Prefix {
	parsed, err := apitoken.ParseNetworks(texts...)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestNetworksAreReadInTheirNotation(t *testing.T) {
	for _, tt := range []struct{ texts, want []string }{
		{nil, nil},
		{[]string{"10.0.0.0/8", "2001:db8::/32"}, []string{"10.0.0.0/8", "2001:db8::/32"}},
		{[]string{"192.0.2.7", "::1"}, []string{"192.0.2.7/32", "::1/128"}},
		{[]string{"0.0.0.0/0", "::/0"}, []string{"0.0.0.0/0", "::/0"}},
		{[]string{"10.0.0.0/8", "10.0.0.0/8", "10.0.0.0/9"}, []string{"10.0.0.0/8", "10.0.0.0/9"}},
		{[]string{"2001:0DB8::/32"}, []string{"2001:db8::/32"}},
	} {
		parsed, err := apitoken.ParseNetworks(tt.texts...)
		var got []string
		for _, n := range parsed {
			got = append(got, n.String())
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%q: error %v, networks (-want +got):\n%s", tt.texts, err, diff)
		}
	}
}

func TestNoOtherNetworkIsRead(t *testing.T) {
	for _, text := range []string{
		"", " ", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0/8", "10.0.0.0/", "/8", "10.0.0.0/8/8", "10.0.0.0 /8",
		"010.0.0.0/8", "0x0a.0.0.0/8", "167772160/8", "2001:db8::1/32", "fe80::1%eth0", "fe80::%eth0/64", "::ffff:10.0.0.0/104", "::ffff:192.0.2.7",
		"localhost", "*", "any", "10.0.0.0/8\x00", "１０.0.0.0/8", "hunter2", strings.Repeat("1", 1<<16), strings.Repeat("hunter2", 20),
	} {
		got, err := apitoken.ParseNetworks("192.0.2.0/24", text)
		if !errors.Is(err, apitoken.ErrInvalid) || got != nil {
			t.Errorf("%.40q: got %v and %v, want none and %v", text, got, err, apitoken.ErrInvalid)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter") || !strings.Contains(err.Error(), "number 2")) {
			t.Errorf("%.40q: the error repeats it, or does not say which one: %.200v", text, err)
		}
	}
	many := make([]string, apitoken.MaxNetworks+1)
	for i := range many {
		many[i] = "10.0.0.0/8"
	}
	if _, err := apitoken.ParseNetworks(many...); !errors.Is(err, apitoken.ErrInvalid) {
		t.Errorf("%d networks: got %v", len(many), err)
	}
	if _, err := apitoken.ParseNetworks(many[1:]...); err != nil {
		t.Errorf("%d networks: %v", len(many)-1, err)
	}
}

func TestATokenIsAllowedFromItsNetworks(t *testing.T) {
	token := apitoken.Token{Networks: networks(t, "10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "fe80::/10")}
	for addr, want := range map[string]bool{
		"10.0.0.0": true, "10.255.255.255": true, "::ffff:10.1.2.3": true, "192.0.2.7": true, "2001:db8:ffff::1": true, "fe80::1%eth0": true,
		"9.255.255.255": false, "11.0.0.0": false, "192.0.2.8": false, "2001:db9::": false, "::1": false, "::10.1.2.3": false,
		"::ffff:11.0.0.0": false, "64:ff9b::10.1.2.3": false,
	} {
		if got := token.AllowsFrom(netip.MustParseAddr(addr)); got != want {
			t.Errorf("from %s: %t, want %t", addr, got, want)
		}
	}
	if token.AllowsFrom(netip.Addr{}) {
		t.Error("a token with networks is allowed from an address that nobody knows")
	}
	if anywhere := (&apitoken.Token{}); !anywhere.AllowsFrom(netip.MustParseAddr("203.0.113.1")) || !anywhere.AllowsFrom(netip.Addr{}) {
		t.Error("a token without networks is bound to some")
	}
}

func TestANetworkHoldsExactlyTheAddressesThatBeginAsItDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{4, 16}).Draw(t, "size")
		draw := func(label string) netip.Addr {
			addr, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, label))
			return addr
		}
		base, addr := draw("network"), draw("address")
		bits := rapid.IntRange(0, size*8).Draw(t, "bits")
		if base.Is4In6() || addr.Is4In6() {
			t.Skip("IPv4 written as IPv6 is another network")
		}
		if rapid.Bool().Draw(t, "near") { // chance alone is never within a long prefix
			near := base.As16()
			flip := rapid.IntRange(0, size*8-1).Draw(t, "flip")
			near[16-size+flip/8] ^= 0x80 >> (flip % 8)
			addr = netip.AddrFrom16(near)
			if size == 4 {
				addr = addr.Unmap()
			}
		}
		network, err := base.Prefix(bits)
		if err != nil {
			t.Fatal(err)
		}
		token := apitoken.Token{Networks: networks(t, network.String())}
		want := true
		for i := range bits {
			a, b := addr.AsSlice(), base.AsSlice()
			want = want && (a[i/8]^b[i/8])&(0x80>>(i%8)) == 0
		}
		if got := token.AllowsFrom(addr); got != want {
			t.Errorf("%s from %s: %t, want %t", network, addr, got, want)
		}
	})
}

func FuzzParseNetworks(f *testing.F) {
	for _, text := range []string{"10.0.0.0/8", "::/0", "::ffff:1.2.3.4/128", "fe80::1%eth0", "1.2.3.4", "10.0.0.1/8", "", "%", "1::/129"} {
		f.Add(text)
	}
	// What is read is written as one text that is read as the same, and holds its
	// own first address.
	f.Fuzz(func(t *testing.T, text string) {
		got, err := apitoken.ParseNetworks(text)
		if err != nil {
			if !errors.Is(err, apitoken.ErrInvalid) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		again := networks(t, got[0].String())
		token := apitoken.Token{Networks: got}
		if len(got) != 1 || again[0] != got[0] || got[0] != got[0].Masked() || !token.AllowsFrom(got[0].Addr()) {
			t.Fatalf("%q is %v, and read again %v", text, got, again)
		}
	})
}
