package aplombtest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/aplomb-go/aplomb/webhook"
)

// receiver takes deliveries in.
type receiver struct {
	scheme  webhook.Scheme
	handler http.Handler
}

// Receive has the deliveries that h takes in recorded beside the calls, and gives
// the handler to serve in its place:
//
//	rec := aplombtest.Fixtures(t)
//	srv := httptest.NewServer(rec.Receive(scheme, hooks)) // the vendor reaches it by a tunnel
//	register(rec.Client(), srv.URL)
//	<-paid // by hooks
//
// h is all that a replay calls: what wraps the handler is to be wrapped around h. Replayed, they come by themselves, one after
// the other: each when all calls recorded before it have been answered, signed
// anew by the scheme, with its secret and the time of the day. An answer of
// another status than the recorded one is an error, and so is a delivery that
// could not come before the test ended.
//
// Several handlers are told apart by the names of their schemes.
func (r *Recorder) Receive(s webhook.Scheme, h http.Handler) http.Handler {
	r.tb.Helper()
	if err := s.Check(); err != nil {
		r.tb.Fatalf("aplombtest: Receive: %v", err)
	}
	r.mu.Lock()
	_, taken := r.receivers[s.Name]
	r.receivers[s.Name] = receiver{s, h}
	r.mu.Unlock()
	if taken {
		r.tb.Fatalf("aplombtest: Receive: there is a receiver for %s already: give the scheme another Name", s.Name)
	}
	if !r.recording {
		r.deliver()
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { r.receive(s.Name, h, w, req) })
}

// maxDelivery bounds a delivery's body, and is far above what vendors send.
const maxDelivery = 16 << 20

// receive records one delivery.
func (r *Recorder) receive(name string, h http.Handler, w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxDelivery))
	if err != nil {
		r.complainf("a delivery to %s is not recorded: %v", req.URL.Path, err)
		http.Error(w, "the body could not be read", http.StatusBadRequest)
		return
	}
	e := &exchange{}
	u := *req.URL
	u.Scheme, u.Host = "http", req.Host
	if req.TLS != nil {
		u.Scheme = "https"
	}
	e.Receiver, e.Method, e.URL, e.Header = name, req.Method, &u, req.Header.Clone()
	e.sent.Write(body)
	r.mu.Lock()
	r.exchanges = append(r.exchanges, e)
	r.mu.Unlock()

	again := req.WithContext(req.Context())
	again.Body = io.NopCloser(bytes.NewReader(body))
	answer := holdAnswer(h, again)
	answer.begin(w, answer.body.Len())
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Status, e.Sized, e.done = answer.code, true, true
}

// deliver plays the deliveries that are due, unless somebody is at it.
func (r *Recorder) deliver() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.playing || r.ended {
		return
	}
	if i, to := r.due(); i >= 0 {
		r.playing = true
		r.workers.Go(func() { r.play(i, to) })
	}
}

// due is the next delivery, if its time has come.
func (r *Recorder) due() (int, receiver) {
	for i := r.played; i < len(r.file.Interactions); i++ {
		name := r.file.Interactions[i].Receiver
		if name == "" {
			continue
		}
		to, ok := r.receivers[name]
		if !ok || r.tb.Context().Err() != nil || !r.tape.Before(i) {
			break
		}
		r.played = i + 1
		return i, to
	}
	return -1, receiver{}
}

// play delivers all that is due.
func (r *Recorder) play(i int, to receiver) {
	for i >= 0 {
		r.hand(i, to)
		r.mu.Lock()
		i, to = r.due()
		r.playing = i >= 0
		r.mu.Unlock()
	}
}

// hand gives one delivery to its receiver.
func (r *Recorder) hand(i int, to receiver) {
	method, u, header, body, err := r.tape.Incoming(i)
	if err != nil {
		r.complainf("delivery #%d: %v", i+1, err)
		return
	}
	req := httptest.NewRequestWithContext(r.tb.Context(), method, u.String(), bytes.NewReader(body))
	req.Header = header
	if err := to.scheme.Sign(req, body, time.Now()); err != nil {
		r.complainf("delivery #%d: %v", i+1, err)
		return
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	w := httptest.NewRecorder()
	if trouble := served(to.handler, w, req); trouble != nil {
		r.complainf("delivery #%d, to %s: the handler panicked: %v", i+1, u.Path, trouble)
	}
	r.tape.Use(i)
	if want := r.tape.Answer(i, u).Status; w.Code != want {
		r.complainf("delivery #%d, to %s: answered %d, and %d when it was recorded", i+1, u.Path, w.Code, want)
	}
}

// served serves, and returns what h panicked with: a server outlives that, too.
func served(h http.Handler, w http.ResponseWriter, r *http.Request) (trouble any) {
	defer func() { trouble = recover() }()
	h.ServeHTTP(w, r)
	return nil
}

// complainf reports from another goroutine than the test's.
func (r *Recorder) complainf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended {
		r.tb.Errorf("aplombtest: "+r.shown+": "+format, args...)
	}
}
