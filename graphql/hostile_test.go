package graphql_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/graphql"
)

// TestHostileFileInSubscribe: a File cannot go with a subscription, and is not left out in silence.
func TestHostileFileInSubscribe(t *testing.T) {
	t.Parallel()
	var body atomic.Value
	gh := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		body.Store(r.Header.Get("Content-Type") + " " + string(b))
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, next(1)+complete)
	}))
	opened := false
	f := graphql.File{Name: "a.txt", Open: func() (io.ReadCloser, error) { opened = true; return io.NopCloser(strings.NewReader("x")), nil }}
	var last error
	for _, err := range graphql.Subscribe[tick](t.Context(), gh, `subscription($f: Upload!) { tick(f: $f) }`, graphql.Vars{"f": f}) {
		last = err
	}
	if last == nil {
		t.Errorf("no error; opened=%v sent %v", opened, body.Load())
	}
}

func batchTwice(t *testing.T, ans string, items int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		gh := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			answer(200, plainJSON, ans).ServeHTTP(w, r)
		}))
		b := graphql.NewBatch(gh)
		for range items {
			graphql.Add[viewer](b, `mutation { pay { id } }`, nil)
		}
		err := b.Send(t.Context())
		if n := calls.Load(); n != 1 {
			t.Errorf("mutation batch sent %d times for %s: %v", n, ans, err)
		}
	})
}

// TestHostileBatchResent: a batch of mutations of which one may have run goes once.
func TestHostileBatchResent(t *testing.T) {
	t.Parallel()
	thr := `{"errors":[{"message":"t","extensions":{"code":"THROTTLED"}}]}`
	for i, ans := range []string{
		`[{"data":null,"errors":[{"message":"internal error"}]},` + thr + `]`,
		`[{"errors":[{"message":"internal error","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]},` + thr + `]`,
		`[null,` + thr + `]`,
		`[` + thr + `]`,
	} {
		t.Run(strconv.Itoa(i), func(t *testing.T) { batchTwice(t, ans, 2) })
	}
}

// TestHostileSingleResent: so does a mutation that says of another error beside the spent quota.
func TestHostileSingleResent(t *testing.T) {
	t.Parallel()
	for i, ans := range []string{
		`{"data":null,"errors":[{"message":"internal"},{"message":"t","extensions":{"code":"THROTTLED"}}]}`,
		`{"errors":[{"message":"internal"},{"message":"t","extensions":{"code":"THROTTLED"}}]}`,
	} {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int32
				gh := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					calls.Add(1)
					answer(200, plainJSON, ans).ServeHTTP(w, r)
				}))
				_, err := graphql.Execute[viewer](t.Context(), gh, `mutation { a b }`, nil)
				if n := calls.Load(); n != 1 {
					t.Errorf("sent %d: %v", n, err)
				}
			})
		})
	}
}

// TestHostileAPQKey: a hash and the document after a miss do not share a key.
func TestHostileAPQKey(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var keys, bodies []string
	k := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		keys = append(keys, r.Method+" "+r.Header.Get("Idempotency-Key"))
		bodies = append(bodies, string(b))
		n := len(bodies)
		mu.Unlock()
		if n == 1 {
			answer(200, plainJSON, `{"errors":[{"message":"PersistedQueryNotFound"}]}`).ServeHTTP(w, r)
			return
		}
		answer(200, plainJSON, `{"data":{"viewer":{"login":"a"}}}`).ServeHTTP(w, r)
	})
	synctest.Test(t, func(t *testing.T) {
		gh := serve(t, k, aplomb.Idempotency{})
		c := graphql.New(gh.API(), graphql.PersistedQueries())
		_, err := graphql.Execute[viewer](t.Context(), c, `{ viewer { login } }`, nil)
		if len(keys) == 2 && keys[0] == keys[1] && len(keys[0]) > 6 && bodies[0] != bodies[1] {
			t.Errorf("one key, two bodies: %v %v %v", keys, bodies, err)
		}
	})
}

// TestHostileBackwardsBoth: a document that selects all of pageInfo is read to its beginning.
func TestHostileBackwardsBoth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gh := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			if strings.Contains(string(b), `"before":"c8"`) {
				answer(200, plainJSON, `{"data":{"c":{"pageInfo":{"hasNextPage":true,"hasPreviousPage":false,"startCursor":"c5","endCursor":"c7"},"nodes":[5,6,7]}}}`).ServeHTTP(w, r)
				return
			}
			answer(200, plainJSON, `{"data":{"c":{"pageInfo":{"hasNextPage":false,"hasPreviousPage":true,"startCursor":"c8","endCursor":"c10"},"nodes":[8,9,10]}}}`).ServeHTTP(w, r)
		}))
		var got []int
		var last error
		for n, err := range graphql.Nodes[int](t.Context(), gh, `query($before: String) { c(last: 3, before: $before) { pageInfo { hasNextPage hasPreviousPage startCursor endCursor } nodes } }`, nil) {
			if err != nil {
				last = err
				break
			}
			got = append(got, n)
		}
		if last == nil && len(got) != 6 {
			t.Errorf("silently cut: %v", got)
		}
	})
}

// TestHostileOptNested: what is absent is left out of maps in maps too.
func TestHostileOptNested(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var body string
		gh := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			body = string(b)
			answer(200, plainJSON, `{"data":{"viewer":{"login":"a"}}}`).ServeHTTP(w, r)
		}))
		_, err := graphql.Execute[viewer](t.Context(), gh, `mutation($i: I!) { u(i: $i) { id } }`, graphql.Vars{"i": graphql.Vars{"name": graphql.Opt[string]{}}, "j": map[string]any{"x": graphql.Opt[int]{}}})
		if err == nil && strings.Contains(body, "null") {
			t.Errorf("absent became null: %s", body)
		}
		_, err = graphql.Execute[viewer](t.Context(), gh, `mutation($i: I!) { u(i: $i) { id } }`, map[string]any{"name": graphql.Opt[string]{}})
		if err == nil && strings.Contains(body, "null") {
			t.Errorf("map[string]any: absent became null: %s", body)
		}
	})
}

// TestHostileMaxEventMax: the largest bound is a bound.
func TestHostileMaxEventMax(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{serve: func(n int, c *peer) { c.welcome(); c.tick(1); c.say(`{"id":"1","type":"complete"}`) }}
		_, err := seen(t, dialled(t, w), graphql.MaxEvent(math.MaxInt64))
		if err != nil {
			t.Errorf("MaxEvent(MaxInt64): %v", err)
		}
	})
}

// TestHostilePartialHidesCause: the server's reason is told, where there is nothing to page through.
func TestHostilePartialHidesCause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gh := serve(t, answer(200, plainJSON, `{"data":{"user":null},"errors":[{"message":"no access for you","type":"FORBIDDEN","path":["user"]}]}`))
		err := first(graphql.Nodes[int](t.Context(), gh, `query($cursor: String) { user { c(after: $cursor) { pageInfo { hasNextPage endCursor } nodes } } }`, nil, graphql.AllowPartial()))
		var re *graphql.ResponseError
		if !errors.As(err, &re) && err != nil && !strings.Contains(err.Error(), "FORBIDDEN") {
			t.Errorf("server's reason lost: %v", err)
		}
	})
}

type slowReader struct{ n int }

func (s *slowReader) Read(p []byte) (int, error) {
	msg := `{"id":"1","type":"next","payload":{"data":{"tick":1}}}`
	time.Sleep(time.Second)
	if s.n == len(msg) {
		return 0, io.EOF
	}
	p[0] = msg[s.n]
	s.n++
	return 1, nil
}

type slowConn struct{ n int }

func (s *slowConn) Reader(ctx context.Context) (io.Reader, error) {
	s.n++
	switch s.n {
	case 1:
		return strings.NewReader(`{"type":"connection_ack"}`), nil
	case 2:
		r := &slowReader{}
		return readerFunc(func(p []byte) (int, error) {
			if ctx.Err() != nil {
				return 0, ctx.Err()
			}
			return r.Read(p)
		}), nil
	case 3:
		return strings.NewReader(`{"id":"1","type":"complete"}`), nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}
func (s *slowConn) Write(context.Context, []byte) error { return nil }
func (s *slowConn) Close(int, string) error             { return nil }

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

type slowDialer struct{}

func (slowDialer) DialContext(context.Context, string, string) (graphql.Conn, error) {
	return &slowConn{}, nil
}

// TestHostileHeartbeatDuringMessage: a message that takes long is no silence.
func TestHostileHeartbeatDuringMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gh := serve(t, answer(200, plainJSON, `{}`))
		c := graphql.New(gh.API(), graphql.WebSocket("wss://api.test/ws", slowDialer{}))
		ev, err := seen(t, c)
		if err != nil {
			t.Errorf("bytes flowed each second, yet: %q %v", ev, err)
		}
	})
}

// TestHostileCloseErrorLeaks: what a peer quotes of the payload is not shown by its close.
func TestHostileCloseErrorLeaks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{serve: func(n int, c *peer) {
			c.welcome()
			c.cut(&graphql.CloseError{Code: 4403, Reason: "no entry for opaque-zebra-42"})
		}}
		_, err := seen(t, dialled(t, w, graphql.InitPayload(func(context.Context) (any, error) { return map[string]string{"authToken": "opaque-zebra-42"}, nil })))
		if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "zebra") {
			t.Errorf("outer leaks %v", err)
		}
		if ce, ok := errors.AsType[*graphql.CloseError](err); ok && strings.Contains(ce.Error(), "zebra") {
			t.Errorf("errors.As CloseError shows the InitPayload: %v", ce)
		}
	})
}

// TestHostileReferer: a GET that is redirected elsewhere tells nothing of its query.
func TestHostileReferer(t *testing.T) {
	t.Parallel()
	var ref atomic.Value
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ref.Store(r.Header.Get("Referer") + " | " + r.URL.RawQuery)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"data":{"viewer":{"login":"a"}}}`)
	}))
	defer other.Close()
	home := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/x", http.StatusTemporaryRedirect)
	}))
	defer home.Close()
	api, err := aplomb.New(home.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, err = graphql.Execute[viewer](t.Context(), graphql.New(api, graphql.UseGET()), `query($s: String) { viewer { login } }`, graphql.Vars{"s": "zebra42"})
	t.Log(err, ref.Load())
	if s, _ := ref.Load().(string); strings.Contains(s, "zebra") {
		t.Errorf("variables went to another origin: %s", s)
	}
}
