package app

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"embedseal/domain/apitoken"
	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/policy"
	"embedseal/domain/secret"
	"embedseal/ports"
)

// Bootstrapper makes the first group of an empty store.
type Bootstrapper struct {
	groups   ports.GroupStore
	defaults *DefaultKeys
	changes  *Changes
	clock    ports.Clock
	random   ports.Random
}

// NewBootstrapper returns a Bootstrapper.
func NewBootstrapper(groups ports.GroupStore, defaults *DefaultKeys, changes *Changes,
	clock ports.Clock, random ports.Random) *Bootstrapper {
	return &Bootstrapper{groups: groups, defaults: defaults, changes: changes, clock: clock, random: random}
}

// Bootstrapped is what there is after a bootstrap.
type Bootstrapped struct {
	// Created is false when the group was there already.
	Created bool
	// Key is the group's default key, and KeyMade says that it was made now.
	Key     key.Key
	KeyMade bool
}

// NewAPIToken draws the text of an API token of the group. Nothing is stored.
func (b *Bootstrapper) NewAPIToken(id group.ID) secret.Text {
	var random [apitoken.Entropy]byte
	b.random.Fill(random[:])
	return apitoken.New(string(id), random)
}

// Run makes the group with the default policy, one read-write API token whose
// text the caller drew and keeps, and a default key. A group that is there is
// left as it is, but for a missing default key. A run that was killed is
// finished by the next.
//
// Errors: [apitoken.ErrMalformed] for a text of another group, [ErrAudit],
// [ErrUnrecorded], or what the stores answer.
func (b *Bootstrapper) Run(ctx context.Context, call Call, id group.ID, text secret.Text) (Bootstrapped, error) {
	created := false
	_, err := b.groups.Group(ctx, id)
	if errors.Is(err, ports.ErrNotFound) {
		created = true
		err = b.create(ctx, call, id, text)
		if errors.Is(err, ports.ErrExists) { // another process was faster
			created = false
			_, err = b.groups.Group(ctx, id)
		}
	}
	if err != nil {
		return Bootstrapped{}, fmt.Errorf("group %s: %w", id, err)
	}
	k, made, err := b.defaults.ensure(ctx, call, Actor{}, id)
	if err != nil {
		return Bootstrapped{}, err
	}
	return Bootstrapped{Created: created, Key: k, KeyMade: made}, nil
}

func (b *Bootstrapper) create(ctx context.Context, call Call, id group.ID, text secret.Text) error {
	presented, err := apitoken.Parse(text.Reveal())
	if err != nil || presented.Group() != string(id) {
		return fmt.Errorf("%w: not a token of this group", apitoken.ErrMalformed)
	}
	var seed [8]byte
	b.random.Fill(seed[:])
	now := b.clock.Now()
	g := group.Group{
		ID: id, Name: string(id), Policy: policy.Default(), CreatedAt: now.Truncate(time.Second),
		Tokens: []apitoken.Token{{
			ID: hex.EncodeToString(seed[:]), Name: "first", Digest: presented.Digest(),
			Scopes: apitoken.ReadWrite, CreatedAt: now.Truncate(time.Second),
		}},
	}
	what := audit.Event{Action: audit.ActionCreateGroup, Group: string(id)}
	return b.changes.Run(ctx, call, Actor{}, what, func(ctx context.Context, _ *audit.Event) error {
		return b.groups.CreateGroup(ctx, g)
	})
}
