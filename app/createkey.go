package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/label"
	"embedseal/domain/replay"
	"embedseal/domain/secret"
	"embedseal/ports"
)

// NewKey is what a new key shall be.
type NewKey struct {
	// ID is empty for one of our own making; to import, it must be given.
	ID          key.ID
	Label, Note string
	// Default makes it the default at once; the default before it stays active.
	Default bool
	// Mark makes the same request, sent again, find what it made.
	Mark replay.Mark
}

// MadeKey is a key that was made.
type MadeKey struct {
	ShownKey
	// Value is shown this once: zero when it never leaves its custody, and when the
	// request was Replayed, which means that it had made the key before.
	Value    key.Secret
	Replayed bool
	// Trimmed says that white space around an imported value was left off.
	Trimmed bool
}

// Create makes a key in the custody of new keys.
//
// Errors: [key.ErrInvalid] ([key.ErrTaken] and [key.ErrFull] among it),
// [replay.ErrOther], [ErrScope], [ErrAudit], [ErrUnrecorded], or what the stores
// and the custody answer.
func (k *Keys) Create(ctx context.Context, call Call, by Actor, g group.ID, n NewKey) (MadeKey, error) {
	at, err := k.enter(ctx, by, ToWrite, g)
	if err != nil {
		return MadeKey{}, err
	}
	made, _, err := k.add(ctx, call, by, at, addition{NewKey: n, action: audit.ActionCreateKey, draw: k.custody.Create, put: n.put})
	return made, err
}

// Import takes a key that exists elsewhere, in the custody of the ring, so that
// tokens which its owner goes on sealing are opened here. Errors: as of
// [Keys.Create].
func (k *Keys) Import(ctx context.Context, call Call, by Actor, g group.ID, n NewKey, value secret.Text) (MadeKey, error) {
	at, err := k.enter(ctx, by, ToWrite, g)
	if err != nil {
		return MadeKey{}, err
	}
	if _, err := key.ParseID(string(n.ID)); err != nil {
		return MadeKey{}, err
	}
	parsed, trimmed, err := key.TrimSecret(value.Reveal())
	if err != nil {
		return MadeKey{}, err
	}
	made, _, err := k.add(ctx, call, by, at, addition{NewKey: n, action: audit.ActionImportKey, put: n.put,
		draw: func(_ context.Context, _ group.ID, id key.ID) (key.Key, error) {
			return key.Key{ID: id, State: key.Active, Custody: key.Material, Secret: parsed}, nil
		}})
	made.Trimmed = err == nil && trimmed
	return made, err
}

func (n NewKey) put(r key.Ring, k key.Key) (key.Ring, error) {
	if n.Default {
		return r.WithDefault(k)
	}
	return r.With(k)
}

// addition is how a key comes to be and into the ring.
type addition struct {
	NewKey
	action audit.Action
	draw   func(context.Context, group.ID, key.ID) (key.Key, error)
	put    func(key.Ring, key.Key) (key.Ring, error)
}

// errReplayed ends an update whose request has made its key before.
var errReplayed = errors.New("made before")

// add makes a key and puts it into the ring, which it returns as well: the
// custody first, then the ring. What the ring did not take is given back, unless
// it may be another's or the ring's after all.
func (k *Keys) add(ctx context.Context, call Call, by Actor, at moment, a addition) (MadeKey, key.Ring, error) {
	g, drawn := at.group.ID, a.ID == ""
	if drawn {
		var seed [16]byte
		k.random.Fill(seed[:])
		a.ID = key.NewID(seed)
	}
	ring, err := k.ring(ctx, g)
	if err != nil {
		return MadeKey{}, ring, err
	}
	earlier, again, err := ring.Made(a.Mark)
	if again || err != nil {
		return MadeKey{ShownKey: at.show(ring, earlier), Replayed: again}, ring, err
	}
	if err := a.check(ring); err != nil {
		return MadeKey{}, ring, err
	}
	var made MadeKey
	what := audit.Event{Action: a.action, Group: string(g), KeyID: string(a.ID)}
	err = k.changes.Run(ctx, call, by, what, func(ctx context.Context, e *audit.Event) error {
		fresh, err := a.draw(ctx, g, a.ID)
		if err != nil {
			return notDrawn(g, a.ID, err)
		}
		fresh.CreatedAt, fresh.Label, fresh.Note, fresh.Creation = at.now.Truncate(time.Second), a.Label, a.Note, a.Mark
		var refused error
		err = k.keys.UpdateRing(ctx, g, func(r key.Ring) (key.Ring, error) {
			made, ring, refused = a.into(at, r, fresh)
			return ring, refused
		})
		if err != nil && drawn && notWritten(err, refused) {
			err = k.giveBack(ctx, g, fresh, err)
		}
		if errors.Is(err, errReplayed) {
			e.KeyID, err = string(made.Key.ID), nil
		}
		return err
	})
	if err != nil {
		return MadeKey{}, key.Ring{}, err
	}
	return made, ring, nil
}

// check refuses what the ring would not take, before anything is made.
func (a addition) check(ring key.Ring) error {
	if err := errors.Join(label.CheckName(a.Label), label.CheckNote(a.Note)); err != nil {
		return fmt.Errorf("%w: label or note: %w", key.ErrInvalid, err)
	}
	if _, err := key.ParseID(string(a.ID)); err != nil {
		return err
	}
	if _, taken := ring.Find(a.ID); taken {
		return fmt.Errorf("%w: %s", key.ErrTaken, a.ID)
	}
	if ring.Len() >= key.MaxRing {
		return key.ErrFull
	}
	return nil
}

// notDrawn is why a custody made no key. Of an id that it has already, or cannot
// have, the ring could say the same.
func notDrawn(g group.ID, id key.ID, err error) error {
	what := fmt.Sprintf("create key %s of %s", id, g)
	switch {
	case errors.Is(err, ports.ErrExists):
		return fmt.Errorf("%s: %w: %s", what, key.ErrTaken, err.Error())
	case errors.Is(err, ports.ErrCustody):
		return fmt.Errorf("%s: %w: %s", what, key.ErrInvalid, err.Error())
	}
	return fmt.Errorf("%s: %w", what, err)
}

// into puts the fresh key into a ring.
func (a addition) into(at moment, r key.Ring, fresh key.Key) (MadeKey, key.Ring, error) {
	earlier, again, err := r.Made(a.Mark)
	switch {
	case err != nil:
		return MadeKey{}, r, err
	case again:
		return MadeKey{ShownKey: at.show(r, earlier), Replayed: true}, r, errReplayed
	}
	next, err := a.put(r, fresh)
	if err != nil {
		return MadeKey{}, r, err
	}
	put, _ := next.Find(fresh.ID)
	return MadeKey{ShownKey: at.show(next, put), Value: fresh.Secret}, next, nil
}

// notWritten reports whether an update that failed has certainly not written:
// refused is what its closure said last.
func notWritten(err, refused error) bool {
	return refused != nil && errors.Is(err, refused) || errors.Is(err, ports.ErrConflict) || errors.Is(err, ports.ErrUnavailable)
}

// giveBack destroys what no ring names. That it could not does not change what
// the caller is told: "embedseal doctor" names what stays.
func (k *Keys) giveBack(ctx context.Context, g group.ID, fresh key.Key, why error) error {
	if err := k.custody.Destroy(context.WithoutCancel(ctx), g, fresh); err != nil {
		return fmt.Errorf("%w; key %s is left in its custody: %s", why, fresh.ID, err.Error())
	}
	return why
}
