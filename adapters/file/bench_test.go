package file_test

import (
	"path/filepath"
	"strconv"
	"testing"

	"embedseal/adapters/file"
	"embedseal/domain/group"
)

// large is a store of 20,000 records, half of them rings.
func large(b *testing.B) (*file.Store, file.Config) {
	b.Helper()
	const groups = 10_000
	c := file.Config{Dir: filepath.Join(b.TempDir(), "store"), MasterKey: masterKey(1)}
	if _, err := file.Create(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	if err := file.Fill(b.Context(), c, groups); err != nil {
		b.Fatal(err)
	}
	s, closing, err := file.Open(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(closing)
	return s, c
}

func BenchmarkRing(b *testing.B) {
	s, _ := large(b)
	keys := file.NewKeyStore(s)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := keys.Ring(b.Context(), group.ID("group-"+strconv.Itoa(i%10_000))); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpdateGroup(b *testing.B) {
	s, _ := large(b)
	groups := file.NewGroupStore(s)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		err := groups.UpdateGroup(b.Context(), group.ID("group-"+strconv.Itoa(i%10_000)), func(g group.Group) (group.Group, error) {
			g.Name = strconv.Itoa(i)
			return g, nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
