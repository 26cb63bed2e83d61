package inbox

import (
	"fmt"
	"log/slog"
)

// String names the event: its source, type, key and way, and nothing of its body.
func (e Event) String() string {
	return fmt.Sprintf("%s %s %q via %s", e.Source, e.Type, e.Key, e.Via)
}

// Format prints String, whatever the verb: bodies hold what is nobody's business.
func (e Event) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(e.String())) }

// LogValue is String for slog.
func (e Event) LogValue() slog.Value { return slog.StringValue(e.String()) }

// String names the record: its number, state, attempts and event.
func (r Record) String() string {
	return fmt.Sprintf("%d %s after %d attempts: %s", r.Seq, r.State, r.Attempts, r.Event.String())
}

// Format prints String, whatever the verb.
func (r Record) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(r.String())) }

// LogValue is String for slog.
func (r Record) LogValue() slog.Value { return slog.StringValue(r.String()) }
