package vault_test

import (
	"encoding/binary"
	"testing"
	"time"

	"embedseal/adapters/vault"
	"embedseal/domain/group"
	"embedseal/domain/policy"
	"embedseal/domain/revocation"
	"embedseal/domain/token"
)

// BenchmarkColdRevocations reads the revocations of a group from a real Vault, as the
// first verification after a start does.
func BenchmarkColdRevocations(b *testing.B) {
	const entries = 8000
	_, backend := benchBackend(b)
	now := time.Now().UTC().Truncate(time.Second)
	err := vault.NewGroupStore(backend).CreateGroup(b.Context(), group.Group{ID: "acme", Name: "acme", Policy: policy.Default(), CreatedAt: now})
	if err != nil {
		b.Fatal(err)
	}
	store := vault.NewRevocationStore(backend)
	for n := range entries {
		var id [8]byte
		binary.BigEndian.PutUint64(id[:], uint64(n))
		_, err := store.Revoke(b.Context(), "acme", revocation.Entry{
			ID: revocation.NewID(id), Kind: revocation.Token, Subject: token.Fingerprint{1, byte(n), byte(n >> 8)}.String(),
			CreatedAt: now, ExpiresAt: now.Add(time.Hour),
		}, revocation.MaxEntries)
		if err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		read := 0
		for since, more := (revocation.Cursor{}), true; more; {
			c, err := store.Changes(b.Context(), "acme", since)
			if err != nil {
				b.Fatal(err)
			}
			read += len(c.Entries)
			since, more = c.Next, c.More
		}
		if read != entries {
			b.Fatalf("read %d entries", read)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/entries*1e6, "s/million")
}
