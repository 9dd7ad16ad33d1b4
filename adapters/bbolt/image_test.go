package bbolt_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"embedseal/adapters/bbolt"
)

// image is the bytes of a bbolt file, to be damaged in chosen places.
type image []byte

const (
	metaBody  = 16
	metaTail  = metaBody + 56 // the checksum
	imagePage = 4096
)

func (b image) page(id uint64) []byte { return b[id*imagePage : (id+1)*imagePage] }
func (b image) meta(i uint64) []byte  { return b.page(i)[metaBody:] }

// newest is the body of the meta page that counts.
func (b image) newest() []byte {
	if binary.NativeEndian.Uint64(b.meta(1)[48:]) > binary.NativeEndian.Uint64(b.meta(0)[48:]) {
		return b.meta(1)
	}
	return b.meta(0)
}

// reseal makes the checksums of both meta pages right again.
func (b image) reseal() {
	for i := range uint64(2) {
		binary.NativeEndian.PutUint64(b.page(i)[metaTail:], bbolt.MetaChecksum(b.meta(i)))
	}
}

func (b image) freelist() []byte { return b.page(binary.NativeEndian.Uint64(b.newest()[32:])) }

// rootLeaf is the page that holds the one bucket.
func (b image) rootLeaf() []byte { return b.page(binary.NativeEndian.Uint64(b.newest()[16:])) }

// bucketHead is the header of the bucket, in the root leaf.
func (b image) bucketHead() []byte { return value(b.rootLeaf(), 0) }

// tree is the root page of the bucket, a branch in a file that is large enough.
func (b image) tree() []byte { return b.page(binary.NativeEndian.Uint64(b.bucketHead())) }

func (b image) child(i int) []byte {
	return b.page(binary.NativeEndian.Uint64(entry(b.tree(), i)[8:]))
}

// entry is the i-th row of a page's table.
func entry(page []byte, i int) []byte { return page[16+16*i : 32+16*i] }

// leafKey is the i-th key of a leaf.
func leafKey(page []byte, i int) []byte {
	e := entry(page, i)
	at := 16 + 16*i + int(binary.NativeEndian.Uint32(e[4:]))
	return page[at : at+int(binary.NativeEndian.Uint32(e[8:]))]
}

func value(page []byte, i int) []byte {
	e := entry(page, i)
	at := 16 + 16*i + int(binary.NativeEndian.Uint32(e[4:])) + int(binary.NativeEndian.Uint32(e[8:]))
	return page[at : at+int(binary.NativeEndian.Uint32(e[12:]))]
}

func put16(b []byte, v uint16) { binary.NativeEndian.PutUint16(b, v) }
func put32(b []byte, v uint32) { binary.NativeEndian.PutUint32(b, v) }
func put64(b []byte, v uint64) { binary.NativeEndian.PutUint64(b, v) }
func get64(b []byte) uint64    { return binary.NativeEndian.Uint64(b) }

// newImage is a file of n values whose names and lengths are like ours, written
// by bbolt in a few transactions so that there are free pages too.
func newImage(tb testing.TB, n, size int) image {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "image.db")
	db, err := bolt.Open(path, 0o600, &bolt.Options{PageSize: imagePage, NoSync: true})
	if err != nil {
		tb.Fatal(err)
	}
	for round := range 3 {
		err = errors.Join(err, db.Update(func(tx *bolt.Tx) error {
			bucket, err := tx.CreateBucketIfNotExists([]byte(bbolt.BucketName))
			if err != nil {
				return err
			}
			for i := round; i < n; i += 2 {
				if err := bucket.Put(fmt.Appendf(nil, "group/%05d", i), make([]byte, size)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	if err := errors.Join(err, db.Close()); err != nil {
		tb.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return file
}
