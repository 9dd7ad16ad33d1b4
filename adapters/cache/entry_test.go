package cache

import (
	"fmt"
	"strings"
	"testing"

	"embedseal/domain/apitoken"
	"embedseal/domain/group"
	"embedseal/domain/key"
	"embedseal/domain/secret"
)

func TestTheTableFindsEveryGroupHoweverManyThereAre(t *testing.T) {
	all := newEntries()
	const many = 5000
	for i := range many {
		for j := range 2 { // the second replaces the first
			all.put(groupNo(i), entry{generation: uint64(i), writes: j})
		}
		if i%97 == 0 {
			all.expected(hashOf(groupNo(i))).fetch()
			if p := all.expected(hashOf(groupNo(i + 1))); p != (place{}) { // nobody yet
				t.Fatalf("%+v is expected of the next group", p)
			}
			if e := all.find(groupNo(i + 1)); e != &nobody {
				t.Fatalf("the next group is known before it is put: %+v", e)
			}
		}
	}
	for i := range many {
		if e := all.find(groupNo(i)); e.generation != uint64(i) || e.writes != 1 || e.name() != groupNo(i) {
			t.Fatalf("for group %d: %d, %d, of %s", i, e.generation, e.writes, e.name())
		}
	}
	seen := map[group.ID]int{}
	all.each(func(e *entry) { seen[e.name()]++ })
	if len(seen) != many || all.used != many {
		t.Errorf("%d groups, and %d places used, of %d", len(seen), all.used, many)
	}
	if len(all.places)&(len(all.places)-1) != 0 || 4*all.used > 3*len(all.places)+4 {
		t.Errorf("%d of %d places are used", all.used, len(all.places))
	}
	long := group.ID(strings.Repeat("x", group.MaxID+1))
	all.put(long, entry{generation: 7})
	if all.used != many || all.find(long) != &nobody || all.find(long[1:]) != &nobody {
		t.Error("something is known of an id that no group has")
	}
	if nobody.generation != 0 || nobody.writes != 0 || nobody.known || nobody.length != 0 || nobody.ring.Len() != 0 {
		t.Errorf("what is known of nobody has changed: %+v", nobody)
	}
}

func groupNo(i int) group.ID { return group.ID(fmt.Sprintf("group-%d", i)) }

// Groups whose hash is the same, or whose hashes share a place, are told apart by their
// ids, at the end of the table as well.
func TestGroupsOfOneHashAreToldApart(t *testing.T) {
	for _, hash := range []uint64{0, 7, fewest - 1, 1<<64 - 1} {
		all := newEntries()
		ids := []group.ID{"a", "b", "ab", "", group.ID(strings.Repeat("x", group.MaxID)), group.ID(strings.Repeat("x", group.MaxID-1))}
		for i, id := range ids {
			p := all.place(hash, id)
			if p.entry != nil {
				t.Fatalf("hash %d: %q is known as %q", hash, id, p.entry.name())
			}
			e := &entry{generation: uint64(i)}
			e.length = uint8(copy(e.id[:], id))
			*p = place{hash: hash, entry: e}
			all.used++
		}
		for _, again := range []bool{false, true} {
			for i, id := range ids {
				if e := all.place(hash, id).entry; e == nil || e.generation != uint64(i) {
					t.Errorf("hash %d, grown %t: %q is found as %+v", hash, again, id, e)
				}
			}
			if p := all.expected(hash); p.entry == nil || p.hash != hash {
				t.Errorf("hash %d, grown %t: %+v is expected", hash, again, p)
			}
			if e := all.place(hash, "other").entry; e != nil {
				t.Errorf("hash %d: another is known as %q", hash, e.name())
			}
			all.grow()
		}
	}
}

// What stands in a place is of the entry that stands there.
func TestAPlaceNamesWhatItsEntryHas(t *testing.T) {
	all := newEntries()
	ring, err := key.Ring{}.WithDefault(key.Key{ID: "k", State: key.Active, Custody: key.Material, Secret: key.Secret{Text: secret.New(strings.Repeat("x", key.SecretSize))}})
	if err != nil {
		t.Fatal(err)
	}
	tokens := []apitoken.Token{{ID: "t"}}
	for _, e := range []entry{{}, {ring: ring}, {known: true, group: group.Group{Tokens: tokens}}, {ring: ring, known: true, group: group.Group{Tokens: tokens}}, {}} {
		all.put("acme", e)
		p := all.place(hashOf("acme"), "acme")
		if p.sealer != e.ring.Sealer() || (p.token != nil) != (len(e.group.Tokens) > 0) || p.token != nil && p.token != &tokens[0] {
			t.Errorf("the token %p and the sealer %p stand beside %d tokens and the sealer %p", p.token, p.sealer, len(e.group.Tokens), e.ring.Sealer())
		}
		if expected := all.expected(hashOf("acme")); expected != *p {
			t.Errorf("%+v is expected, want %+v", expected, *p)
		}
		all.find("acme").fetchRest()
	}
}
