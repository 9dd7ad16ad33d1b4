package codec

import (
	"fmt"
	"time"

	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/replay"
)

type ringDocument struct {
	V       int           `json:"v"`
	Group   string        `json:"group"`
	Default string        `json:"default,omitempty"`
	Keys    []keyDocument `json:"keys"`
}

type keyDocument struct {
	ID        string     `json:"id"`
	State     string     `json:"state"`
	Custody   string     `json:"custody"`
	Secret    string     `json:"secret,omitempty"`
	Ref       string     `json:"ref,omitempty"`
	CreatedAt *time.Time `json:"created_at,omitempty"`
	// What follows is left out where it says nothing, so that a document of before
	// is still written as it is.
	Label           string     `json:"label,omitempty"`
	Note            string     `json:"note,omitempty"`
	RetiresAt       *time.Time `json:"retires_at,omitempty"`
	SafeToDestroyAt *time.Time `json:"safe_to_destroy_at,omitempty"`
	Replaces        string     `json:"replaces,omitempty"`
	Creation        string     `json:"creation,omitempty"`
}

// EncodeRing returns the document of the ring of g, with its secrets in clear.
// The error wraps group.ErrInvalid or [ErrInvalid].
func EncodeRing(g group.ID, r key.Ring) ([]byte, error) {
	what := "a ring"
	if _, err := group.ParseID(string(g)); err != nil {
		return nil, fmt.Errorf("codec: encode %s: %w", what, err)
	}
	what = "the ring of " + string(g)
	keys := r.Keys()
	d := ringDocument{V: format, Group: string(g), Default: string(r.DefaultID()), Keys: make([]keyDocument, len(keys))}
	for i, k := range keys {
		d.Keys[i] = keyDocument{
			ID: string(k.ID), State: k.State.String(), Custody: k.Custody.String(),
			Secret: k.Secret.Reveal(), Ref: k.Ref, CreatedAt: instant(k.CreatedAt),
			Label: k.Label, Note: k.Note, RetiresAt: instant(k.RetiresAt), SafeToDestroyAt: instant(k.SafeToDestroyAt),
			Replaces: string(k.Replaces), Creation: k.Creation.String(),
		}
	}
	return encode(what, d)
}

// DecodeRing returns the ring of g that doc stands for. The error wraps
// ports.ErrCorrupt and holds no part of doc.
func DecodeRing(g group.ID, doc []byte) (key.Ring, error) {
	what := "the ring of " + string(g)
	var d ringDocument
	if err := decode(what, doc, &d); err != nil {
		return key.Ring{}, err
	}
	if d.V != format || d.Group != string(g) {
		return key.Ring{}, unreadable(what, "it is of another format or another group")
	}
	keys := make([]key.Key, len(d.Keys))
	for i := range d.Keys {
		var ok bool
		if keys[i], ok = d.Keys[i].key(); !ok {
			return key.Ring{}, unreadable(what, fmt.Sprintf("its key number %d breaks the rules of keys", i))
		}
	}
	r, err := key.NewRing(keys, key.ID(d.Default))
	if err != nil {
		return key.Ring{}, unreadable(what, "it breaks the rules of rings")
	}
	again, err := EncodeRing(g, r)
	if err := canonical(what, doc, again, err); err != nil {
		return key.Ring{}, err
	}
	return r, nil
}

func (d keyDocument) key() (key.Key, bool) {
	id, err := key.ParseID(d.ID)
	if err != nil {
		return key.Key{}, false
	}
	state, err := key.ParseState(d.State)
	if err != nil {
		return key.Key{}, false
	}
	custody, err := key.ParseCustody(d.Custody)
	if err != nil {
		return key.Key{}, false
	}
	creation, err := replay.Parse(d.Creation)
	if err != nil {
		return key.Key{}, false
	}
	k := key.Key{
		ID: id, State: state, Custody: custody, Ref: d.Ref, CreatedAt: fromInstant(d.CreatedAt),
		Label: d.Label, Note: d.Note, RetiresAt: fromInstant(d.RetiresAt), SafeToDestroyAt: fromInstant(d.SafeToDestroyAt),
		Replaces: key.ID(d.Replaces), Creation: creation,
	}
	if d.Secret == "" {
		return k, true
	}
	k.Secret, err = key.ParseSecret(d.Secret)
	return k, err == nil
}
