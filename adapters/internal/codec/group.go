package codec

import (
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"time"

	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/iso8601"
	"embedseal/domain/replay"
)

type groupDocument struct {
	V         int             `json:"v"`
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Policy    policyDocument  `json:"policy"`
	Tokens    []tokenDocument `json:"tokens"`
	CreatedAt *time.Time      `json:"created_at,omitempty"`

	RotateEvery string `json:"rotate_every,omitempty"`
	Overlap     string `json:"overlap,omitempty"`
	Horizon     int64  `json:"horizon_seconds,omitempty"`
	Creation    string `json:"creation,omitempty"`
}

type tokenDocument struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Digest    string     `json:"digest"`
	Scopes    []string   `json:"scopes"`
	CreatedAt *time.Time `json:"created_at,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`

	Networks      []string   `json:"networks,omitempty"`
	Previous      string     `json:"previous,omitempty"`
	PreviousUntil *time.Time `json:"previous_until,omitempty"`
	LastUsedAt    *time.Time `json:"last_used_at,omitempty"`
	Creation      string     `json:"creation,omitempty"`
	Refreshing    string     `json:"refreshing,omitempty"`

	Restriction *restrictionDocument `json:"restriction,omitempty"`
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
		Policy: documentOfPolicy(g.Policy), Tokens: make([]tokenDocument, len(g.Tokens)),
		RotateEvery: g.RotateEvery.String(), Overlap: g.Overlap.String(), Horizon: int64(g.Horizon / time.Second),
		Creation: g.Creation.String(),
	}
	if g.Horizon < 0 || g.Horizon%time.Second != 0 || len(g.Tokens) > group.MaxTokens {
		return nil, fmt.Errorf("codec: encode %s: %w: the horizon is not in whole seconds, or there are too many tokens", what, ErrInvalid)
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
		var ok bool
		if d.Tokens[i], ok = documentOfToken(t); !ok {
			return nil, fmt.Errorf("codec: encode %s: %w: token number %d has a network, a restriction or an earlier value that is none", what, ErrInvalid, i)
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
	rules, ok := d.Policy.policy()
	if !ok || d.Horizon < 0 || d.Horizon > math.MaxInt64/int64(time.Second) {
		return group.Group{}, unreadable(what, "its policy is none, or its horizon out of reach")
	}
	g := group.Group{
		// Not id: that may be a part of a whole request, which would be kept with it.
		ID: group.ID(d.ID), Name: d.Name, CreatedAt: fromInstant(d.CreatedAt), Policy: rules,
		Horizon: time.Duration(d.Horizon) * time.Second,
	}
	if g.RotateEvery, ok = fromDuration(d.RotateEvery); !ok {
		return group.Group{}, unreadable(what, "the time between its rotations is no duration")
	}
	if g.Overlap, ok = fromDuration(d.Overlap); !ok {
		return group.Group{}, unreadable(what, "its overlap is no duration")
	}
	var err error
	if g.Creation, err = replay.Parse(d.Creation); err != nil {
		return group.Group{}, unreadable(what, "the mark of the request that made it is none")
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

// documentOfToken fails when the token could not be read back as it is.
func documentOfToken(t apitoken.Token) (tokenDocument, bool) {
	d := tokenDocument{
		ID: t.ID, Name: t.Name, Digest: hex.EncodeToString(t.Digest[:]), Scopes: t.Scopes.Names(),
		CreatedAt: instant(t.CreatedAt), ExpiresAt: instant(t.ExpiresAt),
		PreviousUntil: instant(t.PreviousUntil), LastUsedAt: instant(t.LastUsedAt),
		Creation: t.Creation.String(), Refreshing: t.Refreshing.String(),
	}
	for _, network := range t.Networks {
		if network != network.Masked() || !network.IsValid() {
			return tokenDocument{}, false
		}
		d.Networks = append(d.Networks, network.String())
	}
	var ok bool
	if d.Restriction, ok = documentOfRestriction(t.Restriction); !ok {
		return tokenDocument{}, false
	}
	if t.Previous != (apitoken.Digest{}) {
		d.Previous = hex.EncodeToString(t.Previous[:])
	}
	return d, len(t.Networks) <= apitoken.MaxNetworks && (d.Previous != "") == (d.PreviousUntil != nil)
}

func (d tokenDocument) token() (apitoken.Token, bool) {
	scopes, err := apitoken.ParseScopes(d.Scopes...)
	if err != nil {
		return apitoken.Token{}, false
	}
	t := apitoken.Token{
		ID: d.ID, Name: d.Name, Scopes: scopes,
		CreatedAt: fromInstant(d.CreatedAt), ExpiresAt: fromInstant(d.ExpiresAt),
		PreviousUntil: fromInstant(d.PreviousUntil), LastUsedAt: fromInstant(d.LastUsedAt),
	}
	for _, text := range d.Networks {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return apitoken.Token{}, false
		}
		t.Networks = append(t.Networks, network)
	}
	var ok bool
	if t.Restriction, ok = d.Restriction.restriction(); !ok {
		return apitoken.Token{}, false
	}
	if t.Digest, ok = digest(d.Digest); !ok {
		return apitoken.Token{}, false
	}
	if t.Creation, err = replay.Parse(d.Creation); err != nil {
		return apitoken.Token{}, false
	}
	if t.Refreshing, err = replay.Parse(d.Refreshing); err != nil {
		return apitoken.Token{}, false
	}
	if d.Previous != "" {
		if t.Previous, ok = digest(d.Previous); !ok {
			return apitoken.Token{}, false
		}
	}
	return t, true
}

func digest(text string) (apitoken.Digest, bool) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(apitoken.Digest{}) {
		return apitoken.Digest{}, false
	}
	return apitoken.Digest(raw), true
}

// fromDuration reads a duration that may be left out.
func fromDuration(text string) (iso8601.Duration, bool) {
	if text == "" {
		return iso8601.Duration{}, true
	}
	d, err := iso8601.Parse(text)
	return d, err == nil
}
