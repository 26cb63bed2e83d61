package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/Khan/genqlient/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	aplombhttp "github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	aplomb "github.com/aplomb-go/aplomb/graphql"
)

func over(t *testing.T, h http.Handler) client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	api, err := aplombhttp.New(srv.URL, aplombhttp.Bearer(aplombhttp.Static("token")))
	if err != nil {
		t.Fatal(err)
	}
	return client{aplomb.New(api)}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	fake := aplombtest.NewGitHub()
	fake.SeedRepos("octocat", 12)
	script := aplombtest.NewScript(fake, aplombtest.LostResponse()) // a query is sent again
	data, err := count(context.Background(), over(t, script), "octocat")
	if err != nil || data.User.Repositories.TotalCount != 12 || script.Requests() != 2 {
		t.Errorf("%+v, %v after %d requests; want 12 after 2", data, err, script.Requests())
	}
}

// TestErrors: generated code sees what genqlient's own client would give it.
func TestErrors(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		})
	}
	data, err := count(context.Background(), over(t, answer(200, `{"data":{"user":{"repositories":{"totalCount":5}}},
		"errors":[{"message":"half","type":"FORBIDDEN","path":["user","repositories",3],"extensions":{"id":12345678901234567}}]}`)), "octocat")
	var list gqlerror.List
	if !errors.As(err, &list) || len(list) != 1 || data.User.Repositories.TotalCount != 5 {
		t.Fatalf("%+v, %v; want the data beside a gqlerror.List", data, err)
	}
	if e := list[0]; e.Message != "half" || e.Path.String() != "user.repositories[3]" || e.Extensions["code"] != "FORBIDDEN" {
		t.Errorf("got %+v", e)
	}

	_, err = count(context.Background(), over(t, answer(422, `{"errors":[{"message":"no such field"}]}`)), "octocat")
	httpError, ok := errors.AsType[*graphql.HTTPError](err)
	if !ok || httpError.StatusCode != 422 || len(httpError.Response.Errors) != 1 {
		t.Errorf("got %v, want an HTTPError with the answer's errors", err)
	}
	if _, err = count(context.Background(), over(t, answer(404, `{"message":"Not Found"}`)), "octocat"); aplombhttp.StatusCode(err) != 404 {
		t.Errorf("got %v, want a 404", err)
	}
}
