package codec_test

import (
	"errors"
	"strings"
	"testing"

	"embedseal/adapters/internal/codec"
	"embedseal/domain/audit"
	"embedseal/domain/secret"
	"embedseal/ports"
)

// The document of an audit log that stores hold today.
const (
	auditText = `{"v":1,"log":"local","key":"303132333435363738396162636465663031323334353637383961626364656f",` +
		`"seq":7,"mac":"0100000000000000000000000000000000000000000000000000000000000002"}`
	auditKey = "0123456789abcdef0123456789abcdeo"
)

func logState() audit.State {
	s := audit.State{Key: secret.New(auditKey), Head: audit.Head{Seq: 7}}
	s.Head.MAC[0], s.Head.MAC[31] = 1, 2
	return s
}

func TestTheDocumentOfAnAuditLogStaysAsItIs(t *testing.T) {
	doc, err := codec.EncodeAudit("local", logState())
	if err != nil || string(doc) != auditText {
		t.Fatalf("error %v, document\n%s, want\n%s", err, doc, auditText)
	}
	got, err := codec.DecodeAudit("local", doc)
	if err != nil || got.Head != logState().Head || got.Key.Reveal() != auditKey {
		t.Errorf("error %v, head %v", err, got.Head)
	}
}

func TestADocumentThatIsNotThatOfTheLogIsDamage(t *testing.T) {
	replace := func(old, text string) string { return strings.Replace(auditText, old, text, 1) }
	for what, doc := range map[string]string{
		"nothing": "", "no object": "[]", "cut short": auditText[:40], "trailing data": auditText + " ",
		"another log": replace("local", "other"), "another format": replace(`"v":1`, `"v":2`),
		"an unknown member": replace(`"seq"`, `"x":1,"seq"`), "a head without its MAC": replace(`"seq":7`, `"seq":0`),
		"no key":      replace(`"key":"303132333435363738396162636465663031323334353637383961626364656f",`, ""),
		"a short key": replace("3031", ""), "a short MAC": replace(`"mac":"01`, `"mac":"`), "no hex": replace(`"mac":"01`, `"mac":"zz`),
	} {
		if _, err := codec.DecodeAudit("local", []byte(doc)); !errors.Is(err, ports.ErrCorrupt) {
			t.Errorf("%s: got %v, want %v", what, err, ports.ErrCorrupt)
		} else if err != nil && strings.Contains(err.Error(), "3031") {
			t.Errorf("%s: the error repeats the key: %v", what, err)
		}
	}
}

func TestAStateThatNoLogCanHaveIsNotWritten(t *testing.T) {
	if _, err := codec.EncodeAudit("not/safe", logState()); !errors.Is(err, audit.ErrLog) {
		t.Errorf("got %v, want %v", err, audit.ErrLog)
	}
	s := logState()
	s.Key = secret.New("short")
	if _, err := codec.EncodeAudit("local", s); !errors.Is(err, audit.ErrState) {
		t.Errorf("got %v, want %v", err, audit.ErrState)
	}
}
