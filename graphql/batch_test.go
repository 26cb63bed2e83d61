package graphql_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
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

const (
	adaResult   = `{"data":{"viewer":{"login":"ada"}},"extensions":{"n":12345678901234567}}`
	faultResult = `{"errors":[{"message":"Field 'x' doesn't exist","extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}`
)

// TestBatch: Apollo Server says 400 for all where one is faulty, Yoga 200.
func TestBatch(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 400, 500} {
		for _, bom := range []string{"", "\ufeff"} {
			t.Run(fmt.Sprint(status, len(bom)), func(t *testing.T) {
				t.Parallel()
				var got string
				gh := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body)
					got = string(body)
					answer(status, plainJSON, bom+`[`+adaResult+`,`+faultResult+`,{"data":{"viewer":{"login":"bob"}},"errors":[{"message":"m","path":["viewer"]}]},{"data":{"viewer":5}}]`, "X-Request-Id", "req-1").ServeHTTP(w, r)
				}))
				b := graphql.NewBatch(graphql.New(gh.API(), graphql.PersistedQueries(), graphql.UseGET()))
				a := graphql.Add[viewer](b, `query Who { viewer { login } }`, graphql.Vars{"n": 1})
				f := graphql.Add[json.RawMessage](b, `query A {x} query B {x}`, nil, graphql.OperationName("B"))
				p := graphql.Add[viewer](b, `{ viewer { login } }`, nil, graphql.AllowPartial())
				m := graphql.Add[viewer](b, `{ viewer }`, nil)
				assert.Contains(t, a.Err.Error(), "not sent")
				var resp aplomb.Response
				assert.NoError(t, b.Send(t.Context(), aplomb.Capture(&resp)))
				assert.Equal(t, got, `[{"query":"query Who { viewer { login } }","variables":{"n":1}},{"query":"query A {x} query B {x}","operationName":"B"},{"query":"{ viewer { login } }"},{"query":"{ viewer }"}]`)
				assert.Equal(t, resp.StatusCode, status)
				assert.Equal(t, resp.Attempts, 1)

				assert.NoError(t, a.Err)
				assert.Equal(t, a.Data.Viewer.Login, "ada")
				assert.Equal(t, string(a.Extensions), `{"n":12345678901234567}`)
				e, ok := errors.AsType[*graphql.ResponseError](f.Err)
				assert.True(t, ok && !e.HasData)
				assert.Equal(t, e.Errors[0].Code(), "GRAPHQL_VALIDATION_FAILED")
				assert.Equal(t, e.RequestID, "req-1")
				assert.True(t, strings.HasPrefix(f.Err.Error(), fmt.Sprintf("api.test: B: %d GRAPHQL_VALIDATION_FAILED", status)), f.Err)
				assert.NoError(t, p.Err)
				assert.Equal(t, p.Data.Viewer.Login, "bob")
				assert.Equal(t, len(p.Errors), 1)
				assert.Contains(t, m.Err.Error(), "field data.Viewer is a JSON number")
				for _, err := range []error{f.Err, m.Err} {
					oneLine(t, err)
				}
			})
		}
	}
}

// TestBatchRefused: what is no answer to the batch is an error of all of it.
func TestBatchRefused(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`[` + adaResult + `]`:                        "the batch has 2 operations, and the answer 1 results",
		`[` + adaResult + `,null,` + adaResult + `]`: "the answer 3 results",
		`[]`:            "the answer 0 results",
		adaResult:       "no list of results",
		`null`:          "no list of results",
		`5`:             "is a JSON number",
		`[` + adaResult: "not valid JSON",
		`{"errors":[{"message":"Batching is off"}]}`:      "Batching is off",
		`{"data":null,"errors":[{"message":"no lists"}]}`: "no lists",
	} {
		for _, status := range []int{200, 400} {
			gh := serve(t, answer(status, plainJSON, body))
			b := graphql.NewBatch(gh)
			one, two := graphql.Add[viewer](b, `{a}`, nil), graphql.Add[viewer](b, `{a}`, nil)
			err := b.Send(t.Context())
			assert.True(t, err != nil, body)
			if _, api := errors.AsType[*aplomb.APIError](err); status == 400 {
				assert.True(t, api, body, err)
			} else {
				assert.Contains(t, err.Error(), want)
			}
			assert.True(t, one.Err == err && two.Err == err, body) //nolint:errorlint // the very same
			assert.True(t, strings.HasPrefix(err.Error(), "api.test: batch: "), err)
			assert.Contains(t, err.Error(), strconv.Itoa(status))
			oneLine(t, err)
		}
	}
}

// TestLaw01_Batches: sent again only where all are queries, or it has a key.
func TestLaw01_Batches(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		second   string
		opts     []aplomb.CallOption
		requests int
	}{
		{`query {a}`, nil, 2},
		{`mutation {a}`, nil, 1},
		{`mutation {a}`, []aplomb.CallOption{aplomb.IdempotencyKey("k-1")}, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			script := aplombtest.NewScript(answer(200, plainJSON, `[{"data":{}},{"data":{}}]`), aplombtest.LostResponse())
			b := graphql.NewBatch(serve(t, script))
			_ = graphql.Add[struct{}](b, `{a}`, nil)
			r := graphql.Add[struct{}](b, tt.second, nil)
			err := b.Send(t.Context(), tt.opts...)
			assert.Equal(t, err == nil, tt.requests == 2, err)
			assert.Equal(t, r.Err == nil, err == nil)
			assert.Equal(t, script.Requests(), tt.requests)
		})
	}
}

// TestBatchThrottled: a batch of which nothing was done waits and is sent again; one
// of which a part was done is not, but everyone waits.
func TestBatchThrottled(t *testing.T) {
	t.Parallel()
	const refused = `{"errors":[{"message":"spent","extensions":{"code":"THROTTLED"}}],"extensions":{"cost":{"requestedQueryCost":100,"throttleStatus":{"currentlyAvailable":0,"restoreRate":50}}}}`
	for _, tt := range []struct {
		first    string
		requests int
		wait     time.Duration
	}{
		{`[` + refused + `,` + refused + `]`, 2, 2 * time.Second},
		{`[` + adaResult + `,` + refused + `]`, 1, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			var n atomic.Int32
			script := aplombtest.NewScript(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body := tt.first
				if n.Add(1) > 1 {
					body = `[` + adaResult + `,` + adaResult + `]`
				}
				answer(200, plainJSON, body).ServeHTTP(w, r)
			}))
			gh := serve(t, script)
			b := graphql.NewBatch(gh)
			one, two := graphql.Add[viewer](b, `mutation {a}`, nil), graphql.Add[viewer](b, `mutation {a}`, nil)
			start := time.Now()
			assert.NoError(t, b.Send(t.Context()))
			assert.Equal(t, script.Requests(), tt.requests)
			took := time.Since(start)
			assert.True(t, took >= tt.wait && took <= tt.wait+tt.wait/10, took)
			assert.NoError(t, one.Err)
			if tt.requests == 1 {
				assert.ErrorIs(t, two.Err, aplomb.ErrRateLimited)
				again := graphql.NewBatch(gh)
				_, _ = graphql.Add[viewer](again, `{a}`, nil), graphql.Add[viewer](again, `{a}`, nil)
				assert.NoError(t, again.Send(t.Context()))
				assert.True(t, time.Since(start) >= 2*time.Second, "the quota is everybody's")
			}
		})
	}
}

func TestBatchUploads(t *testing.T) {
	t.Parallel()
	server := &uploads{answer: `[{"data":{}},{"data":{}}]`}
	b := graphql.NewBatch(serve(t, server))
	var opened atomic.Int32
	_ = graphql.Add[struct{}](b, `mutation A($f: Upload!) {a}`, graphql.Vars{"f": text(t, "a", "A", &opened)})
	_ = graphql.Add[struct{}](b, `mutation B($in: In!) {a}`, graphql.Vars{"in": map[string]any{"f": text(t, "b", "B", &opened)}})
	assert.NoError(t, b.Send(t.Context()))
	assert.Equal(t, server.parts, [][]string{{
		`operations|||[{"query":"mutation A($f: Upload!) {a}","variables":{"f":null}},{"query":"mutation B($in: In!) {a}","variables":{"in":{"f":null}}}]`,
		`map|||{"0":["0.variables.f"],"1":["1.variables.in.f"]}`,
		"0|a|application/octet-stream|A", "1|b|application/octet-stream|B",
	}})
}

func TestBatchSlips(t *testing.T) {
	t.Parallel()
	script := aplombtest.NewScript(answer(200, plainJSON, `[{"data":{}}]`))
	gh := serve(t, script)
	assert.NoError(t, graphql.NewBatch(gh).Send(t.Context()), "nothing to do")
	for want, add := range map[string]func(*graphql.Batch) error{
		"no operation":                    func(b *graphql.Batch) error { return graphql.Add[int](b, "", nil).Err },
		"give them to Send":               func(b *graphql.Batch) error { return graphql.Add[int](b, "{a}", nil, aplomb.Safe()).Err },
		"are for Nodes, Edges":            func(b *graphql.Batch) error { return graphql.Add[int](b, "{a}", nil, graphql.At("x")).Err },
		"Execute and Nodes send queries":  func(b *graphql.Batch) error { return graphql.Add[int](b, "subscription {a}", nil).Err },
		"the File at variables.f has no ": func(b *graphql.Batch) error { return graphql.Add[int](b, "{a}", graphql.Vars{"f": graphql.File{}}).Err },
	} {
		b := graphql.NewBatch(gh)
		_ = graphql.Add[int](b, "{a}", nil)
		err := add(b)
		assert.True(t, err != nil, want)
		assert.Contains(t, err.Error(), want)
		assert.ErrorIs(t, b.Send(t.Context()), err)
	}
	assert.Equal(t, script.Requests(), 0)

	b := graphql.NewBatch(gh)
	r := graphql.Add[struct{}](b, "{a}", nil)
	assert.Contains(t, b.Send(t.Context(), graphql.AllowPartial()).Error(), "give them to Add")
	assert.NoError(t, b.Send(t.Context()))
	assert.NoError(t, r.Err)
	assert.Contains(t, b.Send(t.Context()).Error(), "sent already")
	assert.Contains(t, graphql.Add[int](b, "{a}", nil).Err.Error(), "was sent")
	assert.Contains(t, graphql.NewBatch(nil).Send(t.Context()).Error(), "no client")
}

func TestLaw05_Batch(t *testing.T) {
	t.Parallel()
	const secret = "opaque-value-of-no-known-shape"
	for _, status := range []int{200, 400} {
		for _, body := range []string{`[{"errors":[{"message":"got ` + secret + `"}]}]`, `[{"data":"` + secret + `"}]`, `{"errors":[{"message":"` + secret + `"}]}`, `{"message":"` + secret + `"}`, secret} {
			b := graphql.NewBatch(serve(t, answer(status, plainJSON, body)))
			r := graphql.Add[grumbler](b, `query($in: In) {a}`, graphql.Vars{"in": map[string]any{"apiSecret": secret}})
			err := b.Send(t.Context())
			assert.True(t, r.Err != nil)
			noneShows(t, r.Err, secret)
			if err != nil {
				noneShows(t, err, secret)
			}
		}
	}
}
