package auditlog

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strconv"

	"embedseal/domain/audit"
	"embedseal/domain/secret"
)

// The members that chain a line, as they stand in it.
const (
	seqMember   = `,"seq":`
	logMember   = `,"log":"`
	macMember   = `,"mac":"`
	lineStart   = `{"time":"`
	lineEnd     = `"}`
	macLength   = len(macMember) + 2*sha256.Size + len(lineEnd)
	timeLayout  = "2006-01-02T15:04:05.000000Z07:00"
	timeLength  = len("2006-01-02T15:04:05.000000Z")
	maxLine     = 1 << 20
	maxSeqWidth = 20
)

// chain makes and checks the MACs of a log: that of a record is over the MAC
// before it and the line without its member "mac". It is for one goroutine.
type chain struct {
	hash   hash.Hash
	before audit.MAC // what is hashed must not escape for each record
	sum    audit.MAC
}

func newChain(key secret.Text) *chain {
	return &chain{hash: hmac.New(sha256.New, []byte(key.Reveal()))}
}

// of is the MAC of the line that consists of the parts.
func (c *chain) of(before audit.MAC, head, tail []byte) audit.MAC {
	c.before = before
	c.hash.Reset()
	_, _ = c.hash.Write(c.before[:]) // a hash never fails to write
	_, _ = c.hash.Write(head)
	_, _ = c.hash.Write(tail)
	c.hash.Sum(c.sum[:0])
	return c.sum
}

// append writes a record as the line after head, with its end, and returns its own
// head.
func (c *chain) append(dst []byte, head audit.Head, log string, record []byte) ([]byte, audit.Head) {
	start := len(dst)
	dst = append(dst, record...)
	dst = strconv.AppendUint(append(dst[:len(dst)-1], seqMember...), head.Seq+1, 10)
	dst = append(append(append(dst, logMember...), log...), lineEnd...)
	next := audit.Head{Seq: head.Seq + 1, MAC: c.of(head.MAC, dst[start:], nil)}
	dst = append(dst[:len(dst)-1], macMember...)
	dst = hex.AppendEncode(dst, next.MAC[:])
	return append(append(dst, lineEnd...), '\n'), next
}

// entry is a line that has the form of a record of a chain. Whether it is one,
// only its MAC tells.
type entry struct {
	audit.Head
	log string
	// text is the line without its end.
	text []byte
}

// parse reads a line without its end.
func parse(text []byte) (entry, bool) {
	n := len(text) - macLength
	if n < len(lineStart) || !bytes.HasPrefix(text, []byte(lineStart)) || !bytes.HasPrefix(text[n:], []byte(macMember)) ||
		!bytes.HasSuffix(text, []byte(lineEnd)) {
		return entry{}, false
	}
	e := entry{text: text}
	digits := text[n+len(macMember) : len(text)-len(lineEnd)]
	if _, err := hex.Decode(e.MAC[:], digits); err != nil || bytes.ContainsAny(digits, "ABCDEF") {
		return entry{}, false
	}
	at := bytes.LastIndex(text[:n], []byte(seqMember))
	if at < 0 {
		return entry{}, false
	}
	number, rest, found := bytes.Cut(text[at+len(seqMember):n], []byte(logMember))
	if !found || len(number) == 0 || len(number) > maxSeqWidth || number[0] == '0' {
		return entry{}, false
	}
	var err error
	if e.Seq, err = strconv.ParseUint(string(number), 10, 64); err != nil {
		return entry{}, false
	}
	e.log = string(bytes.TrimSuffix(rest, []byte(`"`)))
	return e, true
}

// follows reports whether e was written right after what has that MAC.
func (c *chain) follows(before audit.MAC, e entry) bool {
	made := c.compute(before, e)
	return hmac.Equal(made[:], e.MAC[:])
}

// compute is the MAC that e would have after what has that MAC.
func (c *chain) compute(before audit.MAC, e entry) audit.MAC {
	return c.of(before, e.text[:len(e.text)-macLength], []byte("}"))
}

// member is the text of a member of a line that needs no unescaping; empty when
// there is none.
func member(text []byte, name string) string {
	_, rest, found := bytes.Cut(text, []byte(`,"`+name+`":"`))
	if !found {
		return ""
	}
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(value)
}
