package porttest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"embedseal/ports"
)

func untouched(t *testing.T, d *damaged) {
	if err := d.use(t); err != nil {
		t.Fatal(err)
	}
	if got := d.files(t); digest(got) != digest(d.now) {
		t.Error("reading changed the files")
	}
}

func otherMasterKey(t *testing.T, d *damaged) {
	_, _, _, err := d.with.Open(t, d.dir, false, true)
	if !errors.Is(err, ports.ErrWrongMasterKey) {
		t.Errorf("got the error %v, want %v", err, ports.ErrWrongMasterKey)
	}
	if digest(d.files(t)) != digest(d.now) {
		t.Error("the files were changed")
	}
	if err := d.use(t); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// positions are the numbers below n that are tried: all, or a sample with the
// first and the last ones.
func (d *damaged) positions(n int) []int {
	var at []int
	step := 1
	if d.with.Samples > 0 {
		step = max(1, n/d.with.Samples)
	}
	for i := 0; i < n; i++ {
		if i < 4 || i >= n-4 || i%step == 0 {
			at = append(at, i)
		}
	}
	return at
}

func flippedBytes(t *testing.T, d *damaged) {
	for _, name := range d.names() {
		for n, i := range d.positions(len(d.now[name])) {
			b := bytes.Clone(d.now[name])
			b[i] ^= []byte{0x01, 0x80, 0xff, 0x20}[n%4]
			d.try(t, fmt.Sprintf("byte %d flipped", i), name, b)
		}
	}
}

func truncatedFiles(t *testing.T, d *damaged) {
	for _, name := range d.names() {
		for _, length := range d.positions(len(d.now[name])) {
			d.try(t, fmt.Sprintf("cut to %d bytes", length), name, d.now[name][:length])
		}
		d.try(t, "filled with zeros", name, make([]byte, len(d.now[name])))
	}
}

func longerFiles(t *testing.T, d *damaged) {
	for _, name := range d.names() {
		d.try(t, "a byte added", name, append(bytes.Clone(d.now[name]), 0))
		d.try(t, "doubled", name, bytes.Repeat(d.now[name], 2))
	}
}

// copiedFiles also copies to where there is no file any more.
func copiedFiles(t *testing.T, d *damaged) {
	for _, from := range d.names() {
		for _, to := range d.names() {
			d.try(t, "replaced by "+from, to, d.now[from])
		}
		for to := range d.earlier {
			if d.now[to] == nil {
				d.try(t, "made of "+from, to, d.now[from])
			}
		}
	}
}

// earlierFiles puts back single files, those included that are gone since. The
// whole store of an earlier time is outside of the promise, and so is a store
// that is one file.
func earlierFiles(t *testing.T, d *damaged) {
	if len(d.now) == 1 {
		return
	}
	tried := 0
	for name, b := range d.earlier {
		if !bytes.Equal(b, d.now[name]) {
			d.try(t, "put back from an earlier time", name, b)
			tried++
		}
	}
	if tried == 0 {
		t.Error("no file had changed since")
	}
}

// removedFiles leaves out a store that is one file: without it there is none.
func removedFiles(t *testing.T, d *damaged) {
	if len(d.now) == 1 {
		return
	}
	for _, name := range d.names() {
		d.try(t, "removed", name, nil)
	}
}
