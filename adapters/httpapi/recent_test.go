package httpapi

import "testing"

// TestTheLastUsedAreRemembered compares with what is known of the order of use.
func TestTheLastUsedAreRemembered(t *testing.T) {
	const most = 10
	r := newRecent[int, int](most)
	var order []int // the last one used is the last
	use := func(name int) {
		for i, n := range order {
			if n == name {
				order = append(order[:i], order[i+1:]...)
				break
			}
		}
		order = append(order, name)
	}
	for i := range 10_000 {
		name := i * i % 17
		v, found := r.get(name)
		if found && v != -name {
			t.Fatalf("%d has the value of %d", name, -v)
		}
		for age, n := range order {
			if n == name && !found && age >= len(order)-most/2 {
				t.Fatalf("%d is forgotten, which was among the last %d that were used", name, most/2)
			}
		}
		if !found {
			r.set(name, -name)
		}
		use(name)
		if r.len() > most {
			t.Fatalf("%d are remembered, at most %d are meant", r.len(), most)
		}
	}
	if r.len() < most/2 {
		t.Errorf("%d are remembered", r.len())
	}
	for name := 100; name < 100+most; name++ {
		r.set(name, 0)
	}
	if _, found := r.get(1); found {
		t.Error("what was not used for long is remembered")
	}
}
