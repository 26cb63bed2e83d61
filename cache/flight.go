package cache

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// patience is how long those who wait for another's answer go on waiting once it
// has begun to come: its reader may take its time.
const patience = time.Second

// headerTime is how long they wait for it to begin: who asked may have more time than
// they, and a server that takes as long may answer another connection at once.
const headerTime = 30 * time.Second

// outcome is what came of a flight.
type outcome int

const (
	lost   outcome = iota // its leader went away: another one leads
	alone                 // the answer is for its leader only: each asks for itself
	shared                // the answer is in the cache
)

// flight is a request that is under way, for whoever makes an equal one meanwhile.
// The methods do nothing on nil.
type flight struct {
	of     *flights
	key    string
	once   sync.Once
	header chan struct{} // closed when the answer has begun to come
	begun  sync.Once
	vary   []string      // of the answer
	chosen string        // what the leader sent of that
	done   chan struct{} // closed when the rest is known
	what   outcome
	entry  *entry
}

type flights struct {
	mu  sync.Mutex
	all map[string]*flight
}

// join returns the flight of a key, and whether the caller is the one to lead it.
func (s *flights) join(key string) (f *flight, leads bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.all[key]; ok {
		return f, false
	}
	if s.all == nil {
		s.all = map[string]*flight{}
	}
	f = &flight{of: s, key: key, header: make(chan struct{}), done: make(chan struct{})}
	s.all[key] = f
	return f, true
}

// headed says that an answer to r has begun to come and may be shared.
func (f *flight) headed(e *entry, r *http.Request) {
	if f == nil {
		return
	}
	f.begun.Do(func() {
		f.vary, _ = varyOf(e.Header)
		f.chosen = selection(f.vary, r)
		close(f.header)
	})
}

// fits reports that the answer that has begun to come is one to r too: a header
// that a flight's key leaves out may be one that it varies by.
func (f *flight) fits(r *http.Request) bool { return selection(f.vary, r) == f.chosen }

// end says what came of it, the first time it is called.
func (f *flight) end(what outcome, e *entry) {
	if f == nil {
		return
	}
	f.once.Do(func() {
		f.of.mu.Lock()
		delete(f.of.all, f.key)
		f.of.mu.Unlock()
		f.what, f.entry = what, e
		close(f.done)
	})
}

// wait waits for what comes of another's flight for r.
func (f *flight) wait(r *http.Request) (outcome, *entry, error) {
	ctx, header := r.Context(), f.header
	timer := time.NewTimer(headerTime)
	defer timer.Stop()
	for {
		select {
		case <-f.done:
			if f.what == shared && !f.fits(r) {
				return alone, nil, nil
			}
			return f.what, f.entry, nil
		case <-header:
			if !f.fits(r) {
				return alone, nil, nil
			}
			header = nil
			timer.Reset(patience)
		case <-timer.C:
			if header == nil { // nobody else waits as long for a body that is not being read
				f.end(alone, nil)
			}
			return alone, nil, nil
		case <-ctx.Done():
			return 0, nil, context.Cause(ctx)
		}
	}
}

// together asks once for all who ask the same at the same time.
func (x *exchange) together(e *entry) (*http.Response, error) {
	key := flightKey(x.address, x.owner, x.epoch, x.request)
	for {
		f, leads := x.cache.flights.join(key)
		if leads {
			return x.forward(e, f)
		}
		what, got, err := f.wait(x.request)
		if err != nil {
			return nil, err
		}
		now := time.Now()
		switch {
		case what == shared && got.fits(x.asked, now):
			resp := got.response(x.request, now)
			return x.tell(resp, Event{Result: ResultShared, Age: got.age(now)}, "fwd="+x.why+"; collapsed; ttl="+wholeSeconds(got.ttl(now))), nil
		case what != lost:
			return x.forward(e, nil)
		}
	}
}
