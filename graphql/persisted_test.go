package graphql_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/graphql"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// keeper is a server that persists queries, by POST or GET.
type keeper struct {
	mu      sync.Mutex
	known   map[string]string
	log     []string // method, whether a hash and a document came, and the variables
	forget  bool     // keep nothing
	status  int      // of a miss; 200 by default
	refuse  string   // instead of a miss
	answer  func(variables string) string
	headers []http.Header
}

func (k *keeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var in struct {
		Query      string
		Variables  json.RawMessage
		Extensions struct {
			PersistedQuery *struct {
				Version    int
				Sha256Hash string
			}
		}
	}
	if r.Method == http.MethodGet {
		q := r.URL.Query()
		in.Query, in.Variables = q.Get("query"), json.RawMessage(q.Get("variables"))
		_ = json.Unmarshal([]byte(q.Get("extensions")), &in.Extensions)
	} else {
		_ = json.NewDecoder(r.Body).Decode(&in)
	}
	k.headers = append(k.headers, r.Header.Clone())
	line := r.Method
	p := in.Extensions.PersistedQuery
	if p != nil {
		line += fmt.Sprintf(" hash%d", p.Version)
	}
	if in.Query != "" {
		line += " document"
	}
	k.log = append(k.log, strings.TrimSpace(line+" "+string(in.Variables)))
	w.Header().Set("Content-Type", plainJSON)
	if p != nil && in.Query == "" && k.known[p.Sha256Hash] == "" {
		w.WriteHeader(max(k.status, 200))
		if k.refuse != "" {
			_, _ = io.WriteString(w, k.refuse)
			return
		}
		_, _ = io.WriteString(w, `{"errors":[{"message":"PersistedQueryNotFound","extensions":{"code":"PERSISTED_QUERY_NOT_FOUND"}}]}`)
		return
	}
	if p != nil && in.Query != "" && !k.forget {
		if sum := sha256.Sum256([]byte(in.Query)); hex.EncodeToString(sum[:]) != p.Sha256Hash {
			_, _ = io.WriteString(w, `{"errors":[{"message":"provided sha does not match query"}]}`)
			return
		}
		if k.known == nil {
			k.known = map[string]string{}
		}
		k.known[p.Sha256Hash] = in.Query
	}
	if k.answer != nil {
		_, _ = io.WriteString(w, k.answer(string(in.Variables)))
		return
	}
	_, _ = io.WriteString(w, `{"data":{"viewer":{"login":"ada"}}}`)
}

func (k *keeper) took() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	log := strings.Join(k.log, "; ")
	k.log = nil
	return log
}

const whoQuery = "\ufeffquery Who($n: Int) { viewer { login } } # é <&>\n"

func TestPersistedQueries(t *testing.T) {
	t.Parallel()
	for name, k := range map[string]*keeper{
		"Apollo Server": {},
		"gqlgen":        {refuse: `{"data":null,"errors":[{"message":"PersistedQueryNotFound"}]}`},
		"Yoga":          {status: 404},
		"by its code":   {status: 400, refuse: "\ufeff" + `{"errors":[null,{"message":"m","extensions":{"code":"PERSISTED_QUERY_NOT_FOUND"}}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var done []string
			gh := graphql.New(serve(t, k, aplomb.NoRetry(), aplomb.Hooks{
				CallDone:    func(_ context.Context, e aplomb.CallEvent) { done = append(done, fmt.Sprint(e.Err)) },
				AttemptDone: func(_ context.Context, e aplomb.AttemptEvent) { done = append(done, e.Verdict.Outcome.String()) },
			}).API(), graphql.PersistedQueries())
			r, err := graphql.Do[viewer](t.Context(), gh, graphql.Request{Query: whoQuery, Variables: graphql.Vars{"n": 1}})
			assert.NoError(t, err)
			assert.Equal(t, r.Data.Viewer.Login, "ada")
			assert.Equal(t, r.Attempts, 2, "one call, one request more")
			assert.Equal(t, r.StatusCode, 200)
			assert.Equal(t, k.took(), `POST hash1 {"n":1}; POST hash1 document {"n":1}`)
			_, err = graphql.Execute[viewer](t.Context(), gh, whoQuery, nil)
			assert.NoError(t, err)
			assert.Equal(t, k.took(), `POST hash1`)
			assert.Equal(t, done, []string{"ok", "ok", "<nil>", "ok", "<nil>"})

			_, err = graphql.Execute[viewer](t.Context(), gh, `mutation { a }`, nil)
			assert.NoError(t, err)
			assert.Equal(t, k.took(), `POST document`)
		})
	}
}

// TestLaw02_PersistedQueriesHaveNoKey: a hash and the document after a miss are two
// bodies, so that a client's keys are for mutations alone.
func TestLaw02_PersistedQueriesHaveNoKey(t *testing.T) {
	t.Parallel()
	k := &keeper{}
	gh := graphql.New(serve(t, k, aplomb.Idempotency{}).API(), graphql.PersistedQueries())
	_, err := graphql.Execute[viewer](t.Context(), gh, whoQuery, nil)
	assert.NoError(t, err)
	_, err = graphql.Execute[viewer](t.Context(), gh, `mutation { a }`, nil)
	assert.NoError(t, err)
	var keyed []bool
	for _, h := range k.headers {
		keyed = append(keyed, h.Get("Idempotency-Key") != "")
	}
	assert.Equal(t, keyed, []bool{false, false, true})
}

// TestPersistedQueriesExtensions: the caller's own go along, untouched, and one who
// does the hashing is left alone.
func TestPersistedQueriesExtensions(t *testing.T) {
	t.Parallel()
	var bodies []string
	gh := graphql.New(serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(body))
		_, _ = w.Write([]byte(`{"data":{}}`))
	})).API(), graphql.PersistedQueries())
	own := map[string]any{"trace": true}
	for _, x := range []map[string]any{own, {"persistedQuery": "mine"}} {
		_, err := graphql.Do[struct{}](t.Context(), gh, graphql.Request{Query: "query A{a} query B{b}", OperationName: "B", Extensions: x})
		assert.NoError(t, err)
	}
	assert.Equal(t, own, map[string]any{"trace": true})
	assert.Equal(t, bodies, []string{
		`{"operationName":"B","extensions":{"persistedQuery":{"sha256Hash":"05d9a552207c9de391973b712cd96d2cb73a3b6c8f5a0fc4de157c0ed436437f","version":1},"trace":true}}`,
		`{"query":"query A{a} query B{b}","operationName":"B","extensions":{"persistedQuery":"mine"}}`,
	})
}

// TestPersistedQueryNotSupported: asked once, by however many.
func TestPersistedQueryNotSupported(t *testing.T) {
	t.Parallel()
	for _, refusal := range []string{`{"errors":[{"message":"PersistedQueryNotSupported"}]}`, `{"errors":[{"message":"m","extensions":{"code":"PERSISTED_QUERY_NOT_SUPPORTED"}}]}`} {
		k := &keeper{refuse: refusal}
		gh := graphql.New(serve(t, k).API(), graphql.PersistedQueries())
		for range 2 {
			_, err := graphql.Execute[viewer](t.Context(), gh, whoQuery, nil)
			assert.NoError(t, err)
		}
		assert.Equal(t, k.took(), `POST hash1; POST document; POST document`)

		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				_, err := graphql.Execute[viewer](t.Context(), gh, whoQuery, nil)
				assert.NoError(t, err)
			})
		}
		all.Wait()
		assert.NotContains(t, k.took(), "hash")
	}
}

// TestPersistedQueryMissTwice: a server that says so of a whole document is believed.
func TestPersistedQueryMissTwice(t *testing.T) {
	t.Parallel()
	script := aplombtest.NewScript(answer(200, plainJSON, `{"errors":[{"message":"PersistedQueryNotFound"}]}`))
	gh := graphql.New(serve(t, script).API(), graphql.PersistedQueries())
	_, err := graphql.Execute[viewer](t.Context(), gh, whoQuery, nil)
	assert.True(t, err != nil)
	assert.Contains(t, err.Error(), "PersistedQueryNotFound")
	assert.Equal(t, script.Requests(), 2)
}

// TestPersistedQueryData: what only speaks of a miss is none.
func TestPersistedQueryData(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"data":{"viewer":{"login":"PersistedQueryNotFound"}}}`,
		`{"data":{"viewer":{"login":"a"}},"errors":[{"message":"PersistedQueryNotFound"}]}`,
		`{"errors":[{"message":"no PersistedQueryNotFound here"}]}`} {
		script := aplombtest.NewScript(answer(200, plainJSON, body))
		gh := graphql.New(serve(t, script).API(), graphql.PersistedQueries())
		_, _ = graphql.Execute[viewer](t.Context(), gh, whoQuery, nil)
		assert.Equal(t, script.Requests(), 1, body)
	}
}

// TestPersistedQueriesBreakerAndBudget: misses alone neither open the circuit nor
// spend what retries are paid from; a failure after one is retried as ever.
func TestPersistedQueriesBreakerAndBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{status: 404, forget: true}
		script := aplombtest.NewScript(k)
		gh := graphql.New(serve(t, script, aplomb.Retry{Attempts: 2}).API(), graphql.PersistedQueries())
		for range 60 {
			_, err := graphql.Execute[viewer](t.Context(), gh, whoQuery, nil)
			assert.NoError(t, err)
		}
		assert.Equal(t, script.Requests(), 120)
		script.Then(aplombtest.Status(503)).When(func(r *http.Request) bool { return r.ContentLength > 200 }) // the whole one
		r, err := graphql.Do[viewer](t.Context(), gh, graphql.Request{Query: whoQuery})
		assert.NoError(t, err)
		assert.Equal(t, r.Attempts, 3)
	})
}

// TestPersistedPages: each page goes by its hash, with and without Prefetch.
func TestPersistedPages(t *testing.T) {
	t.Parallel()
	const document = `query($cursor: String) { x }`
	for _, tt := range []struct {
		opts []aplomb.CallOption
		want string
	}{
		{nil, `POST hash1; POST hash1 document; POST hash1 {"cursor":"1"}; POST hash1 {"cursor":"11"}`},
		{[]aplomb.CallOption{graphql.UseGET()}, `GET hash1; POST hash1 document; GET hash1 {"cursor":"1"}; GET hash1 {"cursor":"11"}`},
		{[]aplomb.CallOption{graphql.UseGET(), aplomb.Prefetch()}, `GET hash1; POST hash1 document; GET hash1 {"cursor":"1"}; GET hash1 {"cursor":"11"}`},
	} {
		k := &keeper{answer: func(variables string) string {
			n := strings.Count(variables, "1")
			return fmt.Sprintf(`{"data":{"x":{"nodes":[%d],"pageInfo":{"hasNextPage":%t,"endCursor":"%s"}}}}`, n, n < 2, strings.Repeat("1", n+1))
		}}
		gh := graphql.New(serve(t, k).API(), graphql.PersistedQueries())
		var got []int
		for n, err := range graphql.Nodes[int](t.Context(), gh, document, nil, tt.opts...) {
			assert.NoError(t, err)
			got = append(got, n)
		}
		assert.Equal(t, got, []int{0, 1, 2})
		assert.Equal(t, k.took(), tt.want)
	}
}

// TestPersistedHedge: two attempts side by side, one miss.
func TestPersistedHedge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{forget: true}
		slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			k.ServeHTTP(w, r)
		})
		gh := graphql.New(serve(t, slow, aplomb.Hedge{After: 100 * time.Millisecond}).API(), graphql.PersistedQueries())
		_, err := graphql.Execute[viewer](t.Context(), gh, whoQuery, nil)
		assert.NoError(t, err)
	})
}

func TestUseGET(t *testing.T) {
	t.Parallel()
	k := &keeper{}
	gh := graphql.New(serve(t, k, aplomb.Query("api-version", "1")).API(), graphql.UseGET())
	execute := func(document string, vars any, opts ...aplomb.CallOption) string {
		t.Helper()
		_, err := graphql.Execute[viewer](t.Context(), gh, document, vars, opts...)
		assert.NoError(t, err)
		return k.took()
	}
	assert.Equal(t, execute(whoQuery, nil), `GET document`)
	assert.Equal(t, execute(whoQuery, graphql.Vars{"n": json.Number("12345678901234567"), "s": "<&é"}), `GET document {"n":12345678901234567,"s":"\u003c\u0026é"}`)
	assert.Equal(t, execute(`mutation { a }`, nil), `POST document`)
	assert.Equal(t, execute(`query A{a} mutation B{b}`, nil, graphql.OperationName("B")), `POST document`)
	assert.Equal(t, k.headers[0].Get("Content-Type"), "application/json", "or Apollo Server takes it for a cross-site request")
	assert.Equal(t, k.headers[0].Get("Accept"), "application/graphql-response+json, application/json;q=0.9")
}

// TestUseGETParameters: what the URL holds, and that 8 KiB of it are the most.
func TestUseGETParameters(t *testing.T) {
	t.Parallel()
	var urls []*url.URL
	var bodies []string
	gh := graphql.New(serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		urls, bodies = append(urls, r.URL), append(bodies, string(body))
		_, _ = w.Write([]byte(`{"data":{}}`))
	}), aplomb.Query("api-version", "1")).API(), graphql.UseGET())
	send := func(pad int) {
		_, err := graphql.Do[struct{}](t.Context(), gh, graphql.Request{Query: "query A{a} query B{b}", OperationName: "B",
			Variables: graphql.Vars{"pad": strings.Repeat("x", pad)}, Extensions: map[string]any{"a": 1}})
		assert.NoError(t, err)
	}
	send(1)
	assert.Equal(t, urls[0].Query(), url.Values{"query": {"query A{a} query B{b}"}, "operationName": {"B"}, "variables": {`{"pad":"x"}`},
		"extensions": {`{"a":1}`}, "api-version": {"1"}})
	assert.Equal(t, bodies[0], "")
	room := 8<<10 - len("http://api.test/graphql?"+urls[0].RawQuery) + 1
	send(room)
	assert.Equal(t, len("http://api.test"+urls[1].String()), 8<<10)
	send(room + 1)
	assert.Equal(t, urls[2].RawQuery, "api-version=1")
	assert.Contains(t, bodies[2], `{"query":"query A{a} query B{b}","operationName":"B","variables":{"pad":"xxx`)
}

// TestUseGETIsCacheable: a middleware of the client's sees the GET, and what it
// answers from its cache is not sent.
func TestUseGETIsCacheable(t *testing.T) {
	t.Parallel()
	k := &keeper{}
	kept := map[string]string{}
	cache := func(next http.RoundTripper) http.RoundTripper {
		return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			body, ok := kept[r.Method+r.URL.String()]
			if !ok {
				resp, err := next.RoundTrip(r)
				if err != nil {
					return nil, err
				}
				raw, _ := io.ReadAll(resp.Body)
				body = string(raw)
				_ = resp.Body.Close()
				kept[r.Method+r.URL.String()] = body
			}
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {plainJSON}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		})
	}
	gh := graphql.New(serve(t, k, aplomb.PerCall(cache)).API(), graphql.UseGET(), graphql.PersistedQueries())
	for range 3 {
		v, err := graphql.Execute[viewer](t.Context(), gh, whoQuery, nil)
		assert.NoError(t, err)
		assert.Equal(t, v.Viewer.Login, "ada")
	}
	assert.Equal(t, k.took(), `GET hash1; POST hash1 document`)
	assert.Equal(t, len(kept), 1)
}

// TestLaw04_NoBodyAcrossOrigins: a document does not follow a redirect elsewhere.
func TestLaw04_NoBodyAcrossOrigins(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	srv := aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Method+" "+r.Host+" "+string(body[:min(len(body), 9)]))
		if r.Host == "api.test" {
			http.Redirect(w, r, "http://elsewhere.test/graphql", http.StatusTemporaryRedirect)
			return
		}
		w.Header().Set("Content-Type", plainJSON)
		_, _ = io.WriteString(w, `{"errors":[{"message":"PersistedQueryNotFound"}]}`)
	}))
	api, err := aplomb.New(srv.URL+"/graphql", aplomb.Transport(srv.Transport()))
	assert.NoError(t, err)
	defer api.CloseIdleConnections()
	_, err = graphql.Execute[viewer](t.Context(), graphql.New(api, graphql.PersistedQueries(), graphql.UseGET()), whoQuery, nil)
	assert.True(t, err != nil)
	mu.Lock()
	defer mu.Unlock()
	for _, line := range got {
		assert.True(t, strings.HasPrefix(line, "GET "), got)
	}
}

// TestLaw05_GETShowsNoVariables: neither errors nor events nor log lines have them.
func TestLaw05_GETShowsNoVariables(t *testing.T) {
	t.Parallel()
	const value, secret = "value-of-a-variable", "opaque-value-of-no-known-shape"
	for name, h := range map[string]http.Handler{
		"404":      answer(404, "text/html", `<h1>no</h1>`),
		"500":      answer(500, plainJSON, `{"message":"no"}`),
		"graphql":  answer(200, plainJSON, `{"errors":[{"message":"no `+secret+`"}]}`),
		"api":      answer(400, plainJSON, `{"message":"no `+secret+`"}`),
		"misfit":   answer(200, plainJSON, `{"data":5}`),
		"deferred": answer(200, `multipart/mixed; boundary="-"`, "---"),
		"dead":     http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
		"redirect": http.RedirectHandler("http://[::1]:namedport/", http.StatusFound),
		"loop": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.String(), http.StatusFound)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log strings.Builder
			gh := graphql.New(serve(t, h, aplomb.NoRetry(), logTo(&log), aplomb.Hooks{
				CallDone:    func(_ context.Context, e aplomb.CallEvent) { fmt.Fprintf(&log, "%v %+v %#v\n", e, e, e) },
				AttemptDone: func(_ context.Context, e aplomb.AttemptEvent) { fmt.Fprintf(&log, "%v %+v %#v\n", e, e, e) },
			}).API(), graphql.UseGET())
			_, err := graphql.Execute[viewer](t.Context(), gh, whoQuery, graphql.Vars{"n": value, "in": map[string]any{"apiSecret": secret}})
			assert.True(t, err != nil)
			noneShows(t, err, value, secret, "n%22%3A", "é", "%C3%A9")
			for unwrapped := err; unwrapped != nil; unwrapped = errors.Unwrap(unwrapped) {
				if _, foreign := errors.AsType[*url.Error](unwrapped); !foreign {
					noneShows(t, unwrapped, value)
				}
			}
			assert.NotContains(t, log.String(), value)
			assert.NotContains(t, log.String(), secret)
			assert.Contains(t, log.String(), "attempt")
		})
	}
}
