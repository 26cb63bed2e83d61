package graphql_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/graphql"
	"github.com/aplomb-go/aplomb/internal/assert"
)

const token = "opaque-token-of-no-known-shape"

// serve starts h and returns a client of it. Inside a bubble time is virtual.
func serve(t *testing.T, h http.Handler, opts ...aplomb.Option) *graphql.Client {
	t.Helper()
	srv := aplombtest.NewServer(t, h)
	opts = append([]aplomb.Option{aplomb.Transport(srv.Transport()), aplomb.Bearer(aplomb.Static(token))}, opts...)
	api, err := aplomb.New(srv.URL+"/graphql", opts...)
	assert.NoError(t, err)
	t.Cleanup(api.CloseIdleConnections)
	return graphql.New(api)
}

// answer serves the same answer to every request.
func answer(status int, contentType, body string, headerKV ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", contentType)
		for i := 0; i < len(headerKV); i += 2 {
			w.Header().Set(headerKV[i], headerKV[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

const (
	plainJSON   = "application/json"
	graphqlJSON = "application/graphql-response+json; charset=utf-8"
)

type viewer struct {
	Viewer struct{ Login string }
}

func TestExecuteSends(t *testing.T) {
	t.Parallel()
	var got []byte
	var header http.Header
	var path string
	gh := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
		header, path = r.Header, r.Method+" "+r.URL.Path
		_, _ = w.Write([]byte(`{"data":{"viewer":{"login":"ada"}}}`))
	}))
	const document = "\ufeff# <&> é\nquery($n: Int) { viewer { login } }\n"
	v, err := graphql.Execute[viewer](t.Context(), gh, document, nil)
	assert.NoError(t, err)
	assert.Equal(t, v.Viewer.Login, "ada")
	assert.Equal(t, path, "POST /graphql")
	assert.Equal(t, header.Get("Accept"), "application/graphql-response+json, application/json;q=0.9")
	assert.Equal(t, header.Get("Content-Type"), "application/json")
	var body map[string]any
	assert.NoError(t, json.Unmarshal(got, &body))
	assert.Equal(t, body, map[string]any{"query": document}, "byte for byte, and nothing empty")

	_, err = graphql.Execute[viewer](t.Context(), gh, "query A{a} query B{b}", graphql.Vars{"n": json.Number("12345678901234567"), "x": nil},
		graphql.OperationName("B"), aplomb.Header("Accept", "application/json"))
	assert.NoError(t, err)
	assert.Equal(t, string(got), `{"query":"query A{a} query B{b}","operationName":"B","variables":{"n":12345678901234567,"x":null}}`)
	assert.Equal(t, header.Get("Accept"), "application/json", "the caller's options win")
}

func TestEndpointUnderABase(t *testing.T) {
	t.Parallel()
	var path string
	srv := aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.Path
		_, _ = w.Write([]byte(`{"data":{}}`))
	}))
	api, err := aplomb.New(srv.URL+"/api/v3", aplomb.Transport(srv.Transport()))
	assert.NoError(t, err)
	gh := graphql.New(api, aplomb.URL("/api/graphql"))
	_, err = graphql.Execute[struct{}](t.Context(), gh, "{a}", nil)
	assert.NoError(t, err)
	assert.Equal(t, path, "/api/graphql")
	assert.True(t, gh.API() == api)
}

// TestInterpretation: the media type first, then the status.
func TestInterpretation(t *testing.T) {
	t.Parallel()
	const (
		data    = `{"data":{"viewer":{"login":"ada"}}}`
		partial = `{"errors":[{"message":"no","path":["viewer","email"]}],"data":{"viewer":{"login":"ada"}}}`
		request = `{"errors":[{"message":"Field 'x' doesn't exist","extensions":{"code":"undefinedField"}}]}`
	)
	type want struct {
		login           string // "" for no data
		response        bool   // a *ResponseError
		api             bool   // an *APIError
		decode, protoco bool
	}
	tests := []struct {
		name   string
		status int
		kind   string
		body   string
		want   want
	}{
		{"200", 200, plainJSON, data, want{login: "ada"}},
		{"200 graphql", 200, graphqlJSON, data, want{login: "ada"}},
		{"BOM", 200, plainJSON, "\ufeff" + data, want{login: "ada"}},
		{"294 data and errors", 294, graphqlJSON, partial, want{login: "ada", response: true}},
		{"200 data and errors", 200, plainJSON, partial, want{login: "ada", response: true}},
		{"200 errors", 200, plainJSON, request, want{response: true}},
		{"200 errors and null data", 200, plainJSON, `{"data":null,"errors":[{"message":"m"}]}`, want{response: true}},
		{"empty errors are none", 200, plainJSON, `{"errors":[],"data":{"viewer":{"login":"ada"}}}`, want{login: "ada"}},
		{"null errors are none", 200, plainJSON, `{"errors":null,"data":{"viewer":{"login":"ada"}}}`, want{login: "ada"}},
		{"errors with a null", 200, plainJSON, `{"errors":[null],"data":{"viewer":{"login":"ada"}}}`, want{login: "ada"}},
		{"400 graphql", 400, graphqlJSON, request, want{response: true, api: true}},
		{"400 graphql with BOM", 400, graphqlJSON, "\ufeff" + request, want{response: true, api: true}},
		{"422 JSON that is GraphQL", 422, plainJSON, request, want{response: true, api: true}},
		{"400 with partial data", 400, graphqlJSON, partial, want{login: "ada", response: true, api: true}},
		{"403 JSON that is not", 403, plainJSON, `{"message":"You have exceeded a secondary rate limit."}`, want{api: true}},
		{"400 errors is text", 400, plainJSON, `{"errors":"nope"}`, want{api: true}},
		{"502 HTML", 502, "text/html", `<html><h1>Bad gateway</h1></html>`, want{api: true}},
		{"404 graphql without a body", 404, graphqlJSON, ``, want{api: true}},
		{"400 with data alone", 400, graphqlJSON, data, want{api: true}},
		{"errors is text", 200, plainJSON, `{"errors":"boom","data":null}`, want{decode: true}},
		{"truncated", 200, plainJSON, `{"data":{"viewer":`, want{decode: true}},
		{"a page", 200, "text/html", `<html><h1>Sign in</h1></html>`, want{decode: true}},
		{"deferred", 200, `multipart/mixed; boundary="-"`, "---\r\n", want{decode: true}},
		{"neither", 200, plainJSON, `{}`, want{protoco: true}},
		{"null data alone", 200, plainJSON, `{"data":null}`, want{protoco: true}},
		{"204", 204, plainJSON, ``, want{protoco: true}},
		{"data of another type", 200, plainJSON, `{"data":{"viewer":{"login":5}}}`, want{decode: true}},
		{"that and errors", 200, plainJSON, `{"data":{"viewer":{"login":5}},"errors":[{"message":"m"}]}`, want{response: true, decode: true}},
		{"that and errors, 400", 400, graphqlJSON, `{"data":{"viewer":{"login":5}},"errors":[{"message":"m"}]}`, want{response: true, api: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			gh := serve(t, answer(tt.status, tt.kind, tt.body, "X-Request-Id", "req-1"), aplomb.NoRetry())
			v, err := graphql.Execute[viewer](t.Context(), gh, "query Who { viewer { login } }", nil)
			re, response := errors.AsType[*graphql.ResponseError](err)
			_, api := errors.AsType[*aplomb.APIError](err)
			_, decode := errors.AsType[*aplomb.DecodeError](err)
			got := want{v.Viewer.Login, response, api, decode, err != nil && !response && !api && !decode}
			assert.Equal(t, got, tt.want, err)
			if response {
				assert.Equal(t, re.StatusCode, tt.status)
				assert.Equal(t, re.RequestID, "req-1")
				assert.Equal(t, re.HasData, tt.want.login != "")
				assert.Equal(t, re.Response.Attempts, 1)
				assert.Equal(t, re.Response.Header.Get("X-Request-ID"), "req-1")
			}
			if err != nil {
				assert.NotContains(t, err.Error(), "\n")
				assert.Contains(t, err.Error(), strconv.Itoa(tt.status))
				assert.True(t, strings.HasPrefix(err.Error(), "api.test: Who: "), err, "one form for every status")
			}
		})
	}
}

func TestErrorsMember(t *testing.T) {
	t.Parallel()
	const body = `{"data":{},"errors":[
		{"message":"Not yours","type":"FORBIDDEN","path":["user","repos",3,"name"],"locations":[{"line":1,"column":7}],"extensions":{"n":12345678901234567}},
		{"message":"b","extensions":{"code":"BAD_USER_INPUT"}},
		{"message":"c","code":"graphql_rate_limit"},
		{"message":"d","code":7,"path":"odd","locations":5,"extensions":[]},
		{"message":5},
		"text",
		{"message":"e","path":["a",null,1.5]}]}`
	gh := serve(t, answer(200, plainJSON, body))
	_, err := graphql.Execute[json.RawMessage](t.Context(), gh, "{a}", nil)
	re, ok := errors.AsType[*graphql.ResponseError](err)
	assert.True(t, ok)
	var got []string
	for _, e := range re.Errors {
		got = append(got, e.Code()+"|"+e.Path.String()+"|"+e.Message)
	}
	assert.Equal(t, got, []string{"FORBIDDEN|user.repos[3].name|Not yours", "BAD_USER_INPUT||b", "graphql_rate_limit||c", "7||d", "||5", "||text", "|a.null.1.5|e"})
	first, ok := errors.AsType[*graphql.Error](err)
	assert.True(t, ok && first == re.Errors[0])
	assert.Equal(t, string(first.Extensions["n"]), "12345678901234567")
	assert.Equal(t, first.Locations, []graphql.Location{{Line: 1, Column: 7}})
	assert.Equal(t, first.Path[2], graphql.PathElem{Index: 3})
	assert.Equal(t, first.Error(), "api.test: FORBIDDEN at user.repos[3].name: Not yours")
	raw, err := json.Marshal(first)
	assert.NoError(t, err)
	assert.Equal(t, string(raw), `{"message":"Not yours","type":"FORBIDDEN","path":["user","repos",3,"name"],"locations":[{"line":1,"column":7}]}`)
	assert.Contains(t, re.Error(), `api.test: query: 200 FORBIDDEN "user.repos[3].name: Not yours" (1 attempt, `)
	assert.Contains(t, re.Error(), `. Hint: 6 more errors are in Errors; the rest of the data came with it`)
}

// TestLaw01_QueriesAreResentMutationsAreNot: the answer is lost either way.
func TestLaw01_QueriesAreResentMutationsAreNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := aplombtest.NewGitHub()
		api.SeedRepos("octocat", 1)
		script := aplombtest.NewScript(api, aplombtest.LostResponse())
		gh := serve(t, script)
		_, err := graphql.Execute[json.RawMessage](t.Context(), gh, "# mutation\nfragment F on User { login }\nquery { viewer { ...F } }", nil)
		assert.NoError(t, err)
		assert.Equal(t, script.Requests(), 2)

		script.Then(aplombtest.LostResponse())
		const star = `mutation { addStar(input: {starrableId: "R_1"}) { clientMutationId } }`
		_, err = graphql.Execute[json.RawMessage](t.Context(), gh, star, nil)
		assert.True(t, err != nil)
		assert.Equal(t, api.Effects().Stars, 1)
		assert.Equal(t, script.Requests(), 3)

		script.Then(aplombtest.Status(503))
		_, err = graphql.Execute[json.RawMessage](t.Context(), gh, star, nil, aplomb.IdempotencyKey("star-1"))
		assert.NoError(t, err)
	})
}

// TestTruncatedBody: a query whose answer broke off is asked again, and the
// error of one that is not names the status.
func TestTruncatedBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		script := aplombtest.NewScript(answer(200, plainJSON, `{"data":{"viewer":{"login":"ada"}}}`), aplombtest.TruncatedBody(9), aplombtest.TruncatedBody(9))
		gh := serve(t, script)
		_, err := graphql.Execute[viewer](t.Context(), gh, "{viewer{login}}", nil, aplomb.NoRetry())
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Contains(t, err.Error(), "status 200")
		v, err := graphql.Execute[viewer](t.Context(), gh, "{viewer{login}}", nil)
		assert.NoError(t, err)
		assert.Equal(t, v.Viewer.Login, "ada")
		assert.Equal(t, script.Requests(), 3)
	})
}

// TestRequestErrorsAreNotRetried: a 500 for a bad document is the document's.
func TestRequestErrorsAreNotRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for kind, want := range map[string]int{`{"errors":[{"message":"Variable $x"}]}`: 1, `{"message":"oops"}`: 4} {
			script := aplombtest.NewScript(answer(500, plainJSON, kind))
			_, err := graphql.Execute[viewer](t.Context(), serve(t, script), "{viewer{login}}", nil)
			assert.True(t, err != nil)
			assert.Equal(t, script.Requests(), want, kind)
		}
	})
}

func TestThrottled(t *testing.T) {
	t.Parallel()
	const mutation, query = "mutation { a }", "{ a }"
	limited := func(typ, more string) string { return `{"errors":[{"message":"spent"` + typ + `}]` + more + `}` }
	github := limited(`,"type":"RATE_LIMITED"`, "")
	tests := []struct {
		name     string
		document string
		status   int
		body     string
		header   []string
		attempts int
		wait     time.Duration // -1: a backoff of the client's own
		is       bool
	}{
		{"Retry-After", query, 200, github, []string{"Retry-After", "7"}, 2, 7 * time.Second, true},
		{"a mutation did nothing", mutation, 200, github, []string{"Retry-After", "7"}, 2, 7 * time.Second, true},
		{"RATE_LIMIT", query, 200, limited(`,"type":"RATE_LIMIT","code":"graphql_rate_limit"`, `,"data":null`), []string{"Retry-After", "7"}, 2, 7 * time.Second, true},
		{"403", mutation, 403, github, []string{"Retry-After", "7"}, 2, 7 * time.Second, true},
		{"a mutation that had begun", mutation, 200, limited(`,"type":"RATE_LIMITED","path":["a"]`, `,"data":null`), nil, 1, 0, true},
		{"a query that had begun", query, 200, limited(`,"type":"RATE_LIMITED","path":["a"]`, `,"data":null`), []string{"Retry-After", "7"}, 2, 7 * time.Second, true},
		{"Shopify", query, 200, limited(`,"extensions":{"code":"THROTTLED"}`,
			`,"extensions":{"cost":{"requestedQueryCost":752,"throttleStatus":{"currentlyAvailable":252,"restoreRate":50.0}}}`), nil, 2, 10 * time.Second, true},
		{"Shopify, nothing asked", query, 200, limited(`,"extensions":{"code":"THROTTLED"}`,
			`,"extensions":{"cost":{"requestedQueryCost":0,"throttleStatus":{"currentlyAvailable":9,"restoreRate":50}}}`), nil, 2, time.Second, true},
		{"Shopify without a cost", query, 200, limited(`,"extensions":{"code":"THROTTLED"}`, ``), nil, 2, -1, true},
		{"longer than we wait", query, 200, github, []string{"Retry-After", "3600"}, 1, 0, true},
		{"data came", query, 200, limited(`,"type":"RATE_LIMITED"`, `,"data":{"a":1}`), []string{"Retry-After", "7"}, 1, 0, false},
		{"another error", query, 200, limited(`,"type":"NOT_FOUND"`, ``), []string{"Retry-After", "7"}, 1, 0, false},
		{"401", query, 401, github, []string{"X-RateLimit-Remaining", "0"}, 1, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				script := aplombtest.NewScript(answer(tt.status, plainJSON, tt.body, tt.header...))
				gh := serve(t, script, aplomb.Retry{Attempts: 2}, aplomb.NoRateLimit())
				start := time.Now()
				_, err := graphql.Execute[json.RawMessage](t.Context(), gh, tt.document, nil)
				assert.Equal(t, script.Requests(), tt.attempts)
				assert.Equal(t, errors.Is(err, aplomb.ErrRateLimited), tt.is)
				took := time.Since(start)
				if tt.wait >= 0 {
					// The client adds up to a tenth of jitter.
					assert.True(t, took >= tt.wait && took <= tt.wait+tt.wait/10, took)
				}
			})
		})
	}
}

// TestThrottledGateIsShared: one caller's refusal holds the others, and reset
// comes from GitHub's header.
func TestThrottledGateIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := aplombtest.NewGitHub()
		api.Quota(100, 30*time.Second)
		api.RateLimited(1)
		gh := serve(t, api)
		start := time.Now()
		_, err := graphql.Execute[json.RawMessage](t.Context(), gh, "{ viewer { login } }", nil, aplomb.NoRetry())
		assert.ErrorIs(t, err, aplomb.ErrRateLimited)
		e, _ := errors.AsType[*graphql.ResponseError](err)
		assert.Contains(t, e.Error(), "200 RATE_LIMITED")
		assert.Contains(t, e.Error(), "Hint: the server asks to wait ")
		_, err = graphql.Execute[json.RawMessage](t.Context(), gh, "{ viewer { login } }", nil)
		assert.NoError(t, err)
		assert.True(t, time.Since(start) >= 29*time.Second, time.Since(start))
		assert.Equal(t, api.Effects().RateLimited, 1)
	})
}

// TestPreset: under a generated client on the net/http door.
func TestPreset(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := aplombtest.NewGitHub()
		api.Quota(100, 10*time.Second)
		api.RateLimited(1)
		srv := aplombtest.NewServer(t, api)
		c, err := aplomb.New(srv.URL, graphql.Preset(), aplomb.Transport(srv.Transport()), aplomb.Bearer(aplomb.Static(token)))
		assert.NoError(t, err)
		defer c.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, strings.NewReader(`{"query":"{ viewer { login } }"}`))
		assert.NoError(t, err)
		resp, err := c.Do(req)
		assert.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		assert.NoError(t, err)
		_ = resp.Body.Close()
		assert.Contains(t, string(body), `"data"`)
		assert.Equal(t, api.Effects().Requests, 2)
	})
}

func TestRefusedBeforeTheNetwork(t *testing.T) {
	t.Parallel()
	script := aplombtest.NewScript(answer(200, plainJSON, `{"data":{}}`))
	gh := serve(t, script)
	ctx := t.Context()
	execute := func(c *graphql.Client, document string, opts ...aplomb.CallOption) error {
		_, err := graphql.Execute[struct{}](ctx, c, document, graphql.Vars{"secret": "vars-stay-inside"}, opts...)
		return err
	}
	tests := []struct {
		err  error
		want string
	}{
		{execute(nil, "{a}"), "no client"},
		{execute(graphql.New(nil), "{a}"), "no client"},
		{execute(gh, ""), "no operation"},
		{execute(gh, "query A{a} query B{b}"), "2 operations, A, B: say which with OperationName"},
		{execute(gh, "query A{a}", graphql.OperationName("C")), `no operation "C"; it has A`},
		{execute(gh, "query A{a}", graphql.OperationName("")), "the name is empty"},
		{execute(gh, "subscription { a }"), "subscription"},
		{execute(gh, "{a}", graphql.At("x")), "At and AtMost are for Nodes, Edges and Pages"},
		{execute(gh, "{a}", aplomb.CallOptions(graphql.OperationName("A"))), "OperationName must be given to the function of package graphql itself"},
		{execute(gh, "{ a "), "line 1: a { is missing or not closed"},
		{execute(gh, "mutaton { a }"), `got "mutaton"`},
		{first[int](graphql.Nodes[int](ctx, gh, "query($c: String) { a }", nil)), "declare $cursor: String (or $after, or $before)"},
		{first[int](graphql.Nodes[int](ctx, gh, "query($cursor: String) { a }", nil, graphql.At(""))), "the path is empty"},
		{first[int](graphql.Nodes[int](ctx, nil, "query($cursor: String) { a }", nil)), "no client"},
	}
	for _, tt := range tests {
		if tt.err == nil {
			t.Errorf("no error, want %q", tt.want)
			continue
		}
		assert.Contains(t, tt.err.Error(), tt.want)
		assert.NotContains(t, tt.err.Error(), "vars-stay-inside")
	}
	assert.Equal(t, script.Requests(), 0)
}

// first is the first error of a range.
func first[N any](seq func(func(N, error) bool)) error {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestOperationInHooks: what metrics and logs call the operation.
func TestOperationInHooks(t *testing.T) {
	t.Parallel()
	var names []string
	gh := serve(t, answer(200, plainJSON, `{"data":{}}`), aplomb.Hooks{CallDone: func(_ context.Context, e aplomb.CallEvent) { names = append(names, e.Operation) }})
	for _, document := range []string{"{a}", "query Repos {a}", "mutation {a}", "mutation Star {a}"} {
		_, err := graphql.Execute[struct{}](t.Context(), gh, document, nil)
		assert.NoError(t, err)
	}
	_, err := graphql.Execute[struct{}](t.Context(), gh, "{a}", nil, aplomb.Operation("mine"))
	assert.NoError(t, err)
	assert.Equal(t, names, []string{"query", "Repos", "mutation", "Star", "mine"})
}

// TestErrorsHaveOneForm, whatever the status, and say each thing once.
func TestErrorsHaveOneForm(t *testing.T) {
	t.Parallel()
	took := regexp.MustCompile(`, [^,]*s\)`)
	for _, status := range []int{200, 403} {
		gh := serve(t, answer(status, graphqlJSON, `{"errors":[{"message":"spent","type":"RATE_LIMITED"}]}`, "Retry-After", "7", "X-Request-Id", "r1"), aplomb.Name("github"))
		_, err := graphql.Execute[struct{}](t.Context(), gh, "query Repos {a}", nil, aplomb.Operation("repos.list"), aplomb.NoRetry())
		assert.Equal(t, took.ReplaceAllString(err.Error(), ", T)"), fmt.Sprintf(
			`github: repos.list: %d RATE_LIMITED "spent" (request r1, 1 attempt, T). Hint: the server asks to wait 7s`, status))
		one, _ := errors.AsType[*graphql.Error](err)
		assert.Equal(t, one.Error(), "github: RATE_LIMITED: spent")
	}
	gh := serve(t, answer(401, graphqlJSON, `{"errors":[{"message":"who?","type":"RATE_LIMITED"}]}`, "Retry-After", "7"))
	_, err := graphql.Execute[struct{}](t.Context(), gh, "{a}", nil)
	assert.True(t, strings.HasSuffix(err.Error(), fmt.Sprintf(". Hint: the credential is a static secret (%d chars)", len(token))), err)
	assert.Equal(t, (&graphql.Error{Message: "m"}).Error(), "graphql: m")
}
