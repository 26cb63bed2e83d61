package inbox_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb/inbox"
)

// TestPoison: an event that kills the process each time that it is handled, by
// SIGKILL, becomes a dead letter with its history; the events beside it take effect
// once, and only its own Order waits for it.
func TestPoison(t *testing.T) {
	t.Parallel()
	driver, dsn, db := sqliteFile(t)
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE effects (event TEXT NOT NULL, via TEXT NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	store := open(t, db, inbox.SQLite)
	w := newWorld(t, 0)
	var events []inbox.Event
	for i := range 300 {
		e := inbox.Event{Source: "stripe", Key: "evt_" + strconv.Itoa(i), Order: strconv.Itoa(i % 20), Type: "invoice.paid", Via: inbox.Webhook, Body: []byte("{}")}
		if i == 150 {
			e.Type = "poison"
		}
		events = append(events, e)
	}
	if _, err := store.Insert(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
	r := &receiver{t: t, socket: w.socket, env: []string{envDriver + "=" + driver, envDSN + "=" + dsn, envAPI + "=" + w.api.URL, envSocket + "=" + w.socket, envPoison + "=1"}}
	deaths := 0
	r.start()
	t.Cleanup(r.kill)
	eventually(t, func() error {
		if r.ended() {
			deaths++
			r.start()
		}
		var n int
		err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM effects").Scan(&n)
		if err == nil && n < len(events)-1 {
			err = fmt.Errorf("%d of %d events took effect, after %d deaths", n, len(events)-1, deaths)
		}
		return err
	})
	var twice int
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) - COUNT(DISTINCT event) FROM effects").Scan(&twice); err != nil || twice != 0 {
		t.Errorf("%d effects took place twice, %v", twice, err)
	}
	letters, err := store.List(t.Context(), inbox.Query{States: []inbox.State{inbox.StateDead}})
	if err != nil || len(letters) != 1 || letters[0].Key != "evt_150" {
		t.Fatalf("dead letters: %v, %v; want the poisoned event alone", letters, err)
	}
	if deaths != poisonAttempts {
		t.Errorf("the receiver died %d times of %d attempts", deaths, poisonAttempts)
	}
	for i, a := range letters[0].History {
		if i < poisonAttempts && a.Error != inbox.RanOut {
			t.Errorf("attempt %d: %q", i+1, a.Error)
		}
	}
	if last := letters[0].History[len(letters[0].History)-1]; !strings.Contains(last.Error, "given up after 4 attempts") {
		t.Errorf("the last word is %q", last.Error)
	}
}
