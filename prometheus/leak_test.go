package prometheus_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/cache"
	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/poll"
	"github.com/aplomb-go/aplomb/webhook"
)

// TestNoSecret plants secrets wherever a call can carry one, and looks for them in
// what a Prometheus reads.
func TestNoSecret(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		planted := map[string]string{}
		plant := func(where string) string {
			planted[where] = fmt.Sprintf("s3cr3t-%02d-", len(planted)) + strings.ReplaceAll(where, " ", "-")
			return planted[where]
		}
		said := map[string]string{} // by the server
		for _, where := range []string{"cookie", "request id", "link", "location", "error code", "error text", "response body"} {
			said[where] = plant(where)
		}
		token, headerKey := plant("token"), plant("header key")
		signing := "whsec_" + "test-s3cr3t-signing"
		planted["signing secret"] = signing
		srv := aplombtest.NewServer(t, aplombtest.NewScript(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Content-Type", "application/json")
			h.Set("Set-Cookie", "session="+said["cookie"])
			h.Set("X-Request-ID", said["request id"])
			h.Set("Deprecation", "@1767225600")
			h.Set("Link", "<https://api.test/"+said["link"]+`>; rel="deprecation"`)
			h.Set("X-Ratelimit-Limit", "100")
			h.Set("X-Ratelimit-Remaining", "80")
			switch r.URL.Path {
			case "/v1/moved":
				w.Header().Set("Location", "/v1/orders?code="+said["location"])
				w.WriteHeader(http.StatusFound)
			case "/v1/fails":
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, `{"error":{"code":"`+said["error code"]+`","message":"`+said["error text"]+`"}}`)
			default:
				_, _ = io.WriteString(w, `{"id":"`+said["response body"]+`","key":"`+headerKey+`"}`)
			}
		}), aplombtest.Status(503, "Retry-After", "1"), aplombtest.Reset()))
		r := newRig(t)
		kept, err := cache.New(cache.NewMemory(1<<20), cache.Settings{Answered: r.Cache()})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = kept.Close() }()
		c := r.client(srv.URL, aplomb.Transport(srv.Transport()),
			aplomb.APIKey("X-Api-Key", aplomb.Static(headerKey)),
			aplomb.APIKeyQuery("key", aplomb.Static(plant("query key"))),
			aplomb.Header("X-Tenant-Token", plant("header")),
			aplomb.PerCall(kept.Middleware),
			aplomb.Breaker{MinAttempts: 1, Ratio: 0.01})
		bearer := r.client(srv.URL, aplomb.Transport(srv.Transport()), &aplomb.Tokens{
			Fetch: func(context.Context, aplomb.Token) (aplomb.Token, error) {
				return aplomb.Token{Value: aplomb.NewSecret(token), Expiry: time.Now().Add(time.Hour)}, nil
			},
			Watch: r.Tokens("acme"),
		})
		ctx := context.Background()
		for _, path := range []string{"/v1/orders/{id}", "/v1/moved", "/v1/fails"} {
			opts := []aplomb.CallOption{aplomb.Query("password", plant("query of "+path)), aplomb.IdempotencyKey(plant("idempotency key of " + path)),
				aplomb.JSON(map[string]string{"card": plant("request body of " + path)})}
			if strings.Contains(path, "{id}") {
				opts = append(opts, aplomb.Path("id", plant("path value")))
			}
			for _, client := range []*aplomb.Client{c, bearer} {
				_, _ = aplomb.Post[order](ctx, client, path, opts...)
				time.Sleep(time.Minute)
			}
		}
		u := srv.URL + "/v1/tokens/" + plant("path of net/http's door") + "?sig=" + plant("query of net/http's door")
		u = strings.Replace(u, "://", "://user:"+url.QueryEscape(plant("userinfo"))+"@", 1)
		if resp, err := c.HTTPClient().Get(u); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		r.Tokens("acme")(aplomb.TokenEvent{Err: errors.New("refused: " + plant("token error"))})

		box, err := inbox.New(inbox.NewMemory(), nil, inbox.Settings{Hooks: r.Inbox()})
		if err != nil {
			t.Fatal(err)
		}
		hook := aplombtest.NewServer(t, &webhook.Handler{Source: "stripe", Scheme: webhook.Stripe(webhook.Static(signing)), Sink: box, Hooks: r.Webhook()})
		for _, key := range []string{signing, "a guess"} {
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, hook.URL, nil)
			body := `{"id":"` + plant("event id") + `","type":"` + plant("event type") + `"}`
			if err := webhook.Stripe(webhook.Static(key)).Sign(req, []byte(body), time.Now()); err != nil {
				t.Fatal(err)
			}
			planted["signature by "+key] = req.Header.Get("Stripe-Signature")[len("t=946684800,v1="):]
			if resp, err := hook.Client().Do(req); err == nil {
				_ = resp.Body.Close()
			}
		}
		r.Poll().Polled(ctx, poll.PollEvent{Feed: "GET /v1/orders", Start: time.Now(), Err: errors.New(plant("poll error"))})

		shown := r.exposition()
		if len(planted) < 12 {
			t.Errorf("%d secrets are planted, want 12 at least", len(planted))
		}
		for where, secret := range planted {
			for _, form := range []string{secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret))} {
				if strings.Contains(shown, form) {
					t.Errorf("the secret in the %s is in the metrics", where)
				}
			}
		}
		for _, name := range []string{"aplomb_calls_total", "aplomb_breaker_state", "aplomb_webhook_events_total", "aplomb_rate_limit_remaining", "aplomb_token_refresh_total", "aplomb_deprecated_calls_total", "aplomb_cache_total"} {
			if len(r.series(name)) == 0 {
				t.Errorf("there is no %s: what was to be looked through did not happen", name)
			}
		}
		if strings.Contains(shown, "s3cr3t") {
			t.Error("a part of a secret is in the metrics")
		}
	})
}
