package bbolt_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"embedseal/adapters/bbolt"
	"embedseal/ports"
)

func preflight(b []byte) error { return bbolt.Preflight(bytes.NewReader(b), int64(len(b))) }

func TestWhatBboltWritesPassesThePreflight(t *testing.T) {
	for _, n := range []int{0, 1, 5, 60, 3000} {
		for _, size := range []int{0, 10, 300, 5000} {
			if err := preflight(newImage(t, n, size)); err != nil {
				t.Errorf("%d values of %d bytes: %v", n, size, err)
			}
		}
	}
}

func TestDamageThatBboltWouldFollowIsFoundBefore(t *testing.T) {
	whole := newImage(t, 300, 300)
	if get64(whole.bucketHead()) == 0 || whole.tree()[8] != 0x01 {
		t.Fatal("the image is too small: its tree is no branch")
	}
	tests := map[string]struct {
		change func(b image)
		want   string
	}{
		"the newer meta page is wiped":           {func(b image) { clear(b.newest()[:64]) }, "bbolt file"},
		"the older meta page is wiped":           {func(b image) { clear(older(b)[:64]) }, "bbolt file"},
		"the newer meta page is the older one":   {func(b image) { copy(b.newest()[:56], older(b)[:56]); b.reseal() }, "do not follow"},
		"a meta page of long before":             {func(b image) { put64(b.newest()[48:], get64(older(b)[48:])-3); b.reseal() }, "do not follow"},
		"a meta page of the future":              {func(b image) { put64(b.newest()[48:], get64(b.newest()[48:])+2); b.reseal() }, "do not follow"},
		"the meta pages have changed places":     {swapMetas, "other meta page"},
		"a meta page with a flipped bit":         {func(b image) { b.newest()[20] ^= 1 }, "checksum"},
		"another version of the format":          {func(b image) { put32(b.newest()[4:], 3); b.reseal() }, "version"},
		"pages of no power of two":               {func(b image) { put32(b.meta(0)[8:], 4097); b.reseal() }, "page size"},
		"meta pages of two page sizes":           {func(b image) { put32(b.meta(1)[8:], 8192); b.reseal() }, "disagree"},
		"a meta page called something else":      {func(b image) { put16(b.page(1)[8:], 2) }, "meta page"},
		"more pages than the file has":           {func(b image) { put64(b.newest()[40:], uint64(len(b)/imagePage)+1); b.reseal() }, "promises"},
		"no pages at all":                        {func(b image) { put64(b.newest()[40:], 0); b.reseal() }, "promises"},
		"the root is a meta page":                {func(b image) { put64(b.newest()[16:], 1); b.reseal() }, "beyond"},
		"the root is beyond the file":            {func(b image) { put64(b.newest()[16:], 1<<60); b.reseal() }, "beyond"},
		"the root is the free list":              {func(b image) { put64(b.newest()[16:], get64(b.newest()[32:])); b.reseal() }, "marked"},
		"the root is an empty leaf":              {func(b image) { put16(b.rootLeaf()[10:], 0) }, "no bucket"},
		"the bucket has another name":            {func(b image) { leafKey(b.rootLeaf(), 0)[0] ^= 1 }, "another entry"},
		"the bucket is a value":                  {func(b image) { put32(entry(b.rootLeaf(), 0), 0) }, "another entry"},
		"the bucket has no header":               {func(b image) { put32(entry(b.rootLeaf(), 0)[12:], 15) }, "another entry"},
		"the bucket is in place and is not":      {func(b image) { put64(b.bucketHead(), 0) }, "no leaf"},
		"the bucket's tree is the root":          {func(b image) { put64(b.bucketHead(), get64(b.newest()[16:])) }, "twice"},
		"a page calls itself another":            {func(b image) { put64(b.child(1), 3) }, "calls itself"},
		"a page of an unknown kind":              {func(b image) { put16(b.child(1)[8:], 3) }, "marked"},
		"a page that overflows into others":      {func(b image) { put32(b.child(1)[12:], 1) }, ""},
		"a page that overflows the file":         {func(b image) { put32(b.child(1)[12:], 1<<31) }, "overflows"},
		"a leaf that counts too many":            {func(b image) { put16(b.child(1)[10:], 65535) }, "room"},
		"a leaf that counts too few":             {func(b image) { b.child(1)[10]-- }, "does not lie"},
		"an empty leaf":                          {func(b image) { put16(b.child(1)[10:], 0) }, "empty leaf"},
		"an empty branch":                        {func(b image) { put16(b.tree()[10:], 0) }, "empty branch"},
		"a key outside its page":                 {func(b image) { put32(entry(b.child(1), 0)[4:], 1<<31) }, "does not lie"},
		"a key without an end":                   {func(b image) { put32(entry(b.child(1), 0)[8:], 1<<32-1) }, "does not lie"},
		"a key of no length":                     {func(b image) { put32(entry(b.child(1), 0)[8:], 0) }, "does not lie"},
		"a value without an end":                 {func(b image) { put32(entry(b.child(1), 0)[12:], 1<<32-1) }, "does not lie"},
		"a value that is called a bucket":        {func(b image) { put32(entry(b.child(1), 0), 1) }, "other than a value"},
		"keys out of order":                      {func(b image) { leafKey(b.child(1), 1)[6] = '0' - 1 }, "out of order"},
		"two equal keys":                         {func(b image) { copy(leafKey(b.child(1), 1), leafKey(b.child(1), 0)) }, "out of order"},
		"a key below what the parent says":       {func(b image) { leafKey(b.child(1), 0)[0]-- }, "does not begin with the key"},
		"a branch that leads to itself":          {func(b image) { put64(entry(b.tree(), 1)[8:], get64(b.tree())) }, "twice"},
		"a branch that leads to one leaf twice":  {func(b image) { put64(entry(b.tree(), 1)[8:], get64(entry(b.tree(), 0)[8:])) }, "twice"},
		"a branch that leads to the free list":   {func(b image) { put64(entry(b.tree(), 1)[8:], get64(b.freelist())) }, "marked"},
		"a branch that leads nowhere":            {func(b image) { put64(entry(b.tree(), 1)[8:], 0) }, "beyond"},
		"leaves that have changed places":        {swapChildren, "does not begin with the key"},
		"a free list that is a leaf":             {func(b image) { put64(b.newest()[32:], get64(b.newest()[16:])); b.reseal() }, "twice"},
		"a free list of another kind":            {func(b image) { put16(b.freelist()[8:], 2) }, "free list"},
		"a free list that frees a page in use":   {func(b image) { put64(b.freelist()[16:], get64(b.tree())) }, "cannot be"},
		"a free list that frees a page twice":    {func(b image) { copy(b.freelist()[24:32], b.freelist()[16:24]) }, "cannot be"},
		"a free list that forgets a page":        {func(b image) { b.freelist()[10]-- }, "there should be"},
		"a free list that frees a meta page":     {func(b image) { put64(b.freelist()[16:], 1) }, "cannot be"},
		"a free list longer than its page":       {func(b image) { put16(b.freelist()[10:], 2000) }, "room"},
		"a free list of more than a file's size": {func(b image) { put16(b.freelist()[10:], 0xFFFF); put64(b.freelist()[16:], 1<<63) }, "room"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := bytes.Clone(whole)
			test.change(b)
			err := preflight(b)
			if !errors.Is(err, ports.ErrCorrupt) || !strings.Contains(err.Error(), "page ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("want corrupt, the page and %q, got: %v", test.want, err)
			}
		})
	}
}

func older(b image) []byte {
	if &b.newest()[0] == &b.meta(0)[0] {
		return b.meta(1)
	}
	return b.meta(0)
}

// swapMetas is what bbolt's own hot copy looks like in every second case.
func swapMetas(b image) {
	var first [64]byte
	copy(first[:], b.meta(0))
	copy(b.meta(0), b.meta(1)[:64])
	copy(b.meta(1), first[:])
	b.reseal()
}

func swapChildren(b image) {
	first, second := entry(b.tree(), 0)[8:], entry(b.tree(), 1)[8:]
	one, two := get64(first), get64(second)
	put64(first, two)
	put64(second, one)
}

// bbolt itself opens a file whose newer meta page is gone, and shows the state
// before the last acknowledged write: the reason for the preflight.
func TestALostMetaPageIsNotAnsweredWithTheStateBefore(t *testing.T) {
	c := newConfig(t)
	s, closeStore := create(t, c)
	addGroup(t, s, "acknowledged")
	closeStore()
	file, err := os.ReadFile(c.Path)
	if err != nil {
		t.Fatal(err)
	}
	clear(image(file).newest()[:64])
	if err := os.WriteFile(c.Path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if content, err := openAndRead(t, c, file); !errors.Is(err, ports.ErrCorrupt) {
		t.Errorf("the store opened (%v) and shows: %q", err, content)
	}
	db, err := bolt.Open(c.Path, 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatalf("bbolt would not open it either, and this test shows nothing: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// FuzzPreflight looks for a file that passes the preflight and then makes bbolt
// panic, hang or write what would not pass again. It changes single bytes of a
// file that is whole, four bytes of input for each: see patched.
func FuzzPreflight(f *testing.F) {
	bases := []image{newImage(f, 4, 20), newImage(f, 60, 300), newImage(f, 20, 5000)}
	const head, anywhere = 0x00, 0x80
	for base := range bases {
		for _, patch := range [][]byte{
			{},
			{0, head, 16 + 16, 3}, // the root bucket of one meta page
			{1, head, 16 + 32, 4}, // the free list of the other
			{1, head, 16 + 48, 9, 0, head, 16 + 48, 10}, // the transactions
			{0, head, 16 + 40, 255, 1, head, 16 + 40, 255},
			{3, head, 8, 1}, {3, head, 8, 16}, {4, head, 10, 0}, {4, head, 12, 1}, {5, head, 12, 255},
			{4, head, 16, 1}, {5, head, 20, 0}, {6, head, 24, 0}, {7, head, 28, 255},
			{2, head, 10, 255, 2, head, 11, 255, 2, head, 16, 2},
			{5, head, 24, 5}, {6, head, 24, 2}, {3, anywhere | 0x0f, 0xff, 1},
		} {
			f.Add(uint8(base), uint16(0), patch)
		}
		f.Add(uint8(base), uint16(1), []byte{})
		f.Add(uint8(base), uint16(4096), []byte{})
		f.Add(uint8(base), uint16(65535), []byte{})
	}
	f.Fuzz(func(t *testing.T, base uint8, cut uint16, patch []byte) {
		b := patched(bases[int(base)%len(bases)], cut, patch)
		err := preflight(b)
		if err != nil {
			if !errors.Is(err, ports.ErrCorrupt) {
				t.Fatalf("a damaged file is not called so: %v", err)
			}
			return
		}
		readAndWrite(t, b)
	})
}

// patched cuts bytes off the end of a file and sets single ones: page, offset
// in two bytes (near the head of the page unless its top bit is set), value.
// The checksums are made right again, or nothing but them would be tried.
func patched(whole image, cut uint16, patch []byte) image {
	b := bytes.Clone(whole)
	for ; len(patch) >= 4; patch = patch[4:] {
		offset := int(patch[1]&0x7f)<<8 | int(patch[2])
		if patch[1]&0x80 == 0 {
			offset %= 256
		}
		b[int(patch[0])%(len(b)/imagePage)*imagePage+offset%imagePage] = patch[3]
	}
	image(b).reseal()
	return b[:len(b)-min(len(b), int(cut))]
}

// readAndWrite reads all of the file with bbolt, changes all of it, and checks
// the result.
func readAndWrite(t *testing.T, b []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fuzz.db")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second, NoSync: true, FreelistType: bolt.FreelistMapType})
	if err != nil {
		t.Fatalf("the preflight passed a file that bbolt refuses: %v", err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		bucket := tx.Bucket([]byte(bbolt.BucketName))
		var keys [][]byte
		if err := bucket.ForEach(func(k, v []byte) error {
			if got := bucket.Get(k); !bytes.Equal(got, v) {
				t.Errorf("%q is listed with %d bytes and read with %d", k, len(v), len(got))
			}
			keys = append(keys, bytes.Clone(k))
			return nil
		}); err != nil {
			return err
		}
		for i, k := range keys {
			if i%2 == 0 {
				err = bucket.Delete(k)
			} else {
				err = bucket.Put(k, make([]byte, 100))
			}
			if err != nil {
				return err
			}
		}
		return bucket.Put([]byte("root"), make([]byte, 2000))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatalf("bbolt could not write a file that passed: %v", err)
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := preflight(after); err != nil {
		t.Fatalf("the file passed before a write and not after it: %v", err)
	}
}
