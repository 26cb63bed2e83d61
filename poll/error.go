package poll

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
)

// GapError means that a feed cannot go on where it was: of what lies between,
// something may be missing. [Feed.Gap] decides what comes of it.
type GapError struct {
	// Feed is the feed's name.
	Feed string
	// Pages is how many pages were read in search of an item read before.
	Pages int
	// Err is the server's refusal of the cursor, a 404 or 410; nil where pages were
	// read and nothing known was among them.
	Err error

	why string
}

// Error is one line.
func (e *GapError) Error() string {
	if e.Err != nil {
		return "poll: " + e.Feed + ": the server does not know the cursor any more: read the list anew, and set Feed.Gap to go on: " + e.Err.Error()
	}
	return "poll: " + e.Feed + ": " + fmt.Sprintf(e.why, e.Pages)
}

// Unwrap returns the server's refusal.
func (e *GapError) Unwrap() error { return e.Err }

// ItemError is an item that a feed cannot take: it does not decode, or has no
// key. The feed stops before it, and nothing is lost; [Feed.Poisoned] decides
// otherwise.
type ItemError struct {
	// Feed is the feed's name.
	Feed string
	// Page and Index say where in the round's pages the item was, both from 1.
	Page, Index int
	// ID is the item's member "id", if it has one.
	ID string
	// Raw is the item. It is never printed.
	Raw json.RawMessage
	// Err is what is wrong with it.
	Err error

	text string
}

// Error is one line.
func (e *ItemError) Error() string {
	which := fmt.Sprintf("item %d of page %d", e.Index, e.Page)
	if e.ID != "" {
		which += fmt.Sprintf(" (id %s)", e.ID)
	}
	return "poll: " + e.Feed + ": " + which + ": " + e.text
}

// Unwrap returns what is wrong.
func (e *ItemError) Unwrap() error { return e.Err }

// Format prints the line for every verb, so that no dump shows the item.
func (e *ItemError) Format(f fmt.State, verb rune) { formatLine(f, verb, e.Error()) }

func formatLine(f fmt.State, verb rune, line string) {
	if verb == 'q' {
		_, _ = fmt.Fprintf(f, "%q", line)
		return
	}
	_, _ = fmt.Fprint(f, line)
}

// passing reports a failure after which it makes sense to ask again, and how
// long whoever refused wants us to wait. A refusal of the request, a credential
// or a setting does not pass by itself.
func passing(err error) (bool, time.Duration) {
	if e, ok := errors.AsType[*aplomb.APIError](err); ok {
		if e.StatusCode == http.StatusForbidden && strings.Contains(strings.ToLower(e.Message), "rate limit") {
			return true, max(e.RetryAfter, time.Minute) // as GitHub asks for where it says no more
		}
		return passingStatus(e), e.RetryAfter
	}
	if e, ok := errors.AsType[*aplomb.CallError](err); ok {
		if e.ReadyAt.IsZero() {
			return e.Attempts > 0 || known(err), 0
		}
		return true, max(0, time.Until(e.ReadyAt))
	}
	_, decoding := errors.AsType[*aplomb.DecodeError](err)
	_, storing := errors.AsType[*storeError](err)
	return decoding || storing || errors.Is(err, aplomb.ErrTruncated) || errors.Is(err, aplomb.ErrCursorStuck), 0
}

// known reports that a call which was not sent may be sent later. One that is
// refused for what it says, such as a path with a hole in it, is refused again.
func known(err error) bool {
	return slices.ContainsFunc([]error{
		aplomb.ErrCircuitOpen, aplomb.ErrBulkheadFull, aplomb.ErrRateLimited, aplomb.ErrNoCredential, context.DeadlineExceeded,
	}, func(target error) bool { return errors.Is(err, target) })
}

// passingStatus reports an answer that another may follow.
func passingStatus(e *aplomb.APIError) bool {
	switch e.StatusCode {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusMisdirectedRequest, http.StatusLocked, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusForbidden: // GitHub refuses so when a quota is used up
		return e.RetryAfter > 0 || e.Header.Get("X-Ratelimit-Remaining") == "0"
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return e.StatusCode >= 500
}

// gone reports an answer to a cursor that has expired.
func gone(err error) bool {
	status := aplomb.StatusCode(err)
	return status == http.StatusNotFound || status == http.StatusGone
}
