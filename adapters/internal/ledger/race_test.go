package ledger_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"embedseal/adapters/internal/ledger"
	"embedseal/domain/revocation"
)

// shelf is where ledgers lie that are written as in Vault: a page by whoever finds its
// name free, and the ledger by whoever has read the one that is there.
type shelf struct {
	ledger atomic.Pointer[ledger.Ledger]
	pages  sync.Map
}

var (
	errRace   = errors.New("another was faster")
	errKilled = errors.New("the writer was killed")
)

// write adds an entry; killed says at which of its steps the writer ends for good.
func (s *shelf) write(e revocation.Entry, killed int) (uint64, error) {
	old := s.ledger.Load()
	w, err := old.With(e, math.MaxInt, func() string { return fmt.Sprint(rand.IntN(400)) })
	if err != nil {
		return 0, err
	}
	if w.Page != nil {
		if _, taken := s.pages.LoadOrStore(w.Page.ID, w.Entries); taken {
			return 0, errRace
		}
		if killed == 1 {
			return 0, errKilled
		}
	}
	if !s.ledger.CompareAndSwap(old, &w.Ledger) {
		if w.Page != nil && killed != 2 {
			s.pages.Delete(w.Page.ID)
		}
		return 0, errRace
	}
	for _, p := range w.Dropped {
		if killed == 3 {
			break
		}
		s.pages.Delete(p.ID)
	}
	return w.Ledger.Seq, nil
}

// Writers that race and die between two steps lose nobody's entry, and what they leave
// is listed by no ledger.
func TestWritersThatRaceAndDieLoseNothing(t *testing.T) {
	const writers, each = 6, 150
	s := &shelf{}
	s.ledger.Store(&ledger.Ledger{})
	var mu sync.Mutex
	written := map[uint64]revocation.ID{}
	var races, deaths atomic.Int64
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 7))
			for n := range each {
				e := long(w*each+n, start(), time.Duration(1+random.IntN(3))*time.Hour)
				for {
					seq, err := s.write(e, random.IntN(4))
					if err == nil {
						mu.Lock()
						written[seq] = e.ID
						mu.Unlock()
						break
					}
					if errors.Is(err, errKilled) {
						deaths.Add(1)
					} else if races.Add(1); !errors.Is(err, errRace) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	l := s.ledger.Load()
	c, err := l.Since(revocation.Cursor{}, ledger.MaxPages, func(p ledger.Page) ([]revocation.Entry, error) {
		entries, there := s.pages.Load(p.ID)
		if !there || !p.Is(entries.([]revocation.Entry)) {
			return nil, fmt.Errorf("page %s is not what the ledger says", p.ID)
		}
		return entries.([]revocation.Entry), nil
	})
	if err != nil || len(c.Entries) != writers*each || len(written) != writers*each {
		t.Fatalf("%d entries are there, %d were acknowledged, of %d (%v)", len(c.Entries), len(written), writers*each, err)
	}
	for i, e := range c.Entries {
		if e.Seq != uint64(i)+1 || written[e.Seq] != e.ID {
			t.Fatalf("entry %d is number %d with the id %s, acknowledged was %s", i, e.Seq, e.ID, written[e.Seq])
		}
	}
	kept := 0
	s.pages.Range(func(any, any) bool { kept++; return true })
	t.Logf("%d races, %d deaths, %d pages listed, %d left behind", races.Load(), deaths.Load(), len(l.Pages), kept-len(l.Pages))
	if deaths.Load() == 0 || kept == len(l.Pages) {
		t.Error("nobody died in between: that shows nothing")
	}
}
