package graphql_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/graphql"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// gossip answers each request with body, in which ECHO stands for all that the
// request carried: header, query and variables.
func gossip(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var sent struct{ Variables json.RawMessage }
		if _ = json.NewDecoder(r.Body).Decode(&sent); r.Method == http.MethodGet {
			sent.Variables = json.RawMessage(r.URL.Query().Get("variables"))
		}
		_, password, _ := r.BasicAuth()
		echo := fmt.Sprint(r.Header["Authorization"], r.Header["X-Api-Key"], r.URL.Query(), password, " ", string(sent.Variables))
		quoted, _ := json.Marshal(echo)
		w.Header().Set("Content-Type", graphqlJSON)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, strings.ReplaceAll(body, "ECHO", string(quoted[1:len(quoted)-1])))
	})
}

// TestLaw05_NoSecretInAnyForm: whichever way a secret went out and wherever the
// server quotes it, no form of the error shows it.
func TestLaw05_NoSecretInAnyForm(t *testing.T) {
	t.Parallel()
	const secret = "opaque-token-of-no-known-shape"
	carriers := map[string]struct {
		client aplomb.Option
		vars   graphql.Vars
	}{
		"bearer":       {client: aplomb.Bearer(aplomb.Static(secret))},
		"basic":        {client: aplomb.Basic("ada", aplomb.Static(secret))},
		"X-Api-Key":    {client: aplomb.APIKey("X-Api-Key", aplomb.Static(secret))},
		"query":        {client: aplomb.APIKeyQuery("k", aplomb.Static(secret))},
		"plain header": {client: aplomb.Header("X-Api-Key", secret)},
		"variable":     {client: aplomb.NoAuth(), vars: graphql.Vars{"newPassword": secret}},
		"deep variable": {client: aplomb.NoAuth(), vars: graphql.Vars{
			"input": map[string]any{"hooks": []any{map[string]any{"signing_key": secret}}},
		}},
	}
	places := map[string]string{
		"message":         `{"errors":[{"message":"got ECHO"}]}`,
		"second message":  `{"errors":[{"message":"m"},{"message":"got ECHO"}],"data":{"a":1}}`,
		"type":            `{"errors":[{"message":"m","type":"ECHO"}]}`,
		"code":            `{"errors":[{"message":"m","code":"ECHO"}]}`,
		"extensions.code": `{"errors":[{"message":"m","extensions":{"code":"ECHO"}}]}`,
		"extensions":      `{"errors":[{"message":"m","extensions":{"debug":"ECHO"}}],"extensions":{"debug":"ECHO"}}`,
		"path":            `{"errors":[{"message":"m","path":["user","ECHO",3]}],"data":{"user":null}}`,
		"no error object": `{"errors":["ECHO"]}`,
		"data":            `{"data":{"a":"ECHO"}}`,
		"data and error":  `{"data":{"a":"ECHO"},"errors":[{"message":"m"}]}`,
		"errors":          `{"errors":{"a":"ECHO"}}`,
		"no JSON":         `ECHO`,
		"two connections": `{"data":{"ECHO":{"pageInfo":{},"nodes":[]},"b":{"pageInfo":{},"nodes":[]}}}`,
		"a node":          `{"data":{"ECHO":{"pageInfo":{"hasNextPage":false},"nodes":["ECHO"]}}}`,
	}
	for carrier, c := range carriers {
		for place, body := range places {
			for _, status := range []int{http.StatusOK, http.StatusUnprocessableEntity} {
				t.Run(fmt.Sprintf("%s in %s %d", carrier, place, status), func(t *testing.T) {
					t.Parallel()
					gh := serve(t, gossip(status, body), aplomb.NoAuth(), c.client)
					const document = `query Q($cursor: String, $newPassword: String, $input: Input) { a }`
					for _, gh := range []*graphql.Client{gh, graphql.New(gh.API(), graphql.UseGET()), graphql.New(gh.API(), graphql.PersistedQueries())} {
						_, executed := graphql.Execute[struct{ A int }](t.Context(), gh, document, c.vars)
						noneShows(t, executed, secret)
						listed := first[grumbler](graphql.Nodes[grumbler](t.Context(), gh, document, c.vars))
						assert.True(t, listed != nil)
						noneShows(t, listed, secret)
					}
				})
			}
		}
	}
}

// grumbler is a node that quotes what it cannot read.
type grumbler struct{}

func (*grumbler) UnmarshalJSON(raw []byte) error { return fmt.Errorf("cannot read %s", raw) }

// TestLaw05_KnownShapes: what looks like a key is hidden, whoever sent it.
func TestLaw05_KnownShapes(t *testing.T) {
	t.Parallel()
	const ghp = "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789"
	for _, status := range []int{200, 400} {
		gh := serve(t, answer(status, plainJSON, `{"errors":[{"message":"bad `+ghp+`","path":["`+ghp+`"]}],"data":{}}`))
		_, err := graphql.Execute[json.RawMessage](t.Context(), gh, `query($v: String) { a(p: "doc-value") }`, graphql.Vars{"v": "var-value"})
		noneShows(t, err, ghp, "var-value", "doc-value")
	}
	noneShows(t, &graphql.Error{Message: ghp, Type: ghp}, ghp) // a caller's own
}

// TestFieldsAreForPrograms: what programs compare comes as the server sent it,
// also where the request carried the same word.
func TestFieldsAreForPrograms(t *testing.T) {
	t.Parallel()
	const body = `{"errors":[{"message":"no repositories","type":"FORBIDDEN","path":["user","repositories"]}],"data":{}}`
	for _, status := range []int{200, 400} {
		gh := serve(t, answer(status, plainJSON, body), aplomb.Header("X-Scope", "repositories"), aplomb.Header("X-Mode", "FORBIDDEN"))
		_, err := graphql.Execute[json.RawMessage](t.Context(), gh, `{a}`, nil)
		e, ok := errors.AsType[*graphql.Error](err)
		assert.True(t, ok)
		assert.Equal(t, e.Code()+" "+e.Path.String(), "FORBIDDEN user.repositories")
		assert.Equal(t, e.Message, "no [redacted]")
		assert.Equal(t, e.Error(), "api.test: [redacted] at user.[redacted]: no [redacted]")
		re, _ := errors.AsType[*graphql.ResponseError](err)
		assert.Equal(t, re.Response.Redact("a repositories b"), "a [redacted] b", "Response knows the request")
	}
}

// TestManyErrors: an answer with endless errors is read in bounded time, and
// what was not looked at is not shown.
func TestManyErrors(t *testing.T) {
	t.Parallel()
	const n = 5_000
	var body strings.Builder
	for i := range n {
		_, _ = fmt.Fprintf(&body, `,{"message":"%s %d","path":["nodes",%d]},{"message":"the same"}`, token, i, i)
	}
	gh := serve(t, answer(200, plainJSON, `{"errors":[`+body.String()[1:]+`]}`))
	_, err := graphql.Execute[json.RawMessage](t.Context(), gh, `{a}`, nil)
	re, ok := errors.AsType[*graphql.ResponseError](err)
	assert.True(t, ok)
	assert.Equal(t, len(re.Errors), 2*n)
	assert.Equal(t, re.Errors[2].Error(), "api.test: at nodes[1]: [redacted] 1")
	assert.Equal(t, re.Errors[2*n-2].Error(), fmt.Sprintf("api.test: at nodes[%d]: [redacted]", n-1))
	assert.Equal(t, re.Errors[2*n-1].Message, "the same")
	assert.Contains(t, err.Error(), "9999 more errors are in Errors")
}

// noneShows prints err and the errors in it in every way and looks for the
// secrets.
func noneShows(t *testing.T, err error, secrets ...string) {
	t.Helper()
	all := []any{err}
	if e, ok := errors.AsType[*graphql.ResponseError](err); ok {
		for _, one := range e.Errors {
			all = append(all, one)
		}
	}
	if e, ok := errors.AsType[*aplomb.APIError](err); ok {
		all = append(all, e)
	}
	var out bytes.Buffer
	for _, v := range all {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		if raw, err := json.Marshal(v); err == nil {
			out.Write(raw)
		}
		slog.New(slog.NewJSONHandler(&out, nil)).LogAttrs(context.Background(), slog.LevelInfo, "m", slog.Any("v", v))
		slog.New(slog.NewTextHandler(&out, nil)).LogAttrs(context.Background(), slog.LevelInfo, "m", slog.Any("v", v))
	}
	for _, secret := range secrets {
		assert.NotContains(t, out.String(), secret)
		assert.NotContains(t, out.String(), fmt.Sprintf("%x", secret))
	}
}

func logTo(w io.Writer) aplomb.Option {
	return aplomb.Logging{Logger: slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))}
}
