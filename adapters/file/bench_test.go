package file_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"embedseal/adapters/file"
	"embedseal/domain/group"
)

// A store of 20,000 records, half of them rings.
func BenchmarkTwentyThousandRecords(b *testing.B) {
	const groups = 10_000
	c := file.Config{Dir: filepath.Join(b.TempDir(), "store"), MasterKey: masterKey(1)}
	blobs, err := file.Blobs(b.Context(), c.MasterKey, groups)
	if err != nil {
		b.Fatal(err)
	}
	for name, blob := range blobs {
		path := filepath.Join(c.Dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, blob, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	id := func(i int) group.ID { return group.ID("group-" + strconv.Itoa(i*7919%groups)) }
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, closing, err := file.Open(b.Context(), c)
			if err != nil {
				b.Fatal(err)
			}
			closing()
		}
	})
	s, closing, err := file.Open(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	defer closing()
	b.Run("read a ring", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := file.NewKeyStore(s).Ring(b.Context(), id(i)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("update a group", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if err := file.NewGroupStore(s).UpdateGroup(b.Context(), id(i), func(g group.Group) (group.Group, error) {
				g.Name = strconv.Itoa(i)
				return g, nil
			}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
