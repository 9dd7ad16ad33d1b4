package bbolt_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"embedseal/adapters/bbolt"
	"embedseal/domain/group"
	"embedseal/ports"
)

func TestAStoreThatIsMissingIsNotMadeByOpening(t *testing.T) {
	c := newConfig(t)
	_, _, err := bbolt.Open(t.Context(), c)
	if !errors.Is(err, ports.ErrNotFound) || !strings.Contains(err.Error(), c.Path) || !strings.Contains(err.Error(), "embedseal init") {
		t.Errorf("want not found, the path and what to do, got: %v", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(c.Path)); err != nil || len(entries) != 0 {
		t.Errorf("opening left %v, %v", entries, err)
	}
}

func TestASecondCreationLeavesTheStoreAlone(t *testing.T) {
	c := newConfig(t)
	c.Path = filepath.Join(filepath.Dir(c.Path), "missing", "directories", "store.db")
	_, want := filled(t, c, 2)
	created, err := bbolt.Create(t.Context(), bbolt.Config{Path: c.Path, MasterKey: masterKey(99)})
	if created || err != nil {
		t.Fatalf("created %t, %v", created, err)
	}
	s, _ := open(t, c)
	if got, err := readAll(t, s); err != nil || got != want {
		t.Errorf("the store holds another content (%v)", err)
	}
	for path, mode := range map[string]os.FileMode{c.Path: 0o600, filepath.Dir(c.Path): os.ModeDir | 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

func TestOfManyCreatorsOneMakesTheStore(t *testing.T) {
	c := newConfig(t)
	const creators = 8
	var wins [creators]bool
	var all sync.WaitGroup
	for i := range creators {
		all.Go(func() {
			created, err := bbolt.Create(t.Context(), c)
			if err != nil {
				t.Error(err)
			}
			wins[i] = created
		})
	}
	all.Wait()
	won := 0
	for _, w := range wins {
		if w {
			won++
		}
	}
	if won != 1 {
		t.Errorf("%d creators made it", won)
	}
	open(t, c)
	if entries, err := os.ReadDir(filepath.Dir(c.Path)); err != nil || len(entries) != 1 {
		t.Errorf("the directory holds %v, %v", entries, err)
	}
}

func TestWhatAKilledCreationLeftIsSweptUnlessSomebodyHoldsIt(t *testing.T) {
	c := newConfig(t)
	left, used := c.Path+bbolt.Unfinished+"111", c.Path+bbolt.Unfinished+"222"
	for _, path := range []string{left, used} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	letGo := holdElsewhere(t, used)
	_, closeStore := create(t, c)
	closeStore()
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file left behind is still there: %v", err)
	}
	if _, err := os.Stat(used); err != nil {
		t.Errorf("the file in use is gone: %v", err)
	}
	letGo()
	open(t, c)
	if _, err := os.Stat(used); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file that was let go is still there: %v", err)
	}
}

func TestASecondNameOfTheStoreIsSweptAndTheStoreStays(t *testing.T) {
	c := newConfig(t)
	_, want := filled(t, c, 1)
	second := c.Path + bbolt.Unfinished + "333" // killed between linking and removing
	if err := os.Link(c.Path, second); err != nil {
		t.Fatal(err)
	}
	s, _ := open(t, c)
	if got, err := readAll(t, s); err != nil || got != want {
		t.Errorf("the store holds another content (%v)", err)
	}
	if _, err := os.Stat(second); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the second name is still there: %v", err)
	}
}

func TestAStoreHeldByAnotherProcessIsSaidToBeHeld(t *testing.T) {
	c := newConfig(t)
	file, want := filled(t, c, 1)
	letGo := holdElsewhere(t, c.Path)
	_, err := openAndRead(t, c, file)
	if !errors.Is(err, ports.ErrHeld) || errors.Is(err, ports.ErrCorrupt) || !strings.Contains(err.Error(), c.Path) {
		t.Errorf("want held and the path, got: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := bbolt.Open(ctx, c); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the context ended and the opening did not: %v", err)
	}
	letGo()
	if got, err := openAndRead(t, c, file); err != nil || got != want {
		t.Errorf("after it was let go: %v", err)
	}
}

func TestTheStoreIsHeldWhileItIsOpenAndNoLonger(t *testing.T) {
	c := newConfig(t)
	_, closeStore := create(t, c)
	if _, _, err := bbolt.Open(t.Context(), c); !errors.Is(err, ports.ErrHeld) {
		t.Errorf("a second opening: %v", err)
	}
	if _, err := bolt.Open(c.Path, 0o600, &bolt.Options{Timeout: 10 * time.Millisecond}); err == nil {
		t.Error("bbolt could open it as well")
	}
	closeStore()
	closeStore()
	open(t, c)
}

func TestAClosedStoreAnswersThatItIsUnavailable(t *testing.T) {
	c := newConfig(t)
	s, closeStore := create(t, c)
	closeStore()
	if _, err := bbolt.NewKeyStore(s).Ring(t.Context(), "acme"); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("read: %v", err)
	}
	if err := addKey(t, s, "acme", "first"); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("write: %v", err)
	}
}

func TestWhatCannotBeAStoreIsNamed(t *testing.T) {
	tests := map[string]struct {
		put  func(path string) error
		want error
	}{
		"an empty file":        {func(p string) error { return os.WriteFile(p, nil, 0o600) }, ports.ErrCorrupt},
		"a text":               {func(p string) error { return os.WriteFile(p, []byte(strings.Repeat("text\n", 9999)), 0o600) }, ports.ErrCorrupt},
		"a directory":          {func(p string) error { return os.Mkdir(p, 0o700) }, ports.ErrCorrupt},
		"a database of others": {otherDatabase, ports.ErrCorrupt},
		"a bucket of nothing":  {emptyBucket, ports.ErrCorrupt},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newConfig(t)
			if err := test.put(c.Path); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadFile(c.Path)
			_, _, err := bbolt.Open(t.Context(), c)
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), c.Path) {
				t.Errorf("want %v and the path, got: %v", test.want, err)
			}
			if created, err := bbolt.Create(t.Context(), c); created || err != nil {
				t.Errorf("created %t, %v", created, err)
			}
			if after, _ := os.ReadFile(c.Path); string(after) != string(before) {
				t.Error("the file was changed")
			}
		})
	}
}

func otherDatabase(path string) error {
	return makeDatabase(path, "theirs")
}

func emptyBucket(path string) error {
	return makeDatabase(path, bbolt.BucketName)
}

func makeDatabase(path, bucket string) error {
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucket([]byte(bucket))
		return err
	})
	return errors.Join(err, db.Close())
}

func TestAStoreWithoutAMasterKeyIsNotCreated(t *testing.T) {
	c := newConfig(t)
	c.MasterKey = bbolt.MasterKey{}
	if created, err := bbolt.Create(t.Context(), c); created || err == nil {
		t.Fatalf("created %t, %v", created, err)
	}
	if entries, err := os.ReadDir(filepath.Dir(c.Path)); err != nil || len(entries) != 0 {
		t.Errorf("it left %v, %v", entries, err)
	}
}

func TestReadsAndWritesRunAtTheSameTimeWhileTheFileGrows(t *testing.T) {
	s, _ := create(t, newConfig(t))
	addGroup(t, s, "acme")
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if ring, err := bbolt.NewKeyStore(s).Ring(t.Context(), "acme"); err != nil || ring.Len() != 1 {
					t.Errorf("%d keys, %v", ring.Len(), err)
					return
				}
			}
		})
	}
	for _, a := range "abcdefgh" {
		for _, b := range "abcdefgh" {
			addGroup(t, s, group.ID("other-"+string(a)+string(b)))
		}
	}
	close(stop)
	readers.Wait()
}
