package revocation_test

import (
	"crypto/sha256"
	"encoding/binary"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"embedseal/domain/key"
	"embedseal/domain/revocation"
	"embedseal/domain/token"
)

func start() time.Time { return time.Date(2026, 2, 28, 23, 59, 59, 0, time.UTC) }

func numberOf(n int) token.Fingerprint {
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
}

func entryOf(n int) revocation.Entry {
	var id [8]byte
	binary.BigEndian.PutUint64(id[:], uint64(n))
	return revocation.Entry{
		Seq: uint64(n) + 1, ID: revocation.NewID(id), Kind: revocation.Token, Subject: numberOf(n).String(),
		CreatedAt: start(), ExpiresAt: start().Add(24 * time.Hour),
	}
}

// draws an entry out of few subjects and instants, so that they meet.
func drawEntry(t *rapid.T, n int) revocation.Entry {
	e := entryOf(n)
	e.Kind = rapid.SampledFrom(revocation.Kinds()).Draw(t, "kind")
	e.ExpiresAt = start().Add(time.Duration(rapid.IntRange(1, 6).Draw(t, "hours")) * time.Hour)
	if e.Kind == revocation.Token {
		e.Subject = numberOf(rapid.IntRange(0, 3).Draw(t, "token")).String()
		return e
	}
	e.Subject = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "subject")
	e.Before = start().Add(time.Duration(rapid.IntRange(-3, 3).Draw(t, "before")) * time.Second)
	if rapid.Bool().Draw(t, "noted") {
		e.Note = "note " + strconv.Itoa(n)
	}
	return e
}

func drawClaims(t *rapid.T) token.Claims {
	c := token.Claims{
		Customer: rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "customer"),
		Embed:    rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "embed"),
	}
	if rapid.Bool().Draw(t, "says when") {
		c.IssuedAt = start().Add(time.Duration(rapid.IntRange(-4000, 4000).Draw(t, "issued")) * time.Millisecond)
	}
	return c
}

func TestTheSetAnswersAsAListThatIsSearchedWould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []revocation.Entry
		set := &revocation.Set{}
		now := start()
		for n := range rapid.IntRange(0, 12).Draw(t, "entries") {
			e := drawEntry(t, n)
			if err := e.Check(); err != nil {
				t.Fatal(err)
			}
			list = append(list, e)
			set.Add(e)
		}
		if rapid.Bool().Draw(t, "pruned") {
			now = now.Add(time.Duration(rapid.IntRange(0, 9).Draw(t, "later")) * time.Hour)
			dead := set.Dead(now)
			before := len(list)
			list = slices.DeleteFunc(list, func(e revocation.Entry) bool { return e.DeadAt(now) })
			if dead != before-len(list) {
				t.Fatalf("%d are dead, want %d", dead, before-len(list))
			}
			set = set.Living(now)
		}
		if all := slices.Collect(set.All()); !slices.Equal(all, list) || set.Len() != len(list) {
			t.Fatalf("it holds\n%+v, want\n%+v", all, list)
		}
		for range 8 {
			f, c := numberOf(rapid.IntRange(0, 5).Draw(t, "of token")), drawClaims(t)
			id := key.ID(rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "key"))
			want := slices.ContainsFunc(list, func(e revocation.Entry) bool { return e.Covers(f, c, id) })
			got, revoked := set.Revoked(f, c, id)
			if revoked != want || revoked && (!got.Covers(f, c, id) || !slices.Contains(list, got)) {
				t.Fatalf("revoked: %t by %+v, want %t", revoked, got, want)
			}
		}
		for _, e := range list {
			if found, ok := set.Find(e.ID); !ok || found != e {
				t.Fatalf("%s is %+v", e.ID, found)
			}
		}
	})
}

func TestATokenThatDoesNotSayWhenItWasIssuedCountsAsIssuedBefore(t *testing.T) {
	for _, kind := range []revocation.Kind{revocation.Customer, revocation.Embed, revocation.Key} {
		e := entryOf(0)
		e.Kind, e.Subject, e.Before = kind, "x", start()
		set := &revocation.Set{}
		set.Add(e)
		c := token.Claims{Customer: "x", Embed: "x"}
		for _, issue := range []struct {
			at   time.Time
			want bool
		}{{time.Time{}, true}, {start(), true}, {start().Add(-time.Hour), true}, {start().Add(999 * time.Millisecond), true}, {start().Add(time.Second), false}} {
			c.IssuedAt = issue.at
			if _, revoked := set.Revoked(numberOf(1), c, "x"); revoked != issue.want {
				t.Errorf("%s: issued at %v: revoked is %t", kind, issue.at, revoked)
			}
		}
		if _, revoked := set.Revoked(numberOf(1), token.Claims{Customer: "y", Embed: "y"}, "y"); revoked {
			t.Errorf("%s: another subject is revoked", kind)
		}
	}
}

func filled(n int) *revocation.Set {
	set := &revocation.Set{}
	for i := range n {
		e := entryOf(i)
		if i%4 > 0 { // three of four are of a customer, an embed, a key
			e.Kind, e.Subject, e.Before = revocation.Kind(1+i%4), "subject-"+strconv.Itoa(i), start()
		}
		set.Add(e)
	}
	return set
}

// The benchmark that stands for a verification (its cipher and its claims apart) is
// in app; this is the look-up alone.
func BenchmarkRevoked(b *testing.B) {
	for _, n := range []int{0, 1_000, revocation.MaxEntries} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			before := heap()
			set := filled(n)
			held := float64(heap() - before)
			c := token.Claims{Customer: "customer_1", Embed: "abcde", IssuedAt: start()}
			prints := make([]token.Fingerprint, 4096)
			for i := range prints {
				prints[i] = numberOf(-1 - i)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, revoked := set.Revoked(prints[i%len(prints)], c, "aa111111-1a11-111a-aa11-1aaaa11a1a11"); revoked {
					b.Fatal("revoked")
				}
			}
			runtime.KeepAlive(set)
			if n > 0 {
				b.ReportMetric(held/float64(n), "B/entry")
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
