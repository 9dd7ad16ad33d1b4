package app

import (
	"context"

	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/key"
)

// The methods below change one key of a group. match is the version of it that
// the caller has seen. Errors, of all: [key.ErrUnknown], [ErrTag], [ErrScope],
// [ErrAudit], [ErrUnrecorded], or what the stores answer.

// KeyPatch is what to change of the operator's words; nil leaves them.
type KeyPatch struct{ Label, Note *string }

// Update changes label and note. Errors: [key.ErrInvalid] too.
func (k *Keys) Update(ctx context.Context, call Call, by Actor, g group.ID, id key.ID, match Match, patch KeyPatch) (ShownKey, error) {
	return k.change(ctx, call, by, audit.ActionUpdateKey, g, id, match, func(_ moment, r key.Ring) (key.Ring, error) {
		now, _ := r.Find(id)
		if patch.Label != nil {
			now.Label = *patch.Label
		}
		if patch.Note != nil {
			now.Note = *patch.Note
		}
		return r.Relabel(id, now.Label, now.Note)
	})
}

// SetDefault makes an active key the one that seals for requests that name none.
// Errors: [key.ErrState] too.
func (k *Keys) SetDefault(ctx context.Context, call Call, by Actor, g group.ID, id key.ID, match Match) (ShownKey, error) {
	return k.change(ctx, call, by, audit.ActionDefaultKey, g, id, match, func(at moment, r key.Ring) (key.Ring, error) {
		return r.SetDefault(id, at.now)
	})
}

// Retire ends the sealing of an active key. Errors: [key.ErrIsDefault],
// [key.ErrState] too.
func (k *Keys) Retire(ctx context.Context, call Call, by Actor, g group.ID, id key.ID, match Match) (ShownKey, error) {
	return k.change(ctx, call, by, audit.ActionRetireKey, g, id, match, func(at moment, r key.Ring) (key.Ring, error) {
		return r.Retire(id, at.now, at.safe(at.now))
	})
}

// Disable ends sealing and opening, until the key is enabled. Errors:
// [key.ErrIsDefault], [key.ErrState] too.
func (k *Keys) Disable(ctx context.Context, call Call, by Actor, g group.ID, id key.ID, match Match) (ShownKey, error) {
	return k.change(ctx, call, by, audit.ActionDisableKey, g, id, match, func(at moment, r key.Ring) (key.Ring, error) {
		return r.Disable(id, at.now, at.safe(at.now))
	})
}

// Enable gives a disabled key back what it might do before. Errors:
// [key.ErrState] too.
func (k *Keys) Enable(ctx context.Context, call Call, by Actor, g group.ID, id key.ID, match Match) (ShownKey, error) {
	return k.change(ctx, call, by, audit.ActionEnableKey, g, id, match, func(at moment, r key.Ring) (key.Ring, error) {
		return r.Enable(id, at.now)
	})
}
