package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"embedseal/adapters/internal/codec"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
)

var _ ports.KeyStore = (*KeyStore)(nil)

// KeyStore is a ports.KeyStore: one secret for the ring of each group.
type KeyStore struct{ b *Backend }

// NewKeyStore returns the key store that lies in b.
func NewKeyStore(b *Backend) *KeyStore { return &KeyStore{b} }

// Ring implements ports.KeyStore.
func (s *KeyStore) Ring(ctx context.Context, g group.ID) (key.Ring, error) {
	if err := checkID(ctx, g); err != nil {
		return key.Ring{}, err
	}
	r, _, err := s.b.readRing(ctx, g)
	return r, explain(ctx, "read the ring of "+string(g), err)
}

// UpdateRing implements ports.KeyStore. When material is gone after it, so it
// is from the earlier versions.
func (s *KeyStore) UpdateRing(ctx context.Context, g group.ID, change func(key.Ring) (key.Ring, error)) error {
	if err := checkID(ctx, g); err != nil {
		return err
	}
	within, cancel := s.b.budget(ctx)
	defer cancel()
	return race(ctx, within, "update the ring of "+string(g), func() error {
		ring, old, err := s.b.readRing(within, g)
		if err != nil {
			return err
		}
		next, err := change(ring)
		if err != nil {
			return &refusal{err}
		}
		if ctx.Err() != nil {
			return &refusal{ctx.Err()}
		}
		doc, err := codec.EncodeRing(g, next)
		if err != nil {
			return &refusal{err}
		}
		return s.b.putRing(within, g, old, doc, forgets(ring, next))
	})
}

func (b *Backend) readRing(ctx context.Context, g group.ID) (key.Ring, record, error) {
	r, err := b.read(ctx, folderRings, g)
	if err != nil || !r.found {
		return key.Ring{}, r, err
	}
	ring, err := codec.DecodeRing(g, []byte(r.Document))
	return ring, r, err
}

// putRing writes the ring. When that forgets material the earlier versions are
// destroyed, and until they are the secret says so.
func (b *Backend) putRing(ctx context.Context, g group.ID, old record, doc []byte, forgets bool) error {
	purge := forgets
	if old.Purge && !forgets {
		// Finished here if it can be soon; if not, what follows goes on saying so.
		soon, cancel := context.WithTimeout(ctx, b.cfg.CallTimeout/4)
		purge = b.purge(soon, folderRings, g, old.version) != nil
		cancel()
	}
	now, err := b.put(ctx, folderRings, g, old, doc, purge)
	if err != nil || !forgets {
		return err
	}
	if err := b.purge(ctx, folderRings, g, now.version); err != nil {
		return fmt.Errorf("%w: %s", ports.ErrNotPurged, err.Error())
	}
	return nil
}

// forgets reports whether material of the ring before is not in the one after.
func forgets(before, after key.Ring) bool {
	for _, k := range before.Keys() {
		if k.Secret.IsZero() {
			continue
		}
		if kept, found := after.Find(k.ID); !found || !kept.Secret.Equal(k.Secret) {
			return true
		}
	}
	return false
}

// refusal is the caller's own error, which goes back as it is.
type refusal struct{ err error }

func (r *refusal) Error() string { return r.err.Error() }

// race runs the update again while another writer is faster. ctx is the
// caller's, and within the time that there is.
func race(ctx, within context.Context, what string, update func() error) error {
	for try := 1; ; try++ {
		err := update()
		var own *refusal
		switch {
		case errors.As(err, &own):
			return own.err
		case try > 1 && within.Err() != nil && errors.Is(err, ports.ErrUnavailable):
			return fmt.Errorf("vault: %s: %w", what, ports.ErrConflict) // races took all the time there was
		case !errors.Is(err, errLostRace):
			return explain(ctx, what, err)
		case ctx.Err() != nil:
			return ctx.Err()
		case try >= maxRaces || within.Err() != nil:
			return fmt.Errorf("vault: %s: %w", what, ports.ErrConflict)
		}
		pause(within, time.Duration(try)*5*time.Millisecond)
	}
}

// explain says what was done. When the caller has stopped waiting, and nothing
// was written, that is the answer.
func explain(ctx context.Context, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && errors.Is(err, ports.ErrUnavailable):
		return ctx.Err()
	}
	return fmt.Errorf("vault: %s: %w", what, err)
}

// checkID answers for a context that is done, and for an id that no
// constructor made, before anything is asked of Vault.
func checkID(ctx context.Context, id group.ID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := group.ParseID(string(id)); err != nil {
		return fmt.Errorf("%w: group %.50q", ports.ErrNotFound, id)
	}
	return nil
}
