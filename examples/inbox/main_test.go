package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/aplomb-go/aplomb/inbox"
)

// fill makes an inbox with one event that was handled, one that is dead and one
// that conflicts.
func fill(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "in box%.db")
	db, err := sql.Open("sqlite", "file:"+strings.ReplaceAll(strings.ReplaceAll(path, "%", "%25"), " ", "%20")+"?_pragma=journal_mode(wal)&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	store, err := inbox.OpenSQL(t.Context(), db, inbox.SQLite)
	if err != nil {
		t.Fatal(err)
	}
	handled := make(chan struct{}, 2)
	box, err := inbox.New(store, func(_ context.Context, e *inbox.Record) error {
		if e.Type == "order.broken" {
			return inbox.Permanent(errors.New("no such\norder"))
		}
		return nil
	}, inbox.Settings{Owner: "me", Hooks: inbox.Hooks{Handled: func(context.Context, inbox.HandleEvent) { handled <- struct{}{} }}})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []inbox.Event{
		{Key: "evt_1", Type: "order.paid", Body: []byte(`{"card":"4242"}`)},
		{Key: "evt_2", Type: "order.broken", Body: []byte("{}")},
		{Key: "evt_1", Type: "order.paid", Body: []byte(`{"card":"5555"}`)},
	} {
		e.Source, e.Via = "acme", inbox.Webhook
		if _, err := box.Insert(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := box.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	<-handled
	<-handled
	stop()
	running.Wait()
	return path
}

var moments = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`)

// inboxCommand runs the command and returns what it printed, with the times taken
// out.
func inboxCommand(t *testing.T, path string, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := run(t.Context(), &out, io.Discard, append([]string{"-db", path}, args...)); err != nil {
		t.Fatal(err)
	}
	return moments.ReplaceAllString(out.String(), "TIME")
}

func TestCommands(t *testing.T) {
	t.Parallel()
	path := fill(t)
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"stats"}, "0 ready, 0 leased, 1 dead, 0 parked, 1 in conflict\n"},
		{[]string{"dead"}, "NUMBER  STATE  ATTEMPTS  RECEIVED             VIA      SOURCE  TYPE          KEY    LAST ERROR\n" +
			"2       dead   1         TIME  webhook  acme    order.broken  evt_2  \"no such\\norder\"\n"},
		{[]string{"show", "2"}, "record 2, dead\n  source    acme\n  key       evt_2\n  type      order.broken\n  via       webhook\n  occurred  TIME\n  received  TIME\n" +
			"  attempts  1\n  attempt 1 by me, TIME for 0s: \"no such\\norder\"\n  2 bytes of body: -body prints them\n"},
		{[]string{"replay", "-n", "-state", "dead, conflict"}, ""},
		{[]string{"replay", "-state", "dead", "-why", "mended"}, "1 to be handled again\n"},
		{[]string{"stats"}, "1 ready, 0 leased, 0 dead, 0 parked, 1 in conflict\n"},
		{[]string{"discard", "-state", "conflict,ready", "-why", "no longer"}, "2 given up\n"},
		{[]string{"stats"}, "0 ready, 0 leased, 0 dead, 0 parked, 0 in conflict\n"},
	} {
		got := inboxCommand(t, path, step.args...)
		got = regexp.MustCompile(` ago|for \d+ms|the oldest.*\n`).ReplaceAllString(got, "")
		got = strings.ReplaceAll(got, "TIME : ", "TIME for 0s: ")
		if step.want != "" && got != step.want {
			t.Errorf("inbox %q printed\n%swant\n%s", step.args, got, step.want)
		}
	}
	if got := inboxCommand(t, path, "show", "-body", "-key", "evt_1"); !strings.Contains(got, `{"card":"4242"}`) || !strings.Contains(got, `{"card":"5555"}`) {
		t.Errorf("show -body printed\n%s", got)
	}
	if got := inboxCommand(t, path, "list", "-limit", "2", "-since", "1h"); !strings.Contains(got, "there may be more: -after 2") {
		t.Errorf("list -limit 2 printed\n%s", got)
	}
	if got := inboxCommand(t, path, "show", "2"); !strings.Contains(got, "discarded: no longer") || !strings.Contains(got, "replay    mended") {
		t.Errorf("the history does not say what was done:\n%s", got)
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	path := fill(t)
	for want, args := range map[string][]string{
		`no command ""`:                {"-db", path},
		`no command "lst"`:             {"-db", path, "lst"},
		"no inbox at":                  {"-db", path + "x", "stats"},
		`"one" is not a record's numb`: {"-db", path, "show", "one"},
		`there is no state "deed"`:     {"-db", path, "list", "-state", "deed"},
		"nothing to replay: no record": {"-db", path, "replay", "-source", "nobody"},
		"nothing to discard: no recor": {"-db", path, "discard", "1"},
		"discard what?":                {"-db", path, "discard", "-n"},
		"there is no such record":      {"-db", path, "show", "99"},
		"flag provided but not":        {"-db", path, "list", "-body"},
	} {
		err := run(t.Context(), io.Discard, io.Discard, args)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("inbox %q: %v; want %q", args, err, want)
		}
	}
	if s := inboxCommand(t, path, "stats"); !strings.HasPrefix(s, "0 ready") {
		t.Errorf("bad input changed something: %s", s)
	}
}
