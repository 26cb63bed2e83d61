package aplombtest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
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

// query posts a document, straight to the handler, and returns what came back.
// vars may be nil; header is key, value, key, value.
func query(t *testing.T, api http.Handler, document string, vars map[string]any, header ...string) (*http.Response, string) {
	t.Helper()
	fields := map[string]any{"query": document}
	if vars != nil {
		fields["variables"] = vars
	}
	body, err := json.Marshal(fields)
	assert.NoError(t, err)
	return post(api, string(body), header...)
}

func post(api http.Handler, body string, header ...string) (*http.Response, string) {
	r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer t")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	return w.Result(), strings.TrimSpace(w.Body.String())
}

// seeded returns an API in which octocat has n repositories.
func seeded(n int) *aplombtest.GitHub {
	api := aplombtest.NewGitHub()
	api.SeedRepos("octocat", n)
	return api
}

// ExampleGitHub reads a page of which one repository is forbidden.
func ExampleGitHub() {
	api := aplombtest.NewGitHub()
	api.SeedRepos("octocat", 10)
	api.FailNode("octocat", 1, "FORBIDDEN", "Resource protected by organization SAML enforcement.")
	srv := httptest.NewServer(api) // in a test: aplombtest.NewServer(t, api)
	defer srv.Close()

	document := `{ user(login: "octocat") { repositories(first: 2) { nodes { name stargazerCount } } } }`
	body, _ := json.Marshal(map[string]any{"query": document})
	req, _ := http.NewRequest("POST", srv.URL, bytes.NewReader(body))
	req.Header.Set("Authorization", "Bearer any-token")
	res, err := srv.Client().Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	var answer struct {
		Data   json.RawMessage
		Errors []struct {
			Type string
			Path []any
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(answer.Data))
	fmt.Println(answer.Errors[0].Type, answer.Errors[0].Path)
	fmt.Println(res.Header.Get("X-Ratelimit-Remaining"), "points left")
	// Output:
	// {"user":{"repositories":{"nodes":[{"name":"hello-go","stargazerCount":42},null]}}}
	// FORBIDDEN [user repositories nodes 1]
	// 4999 points left
}

func TestGitHubPagination(t *testing.T) {
	t.Parallel()
	api := seeded(23)
	const document = `# a comment, {
	query Repos($owner: String!, $n: Int = 10, $from: String) {
	  user(login: $owner) { repositories(first: $n, after: $from, orderBy: {field: UPDATED_AT, direction: DESC}) {
	    totalCount pageInfo { hasNextPage endCursor } nodes { name } } } }`
	vars := map[string]any{"owner": "OctoCat"} // logins ignore case
	var names []string
	pages := 0
	for more := true; more; pages++ {
		_, body := query(t, api, document, vars)
		var page struct {
			Data struct {
				User struct {
					Repositories struct {
						TotalCount int
						PageInfo   struct {
							HasNextPage bool
							EndCursor   string
						}
						Nodes []struct{ Name string }
					}
				}
			}
		}
		assert.NoError(t, json.Unmarshal([]byte(body), &page))
		connection := page.Data.User.Repositories
		assert.Equal(t, connection.TotalCount, 23)
		for _, node := range connection.Nodes {
			names = append(names, node.Name)
		}
		vars["from"], more = connection.PageInfo.EndCursor, connection.PageInfo.HasNextPage
		assert.True(t, pages < 3, "three pages are all there is")
	}
	want := []string{"hello-go"}
	for k := 2; k <= 23; k++ {
		want = append(want, fmt.Sprintf("repo-%02d", k))
	}
	assert.Equal(t, names, want)
	assert.Equal(t, pages, 3)

	_, body := query(t, api, document, map[string]any{"owner": "octocat", "from": vars["from"]})
	assert.Contains(t, body, `"pageInfo":{"hasNextPage":false,"endCursor":null},"nodes":[]`, "past the end")
}

func TestGitHubAnswersInTheDocumentsShape(t *testing.T) {
	t.Parallel()
	api := seeded(6)
	tests := []struct {
		name, document string
		vars           map[string]any
		want           string
	}{
		{"every field of a repository", `{user(login:"octocat"){repositories(first:1){nodes{
			__typename id name nameWithOwner description stargazerCount url isPrivate owner{login name id} primaryLanguage{name}}}}}`, nil,
			`{"data":{"user":{"repositories":{"nodes":[{"__typename":"Repository","id":"R_1","name":"hello-go","nameWithOwner":"octocat/hello-go",` +
				`"description":"Hello, world, with aplomb","stargazerCount":42,"url":"https://github.com/octocat/hello-go","isPrivate":false,` +
				`"owner":{"login":"octocat","name":null,"id":"U_1"},"primaryLanguage":{"name":"Go"}}]}}}}`},
		{"edges, and both ends of a page", `{user(login:"octocat"){repositories(after:"Y3Vyc29yOnYyOjQ=",first:2){
			edges{cursor node{name primaryLanguage{name} description}} pageInfo{hasPreviousPage hasNextPage startCursor endCursor}}}}`, nil,
			`{"data":{"user":{"repositories":{"edges":[{"cursor":"Y3Vyc29yOnYyOjU=","node":{"name":"repo-05","primaryLanguage":{"name":"Go"},` +
				`"description":"Repository 5 of octocat"}},{"cursor":"Y3Vyc29yOnYyOjY=","node":{"name":"repo-06","primaryLanguage":null,"description":null}}],` +
				`"pageInfo":{"hasPreviousPage":true,"hasNextPage":false,"startCursor":"Y3Vyc29yOnYyOjU=","endCursor":"Y3Vyc29yOnYyOjY="}}}}}`},
		{"aliases, in the order asked for", `{b:user(login:"octocat"){z:login a:login}}`, nil, `{"data":{"b":{"z":"octocat","a":"octocat"}}}`},
		{"fragments, merged", `query{user(login:"octocat"){...F ...on User{repositories(first:1){totalCount}} ...{login}}}
			fragment F on User{login repositories(first:1){nodes{name}}}`, nil,
			`{"data":{"user":{"login":"octocat","repositories":{"nodes":[{"name":"hello-go"}],"totalCount":6}}}}`},
		{"directives", `query($yes:Boolean!,$no:Boolean!){user(login:"octocat"){id@skip(if:$yes) login@include(if:$yes) name@include(if:$no)}}`,
			map[string]any{"yes": true, "no": false}, `{"data":{"user":{"login":"octocat"}}}`},
		{"block strings and escapes", `{user(login:"""octocat"""){login} x:user(login:"octo\u0063at"){login}}`, nil,
			`{"data":{"user":{"login":"octocat"},"x":{"login":"octocat"}}}`},
		{"a byte order mark and commas", "\uFEFF{,,viewer,{login},,}", nil, `{"data":{"viewer":{"login":"viewer"}}}`},
		{"the quota", `{rateLimit{limit cost}}`, nil, `{"data":{"rateLimit":{"limit":5000,"cost":1}}}`},
		{"a null variable falls back to no cursor", `query($c:String){user(login:"octocat"){repositories(first:1,after:$c){nodes{name}}}}`,
			map[string]any{"c": nil}, `{"data":{"user":{"repositories":{"nodes":[{"name":"hello-go"}]}}}}`},
	}
	for _, test := range tests {
		res, body := query(t, api, test.document, test.vars)
		assert.Equal(t, body, test.want, test.name)
		assert.Equal(t, res.Header.Get("Content-Type"), "application/json; charset=utf-8", test.name)
	}
}

func TestGitHubErrors(t *testing.T) {
	t.Parallel()
	api := seeded(3)
	tests := []struct {
		document string
		vars     map[string]any
		want     string // the whole answer, or how it begins
	}{
		{`{user(login:"octocat"){colour}}`, nil,
			`{"errors":[{"path":["query","user","colour"],"extensions":{"code":"undefinedField","fieldName":"colour","typeName":"User"},` +
				`"locations":[{"line":1,"column":24}],"message":"Field 'colour' doesn't exist on type 'User'"}]}`},
		{`query Q{u:user(login:"octocat"){repositories(first:1){nodes{stars}}}}`, nil,
			`{"errors":[{"path":["query Q","u","repositories","nodes","stars"],"extensions":{"code":"undefinedField"`},
		{`{user(login:"nobody"){login}}`, nil,
			`{"data":{"user":null},"errors":[{"type":"NOT_FOUND","path":["user"],"locations":[{"line":1,"column":2}],` +
				`"message":"Could not resolve to a User with the login of 'nobody'."}]}`},
		{`{user{login}}`, nil, `{"errors":[{"path":["query","user"],"extensions":{"arguments":"login","className":"Field","code":"missingRequiredArguments"`},
		{`{user(login:"octocat",x:1){login}}`, nil, `{"errors":[{"path":["query","user","x"],"extensions":{"argumentName":"x","code":"argumentNotAccepted"`},
		{`{user(login:"octocat")}`, nil, `{"errors":[{"path":["query","user"],"extensions":{"code":"selectionMismatch"`},
		{`{user(login:"octocat"){login{x}}}`, nil, `{"errors":[{"path":["query","user","login"],"extensions":{"code":"selectionMismatch"`},
		{`{user(login:$l){login}}`, nil, `{"errors":[{"path":["query","user"],"extensions":{"code":"variableNotDefined"`},
		{`query($l:String){user(login:"octocat"){login}}`, nil, `{"errors":[{"path":["query"],"extensions":{"code":"variableNotUsed"`},
		{`query($l:String!){user(login:$l){login}}`, nil,
			`{"errors":[{"extensions":{"problems":[{"explanation":"Expected value to not be null","path":[]}],"value":null},` +
				`"locations":[{"line":1,"column":7}],"message":"Variable $l of type String! was provided invalid value"}]}`},
		{`query($n:Int!){user(login:"octocat"){repositories(first:$n){totalCount}}}`, map[string]any{"n": "ten"},
			`{"errors":[{"extensions":{"problems":[{"explanation":"Could not coerce value ten to Int"`},
		{`{user(login:"octocat"){...F}}`, nil, `{"errors":[{"path":["query","user"],"extensions":{"code":"useAndDefineFragment"`},
		{`{user(login:"octocat"){...F}} fragment F on User{...F}`, nil, `{"errors":[{"path":["fragment F"],"extensions":{"code":"infiniteLoop"`},
		{`{user(login:"octocat"){...on Repository{name}}}`, nil, `{"errors":[{"path":["query","user"],"extensions":{"code":"cannotSpreadFragment"`},
		{`{user(login:"octocat"){repositories{totalCount}}}`, nil,
			`{"data":{"user":null},"errors":[{"type":"MISSING_PAGINATION_BOUNDARIES","path":["user","repositories"]`},
		{`{user(login:"octocat"){repositories(first:101){totalCount}}}`, nil,
			`{"data":{"user":null},"errors":[{"type":"EXCESSIVE_PAGINATION","path":["user","repositories"],"locations":[{"line":1,"column":24}],` +
				`"message":"Requesting 101 records on the ` + "`repositories` connection exceeds the `first`" + ` limit of 100 records."}]}`},
		{`{user(login:"octocat"){repositories(first:1,after:"nonsense"){totalCount}}}`, nil,
			`{"data":{"user":null},"errors":[{"type":"INVALID_CURSOR_ARGUMENTS"`},
		{`{user(login:"octocat"){repositories(first:-1){totalCount}}}`, nil, `{"data":{"user":null},"errors":[{"type":"INVALID_PAGINATION"`},
		{`{a{b}`, nil, `{"errors":[{"locations":[{"line":1,"column":6}],"message":"Unexpected end of document"}]}`},
		{"{\n  a b: }", nil, `{"errors":[{"locations":[{"line":2,"column":8}],"message":"Parse error on \"}\" at [2, 8]"}]}`},
		{`{a(x:?)}`, nil, `{"errors":[{"locations":[{"line":1,"column":6}],"message":"Parse error on \"?\" at [1, 6]"}]}`},
		{`{a(x:"unclosed)}`, nil, `{"errors":[{"locations"`},
		{`{}`, nil, `{"errors":[{"locations"`},
		{``, nil, `{"errors":[{"locations"`},
		{strings.Repeat("{a", 200), nil, `{"errors":[{"locations"`},
		{doubling(30), nil, `{"errors":[{"message":"Query has too many fragments"}]}`},
		{`subscription{x}`, nil, `{"errors":[{"locations":[{"line":1,"column":1}],"message":"Schema is not configured for subscriptions"}]}`},
		{`query A{viewer{login}} query B{viewer{login}}`, nil, `{"errors":[{"message":"An operation name is required"}]}`},
	}
	for _, test := range tests {
		res, body := query(t, api, test.document, test.vars)
		assert.Equal(t, res.StatusCode, 200, test.document)
		if !strings.HasPrefix(body, test.want) {
			t.Errorf("%s\ngot  %s\nwant %s", test.document, body, test.want)
		}
	}
}

// doubling returns a short document that is of 2^n fields when written out.
func doubling(n int) string {
	var document strings.Builder
	document.WriteString(`{user(login:"octocat"){...F0}}`)
	for i := range n {
		fmt.Fprintf(&document, "fragment F%d on User{...F%[2]d ...F%[2]d}", i, i+1)
	}
	fmt.Fprintf(&document, "fragment F%d on User{login}", n)
	return document.String()
}

func TestGitHubMediaType(t *testing.T) {
	t.Parallel()
	const modern = "application/graphql-response+json"
	tests := []struct {
		accept, document, contentType string
		status                        int
	}{
		{modern + ", application/json;q=0.9", `{viewer{login}}`, modern, 200},
		{modern + ";q=1", `{viewer{colour}}`, modern, 400},
		{modern, `{viewer`, modern, 400},
		{modern, `{user(login:"nobody"){login}}`, modern, 200}, // it ran
		{"application/json, " + modern, `{viewer{colour}}`, "application/json", 200},
		{"", `{viewer{colour}}`, "application/json", 200},
	}
	for _, test := range tests {
		res, _ := query(t, aplombtest.NewGitHub(), test.document, nil, "Accept", test.accept)
		assert.Equal(t, res.StatusCode, test.status, test.accept, test.document)
		assert.Equal(t, res.Header.Get("Content-Type"), test.contentType+"; charset=utf-8", test.accept, test.document)
	}
}

func TestGitHubRequests(t *testing.T) {
	t.Parallel()
	api := seeded(1)
	for _, test := range []struct {
		body   string
		status int
		want   string
	}{
		{`{"query":"query A{viewer{login}} query B{viewer{id}}","operationName":"B"}`, 200, `{"data":{"viewer":{"id":"U_viewer"}}}`},
		{`{"query":"query A{viewer{login}}","operationName":"C"}`, 200, `No operation named`},
		{`{"query":"{viewer{login}}","operationName":null,"variables":null}`, 200, `{"data"`},
		{`{"query":"{viewer{login}}","operationName":""}`, 400, `operationName`},
		{`{"query":`, 400, "Problems parsing JSON"},
		{`null`, 400, "Problems parsing JSON"},
		{`{}`, 400, "A query attribute must be specified"},
	} {
		res, body := post(api, test.body)
		assert.Equal(t, res.StatusCode, test.status, test.body)
		assert.Contains(t, body, test.want, test.body)
	}

	ask := func(method, document, variables string) (int, string) {
		params := url.Values{"query": {document}, "variables": {variables}}
		r := httptest.NewRequest(method, "/any/path?"+params.Encode(), nil)
		r.Header.Set("Authorization", "token t")
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	status, body := ask("GET", `query($l:String!){user(login:$l){login}}`, `{"l":"octocat"}`)
	assert.Equal(t, status, 200)
	assert.Equal(t, body, `{"data":{"user":{"login":"octocat"}}}`+"\n")
	status, _ = ask("GET", `mutation{addStar(input:{starrableId:"R_1"}){clientMutationId}}`, "")
	assert.Equal(t, status, 405)
	status, _ = ask("GET", `{viewer{login}}`, "{")
	assert.Equal(t, status, 400)
	status, _ = ask("PUT", `{viewer{login}}`, "")
	assert.Equal(t, status, 405)
	assert.Equal(t, api.Effects().Stars, 0)
}

func TestGitHubAuthentication(t *testing.T) {
	t.Parallel()
	api := seeded(1)
	for _, authorization := range []string{"", "Bearer ", "Basic eDp5"} {
		res, body := query(t, api, `{viewer{login}}`, nil, "Authorization", authorization)
		assert.Equal(t, res.StatusCode, 401, authorization)
		assert.Contains(t, body, `"message":"Bad credentials"`)
		assert.Equal(t, res.Header.Get("X-Ratelimit-Remaining"), "0", "a trap: nothing to wait for")
		assert.True(t, res.Header.Get("X-Github-Request-Id") != "")
	}
	assert.Equal(t, api.Effects(), aplombtest.GitHubEffects{Requests: 3})
}

func TestGitHubPartialData(t *testing.T) {
	t.Parallel()
	api := seeded(12)
	api.FailNode("octocat", 8, "FORBIDDEN", "no")
	_, body := query(t, api, `{u:user(login:"octocat"){r:repositories(first:5,after:"Y3Vyc29yOnYyOjU="){n:nodes{name} edges{node{name}}}}}`, nil)
	assert.Contains(t, body, `"n":[{"name":"repo-06"},{"name":"repo-07"},{"name":"repo-08"},null,{"name":"repo-10"}]`)
	assert.Contains(t, body, `{"type":"FORBIDDEN","path":["u","r","n",3],`, "the place is that on the page, under the aliases")
	assert.Contains(t, body, `{"type":"FORBIDDEN","path":["u","r","edges",3,"node"],`)
}

func TestGitHubQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := seeded(1)
		api.Quota(3, time.Minute)
		time.Sleep(300 * time.Millisecond) // windows end on a whole second all the same
		rate := func() (header []string, body string) {
			res, body := query(t, api, `{viewer{login}}`, nil)
			assert.Equal(t, res.StatusCode, 200)
			for _, name := range []string{"Limit", "Remaining", "Used", "Resource"} {
				header = append(header, res.Header.Get("X-Ratelimit-"+name))
			}
			reset, err := strconv.ParseInt(res.Header.Get("X-Ratelimit-Reset"), 10, 64)
			assert.NoError(t, err)
			wait := time.Until(time.Unix(reset, 0))
			assert.True(t, 0 < wait && wait <= time.Minute+time.Second, wait)
			return header, body
		}
		for used := 1; used <= 3; used++ {
			header, body := rate()
			assert.Equal(t, header, []string{"3", strconv.Itoa(3 - used), strconv.Itoa(used), "graphql"})
			assert.Contains(t, body, `"data"`)
		}
		header, body := rate()
		assert.Equal(t, header, []string{"3", "0", "3", "graphql"})
		assert.Equal(t, body, `{"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded for user ID 1."}]}`)

		time.Sleep(61 * time.Second)
		header, _ = rate()
		assert.Equal(t, header[1], "2", "a new window")

		api.RateLimited(2)
		for range 2 {
			header, body = rate()
			assert.Equal(t, header[1], "0")
			assert.Contains(t, body, "RATE_LIMITED")
		}
		header, _ = rate()
		assert.Equal(t, header[1], "1", "a refusal costs nothing")
		assert.Equal(t, api.Effects(), aplombtest.GitHubEffects{Requests: 8, Queries: 5, RateLimited: 3})
	})
}

func TestGitHubMutationCountsEveryRun(t *testing.T) {
	t.Parallel()
	api := seeded(1)
	const document = `mutation Star($in: AddStarInput!) { addStar(input: $in) { clientMutationId starrable { name stargazerCount } } }`
	star := map[string]any{"in": map[string]any{"starrableId": "R_1", "clientMutationId": "m1"}}
	for stars := 43; stars <= 44; stars++ {
		_, body := query(t, api, document, star)
		assert.Equal(t, body, fmt.Sprintf(`{"data":{"addStar":{"clientMutationId":"m1","starrable":{"name":"hello-go","stargazerCount":%d}}}}`, stars))
	}
	_, body := query(t, api, `mutation{addStar(input:{starrableId:"R_9"}){clientMutationId}}`, nil)
	assert.Contains(t, body, `{"data":{"addStar":null},"errors":[{"type":"NOT_FOUND","path":["addStar"]`)
	assert.Equal(t, api.Effects(), aplombtest.GitHubEffects{Requests: 3, Mutations: 3, Stars: 2})
}

func TestGitHubConcurrently(t *testing.T) {
	t.Parallel()
	api := seeded(100)
	srv := aplombtest.NewServer(t, api)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				body := `{"query":"mutation{addStar(input:{starrableId:\"R_1\"}){starrable{owner{repositories(first:100){nodes{name url stargazerCount}}}}}}"}`
				req, _ := http.NewRequest("POST", srv.URL, strings.NewReader(body))
				req.Header.Set("Authorization", "Bearer t")
				res, err := srv.Client().Do(req)
				if !assert.True(t, err == nil, err) {
					return
				}
				assert.Equal(t, strings.Count(read(t, res), `"name"`), 100)
				api.Received()
			}
		})
	}
	wg.Wait()
	assert.Equal(t, api.Effects(), aplombtest.GitHubEffects{Requests: 160, Mutations: 160, Stars: 160})
}

// FuzzGitHub feeds documents to the fake: it must answer JSON to all of them.
func FuzzGitHub(f *testing.F) {
	for _, document := range []string{
		`{user(login:"octocat"){repositories(first:2){nodes{name}}}}`, `query($a:[Int!]!=[1,-2.5e3]){a@b(c:$a)}`,
		`{user(login:"""x"""){...F}} fragment F on User{...F}`, `{a(b:{c:[true,null,E,"\"\\u00e9"]})}`, "\uFEFF#\n{", `{a(b:"`, `{a(b:-`,
	} {
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document string) {
		res, body := query(t, seeded(3), document, map[string]any{"a": 1})
		if res.StatusCode != 200 || !json.Valid([]byte(body)) {
			t.Errorf("%q: %s %s", document, res.Status, body)
		}
	})
}

func TestGitHubRepository(t *testing.T) {
	t.Parallel()
	api := seeded(3)
	api.FailNode("octocat", 2, "FORBIDDEN", "not for you")
	const document = `query($owner: String!, $name: String!) { repository(owner: $owner, name: $name) { nameWithOwner stargazerCount } }`
	for name, want := range map[string]string{
		"Hello-Go": `{"data":{"repository":{"nameWithOwner":"octocat/hello-go","stargazerCount":42}}}`,
		"nothing":  `{"data":{"repository":null},"errors":[{"type":"NOT_FOUND","path":["repository"],"locations":[{"line":1,"column":42}],"message":"Could not resolve to a Repository with the name 'OctoCat/nothing'."}]}`,
		"repo-03":  `{"data":{"repository":null},"errors":[{"type":"FORBIDDEN","path":["repository"],"locations":[{"line":1,"column":42}],"message":"not for you"}]}`,
	} {
		_, body := query(t, api, document, map[string]any{"owner": "OctoCat", "name": name})
		assert.Equal(t, body, want)
	}
	_, body := query(t, api, `mutation { removeStar(input: {starrableId: "R_1", clientMutationId: "m"}) { clientMutationId starrable { stargazerCount } } }`, nil)
	assert.Equal(t, body, `{"data":{"removeStar":{"clientMutationId":"m","starrable":{"stargazerCount":41}}}}`)
	assert.Equal(t, api.Effects().Stars, 0)
}

// The secondary limit says how long to wait, and spends nothing.
func TestGitHubSecondaryLimit(t *testing.T) {
	t.Parallel()
	bubbled(t, "", func(t *testing.T) {
		api := seeded(1)
		api.SecondaryLimited(2, 7*time.Second)
		srv := aplombtest.NewServer(t, api)
		c, err := aplomb.New(srv.URL, aplomb.Transport(srv.Transport()), aplomb.Bearer(aplomb.Static("t")), aplomb.NoRateLimit())
		assert.NoError(t, err)
		t.Cleanup(c.CloseIdleConnections)
		type answer struct{ RateLimit struct{ Remaining int } }
		for range 2 {
			_, err = graphql.Execute[answer](t.Context(), graphql.New(c), `{ rateLimit { remaining } }`, nil)
			e, _ := errors.AsType[*aplomb.APIError](err)
			assert.Equal(t, [2]any{e.StatusCode, e.RetryAfter}, [2]any{403, 7 * time.Second})
			assert.Contains(t, e.Message, "secondary rate limit")
		}
		got, err := graphql.Execute[answer](t.Context(), graphql.New(c), `{ rateLimit { remaining } }`, nil)
		assert.NoError(t, err)
		assert.Equal(t, [2]int{got.RateLimit.Remaining, api.Effects().Secondary}, [2]int{4999, 2})
	})
}
