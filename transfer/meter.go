package transfer

import (
	"math"
	"sync"
	"time"
)

// Progress is what is told of a transfer: when it begins, at most every 100 ms
// while bytes come, when something happens to it, and when it is done; an error is
// told by the call. It is told on the goroutine that moves the bytes, one at a time,
// so be quick.
type Progress struct {
	// Label is the transfer's.
	Label string
	// Attempt counts from 1: for an upload the times that the body was begun; for
	// a download the connections, each break being followed by another.
	Attempt int
	// Done is how many bytes are there, none counted twice, and Total how many
	// there will be, -1 while that is not known. Done falls only where Restarted
	// says why; in an upload with each Attempt.
	Done, Total int64
	// Resumed is how many of them an earlier run had fetched.
	Resumed int64
	// Rate is in bytes per second, averaged over about the last three seconds,
	// breaks included; 0 before the first 100 ms.
	Rate float64
	// ETA is how long the rest takes at that rate; -1 while that is not known.
	ETA time.Duration
	// Elapsed is the time since the transfer began.
	Elapsed time.Duration
	// Broken is why the connection broke, or why there was none, in the event that
	// tells of it.
	Broken error
	// Restarted is why a download starts anew, in the event that tells of it.
	Restarted string
	// Complete says that this is the last event of the download, or of the attempt
	// to upload, and all bytes are there: of a download on the disk and verified; of
	// an upload taken by the connection, which is not to say that the server has them.
	Complete bool
}

const (
	tellEvery = 100 * time.Millisecond
	smooth    = 3 * time.Second
)

// meter counts a transfer's bytes and tells of them.
type meter struct {
	tell func(Progress) // nil without anybody who listens

	mu      sync.Mutex
	now     Progress
	start   time.Time
	at      time.Time // when the rate was last looked at
	since   int64     // bytes from then on
	settled bool      // there is a rate
}

func newMeter(label string, tell func(Progress)) *meter {
	return &meter{tell: tell, now: Progress{Label: label, Attempt: 1, Total: -1, ETA: -1}}
}

// begin tells that there are done of total bytes to start with.
func (m *meter) begin(done, total int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.start = time.Now()
	m.at = m.start
	m.now.Done, m.now.Resumed, m.now.Total = done, done, total
	m.say(m.start)
}

// add counts n more bytes.
func (m *meter) add(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Done += int64(n)
	if m.tell == nil {
		return
	}
	m.since += int64(n)
	if now := time.Now(); now.Sub(m.at) >= tellEvery {
		m.look(now)
		m.say(now)
	}
}

// event tells of what change does to the next Progress; what is not a state of
// the transfer is gone from the one after it.
func (m *meter) event(change func(*Progress)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.now)
	now := time.Now()
	if now.Sub(m.at) >= tellEvery {
		m.look(now)
	}
	m.say(now)
	m.now.Broken, m.now.Restarted = nil, ""
}

func (m *meter) set(change func(*Progress)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.now)
}

func (m *meter) done() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now.Done
}

// look takes the time since the last look into the rate, the more the longer it was.
func (m *meter) look(now time.Time) {
	took := now.Sub(m.at).Seconds()
	rate := float64(m.since) / took
	weight := 1 - math.Exp(-took/smooth.Seconds())
	if !m.settled {
		weight, m.settled = 1, true
	}
	m.now.Rate += weight * (rate - m.now.Rate)
	m.at, m.since = now, 0
}

func (m *meter) say(now time.Time) {
	if m.tell == nil {
		return
	}
	p := m.now
	p.Elapsed = now.Sub(m.start)
	p.ETA = -1
	if left := float64(p.Total-p.Done) / p.Rate; p.Total >= 0 && left < float64(math.MaxInt64/time.Second) {
		p.ETA = time.Duration(left * float64(time.Second))
	}
	if p.Complete {
		p.ETA = 0
	}
	m.tell(p)
}
