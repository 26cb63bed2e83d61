package aplomb

import (
	"crypto/tls"
	"net/http/httptrace"
	"sync"
	"time"
)

// Phases are how long the parts of an attempt took, 0 for one that there was not.
type Phases struct {
	// Reused says that a connection was there already.
	Reused bool `json:"reused"`
	// DNS, Connect and TLS are the making of a connection: Connect is of the one
	// address that answered first.
	DNS     time.Duration `json:"dns_ns"`
	Connect time.Duration `json:"connect_ns"`
	TLS     time.Duration `json:"tls_ns"`
	// Queued is the time until there was a connection, less those three: another
	// request's was waited for.
	Queued time.Duration `json:"queued_ns"`
	// Sent is from then until the request was written, and FirstByte from there to
	// the first byte of the answer. A server that answers before it has read the whole
	// request leaves FirstByte 0.
	Sent      time.Duration `json:"sent_ns"`
	FirstByte time.Duration `json:"first_byte_ns"`
	// Body is how long a typed call's body took.
	Body time.Duration `json:"body_ns"`
}

// stopwatch measures an attempt's phases. A connection that is being made may outlive
// the attempt that asked for it, so it is locked.
type stopwatch struct {
	mu                   sync.Mutex
	phases               Phases
	start                time.Time
	dns, connect, secure time.Time
	conn, sent, first    time.Time
	stopped              bool
}

// measure starts an attempt's watch.
func (a *Attempt) measure() {
	a.watch = &stopwatch{start: a.start}
	a.bind()
	a.Request = a.Request.WithContext(httptrace.WithClientTrace(a.Request.Context(), a.watch.trace()))
}

// at runs f with the time, unless the attempt is over.
func (w *stopwatch) at(f func(now time.Time)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopped {
		f(time.Now())
	}
}

// trace is what net/http tells the watch.
func (w *stopwatch) trace() *httptrace.ClientTrace {
	p := &w.phases
	return &httptrace.ClientTrace{
		DNSStart: func(httptrace.DNSStartInfo) { w.at(func(now time.Time) { w.dns = now }) },
		DNSDone:  func(httptrace.DNSDoneInfo) { w.at(func(now time.Time) { p.DNS = now.Sub(w.dns) }) },
		ConnectStart: func(string, string) {
			w.at(func(now time.Time) {
				if w.connect.IsZero() {
					w.connect = now
				}
			})
		},
		ConnectDone: func(_, _ string, err error) {
			w.at(func(now time.Time) {
				if err == nil && p.Connect == 0 {
					p.Connect = now.Sub(w.connect)
				}
			})
		},
		TLSHandshakeStart: func() { w.at(func(now time.Time) { w.secure = now }) },
		TLSHandshakeDone: func(tls.ConnectionState, error) {
			w.at(func(now time.Time) { p.TLS = now.Sub(w.secure) })
		},
		GotConn: func(info httptrace.GotConnInfo) {
			w.at(func(now time.Time) {
				w.conn, p.Reused = now, info.Reused
				if info.Reused { // what was being made meanwhile is another request's
					p.DNS, p.Connect, p.TLS = 0, 0, 0
				}
				p.Queued = max(0, now.Sub(w.start)-p.DNS-p.Connect-p.TLS)
			})
		},
		WroteRequest: func(httptrace.WroteRequestInfo) {
			w.at(func(now time.Time) { w.sent, p.Sent = now, now.Sub(w.conn) })
		},
		GotFirstResponseByte: func() {
			w.at(func(now time.Time) {
				if w.first = now; !w.sent.IsZero() {
					p.FirstByte = now.Sub(w.sent)
				}
			})
		},
	}
}

// stop ends the watch; nil is none. A typed call has its body by then.
func (w *stopwatch) stop(typed bool) *Phases {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	if typed && !w.first.IsZero() {
		w.phases.Body = time.Since(w.first)
	}
	return &w.phases
}
