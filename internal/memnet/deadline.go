package memnet

import "time"

// deadline says when one side of a stream gives up. The stream's mutex guards
// it.
type deadline struct {
	passed bool
	timer  *time.Timer
	turn   int // counts settings, so that a timer of an earlier one has no say
}

// set replaces the deadline and wakes whoever waits on s if it has passed.
func (d *deadline) set(t time.Time, s *stream) {
	d.stop()
	d.passed = false
	if t.IsZero() {
		return
	}
	wait := time.Until(t)
	if wait <= 0 {
		d.passed = true
		s.cond.Broadcast()
		return
	}
	turn := d.turn
	d.timer = time.AfterFunc(wait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if d.turn == turn {
			d.passed = true
			s.cond.Broadcast()
		}
	})
}

// stop forgets a timer that is still running.
func (d *deadline) stop() {
	d.turn++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
