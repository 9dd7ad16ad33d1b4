package main

import (
	"context"

	"embedseal/domain/group"
	"embedseal/domain/jwe"
	"embedseal/domain/key"
	"embedseal/ports"
)

// ciphers hands each key to the cipher of its custody.
type ciphers struct{ material, transit ports.TokenCipher }

func (c ciphers) of(k *key.Key) ports.TokenCipher {
	if k.Custody == key.VaultTransit {
		return c.transit
	}
	return c.material
}

func (c ciphers) Seal(ctx context.Context, g group.ID, k *key.Sealer, claims []byte) ([]byte, error) {
	return c.of(k.Key()).Seal(ctx, g, k, claims)
}

func (c ciphers) Open(ctx context.Context, g group.ID, k key.Key, token jwe.Compact) ([]byte, error) {
	return c.of(&k).Open(ctx, g, k, token)
}

// custodies makes new keys in the configured custody, and destroys each in its
// own.
type custodies struct {
	ofNew             key.Custody
	material, transit ports.KeyCustody
}

func (c custodies) of(kind key.Custody) ports.KeyCustody {
	if kind == key.VaultTransit {
		return c.transit
	}
	return c.material
}

func (c custodies) Create(ctx context.Context, g group.ID, id key.ID) (key.Key, error) {
	return c.of(c.ofNew).Create(ctx, g, id)
}

func (c custodies) Destroy(ctx context.Context, g group.ID, k key.Key) error {
	return c.of(k.Custody).Destroy(ctx, g, k)
}

// listing checks a store in this process by reading from it.
type listing struct{ groups ports.GroupStore }

func newListing(groups ports.GroupStore) listing { return listing{groups} }

func (l listing) Check(ctx context.Context) error {
	_, err := l.groups.Groups(ctx)
	return err
}
