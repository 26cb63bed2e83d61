package inbox_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/compat/postgres"
	"github.com/aplomb-go/aplomb/signature"
)

// TestKilled: events come by webhook, some never, some twice, in no order, and by
// poll; the process that receives them is killed again and again at random. Each
// event takes effect exactly once if that is in the inbox's transaction, and at
// least once otherwise.
func TestKilled(t *testing.T) {
	for _, tt := range []struct {
		name          string
		events, kills int
		outside       bool
		database      func(t *testing.T) (driver, dsn string, db *sql.DB)
	}{
		{"SQLite", 10_000, 50, false, sqliteFile},
		{"PostgreSQL", 10_000, 50, false, func(t *testing.T) (string, string, *sql.DB) {
			server := postgres.Start(t)
			return "pgx", server.DSN("killed"), server.Open("pgx", "killed")
		}},
		{"at least once", 2_000, 15, true, sqliteFile},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			driver, dsn, db := tt.database(t)
			if _, err := db.ExecContext(t.Context(), "CREATE TABLE effects (event TEXT NOT NULL, via TEXT NOT NULL)"); err != nil {
				t.Fatal(err)
			}
			w := newWorld(t, tt.events)
			r := &receiver{t: t, socket: w.socket, env: []string{envDriver + "=" + driver, envDSN + "=" + dsn, envAPI + "=" + w.api.URL, envSocket + "=" + w.socket}}
			if tt.outside {
				r.env = append(r.env, envOutside+"=1")
			}
			r.start()
			t.Cleanup(r.kill)
			w.begin()
			for range tt.kills {
				time.Sleep(time.Duration(100+rand.IntN(500)) * time.Millisecond)
				r.kill()
				r.start()
			}
			w.sent.Wait()
			eventually(t, func() error { return w.allTookEffect(db, tt.outside) })
			t.Log(w.summary(db, tt.kills))
		})
	}
}

// sqliteFile is a new database, and how a process opens it, too.
func sqliteFile(t *testing.T) (driver, dsn string, db *sql.DB) {
	t.Helper()
	dir := t.TempDir()
	return "sqlite", "file:" + filepath.Join(dir, "inbox.db") + pragmas, openSQLite(t, "sqlite", dir)
}

// world is where the events happen.
type world struct {
	t        *testing.T
	events   []listed
	happened atomic.Int64
	api      *httptest.Server
	socket   string
	client   *http.Client
	sent     sync.WaitGroup

	dropped, doubled, acknowledged, refused atomic.Int64
}

func newWorld(t *testing.T, events int) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "hook") //nolint:usetesting // t.TempDir's names can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	w := &world{t: t, events: make([]listed, events), socket: filepath.Join(dir, "s")}
	for i := range w.events {
		w.events[i].ID = "evt_" + strconv.Itoa(i)
	}
	w.api = httptest.NewServer(http.HandlerFunc(w.list))
	t.Cleanup(w.api.Close)
	w.client = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", w.socket)
	}}}
	t.Cleanup(w.client.CloseIdleConnections)
	return w
}

// begin has the events happen, one after another, and the webhooks be sent.
func (w *world) begin() {
	w.sent.Go(func() {
		for i := range w.events {
			w.events[i].Created = time.Now().Unix()
			w.happened.Store(int64(i + 1))
			times := 1
			switch n := rand.IntN(100); {
			case n < 5:
				w.dropped.Add(1)
				times = 0
			case n < 10:
				w.doubled.Add(1)
				times = 2
			}
			e := w.events[i]
			for range times {
				w.sent.Go(func() {
					time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond)
					w.deliver(e)
				})
			}
			if i%10 == 0 {
				time.Sleep(20 * time.Millisecond)
			}
		}
	})
}

// deliver sends a webhook until it is acknowledged, as Stripe does for three days.
func (w *world) deliver(e listed) {
	body := fmt.Appendf(nil, `{"id":%q,"object":"event","type":"invoice.paid","created":%d,"data":{"object":{"id":"in_1"}}}`, e.ID, e.Created)
	for !w.once(body) {
		w.refused.Add(1)
		time.Sleep(time.Duration(20+rand.IntN(80)) * time.Millisecond)
		if w.t.Context().Err() != nil {
			return
		}
	}
	w.acknowledged.Add(1)
}

func (w *world) once(body []byte) bool {
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, "http://receiver/stripe", bytes.NewReader(body))
	if err != nil {
		w.t.Error(err)
		return true
	}
	if err := signature.Stripe(signature.StaticKey(hookSecret)).Sign(req, time.Now()); err != nil {
		w.t.Error(err)
		return true
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close() // its status is all there is
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusBadRequest {
		w.t.Errorf("the receiver answered %s", resp.Status)
	}
	return resp.StatusCode == http.StatusOK
}

// list is GET /v1/events: the newest first, from starting_after on.
func (w *world) list(rw http.ResponseWriter, r *http.Request) {
	end := int(w.happened.Load())
	if after, err := strconv.Atoi(strings.TrimPrefix(r.URL.Query().Get("starting_after"), "evt_")); err == nil {
		end = after
	}
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	page := struct {
		Data    []listed `json:"data"`
		HasMore bool     `json:"has_more"`
	}{Data: []listed{}}
	for i := end - 1; i >= 0 && len(page.Data) < limit; i-- {
		page.Data = append(page.Data, w.events[i])
	}
	page.HasMore = end > limit
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(page) // the receiver may be gone
}

func (w *world) allTookEffect(db *sql.DB, mayRepeat bool) error {
	ctx := w.t.Context()
	var distinct, all int
	if err := db.QueryRowContext(ctx, "SELECT COUNT(DISTINCT event), COUNT(*) FROM effects").Scan(&distinct, &all); err != nil {
		return err
	}
	if all > distinct && !mayRepeat {
		w.t.Fatalf("%d effects of %d events: some took effect twice", all, distinct)
	}
	if distinct < len(w.events) {
		return fmt.Errorf("%d of %d events took effect; the rest: %s", distinct, len(w.events), w.without(db))
	}
	return nil
}

// without is what the inbox says of events that have not taken effect.
func (w *world) without(db *sql.DB) string {
	rows, err := db.QueryContext(w.t.Context(), `SELECT event_key, state, attempts, history FROM aplomb_inbox
		WHERE event_key NOT IN (SELECT event FROM effects) LIMIT 5`)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = rows.Close() }()
	said := []string{"those that did not come"}
	for rows.Next() {
		var key, history string
		var state, attempts int
		if err := rows.Scan(&key, &state, &attempts, &history); err != nil {
			return err.Error()
		}
		said = append(said, fmt.Sprintf("%s (state %d, %d attempts: %s)", key, state, attempts, history))
	}
	if err := rows.Err(); err != nil {
		return err.Error()
	}
	return strings.Join(said, ", ")
}

func (w *world) summary(db *sql.DB, kills int) string {
	var effects, polled int
	if err := db.QueryRowContext(w.t.Context(), "SELECT COUNT(*), SUM(CASE WHEN via = 'poll' THEN 1 ELSE 0 END) FROM effects").Scan(&effects, &polled); err != nil {
		w.t.Fatal(err)
	}
	return fmt.Sprintf("%d events, %d effects (%d came by poll first), %d kills; %d webhooks dropped, %d doubled, %d deliveries failed and were sent again",
		len(w.events), effects, polled, kills, w.dropped.Load(), w.doubled.Load(), w.refused.Load())
}

// receiver is the process that is killed.
type receiver struct {
	t      *testing.T
	env    []string
	socket string
	cmd    *exec.Cmd
	said   *bytes.Buffer
}

func (r *receiver) start() {
	r.t.Helper()
	_ = os.Remove(r.socket) // of the one that was killed
	r.said = &bytes.Buffer{}
	r.cmd = exec.Command(os.Args[0])
	r.cmd.Env = append(os.Environ(), r.env...)
	r.cmd.Stderr = r.said
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
}

// ended reports whether the process has ended by itself.
func (r *receiver) ended() bool {
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(r.cmd.Process.Pid, &status, syscall.WNOHANG, nil)
	return err != nil || pid != 0
}

func (r *receiver) kill() {
	_ = r.cmd.Process.Kill() // SIGKILL; it does not end by itself
	_ = r.cmd.Wait()         // reports the kill
	if r.said.Len() > 0 {
		r.t.Errorf("the receiver said: %s", r.said)
	}
}
