package aplombtest

import (
	"net/http"
	"sync"
	"time"
)

// Script is an [http.Handler] that puts faults in front of another one. Each
// request that matches takes the next fault; when none is left it meets what
// Always has set, and without that the handler answers. Scripts stack: one in
// front of another adds its faults to the other's. Make one with [NewScript]; all
// methods are safe for concurrent use.
//
//	script := aplombtest.NewScript(api, aplombtest.LostResponse(), aplombtest.Status(503))
//	srv := aplombtest.NewServer(t, script)
//
// Here the first answer is lost, the second is a 503, and from the third
// request on api answers undisturbed.
type Script struct {
	next http.Handler

	mu       sync.Mutex
	match    func(*http.Request) bool // nil: every request
	queue    []turn
	since    time.Time // when the head of the queue came to be it
	always   *Fault
	requests int
}

// turn is a fault in the queue: for so many requests, or for so long.
type turn struct {
	fault Fault
	times int
	lasts time.Duration // zero: it is counted
}

// NewScript returns a Script in front of next that begins with faults.
func NewScript(next http.Handler, faults ...Fault) *Script {
	return (&Script{next: next}).Then(faults...)
}

// Then adds faults at the end of the queue, for one request each. It returns s.
func (s *Script) Then(faults ...Fault) *Script {
	for _, f := range faults {
		s.add(turn{fault: f, times: 1})
	}
	return s
}

// Times adds f at the end of the queue for n requests. It returns s.
func (s *Script) Times(n int, f Fault) *Script {
	if n > 0 {
		s.add(turn{fault: f, times: n})
	}
	return s
}

// For adds f at the end of the queue for all requests within a time of d, be
// they many or none. It begins when what is in front of it has been met or is
// over, at once if nothing is. It returns s.
func (s *Script) For(d time.Duration, f Fault) *Script {
	if d > 0 {
		s.add(turn{fault: f, lasts: d})
	}
	return s
}

func (s *Script) add(t turn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	if len(s.queue) == 0 {
		s.since = time.Now()
	}
	s.queue = append(s.queue, t)
}

// settle takes from the queue what is over. Its caller holds s.mu.
func (s *Script) settle() {
	now := time.Now()
	for len(s.queue) > 0 && s.queue[0].lasts > 0 {
		end := s.since.Add(s.queue[0].lasts)
		if now.Before(end) {
			return
		}
		s.queue, s.since = s.queue[1:], end // a time that follows begins there, not at the next request
	}
}

// Always serves f to every matching request once the queue is empty, until
// Heal. It returns s.
func (s *Script) Always(f Fault) *Script {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.always = &f
	return s
}

// Heal ends all faults, queued ones and what Always has set. Requests that are
// stalled stay so.
func (s *Script) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue, s.always = nil, nil
}

// When has only those requests take a fault for which match is true; the others
// pass. match may be called concurrently and must not read the body; nil
// matches every request. It returns s.
func (s *Script) When(match func(*http.Request) bool) *Script {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.match = match
	return s
}

// Requests returns how many requests have come in, matching or not.
func (s *Script) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// Left returns how many faults are still in the queue, one for each request
// that would meet it and one for each time of For that is not over: zero, at the
// end of a test, says that all of them were met.
func (s *Script) Left() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	for _, t := range s.queue {
		n += max(1, t.times)
	}
	return n
}

// ServeHTTP implements [http.Handler].
func (s *Script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.pick(r).handle(w, r, s.next)
}

func (s *Script) pick(r *http.Request) Fault {
	s.mu.Lock()
	s.requests++
	match := s.match
	s.mu.Unlock()
	if match != nil && !match(r) { // outside the lock: match is the user's
		return Pass()
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	if len(s.queue) > 0 {
		head := &s.queue[0]
		if head.lasts == 0 {
			head.times--
		}
		f := head.fault
		if head.lasts == 0 && head.times == 0 {
			s.queue, s.since = s.queue[1:], time.Now()
		}
		return f
	}
	if s.always != nil {
		return *s.always
	}
	return Pass()
}
