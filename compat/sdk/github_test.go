package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-github/v88/github"

	"github.com/aplomb-go/aplomb/internal/assert"
)

func goGitHub() peer {
	return peer{
		name:   "go-github",
		open:   openGitHub,
		answer: says(`{"id":1,"number":1}`),
		problem: func(status int) string {
			return fmt.Sprintf(`{"message":"not now","errors":[{"resource":"Issue","field":"title","code":"code_%d"}]}`, status)
		},
		refused: 422, refusal: "422 not now title code_422", unavailable: "503 not now title code_503",
		typed: func(err error) string {
			e, ok := errors.AsType[*github.ErrorResponse](err)
			if !ok || len(e.Errors) != 1 {
				return ""
			}
			return fmt.Sprint(e.Response.StatusCode, " ", e.Message, " ", e.Errors[0].Field, " ", e.Errors[0].Code)
		},
		headers:  map[string]string{"Authorization": "Bearer " + testKey, "User-Agent": "go-github/v88", "X-GitHub-Api-Version": "20"},
		attempts: 4, alone: 1, both: 4,
		lost: 1,
	}
}

func openGitHub(t *testing.T, c client, url string, _ bool) calls {
	url += "/"
	gc, err := github.NewClient(github.WithHTTPClient(c.HTTPClient()), github.WithAuthToken(testKey), github.WithURLs(&url, nil))
	assert.NoError(t, err)
	return calls{
		read: func(ctx context.Context) error {
			_, _, err := gc.Repositories.Get(ctx, "o", "r")
			return err
		},
		create: func(ctx context.Context) error {
			_, _, err := gc.Issues.Create(ctx, "o", "r", &github.IssueRequest{Title: new("broken")})
			return err
		},
	}
}
