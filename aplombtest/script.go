package aplombtest

import (
	"net/http"
	"sync"
)

// Script is an [http.Handler] that puts faults in front of another one. Each
// request that matches takes the next fault; when none is left it meets what
// Always has set, and without that the handler answers. Make one with
// [NewScript]; all methods are safe for concurrent use.
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
	queue    []Fault
	always   *Fault
	requests int
}

// NewScript returns a Script in front of next that begins with faults.
func NewScript(next http.Handler, faults ...Fault) *Script {
	return (&Script{next: next}).Then(faults...)
}

// Then adds faults at the end of the queue. It returns s.
func (s *Script) Then(faults ...Fault) *Script {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, faults...)
	return s
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

// Left returns how many faults are still in the queue: zero, at the end of a
// test, says that all of them were met.
func (s *Script) Left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
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
	if len(s.queue) > 0 {
		f := s.queue[0]
		s.queue = s.queue[1:]
		return f
	}
	if s.always != nil {
		return *s.always
	}
	return Pass()
}
