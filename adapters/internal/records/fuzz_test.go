package records_test

import (
	"bytes"
	"errors"
	"testing"

	"embedseal/adapters/internal/records"
	"embedseal/ports"
)

// FuzzOpen puts any bytes in the place of any blob: what comes back is what was
// written, or ErrCorrupt, and nothing is written over it.
func FuzzOpen(f *testing.F) {
	whole := newFake()
	if err := records.Create(whole, masterKey(1), counting); err != nil {
		f.Fatal(err)
	}
	s := mustOpen(f, whole)
	put(f, s, "globex", "first globex")
	earlier := whole.copy()
	put(f, s, "acme", "the record")
	put(f, s, "globex", "second globex")
	places := []string{"header", "root", "group/acme", "group/globex", "index/00", "group/stray"}
	for name := range whole.blobs {
		if len(name) == len("index/00") && name[:6] == "index/" {
			places = append(places, name)
		}
	}
	seedPlaces(f, places, whole, earlier)
	f.Fuzz(func(t *testing.T, place int, blob []byte) {
		damaged := whole.copy()
		name := places[uint(place)%uint(len(places))]
		damaged.blobs[name] = append([]byte{}, blob...)
		commits := damaged.commits
		s, err := records.Open(damaged, masterKey(1))
		if err != nil {
			if whole.blobs[name] != nil && bytes.Equal(blob, whole.blobs[name]) || !errors.Is(err, ports.ErrCorrupt) {
				t.Fatalf("%s: got the error %v", name, err)
			}
			return
		}
		for id, written := range map[string]string{"acme": "the record", "globex": "second globex", "stray": ""} {
			got, err := s.Get(records.KindGroup, id)
			switch {
			case err == nil && string(got) != written:
				t.Errorf("%s: %s is %q", name, id, got)
			case err != nil && !errors.Is(err, ports.ErrCorrupt):
				t.Errorf("%s: %s: got the error %v", name, id, err)
			case err == nil && written == "" && name == "group/"+id:
				t.Errorf("%s: nothing was noticed", name)
			case err != nil:
				if err := update(t, s, func(tx *records.Tx) error { return tx.Put(records.KindGroup, id, []byte("x")) }); !errors.Is(err, ports.ErrCorrupt) {
					t.Errorf("%s: a write over what is corrupt answers %v", name, err)
				}
			}
		}
		if damaged.commits != commits {
			t.Error("something was written")
		}
	})
}

// seedPlaces adds hostile bytes for every place, and the blobs of all others.
func seedPlaces(f *testing.F, places []string, whole, earlier *fake) {
	f.Helper()
	for i := range places {
		f.Add(i, []byte{})
		f.Add(i, []byte{1})
		f.Add(i, bytes.Repeat([]byte{0}, 37))
		f.Add(i, append([]byte{1, 0, 0, 0, 0, 0, 0, 0, 4}, make([]byte, 28)...))
		f.Add(i, bytes.Repeat([]byte{0xff}, 64))
		f.Add(i, bytes.Repeat([]byte{1}, 2085))
		f.Add(i, []byte("embedseal store\x00\x01"))
		f.Add(i, []byte("embedseal store\x00\x02AAAAAAAAAAAAAAAAAAAAAAAAAAAA"))
		for _, other := range places {
			f.Add(i, whole.blobs[other])
			f.Add(i, earlier.blobs[other])
		}
	}
}
