package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/key"
	"embedseal/domain/replay"
	"embedseal/ports"
)

// Rotation is how the default key shall be replaced.
type Rotation struct {
	// Overlap is how long the key before goes on sealing for requests that name it.
	// nil is the group's own, the zero Duration not at all.
	Overlap     *iso8601.Duration
	Label, Note string
	// Mark makes the same request, sent again, find what it made.
	Mark replay.Mark
}

// ParseOverlap reads a duration that may be zero, such as PT0S. The error is that
// of [iso8601.Parse].
func ParseOverlap(text string) (iso8601.Duration, error) {
	d, err := iso8601.Parse(text)
	if errors.Is(err, iso8601.ErrNotPositive) && !strings.Contains(text, "-") {
		return iso8601.Duration{}, nil
	}
	return d, err
}

// Rotated is what came of a rotation.
type Rotated struct {
	MadeKey
	// Previous is the default before, nil when there was none: until its RetiresAt
	// it seals for who names it, and from its SafeToDestroyAt on no token of it is
	// open.
	Previous *ShownKey
}

// ErrRotatesPinned refuses a rotation of the key that the group's policy pins: the new
// key would seal nothing, and after the overlap the old one neither.
var ErrRotatesPinned = errors.New("the group's policy pins this key")

// Rotate makes a key and has it seal from now on for requests that name none. Of
// several at once each gives a valid key, and the last is the default.
//
// Errors: [ErrRotatesPinned], [key.ErrInvalid] ([key.ErrFull] among it), [iso8601.ErrOverflow],
// [replay.ErrOther], [ErrScope], [ErrAudit], [ErrUnrecorded], or what the stores
// and the custody answer.
func (k *Keys) Rotate(ctx context.Context, call Call, by Actor, g group.ID, how Rotation) (Rotated, error) {
	at, err := k.enter(ctx, by, ToWrite, g)
	if err != nil {
		return Rotated{}, err
	}
	return k.rotate(ctx, call, by, at, how, func(key.Ring) error { return nil })
}

// rotate rotates the ring if admit lets it.
func (k *Keys) rotate(ctx context.Context, call Call, by Actor, at moment, how Rotation, admit func(key.Ring) error) (Rotated, error) {
	retires, err := at.endOf(how.Overlap)
	if err != nil {
		return Rotated{}, err
	}
	if pinned := at.group.Policy.PinnedKey; pinned != "" {
		ring, err := k.ring(ctx, at.group.ID)
		if err != nil {
			return Rotated{}, err
		}
		if ring.DefaultID() == pinned {
			return Rotated{}, fmt.Errorf("%w: %s", ErrRotatesPinned, pinned)
		}
	}
	made, ring, err := k.add(ctx, call, by, at, addition{
		NewKey: NewKey{Label: how.Label, Note: how.Note, Mark: how.Mark},
		action: audit.ActionRotateKey, draw: k.custody.Create,
		put: func(r key.Ring, next key.Key) (key.Ring, error) {
			if err := admit(r); err != nil {
				return r, err
			}
			return r.Rotate(next, at.now, retires, at.safe(retires))
		},
	})
	if err != nil {
		return Rotated{}, err
	}
	done := Rotated{MadeKey: made}
	if before, found := ring.Find(made.Key.Replaces); found {
		shown := at.show(ring, before)
		done.Previous = &shown
	}
	return done, nil
}

// lastYear is the last that a record can name.
const lastYear = 9999

// endOf is when an overlap ends that begins now.
func (m moment) endOf(overlap *iso8601.Duration) (time.Time, error) {
	length := m.group.OverlapOrDefault()
	if overlap != nil {
		length = *overlap
	}
	if length.IsZero() {
		return m.now, nil
	}
	end, err := length.AddTo(m.now)
	if err == nil && m.safe(end).Year() > lastYear {
		err = iso8601.ErrOverflow
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("end of the overlap: %w", err)
	}
	return end, nil
}

// errTurned ends a scheduled rotation that another process was faster with.
var errTurned = fmt.Errorf("%w: the default key that was due has been replaced", ports.ErrConflict)

// scheduled rotates if due is still the default. It reports whether it did; that
// others were faster, in a race for the ring too, is no error.
func (k *Keys) scheduled(ctx context.Context, by Actor, g group.ID, due key.ID) (Rotated, bool, error) {
	at, err := k.enter(ctx, by, ToWrite, g)
	if err != nil {
		return Rotated{}, false, err
	}
	done, err := k.rotate(ctx, Call{}, by, at, Rotation{}, func(r key.Ring) error {
		if r.DefaultID() != due {
			return errTurned
		}
		return nil
	})
	if errors.Is(err, ports.ErrConflict) {
		return Rotated{}, false, nil
	}
	return done, err == nil, err
}
