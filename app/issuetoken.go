package app

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/policy"
	"embedseal/domain/replay"
	"embedseal/domain/secret"
	"embedseal/ports"
)

// IssuedToken is an API token that has a new value.
type IssuedToken struct {
	TokenView
	// Text is the value, which is shown this once; zero when Replayed.
	Text secret.Text
	// Replayed says that this very request was granted before.
	Replayed bool
}

// NewToken is what an API token is made of.
type NewToken struct {
	Name   string
	Scopes apitoken.Scopes
	// ExpiresAt or ExpiresIn ends it; without either it does not expire.
	ExpiresAt time.Time
	ExpiresIn iso8601.Duration
	// Networks are as [apitoken.ParseNetworks] made them; empty is anywhere.
	Networks []netip.Prefix
	// Restriction is what it may do less than its group; the zero value is nothing.
	Restriction policy.Restriction
	// Mark is that of the request; zero when it has no idempotency key.
	Mark replay.Mark
}

// Create makes an API token. The text is in the answer and nowhere else.
//
// Errors: [apitoken.ErrInvalid], [*policy.Invalid], [ErrScope], [group.ErrFull], [replay.ErrOther],
// ports.ErrNotFound, those of [Changes.Run], or what the store answers.
func (s *Tokens) Create(ctx context.Context, call Call, by Actor, id group.ID, n NewToken) (IssuedToken, error) {
	if err := by.May(ToWrite, id); err != nil {
		return IssuedToken{}, err
	}
	t, text, err := s.draw(id, n)
	if err != nil {
		return IssuedToken{}, err
	}
	if err := by.mayGrant(t); err != nil {
		return IssuedToken{}, err
	}
	g, err := readGroup(ctx, s.groups, id) // before an intent has its id: see [Tokens.there]
	if err != nil {
		return IssuedToken{}, err
	}
	mark := func(t apitoken.Token) replay.Mark { return t.Creation }
	if before, found, err := marked(g, n.Mark, mark); found || err != nil { // asking again leaves no intent of a change
		return s.replayed(id, before), err
	}
	// Only now: what was made under a pin stays made when the pinned key has retired.
	if err := s.pinnable(ctx, id, t.Restriction); err != nil {
		return IssuedToken{}, err
	}
	event := audit.Event{Action: audit.ActionCreateToken, Group: string(id), Target: t.ID}
	return s.issue(ctx, call, by, event, text, n.Mark, mark, func(g group.Group) (group.Group, apitoken.Token, error) {
		if err := s.mayGrant(by, g, t); err != nil {
			return g, t, err
		}
		if err := narrower(g, t.Restriction); err != nil {
			return g, t, err
		}
		g, err := g.WithToken(t)
		return g, t, err
	})
}

// draw makes the token and its text.
func (s *Tokens) draw(id group.ID, n NewToken) (apitoken.Token, secret.Text, error) {
	now := s.clock.Now().UTC().Truncate(time.Second)
	expires, err := expiry(n.ExpiresAt, n.ExpiresIn, now)
	if err != nil {
		return apitoken.Token{}, secret.Text{}, err
	}
	var seed [8]byte
	s.random.Fill(seed[:])
	text := drawText(s.random, id)
	t := apitoken.Token{
		ID: hex.EncodeToString(seed[:]), Name: n.Name, Digest: apitoken.DigestOf(text), Scopes: n.Scopes,
		CreatedAt: now, ExpiresAt: expires, Networks: n.Networks, Restriction: n.Restriction, Creation: n.Mark,
	}
	return t, text, t.Check()
}

func drawText(from ports.Random, id group.ID) secret.Text {
	var random [apitoken.Entropy]byte
	from.Fill(random[:])
	return apitoken.New(string(id), random)
}

// expiry is when a token ends that is told so in one of two ways, or in none.
func expiry(at time.Time, in iso8601.Duration, now time.Time) (time.Time, error) {
	switch {
	case !at.IsZero() && !in.IsZero():
		return time.Time{}, fmt.Errorf("%w: its expiry is given twice", apitoken.ErrInvalid)
	case !in.IsZero():
		end, err := in.AddTo(now)
		if err != nil {
			return time.Time{}, fmt.Errorf("%w: its expiry: %w", apitoken.ErrInvalid, err)
		}
		return end, nil
	case at.IsZero():
		return time.Time{}, nil
	}
	at = at.UTC().Truncate(time.Second)
	if !at.After(now) || at.Year() > lastYear {
		return time.Time{}, fmt.Errorf("%w: its expiry is past, or after the year 9999; to end it now, revoke it", apitoken.ErrInvalid)
	}
	return at, nil
}

// Refresh gives a token a new value. The one it had stays good for overlap; zero
// ends it now. The new value is in the answer and nowhere else.
//
// Errors: [apitoken.ErrInvalid] for an overlap beyond the year 9999, [ErrScope],
// [ErrTag], [replay.ErrOther], [group.ErrUnknownToken], ports.ErrNotFound, those
// of [Changes.Run], or what the store answers.
func (s *Tokens) Refresh(ctx context.Context, call Call, by Actor, id group.ID, token string, match Match,
	overlap iso8601.Duration, mark replay.Mark) (IssuedToken, error) {
	if err := by.May(ToWrite, id); err != nil {
		return IssuedToken{}, err
	}
	now, until := s.clock.Now(), time.Time{}
	if !overlap.IsZero() {
		var err error
		if until, err = overlap.AddTo(now); err != nil {
			return IssuedToken{}, fmt.Errorf("%w: the overlap: %w", apitoken.ErrInvalid, err)
		}
	}
	g, err := readGroup(ctx, s.groups, id)
	if err != nil {
		return IssuedToken{}, err
	}
	refreshing := func(t apitoken.Token) replay.Mark { return t.Refreshing }
	if before, found, err := marked(g, mark, refreshing); found || err != nil {
		return s.replayed(id, before), err
	}
	if err := has(g, token); err != nil {
		return IssuedToken{}, err
	}
	text := drawText(s.random, id)
	event := audit.Event{Action: audit.ActionRefreshToken, Group: string(id), Target: token}
	return s.issue(ctx, call, by, event, text, mark, refreshing, func(g group.Group) (group.Group, apitoken.Token, error) {
		t, err := found(g, token, match)
		if err != nil {
			return g, t, err
		}
		if err := s.mayGrant(by, g, t); err != nil {
			return g, t, err
		}
		t = t.Refreshed(apitoken.DigestOf(text), now, until)
		t.Refreshing = mark
		g, err = g.ReplacingToken(t)
		return g, t, err
	})
}

// issue writes a token with the value text, once for each mark.
func (s *Tokens) issue(ctx context.Context, call Call, by Actor, event audit.Event, text secret.Text, mark replay.Mark,
	of func(apitoken.Token) replay.Mark, step func(group.Group) (group.Group, apitoken.Token, error)) (IssuedToken, error) {
	id := group.ID(event.Group)
	var issued apitoken.Token
	replayed := false
	err := s.changes.Run(ctx, call, by, event, func(ctx context.Context, e *audit.Event) error {
		err := s.groups.UpdateGroup(ctx, id, func(g group.Group) (group.Group, error) {
			if before, made, err := marked(g, mark, of); made || err != nil {
				issued = before
				return g, errors.Join(err, errReplayedIf(made))
			}
			next, t, err := step(g)
			issued = t
			return next, err
		})
		if replayed = errors.Is(err, errReplayed); replayed {
			e.Target = issued.ID
			return nil
		}
		return err
	})
	switch {
	case err != nil:
		return IssuedToken{}, err
	case replayed:
		return s.replayed(id, issued), nil
	}
	return IssuedToken{TokenView: s.view(id, issued), Text: text}, nil
}

func errReplayedIf(made bool) error {
	if made {
		return errReplayed
	}
	return nil
}

func (s *Tokens) replayed(id group.ID, t apitoken.Token) IssuedToken {
	if t.ID == "" {
		return IssuedToken{}
	}
	return IssuedToken{TokenView: s.view(id, t), Replayed: true}
}

// marked is the token of the group whose mark this is. The error is
// [replay.ErrOther].
func marked(g group.Group, mark replay.Mark, of func(apitoken.Token) replay.Mark) (apitoken.Token, bool, error) {
	for _, t := range g.Tokens {
		if made, err := mark.Made(of(t)); made || err != nil {
			return t, made, err
		}
	}
	return apitoken.Token{}, false, nil
}
