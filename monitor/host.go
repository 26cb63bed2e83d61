package monitor

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
)

// hostState is what is known of a host beside the numbers of its operations.
type hostState struct {
	lastError   string
	lastFailed  time.Time
	called      time.Time // when the last call was done
	unsent      bool      // the last error is of a call that was not sent
	refusedWith int       // the status of the last client error
	// run counts the failures since the last success, and before what it was then: the
	// body of that success may still break off.
	run, before int
}

// refusalWaits is how long the error of a call that was sent is shown before one of
// a call that was not takes its place: it says why there are such calls.
const refusalWaits = time.Hour

// done takes in a call that is done.
func (h *hostState) done(e *aplomb.CallEvent, text string, now time.Time) {
	h.called = now
	switch {
	case failed(e.Result):
		h.run++
		unsent := e.Attempts == 0 || e.Result == aplomb.ResultBreakerOpen
		if unsent && !h.unsent && now.Sub(h.lastFailed) < refusalWaits {
			return
		}
		h.lastFailed, h.lastError, h.unsent = now, cmp.Or(text, untold(e)), unsent
	case e.Result == aplomb.ResultCanceled, e.Result == aplomb.ResultPanic: // says nothing of the host
	default:
		if e.Result == aplomb.ResultClientError {
			h.refusedWith = e.Status
		}
		h.before, h.run = h.run, 0
	}
}

// broke takes in that the body of a call that was done broke off.
func (h *hostState) broke(text string, now time.Time) {
	if h.run == 0 {
		h.run = h.before
	}
	h.run++
	h.lastFailed, h.lastError, h.unsent = now, text, false
}

// untold is the error of a call that has none: its status is.
func untold(e *aplomb.CallEvent) string {
	if e.Status > 0 {
		return e.Operation + ": " + strconv.Itoa(e.Status)
	}
	return e.Operation + ": " + strings.ReplaceAll(string(e.Result), "_", " ")
}

// lately is what a host is judged by: its calls in the shortest of the last one to five
// minutes that has enough of them, else in five.
type lately struct {
	tally

	minutes     int
	run         int // so many of the newest calls failed
	refusedWith int
}

func (h *hostState) lately(slots *[shortSlots]tally) lately {
	l := lately{refusedWith: h.refusedWith}
	for l.minutes < shortSlots/slotsAHistogram && (l.minutes == 0 || l.Calls < leastCalls) {
		end := shortSlots - l.minutes*slotsAHistogram
		for _, t := range slots[end-slotsAHistogram : end] {
			l.add(t)
		}
		l.minutes++
	}
	five := uint32(0)
	for _, t := range slots {
		five += t.Failed
	}
	l.run = min(h.run, int(five))
	return l
}

// window names the time that the calls are of.
func (l lately) window() string {
	return [...]string{"a minute", "two minutes", "three minutes", "four minutes", "five minutes"}[l.minutes-1]
}
