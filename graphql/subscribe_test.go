package graphql_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/graphql"
	"github.com/aplomb-go/aplomb/internal/assert"
)

type tick struct{ Tick int }

const ticks = `subscription Ticks { tick }`

// stream serves text as server-sent events. A part "WAIT 5s" between blank lines
// is a pause, "CUT" drops the connection.
func stream(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		for part := range strings.SplitSeq(text, "\n\n") {
			switch wait, isWait := strings.CutPrefix(part, "WAIT "); {
			case part == "":
				continue
			case part == "CUT":
				panic(http.ErrAbortHandler)
			case isWait:
				d, err := time.ParseDuration(wait)
				if err != nil {
					panic(err)
				}
				select {
				case <-time.After(d):
				case <-r.Context().Done():
					return
				}
			default:
				_, _ = io.WriteString(w, part+"\n\n")
			}
			_ = http.NewResponseController(w).Flush()
		}
	})
}

func next(n int) string { return fmt.Sprintf("event: next\ndata: {\"data\":{\"tick\":%d}}\n\n", n) }

const (
	complete = "event: complete\n\n"
	cut      = ":\n\nCUT\n\n" // once it has begun
)

// seen is what a range of ticks yields, at most for an hour.
func seen(t *testing.T, gh *graphql.Client, opts ...aplomb.CallOption) (events string, last error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	var b strings.Builder
	for v, err := range graphql.Subscribe[tick](ctx, gh, ticks, nil, opts...) {
		if err == nil {
			b.WriteString(fmt.Sprint(v.Tick, " "))
		} else {
			b.WriteString(fmt.Sprint("(", v.Tick, " error) "))
		}
		last = err
	}
	return strings.TrimSpace(b.String()), last
}

func TestSubscribeSends(t *testing.T) {
	t.Parallel()
	var header http.Header
	var body []byte
	h := stream(next(1) + complete)
	gh := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		body, _ = io.ReadAll(r.Body)
		h.ServeHTTP(w, r)
	}))
	for v, err := range graphql.Subscribe[tick](t.Context(), gh, "query A {a} subscription B($n: Int) { tick(n: $n) }",
		graphql.Vars{"n": 1}, graphql.OperationName("B")) {
		assert.NoError(t, err)
		assert.Equal(t, v.Tick, 1)
	}
	assert.Equal(t, header.Get("Accept"), "text/event-stream", "some servers compare the whole")
	assert.Equal(t, header.Get("Content-Type"), "application/json")
	assert.Equal(t, header.Get("Authorization"), "Bearer "+token)
	assert.Equal(t, string(body), `{"query":"query A {a} subscription B($n: Int) { tick(n: $n) }","operationName":"B","variables":{"n":1}}`)
}

func TestSubscribeEvents(t *testing.T) {
	t.Parallel()
	const (
		partial = `{"data":{"tick":2},"errors":[{"message":"no","path":["tick"]}]}`
		nulled  = `{"data":null,"errors":[{"message":"no","path":["tick"]}]}`
		refused = `{"data":null,"errors":[{"message":"Cannot query field","extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}`
	)
	data := func(raw string) string { return "event: next\ndata: " + raw + "\n\n" }
	for name, tt := range map[string]struct {
		stream, want string
		opts         []aplomb.CallOption
		ends         string // with an error that says so; "" with none
	}{
		"none":              {stream: complete},
		"some":              {stream: ":\n\n" + next(1) + next(2) + complete, want: "1 2"},
		"data has lines":    {stream: "event: next\r\ndata: {\"data\":\r\ndata: {\"tick\":3}}\r\n\r\n" + complete, want: "3"},
		"partial":           {stream: next(1) + data(partial) + next(3) + complete, want: "1 (2 error) 3"},
		"partial allowed":   {stream: next(1) + data(partial) + next(3) + complete, want: "1 2 3", opts: []aplomb.CallOption{graphql.AllowPartial()}},
		"nulled":            {stream: data(nulled) + next(3) + complete, want: "(0 error) 3"},
		"refused":           {stream: data(refused) + complete, want: "(0 error)", ends: `api.test: Ticks: 200 GRAPHQL_VALIDATION_FAILED "Cannot query field"`},
		"refused and on":    {stream: data(refused) + next(2) + complete, want: "(0 error)", ends: "Cannot query field"},
		"no data, no error": {stream: data(`{}`) + next(2) + complete, want: "(0 error)", ends: "neither data nor errors"},
		"not a tick":        {stream: next(1) + data(`{"data":{"tick":"secret word"}}`) + next(2) + complete, want: "1 (0 error)", ends: "api.test: Ticks: event 2: field data.Tick is a JSON string, not a Go int (2 events"},
		"not a tick, error": {stream: data(`{"data":{"tick":"x"},"errors":[{"message":"why"}]}`) + next(2), want: "(0 error)", ends: "why"},
		"not JSON":          {stream: data(`hello`) + next(2) + complete, want: "(0 error)", ends: "event 1: invalid character"},
		"clean end":         {stream: next(1), want: "1 (0 error)", ends: "api.test: Ticks: the stream ended without complete (1 event"},
		"cut":               {stream: next(1) + "CUT\n\n", want: "1 (0 error)", ends: "the stream was cut: unexpected EOF"},
		"other events":      {stream: "event: ping\ndata: {}\n\n" + "data: {\"data\":{\"tick\":4}}\n\n" + complete, want: "4"},
		"after complete":    {stream: complete + next(1)},
		"large":             {stream: next(1) + data(`{"data":{"tick":`+strings.Repeat("1", 99)+`}}`), opts: []aplomb.CallOption{graphql.MaxEvent(99)}, want: "1 (0 error)", ends: "an event of more than 99 bytes. Hint: raise MaxEvent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := seen(t, serve(t, stream(tt.stream)), tt.opts...)
			assert.Equal(t, got, tt.want)
			if tt.ends == "" {
				assert.NoError(t, err)
				return
			}
			assert.True(t, err != nil)
			assert.Contains(t, fmt.Sprint(err), tt.ends)
			assert.NotContains(t, fmt.Sprintf("%+v %#v", err, err), "secret word")
			assert.Equal(t, errors.Is(err, io.ErrUnexpectedEOF), name == "clean end" || name == "cut", name)
			assert.Equal(t, errors.Is(err, aplomb.ErrTooLarge), name == "large", name)
		})
	}
}

// TestSubscribeWithoutAStream: other answers are what Execute would make of them.
func TestSubscribeWithoutAStream(t *testing.T) {
	t.Parallel()
	const refused = `{"errors":[{"message":"no such field","extensions":{"code":"BAD"}}]}`
	for name, tt := range map[string]struct {
		status     int
		kind, body string
		want       string
		graphql    bool
		api        bool
	}{
		"200 JSON":     {200, plainJSON, refused, `api.test: Ticks: 200 BAD "no such field"`, true, false},
		"200 graphql":  {200, graphqlJSON, refused, `BAD "no such field"`, true, false},
		"400 graphql":  {400, graphqlJSON, refused, `api.test: Ticks: 400 BAD "no such field"`, true, true},
		"400 and data": {400, graphqlJSON, `{"data":{"tick":1},"errors":[{"message":"m"}]}`, "400", true, true},
		"401":          {401, "text/plain", "who are you", "401", false, true},
		"404":          {404, "text/html", "<h1>Not Found</h1>", "404", false, true},
		"one answer":   {200, plainJSON, `{"data":{"tick":1}}`, "expected text/event-stream, got application/json: the server gave one answer", false, false},
		"parts":        {200, `multipart/mixed; boundary="-"`, "---\r\n", "got multipart/mixed: this server streams in parts", false, false},
		"a page":       {200, "text/html", "<h1>Log in</h1>", "api.test: Ticks: status 200: expected text/event-stream, got text/html", false, false},
		"nothing":      {204, "", "", "status 204", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := seen(t, serve(t, answer(tt.status, tt.kind, tt.body), aplomb.NoRetry()), graphql.Reconnect(graphql.Reconnection{}))
			assert.Equal(t, got, "(0 error)")
			assert.Contains(t, fmt.Sprint(err), tt.want)
			e, isGraphQL := errors.AsType[*graphql.ResponseError](err)
			assert.Equal(t, isGraphQL, tt.graphql)
			assert.True(t, !isGraphQL || !e.HasData)
			_, isAPI := errors.AsType[*aplomb.APIError](err)
			assert.Equal(t, isAPI, tt.api)
			assert.Equal(t, aplomb.StatusCode(err), map[bool]int{true: tt.status}[tt.api || !tt.graphql])
			d, undecoded := errors.AsType[*aplomb.DecodeError](err)
			assert.Equal(t, undecoded, !tt.graphql && !tt.api)
			if undecoded {
				assert.Equal(t, string(d.Body), tt.body)
			}
		})
	}
}

func TestSubscribeRefusesBeforeSending(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	gh := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	for name, tt := range map[string]struct {
		query string
		opts  []aplomb.CallOption
		want  string
	}{
		"query":          {`{ a }`, nil, "Subscribe is for subscriptions: send a query with Execute"},
		"mutation":       {`mutation { a }`, nil, "send a mutation with Execute"},
		"two":            {ticks + ` query B { a }`, nil, "say which with OperationName"},
		"other":          {ticks + ` query B { a }`, []aplomb.CallOption{graphql.OperationName("B")}, "send a query"},
		"none":           {`fragment F on A { a }`, nil, "no operation"},
		"At":             {ticks, []aplomb.CallOption{graphql.At("a")}, "leave the loop"},
		"AtMost":         {ticks, []aplomb.CallOption{graphql.AtMost(1)}, "leave the loop"},
		"MaxEvent":       {ticks, []aplomb.CallOption{graphql.MaxEvent(0)}, "MaxEvent: 0"},
		"InitPayload":    {ticks, []aplomb.CallOption{graphql.InitPayload(func(context.Context) (any, error) { return 1, nil })}, "InitPayload is for a WebSocket"},
		"nil payload":    {ticks, []aplomb.CallOption{graphql.InitPayload(nil)}, "the function is nil"},
		"Heartbeat":      {ticks, []aplomb.CallOption{graphql.Heartbeat(0)}, "NoHeartbeat"},
		"http":           {ticks, []aplomb.CallOption{graphql.WebSocket("https://a.test", &wire{})}, "wss://host/path"},
		"no host":        {ticks, []aplomb.CallOption{graphql.WebSocket("wss:///x", &wire{})}, "wss://host/path"},
		"password":       {ticks, []aplomb.CallOption{graphql.WebSocket("wss://a:hunter2@a.test", &wire{})}, "give them to the Dialer"},
		"no dialer":      {ticks, []aplomb.CallOption{graphql.WebSocket("wss://a.test", nil)}, "the Dialer is nil"},
		"backoff":        {ticks, []aplomb.CallOption{graphql.Reconnect(graphql.Reconnection{MinBackoff: 2, MaxBackoff: 1})}, "MinBackoff 2ns is above"},
		"negative":       {ticks, []aplomb.CallOption{graphql.Reconnect(graphql.Reconnection{Attempts: -1})}, "negative"},
		"in CallOptions": {ticks, []aplomb.CallOption{aplomb.CallOptions(graphql.Reconnect(graphql.Reconnection{}))}, "Reconnect must be given to the function"},
	} {
		n := 0
		for _, err := range graphql.Subscribe[tick](t.Context(), gh, tt.query, nil, tt.opts...) {
			n++
			assert.Contains(t, fmt.Sprint(err), tt.want, name)
			assert.NotContains(t, fmt.Sprint(err), "hunter2")
		}
		assert.Equal(t, n, 1, name)
	}
	file := graphql.File{Name: "a", Open: func() (io.ReadCloser, error) { return nil, io.EOF }}
	for _, err := range graphql.Subscribe[tick](t.Context(), gh, ticks, graphql.Vars{"f": file}) {
		assert.Contains(t, fmt.Sprint(err), "a File cannot go with a subscription")
	}
	var none context.Context
	for _, err := range graphql.Subscribe[tick](none, gh, ticks, nil) {
		assert.Contains(t, fmt.Sprint(err), "nil context")
	}
	for _, err := range graphql.Subscribe[tick](t.Context(), nil, ticks, nil) {
		assert.Contains(t, fmt.Sprint(err), "no client")
	}
	assert.Equal(t, calls.Load(), 0)
	_, err := graphql.Execute[tick](t.Context(), gh, ticks, nil)
	assert.Contains(t, fmt.Sprint(err), "range over Subscribe")
}

// TestSubscribeBreak: leaving the loop ends the request, with Reconnect too.
func TestSubscribeBreak(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan time.Time, 1)
		h := stream(next(1) + next(2) + "WAIT 24h\n\n")
		gh := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(w, r)
			<-r.Context().Done()
			gone <- time.Now()
		}))
		start := time.Now()
		for v, err := range graphql.Subscribe[tick](t.Context(), gh, ticks, nil, graphql.Reconnect(graphql.Reconnection{})) {
			assert.NoError(t, err)
			if v.Tick == 2 {
				break
			}
		}
		assert.Equal(t, time.Since(start), 0)
		assert.Equal(t, (<-gone).Sub(start), 0)
	})
}

func TestSubscribeContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gh := serve(t, stream(next(1)+"WAIT 24h\n\n"), aplomb.Timeouts{IdleRead: time.Hour})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		start := time.Now()
		var last error
		for _, err := range graphql.Subscribe[tick](ctx, gh, ticks, nil, graphql.Reconnect(graphql.Reconnection{})) {
			last = err
		}
		assert.ErrorIs(t, last, context.Canceled)
		assert.Equal(t, last.Error(), "api.test: Ticks: ended: context canceled (1 event, 1m0s)")
		assert.Equal(t, time.Since(start), time.Minute)
	})
}

// TestSubscribeSilence: a comment is a sign of life; without one the stream ends
// after IdleRead, and nothing else limits its time.
func TestSubscribeSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		beat := strings.Repeat("WAIT 29s\n\n:\n\n", 10)
		start := time.Now()
		got, err := seen(t, serve(t, stream(next(1)+beat+next(2)+"WAIT 24h\n\n")))
		assert.Equal(t, got, "1 2 (0 error)")
		assert.Contains(t, fmt.Sprint(err), "the stream was cut: idle read timeout after 30s (2 events, 5m20s)")
		assert.Equal(t, time.Since(start), 290*time.Second+30*time.Second)
	})
}

func TestReconnect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		script := []string{next(1) + "CUT\n\n", cut, next(2), "503", next(3) + complete}
		var calls int
		gh := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			part := script[calls]
			calls++
			if part == "503" {
				w.Header().Set("Retry-After", "60")
				w.WriteHeader(503)
				return
			}
			stream(part).ServeHTTP(w, r)
		}), aplomb.NoRetry(), aplomb.NoRateLimit())
		var told []string
		on := func(e graphql.ReconnectEvent) {
			told = append(told, fmt.Sprintf("%s %s %d %v", e.Client, e.Operation, e.Attempt, e.Wait))
			assert.True(t, e.Err != nil)
		}
		start := time.Now()
		got, err := seen(t, gh, graphql.Reconnect(graphql.Reconnection{On: on}), graphql.Jitter(1))
		assert.NoError(t, err)
		assert.Equal(t, got, "1 2 3")
		assert.Equal(t, told, []string{"api.test Ticks 1 1s", "api.test Ticks 2 2s", "api.test Ticks 1 1s", "api.test Ticks 2 1m0s"})
		assert.Equal(t, time.Since(start), 64*time.Second)
	})
}

func TestReconnectBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gh := serve(t, stream(cut), aplomb.NoRetry(), aplomb.NoBreaker())
		var waits []time.Duration
		on := func(e graphql.ReconnectEvent) { waits = append(waits, e.Wait) }
		again := graphql.Reconnection{Attempts: 5, MinBackoff: 100 * time.Millisecond, MaxBackoff: 500 * time.Millisecond, On: on}
		start := time.Now()
		_, err := seen(t, gh, graphql.Reconnect(again), graphql.Jitter(1))
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		const ms = time.Millisecond
		assert.Equal(t, waits, []time.Duration{100 * ms, 200 * ms, 400 * ms, 500 * ms, 500 * ms})
		assert.Equal(t, time.Since(start), 1700*ms)

		waits = nil
		_, err = seen(t, gh, graphql.Reconnect(again), graphql.Jitter(0))
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Equal(t, waits, make([]time.Duration, 5), "full jitter")

		// By chance: within the bounds, and not always the same.
		waits = nil
		again.Attempts, again.MinBackoff = 50, 500*ms
		_, _ = seen(t, gh, graphql.Reconnect(again))
		different := map[time.Duration]bool{}
		for _, w := range waits {
			assert.True(t, w >= 0 && w < 500*ms, w)
			different[w] = true
		}
		assert.True(t, len(different) > 25)
	})
}

// TestReconnectKeepsTheDeadline: no wait goes past it, and the context ends one.
func TestReconnectKeepsTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gh := serve(t, stream(cut), aplomb.NoRetry())
		late, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		last := func(ctx context.Context) (last error) {
			for _, err := range graphql.Subscribe[tick](ctx, gh, ticks, nil, graphql.Reconnect(graphql.Reconnection{}), graphql.Jitter(1)) {
				last = err
			}
			return last
		}
		assert.ErrorIs(t, last(late), io.ErrUnexpectedEOF)
		assert.Equal(t, time.Since(start), time.Second, "the next wait of 2 s would end at the deadline")

		start = time.Now()
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(2500*time.Millisecond, stop)
		err := last(ctx)
		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Contains(t, err.Error(), "ended while waiting to reconnect: context canceled")
		assert.Equal(t, time.Since(start), 2500*time.Millisecond)
	})
}

// TestReconnectOff: without the option one stream is all there is.
func TestReconnectOff(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	h := stream(cut)
	gh := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { calls.Add(1); h.ServeHTTP(w, r) }))
	_, err := seen(t, gh)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Equal(t, calls.Load(), 1)
}

// TestSubscribeHidesSecrets in what a server says in a stream.
func TestLaw05_NoSecretInAnEvent(t *testing.T) {
	t.Parallel()
	for place, text := range map[string]string{
		"message":  "event: next\ndata: {\"errors\":[{\"message\":\"got ECHO\"}]}\n\n",
		"beside":   "event: next\ndata: {\"data\":{\"tick\":1},\"errors\":[{\"message\":\"got ECHO\"}]}\n\n",
		"type":     "event: next\ndata: {\"errors\":[{\"message\":\"m\",\"type\":\"ECHO\"}]}\n\n",
		"no error": "event: next\ndata: {\"data\":\"ECHO\"}\n\n",
		"no JSON":  "event: next\ndata: ECHO\n\n",
	} {
		gh := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var sent struct{ Variables json.RawMessage }
			_ = json.NewDecoder(r.Body).Decode(&sent)
			quoted, _ := json.Marshal(r.Header.Get("Authorization") + string(sent.Variables))
			stream(strings.ReplaceAll(text, "ECHO", string(quoted[1:len(quoted)-1]))).ServeHTTP(w, r)
		}))
		const password = "opaque-word-of-no-known-shape"
		for _, err := range graphql.Subscribe[tick](t.Context(), gh, `subscription S($password: String) { a }`, graphql.Vars{"password": password}) {
			assert.True(t, err != nil, place)
			noneShows(t, err, token)
			noneShows(t, err, password)
			break
		}
	}
}

func TestSubscribeAgain(t *testing.T) {
	t.Parallel()
	srv := aplombtest.NewServer(t, stream(next(1)+complete))
	api, err := aplomb.New(srv.URL, aplomb.Transport(srv.Transport()))
	assert.NoError(t, err)
	t.Cleanup(api.CloseIdleConnections)
	events := graphql.Subscribe[tick](t.Context(), graphql.New(api), ticks, nil)
	for range 2 {
		n := 0
		for v, err := range events {
			assert.NoError(t, err)
			n += v.Tick
		}
		assert.Equal(t, n, 1)
	}
}
