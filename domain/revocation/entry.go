// Package revocation answers: has this token been taken back before it expired?
//
// An [Entry] says which tokens are refused, a [Set] holds all of a group and is
// asked for every token. The entries of a group are a log: each has a number, and
// none is changed. One dies when the last token that it can match has.
package revocation

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"embedseal/domain/key"
	"embedseal/domain/label"
	"embedseal/domain/replay"
	"embedseal/domain/token"
)

var (
	// ErrInvalid is wrapped by every refusal of a constructor of this package. No
	// error repeats what was given.
	ErrInvalid = errors.New("invalid revocation")
	// ErrFull is wrapped by the refusal of one more where the group holds as many as
	// it may.
	ErrFull = errors.New("the group holds as many revocations as it may")
)

// MaxEntries is how many a group may hold at a time.
const MaxEntries = 1_000_000

// Kind says what the subject of an entry is. The zero value is none.
type Kind uint8

// What can be revoked.
const (
	KindUnknown Kind = iota
	// Token: the one token of a fingerprint.
	Token
	// Customer, Embed and Key: every token of a customer, for an embed, or sealed
	// with a key, that was issued in a second or before.
	Customer
	Embed
	Key
)

// Kinds lists every kind.
func Kinds() []Kind { return []Kind{Token, Customer, Embed, Key} }

// String returns the name that records and answers use.
func (k Kind) String() string {
	switch k {
	case Token:
		return "token"
	case Customer:
		return "customer"
	case Embed:
		return "embed"
	case Key:
		return "key"
	case KindUnknown:
	}
	return "unknown"
}

// ParseKind is the inverse of [Kind.String]. The error wraps [ErrInvalid].
func ParseKind(name string) (Kind, error) {
	for _, k := range Kinds() {
		if k.String() == name {
			return k, nil
		}
	}
	return KindUnknown, fmt.Errorf("%w: a kind is token, customer, embed or key", ErrInvalid)
}

// ParseSubject refuses what cannot be the subject of an entry of that kind: the
// fingerprint of a token in lower-case hex, the id of a customer or an embed as it
// stands in tokens, the id of a key. The error wraps [ErrInvalid].
func ParseSubject(k Kind, s string) (string, error) {
	switch k {
	case Token:
		if _, err := token.ParseFingerprint(s); err != nil {
			return "", fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	case Customer, Embed:
		if s == "" || len(s) > token.MaxID || !token.Plain(s) {
			return "", fmt.Errorf("%w: an id has 1 to %d bytes of UTF-8 without control characters", ErrInvalid, token.MaxID)
		}
	case Key:
		if _, err := key.ParseID(s); err != nil {
			return "", fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	case KindUnknown:
		return "", fmt.Errorf("%w: there is no such kind", ErrInvalid)
	}
	return s, nil
}

// ID names an entry within its group: 16 digits of lower-case hex.
type ID string

// NewID is the id that 8 random bytes stand for.
func NewID(random [8]byte) ID { return ID(hex.EncodeToString(random[:])) }

// ParseID refuses what is not an [ID]. The error wraps [ErrInvalid].
func ParseID(s string) (ID, error) {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != 8 || hex.EncodeToString(raw) != s {
		return "", fmt.Errorf("%w: an id has 16 digits of lower-case hex", ErrInvalid)
	}
	return ID(s), nil
}

// Entry takes tokens of one group back. Its times are whole seconds in UTC.
type Entry struct {
	// Seq is its number in the log of its group, which counts from 1; a store gives
	// it.
	Seq  uint64
	ID   ID
	Kind Kind
	// Subject is what [ParseSubject] accepts for the kind.
	Subject string
	// Before is the last second of issue that is revoked; zero for a token, and
	// only there. A token that does not say when it was issued counts as issued
	// before.
	Before time.Time
	// ExpiresAt is when the last token that it can match is open no more.
	ExpiresAt time.Time
	CreatedAt time.Time
	// Note is the operator's words, as [label.CheckNote] has them.
	Note string
	// Creation is the mark of the request that made it.
	Creation replay.Mark
}

// Check refuses an entry that breaks a rule; its number is not looked at. The
// error wraps [ErrInvalid].
func (e Entry) Check() error {
	if _, err := ParseID(string(e.ID)); err != nil {
		return err
	}
	if _, err := ParseSubject(e.Kind, e.Subject); err != nil {
		return err
	}
	if err := label.CheckNote(e.Note); err != nil {
		return fmt.Errorf("%w: its note: %w", ErrInvalid, err)
	}
	switch {
	case e.Before.IsZero() != (e.Kind == Token):
		return fmt.Errorf("%w: a token has no instant of issue, and everything else has one", ErrInvalid)
	case e.CreatedAt.IsZero() || !e.ExpiresAt.After(e.CreatedAt):
		return fmt.Errorf("%w: it expires after it was made", ErrInvalid)
	}
	for _, t := range []time.Time{e.Before, e.CreatedAt, e.ExpiresAt} {
		if !t.Equal(t.Truncate(time.Second)) || t.Year() > lastYear || t.Year() < 1 {
			return fmt.Errorf("%w: its times are whole seconds, to the year %d", ErrInvalid, lastYear)
		}
	}
	return nil
}

// lastYear is the last that RFC 3339 can write.
const lastYear = 9999

// Covers reports whether the entry takes that token back, whatever the time is.
// keyID is the `kid` of its header.
func (e Entry) Covers(f token.Fingerprint, c token.Claims, keyID key.ID) bool {
	switch e.Kind {
	case Token:
		return e.Subject == f.String()
	case Customer:
		return e.Subject == c.Customer && issuedBy(c, e.Before)
	case Embed:
		return e.Subject == c.Embed && issuedBy(c, e.Before)
	case Key:
		return e.Subject == string(keyID) && issuedBy(c, e.Before)
	case KindUnknown:
	}
	return false
}

// issuedBy reports whether a token was issued in that second or before, as far as it
// says: ours say no more than the second.
func issuedBy(c token.Claims, second time.Time) bool {
	return c.IssuedAt.IsZero() || !c.IssuedAt.Truncate(time.Second).After(second)
}

// Slack is how long an entry is kept beyond its end: for clocks that differ.
const Slack = time.Hour

// DeadAt reports whether the entry need not be kept any more.
func (e Entry) DeadAt(now time.Time) bool { return now.After(e.ExpiresAt.Add(Slack)) }
