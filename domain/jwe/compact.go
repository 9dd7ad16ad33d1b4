package jwe

import (
	"encoding/base64"
	"fmt"
)

const (
	// MaxCompact is the longest token that is looked at, in bytes.
	MaxCompact = 16 << 10

	// shortIV is what RFC 7518 section 5.3 demands; longIV is what python-jose
	// up to 3.3.0 writes instead.
	shortIV = 12
	longIV  = 16
	tagSize = 16

	segments = 5
)

// Compact is a token that passed every check of its text. The zero value is
// none.
type Compact struct {
	text, encodedHeader string
	header              Header
	// bytes holds IV, ciphertext and tag, one after the other.
	bytes  []byte
	ivSize int
}

// ParseCompact takes the text of a token apart (RFC 7516 section 7.1). A token
// has exactly one spelling here: what does not re-encode to itself is refused,
// so that the text can name the token. The error is an [*Error].
func ParseCompact(text string) (Compact, error) {
	if len(text) > MaxCompact {
		return Compact{}, refuse(CheckLength, fmt.Sprintf("the token has %d bytes, at most %d are read", len(text), MaxCompact))
	}
	parts, err := split(text)
	if err != nil {
		return Compact{}, err
	}
	if parts[1] != "" {
		return Compact{}, refuse(CheckEncryptedKey, "the second segment must be empty: with alg=dir there is no encrypted key")
	}
	header, err := decode(nil, "header", parts[0])
	if err != nil {
		return Compact{}, err
	}
	c := Compact{text: text, encodedHeader: parts[0]}
	if c.header, err = ParseHeader(header); err != nil {
		return Compact{}, err
	}
	c.bytes = make([]byte, 0, base64.RawURLEncoding.DecodedLen(len(parts[2])+len(parts[3])+len(parts[4]))+2)
	if c.bytes, err = decode(c.bytes, "IV", parts[2]); err != nil {
		return Compact{}, err
	}
	c.ivSize = len(c.bytes)
	if c.ivSize != shortIV && c.ivSize != longIV {
		return Compact{}, refuse(CheckIV, fmt.Sprintf("the IV has %d bytes; 12 are right, 16 are read too", c.ivSize))
	}
	if parts[3] == "" {
		return Compact{}, refuse(CheckCiphertext, "the ciphertext is empty")
	}
	if c.bytes, err = decode(c.bytes, "ciphertext", parts[3]); err != nil {
		return Compact{}, err
	}
	before := len(c.bytes)
	if c.bytes, err = decode(c.bytes, "tag", parts[4]); err != nil {
		return Compact{}, err
	}
	if got := len(c.bytes) - before; got != tagSize {
		return Compact{}, refuse(CheckTag, fmt.Sprintf("the tag has %d bytes, must have %d", got, tagSize))
	}
	return c, nil
}

// split cuts the text at its dots and looks at every byte once.
func split(text string) ([segments]string, error) {
	var parts [segments]string
	n, start := 0, 0
	for i := range len(text) {
		switch c := text[i]; {
		case c == '.':
			if n == segments-1 {
				return parts, refuse(CheckSegments, fmt.Sprintf("the token has more than %d segments", segments))
			}
			parts[n] = text[start:i]
			n, start = n+1, i+1
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return parts, refuse(CheckAlphabet, fmt.Sprintf("byte %d is not of the base64url alphabet (no padding, spaces or line ends)", i))
		}
	}
	if n != segments-1 {
		return parts, refuse(CheckSegments, fmt.Sprintf("the token has %d segments, must have %d", n+1, segments))
	}
	parts[n] = text[start:]
	return parts, nil
}

// decode appends the bytes of a segment to dst. Strict decoding refuses set
// bits that no byte holds, and so every second spelling of the same bytes.
func decode(dst []byte, name, segment string) ([]byte, error) {
	if len(segment)%4 == 1 {
		return nil, refuse(CheckRespelled, "the "+name+" is cut off: its base64url text has an impossible length")
	}
	out, err := base64.RawURLEncoding.Strict().AppendDecode(dst, []byte(segment))
	if err != nil {
		return nil, refuse(CheckRespelled, "the "+name+" is not the base64url text of its own bytes: its last character has unused bits set")
	}
	return out, nil
}

// Header is the protected header.
func (c Compact) Header() Header { return c.header }

// Text is the token as it was given, which is its one spelling.
func (c Compact) Text() string { return c.text }

// EncodedHeader is the first segment. Its ASCII bytes are the associated data
// (RFC 7516 section 5.1, step 14).
func (c Compact) EncodedHeader() string { return c.encodedHeader }

// IV is 12 or 16 bytes. It is not to be changed; nor are the other parts.
func (c Compact) IV() []byte { return c.bytes[:c.ivSize:c.ivSize] }

// IsLongIV reports whether the IV has 16 bytes.
func (c Compact) IsLongIV() bool { return c.ivSize == longIV }

// Ciphertext is at least one byte.
func (c Compact) Ciphertext() []byte {
	end := max(len(c.bytes)-tagSize, c.ivSize)
	return c.bytes[c.ivSize:end:end]
}

// Tag is 16 bytes; nothing of the zero Compact.
func (c Compact) Tag() []byte { return c.bytes[max(len(c.bytes)-tagSize, 0):] }

// Sealed is ciphertext and tag, one after the other, as cipher.AEAD wants them.
func (c Compact) Sealed() []byte { return c.bytes[c.ivSize:] }

// AppendCompact writes a token from its parts: encodedHeader is what
// [EncodeHeader] gives.
func AppendCompact(dst []byte, encodedHeader string, iv, ciphertext, tag []byte) []byte {
	dst = append(append(dst, encodedHeader...), '.', '.')
	dst = base64.RawURLEncoding.AppendEncode(dst, iv)
	dst = base64.RawURLEncoding.AppendEncode(append(dst, '.'), ciphertext)
	return base64.RawURLEncoding.AppendEncode(append(dst, '.'), tag)
}
