package poll

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Operation is something that takes its time at a server, and how it tells that
// it is done. Path or Started are needed; what else is zero has the recommended
// setting.
//
// Where its state is asked for, the first of these that is there:
//
//   - Started's Operation-Location or Azure-AsyncOperation (Azure), its Location,
//     or its Link with rel "status" or "monitor";
//   - Path.
//
// The same headers of a later answer, the Location of a 202 included, move it. An
// answer 202 is an operation that goes on, and a redirect to elsewhere its end,
// unless its body says a state.
//
// Where the result is, the first of these that is there: ResultPath; the
// "resourceLocation" of the last answer; Path, or else Started's Location, if the
// state was asked for elsewhere; else it is the last answer itself.
type Operation struct {
	// Path is asked for the state, as by [aplomb.Get].
	Path string
	// Options are the requests'. A Query is laid over any address that is asked.
	Options []aplomb.CallOption
	// Started is the answer to the call that started the operation: see
	// [aplomb.Capture]. Its Retry-After is waited for before the first request.
	Started aplomb.Response
	// Token is a [Status.Token] of another day, instead of Started.
	Token string

	// Field is the dotted path of the state in the body: a text, or a boolean that
	// is true in the end. Default: "status", "state", "properties.provisioningState"
	// or "done", the first that is there. A body without it is judged by its status
	// code.
	Field string
	// Done, Failed and Pending are the states that the API has, compared without
	// regard to case, "-" and "_". If any are given, a state that is in none of them
	// is an error where Pending has some, and one that goes on otherwise. Default: the
	// usual words, such as "succeeded" and "completed", "failed" and "canceled". With
	// a state that ends the operation, a body with an "error" that is not null has
	// failed.
	Done, Failed, Pending []string
	// Judge decides instead of them, if it returns anything but "".
	Judge func(Status) State

	// Result is the dotted path of the result in the last body, such as "response".
	// Default: all of it.
	Result string
	// ResultPath is asked for the result once the operation is done.
	ResultPath string

	// Tolerate is how many requests in a row may fail, each with its retries, before
	// Wait gives up. A failure that does not pass by itself ends it at once.
	// Default 5.
	Tolerate int
	// Pace is how often to ask.
	Pace Pace
	// Progress is called before the first request, when nothing is known but the
	// Token, and after each answer.
	Progress func(context.Context, Status)
}

// State is what an operation's state means.
type State string

// The states.
const (
	StatePending State = "pending"
	StateDone    State = "done"
	StateFailed  State = "failed"
)

// Status is what a server says of an operation.
type Status struct {
	// State is what Word, the server's own word, is taken for.
	State State
	Word  string
	// Body is the answer's.
	Body json.RawMessage
	// Response is what else is known of the answer.
	Response aplomb.Response
	// Attempts counts the answers and failures so far, Elapsed the time.
	Attempts int
	Elapsed  time.Duration
	// Token is a text for [Operation.Token]: JSON with the addresses that are asked.
	// No credential of the client's is in it; an address that the server has signed
	// is there as it came.
	Token string
}

// Format prints the state for every verb: the body may be anything.
func (s Status) Format(f fmt.State, verb rune) {
	formatLine(f, verb, fmt.Sprintf("%s (%d requests, %v)", s.State, s.Attempts, s.Elapsed))
}

// ErrFailed means that the server says an operation has failed.
var ErrFailed = errors.New("the operation failed")

// WaitError is why [Wait] has no result.
type WaitError struct {
	// Operation is the method and path that were asked for the state.
	Operation string
	// Last is the last answer; its Token goes on where Wait ended.
	Last Status
	// Attempts counts the requests, retries apart, Elapsed the time since the call.
	Attempts int
	Elapsed  time.Duration
	// ReadyAt is when the next request would have been sent, where the context's
	// deadline is sooner; else zero.
	ReadyAt time.Time
	// Err is the cause: [ErrFailed], context.DeadlineExceeded, an [*aplomb.APIError]
	// and so on.
	Err error

	text string
}

// Error is one line: it has the server's word for the state, and what it says of
// a failure.
func (e *WaitError) Error() string {
	line := "poll: " + e.Operation + ": " + e.text
	if e.Last.Word != "" {
		line += ", last state " + e.Last.Response.Redact(fmt.Sprintf("%.60q", e.Last.Word))
	}
	plural := "s"
	if e.Attempts == 1 {
		plural = ""
	}
	return line + fmt.Sprintf(" (%d request%s, %v)", e.Attempts, plural, e.Elapsed.Round(time.Millisecond))
}

// Unwrap returns the cause.
func (e *WaitError) Unwrap() error { return e.Err }

// Format prints the line for every verb, so that no dump shows the body.
func (e *WaitError) Format(f fmt.State, verb rune) { formatLine(f, verb, e.Error()) }

// token is where an operation is, as text.
type token struct {
	Version int    `json:"v"`
	Monitor string `json:"monitor,omitempty"` // "" is Path
	Final   string `json:"final,omitempty"`
}

const tokenVersion = 1

func (t token) String() string {
	t.Version = tokenVersion
	raw, _ := json.Marshal(t) //nolint:errchkjson // texts alone: cannot fail
	return string(raw)
}

// begin says where the operation is asked for.
func (op *Operation) begin() (t token, err error) {
	if op.Token != "" {
		if err := json.Unmarshal([]byte(op.Token), &t); err != nil || t.Version != tokenVersion {
			return t, errors.New("poll: Operation.Token is none that Wait has made, or made by another version of this package")
		}
	} else {
		t = monitorOf(op.Started)
	}
	if t.Monitor == "" && op.Path == "" {
		return t, errors.New("poll: Wait does not know what to ask: set Operation.Path, or Started to an answer with a Location or Operation-Location")
	}
	return t, nil
}

// monitorOf reads the headers of the answer that started the operation.
func monitorOf(r aplomb.Response) token {
	monitor := movedTo(r)
	location := ""
	if l := r.Header.Get("Location"); l != "" {
		location = r.Resolve(l)
	}
	if monitor == "" {
		return token{Monitor: cmp.Or(location, cmp.Or(r.Link("status"), r.Link("monitor")))}
	}
	return token{Monitor: monitor, Final: location}
}

// movedTo is where an answer has the state asked for from now on. The Location of a
// 200 or 201 is none of these: it names what was made.
func movedTo(r aplomb.Response) string {
	for _, name := range []string{"Operation-Location", "Azure-AsyncOperation"} {
		if v := r.Header.Get(name); v != "" {
			return r.Resolve(v)
		}
	}
	return ""
}

// judge says what an answer means.
func (op *Operation) judge(s *Status, redirected bool) error {
	body := members(s.Body)
	var found bool
	s.Word, found = op.word(body)
	if op.Judge != nil {
		if s.State = op.Judge(*s); s.State != "" {
			return nil
		}
	}
	var err error
	if s.State, err = op.meaning(s, found, redirected); s.State == StateDone && says(body["error"]) {
		s.State = StateFailed
	}
	return err
}

func (op *Operation) meaning(s *Status, found, redirected bool) (State, error) {
	word := plain(s.Word)
	switch {
	case !found && s.Response.StatusCode == http.StatusAccepted:
		return StatePending, nil
	case !found && op.Field != "" && !redirected && s.Response.StatusCode == http.StatusOK:
		return StatePending, fmt.Errorf("the body has no %s", op.Field)
	case !found, word == "true":
		return StateDone, nil
	case word == "false":
		return StatePending, nil
	}
	own := len(op.Done)+len(op.Failed)+len(op.Pending) > 0
	done, failed := op.Done, op.Failed
	if !own {
		done, failed = usualDone, usualFailed
	}
	switch {
	case among(done, word):
		return StateDone, nil
	case among(failed, word):
		return StateFailed, nil
	case among(op.Pending, word), len(op.Pending) == 0 && !redirected:
		return StatePending, nil
	case redirected:
		return StateDone, nil
	}
	return StatePending, errors.New("the state is none of Done, Failed and Pending")
}

// What APIs commonly call the ends of an operation.
var (
	usualDone   = []string{"succeeded", "success", "successful", "completed", "complete", "done", "finished", "ready"}
	usualFailed = []string{"failed", "failure", "error", "errored", "canceled", "cancelled", "aborted", "expired", "rejected", "timedout"}
)

func among(words []string, word string) bool {
	for _, w := range words {
		if plain(w) == word {
			return true
		}
	}
	return false
}

// plain is a word in its shortest spelling.
func plain(word string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(word))
}

// word finds the state in a body.
func (op *Operation) word(body map[string]json.RawMessage) (string, bool) {
	fields := []string{"status", "state", "properties.provisioningState", "done"}
	if op.Field != "" {
		fields = []string{op.Field}
	}
	for _, field := range fields {
		raw, ok := member(body, field)
		var text string
		var flag bool
		switch {
		case !ok:
		case json.Unmarshal(raw, &text) == nil && text != "":
			return text, true
		case json.Unmarshal(raw, &flag) == nil && notNull(raw):
			return strconv.FormatBool(flag), true
		}
	}
	// Google's operations leave "done" out while it is false, but have a name.
	if _, named := body["name"]; named && op.Field == "" {
		if _, meta := body["metadata"]; meta {
			return "false", true
		}
	}
	return "", false
}

// says reports a value that is more than a placeholder.
func says(raw json.RawMessage) bool {
	return notNull(raw) && !slices.Contains([]string{`""`, "false", "{}", "[]", "0"}, string(raw))
}

func notNull(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// members takes an object apart; nil for anything else.
func members(raw json.RawMessage) map[string]json.RawMessage {
	var all map[string]json.RawMessage
	_ = json.Unmarshal(raw, &all) // what is none has none
	return all
}

// member finds the value at a dotted path.
func member(object map[string]json.RawMessage, path string) (json.RawMessage, bool) {
	if raw, ok := object[path]; ok {
		return raw, true
	}
	head, rest, dotted := strings.Cut(path, ".")
	if raw, ok := object[head]; dotted && ok {
		return member(members(raw), rest)
	}
	return nil, false
}

// elsewhere reports that the answer came from another resource than was asked
// for: a redirect was followed. The query is not compared, since a client's
// own parameters are laid over it.
func elsewhere(asked, answered string) bool {
	a, errA := url.Parse(asked)
	b, errB := url.Parse(answered)
	return asked != "" && errA == nil && errB == nil && (a.Host != b.Host || a.Path != b.Path)
}
