package bbolt_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"embedseal/adapters/bbolt"
	"embedseal/ports"
	"embedseal/ports/porttest"
)

func TestAnotherMasterKeyIsRefusedByName(t *testing.T) {
	c := newConfig(t)
	file, _ := filled(t, c, 2)
	c.MasterKey = masterKey(8)
	if _, err := openAndRead(t, c, file); !errors.Is(err, ports.ErrWrongMasterKey) || !strings.Contains(err.Error(), c.Path) {
		t.Errorf("want the wrong master key and the path, got: %v", err)
	}
}

// The file has unused bytes at its end, so the shortest cuts may be read.
func TestATruncatedFileIsReadWholeOrRefused(t *testing.T) {
	c := newConfig(t)
	file, want := filled(t, c, 6)
	lengths := map[int]bool{0: true, 1: true, 79: true, 80: true, 4095: true, 4096: true, 4097: true, 8191: true, 8192: true}
	for n := 0; n < len(file); n += 509 {
		lengths[n] = true
	}
	for n := len(file); n > 0; n -= 4096 {
		lengths[n-1] = true
	}
	refused := 0
	for n := range lengths {
		if readDamaged(t, c, file[:n], want) {
			refused++
		}
	}
	if refused < len(lengths)/2 {
		t.Errorf("only %d of %d lengths were refused", refused, len(lengths))
	}
}

// What is read after a bit was flipped is what was written, or an error that
// names it. The campaign does it to every byte of the file.
func TestAFlippedBitIsReadAsWrittenOrRefused(t *testing.T) { flipBits(t, 29) }

func TestCampaignEveryByteWithAFlippedBitIsReadAsWrittenOrRefused(t *testing.T) {
	flipBits(t, max(1, int(1/porttest.LongFactor(t))))
}

// flipBits flips a bit of every stride-th byte of a small store, one at a time.
func flipBits(t *testing.T, stride int) {
	t.Helper()
	c := newConfig(t)
	file, want := filled(t, c, 2)
	var checked, opened, refused int
	for i := 0; i < len(file); i += stride {
		damaged := bytes.Clone(file)
		damaged[i] ^= 1 << (i % 8)
		checked++
		// What the preflight refuses, Open refuses with the same error before it
		// does anything else: a tenth of these go through Open to show it. Of
		// the unused bytes a tenth do as well, and all that may hold something.
		bad := preflight(damaged) != nil
		if checked%10 != 0 && (bad || unused(file, i)) {
			if bad {
				refused++
			}
			continue
		}
		opened++
		if readDamaged(t, c, damaged, want) {
			refused++
		}
		if t.Failed() {
			t.Fatalf("byte %d, bit %d", i, i%8)
		}
	}
	t.Logf("%d bits flipped, %d refused, %d files opened", checked, refused, opened)
	if refused < checked/20 {
		t.Errorf("only %d of %d were refused", refused, checked)
	}
}

// unused reports whether the byte lies in a stretch of zeros, as in the rest of
// a page.
func unused(file []byte, i int) bool {
	from, to := max(0, i-16), min(len(file), i+16)
	return len(bytes.Trim(file[from:to], "\x00")) == 0
}

// readDamaged opens a damaged file, and checks that it gives what was written
// or is refused, and that no byte of it is changed.
func readDamaged(t *testing.T, c bbolt.Config, damaged []byte, want string) (refused bool) {
	t.Helper()
	if err := os.WriteFile(c.Path, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	content, err := openAndRead(t, c, damaged)
	switch {
	case err != nil && !errors.Is(err, ports.ErrCorrupt):
		t.Errorf("%d bytes: refused as something else: %v", len(damaged), err)
	case err == nil && content != want:
		t.Errorf("%d bytes: read, and another content", len(damaged))
	}
	return err != nil
}

func TestARecordThatWasExchangedIsRefusedAndNotOverwritten(t *testing.T) {
	tests := map[string]func(*bolt.Bucket) error{
		"exchanged with another group's": func(b *bolt.Bucket) error {
			first, second := bytes.Clone(b.Get([]byte("ring/group-00"))), bytes.Clone(b.Get([]byte("ring/group-01")))
			return errors.Join(b.Put([]byte("ring/group-00"), second), b.Put([]byte("ring/group-01"), first))
		},
		"replaced by another kind": func(b *bolt.Bucket) error {
			return b.Put([]byte("ring/group-00"), bytes.Clone(b.Get([]byte("group/group-00"))))
		},
		"removed":   func(b *bolt.Bucket) error { return b.Delete([]byte("ring/group-00")) },
		"emptied":   func(b *bolt.Bucket) error { return b.Put([]byte("ring/group-00"), nil) },
		"shortened": func(b *bolt.Bucket) error { return b.Put([]byte("ring/group-00"), b.Get([]byte("ring/group-00"))[:40]) },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			c := newConfig(t)
			filled(t, c, 3)
			edit(t, c.Path, change)
			checkRefused(t, c)
		})
	}
}

func TestAnOlderRecordIsRefused(t *testing.T) {
	c := newConfig(t)
	filled(t, c, 2)
	older := map[string][]byte{}
	edit(t, c.Path, func(b *bolt.Bucket) error {
		return b.ForEach(func(k, v []byte) error {
			older[string(k)] = bytes.Clone(v)
			return nil
		})
	})
	s, closeStore := open(t, c)
	if err := addKey(t, s, "group-00", "second"); err != nil {
		t.Fatal(err)
	}
	closeStore()
	file, err := os.ReadFile(c.Path)
	if err != nil {
		t.Fatal(err)
	}
	replaced := 0
	for name, blob := range older {
		if err := os.WriteFile(c.Path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		same := false
		edit(t, c.Path, func(b *bolt.Bucket) error {
			same = bytes.Equal(blob, b.Get([]byte(name)))
			return b.Put([]byte(name), blob)
		})
		if same {
			continue
		}
		replaced++
		t.Run(name, func(t *testing.T) { checkRefused(t, c) })
	}
	if replaced < 3 { // the ring, its part of the index, the root
		t.Errorf("only %d records were older", replaced)
	}
}

// checkRefused opens a store whose ring of group-00 is not what was written, and
// checks that neither a read nor a write gets by it.
func checkRefused(t *testing.T, c bbolt.Config) {
	t.Helper()
	before, err := os.ReadFile(c.Path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openAndRead(t, c, before); !errors.Is(err, ports.ErrCorrupt) {
		t.Errorf("read: %v", err)
	}
	s, closeStore, err := bbolt.Open(t.Context(), c)
	if err != nil {
		if !errors.Is(err, ports.ErrCorrupt) {
			t.Errorf("open: %v", err)
		}
		return
	}
	if err := addKey(t, s, "group-00", "third"); !errors.Is(err, ports.ErrCorrupt) {
		t.Errorf("write: %v", err)
	}
	closeStore()
	if after, err := os.ReadFile(c.Path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was written over (%v)", err)
	}
}

// A page that cannot be read any more, or is not what it was, while the store
// is open: an error, and nothing written after it.
func TestAFileCutOffUnderAnOpenStoreIsAnErrorAndNoCrash(t *testing.T) {
	c := newConfig(t)
	file, _ := filled(t, c, 20)
	s, closeStore := open(t, c)
	if err := os.Truncate(c.Path, 8192); err != nil {
		t.Fatal(err)
	}
	if _, err := bbolt.NewKeyStore(s).Ring(t.Context(), "group-00"); !errors.Is(err, ports.ErrCorrupt) || !strings.Contains(err.Error(), c.Path) {
		t.Errorf("read: %v", err)
	}
	for range 3 {
		if err := addKey(t, s, "group-01", "second"); !errors.Is(err, ports.ErrCorrupt) {
			t.Errorf("write: %v", err)
		}
	}
	if info, err := os.Stat(c.Path); err != nil || info.Size() != 8192 {
		t.Errorf("the file was written: %v, %v", info.Size(), err)
	}
	closeStore()
	if err := os.WriteFile(c.Path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openAndRead(t, c, file); err != nil {
		t.Errorf("after the file was put back: %v", err)
	}
}

func TestAPageOverwrittenUnderAnOpenStoreIsAnErrorAndNoCrash(t *testing.T) {
	c := newConfig(t)
	file, _ := filled(t, c, 20)
	s, closeStore := open(t, c)
	ruined := bytes.Clone(file)
	for i := 2 * imagePage; i < len(ruined); i++ {
		ruined[i] = 0xff
	}
	f, err := os.OpenFile(c.Path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(ruined); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := addKey(t, s, "group-01", "second"); !errors.Is(err, ports.ErrCorrupt) {
		t.Errorf("write: %v", err)
	}
	if _, err := bbolt.NewKeyStore(s).Ring(t.Context(), "group-00"); !errors.Is(err, ports.ErrCorrupt) {
		t.Errorf("read: %v", err)
	}
	closeStore()
	if after, err := os.ReadFile(c.Path); err != nil || !bytes.Equal(ruined, after) {
		t.Errorf("the file was written (%v)", err)
	}
}
