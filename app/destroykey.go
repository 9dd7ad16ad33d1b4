package app

import (
	"context"
	"fmt"

	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/key"
)

// Destroy lets the material of a key go for good; its tombstone stays in the
// ring. Unless forced it waits until no token of the key can be open. To destroy
// a destroyed key again finishes what was left over.
//
// A key that lives outside of the ring is disabled first, so that nobody makes
// it the default while its material is going; should its custody fail, it stays
// disabled. The material goes before the ring says so.
//
// Errors: [key.ErrUnknown], [key.ErrIsDefault], [key.ErrNotSafe], [ErrTag],
// [ErrScope], [ErrAudit], [ErrUnrecorded], or what the stores and the custody
// answer.
func (k *Keys) Destroy(ctx context.Context, call Call, by Actor, g group.ID, id key.ID, match Match, force bool) (ShownKey, error) {
	at, err := k.enter(ctx, by, ToWrite, g)
	if err != nil {
		return ShownKey{}, err
	}
	if err := k.there(ctx, g, id); err != nil {
		return ShownKey{}, err
	}
	var shown ShownKey
	what := audit.Event{Action: audit.ActionDestroyKey, Group: string(g), KeyID: string(id)}
	err = k.changes.Run(ctx, call, by, what, func(ctx context.Context, _ *audit.Event) error {
		var doomed key.Key
		err := k.update(ctx, at, id, match, &shown, func(r key.Ring) (key.Ring, error) {
			doomed, _ = r.Find(id)
			next, err := r.Destroy(id, at.now, at.horizon, force)
			switch {
			case err != nil, doomed.Custody == key.Material: // it is nowhere but in the ring
				return next, err
			case doomed.State == key.Destroyed, doomed.State == key.Disabled:
				return r, nil
			}
			return r.Disable(id, at.now, at.safe(at.now))
		})
		if err != nil || doomed.Custody == key.Material {
			return err
		}
		if err := k.custody.Destroy(ctx, g, doomed); err != nil {
			return fmt.Errorf("destroy key %s of %s: %w", id, g, err)
		}
		return k.update(ctx, at, id, "", &shown, func(r key.Ring) (key.Ring, error) { return r.Gone(id) })
	})
	if err != nil {
		return ShownKey{}, err
	}
	return shown, nil
}
