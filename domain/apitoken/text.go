// Package apitoken answers: is this the text of an API token, of which group,
// and what may its bearer do?
package apitoken

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"strings"

	"embedseal/domain/charset"
	"embedseal/domain/secret"
)

// The parts of a token's text: `ems_<group>_<30 base62><6-character checksum>`.
const (
	prefix      = "ems_"
	randomChars = 30
	checkChars  = 6
	maxGroup    = 40
	maxText     = len(prefix) + maxGroup + 1 + randomChars + checkChars
	alphabet    = charset.Digits + charset.Upper + charset.Lower
	// Entropy is how many random bytes [New] wants; they give the 30 characters
	// 178 bits, with a bias below 2^-77.
	Entropy = 32
)

// ErrMalformed is returned for a text that no API token has. It says no more,
// because the text may be a secret that was pasted into the wrong place.
var ErrMalformed = errors.New("malformed API token")

// Digest is the SHA-256 of a token's whole text: all that a store keeps of it.
type Digest [sha256.Size]byte

// Equal compares in constant time.
func (d Digest) Equal(other Digest) bool { return d.equal(&other) }

// equal looks at every byte whatever the others are, as crypto/subtle does, in
// four words: a request is compared with all digests of its group, which may be
// two thousand.
func (d *Digest) equal(other *Digest) bool {
	return (d.word(0)^other.word(0))|(d.word(8)^other.word(8))|(d.word(16)^other.word(16))|(d.word(24)^other.word(24)) == 0
}

func (d *Digest) word(at int) uint64 { return binary.LittleEndian.Uint64(d[at : at+8]) }

// DigestOf is what is stored in place of text.
func DigestOf(text secret.Text) Digest { return sha256.Sum256([]byte(text.Reveal())) }

// New makes the token of group that the random bytes stand for. group must be
// a valid group id: it has no underscore, so the text splits in one way only.
func New(group string, random [Entropy]byte) secret.Text {
	body := prefix + group + "_" + base62(random)
	check := checksum([]byte(body))
	return secret.New(body + string(check[:]))
}

// Presented is a text that has the form of an API token. Whether such a token
// exists, only the group's record tells.
type Presented struct {
	group  string
	digest Digest
}

// Parse checks the form and the checksum, so that a mistyped token costs no
// store call. The error is [ErrMalformed].
func Parse(text string) (Presented, error) { return ParseAnnouncing(text, nil) }

// ParseAnnouncing is [Parse] that calls announce, unless it is nil, with the id of the
// group that the text names: once the form is right, and before the checksum and the
// digest are computed, which takes long enough to fetch what is known of a group.
func ParseAnnouncing(text string, announce func(group string)) (Presented, error) {
	if len(text) > maxText || !strings.HasPrefix(text, prefix) {
		return Presented{}, ErrMalformed
	}
	cut := len(text) - randomChars - checkChars - 1
	if cut <= len(prefix) || text[cut] != '_' || !ofRandom.HasAll(text[cut+1:]) || !ofGroup.HasAll(text[len(prefix):cut]) {
		return Presented{}, ErrMalformed
	}
	named := text[len(prefix):cut]
	if announce != nil {
		announce(named)
	}
	raw := []byte(text)
	if checksum(raw[:len(raw)-checkChars]) != [checkChars]byte(raw[len(raw)-checkChars:]) {
		return Presented{}, fmt.Errorf("%w: its checksum is wrong", ErrMalformed)
	}
	return Presented{group: named, digest: sha256.Sum256(raw)}, nil
}

// In reports whether an API token stands anywhere in text, as when a whole
// header was pasted.
func In(text string) bool {
	for {
		i := strings.Index(text, prefix)
		if i < 0 {
			return false
		}
		text = text[i:]
		if u := strings.IndexByte(text[len(prefix):], '_'); u >= 0 {
			if end := len(prefix) + u + 1 + randomChars + checkChars; end <= len(text) {
				if _, err := Parse(text[:end]); err == nil {
					return true
				}
			}
		}
		text = text[len(prefix):]
	}
}

// Group is the id of the group that the text names.
func (p Presented) Group() string { return p.group }

// Digest is what to look for in the group's record.
func (p Presented) Digest() Digest { return p.digest }

// checksum is the CRC-32 (IEEE) of body in base62, six characters.
func checksum(body []byte) (digits [checkChars]byte) {
	for n, i := crc32.ChecksumIEEE(body), checkChars-1; i >= 0; n, i = n/62, i-1 {
		digits[i] = alphabet[n%62]
	}
	return digits
}

// base62 writes the last 30 digits of the number that random stands for.
func base62(random [Entropy]byte) string {
	var digits [randomChars]byte
	n, base, rest := new(big.Int).SetBytes(random[:]), big.NewInt(int64(len(alphabet))), new(big.Int)
	for i := len(digits) - 1; i >= 0; i-- {
		n.QuoRem(n, base, rest)
		digits[i] = alphabet[rest.Int64()]
	}
	return string(digits[:])
}

var (
	ofRandom = charset.Of(alphabet)
	ofGroup  = charset.Of(charset.Lower + charset.Digits + "-")
)
