package monitor

import (
	"slices"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Call is one call that is done, or under way.
type Call struct {
	// ID is another one for each call.
	ID        uint64        `json:"id"`
	Client    string        `json:"client"`
	Operation string        `json:"operation"`
	Method    string        `json:"method"`
	Host      string        `json:"host"`
	Start     time.Time     `json:"start"`
	Elapsed   time.Duration `json:"elapsed_ns"`
	// Result is "" while the call is under way.
	Result aplomb.Result `json:"result,omitempty"`
	Status int           `json:"status,omitempty"`
	// Attempts counts the requests sent.
	Attempts int `json:"attempts"`
	// Error is the call's, without secrets.
	Error string `json:"error,omitempty"`
	// Steps are what it was made of, in order: of more than forty the first and the last
	// twenty.
	Steps []Step `json:"steps,omitempty"`
}

// Step is a part of a [Call]: an attempt, or a wait.
type Step struct {
	// Start counts from the beginning of the call.
	Start time.Duration `json:"start_ns"`
	Took  time.Duration `json:"took_ns"`
	// Wait is the cause of a wait, "" of an attempt.
	Wait aplomb.WaitCause `json:"wait,omitempty"`
	// Number, Status and Outcome are an attempt's.
	Number  int    `json:"number,omitempty"`
	Status  int    `json:"status,omitempty"`
	Outcome string `json:"outcome,omitempty"`
	// Probe says that it tested whether a broken circuit can close, and Hedge that it
	// was sent beside a slow one.
	Probe bool `json:"probe,omitempty"`
	Hedge bool `json:"hedge,omitempty"`
	// The rest is known of some attempts only: of ten in a second, whatever they came
	// to.
	Phases    *aplomb.Phases `json:"phases,omitempty"`
	RequestID string         `json:"request_id,omitempty"`
	Error     string         `json:"error,omitempty"`
	// Curl repeats the attempt, with variables in the place of secrets.
	Curl string `json:"curl,omitempty"`
}

// flight is a call as long as something holds it: it is under way, or in a list. It
// is used again after that.
type flight struct {
	Call

	held int
	sent bool             // its first attempt has begun
	wait aplomb.WaitEvent // under way, if its Cause is not ""
}

// reset leaves room for the steps of the next call.
func (f *flight) reset() {
	clear(f.Steps)
	*f = flight{Call: Call{Steps: f.Steps[:0]}}
}

// maxSteps bounds what is kept of one call: forty steps are twenty attempts.
const maxSteps = 40

// add takes in a step. The first ones say how the trouble began and the last ones how it
// ended, so that those between go first.
func (f *flight) add(s Step) {
	if len(f.Steps) >= maxSteps {
		f.Steps = slices.Delete(f.Steps, maxSteps/2, maxSteps/2+1)
	}
	f.Steps = append(f.Steps, s)
}

// copy is the call for whoever reads it while the flight goes on.
func (f *flight) copy() Call {
	c := f.Call
	c.Steps = append([]Step(nil), c.Steps...)
	return c
}

// list is the newest calls.
type list struct {
	ring []*flight
	next int
}

// push adds a flight, and returns the one that has to go for it, nil if none.
func (l *list) push(f *flight, most int) (gone *flight) {
	f.held++
	if len(l.ring) < most {
		l.ring = append(l.ring, f)
		return nil
	}
	gone, l.ring[l.next] = l.ring[l.next], f
	l.next = (l.next + 1) % len(l.ring)
	return gone
}

// find is the flight of a call, nil if it is not in the list.
func (l *list) find(id uint64) *flight {
	for _, f := range l.ring {
		if f.ID == id {
			return f
		}
	}
	return nil
}

// newest is the calls, the newest first.
func (l *list) newest() []Call {
	all := make([]Call, 0, len(l.ring))
	for i := range l.ring {
		at := (l.next - 1 - i + 2*len(l.ring)) % len(l.ring)
		all = append(all, l.ring[at].copy())
	}
	return all
}
