package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-github/v88/github"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
)

func goGitHub() peer {
	return peer{
		name: "go-github",
		open: openGitHub, guide: guideGitHub, home: "https://api.github.com", module: "github.com/google/go-github/v88",
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

func gitHubClient(t *testing.T, c doer, url string, opts ...github.ClientOptionsFunc) *github.Client {
	url += "/"
	opts = append(opts, github.WithHTTPClient(c.HTTPClient()), github.WithAuthToken(testKey), github.WithURLs(&url, nil))
	gc, err := github.NewClient(opts...)
	assert.NoError(t, err)
	return gc
}

func openGitHub(t *testing.T, c doer, url string, _ bool) calls {
	gc := gitHubClient(t, c, url)
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

// TestGitHubLimits: GitHub says with a 403 that a quota is used up. go-github
// makes an error of that, and of every call until the reset without asking;
// with its own check off, they wait instead.
func TestGitHubLimits(t *testing.T) {
	t.Parallel()
	p := goGitHub()
	rows := []struct {
		name    string
		opts    []github.ClientOptionsFunc
		then    time.Duration // what the next call waits
		refused bool          // by go-github itself
	}{
		{"its own check left on", nil, 0, true},
		{"its own check off", []github.ClientOptionsFunc{github.WithDisableRateLimitCheck()}, 30 * time.Second, false},
	}
	for _, row := range rows {
		stage(t, row.name, &p, func(s *scene) {
			reset := strconv.FormatInt(time.Now().Add(30*time.Second).Unix(), 10)
			s.script.Then(s.fault(http.StatusForbidden, "X-RateLimit-Limit", "5000", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", reset))
			gc := gitHubClient(s.t, s.aplomb(), s.srv.URL, row.opts...)
			_, _, err := gc.Repositories.Get(s.t.Context(), "o", "r")
			assert.True(s.t, isLimit(err), err)
			s.sent(1)
			waited, err := took(func() error {
				_, _, err := gc.Repositories.Get(s.t.Context(), "o", "r")
				return err
			})
			assert.Equal(s.t, isLimit(err), row.refused, err)
			assert.Equal(s.t, waited.Round(5*time.Second), row.then)
		})
	}
}

func isLimit(err error) bool {
	_, ok := errors.AsType[*github.RateLimitError](err)
	return ok
}

func guideGitHub(ctx context.Context, c *aplomb.Client, token string) error {
	// github.com/google/go-github/v88
	gc, err := github.NewClient(
		github.WithHTTPClient(c.HTTPClient()),
		github.WithAuthToken(token),
		github.WithDisableRateLimitCheck())

	if err != nil {
		return err
	}
	_, _, err = gc.Repositories.Get(ctx, "o", "r")
	return err
}
