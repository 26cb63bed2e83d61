package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twilio/twilio-go"
	"github.com/twilio/twilio-go/client"
	api "github.com/twilio/twilio-go/rest/api/v2010"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

const twilioSID, twilioToken = "AC1", "notASecret"

// twilioGo knows no contexts, and one host only.
func twilioGo() peer {
	return peer{
		name: "twilio-go",
		open: openTwilio, guide: guideTwilio, home: "https://api.twilio.com", module: "github.com/twilio/twilio-go",
		fixed:  true,
		opts:   []aplomb.Option{aplomb.Timeout(10 * time.Second)},
		answer: says(`{"sid":"SM1"}`),
		problem: func(status int) string {
			return fmt.Sprintf(`{"status":%d,"code":20%[1]d,"message":"not now"}`, status)
		},
		refused: 404, refusal: "404 20404 not now", unavailable: "503 20503 not now",
		typed: func(err error) string {
			e, ok := errors.AsType[*client.TwilioRestError](err)
			if !ok {
				return ""
			}
			return fmt.Sprint(e.Status, " ", e.Code, " ", e.Message)
		},
		headers:  map[string]string{"Authorization": "Basic ", "User-Agent": "twilio-go/1."},
		attempts: 4, alone: 1, both: 4,
		lost:      1,
		noContext: true,
	}
}

func openTwilio(_ *testing.T, c doer, _ string, _ bool) calls {
	base := &client.Client{Credentials: client.NewCredentials(twilioSID, twilioToken), HTTPClient: c.HTTPClient()}
	base.SetAccountSid(twilioSID)
	tc := twilio.NewRestClientWithParams(twilio.ClientParams{Client: base})
	return calls{
		read: func(context.Context) error {
			_, err := tc.Api.FetchMessage("SM1", &api.FetchMessageParams{})
			return err
		},
		create: func(context.Context) error {
			_, err := tc.Api.CreateMessage((&api.CreateMessageParams{}).SetTo("+15550100").SetFrom("+15550101").SetBody("hello"))
			return err
		},
	}
}

// TestTwilioTimeout: without a context it is the client that ends a call. The
// SDK's own default is 10 s.
func TestTwilioTimeout(t *testing.T) {
	t.Parallel()
	p := twilioGo()
	stage(t, "Timeout", &p, func(s *scene) {
		s.script.Always(aplombtest.Stall(0))
		waited, err := took(func() error { return s.calls().read(s.t.Context()) })
		assert.ErrorIs(s.t, err, context.DeadlineExceeded)
		assert.Equal(s.t, waited, 10*time.Second)
		s.sent(1)
	})
}

func guideTwilio(_ context.Context, c *aplomb.Client, token string) error {
	sid, token := twilioSID, strings.ReplaceAll(token, "_", "")
	// github.com/twilio/twilio-go and its package client
	base := &client.Client{Credentials: client.NewCredentials(sid, token), HTTPClient: c.HTTPClient()}
	base.SetAccountSid(sid)
	tc := twilio.NewRestClientWithParams(twilio.ClientParams{Client: base})

	_, err := tc.Api.FetchMessage("SM1", &api.FetchMessageParams{})
	return err
}
