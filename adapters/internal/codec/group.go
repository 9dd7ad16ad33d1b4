package codec

import (
	"encoding/hex"
	"fmt"
	"time"

	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/policy"
)

type groupDocument struct {
	V         int             `json:"v"`
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Policy    policyDocument  `json:"policy"`
	Tokens    []tokenDocument `json:"tokens"`
	CreatedAt *time.Time      `json:"created_at,omitempty"`
}

type policyDocument struct {
	DefaultLifetime string `json:"default_lifetime"`
	MaxLifetime     string `json:"max_lifetime"`
	ChartEmbedding  bool   `json:"chart_embedding"`
}

type tokenDocument struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Digest    string     `json:"digest"`
	Scopes    []string   `json:"scopes"`
	CreatedAt *time.Time `json:"created_at,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// CheckGroup refuses a group that no document stands for, whatever store it is
// for. The error wraps group.ErrInvalid, policy.ErrInvalid or [ErrInvalid].
func CheckGroup(g group.Group) error {
	_, err := EncodeGroup(g)
	return err
}

// EncodeGroup returns the document of g. The error is that of [CheckGroup].
func EncodeGroup(g group.Group) ([]byte, error) {
	what := "a group"
	if _, err := group.ParseID(string(g.ID)); err != nil {
		return nil, fmt.Errorf("codec: encode %s: %w", what, err)
	}
	what = "the group " + string(g.ID)
	if err := g.Policy.Check(); err != nil {
		return nil, fmt.Errorf("codec: encode %s: %w", what, err)
	}
	if err := text(what, g.Name); err != nil {
		return nil, err
	}
	d := groupDocument{
		V: format, ID: string(g.ID), Name: g.Name, CreatedAt: instant(g.CreatedAt),
		Policy: policyDocument{
			DefaultLifetime: g.Policy.DefaultLifetime.String(),
			MaxLifetime:     g.Policy.MaxLifetime.String(),
			ChartEmbedding:  g.Policy.ChartEmbedding,
		},
		Tokens: make([]tokenDocument, len(g.Tokens)),
	}
	seen := make(map[string]bool, len(g.Tokens))
	for i, t := range g.Tokens {
		if err := text(what, t.ID+t.Name); err != nil {
			return nil, err
		}
		if t.Scopes&^apitoken.All != 0 || seen[t.ID] {
			return nil, fmt.Errorf("codec: encode %s: %w: token number %d has an unknown scope or the id of another", what, ErrInvalid, i)
		}
		seen[t.ID] = true
		d.Tokens[i] = tokenDocument{
			ID: t.ID, Name: t.Name, Digest: hex.EncodeToString(t.Digest[:]), Scopes: t.Scopes.Names(),
			CreatedAt: instant(t.CreatedAt), ExpiresAt: instant(t.ExpiresAt),
		}
	}
	return encode(what, d)
}

// DecodeGroup returns the group of that id that doc stands for. The error wraps
// ports.ErrCorrupt and holds no part of doc.
func DecodeGroup(id group.ID, doc []byte) (group.Group, error) {
	what := "the group " + string(id)
	var d groupDocument
	if err := decode(what, doc, &d); err != nil {
		return group.Group{}, err
	}
	if d.V != format || d.ID != string(id) {
		return group.Group{}, unreadable(what, "it is of another format or another group")
	}
	defaultLifetime, err := iso8601.Parse(d.Policy.DefaultLifetime)
	if err != nil {
		return group.Group{}, unreadable(what, "its default lifetime is no duration")
	}
	maxLifetime, err := iso8601.Parse(d.Policy.MaxLifetime)
	if err != nil {
		return group.Group{}, unreadable(what, "its maximum lifetime is no duration")
	}
	g := group.Group{
		ID: id, Name: d.Name, CreatedAt: fromInstant(d.CreatedAt),
		Policy: policy.Policy{DefaultLifetime: defaultLifetime, MaxLifetime: maxLifetime, ChartEmbedding: d.Policy.ChartEmbedding},
	}
	for i := range d.Tokens {
		t, ok := d.Tokens[i].token()
		if !ok {
			return group.Group{}, unreadable(what, fmt.Sprintf("its token number %d breaks the rules of tokens", i))
		}
		g.Tokens = append(g.Tokens, t)
	}
	again, err := EncodeGroup(g)
	if err := canonical(what, doc, again, err); err != nil {
		return group.Group{}, err
	}
	return g, nil
}

func (d tokenDocument) token() (apitoken.Token, bool) {
	scopes, err := apitoken.ParseScopes(d.Scopes...)
	if err != nil {
		return apitoken.Token{}, false
	}
	t := apitoken.Token{
		ID: d.ID, Name: d.Name, Scopes: scopes,
		CreatedAt: fromInstant(d.CreatedAt), ExpiresAt: fromInstant(d.ExpiresAt),
	}
	digest, err := hex.DecodeString(d.Digest)
	if err != nil || len(digest) != len(t.Digest) {
		return apitoken.Token{}, false
	}
	t.Digest = apitoken.Digest(digest)
	return t, true
}
