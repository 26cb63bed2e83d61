package redis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/inbox"
	aplombredis "github.com/aplomb-go/aplomb/redis"
	"github.com/redis/go-redis/v9"
)

func TestInboxConforms(t *testing.T) {
	t.Parallel()
	c := startDurable(t).client()
	aplombtest.TestInbox(t, &aplombredis.Inbox{Client: c}, inboxPasser(t, c), 2*time.Millisecond)
}

// olderInbox makes everything in inboxes older by ARGV[1] microseconds: records,
// what waits, leases and cursors.
//
//nolint:dupword // Lua
var olderInbox = redis.NewScript(`
local d = tonumber(ARGV[1])
local function earlier(key, field)
  local v = tonumber(redis.call('HGET', key, field))
  if v and v > 0 then redis.call('HSET', key, field, string.format('%.0f', v - d)) end
end
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind = string.match(key, '}:(%a+)')
  if kind == 'e' then
    for _, field in ipairs({ 'received', 'due', 'began' }) do earlier(key, field) end
  elseif kind == 'cursor' then
    earlier(key, 'till')
  elseif kind == 'ready' or kind == 'leased' or kind == 'busy' or kind == 'old' or kind == 'bodies' then
    for _, m in ipairs(redis.call('ZRANGE', key, 0, -1)) do redis.call('ZINCRBY', key, string.format('%.0f', -d), m) end
  end
end
return 0`)

// inboxPasser lets time pass for the inboxes of a server.
func inboxPasser(t testing.TB, c redis.Scripter) func(time.Duration) {
	return func(d time.Duration) {
		t.Helper()
		if err := olderInbox.Run(context.Background(), c, []string{"{aplomb:inbox}:"}, d.Microseconds()).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func event(key string) inbox.Event {
	return inbox.Event{Source: "acme", Key: key, Via: inbox.Webhook, Type: "a.happened", Body: []byte(key)}
}

func mustInsert(t testing.TB, s inbox.Store, events ...inbox.Event) []inbox.Outcome {
	t.Helper()
	out, err := s.Insert(t.Context(), events...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func mustClaim(t testing.TB, s inbox.Store, limit int) []inbox.Record {
	t.Helper()
	records, _, err := s.Claim(t.Context(), inbox.Claim{Owner: "o", Limit: limit, Lease: time.Minute, Expired: limit})
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func mustList(t testing.TB, s inbox.Store, q inbox.Query) []inbox.Record {
	t.Helper()
	records, err := s.List(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// settleAll ends the attempts on records.
func settleAll(t testing.TB, s inbox.Store, records []inbox.Record, state inbox.State) {
	t.Helper()
	for i := range records {
		held, err := s.Settle(t.Context(), inbox.Settlement{Lease: records[i].Lease(), State: state})
		if err != nil || !held[0] {
			t.Fatalf("Settle: %v, %v", held, err)
		}
	}
}

// Headers come back byte for byte, also what is not UTF-8, as HTTP/1 allows.
func TestInboxHeaders(t *testing.T) {
	t.Parallel()
	s := &aplombredis.Inbox{Client: startDurable(t).client()}
	e := event("a")
	e.Header = http.Header{"X-Latin": {"caf\xe9", "\x80\xff"}, "x-small": {"a\nb", "", `"q" \`, "  s  "}, "X-\xe9": {"é"}}
	mustInsert(t, s, e)
	if got := mustList(t, s, inbox.Query{})[0].Header; !reflect.DeepEqual(got, e.Header) {
		t.Errorf("got  %q\nwant %q", got, e.Header)
	}
}

// What a query names is found however few it is, however large it is, and a step
// at a time.
func TestInboxFindsInSteps(t *testing.T) {
	t.Parallel()
	c := startDurable(t).client()
	s := &aplombredis.Inbox{Client: c}
	const n = 3100
	for from := 0; from < n; from += 1000 {
		var events []inbox.Event
		for i := from; i < min(n, from+1000); i++ {
			e := event(fmt.Sprintf("%04d", i))
			if i%1500 == 1499 {
				e.Type = "rare"
			}
			events = append(events, e)
		}
		mustInsert(t, s, events...)
	}
	keys := func(records []inbox.Record) (keys []string) {
		for i := range records {
			keys = append(keys, records[i].Key)
		}
		return keys
	}
	if got := keys(mustList(t, s, inbox.Query{Type: "rare"})); !slices.Equal(got, []string{"1499", "2999"}) {
		t.Errorf("List of what is rare returned %q", got)
	}
	if got := len(mustList(t, s, inbox.Query{Limit: 2 * n})); got != n {
		t.Errorf("List of all returned %d", got)
	}
	if got := keys(mustList(t, s, inbox.Query{After: 2000, Limit: 1001, States: []inbox.State{inbox.StateReady, inbox.StateReady, "x"}})); len(got) != 1001 || got[0] != "2000" || got[1000] != "3000" {
		t.Errorf("List of 1001 that are ready returned %d from %q", len(got), got[:1])
	}
	other := event("0000")
	other.Body, other.Type = []byte("another"), "rare"
	mustInsert(t, s, other)
	if got := keys(mustList(t, s, inbox.Query{Type: "rare", States: []inbox.State{inbox.StateConflict, inbox.StateReady}})); !slices.Equal(got, []string{"1499", "2999", "0000"}) {
		t.Errorf("List of what is rare, and ready or in conflict, returned %q", got)
	}
	for _, want := range []int{n - 100, 101} {
		if got, err := s.Discard(t.Context(), inbox.Query{All: true, Limit: n - 100}, "x"); got != want || err != nil {
			t.Errorf("Discard: %d, %v; want %d", got, err, want)
		}
	}

	large := event("large")
	large.Body = bytes.Repeat([]byte("x"), 3<<20)
	for i := range 7 {
		large.Key = fmt.Sprint("large ", i)
		mustInsert(t, s, large)
	}
	if err := c.ConfigResetStat(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if got := mustList(t, s, inbox.Query{States: []inbox.State{inbox.StateReady}}); len(got) != 7 || len(got[6].Body) != 3<<20 {
		t.Errorf("List of 7 large records returned %d", len(got))
	}
	if ran := c.Info(t.Context(), "commandstats").Val(); !strings.Contains(ran, "cmdstat_evalsha:calls=3,") {
		t.Errorf("List of 7 records of 3 MiB took other than 3 steps of 8 MiB:\n%s", ran)
	}
}

// What is purged leaves nothing behind.
func TestInboxPurgesEverything(t *testing.T) {
	t.Parallel()
	c := startDurable(t).client()
	s := &aplombredis.Inbox{Client: c}
	var events []inbox.Event
	for i := range 600 {
		e, other := event(strconv.Itoa(i)), event(strconv.Itoa(i))
		e.Order, other.Body = strconv.Itoa(i%70), []byte("another")
		events = append(events, e, other)
	}
	mustInsert(t, s, events...)
	for {
		records := mustClaim(t, s, 100)
		if len(records) == 0 {
			break
		}
		for i := range records {
			held, err := s.Settle(t.Context(), inbox.Settlement{Lease: records[i].Lease(), State: inbox.StateDone, Error: "x"})
			if err != nil || !held[0] {
				t.Fatal(held, err)
			}
		}
	}
	for _, want := range []inbox.Purged{{Bodies: 1200}, {}, {Records: 1200}} {
		inboxPasser(t, c)(80 * time.Minute)
		if got, err := s.Purge(t.Context(), inbox.Retention{Bodies: time.Hour, Keys: 3 * time.Hour}); got != want || err != nil {
			t.Fatalf("Purge: %+v, %v; want %+v", got, err, want)
		}
	}
	names, err := c.Keys(t.Context(), "*").Result()
	if err != nil || !slices.Equal(names, []string{"{aplomb:inbox}:seq"}) {
		t.Errorf("after a Purge of all there are the keys %.300q, %v; want the last number alone", names, err)
	}
}

// Prefixes keep inboxes apart, and each has all its keys behind one tag.
func TestInboxPrefixes(t *testing.T) {
	t.Parallel()
	c := startDurable(t).client()
	for _, s := range []*aplombredis.Inbox{{Client: c}, {Client: c, Prefix: "b"}} {
		e := event("a")
		e.Order = "x"
		out := mustInsert(t, s, e)
		if out[0] != (inbox.Outcome{Status: inbox.Stored, Seq: 1, Via: inbox.Webhook}) {
			t.Errorf("the first event of an inbox: %+v", out)
		}
		if _, held, err := s.Hold(t.Context(), "feed", "o", time.Minute); !held || err != nil {
			t.Errorf("Hold: %v, %v", held, err)
		}
	}
	names, err := c.Keys(t.Context(), "*").Result()
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		if !strings.HasPrefix(name, "{aplomb:inbox}:") && !strings.HasPrefix(name, "{b}:") {
			t.Errorf("a key has the name %q", name)
		}
	}
}

func TestInboxSettings(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]*aplombredis.Inbox{
		"Client is nil":         {},
		"ContextTimeoutEnabled": {Client: redis.NewClient(&redis.Options{})},
		"set ContextTimeout":    {Client: redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}})},
		"is a Ring":             {Client: redis.NewRing(&redis.RingOptions{ContextTimeoutEnabled: true})},
		"holds a brace":         {Client: redis.NewClient(&redis.Options{ContextTimeoutEnabled: true}), Prefix: "{a}"},
	} {
		if _, err := s.Insert(t.Context(), event("a")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
		if s.Client != nil {
			_ = s.Client.Close()
		}
	}
}

// A server without memory takes nothing in, and has what it holds handled.
func TestInboxFull(t *testing.T) {
	t.Parallel()
	c := startDurable(t).client()
	s := &aplombredis.Inbox{Client: c}
	mustInsert(t, s, event("a"), event("b"), event("c"))
	cursor, _, err := s.Hold(t.Context(), "feed", "o", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	set := func(value string) {
		t.Helper()
		if err := c.ConfigSet(t.Context(), "maxmemory", value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	set("1")
	if out, err := s.Insert(t.Context(), event("d")); !errors.Is(err, inbox.ErrFull) {
		t.Errorf("Insert without memory: %v, %v; want ErrFull", out, err)
	}
	if out, err := s.Commit(t.Context(), "feed", cursor.Fence, "there", event("d")); !errors.Is(err, inbox.ErrFull) {
		t.Errorf("Commit without memory: %v, %v; want ErrFull", out, err)
	}
	records := mustClaim(t, s, 9)
	if len(records) != 3 {
		t.Fatalf("%d of 3 events are due", len(records))
	}
	if held, err := s.Extend(t.Context(), time.Minute, records[0].Lease()); !held[0] || err != nil {
		t.Errorf("Extend without memory: %v, %v", held, err)
	}
	settleAll(t, s, records[:2], inbox.StateDone)
	settleAll(t, s, records[2:], inbox.StateDead)
	if n, err := s.Replay(t.Context(), inbox.Query{States: []inbox.State{inbox.StateDead}}, "again"); n != 1 || err != nil {
		t.Errorf("Replay without memory: %d, %v", n, err)
	}
	if stats, err := s.Stats(t.Context()); err != nil || stats.Ready != 1 {
		t.Errorf("Stats without memory: %+v, %v", stats, err)
	}
	if c, held, err := s.Hold(t.Context(), "feed", "o", time.Minute); c != cursor || !held || err != nil {
		t.Errorf("Hold without memory: %+v, %v, %v", c, held, err)
	}
	set("0")
	inboxPasser(t, c)(3 * time.Hour)
	set("1")
	if p, err := s.Purge(t.Context(), inbox.Retention{Bodies: time.Hour, Keys: time.Hour}); p.Records != 2 || err != nil {
		t.Errorf("Purge without memory: %+v, %v", p, err)
	}
	set("0")
	if out := mustInsert(t, s, event("d")); out[0].Status != inbox.Stored {
		t.Errorf("Insert with memory again: %+v", out)
	}
}
