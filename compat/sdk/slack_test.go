package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/slack-go/slack"

	"github.com/aplomb-go/aplomb"
)

// slackGo posts whatever it asks. What Slack refuses it answers with a 200.
func slackGo() peer {
	return peer{
		name: "slack-go",
		open: openSlack, guide: guideSlack, home: "https://slack.com", module: "github.com/slack-go/slack",
		answer: says(`{"ok":true,"channel":"C1","ts":"1"}`),
		problem: func(status int) string {
			return fmt.Sprintf(`{"ok":false,"error":"error_%d"}`, status)
		},
		refused: http.StatusOK, refusal: "error_200", unavailable: "503",
		typed: func(err error) string {
			if e, ok := errors.AsType[slack.StatusCodeError](err); ok {
				return strconv.Itoa(e.Code)
			}
			if e, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
				return e.Err
			}
			return ""
		},
		headers:  map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, // the token is in the form
		attempts: 4, alone: 1, both: 4,
		lost: 1,
	}
}

func openSlack(_ *testing.T, c doer, url string, own bool) calls {
	opts := []slack.Option{slack.OptionHTTPClient(c), slack.OptionAPIURL(url + "/")}
	if own {
		opts = append(opts, slack.OptionRetry(3)) // after a 429 only
	}
	api := slack.New(testKey, opts...)
	return calls{
		read: func(ctx context.Context) error {
			_, err := api.AuthTestContext(aplomb.NewContext(ctx, aplomb.Safe()))
			return err
		},
		create: func(ctx context.Context) error {
			_, _, err := api.PostMessageContext(ctx, "C1", slack.MsgOptionText("hello", false))
			return err
		},
	}
}

func guideSlack(ctx context.Context, c *aplomb.Client, token string) error {
	// github.com/slack-go/slack
	api := slack.New(token, slack.OptionHTTPClient(c))
	_, err := api.AuthTestContext(aplomb.NewContext(ctx, aplomb.Safe())) // a method that only reads

	return err
}
