package hostile

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maker makes a token as its steps say, in their order. Those that change the text
// seal it first.
type maker struct {
	now            time.Time
	header, claims string
	kid, value     string
	iv             int
	// parts are the five segments once it is sealed, or whatever it has become.
	parts  []string
	sealed bool
	// whole is the text when it is no longer five segments.
	whole *string
}

func newMaker(now time.Time) *maker {
	m := &maker{now: now, kid: Active, value: Value(Active), iv: 12}
	m.header, m.claims = `{"alg":"dir","enc":"A256GCM","kid":"$kid"}`, `{$all}`
	return m
}

var instant = regexp.MustCompile(`\$now(?:([+-])([0-9]+))?`)

// filled puts in what depends on the time and the key.
func (m *maker) filled(text string) string {
	text = strings.ReplaceAll(text, "$all", `$ids,"exp":$now+3600`)
	text = strings.ReplaceAll(text, "$ids", `"cst":"customer_1","dsh":"abcde"`)
	text = strings.ReplaceAll(text, "$kid", m.kid)
	return instant.ReplaceAllStringFunc(text, func(found string) string {
		at := m.now.Unix()
		if part := instant.FindStringSubmatch(found); part[1] != "" {
			n, err := strconv.ParseInt(part[1]+part[2], 10, 64)
			if err != nil { // digits only; the row is wrong and will say so
				return found
			}
			at += n
		}
		return strconv.FormatInt(at, 10)
	})
}

var (
	errStep     = errors.New("no such step")
	errNumber   = errors.New("a number of a segment, 1 to 5, is missing")
	errUnchange = errors.New("it changes nothing")
)

// take makes one step: a word, and what it is about.
func (m *maker) take(step string, row *Row) error {
	word, rest, _ := strings.Cut(step, " ")
	switch word {
	case "good":
	case "header":
		m.header = rest
	case "claims":
		m.claims = rest
	case "kid": // another key, and its name
		m.kid, m.value = rest, Value(rest)
	case "key": // another key under the same name
		m.value = Value(rest)
	case "iv":
		return number(rest, &m.iv)
	case "quoted": // claims or header with bytes that no text file holds
		return m.quoted(rest)
	case "long": // claims of that many bytes more
		var n int
		err := number(rest, &n)
		m.claims = strings.Replace(m.claims, "{", `{"pad":"`+strings.Repeat("p", n)+`",`, 1)
		return err
	case "origin":
		row.Origin = &rest
	case "embed":
		row.Embed = &rest
	case "chart":
		row.Chart = &rest
	default:
		return m.change(word, rest)
	}
	return nil
}

func (m *maker) quoted(rest string) error {
	what, text, _ := strings.Cut(rest, " ")
	plain, err := strconv.Unquote(text)
	if err != nil {
		return fmt.Errorf("the text: %w", err)
	}
	if what == "header" {
		m.header = plain
	} else {
		m.claims = plain
	}
	return nil
}

// change is a step that needs no key: the text is changed after it was sealed.
func (m *maker) change(word, rest string) error {
	if err := m.seal(); err != nil {
		return err
	}
	switch word {
	case "text":
		text, err := strconv.Unquote(rest)
		m.whole = &text
		return err //nolint:wrapcheck // the step is named by the caller
	case "append", "prepend":
		text, err := strconv.Unquote(rest)
		whole := m.text() + text
		if word == "prepend" {
			whole = text + m.text()
		}
		m.whole = &whole
		return err //nolint:wrapcheck // the step is named by the caller
	case "cut":
		var n int
		err := number(rest, &n)
		whole := m.text()
		whole = whole[:len(whole)-n]
		m.whole = &whole
		return err
	case "json":
		return m.json(rest)
	case "tag": // of another length: cut, or with zeros behind
		var n int
		err := number(rest, &n)
		tag := append(m.bytes(5), make([]byte, 64)...)[:n]
		m.parts[4] = encode(tag)
		return err
	case "shift": // so many bytes of the ciphertext into the tag, or back
		n, err := strconv.Atoi(rest)
		all := append(m.bytes(4), m.bytes(5)...)
		at := len(all) - 16 - n
		m.parts[3], m.parts[4] = encode(all[:at]), encode(all[at:])
		return err //nolint:wrapcheck // the step is named by the caller
	}
	return m.segment(word, rest)
}

// segment is a step that changes one segment, whose number is the first word.
func (m *maker) segment(word, rest string) error {
	which, rest, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(which)
	if err != nil || n < 1 || n > len(m.parts) {
		return fmt.Errorf("%s: %w", word, errNumber)
	}
	part := &m.parts[n-1]
	before := *part
	switch word {
	case "put":
		*part, err = strconv.Unquote(rest)
	case "insert": // in its middle
		var text string
		text, err = strconv.Unquote(rest)
		*part = before[:len(before)/2] + text + before[len(before)/2:]
	case "respell": // with bits that no byte holds
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		if len(before)%4 != 0 {
			last := len(before) - 1
			*part = before[:last] + string(alphabet[strings.IndexByte(alphabet, before[last])|1])
		}
	case "pad":
		*part += "="
	case "flip": // that bit of its bytes
		var bit int
		err = number(rest, &bit)
		data := m.bytes(n)
		data[bit/8] ^= 1 << (bit % 8)
		*part = encode(data)
	case "bytes": // of another length, all zero
		var size int
		err = number(rest, &size)
		*part = encode(make([]byte, size))
	case "drop":
		m.parts = append(m.parts[:n-1:n-1], m.parts[n:]...)
		return nil
	case "case":
		*part = strings.ToUpper(before)
	default:
		return errStep
	}
	if err == nil && *part == before {
		return errUnchange
	}
	return err
}

// json is the other serialization of the same token (RFC 7516 section 7.2).
func (m *maker) json(kind string) error {
	out := map[string]any{"protected": m.parts[0], "iv": m.parts[2], "ciphertext": m.parts[3], "tag": m.parts[4]}
	if kind == "general" {
		out["recipients"] = []any{map[string]any{}}
	}
	text, err := json.Marshal(out)
	whole := string(text)
	m.whole = &whole
	return err //nolint:wrapcheck // the step is named by the caller
}

// seal makes the five segments, whatever the header says.
func (m *maker) seal() error {
	if m.sealed {
		return nil
	}
	m.sealed = true
	block, err := aes.NewCipher([]byte(m.value))
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	size := max(m.iv, 1) // none is taken out again
	aead, err := cipher.NewGCMWithNonceSize(block, size)
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	header := encode([]byte(m.filled(m.header)))
	iv := []byte(strings.Repeat("\x07", size))
	out := aead.Seal(nil, iv, []byte(m.filled(m.claims)), []byte(header))
	end := len(out) - 16
	m.parts = []string{header, "", encode(iv[:m.iv]), encode(out[:end]), encode(out[end:])}
	return nil
}

func (m *maker) text() string {
	if m.whole != nil {
		return *m.whole
	}
	if err := m.seal(); err != nil {
		return ""
	}
	return strings.Join(m.parts, ".")
}

// bytes are those of a segment.
func (m *maker) bytes(n int) []byte {
	data, err := base64.RawURLEncoding.DecodeString(m.parts[n-1])
	if err != nil { // the row changes text before bytes; it will not be what it says
		return nil
	}
	return data
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

func number(text string, into *int) (err error) {
	*into, err = strconv.Atoi(text)
	return err //nolint:wrapcheck // the step is named by the caller
}
