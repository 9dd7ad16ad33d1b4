package file

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"strconv"
)

const (
	journalName  = "journal"
	journalTemp  = "journal.tmp"
	stageDir     = "stage"
	journalMagic = "embedseal journal\x001"
	// maxName is the longest name of a blob: a word of 40 characters, a slash and
	// another.
	maxName = 81
)

// journal is a commit that has been decided: every file it names is as it was
// before, or as it will be after, and nothing else.
type journal []move

// move is one file of a commit. It replaces the file of that name by the one
// that lies in stage/ under the number of the move, or removes it.
type move struct {
	name          string
	before, after image
}

// image says what a file holds, by its digest. The zero value is no file.
type image struct {
	present bool
	digest  [sha256.Size]byte
}

func imageOf(b []byte) image {
	if b == nil {
		return image{}
	}
	return image{present: true, digest: sha256.Sum256(b)}
}

// stageName is where the file of the i-th move waits.
func stageName(i int) string { return stageDir + "/" + strconv.Itoa(i) }

// encode writes the moves, with a digest of it all at the end: a journal that
// was cut short is not one.
func (j journal) encode() []byte {
	b := append([]byte{}, journalMagic...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(j)))
	for _, m := range j {
		b = append(b, byte(len(m.name)))
		b = append(b, m.name...)
		b = m.before.append(b)
		b = m.after.append(b)
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func (i image) append(b []byte) []byte {
	if !i.present {
		return append(b, 0)
	}
	return append(append(b, 1), i.digest[:]...)
}

// decodeJournal accepts only what encode writes.
func decodeJournal(b []byte) (journal, bool) {
	body, ok := bytes.CutPrefix(b, []byte(journalMagic))
	if !ok || len(body) < 4+sha256.Size {
		return nil, false
	}
	sum := sha256.Sum256(b[:len(b)-sha256.Size])
	if !bytes.Equal(sum[:], b[len(b)-sha256.Size:]) {
		return nil, false
	}
	count, rest := binary.BigEndian.Uint32(body), body[4:len(body)-sha256.Size]
	var j journal
	for len(rest) > 0 {
		var m move
		var okName, okBefore, okAfter bool
		m.name, rest, okName = cutName(rest)
		m.before, rest, okBefore = cutImage(rest)
		m.after, rest, okAfter = cutImage(rest)
		if !okName || !okBefore || !okAfter || !validName(m.name) {
			return nil, false
		}
		j = append(j, m)
	}
	return j, count > 0 && uint64(count) == uint64(len(j))
}

func cutName(b []byte) (name string, rest []byte, ok bool) {
	if len(b) == 0 || len(b)-1 < int(b[0]) {
		return "", nil, false
	}
	n := 1 + int(b[0])
	return string(b[1:n]), b[n:], true
}

func cutImage(b []byte) (i image, rest []byte, ok bool) {
	switch {
	case len(b) >= 1 && b[0] == 0:
		return image{}, b[1:], true
	case len(b) >= 1+sha256.Size && b[0] == 1:
		return image{present: true, digest: [sha256.Size]byte(b[1:])}, b[1+sha256.Size:], true
	}
	return image{}, nil, false
}
