package poll

// SetRandom has the feed draw its jitter from r, which returns numbers in [0, 1).
func (f *Feed[T]) SetRandom(r func() float64) { f.random = r }
