package monitor

import "time"

// Numbers are kept for five minutes in slots of ten seconds, which the page draws,
// and for an hour in slots of a minute, which alerts look back over.
const (
	shortSlot  = 10 * time.Second
	shortSlots = 30
	longSlot   = time.Minute
	longSlots  = 60
)

// tally counts calls. Limited are part of Failed; Refused and Unread are not: what the
// server blamed on the request, and what could not be decoded.
type tally struct {
	Calls, Failed, Attempts, Limited, Refused, Unread uint32
}

func (t *tally) add(o tally) {
	t.Calls += o.Calls
	t.Failed += o.Failed
	t.Attempts += o.Attempts
	t.Limited += o.Limited
	t.Refused += o.Refused
	t.Unread += o.Unread
}

// window is a ring of tallies, one for each slot of time.
type window struct {
	slot  time.Duration
	ring  []tally
	epoch int64 // of the newest slot
}

func newWindow(slot time.Duration, n int) window {
	return window{slot: slot, ring: make([]tally, n)}
}

// at turns the ring to now, and returns its slot.
func (w *window) at(now time.Time) *tally {
	epoch := now.UnixNano() / int64(w.slot)
	n := int64(len(w.ring))
	if gone := epoch - w.epoch; gone > 0 { // a clock set back counts into the newest
		for i := range min(gone, n) {
			w.ring[(epoch-i)%n] = tally{}
		}
		w.epoch = epoch
	}
	return &w.ring[w.epoch%n]
}

// spoil marks the newest call that has not failed as one that has; which one it was is
// not known, and it may be gone.
func (w *window) spoil(now time.Time) {
	w.at(now)
	size := int64(len(w.ring))
	for i := range size {
		if t := &w.ring[((w.epoch-i)%size+size)%size]; t.Failed < t.Calls {
			t.Failed++
			return
		}
	}
}

// last is the sum of the newest n slots.
func (w *window) last(now time.Time, n int) (sum tally) {
	w.at(now)
	size := int64(len(w.ring))
	for i := range int64(min(n, len(w.ring))) {
		sum.add(w.ring[((w.epoch-i)%size+size)%size])
	}
	return sum
}

// over is the sum of the newest n slots, and the time that they cover: the newest has
// only begun.
func (w *window) over(now time.Time, n int) (sum tally, covers time.Duration) {
	n = min(n, len(w.ring))
	begun := time.Duration(now.UnixNano() % int64(w.slot))
	return w.last(now, n), max(time.Duration(n-1)*w.slot+begun, w.slot)
}

// copy is the slots from the oldest to the newest, of which to has as many.
func (w *window) copy(to []tally, now time.Time) {
	w.at(now)
	oldest := (w.epoch + 1) % int64(len(w.ring))
	n := copy(to, w.ring[oldest:])
	copy(to[n:], w.ring[:oldest])
}
