package aplomb

import (
	"sync"
	"time"
)

// A watchdog ends an attempt whose server is silent for too long. Its one timer is brought
// forward but never put off: it goes off early and is set anew, which costs less than to
// stop and start it around each read.
type watchdog struct {
	carrier *carrier

	mu    sync.Mutex
	timer *time.Timer
	armed time.Time     // when the timer goes off; zero: it does not
	next  time.Time     // when the attempt ends; zero: there is no limit now
	cause *timeoutError // of that end
	over  bool
	taken bool // by a request under way
	extra bool // made by take
}

// watch gives the other end as long from now as the silence says.
func (w *watchdog) watch(silence *timeoutError, now time.Time) {
	if silence == nil {
		w.rest()
		return
	}
	w.mu.Lock()
	w.next, w.cause = now.Add(silence.after), silence
	if !w.over && (w.armed.IsZero() || w.next.Before(w.armed)) {
		w.arm(silence.after)
	}
	w.mu.Unlock()
}

// arm has the timer go off at next, which is in d. w.mu is held.
func (w *watchdog) arm(d time.Duration) {
	w.armed = w.next
	if w.timer == nil {
		w.timer = time.AfterFunc(d, w.fire)
		return
	}
	w.timer.Reset(d)
}

// rest is for the time in which it is not the other end that is waited for.
func (w *watchdog) rest() {
	w.mu.Lock()
	w.next = time.Time{}
	w.mu.Unlock()
}

// fire is what the timer does.
func (w *watchdog) fire() {
	if cause := w.due(); cause != nil {
		w.carrier.end(cause)
	}
}

// due is the reason to end the attempt now, nil if there is none yet.
func (w *watchdog) due() error {
	w.mu.Lock()
	w.armed = time.Time{}
	var cause error
	switch now := time.Now(); {
	case w.over || w.next.IsZero():
	case now.Before(w.next):
		w.arm(w.next.Sub(now))
	default:
		cause = w.cause
	}
	w.mu.Unlock()
	return cause
}

// stop ends the watch.
func (w *watchdog) stop() {
	w.mu.Lock()
	w.over = true
	if w.timer != nil {
		w.timer.Stop()
	}
	w.mu.Unlock()
}

// take is w for one request, or one like it: a middleware may have sent another of
// the same attempt, which is under way still.
func (w *watchdog) take() *watchdog {
	w.mu.Lock()
	taken := w.taken
	w.taken = true
	w.mu.Unlock()
	if taken {
		return &watchdog{carrier: w.carrier, extra: true}
	}
	return w
}

// free ends the watch of one request.
func (w *watchdog) free() {
	if w.extra {
		w.stop()
		return
	}
	w.mu.Lock()
	w.taken, w.next = false, time.Time{}
	w.mu.Unlock()
}
