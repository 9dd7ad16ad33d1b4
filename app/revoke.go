package app

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/domain/replay"
	"embedseal/domain/revocation"
	"embedseal/domain/token"
	"embedseal/domain/verdict"
	"embedseal/ports"
)

// Revoker takes embed tokens back before they expire.
type Revoker struct {
	opening
	groups    ports.GroupStore
	keys      ports.KeyStore
	store     ports.RevocationStore
	revoked   *Revoked
	changes   *Changes
	clock     ports.Clock
	random    ports.Random
	staleness Staleness
}

// NewRevoker returns a Revoker. revoked is the copy that this process verifies with,
// cipher and chart are as it opens and reads tokens.
func NewRevoker(groups ports.GroupStore, keys ports.KeyStore, cipher ports.TokenCipher, store ports.RevocationStore, revoked *Revoked,
	changes *Changes, clock ports.Clock, random ports.Random, chart token.ChartClaim, staleness Staleness) *Revoker {
	return &Revoker{
		opening: opening{cipher: cipher, chart: chart},
		groups:  groups, keys: keys, store: store, revoked: revoked, changes: changes,
		clock: clock, random: random, staleness: staleness,
	}
}

// NewRevocation is what to take back.
type NewRevocation struct {
	Kind    revocation.Kind
	Subject string
	// Token is the token itself, of the kind token, in place of a subject; zero is not
	// given. Where its end is later than a token of the group may live, the revocation
	// is kept until then.
	Token jwe.Compact
	// Before is the last second of issue that is revoked; zero means now. A token has
	// none.
	Before time.Time
	Note   string
	// Mark makes the same request, sent again, find what it made.
	Mark replay.Mark
}

// MadeRevocation is a revocation that was made, or that the same request had made
// before.
type MadeRevocation struct {
	Entry    revocation.Entry
	Replayed bool
}

// Revoke takes tokens back. It is durable when Revoke returns nil, counts in this
// process at once, and in others as soon as they look: see [Revoked].
//
// Errors: [revocation.ErrInvalid], [revocation.ErrFull], [key.ErrUnknown] where there
// is no such key, [ErrUnopened] or [token.ErrClaims] of a token that was given,
// [replay.ErrOther], [ErrScope], [ErrAudit], [ErrUnrecorded], or what the stores and
// the cipher answer.
func (s *Revoker) Revoke(ctx context.Context, call Call, by Actor, id group.ID, n NewRevocation) (MadeRevocation, error) {
	g, err := s.enter(ctx, by, ToWrite, id)
	if err != nil {
		return MadeRevocation{}, err
	}
	if given(n.Token) && (n.Kind != revocation.Token || n.Subject != "") {
		return MadeRevocation{}, fmt.Errorf("%w: a token is of the kind token, and stands for its subject", revocation.ErrInvalid)
	}
	e := s.entry(g, n)
	if err := e.Check(); err != nil {
		return MadeRevocation{}, err
	}
	if e.Before.After(e.CreatedAt) {
		return MadeRevocation{}, fmt.Errorf("%w: nothing was issued in the future", revocation.ErrInvalid)
	}
	if n.Kind == revocation.Key {
		if _, err := s.key(ctx, id, n.Subject); err != nil {
			return MadeRevocation{}, err
		}
	}
	if !n.Mark.IsZero() {
		made, again, err := s.made(ctx, id, n.Mark)
		if again || err != nil {
			return MadeRevocation{Entry: made, Replayed: again}, err
		}
	}
	if given(n.Token) { // not before, since its key may have gone since the same request was answered
		until, err := s.expiry(ctx, id, n.Token)
		if err != nil {
			return MadeRevocation{}, err
		}
		if until = end(until); until.After(e.ExpiresAt) {
			e.ExpiresAt = until
		}
	}
	out := MadeRevocation{Entry: e}
	err = s.changes.Run(ctx, call, by, eventOf(id, e), func(ctx context.Context, _ *audit.Event) error {
		end, err := s.store.Revoke(ctx, id, e, revocation.MaxEntries)
		switch {
		case err == nil:
			out.Entry.Seq = end.Seq
			s.revoked.learn(id, e, end)
			return nil
		case errors.Is(err, ports.ErrExists) && !n.Mark.IsZero(): // the same request, at the same time
			if out.Entry, out.Replayed, err = s.made(ctx, id, n.Mark); err == nil && !out.Replayed {
				err = fmt.Errorf("%w: the revocation %s", ports.ErrConflict, e.ID)
			}
			return err
		case errors.Is(err, ports.ErrUnknownOutcome):
			s.revoked.suspect(id)
		}
		return fmt.Errorf("revoke in %s: %w", id, err)
	})
	if err != nil {
		return MadeRevocation{}, err
	}
	return out, nil
}

// ErrUnopened is of a token that no key of the group opens.
var ErrUnopened = errors.New("no key of the group opens the token")

// given reports whether there is a token.
func given(t jwe.Compact) bool { return t.Text() != "" }

// expiry is when a token of the group ends, as stands in it. Its key may be a disabled
// one, which may be enabled again.
func (s *Revoker) expiry(ctx context.Context, id group.ID, compact jwe.Compact) (time.Time, error) {
	k, err := s.key(ctx, id, compact.Header().KeyID)
	if errors.Is(err, key.ErrUnknown) || err == nil && k.State == key.Destroyed {
		return time.Time{}, ErrUnopened
	}
	if err != nil {
		return time.Time{}, err
	}
	var c contents
	if reason, err := s.read(ctx, id, &k, compact, &c); reason == verdict.BadTag {
		return time.Time{}, ErrUnopened
	} else if err != nil {
		return time.Time{}, err
	}
	return c.claims.ExpiresAt, nil
}

// key is the key of the group with that id. The error is [key.ErrUnknown], or what the
// store answers.
func (s *Revoker) key(ctx context.Context, g group.ID, id string) (key.Key, error) {
	ring, err := readRing(ctx, s.keys, g)
	if err != nil {
		return key.Key{}, err
	}
	k, found := ring.Find(key.ID(id))
	if !found {
		return key.Key{}, key.ErrUnknown
	}
	return k, nil
}

// entry is what the store shall keep.
func (s *Revoker) entry(g group.Group, n NewRevocation) revocation.Entry {
	now := s.clock.Now().UTC().Truncate(time.Second)
	e := revocation.Entry{
		Kind: n.Kind, Subject: n.Subject, Before: n.Before.UTC().Truncate(time.Second), CreatedAt: now, Note: n.Note, Creation: n.Mark,
		// Until then a process that does not know of it yet, and of the policy of today,
		// may have sealed one more that it matches.
		ExpiresAt: end(now, g.LongestLifetime(), time.Duration(s.staleness)),
	}
	if given(n.Token) {
		e.Subject = token.FingerprintOf(n.Token).String()
	}
	if n.Kind != revocation.Token && n.Before.IsZero() {
		e.Before = now
	}
	var seed [8]byte
	if mark := n.Mark.String(); mark != "" { // so that two at once are one
		_, _ = hex.Decode(seed[:], []byte(mark[:2*len(seed)]))
	} else {
		s.random.Fill(seed[:])
	}
	e.ID = revocation.NewID(seed)
	return e
}

// end is the second after now and those durations, in a year that a record can name.
func end(now time.Time, durations ...time.Duration) time.Time {
	at := now.Add(time.Second)
	for _, d := range durations {
		at = at.Add(d)
	}
	if at.Year() > lastYear {
		return time.Date(lastYear, 12, 31, 23, 59, 59, 0, time.UTC)
	}
	return at.Truncate(time.Second)
}

// made is the revocation that the request of that mark made, as the store has it now.
func (s *Revoker) made(ctx context.Context, g group.ID, mark replay.Mark) (revocation.Entry, bool, error) {
	c, err := s.revoked.current(ctx, g)
	if err != nil {
		return revocation.Entry{}, false, err
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, l := range c.ahead {
		if is, err := mark.Made(l.entry.Creation); is || err != nil {
			return l.entry, is, err
		}
	}
	return c.set.Made(mark)
}

// eventOf is what the audit log says of a revocation: what it takes back, up to when
// it was issued, and until when.
func eventOf(g group.ID, e revocation.Entry) audit.Event {
	event := audit.Event{
		Action: audit.ActionRevoke, Group: string(g), Target: string(e.ID), IssuedAt: e.Before, ExpiresAt: e.ExpiresAt,
	}
	switch e.Kind {
	case revocation.Token:
		event.Fingerprint, _ = token.ParseFingerprint(e.Subject)
	case revocation.Customer:
		event.Customer = e.Subject
	case revocation.Embed:
		event.Embed = e.Subject
	case revocation.Key:
		event.KeyID = e.Subject
	case revocation.KindUnknown:
	}
	return event
}

// List returns a page of the revocations of a group, the oldest first, as the store
// has them now, and after which to ask for more; empty when there are none.
//
// Errors: [ErrPageEnd] when there is none where the page begins, [ErrScope], or what
// the stores answer.
func (s *Revoker) List(ctx context.Context, by Actor, id group.ID, page Page) (entries []revocation.Entry, next string, err error) {
	if _, err := s.enter(ctx, by, ToRead, id); err != nil {
		return nil, "", err
	}
	c, err := s.revoked.current(ctx, id)
	if err != nil {
		return nil, "", err
	}
	now, limit := s.clock.Now(), min(page.Limit, MaxPage)
	if limit <= 0 {
		limit = DefaultPage
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	begun := page.After == ""
	take := func(e revocation.Entry) (more bool) {
		switch {
		case !begun:
			begun = string(e.ID) == page.After
		case e.DeadAt(now):
		case len(entries) == limit:
			next = string(entries[limit-1].ID)
			return false
		default:
			entries = append(entries, e)
		}
		return true
	}
	for e := range c.set.All() {
		if !take(e) {
			return entries, next, nil
		}
	}
	for _, l := range c.ahead {
		if !take(l.entry) {
			break
		}
	}
	if !begun {
		return nil, "", ErrPageEnd
	}
	return entries, next, nil
}

// ErrPageEnd is of a page that begins behind something that is not there.
var ErrPageEnd = errors.New("there is nothing that the page begins behind")

// enter reads the group that the actor wants to do something in.
func (s *Revoker) enter(ctx context.Context, by Actor, need Right, id group.ID) (group.Group, error) {
	if err := by.May(need, id); err != nil {
		return group.Group{}, err
	}
	return readGroup(ctx, s.groups, id)
}
