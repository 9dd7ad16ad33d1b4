package auditlog

import (
	"encoding/hex"
	"strconv"
	"time"
	"unicode/utf8"

	"embedseal/domain/audit"
)

// appendEvent writes e as one JSON object on one line. Empty members are left
// out; the order is fixed, so that lines can be compared.
func appendEvent(dst []byte, e *audit.Event) []byte {
	dst = append(appendInstant(append(dst, `{"time":"`...), e.Time), '"')
	dst = appendMember(dst, "request_id", e.RequestID)
	dst = appendMember(dst, "action", string(e.Action))
	dst = appendMember(dst, "outcome", string(e.Outcome))
	dst = appendMember(dst, "code", e.Code)
	if len(e.Rules) > 0 {
		dst = append(dst, `,"rules":[`...)
		for i, rule := range e.Rules {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, rule)
		}
		dst = append(dst, ']')
	}
	if e.Alike > 1 {
		dst = strconv.AppendInt(append(dst, `,"alike":`...), int64(e.Alike), 10)
	}
	dst = appendMember(dst, "remote", e.Remote)
	dst = appendMember(dst, "operator", e.Operator)
	dst = appendMember(dst, "group", e.Group)
	dst = appendMember(dst, "token_id", e.TokenID)
	dst = appendMember(dst, "key_id", e.KeyID)
	dst = appendMember(dst, "target", e.Target)
	dst = appendMember(dst, "change", e.Change)
	dst = appendMember(dst, "customer", e.Customer)
	dst = appendMember(dst, "embed", e.Embed)
	dst = appendMember(dst, "chart", e.Chart)
	dst = appendTime(dst, "issued_at", e.IssuedAt)
	dst = appendTime(dst, "expires_at", e.ExpiresAt)
	if !e.Fingerprint.IsZero() {
		dst = append(hex.AppendEncode(append(dst, `,"fingerprint":"`...), e.Fingerprint[:]), '"')
	}
	return append(dst, '}')
}

func appendTime(dst []byte, name string, t time.Time) []byte {
	if t.IsZero() {
		return dst
	}
	dst = append(append(append(dst, `,"`...), name...), `":"`...)
	return append(t.UTC().AppendFormat(dst, time.RFC3339), '"')
}

// appendInstant is time.Time.AppendFormat with timeLayout in UTC. That is quick for
// time.RFC3339, which this makes use of, and takes three times as long for a layout
// of one's own: every record begins with it.
func appendInstant(dst []byte, t time.Time) []byte {
	t = t.UTC()
	dst = t.AppendFormat(dst, time.RFC3339)
	at := len(dst) - 1 // of the Z
	dst = strconv.AppendInt(dst[:at], int64(1_000_000+t.Nanosecond()/1000), 10)
	dst[at] = '.' // in place of the 1 that held the zeros
	return append(dst, 'Z')
}

func appendMember(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(append(append(dst, `,"`...), name...), `":`...)
	return appendString(dst, value)
}

// appendString writes s as a JSON string of one line. Control characters and
// the line separators that some readers honour are escaped; what is not UTF-8
// becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ' || c == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == '\u2028' || r == '\u2029' || r >= 0x80 && r < 0xa0 {
				dst = append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
			} else {
				dst = utf8.AppendRune(dst, r)
			}
			i += size
			continue
		}
		i++
	}
	return append(dst, '"')
}
