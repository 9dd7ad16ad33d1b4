package httpapi

// recent is a map of bounded size: it forgets what was not used for long. It remembers
// at least the last half of most names that were used, and at most that many.
//
// A list that is in the order of use would forget more exactly. But each use would
// write to three of its neighbours, which lie elsewhere in memory, and there is a use
// with each request.
type recent[K comparable, V any] struct {
	most int
	// now has what was used since it began, before what was used in the time before that,
	// and not since.
	now, before map[K]V
}

func newRecent[K comparable, V any](most int) recent[K, V] {
	return recent[K, V]{most: most, now: map[K]V{}, before: map[K]V{}}
}

// get uses name.
func (r *recent[K, V]) get(name K) (V, bool) {
	if v, found := r.now[name]; found {
		return v, true
	}
	v, found := r.before[name]
	if found {
		delete(r.before, name)
		r.set(name, v)
	}
	return v, found
}

// set uses name, which has v from now on.
func (r *recent[K, V]) set(name K, v V) {
	if _, there := r.now[name]; !there {
		delete(r.before, name)
		if len(r.now) >= r.most/2 {
			r.now, r.before = map[K]V{}, r.now
		}
	}
	r.now[name] = v
}

func (r *recent[K, V]) len() int { return len(r.now) + len(r.before) }
