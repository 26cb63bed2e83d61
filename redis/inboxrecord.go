package redis

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
)

// appendEvent adds what insert.lua wants to know of an event.
func appendEvent(args []any, e *inbox.Event) []any {
	return append(args, e.Source, e.Key, e.Type, e.Order, string(e.Via), moment(e.Occurred), micros(e.Hold), packed(e.Header), e.Body, e.Fingerprint())
}

// micros is d in whole microseconds, rounded up, not negative, and no more than a
// century, so that Lua counts exactly with it.
func micros(d time.Duration) int64 {
	const century = 36525 * 24 * time.Hour
	return (max(0, min(d, century)) + time.Microsecond - 1).Microseconds()
}

// moment is t as text of one length, which sorts as times do: a sign, seconds and
// nanoseconds. It is empty for the zero time.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	sign, seconds := 1, uint64(t.Unix()) // the sign is apart
	if t.Unix() < 0 {
		sign, seconds = 0, seconds-1<<63 // the distance from the first second that there is
	}
	return fmt.Sprintf("%d%019d%09d", sign, seconds, t.Nanosecond())
}

// parseMoment reads what moment wrote.
func parseMoment(s string) (time.Time, error) {
	if len(s) != 29 {
		return time.Time{}, errAnswer
	}
	seconds, err := strconv.ParseUint(s[1:20], 10, 64)
	nanos, err2 := strconv.ParseInt(s[20:], 10, 64)
	if s[0] == '0' {
		seconds += 1 << 63
	}
	return time.Unix(int64(seconds), nanos).UTC(), cmp.Or(err, err2)
}

// packed is a header as lines of quoted names and values, byte for byte.
func packed(h http.Header) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			fmt.Fprintf(&b, "%q %q\n", name, value)
		}
	}
	return b.String()
}

// unpacked reads what packed wrote.
func unpacked(s string) (http.Header, error) {
	h := http.Header{}
	for line := range strings.Lines(s) {
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			return nil, err
		}
		name, err := strconv.Unquote(quoted)
		value, err2 := strconv.Unquote(strings.TrimSpace(line[len(quoted):]))
		if err := cmp.Or(err, err2); err != nil {
			return nil, err
		}
		h[name] = append(h[name], value)
	}
	return h, nil
}

// records reads what common.lua's shown returned.
func records(answer []any) ([]inbox.Record, error) {
	out := make([]inbox.Record, len(answer))
	for i, a := range answer {
		f, ok := a.([]any)
		if !ok || len(f) != 16 {
			return nil, errAnswer
		}
		if err := read(&out[i], f); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func read(r *inbox.Record, f []any) (err error) {
	r.Source, r.Key, r.Type, r.Order, r.Via = text(f[0]), text(f[1]), text(f[2]), text(f[3]), inbox.Via(text(f[4]))
	r.Received = time.UnixMicro(number(f[6])).UTC()
	r.State, r.Attempts, r.Fence, r.Replay, r.Seq = inbox.State(text(f[9])), int(number(f[11])), number(f[12]), text(f[13]), number(f[14])
	if r.Occurred, err = parseMoment(text(f[5])); err != nil {
		return err
	}
	if f[8] != nil { // else it was purged, and the headers with it
		r.Body = []byte(text(f[8]))
		if r.Header, err = unpacked(text(f[7])); err != nil {
			return err
		}
	}
	if r.State == inbox.StateReady {
		r.Due = time.UnixMicro(number(f[10])).UTC()
	}
	attempts, _ := f[15].([]any) // it is a list
	for _, a := range attempts {
		attempt, err := readAttempt(text(a))
		if err != nil {
			return err
		}
		r.History = append(r.History, attempt)
	}
	return nil
}

func readAttempt(s string) (inbox.Attempt, error) {
	var a struct{ Number, Owner, Began, Ended, Error, Replay string }
	if err := json.Unmarshal([]byte(s), &a); err != nil {
		return inbox.Attempt{}, err
	}
	at := func(s string) time.Time {
		if s == "" {
			return time.Time{}
		}
		return time.UnixMicro(number(s)).UTC()
	}
	return inbox.Attempt{
		Number: int(number(a.Number)), Owner: a.Owner, Began: at(a.Began), Ended: at(a.Ended), Error: a.Error, Replay: a.Replay,
	}, nil
}

// shortened is an error's text as a history keeps it: valid UTF-8 of a few bytes.
func shortened(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), inbox.MaxError)], "?")
}

// text is a string of an answer, empty if it is none.
func text(a any) string {
	s, _ := a.(string) // nil is empty
	return s
}

// number is a whole number of an answer: Redis' own, or text where Lua could lose
// digits. What is none is zero: the scripts write them all.
func number(a any) int64 {
	if n, is := a.(int64); is {
		return n
	}
	n, _ := strconv.ParseInt(text(a), 10, 64) // as said above
	return n
}

// compact returns what is in list once, in order.
func compact[T cmp.Ordered](list []T) []T {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}
