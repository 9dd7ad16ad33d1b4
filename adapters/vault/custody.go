package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/ports"
)

var _ ports.KeyCustody = (*Custody)(nil)

// Custody makes keys of the custody [key.VaultTransit]: one kid is one key of
// the Transit engine, of the type aes256-gcm96, which Vault gives to nobody. It
// implements ports.KeyCustody; an id that cannot be the name of a Transit key is
// refused with ports.ErrCustody.
//
// A key that was made and never came into a ring is listed by [Backend.Doctor].
type Custody struct{ b *Backend }

// NewCustody returns the custody whose keys lie in the Transit engine of b.
func NewCustody(b *Backend) *Custody { return &Custody{b} }

// newKey is the body of transit/keys.
type newKey struct {
	Type                 string `json:"type"`
	Exportable           bool   `json:"exportable"`
	AllowPlaintextBackup bool   `json:"allow_plaintext_backup"`
	Derived              bool   `json:"derived"`
}

// Create implements ports.KeyCustody. Vault answers alike whether it made a key
// or had one of that name, so the name is looked for first. Of two calls for
// one id at the same time both may be told that they made it, and the ring
// refuses one of them: ids are random, or an administrator's choice.
func (c *Custody) Create(ctx context.Context, g group.ID, id key.ID) (key.Key, error) {
	what := "create the Transit key " + shownID(id)
	if err := ctx.Err(); err != nil {
		return key.Key{}, err
	}
	name, err := nameInTransit(c.b.cfg.Prefix, g, id)
	if err != nil {
		return key.Key{}, fmt.Errorf("vault: %s: %w", what, err)
	}
	within, cancel := c.b.budget(ctx)
	defer cancel()
	found, err := c.b.transitKey(within, name)
	if err == nil && found.there {
		err = ports.ErrExists
	}
	if err == nil {
		err = c.make(within, name)
	}
	if err != nil {
		return key.Key{}, explain(ctx, what, err)
	}
	return key.Key{ID: id, State: key.Active, Custody: key.VaultTransit, Ref: ref(name)}, nil
}

// make makes a key that was not there. When the answer is lost it looks, and
// asks again for as long as there is none.
func (c *Custody) make(ctx context.Context, name string) error {
	for doubt := false; ; doubt = true {
		resp, err := c.b.call(ctx, http.MethodPut, c.b.cfg.TransitMount+"/keys/"+name, newKey{Type: transitType})
		if err != nil && untouched(err) && !doubt {
			return readOnly(err)
		}
		var made transitKey
		if err == nil && resp.Secret != nil {
			made, err = describe(resp.Data)
		}
		if !made.there {
			var readErr error
			if made, readErr = c.settle(ctx, name); readErr != nil {
				if err == nil {
					err = notVault()
				}
				return unknown(err, readErr)
			}
		}
		switch {
		case made.there && (made.exportable || made.unfit(firstVersion) != ""):
			return fmt.Errorf("%w: another key of that name was made at the same time", ports.ErrExists)
		case made.there:
			return nil
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// settle reads what became of the key, for as long as there is time.
func (c *Custody) settle(ctx context.Context, name string) (transitKey, error) {
	for {
		found, err := c.b.transitKey(ctx, name)
		if err == nil || ctx.Err() != nil || errors.Is(err, ports.ErrDenied) {
			return found, err
		}
		pause(ctx, 100*time.Millisecond)
	}
}

// Destroy implements ports.KeyCustody. It looks at the custody and not at the
// state: a key that the ring calls destroyed may still be in Transit.
func (c *Custody) Destroy(ctx context.Context, g group.ID, k key.Key) error {
	what := "destroy the Transit key " + shownID(k.ID)
	if err := ctx.Err(); err != nil {
		return err
	}
	if k.Custody != key.VaultTransit {
		return fmt.Errorf("vault: %s: %w: its custody is %s", what, ports.ErrCustody, k.Custody)
	}
	name, _, err := parseRef(g, k)
	if err != nil { // without a reference, or with another key's: where it would be
		name, err = nameInTransit(c.b.cfg.Prefix, g, k.ID)
	}
	if err != nil {
		return fmt.Errorf("vault: %s: %w", what, err)
	}
	within, cancel := c.b.budget(ctx)
	defer cancel()
	return explain(ctx, what, c.unmake(within, name))
}

// unmake deletes the key until it is not there.
func (c *Custody) unmake(ctx context.Context, name string) error {
	found, err := c.b.transitKey(ctx, name)
	if err != nil {
		return err
	}
	for doubt := false; found.there; pause(ctx, 50*time.Millisecond) {
		failed := c.remove(ctx, name, found.deletable)
		if failed == nil {
			return nil
		}
		doubt = doubt || !untouched(failed)
		// It may be gone by now: through this call, or another one that was faster.
		if found, err = c.settle(ctx, name); err != nil {
			if doubt {
				return unknown(failed, err)
			}
			return failed
		}
		if found.there && !doubt {
			return failed
		}
	}
	return nil
}

// remove deletes the key, which Vault must be told is allowed.
func (c *Custody) remove(ctx context.Context, name string, allowed bool) error {
	path := c.b.cfg.TransitMount + "/keys/" + name
	if !allowed {
		if _, err := c.b.call(ctx, http.MethodPut, path+"/config", map[string]bool{"deletion_allowed": true}); err != nil {
			return err
		}
	}
	resp, err := c.b.call(ctx, http.MethodDelete, path, nil)
	if err == nil && resp.status != http.StatusNoContent {
		return notVault()
	}
	return err
}
