package gqlgen_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/compat/gqlgen"
	"github.com/aplomb-go/aplomb/graphql"
	"github.com/aplomb-go/aplomb/graphqlws"
	"github.com/aplomb-go/aplomb/internal/assert"
)

type tick struct{ Count int }

const counting = `subscription($to: Int!, $breakAt: Int) { count(to: $to, breakAt: $breakAt) }`

// streams runs a test over server-sent events and over a websocket.
func streams(t *testing.T, settings gqlgen.Settings, test func(t *testing.T, s *gqlgen.Server, c *graphql.Client)) {
	t.Helper()
	t.Run("events", func(t *testing.T) {
		t.Parallel()
		s, c := startWith(t, settings)
		test(t, s, c)
	})
	t.Run("websocket", func(t *testing.T) {
		t.Parallel()
		s, c := startWith(t, settings)
		test(t, s, graphql.New(c.API(), overWebSocket(s)))
	})
}

func overWebSocket(s *gqlgen.Server) aplomb.CallOption {
	return graphql.WebSocket("ws"+strings.TrimPrefix(s.URL, "http"), graphqlws.Dialer{})
}

func TestSubscribe(t *testing.T) {
	t.Parallel()
	for name, to := range map[string]int{"none": 0, "some": 5, "many": 2000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			streams(t, gqlgen.Settings{}, func(t *testing.T, s *gqlgen.Server, c *graphql.Client) {
				got, err := all(graphql.Subscribe[tick](t.Context(), c, counting, graphql.Vars{"to": to}))
				assert.NoError(t, err)
				assert.Equal(t, len(got), to)
				assert.True(t, to == 0 || got[to-1].Count == to)
				assert.Equal(t, len(s.Seen()), 1)
			})
		})
	}
}

// TestLeavingUnsubscribes: the server stops counting.
func TestLeavingUnsubscribes(t *testing.T) {
	t.Parallel()
	streams(t, gqlgen.Settings{}, func(t *testing.T, s *gqlgen.Server, c *graphql.Client) {
		for got, err := range graphql.Subscribe[tick](t.Context(), c, counting, graphql.Vars{"to": 1 << 30}) {
			assert.NoError(t, err)
			assert.Equal(t, s.Watching(), 1)
			if got.Count == 3 {
				break
			}
		}
		idle(t, s)
	})
}

// idle waits for the server to have no subscription.
func idle(t *testing.T, s *gqlgen.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for s.Watching() > 0 {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			t.Fatal("the server counts on")
		}
	}
}

// TestSubscribeRefused: errors before the first event.
func TestSubscribeRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		document string
		to       int
		code     string
	}{
		"invalid": {`subscription { nothing }`, 0, "GRAPHQL_VALIDATION_FAILED"},
		"refused": {counting, -1, "BAD_COUNT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			streams(t, gqlgen.Settings{}, func(t *testing.T, s *gqlgen.Server, c *graphql.Client) {
				got, err := all(graphql.Subscribe[tick](t.Context(), c, test.document, graphql.Vars{"to": test.to}))
				e, ok := errors.AsType[*graphql.Error](err)
				assert.True(t, ok && e.Code() == test.code && len(got) == 0, err)
				assert.Equal(t, len(s.Seen()), 1)
			})
		})
	}
}

// TestServerError: an error message over the websocket is the last word.
func TestServerError(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	got, err := all(graphql.Subscribe[tick](t.Context(), c, counting, graphql.Vars{"to": 5, "breakAt": 3}, overWebSocket(s)))
	e, ok := errors.AsType[*graphql.Error](err)
	assert.True(t, ok && e.Code() == "LOST_COUNT" && string(e.Extensions["account"]) == "12345678901234567", err)
	assert.Equal(t, len(got), 2)
}

// TestPong: the server's pings are answered while the loop is busy, else the
// connection would not live to the last number.
func TestPong(t *testing.T) {
	t.Parallel()
	const interval = 200 * time.Millisecond
	s, c := startWith(t, gqlgen.Settings{PingPong: interval})
	n := 0
	for _, err := range graphql.Subscribe[tick](t.Context(), c, `subscription { count(to: 5, pauseMs: 100) }`, nil, overWebSocket(s)) {
		assert.NoError(t, err)
		if n++; n == 2 {
			<-time.After(5 * interval) // the server waits for two
		}
	}
	assert.Equal(t, n, 5)
}

const slowly = `subscription { count(to: 5, pauseMs: 20) }`

// TestCut: a connection that is lost ends the range, and not as if it were whole.
func TestCut(t *testing.T) {
	t.Parallel()
	streams(t, gqlgen.Settings{}, func(t *testing.T, s *gqlgen.Server, c *graphql.Client) {
		n := 0
		var ended error
		for got, err := range graphql.Subscribe[tick](t.Context(), c, slowly, nil) {
			if ended = err; err != nil {
				continue
			}
			if n++; n == 2 {
				s.Cut()
			}
			assert.Equal(t, got.Count, n)
		}
		assert.ErrorIs(t, ended, io.ErrUnexpectedEOF)
		assert.True(t, n >= 2 && n < 5, n) // what came with the second was kept
		assert.Equal(t, len(s.Seen()), 1)
		idle(t, s)
	})
}

// TestReconnect: another stream follows, which begins at one, and that is told.
func TestReconnect(t *testing.T) {
	t.Parallel()
	streams(t, gqlgen.Settings{}, func(t *testing.T, s *gqlgen.Server, c *graphql.Client) {
		var told []error
		again := graphql.Reconnect(graphql.Reconnection{
			MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond,
			On: func(e graphql.ReconnectEvent) { told = append(told, e.Err) },
		})
		var numbers []int
		for got, err := range graphql.Subscribe[tick](t.Context(), c, slowly, nil, again) {
			assert.NoError(t, err)
			if numbers = append(numbers, got.Count); len(numbers) == 2 {
				s.Cut()
			}
		}
		assert.True(t, len(numbers) >= 7 && len(numbers) < 10, numbers)
		assert.Equal(t, numbers[:2], []int{1, 2})
		assert.Equal(t, numbers[len(numbers)-5:], []int{1, 2, 3, 4, 5})
		assert.True(t, len(told) == 1 && errors.Is(told[0], io.ErrUnexpectedEOF), told)
		idle(t, s)
	})
}

// TestSubscribeBesideGET: what a client does with its queries holds for them only.
func TestSubscribeBesideGET(t *testing.T) {
	t.Parallel()
	s, c := start(t, graphql.PersistedQueries(), graphql.UseGET())
	got, err := all(graphql.Subscribe[tick](t.Context(), c, counting, graphql.Vars{"to": 2}))
	assert.NoError(t, err)
	assert.Equal(t, got, []tick{{1}, {2}})
	assert.True(t, len(s.Seen()) == 1 && s.Seen()[0].Method == "POST" && !strings.Contains(sent(s.Seen()[0]), "persistedQuery"))
}
