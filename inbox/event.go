package inbox

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// Event is something that happened elsewhere, as a webhook or a poll brought it.
type Event struct {
	// Source is whose event it is: the name of a webhook's endpoint or of a feed.
	// A webhook and a feed that bring the same events share one.
	Source string
	// Key is what the event is known by at its source, most often the sender's own
	// id. Of the events with one key only the first takes effect.
	Key string
	// Type is what happened, such as "invoice.paid"; it may be empty.
	Type string
	// Order names what the event is about, such as a customer: the events of one
	// Source and Order are handled one after another, by Occurred and then as they
	// came. Empty means that it waits for none.
	Order string
	// Occurred is when it happened by the sender's clock; zero stands for when it
	// was received.
	Occurred time.Time
	// Via is how it came.
	Via Via
	// Header are the headers that are kept.
	Header http.Header
	// Body is the event as it came, byte for byte.
	Body []byte
	// Digest tells whether two events with one key are the same: the SHA-256 of
	// Body if it is empty. It is compared only between events that came the same
	// way, since a webhook and a list rarely show an event in the same bytes.
	Digest []byte
	// Hold is how long the event waits before it is handled. A feed uses it where
	// the webhook of the same event, which may say more, is probably on its way: if
	// that comes meanwhile, its body is the one that counts, and the wait is over.
	Hold time.Duration
}

// Via is the way an event came.
type Via string

// The ways.
const (
	Webhook Via = "webhook"
	Poll    Via = "poll"
)

// Bounds of an event's texts, in bytes: a key is part of an index.
const (
	MaxKey  = 512 // of Source, Key, Type and Order each
	MaxBody = 64 << 20
)

// Check reports why no store would take the event.
func (e *Event) Check() error {
	if e.Source == "" || e.Key == "" {
		return errors.New("inbox: the event has no Source or no Key: without them it cannot be told from others")
	}
	for _, f := range []struct{ name, text string }{{"Source", e.Source}, {"Key", e.Key}, {"Type", e.Type}, {"Order", e.Order}, {"Via", string(e.Via)}} {
		if len(f.text) > MaxKey || !utf8.ValidString(f.text) || strings.ContainsRune(f.text, 0) {
			return fmt.Errorf("inbox: the event's %s is not UTF-8, holds a NUL or is longer than %d bytes: use a hash of it", f.name, MaxKey)
		}
	}
	if len(e.Body) > MaxBody {
		return fmt.Errorf("inbox: the event's body has %d bytes, and %d at most may be kept", len(e.Body), MaxBody)
	}
	return nil
}

// Fingerprint is what two events with one key are compared by: Digest, or else the
// SHA-256 of Body.
func (e *Event) Fingerprint() []byte {
	if len(e.Digest) > 0 {
		return e.Digest
	}
	sum := sha256.Sum256(e.Body)
	return sum[:]
}

// A Sink takes events in. [Inbox] and every [Store] are sinks; so is what stands
// before another queue, such as the package river's.
type Sink interface {
	// Insert keeps all of the events or none, and returns once that is durable:
	// a sender may then be told that its event was received. If it fails, or the
	// context ends first, they may have been kept nevertheless; inserted again,
	// they are duplicates. [ErrFull] means that there is no room at the moment.
	// The outcomes are in the events' order.
	Insert(ctx context.Context, events ...Event) ([]Outcome, error)
}

// Outcome is what became of an event that was inserted.
type Outcome struct {
	Status Status
	// Seq is the number of the record that it became, or of the one that was there.
	Seq int64
	// Via is the way in which the event that counts came.
	Via Via
}

// Status is what an insert did.
type Status string

// The statuses.
const (
	// Stored: it is the first with its key.
	Stored Status = "stored"
	// Duplicate: it was there already, and nothing changed.
	Duplicate Status = "duplicate"
	// Replaced: a poll had brought it, it had not been handled, and the webhook's
	// Type, Header and Body count now. Its place in the Order stays what it was: a
	// feed gives Order and Occurred as the webhook does.
	Replaced Status = "replaced"
	// Conflict: another event with this key, and with another digest, came the same
	// way before. This one is kept beside it, in [StateConflict]; it is handled if
	// somebody replays it.
	Conflict Status = "conflict"
)

var (
	// ErrFull means that too much waits to be stored or handled: try again later.
	ErrFull = errors.New("inbox: full")
	// ErrLost means that a lease is no longer held: another process has the event
	// or the cursor now, and nothing was changed.
	ErrLost = errors.New("inbox: the lease was lost to another process")
)
