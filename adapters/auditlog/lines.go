package auditlog

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"embedseal/domain/audit"
)

// line is one of a file.
type line struct {
	number int
	// text is without the end of the line, and valid until the next is read; nil
	// for one that is longer than any record.
	text []byte
	// whole is false for the rest of a file after its last line.
	whole bool
	piece piece
}

// piece describes what is no record.
type piece struct {
	size int64
	sum  [sha256.Size]byte
}

// String is how a record tells of a piece.
func (p piece) String() string { return fmt.Sprintf("%d:%x", p.size, p.sum) }

// lines reads a file line by line, in bounded memory.
type lines struct {
	in   *bufio.Reader
	last int
}

func newLines(r io.Reader) *lines { return &lines{in: bufio.NewReaderSize(r, maxLine)} }

// next returns io.EOF after the last line.
func (l *lines) next() (line, error) {
	text, err := l.in.ReadSlice('\n')
	l.last++
	switch {
	case err == nil:
		return line{number: l.last, text: text[:len(text)-1], whole: true}, nil
	case errors.Is(err, io.EOF) && len(text) > 0:
		return line{number: l.last, text: text}, nil
	case errors.Is(err, bufio.ErrBufferFull):
		return l.long(text)
	}
	return line{}, fmt.Errorf("read a line: %w", err)
}

// long reads the rest of a line that no record can be.
func (l *lines) long(text []byte) (line, error) {
	sum, size := sha256.New(), int64(0)
	for {
		part, ended := bytes.CutSuffix(text, []byte{'\n'})
		_, _ = sum.Write(part)
		size += int64(len(part))
		if ended {
			return line{number: l.last, whole: true, piece: piece{size, [sha256.Size]byte(sum.Sum(nil))}}, nil
		}
		var err error
		text, err = l.in.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			_, _ = sum.Write(text)
			return line{number: l.last, piece: piece{size + int64(len(text)), [sha256.Size]byte(sum.Sum(nil))}}, nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return line{}, fmt.Errorf("read a line: %w", err)
		}
	}
}

// described is the line as a piece.
func (l line) described() piece {
	if l.text == nil && l.piece.size > 0 {
		return l.piece
	}
	return piece{int64(len(l.text)), sha256.Sum256(l.text)}
}

// ending is what a file ends with.
type ending struct {
	// entries are the last whole lines that have the form of a record, the latest
	// first; there may be others between them.
	entries []entry
	// odd says that the last whole line has not that form.
	odd bool
	// torn is what stands after the last whole line, if it is no longer than a
	// record; from is where that begins.
	torn []byte
	from int64
	// after is where the line after the latest of the entries begins.
	after int64
}

// tailLines is how many lines of the end of a file are looked at.
const tailLines = 6

// describe is the piece of a file from one place up to another.
func describe(r io.ReaderAt, from, to int64) (piece, error) {
	sum := sha256.New()
	n, err := io.Copy(sum, io.NewSectionReader(r, from, to-from))
	if err != nil {
		return piece{}, fmt.Errorf("read: %w", err)
	}
	return piece{n, [sha256.Size]byte(sum.Sum(nil))}, nil
}

// readEnding reads the end of the first size bytes of r.
func readEnding(r io.ReaderAt, size int64) (ending, error) {
	var e ending
	ends, err := lineEnds(r, size, tailLines+1)
	if err != nil {
		return e, err
	}
	if len(ends) > 0 {
		e.from = ends[0] + 1
	}
	if e.torn, _, err = readText(r, e.from, size); err != nil {
		return e, err
	}
	for i, end := range ends {
		begin := int64(0)
		switch {
		case i+1 < len(ends):
			begin = ends[i+1] + 1
		case len(ends) > tailLines:
			return e, nil // where the line begins is not known
		}
		text, ok, err := readText(r, begin, end)
		if err != nil {
			return e, err
		}
		found, ok2 := parse(text)
		switch {
		case ok && ok2:
			if len(e.entries) == 0 {
				e.after = end + 1
			}
			e.entries = append(e.entries, found)
		case i == 0:
			e.odd = true
		}
	}
	return e, nil
}

func readText(r io.ReaderAt, begin, end int64) (text []byte, ok bool, err error) {
	if end-begin >= maxLine {
		return nil, false, nil
	}
	text = make([]byte, end-begin)
	if _, err := r.ReadAt(text, begin); err != nil && !errors.Is(err, io.EOF) {
		return nil, false, fmt.Errorf("read: %w", err)
	}
	return text, true, nil
}

// lineEnds are the places of the last count line ends, the last first.
func lineEnds(r io.ReaderAt, size int64, count int) ([]int64, error) {
	var ends []int64
	block := make([]byte, 64<<10)
	for to := size; to > 0 && len(ends) < count; {
		from := max(0, to-int64(len(block)))
		part := block[:to-from]
		if _, err := r.ReadAt(part, from); err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read: %w", err)
		}
		for len(ends) < count {
			i := bytes.LastIndexByte(part, '\n')
			if i < 0 {
				break
			}
			ends = append(ends, from+int64(i))
			part = part[:i]
		}
		to = from
	}
	return ends, nil
}

// firstEntry is the first record of a file, if its first line has that form.
func firstEntry(r io.ReaderAt, size int64) (entry, bool) {
	l, err := newLines(io.NewSectionReader(r, 0, size)).next()
	if err != nil || l.text == nil {
		return entry{}, false
	}
	return parse(bytes.Clone(l.text))
}

// headText is how a record tells of another one.
func headText(h audit.Head) string { return fmt.Sprintf("%d:%x", h.Seq, h.MAC) }

// parseHead is the inverse of headText.
func parseHead(s string) (audit.Head, bool) {
	number, text, found := strings.Cut(s, ":")
	seq, err := strconv.ParseUint(number, 10, 64)
	if !found || err != nil || len(text) != 2*sha256.Size {
		return audit.Head{}, false
	}
	h := audit.Head{Seq: seq}
	for i := range h.MAC {
		b, err := strconv.ParseUint(text[2*i:2*i+2], 16, 8)
		if err != nil {
			return audit.Head{}, false
		}
		h.MAC[i] = byte(b)
	}
	return h, true
}
