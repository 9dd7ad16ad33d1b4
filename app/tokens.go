package app

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/replay"
	"embedseal/domain/secret"
	"embedseal/ports"
)

// Tokens administers the API tokens of groups. Every method answers an actor who
// may not do it with what [Actor.May] says. Nobody hands out more than they may do
// themselves: an actor with an API token makes, changes and refreshes only such
// whose scopes, networks, expiry and restriction are no wider than their own.
type Tokens struct {
	groups  ports.GroupStore
	keys    ports.KeyStore
	changes *Changes
	uses    *LastUse
	clock   ports.Clock
	random  ports.Random
}

// NewTokens returns a Tokens.
func NewTokens(groups ports.GroupStore, keys ports.KeyStore, changes *Changes, uses *LastUse, clock ports.Clock, random ports.Random) *Tokens {
	return &Tokens{groups: groups, keys: keys, changes: changes, uses: uses, clock: clock, random: random}
}

// TokenView is an API token as an administrator sees it, with its last use as far
// as this process knows it.
type TokenView struct {
	Token apitoken.Token
	Tag   Tag
}

// IssuedToken is an API token that has a new value.
type IssuedToken struct {
	TokenView
	// Text is the value, which is shown this once; zero when Replayed.
	Text secret.Text
	// Replayed says that this very request was granted before.
	Replayed bool
}

// List returns the tokens of a page, in the order of their ids, and after which
// to ask for more; empty when there are none.
func (s *Tokens) List(ctx context.Context, by Actor, id group.ID, page Page) (views []TokenView, next string, err error) {
	g, err := s.read(ctx, by, id)
	if err != nil {
		return nil, "", err
	}
	tokens := slices.SortedFunc(slices.Values(g.Tokens), func(a, b apitoken.Token) int { return strings.Compare(a.ID, b.ID) })
	tokens, next = cut(page, tokens, func(t apitoken.Token) string { return t.ID })
	for _, t := range tokens {
		views = append(views, s.view(id, t))
	}
	return views, next, nil
}

// Show returns a token. The error can be ports.ErrNotFound, for the group, and
// [group.ErrUnknownToken].
func (s *Tokens) Show(ctx context.Context, by Actor, id group.ID, token string) (TokenView, error) {
	g, err := s.read(ctx, by, id)
	if err != nil {
		return TokenView{}, err
	}
	t, found := g.TokenOf(token)
	if !found {
		return TokenView{}, group.ErrUnknownToken
	}
	return s.view(id, t), nil
}

func (s *Tokens) read(ctx context.Context, by Actor, id group.ID) (group.Group, error) {
	if err := by.May(ToRead, id); err != nil {
		return group.Group{}, err
	}
	g, err := s.groups.Group(ctx, id)
	if err != nil {
		return group.Group{}, fmt.Errorf("read group %s: %w", id, err)
	}
	return g, nil
}

func (s *Tokens) view(id group.ID, t apitoken.Token) TokenView {
	t, _ = t.UsedAt(s.uses.of(id, t.ID))
	return TokenView{Token: t, Tag: tagOfToken(t)}
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
	if _, err := s.groups.Group(ctx, id); err != nil { // before an intent is recorded with its id
		return IssuedToken{}, fmt.Errorf("read group %s: %w", id, err)
	}
	if err := s.pinnable(ctx, id, t.Restriction); err != nil {
		return IssuedToken{}, err
	}
	mark := func(t apitoken.Token) replay.Mark { return t.Creation }
	if before, found, err := s.before(ctx, id, n.Mark, mark); found || err != nil {
		return s.replayed(id, before), err
	}
	event := audit.Event{Action: audit.ActionCreateToken, Group: string(id), Target: t.ID}
	return s.issue(ctx, call, by, event, text, n.Mark, mark, func(g group.Group) (group.Group, apitoken.Token, error) {
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
	if !at.After(now) || at.Year() > 9999 {
		return time.Time{}, fmt.Errorf("%w: its expiry is past, or after the year 9999; to end it now, revoke it", apitoken.ErrInvalid)
	}
	return at, nil
}

// TokenPatch is what of a token is changed; nil leaves it as it is.
type TokenPatch struct {
	Name   *string
	Scopes *apitoken.Scopes
	// ExpiresAt may be zero: never.
	ExpiresAt *time.Time
	Networks  *[]netip.Prefix
	// Restrict makes the restriction of the one before; a zero one lets the token do
	// what its group allows. It may run more than once.
	Restrict func(policy.Restriction) policy.Restriction
}

// Update changes what a token may do, from its next use on.
//
// Errors: [apitoken.ErrInvalid], [*policy.Invalid], [ErrScope], [ErrTag],
// [group.ErrUnknownToken], ports.ErrNotFound, those of [Changes.Run], or what the
// store answers.
func (s *Tokens) Update(ctx context.Context, call Call, by Actor, id group.ID, token string, match Match, patch TokenPatch) (TokenView, error) {
	if err := by.May(ToWrite, id); err != nil {
		return TokenView{}, err
	}
	var ring key.Ring
	if patch.Restrict != nil {
		var err error
		if ring, err = s.keys.Ring(ctx, id); err != nil {
			return TokenView{}, fmt.Errorf("read ring of %s: %w", id, err)
		}
	}
	if err := s.there(ctx, id, token); err != nil {
		return TokenView{}, err
	}
	event := audit.Event{Action: audit.ActionUpdateToken, Group: string(id), Target: token}
	var updated apitoken.Token
	err := s.changes.Run(ctx, call, by, event, func(ctx context.Context, _ *audit.Event) error {
		return s.groups.UpdateGroup(ctx, id, func(g group.Group) (group.Group, error) {
			t, err := found(g, token, match)
			if err != nil {
				return g, err
			}
			pinned, now := t.Restriction.PinnedKey, s.clock.Now()
			if t, err = patch.apply(t, now); err != nil {
				return g, err
			}
			if err := by.mayGrant(t); err != nil {
				return g, err
			}
			if patch.Restrict != nil {
				if err := narrower(g, t.Restriction); err != nil {
					return g, err
				}
			}
			if t.Restriction.PinnedKey != pinned {
				if err := pinnable(ring, t.Restriction.PinnedKey, now); err != nil {
					return g, err
				}
			}
			updated = t
			return g.ReplacingToken(t)
		})
	})
	if err != nil {
		return TokenView{}, err
	}
	return s.view(id, updated), nil
}

func (p TokenPatch) apply(t apitoken.Token, now time.Time) (apitoken.Token, error) {
	if p.Name != nil {
		t.Name = *p.Name
	}
	if p.Scopes != nil {
		t.Scopes = *p.Scopes
	}
	if p.ExpiresAt != nil {
		var err error
		if t.ExpiresAt, err = expiry(*p.ExpiresAt, iso8601.Duration{}, now); err != nil {
			return t, err
		}
	}
	if p.Networks != nil {
		t.Networks = *p.Networks
	}
	if p.Restrict != nil {
		t.Restriction = p.Restrict(t.Restriction)
	}
	return t, nil
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
	refreshing := func(t apitoken.Token) replay.Mark { return t.Refreshing }
	if before, found, err := s.before(ctx, id, mark, refreshing); found || err != nil {
		return s.replayed(id, before), err
	}
	if err := s.there(ctx, id, token); err != nil {
		return IssuedToken{}, err
	}
	text := drawText(s.random, id)
	event := audit.Event{Action: audit.ActionRefreshToken, Group: string(id), Target: token}
	return s.issue(ctx, call, by, event, text, mark, refreshing, func(g group.Group) (group.Group, apitoken.Token, error) {
		t, err := found(g, token, match)
		if err != nil {
			return g, t, err
		}
		if err := by.mayGrant(t); err != nil {
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

// before looks for the token that this very request was granted before, so that
// asking again leaves no intent of a change.
func (s *Tokens) before(ctx context.Context, id group.ID, mark replay.Mark, of func(apitoken.Token) replay.Mark) (apitoken.Token, bool, error) {
	if mark.IsZero() {
		return apitoken.Token{}, false, nil
	}
	g, err := s.groups.Group(ctx, id)
	if err != nil {
		return apitoken.Token{}, false, fmt.Errorf("read group %s: %w", id, err)
	}
	return marked(g, mark, of)
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

// Revoke takes a token back, and the value before a refresh with it.
//
// Errors: [ErrTag], [group.ErrUnknownToken], ports.ErrNotFound, those of
// [Changes.Run], or what the store answers.
func (s *Tokens) Revoke(ctx context.Context, call Call, by Actor, id group.ID, token string, match Match) error {
	if err := by.May(ToWrite, id); err != nil {
		return err
	}
	if err := s.there(ctx, id, token); err != nil {
		return err
	}
	event := audit.Event{Action: audit.ActionRevokeToken, Group: string(id), Target: token}
	return s.changes.Run(ctx, call, by, event, func(ctx context.Context, _ *audit.Event) error {
		return s.groups.UpdateGroup(ctx, id, func(g group.Group) (group.Group, error) {
			if _, err := found(g, token, match); err != nil {
				return g, err
			}
			return g.WithoutToken(token)
		})
	})
}

// there answers for a token that is not there, before anything is recorded: an id
// that nothing has may be a secret in the wrong place.
func (s *Tokens) there(ctx context.Context, id group.ID, token string) error {
	g, err := s.groups.Group(ctx, id)
	if err != nil {
		return fmt.Errorf("read group %s: %w", id, err)
	}
	if _, found := g.TokenOf(token); !found {
		return group.ErrUnknownToken
	}
	return nil
}

// found is the token of that id in the state that match names.
func found(g group.Group, id string, match Match) (apitoken.Token, error) {
	t, found := g.TokenOf(id)
	if !found {
		return t, group.ErrUnknownToken
	}
	return t, match.Check(tagOfToken(t))
}

func (s *Tokens) pinnable(ctx context.Context, id group.ID, r policy.Restriction) error {
	if r.PinnedKey == "" {
		return nil
	}
	ring, err := s.keys.Ring(ctx, id)
	if err != nil {
		return fmt.Errorf("read ring of %s: %w", id, err)
	}
	return pinnable(ring, r.PinnedKey, s.clock.Now())
}

// narrower refuses a restriction that promises what the group does not allow. The
// error is a [*policy.Invalid].
func narrower(g group.Group, r policy.Restriction) error {
	if faults := g.Policy.Widened(r); faults != nil {
		return &policy.Invalid{Faults: faults}
	}
	return nil
}

// mayGrant returns nil if the actor may hand out a value of t. The error wraps
// [ErrScope].
func (a Actor) mayGrant(t apitoken.Token) error {
	if a.IsOperator() {
		if t.Scopes.Has(apitoken.Reveal) {
			return a.may(ToReveal)
		}
		return nil
	}
	own := a.Caller.Token
	switch {
	case !own.Scopes.Has(t.Scopes):
		return fmt.Errorf("%w %s, and hands out no scope that it lacks", ErrScope, t.Scopes&^own.Scopes)
	case !own.ExpiresAt.IsZero() && (t.ExpiresAt.IsZero() || t.ExpiresAt.After(own.ExpiresAt)):
		return fmt.Errorf("%w: it expires, and hands out no token that outlives it", ErrScope)
	case !within(own.Networks, t.Networks):
		return fmt.Errorf("%w: it is bound to networks, and hands out no token for others", ErrScope)
	case !own.Restriction.IsZero() && TagOf(sightOfRestriction(own.Restriction)) != TagOf(sightOfRestriction(t.Restriction)):
		return fmt.Errorf("%w: it has a restriction, and hands out no token with another", ErrScope)
	}
	return nil
}

// within reports whether every network of inner lies in one of outer; empty is
// every address.
func within(outer, inner []netip.Prefix) bool {
	if len(outer) == 0 {
		return true
	}
	return len(inner) > 0 && !slices.ContainsFunc(inner, func(in netip.Prefix) bool {
		return !slices.ContainsFunc(outer, func(out netip.Prefix) bool { return out.Bits() <= in.Bits() && out.Contains(in.Addr()) })
	})
}
