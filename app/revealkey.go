package app

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"embedseal/domain/audit"
	"embedseal/domain/group"
	"embedseal/domain/key"
)

// ErrNotExportable: the material of the key never leaves its custody.
var ErrNotExportable = errors.New("the material of this key never leaves its custody")

// Reveal returns the key with its value, to who has the right [ToReveal]. The
// record is written before the value is returned.
//
// Errors: [ErrNotExportable], [key.ErrState] for a destroyed key,
// [key.ErrUnknown], [ErrScope], [ErrAudit], [ErrUnrecorded], or what the stores
// answer.
func (k *Keys) Reveal(ctx context.Context, call Call, by Actor, g group.ID, id key.ID) (key.Key, error) {
	return k.give(ctx, call, by, audit.ActionRevealKey, g, id)
}

// ExportJWK is [Keys.Reveal] as a JSON Web Key (RFC 7518 section 6.4): `kty`,
// `kid` and `k`, which is the base64url text of the value's bytes. There is no
// `alg`: the `jose` command takes a key with none or A256GCM, and refuses "dir".
func (k *Keys) ExportJWK(ctx context.Context, call Call, by Actor, g group.ID, id key.ID) ([]byte, error) {
	given, err := k.give(ctx, call, by, audit.ActionExportKey, g, id)
	if err != nil {
		return nil, err
	}
	doc, err := json.Marshal(struct {
		Kty string `json:"kty"`
		Kid key.ID `json:"kid"`
		K   string `json:"k"`
	}{"oct", given.ID, base64.RawURLEncoding.EncodeToString([]byte(given.Secret.Reveal()))})
	if err != nil {
		return nil, fmt.Errorf("write key %s: %w", id, err)
	}
	return doc, nil
}

func (k *Keys) give(ctx context.Context, call Call, by Actor, action audit.Action, g group.ID, id key.ID) (key.Key, error) {
	if _, err := k.enter(ctx, by, ToReveal, g); err != nil {
		return key.Key{}, err
	}
	if err := k.there(ctx, g, id); err != nil {
		return key.Key{}, err
	}
	var given key.Key
	what := audit.Event{Action: action, Group: string(g), KeyID: string(id)}
	err := k.changes.Run(ctx, call, by, what, func(ctx context.Context, _ *audit.Event) error {
		ring, err := k.ring(ctx, g)
		if err != nil {
			return err
		}
		found := false
		given, found = ring.Find(id)
		switch {
		case !found:
			return key.ErrUnknown
		case given.State == key.Destroyed:
			return fmt.Errorf("%w: %s is %s", key.ErrState, id, given.State)
		case given.Custody != key.Material:
			return fmt.Errorf("%s: %w", id, ErrNotExportable)
		}
		return nil
	})
	if err != nil {
		return key.Key{}, err
	}
	return given, nil
}
