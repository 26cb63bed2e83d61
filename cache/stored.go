package cache

import "slices"

// lookup finds the stored answer to the request, nil if there is none.
func (x *exchange) lookup() *entry {
	x.why = "uri-miss"
	i := x.index()
	if i == nil {
		return nil
	}
	x.why, x.key = "vary-miss", i.answerKey(x.owner, x.request)
	value := x.store.get(x.ctx(), x.key)
	if value == nil {
		return nil
	}
	e, err := decode(value)
	if err != nil {
		x.cache.counts.corrupt.Add(1)
		_ = x.store.remove(x.ctx(), x.key)
		return nil
	}
	x.why = "stale"
	if demanding(x.asked) {
		x.why = "request"
	}
	return e
}

// index is by what the answers of the address vary, nil if none is stored.
func (x *exchange) index() *index {
	value := x.store.get(x.ctx(), x.address)
	if value == nil {
		return nil
	}
	i, err := decodeIndex(value)
	if err != nil {
		x.cache.counts.corrupt.Add(1)
		_ = x.store.remove(x.ctx(), x.address)
		return nil
	}
	return i
}

// keep stores a value for the entry, and what its address varies by. An address
// that once varied by a header goes on doing so: more keys than needed are never
// wrong.
func (x *exchange) keep(e *entry, value []byte) {
	if x.changed() {
		return
	}
	vary, _ := varyOf(e.Header) // few enough, else it were forbidden
	i := x.index()
	if i != nil {
		vary = union(i.Vary, vary)
	}
	if len(vary) > maxVary {
		return
	}
	if i == nil || !slices.Equal(i.Vary, vary) {
		i = &index{Vary: vary, Generation: newGeneration()}
		head, err := i.encode()
		if err != nil || x.store.set(x.ctx(), x.address, head) != nil {
			return
		}
	}
	_ = x.store.set(x.ctx(), i.answerKey(x.owner, x.request), value) // counted; the call has its answer
	if x.changed() {
		_ = x.store.remove(x.ctx(), x.address)
	}
}

// changed reports that what the address holds was changed since the request began.
func (x *exchange) changed() bool { return x.cache.epoch(x.address).Load() != x.epoch }

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// drop removes the answer that was found.
func (x *exchange) drop() { _ = x.store.remove(x.ctx(), x.key) }
