package jwe

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"

	"embedseal/domain/charset"
	"embedseal/domain/strictjson"
)

const (
	// MaxHeader is the largest header that is read, in bytes of JSON.
	MaxHeader = 1 << 10

	algorithm  = "dir"
	encryption = "A256GCM"
	jwt        = "JWT"
	maxKeyID   = 128
)

// Header is what a protected header says beside its algorithms, which are
// always `dir` and `A256GCM`.
type Header struct {
	// KeyID is `kid` (RFC 7516 section 4.1.6), of the grammar of [ValidKeyID].
	KeyID string
	// Type and ContentType are `typ` and `cty`: "JWT" or absent.
	Type, ContentType string
}

var ofKeyID = charset.Of(charset.Lower + charset.Upper + charset.Digits + "-_.")

// ValidKeyID reports whether s may be a `kid`: 1 to 128 characters of
// [A-Za-z0-9._-], which no reader escapes; "." and ".." are none, because an id
// may stand in a path.
func ValidKeyID(s string) bool {
	return s != "" && len(s) <= maxKeyID && ofKeyID.HasAll(s) && s != "." && s != ".."
}

// EncodeHeader is the first segment of a token of ours: the base64url text of
// {"alg":"dir","enc":"A256GCM","kid":"…"}, and nothing else in it. The error
// is an [*Error] for a key id outside the grammar.
func EncodeHeader(keyID string) (string, error) {
	if !ValidKeyID(keyID) {
		return "", refuse(CheckKid, fmt.Sprintf("a kid has 1 to %d characters of A-Z, a-z, 0-9, '.', '_' and '-'", maxKeyID))
	}
	// The part before the key id has 36 bytes, so that its base64url text ends where
	// that of the rest begins.
	var rest [maxKeyID + len(`"}`)]byte
	var text [len(headerStart) + (len(rest)*8+5)/6]byte
	tail := append(append(rest[:0], keyID...), `"}`...)
	return string(base64.RawURLEncoding.AppendEncode(append(text[:0], headerStart...), tail)), nil
}

// headerStart is the base64url text of {"alg":"dir","enc":"A256GCM","kid":".
const headerStart = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoi"

// ParseHeader reads a protected header: strict JSON of a closed set of members
// (RFC 7516 section 4), `alg`, `enc` and `kid` required. The error is an
// [*Error].
func ParseHeader(json []byte) (Header, error) {
	if len(json) > MaxHeader {
		return Header{}, refuse(CheckHeaderSize, fmt.Sprintf("the header has %d bytes, at most %d are read", len(json), MaxHeader))
	}
	var h Header
	var alg, enc bool
	err := strictjson.Object(json, func(name string, v strictjson.Value) error {
		switch name {
		case "alg":
			alg = true
			return only(v, CheckAlg, algorithm, nil)
		case "enc":
			enc = true
			return only(v, CheckEnc, encryption, nil)
		case "typ":
			return only(v, CheckTyp, jwt, &h.Type)
		case "cty":
			return only(v, CheckCty, jwt, &h.ContentType)
		case "kid":
			kid, ok := v.Text()
			if !ok || !ValidKeyID(kid) {
				return refuse(CheckKid, fmt.Sprintf("kid must be a string of 1 to %d characters of A-Z, a-z, 0-9, '.', '_' and '-'", maxKeyID))
			}
			h.KeyID = kid
			return nil
		}
		return refuse(CheckHeaderMember, "the header has the member "+shown(name)+"; only alg, enc, kid, typ and cty may stand there")
	})
	var own *Error
	switch {
	case errors.As(err, &own):
		return Header{}, err
	case err != nil:
		return Header{}, refuse(CheckHeaderJSON, "the header is not one strict JSON object: "+err.Error())
	case !alg:
		return Header{}, refuse(CheckAlg, "the header has no alg")
	case !enc:
		return Header{}, refuse(CheckEnc, "the header has no enc")
	case h.KeyID == "":
		return Header{}, refuse(CheckKid, "the header has no kid, so nobody can say which key opens the token")
	}
	return h, nil
}

// only takes one value and no other.
func only(v strictjson.Value, check, want string, into *string) error {
	got, ok := v.Text()
	switch {
	case !ok:
		return refuse(check, fmt.Sprintf("%s is %s, must be %q", check, v.Kind(), want))
	case got != want:
		return refuse(check, fmt.Sprintf("%s is %s, must be %q", check, shown(got), want))
	case into != nil:
		*into = got
	}
	return nil
}

// shown quotes a short piece of a stranger's text.
func shown(s string) string {
	const most = 24
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "…"
	}
	return strconv.QuoteToASCII(s)
}
