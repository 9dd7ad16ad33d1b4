package token_test

import (
	"errors"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"embedseal/domain/token"
)

// originForm is stricter than what any text could be that is not an origin.
var originForm = regexp.MustCompile(`^https?://(\[[0-9a-f:]{2,39}\]|[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*)(:[1-9][0-9]{0,4})?/$`)

func acceptedOrigins() [][2]string {
	label63 := strings.Repeat("a", 63)
	host253 := strings.Join([]string{label63, label63, label63, strings.Repeat("b", 61)}, ".")
	return [][2]string{
		{"https://your-domain.com/", "https://your-domain.com/"},
		{"https://your-domain.com", "https://your-domain.com/"},
		{"HTTPS://Your-Domain.COM", "https://your-domain.com/"},
		{"http://example.com", "http://example.com/"},
		{"http://example.com:80", "http://example.com/"},
		{"https://example.com:443/", "https://example.com/"},
		{"http://example.com:443", "http://example.com:443/"},
		{"https://example.com:80", "https://example.com:80/"},
		{"https://example.com:8443/", "https://example.com:8443/"},
		{"https://example.com:1", "https://example.com:1/"},
		{"https://example.com:65535", "https://example.com:65535/"},
		{"http://localhost:3000", "http://localhost:3000/"},
		{"http://localhost", "http://localhost/"},
		{"https://a", "https://a/"},
		{"https://9gag.com", "https://9gag.com/"},
		{"https://1.example", "https://1.example/"},
		{"https://example.1com", "https://example.1com/"},
		{"https://0x.example", "https://0x.example/"},
		{"https://example.0xg", "https://example.0xg/"},
		{"https://qa--site.example", "https://qa--site.example/"},
		{"https://r3---sn-a.example", "https://r3---sn-a.example/"},
		{"https://a.b.c.d.e.f.g", "https://a.b.c.d.e.f.g/"},
		{"https://" + label63 + ".com", "https://" + label63 + ".com/"},
		{"https://" + host253, "https://" + host253 + "/"},

		{"https://bücher.de", "https://xn--bcher-kva.de/"},
		{"https://BÜCHER.de:443/", "https://xn--bcher-kva.de/"},
		{"https://xn--bcher-kva.de", "https://xn--bcher-kva.de/"},
		{"https://XN--BCHER-KVA.de", "https://xn--bcher-kva.de/"},
		{"https://faß.de", "https://xn--fa-hia.de/"},
		{"https://例え。jp", "https://xn--r8jz45g.jp/"},
		{"https://пример.рф:8080", "https://xn--e1afmkfd.xn--p1ai:8080/"},
		{"https://☃.net", "https://xn--n3h.net/"},
		{"https://ＥＸＡＭＰＬＥ.com", "https://example.com/"},
		{"https://bu\u0308cher.de", "https://xn--bcher-kva.de/"},
		{"https://a。b．c｡de", "https://a.b.c.de/"},
		{"https://مثال.إختبار", "https://xn--mgbh0fb.xn--kgbechtv/"},

		{"http://127.0.0.1", "http://127.0.0.1/"},
		{"http://127.0.0.1:8080/", "http://127.0.0.1:8080/"},
		{"http://255.255.255.255", "http://255.255.255.255/"},
		{"http://0.0.0.0", "http://0.0.0.0/"},
		{"http://１２７.0.0.1", "http://127.0.0.1/"},
		{"http://[::1]", "http://[::1]/"},
		{"http://[::1]:80", "http://[::1]/"},
		{"http://[::1]:3000/", "http://[::1]:3000/"},
		{"http://[::]", "http://[::]/"},
		{"http://[2001:DB8:0:0:0:0:0:1]", "http://[2001:db8::1]/"},
		{"http://[2001:0db8:0000:0000:0001:0000:0000:0001]", "http://[2001:db8::1:0:0:1]/"},
		{"http://[1:0:0:2:0:0:0:3]", "http://[1:0:0:2::3]/"},
		{"http://[1:2:3:0:5:6:7:8]", "http://[1:2:3:0:5:6:7:8]/"},
		{"http://[::ffff:1.2.3.4]", "http://[::ffff:102:304]/"},
		{"http://[::ffff:102:304]", "http://[::ffff:102:304]/"},
		{"http://[::ffff:0.0.0.0]", "http://[::ffff:0:0]/"},
		{"http://[::1.2.3.4]", "http://[::102:304]/"},
		{"http://[64:ff9b::192.0.2.33]", "http://[64:ff9b::c000:221]/"},
	}
}

func refusedOrigins() []string {
	label64 := strings.Repeat("a", 64)
	host254 := strings.Repeat("abcdefg.", 31) + "abcdef"
	return []string{
		"", " ", "/", "//", "null", "NULL", "*", "https", "https:", "https:/", "https://", "https:///", "http://:80",
		"example.com", "//example.com", "https:example.com", "https:/example.com", "https:///example.com", "://example.com",
		"ftp://example.com", "file:///etc/passwd", "javascript://example.com", "data://x", "ws://example.com",
		"chrome-extension://abcdef", "blob:https://example.com", "https+x://example.com", "httpſ://example.com",
		" https://example.com", "https ://example.com", "http\u200b://example.com",

		"https://example.com//", "https://example.com/a", "https://example.com/a/", "https://example.com/.", "https://example.com/;",
		"https://example.com?", "https://example.com/?", "https://example.com?a=b", "https://example.com#", "https://example.com/#",
		"https://example.com#a", "https://example.com:443/?#", "https://example.com&x",

		"https://@example.com", "https://user@example.com", "https://user:secret@example.com", "https://:@example.com",
		"https://example.com@evil.example", "https://example.com:443@evil.example", "https://example.com\\@evil.example",
		"https://example.com\\.evil.example", "https:\\\\example.com", "https://example.com\\", "https:/\\example.com",

		"https://*.example.com", "https://*", "https://example.*", "https://example.com:*", "https://ex＊mple.com",

		"https://example.com ", "https://exa mple.com", "https://example.com\n", "https://example.com/\n", "https://example\t.com",
		"https://example.com\r\nSet-Cookie: a=b", "https://example.com\x00", "https://exam\x7fple.com", "https://example.com\u00a0",
		"https://example.com\u2028", "https://exa\u3000mple.com", "https://example.com\u0085",

		"https://example%2ecom", "https://%65xample.com", "https://example.com%00", "https://example.com%", "https://ex％41mple.com",

		"https://example.com:", "https://example.com:/", "https://example.com:0", "https://example.com:00", "https://example.com:0443",
		"https://example.com:080", "https://example.com:65536", "https://example.com:99999", "https://example.com:+443",
		"https://example.com:-1", "https://example.com:4 43", "https://example.com:0x1bb", "https://example.com:1e3",
		"https://example.com:443:443", "https://example.com::443", "https://example.com:18446744073709551617",
		"https://example.com:４４３", "https://example.com:https", "https://example.com:44_3", "https://example.com:443.",

		"https://.", "https://..", "https://.example.com", "https://example..com", "https://example.com.", "https://example.com./",
		"https://example.com.:443", "https://bücher.de.", "https://例え.jp。", "https://localhost.", "https://127.0.0.1.",
		"https://-example.com", "https://example-.com", "https://example.-com", "https://-", "https://my_app.example",
		"https://" + label64 + ".com", "https://" + host254, "https://" + strings.Repeat("ü", 60) + ".de",
		"https://a!b.com", "https://a'b.com", "https://a\"b.com", "https://a<b>.com", "https://a|b.com", "https://a^b.com",
		"https://a,b.com", "https://a;b.com", "https://a$b.com", "https://a(b).com", "https://a{b}.com", "https://a`b.com",
		"https://a~b.com", "https://a=b.com", "https://a+b.com", "https://a.com,https://b.com", "https://a.com https://b.com",

		"https://xn--", "https://xn--a", "https://xn--abc-.com", "https://xn--bcher-kva-.de", "https://xn--\u00fc.de", "https://xn--例xn--fa-hia.com", "https://a.xn--ςı-.com", "https://ｘn--ςı-.com", "https://x\u00adn-\u200b-ςı-.com",
		"https://xn－－ςı-.com", "https://a。xn--ب-.com", "https://a\u2024b.com", "https://a.xn--0.com",
		"https://xn--a-0hc.com", "https://\u200b", "https://\u00ad", "https://ab\u202ecd.com", "https://\u0300a.com", "https://\ufffd.com",
		"https://\xff.com", "https://exa\xc0\xafmple.com", "https://א1.1ב", "https://a\u2024\u2024b.com", "https://a／b.com", "https://a＠b.com",
		"https://a：80.com", "https://a？b.com", "https://a＃b.com", "https://a℀b.com",

		"http://0x7f.1", "http://127.1", "http://2130706433", "http://01.2.3.4", "http://1.2.3.04", "http://0x7f.0.0.1", "http://0x7f000001",
		"http://1.2.3", "http://1.2.3.4.5", "http://1.2.3.256", "http://256.1.1.1", "http://1.2.3.4.", "http://1.2.3.0x4", "http://0",
		"http://0x", "http://example.0x", "http://example.0X1F", "http://example.7", "http://example.08", "http://1.2.3.-4", "http://٠.٠.٠.٠",
		"http://127.0.0.1.5", "http://１２７.1", "http://1..2.3", "http://00.0.0.0", "http://0300.0250.0.1",

		"http://[", "http://]", "http://[]", "http://[::1", "http://::1", "http://::1]", "http://[::1]]", "http://[[::1]]", "http://[::1]x",
		"http://[::1]:", "http://[::1]:0", "http://[::1]:080", "http://[::1]3000", "http://[::1]:80:80", "http://[fe80::1%eth0]",
		"http://[fe80::1%25eth0]", "http://[127.0.0.1]", "http://[example.com]", "http://[v1.fe80]", "http://[1:2:3:4:5:6:7]",
		"http://[1:2:3:4:5:6:7:8:9]", "http://[1::2::3]", "http://[:::]", "http://[g::1]", "http://[12345::]", "http://[::00001]",
		"http://[::1.2.3]", "http://[::1.2.3.04]", "http://[::1.2.3.256]", "http://[::1].example.com", "http://a[::1]", "http://[::１]",
		"http://[::1]:443]:80",

		"https://" + strings.Repeat("a.", 300) + "com", strings.Repeat("https://example.com/", 1<<12),
	}
}

func TestParseOriginGivesWhatABrowserSendsAndASlash(t *testing.T) {
	for _, pair := range acceptedOrigins() {
		t.Run(pair[0], func(t *testing.T) {
			o, err := token.ParseOrigin(pair[0])
			if err != nil {
				t.Fatal(err)
			}
			if o.String() != pair[1] || o.IsZero() {
				t.Errorf("ParseOrigin(%q) = %q, want %q", pair[0], o, pair[1])
			}
			wellFormedOrigin(t, o)
		})
	}
}

func TestParseOriginRefusesWhateverIsMoreOrLessThanAnOrigin(t *testing.T) {
	for _, text := range refusedOrigins() {
		t.Run(text[:min(len(text), 60)], func(t *testing.T) {
			o, err := token.ParseOrigin(text)
			if !errors.Is(err, token.ErrOrigin) {
				t.Fatalf("ParseOrigin(%q) = %q, %v, want %v", text, o, err, token.ErrOrigin)
			}
			if !o.IsZero() {
				t.Errorf("a refused text still answers %q", o)
			}
		})
	}
}

func TestAnOriginErrorSaysWhy(t *testing.T) {
	for text, why := range map[string]string{
		"":                                      "empty",
		"null":                                  "null",
		strings.Repeat("a", 513):                "longer than 512 bytes",
		"https://\xff":                          "UTF-8",
		"https://a b":                           "space",
		"https://a\u3000b":                      "space",
		"https://a\x00b":                        "control",
		"https://a\u0085":                       "control",
		"example.com":                           "scheme://host",
		"ftp://a":                               "scheme is not",
		"https://a/b":                           "path",
		"https://a?":                            "query",
		"https://a#":                            "fragment",
		"https://@a":                            "user name",
		"https://*.a":                           "wildcard",
		"https://%61":                           "percent-encoding",
		"http://[fe80::1%eth0]":                 "zone",
		"https://a\\":                           "backslash",
		"https://a:0":                           "port",
		"https://a:65536":                       "65535",
		"https://":                              "no host",
		"https://a.":                            "ends in a dot",
		"https://a..b":                          "empty label",
		"https://-a":                            "hyphen",
		"https://a_b":                           "not a letter",
		"https://xn--a":                         "internationalised",
		"https://127.1":                         "four plain decimal numbers",
		"https://[1]":                           "IPv6",
		"https://" + strings.Repeat("a", 64):    "63 bytes",
		"https://a" + strings.Repeat(".a", 127): "253 bytes",
	} {
		if _, err := token.ParseOrigin(text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("ParseOrigin(%q) says %v, want %q in it", text, err, why)
		}
	}
}

func TestTheZeroOriginIsNone(t *testing.T) {
	var none token.Origin
	if !none.IsZero() || none.String() != "" {
		t.Errorf("IsZero = %t, String = %q", none.IsZero(), none)
	}
}

func TestAnOriginErrorRepeatsNothingOfTheText(t *testing.T) {
	for _, text := range []string{"https://user:hunter2@example.com", "hunter2://a", "https://hunter2\n", "https://hunter2_", "https://a:hunter2"} {
		_, err := token.ParseOrigin(text)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("ParseOrigin(%q) says %v", text, err)
		}
	}
}

func TestSpellingsOfOneOriginAreEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scheme := rapid.SampledFrom([]string{"http", "https"}).Draw(t, "scheme")
		host := rapid.StringMatching(`[a-z][a-z0-9]{0,20}(\.[a-z0-9]{1,20}){0,3}\.[a-z]{2,10}`).Draw(t, "host")
		port := rapid.SampledFrom([]string{"", ":80", ":443", ":8080"}).Draw(t, "port")
		plain, err := token.ParseOrigin(scheme + "://" + host + port)
		if err != nil {
			t.Fatal(err)
		}
		upper := []byte(scheme + "://" + host + port)
		for i, c := range upper {
			if 'a' <= c && c <= 'z' && rapid.Bool().Draw(t, "upper") {
				upper[i] = c - 'a' + 'A'
			}
		}
		spelled, err := token.ParseOrigin(string(upper) + rapid.SampledFrom([]string{"", "/"}).Draw(t, "slash"))
		if err != nil || spelled != plain {
			t.Errorf("%s is %q, %v, want %q", upper, spelled, err, plain)
		}
		other, err := token.ParseOrigin(scheme + "://x" + host + port)
		if err != nil || other == plain {
			t.Errorf("another host is %q, %v", other, err)
		}
	})
}

func FuzzParseOrigin(f *testing.F) {
	for _, pair := range acceptedOrigins() {
		f.Add(pair[0])
	}
	for _, text := range refusedOrigins() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := token.ParseOrigin(text)
		if err != nil {
			if !errors.Is(err, token.ErrOrigin) || !o.IsZero() {
				t.Fatalf("ParseOrigin(%q) = %q, %v", text, o, err)
			}
			return
		}
		wellFormedOrigin(t, o)
	})
}

// wellFormedOrigin checks a normal form against itself, a strict expression and
// the URL parser of the standard library.
func wellFormedOrigin(t *testing.T, o token.Origin) {
	t.Helper()
	text := o.String()
	if again, err := token.ParseOrigin(text); err != nil || again != o {
		t.Fatalf("%q is read back as %q, %v", text, again, err)
	}
	if !originForm.MatchString(text) {
		t.Fatalf("%q has not the form of an origin", text)
	}
	u, err := url.Parse(text)
	if err != nil {
		t.Fatalf("net/url refuses %q: %v", text, err)
	}
	if u.Scheme+"://"+u.Host+"/" != text || u.Path != "/" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		t.Fatalf("net/url reads %q as %#v", text, u)
	}
	if port := u.Port(); (u.Scheme == "http" && port == "80") || (u.Scheme == "https" && port == "443") {
		t.Fatalf("%q keeps its default port", text)
	}
	for label := range strings.SplitSeq(u.Hostname(), ".") {
		if len(label) > 63 || len(u.Hostname()) > 253 {
			t.Fatalf("%q is too long for DNS", text)
		}
	}
}

func BenchmarkParseOrigin(b *testing.B) {
	for _, text := range []string{"https://your-domain.com/", "https://bücher.de", "http://[::1]:3000"} {
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := token.ParseOrigin(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
