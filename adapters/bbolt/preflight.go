package bbolt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// bucketName is the one bucket of the file. Its keys are the names of blobs.
const bucketName = "embedseal"

// maxDepth bounds the page tree. With our short names a tree of this depth
// would need more pages than a disk has.
const maxDepth = 32

// preflight reads the structure of a bbolt file, and answers with an error that
// wraps ErrCorrupt and names the page where it is not what bbolt writes. What
// passes holds one bucket of plain values and can be read by bbolt without
// leaving the file, looping, or falling back to an older state:
//
//   - both meta pages are good, and of two transactions that follow one another;
//   - the file is as long as they say;
//   - every page of the tree says its own number and kind, its elements lie in
//     it, their keys ascend and stay between those of the parent;
//   - every other page is on the free list, and none is both.
//
// Whoever calls it holds the lock of the file. It returns the newer meta page
// and the number of the page on which that lies.
func preflight(r io.ReaderAt, size int64) (newest meta, page uint64, err error) {
	m, page, err := readMetas(r, size)
	if err != nil {
		return meta{}, 0, err
	}
	w := walker{r: r, meta: m, seen: make(map[uint64]struct{})}
	var bucket []byte
	err = w.tree(m.root, func(e element, id uint64) error {
		if e.flags != bucketElement || string(e.key) != bucketName || len(e.value) < bucketSize {
			return damaged(id, "has another entry than the bucket "+bucketName)
		}
		bucket = e.value
		return nil
	})
	if err != nil {
		return meta{}, 0, err
	}
	if bucket == nil {
		return meta{}, 0, damaged(m.root, "has no bucket "+bucketName)
	}
	if err := w.bucket(bucket); err != nil {
		return meta{}, 0, err
	}
	if err := w.freelist(); err != nil {
		return meta{}, 0, err
	}
	return m, page, nil
}

// walker goes through the pages and remembers where it was.
type walker struct {
	r    io.ReaderAt
	meta meta
	seen map[uint64]struct{}
}

// bucket checks the bucket that lies in value: a header that names the root
// page, or a header and, when it names none, a small page in place.
func (w *walker) bucket(value []byte) error {
	root, inline := binary.NativeEndian.Uint64(value), value[bucketSize:]
	if root != 0 {
		return w.tree(root, plain)
	}
	order := binary.NativeEndian
	if len(inline) < pageHeader || order.Uint16(inline[8:]) != leafPage {
		return damaged(w.meta.root, "holds a small bucket that is no leaf")
	}
	if order.Uint64(inline) != 0 || order.Uint32(inline[12:]) != 0 {
		return damaged(w.meta.root, "holds a small bucket that calls itself a page") // which bbolt would free
	}
	return w.leaf(inline, w.meta.root, bounds{}, plain)
}

// plain is what every entry of the bucket is: a value, no bucket in the bucket.
func plain(e element, id uint64) error {
	if e.flags != 0 {
		return damaged(id, fmt.Sprintf("marks %.40q as something other than a value", e.key))
	}
	return nil
}

// bounds are what the parent says about the keys of a page: low is the first,
// and all are below high. An empty bound is none.
type bounds struct{ low, high []byte }

// hold is about the upper bound: that the first key is low and that keys ascend
// is checked beside it.
func (b bounds) hold(key []byte) bool {
	return len(b.high) == 0 || bytes.Compare(key, b.high) < 0
}

// tree checks the page root and all below it, and calls each with every entry.
func (w *walker) tree(root uint64, each func(element, uint64) error) error {
	return w.subtree(root, 0, bounds{}, each)
}

func (w *walker) subtree(id uint64, depth int, within bounds, each func(element, uint64) error) error {
	if depth > maxDepth {
		return damaged(id, "lies too deep in the tree")
	}
	page, err := w.load(id)
	if err != nil {
		return err
	}
	switch flags := binary.NativeEndian.Uint16(page[8:]); flags {
	case branchPage:
		return w.branch(page, id, depth, within, each)
	case leafPage:
		if depth > 0 && binary.NativeEndian.Uint16(page[10:]) == 0 {
			return damaged(id, "is an empty leaf")
		}
		return w.leaf(page, id, within, each)
	default:
		return damaged(id, fmt.Sprintf("is in the tree and marked %#x", flags))
	}
}

func (w *walker) branch(page []byte, id uint64, depth int, within bounds, each func(element, uint64) error) error {
	all, err := ascending(page, id, within)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return damaged(id, "is an empty branch")
	}
	for i, e := range all {
		below := bounds{low: e.key, high: within.high}
		if i+1 < len(all) {
			below.high = all[i+1].key
		}
		if err := w.subtree(e.child, depth+1, below, each); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) leaf(page []byte, id uint64, within bounds, each func(element, uint64) error) error {
	all, err := ascending(page, id, within)
	if err != nil {
		return err
	}
	for _, e := range all {
		if err := each(e, id); err != nil {
			return err
		}
	}
	return nil
}

// ascending takes a page apart and checks the order of its keys.
func ascending(page []byte, id uint64, within bounds) ([]element, error) {
	all, err := elements(page, id)
	if err != nil {
		return nil, err
	}
	if len(all) > 0 && len(within.low) > 0 && !bytes.Equal(all[0].key, within.low) {
		// bbolt finds a page in its parent by its first key, and would enter it
		// there a second time.
		return nil, damaged(id, "does not begin with the key by which its parent knows it")
	}
	for i, e := range all {
		if !within.hold(e.key) || i > 0 && bytes.Compare(all[i-1].key, e.key) >= 0 {
			return nil, damaged(id, fmt.Sprintf("has element %d out of order", i))
		}
	}
	return all, nil
}

// freelist checks that the free list names every page that the tree does not
// use, and no other.
func (w *walker) freelist() error {
	id := w.meta.freelist
	if id == noFreelist {
		return nil
	}
	page, err := w.load(id)
	if err != nil {
		return err
	}
	order := binary.NativeEndian
	if order.Uint16(page[8:]) != freelistPage {
		return damaged(id, "is not the free list it should be")
	}
	// A count that does not fit into its two bytes is the first of the numbers.
	count, list := uint64(order.Uint16(page[10:])), page[pageHeader:]
	if count == 0xFFFF {
		count, list = order.Uint64(list), list[8:]
	}
	if count > uint64(len(list))/8 {
		return damaged(id, "lists more free pages than it has room for")
	}
	last := uint64(1)
	for i := range count {
		free := order.Uint64(list[i*8:])
		if _, used := w.seen[free]; used || free <= last || free >= w.meta.pages {
			return damaged(id, fmt.Sprintf("lists page %d as free, which it cannot be", free))
		}
		last = free
	}
	if used := uint64(len(w.seen)); used+count != w.meta.pages-2 {
		return damaged(id, fmt.Sprintf("lists %d free pages; with the %d in use there should be %d", count, used, w.meta.pages-2))
	}
	return nil
}

// load reads a page with all that overflows from it, once.
func (w *walker) load(id uint64) ([]byte, error) {
	if id < 2 || id >= w.meta.pages {
		return nil, damaged(id, "is referred to and cannot be: it is beyond the pages in use")
	}
	header := make([]byte, pageHeader)
	if err := readAt(w.r, header, id*w.meta.pageSize, id); err != nil {
		return nil, err
	}
	if own := binary.NativeEndian.Uint64(header); own != id {
		return nil, damaged(id, fmt.Sprintf("calls itself page %d", own))
	}
	extra := uint64(binary.NativeEndian.Uint32(header[12:]))
	if extra >= w.meta.pages-id {
		return nil, damaged(id, "overflows the pages in use")
	}
	for each := id; each <= id+extra; each++ {
		if _, again := w.seen[each]; again {
			return nil, damaged(each, "is used twice")
		}
		w.seen[each] = struct{}{}
	}
	page := make([]byte, (extra+1)*w.meta.pageSize)
	if err := readAt(w.r, page, id*w.meta.pageSize, id); err != nil {
		return nil, err
	}
	return page, nil
}
