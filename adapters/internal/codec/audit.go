package codec

import (
	"encoding/hex"
	"fmt"

	"embedseal/domain/audit"
	"embedseal/domain/secret"
)

type auditDocument struct {
	V   int    `json:"v"`
	Log string `json:"log"`
	Key string `json:"key,omitempty"`
	Seq uint64 `json:"seq"`
	MAC string `json:"mac,omitempty"`
}

// CheckAudit refuses a state that no document stands for, whatever store it is
// for. The error wraps audit.ErrLog or audit.ErrState.
func CheckAudit(log string, s audit.State) error {
	if _, err := audit.ParseLog(log); err != nil {
		return fmt.Errorf("codec: encode the state of an audit log: %w", err)
	}
	if err := s.Check(); err != nil {
		return fmt.Errorf("codec: encode the state of the audit log %s: %w", log, err)
	}
	return nil
}

// EncodeAudit returns the document of the state of a log, with its key in clear.
// The error is that of [CheckAudit].
func EncodeAudit(log string, s audit.State) ([]byte, error) {
	if err := CheckAudit(log, s); err != nil {
		return nil, err
	}
	d := auditDocument{V: format, Log: log, Key: hex.EncodeToString([]byte(s.Key.Reveal())), Seq: s.Head.Seq}
	if s.Head.Seq > 0 {
		d.MAC = hex.EncodeToString(s.Head.MAC[:])
	}
	return encode("the state of the audit log "+log, d)
}

// DecodeAudit returns the state of the log that doc stands for. The error wraps
// ports.ErrCorrupt and holds no part of doc.
func DecodeAudit(log string, doc []byte) (audit.State, error) {
	what := "the state of the audit log " + log
	var d auditDocument
	if err := decode(what, doc, &d); err != nil {
		return audit.State{}, err
	}
	if d.V != format || d.Log != log {
		return audit.State{}, unreadable(what, "it is of another format or another log")
	}
	key, err := hex.DecodeString(d.Key)
	if err != nil {
		return audit.State{}, unreadable(what, "its key is none")
	}
	s := audit.State{Key: secret.New(string(key)), Head: audit.Head{Seq: d.Seq}}
	mac, err := hex.DecodeString(d.MAC)
	if err != nil || len(mac) != len(s.Head.MAC) && len(mac) != 0 {
		return audit.State{}, unreadable(what, "its head is none")
	}
	copy(s.Head.MAC[:], mac)
	again, err := EncodeAudit(log, s)
	if err := canonical(what, doc, again, err); err != nil {
		return audit.State{}, err
	}
	return s, nil
}
