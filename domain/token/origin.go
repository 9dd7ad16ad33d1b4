package token

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"embedseal/domain/charset"
)

// MaxOrigin is the length of the longest text that [ParseOrigin] looks at, in
// bytes.
const MaxOrigin = 512

const (
	maxHost  = 253 // RFC 1035, section 2.3.4, less the root label
	maxLabel = 63  // RFC 1035, section 2.3.4
	maxPort  = 65535
)

// ErrOrigin says that a text is not the origin of a web page. The error that
// wraps it says why in words and repeats nothing of the text, which may hold a
// password.
var ErrOrigin = errors.New("not a web origin")

// Origin is the scheme, host and port of the pages in which a token may be
// used: the tuple origin of RFC 6454, section 4, for http and https alone. The
// zero value is no origin, and binds a token to none. Origins that a browser
// holds to be the same are equal under ==.
type Origin struct{ text string }

// ParseOrigin reads "scheme://host", with an optional ":port" and an optional
// "/" at the end, of at most [MaxOrigin] bytes.
//
// Scheme and host are taken to lower case, a name in other scripts to punycode
// (UTS 46, non-transitional, as browsers do), an IPv6 address to its shortest
// form, and the port that the scheme implies is dropped. What is left is what a
// browser sends as Origin for a page there, and a "/".
//
// Anything more fails with [ErrOrigin], even where it is empty: a path, query,
// fragment or user, a wildcard, percent-encoding, a backslash, white space, the
// opaque origin "null", a port that is not 1 to 65535 in plain decimal, an IPv4
// address that is not four plain decimal numbers, an IPv6 address with a zone,
// a label of no or more than 63 bytes, a host of more than 253. So does a host
// that ends in a dot: browsers hold it to be another host than the one without.
// Names of ASCII characters follow RFC 1123, section 2.1: letters, digits and
// inner hyphens, no underscore.
func ParseOrigin(s string) (Origin, error) {
	if why := checkText(s); why != "" {
		return Origin{}, refuseOrigin(why)
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return Origin{}, refuseOrigin("it is not scheme://host")
	}
	scheme = strings.ToLower(scheme)
	if scheme != "http" && scheme != "https" {
		return Origin{}, refuseOrigin("its scheme is not http or https")
	}
	rest = strings.TrimSuffix(rest, "/")
	if i := strings.IndexAny(rest, `/?#@\%*`); i >= 0 {
		return Origin{}, refuseOrigin(foreignPart(rest[i]))
	}
	host, port := splitPort(rest)
	host, why := canonicalHost(host)
	if why != "" {
		return Origin{}, refuseOrigin(why)
	}
	port, why = canonicalPort(scheme, port)
	if why != "" {
		return Origin{}, refuseOrigin(why)
	}
	return Origin{text: scheme + "://" + host + port + "/"}, nil
}

// String is the normal form, always with a "/" at its end, or the empty text
// for the zero value. ParseOrigin(o.String()) gives o again.
func (o Origin) String() string { return o.text }

// IsZero reports whether o is no origin at all.
func (o Origin) IsZero() bool { return o.text == "" }

func refuseOrigin(why string) error { return fmt.Errorf("%w: %s", ErrOrigin, why) }

// checkText refuses what no part of an origin may hold.
func checkText(s string) (why string) {
	switch {
	case s == "":
		return "it is empty"
	case len(s) > MaxOrigin:
		return "it is longer than " + strconv.Itoa(MaxOrigin) + " bytes"
	case s == "null":
		return "null is the origin of no page in particular"
	case !utf8.ValidString(s):
		return "it is not valid UTF-8"
	}
	for _, r := range s {
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			return "it has a space or a control character in it"
		}
	}
	return ""
}

// foreignPart names what begins with a character that no origin has.
func foreignPart(c byte) (why string) {
	switch c {
	case '/':
		return "it has a path"
	case '?':
		return "it has a query"
	case '#':
		return "it has a fragment"
	case '@':
		return "it has a user name"
	case '*':
		return "it has a wildcard"
	case '%':
		return "it has percent-encoding or a zone in its host"
	default:
		return "it has a backslash"
	}
}

// splitPort cuts before the colon of the port, which an IPv6 address has only
// behind its bracket; the port keeps its colon, so that an empty one is seen.
func splitPort(s string) (host, port string) {
	from := strings.IndexByte(s, ']') + 1
	if i := strings.IndexByte(s[from:], ':'); i >= 0 {
		return s[:from+i], s[from+i:]
	}
	return s, ""
}

// canonicalPort is ":" and the port, or nothing where the scheme implies it.
func canonicalPort(scheme, port string) (canonical, why string) {
	if port == "" {
		return "", ""
	}
	n, err := strconv.ParseUint(port[1:], 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != port[1:] {
		return "", "its port is not a plain number from 1 to " + strconv.Itoa(maxPort)
	}
	if (scheme == "http" && n == 80) || (scheme == "https" && n == 443) {
		return "", ""
	}
	return port, ""
}

// canonicalHost is a name in lower-case ASCII, or an address.
func canonicalHost(host string) (canonical, why string) {
	if strings.ContainsAny(host, "[]") {
		return canonicalIPv6(host)
	}
	host, why = asciiName(host)
	if why != "" {
		return "", why
	}
	switch {
	case host == "":
		return "", "it has no host"
	case len(host) > maxHost:
		return "", "its host is longer than " + strconv.Itoa(maxHost) + " bytes"
	case strings.HasSuffix(host, "."):
		return "", "its host ends in a dot, which makes it another host than the one without"
	}
	last := ""
	for last = range strings.SplitSeq(host, ".") {
		if why := checkLabel(last); why != "" {
			return "", why
		}
	}
	if isNumber(last) {
		// Browsers read every such host as an IPv4 address, in octal or
		// hexadecimal and with parts left out: https://url.spec.whatwg.org/#ends-in-a-number-checker
		if addr, err := netip.ParseAddr(host); err != nil || addr.String() != host {
			return "", "its host ends in a number but is not four plain decimal numbers from 0 to 255"
		}
	}
	return host, ""
}

// asciiName takes a name to lower-case ASCII. Only names that need it go
// through IDNA: its rule against "--" in third place would refuse hosts such as
// qa--site.example, which exist and mean themselves.
func asciiName(host string) (name, why string) {
	lower := strings.ToLower(host)
	if isASCII(host) && !hasPunycode(lower) {
		return lower, ""
	}
	const notIDN = "its host is not a valid internationalised name"
	name, err := idna.Lookup.ToASCII(host)
	if err != nil {
		return "", notIDN
	}
	if again, err := idna.Lookup.ToASCII(name); err != nil || again != name || hidesPunycode(host) {
		return "", notIDN
	}
	return name, ""
}

// hidesPunycode reports whether a label of host that is not ASCII turns out to
// begin with the prefix of punycode. Browsers refuse it; package idna decodes
// it, to another name.
func hidesPunycode(host string) bool {
	dotted := strings.NewReplacer("\u3002", ".", "\uff0e", ".", "\uff61", ".").Replace(host)
	for label := range strings.SplitSeq(dotted, ".") {
		if isASCII(label) {
			continue
		}
		// Behind another letter the label is mapped but not decoded; that it
		// may be invalid there, by its direction, does not matter.
		if mapped, _ := idna.Lookup.ToUnicode("a" + label); strings.HasPrefix(mapped, "axn--") {
			return true
		}
	}
	return false
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func hasPunycode(name string) bool {
	return strings.HasPrefix(name, "xn--") || strings.Contains(name, ".xn--")
}

var ofLabel = charset.Of(charset.Lower + charset.Digits + "-")

func checkLabel(label string) (why string) {
	switch {
	case label == "":
		return "its host has an empty label"
	case len(label) > maxLabel:
		return "its host has a label longer than " + strconv.Itoa(maxLabel) + " bytes"
	case label[0] == '-' || label[len(label)-1] == '-':
		return "its host has a label that begins or ends with a hyphen"
	}
	if !ofLabel.HasAll(label) {
		return "its host has a character that is not a letter, a digit, a hyphen or a dot"
	}
	return ""
}

// isNumber reports whether browsers read a label as a number: decimal or octal
// digits, or 0x and hexadecimal ones, even none.
func isNumber(label string) bool {
	if digits, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

// canonicalIPv6 reads an address in brackets and writes it as browsers do.
func canonicalIPv6(host string) (canonical, why string) {
	inner, opened := strings.CutPrefix(host, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	addr, err := netip.ParseAddr(inner)
	if !opened || !closed || err != nil || !addr.Is6() {
		return "", "its host is not an IPv6 address in brackets"
	}
	if addr.Is4In6() {
		// netip ends these in dotted decimal (RFC 5952, section 5); browsers
		// write hexadecimal: https://url.spec.whatwg.org/#concept-ipv6-serializer
		b := addr.As16()
		high, low := uint64(b[12])<<8|uint64(b[13]), uint64(b[14])<<8|uint64(b[15])
		return "[::ffff:" + strconv.FormatUint(high, 16) + ":" + strconv.FormatUint(low, 16) + "]", ""
	}
	return "[" + addr.String() + "]", ""
}
