package graphql_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/graphql"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// TestRemainingZero: the last good call of a quota, and a 401, say "remaining 0".
// Neither is a refusal, and after the 401 nobody waits.
func TestRemainingZero(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		status, body := 401, `{"message":"Bad credentials"}`
		gh := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer(status, plainJSON, body, "X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "0",
				"X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)).ServeHTTP(w, r)
		}))
		start := time.Now()
		for range 2 {
			_, err := graphql.Execute[viewer](t.Context(), gh, `{viewer{login}}`, nil)
			assert.True(t, err != nil)
			assert.Contains(t, err.Error(), "401")
			assert.Contains(t, err.Error(), "Bad credentials")
		}
		status, body = 200, `{"data":{"viewer":{"login":"ada"}}}`
		v, err := graphql.Execute[viewer](t.Context(), gh, `{viewer{login}}`, nil)
		assert.NoError(t, err)
		assert.Equal(t, v.Viewer.Login, "ada")
		assert.Equal(t, time.Since(start), 0)
	})
}

// TestThrottledWithoutARate: a cost that says nothing makes no hot loop.
func TestThrottledWithoutARate(t *testing.T) {
	t.Parallel()
	for _, status := range []string{`{"currentlyAvailable":0,"restoreRate":0}`, `{}`, `null`} {
		synctest.Test(t, func(t *testing.T) {
			script := aplombtest.NewScript(answer(200, plainJSON,
				`{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}],"extensions":{"cost":{"requestedQueryCost":0,"throttleStatus":`+status+`}}}`))
			gh := serve(t, script)
			start := time.Now()
			for range 5 {
				_, err := graphql.Execute[json.RawMessage](t.Context(), gh, `{a}`, nil)
				assert.ErrorIs(t, err, aplomb.ErrRateLimited)
			}
			assert.True(t, script.Requests() <= 20, script.Requests())
			assert.True(t, time.Since(start) > time.Second, time.Since(start))
		})
	}
}

// TestLaw01_TimedOut: a query that had no answer in time is asked again; a mutation is
// sent once, unless it has a key.
func TestLaw01_TimedOut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		document string
		opts     []aplomb.CallOption
		client   []aplomb.CallOption
		requests int
	}{
		{`query {a}`, nil, nil, 2},
		{`query {a}`, nil, []aplomb.CallOption{graphql.UseGET()}, 2},
		{`mutation {a}`, nil, nil, 1},
		{`mutation {a}`, nil, []aplomb.CallOption{graphql.UseGET(), graphql.PersistedQueries()}, 1},
		{`mutation {a}`, []aplomb.CallOption{aplomb.IdempotencyKey("k-1")}, nil, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			var keys []string
			gh := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				mu.Lock()
				keys = append(keys, r.Header.Get("Idempotency-Key"))
				first := len(keys) == 1
				mu.Unlock()
				if first {
					<-r.Context().Done()
					return
				}
				_, _ = io.WriteString(w, `{"data":{}}`)
			}), aplomb.Timeouts{ResponseHeader: 5 * time.Second}, aplomb.Retry{MinBackoff: time.Microsecond, MaxBackoff: time.Microsecond})
			start := time.Now()
			_, err := graphql.Execute[struct{}](t.Context(), graphql.New(gh.API(), tt.client...), tt.document, nil, tt.opts...)
			mu.Lock()
			defer mu.Unlock()
			assert.Equal(t, err == nil, tt.requests == 2, err)
			assert.Equal(t, len(keys), tt.requests, fmt.Sprint(tt))
			assert.Equal(t, keys[0], keys[len(keys)-1])
			assert.Equal(t, time.Since(start).Truncate(time.Millisecond), 5*time.Second)
		})
	}
}
