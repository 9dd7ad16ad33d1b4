package bbolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"

	"embedseal/ports"
)

// The format of a bbolt file, version 2, in the byte order of the machine:
// https://github.com/etcd-io/bbolt/blob/v1.5.0/internal/common/page.go
const (
	pageHeader  = 16 // id 8, flags 2, count 2, overflow 4
	elementSize = 16 // branch: pos 4, key size 4, page 8; leaf: flags 4, pos 4, key size 4, value size 4
	metaSize    = 64 // magic 4, version 4, page size 4, flags 4, root 8, sequence 8, free list 8, pages 8, txid 8, checksum 8
	bucketSize  = 16 // root 8, sequence 8

	branchPage   = 0x01
	leafPage     = 0x02
	metaPage     = 0x04
	freelistPage = 0x10

	bucketElement = 0x01

	fileMagic   = 0xED0CDAED
	fileVersion = 2
	noFreelist  = ^uint64(0)

	minPageSize = 1 << 10
	maxPageSize = 1 << 24
)

// meta is one of the two pages at the head of the file, which take turns: the
// one with the higher transaction number says where everything is.
type meta struct {
	pageSize uint64
	root     uint64
	freelist uint64
	// pages is the high-water mark: every page in use has a lower number.
	pages uint64
	txid  uint64
}

// readMetas returns the newer meta page and the page it lies on, after checking
// that both are good and that no commit lies between them.
func readMetas(r io.ReaderAt, size int64) (newest meta, page uint64, err error) {
	first, err := readMeta(r, 0, 0)
	if err != nil {
		return meta{}, 0, err
	}
	second, err := readMeta(r, 1, first.pageSize)
	if err != nil {
		return meta{}, 0, err
	}
	if second.pageSize != first.pageSize {
		return meta{}, 0, damaged(1, "and the other meta page disagree about the page size")
	}
	newest, older := first, second
	if second.txid > first.txid {
		newest, older, page = second, first, 1
	}
	if newest.txid != older.txid+1 {
		return meta{}, 0, damaged(page, fmt.Sprintf("and the other meta page are of transactions %d and %d, which do not follow one another", newest.txid, older.txid))
	}
	if newest.txid%2 != page {
		return meta{}, 0, damaged(page, fmt.Sprintf("holds transaction %d, which belongs on the other meta page", newest.txid))
	}
	if newest.pages < 3 || newest.pages > uint64(size)/newest.pageSize {
		return meta{}, 0, damaged(page, fmt.Sprintf("promises %d pages of %d bytes, and the file has %d bytes", newest.pages, newest.pageSize, size))
	}
	return newest, page, nil
}

func readMeta(r io.ReaderAt, id, pageSize uint64) (meta, error) {
	buf := make([]byte, pageHeader+metaSize)
	if err := readAt(r, buf, id*pageSize, id); err != nil {
		return meta{}, err
	}
	order, body := binary.NativeEndian, buf[pageHeader:]
	m := meta{
		pageSize: uint64(order.Uint32(body[8:])),
		root:     order.Uint64(body[16:]),
		freelist: order.Uint64(body[32:]),
		pages:    order.Uint64(body[40:]),
		txid:     order.Uint64(body[48:]),
	}
	switch {
	case order.Uint64(buf) != id || order.Uint16(buf[8:]) != metaPage:
		return meta{}, damaged(id, "is not marked as the meta page that belongs here")
	case order.Uint32(body) != fileMagic:
		return meta{}, damaged(id, "does not begin as a bbolt file does")
	case order.Uint32(body[4:]) != fileVersion:
		return meta{}, damaged(id, "has an unknown format version")
	case order.Uint64(body[metaSize-8:]) != metaChecksum(body):
		return meta{}, damaged(id, "has a wrong checksum")
	case m.pageSize < minPageSize || m.pageSize > maxPageSize || m.pageSize&(m.pageSize-1) != 0:
		return meta{}, damaged(id, "has an impossible page size")
	}
	return m, nil
}

// metaChecksum is the FNV-1a hash of all of a meta page's body but the
// checksum.
func metaChecksum(body []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(body[:metaSize-8])
	return h.Sum64()
}

// element is one entry of a branch page or a leaf page.
type element struct {
	key   []byte
	value []byte // of a leaf
	flags uint32 // of a leaf
	child uint64 // of a branch
}

// elements takes a page apart. bbolt writes keys and values without a gap,
// right behind the table, so any other offset is damage.
func elements(page []byte, id uint64) ([]element, error) {
	order := binary.NativeEndian
	leaf, count := order.Uint16(page[8:]) == leafPage, uint64(order.Uint16(page[10:]))
	next := pageHeader + count*elementSize
	if next > uint64(len(page)) {
		return nil, damaged(id, "counts more elements than it has room for")
	}
	all := make([]element, count)
	for i := range all {
		at := pageHeader + uint64(i)*elementSize
		entry := page[at : at+elementSize]
		var pos, keySize, valueSize uint64
		if leaf {
			all[i].flags = order.Uint32(entry)
			pos, keySize, valueSize = uint64(order.Uint32(entry[4:])), uint64(order.Uint32(entry[8:])), uint64(order.Uint32(entry[12:]))
		} else {
			all[i].child = order.Uint64(entry[8:])
			pos, keySize = uint64(order.Uint32(entry)), uint64(order.Uint32(entry[4:]))
		}
		if at+pos != next || keySize == 0 || next+keySize+valueSize > uint64(len(page)) {
			return nil, damaged(id, fmt.Sprintf("element %d does not lie where it must", i))
		}
		all[i].key = page[next : next+keySize]
		all[i].value = page[next+keySize : next+keySize+valueSize]
		next += keySize + valueSize
	}
	return all, nil
}

// readAt fills buf. An early end of the file is damage; any other failure is
// the disk's, and says nothing about what is stored.
func readAt(r io.ReaderAt, buf []byte, offset, page uint64) error {
	n, err := r.ReadAt(buf, int64(offset))
	if n == len(buf) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return damaged(page, "lies beyond the end of the file")
	}
	return fmt.Errorf("%w: read page %d: %w", ports.ErrUnavailable, page, err)
}

func damaged(page uint64, how string) error {
	return fmt.Errorf("%w: page %d %s", ports.ErrCorrupt, page, how)
}
