package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/oauth"
)

// deviceCode answers the device endpoint.
func deviceCode(members map[string]any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		all := map[string]any{"device_code": "dc-pl4nted", "user_code": "WDJB-MJHT", "verification_uri": "https://auth.test/device", "expires_in": 1800}
		maps.Copy(all, members)
		answer(w, all)
	}
}

// The server's pace is kept, exactly.
func TestLoginDevice(t *testing.T) {
	t.Parallel()
	pending, slower := refuse(400, "authorization_pending", ""), refuse(400, "slow_down", "")
	for name, tt := range map[string]struct {
		steps []http.HandlerFunc
		took  time.Duration
		want  string
	}{
		"at the usual pace":      {[]http.HandlerFunc{deviceCode(nil), pending, pending}, 15 * time.Second, ""},
		"at the server's pace":   {[]http.HandlerFunc{deviceCode(map[string]any{"interval": 2}), pending}, 4 * time.Second, ""},
		"at a sane pace":         {[]http.HandlerFunc{deviceCode(map[string]any{"interval": 18446744074}), pending}, 2 * time.Minute, ""},
		"at a pace of text":      {[]http.HandlerFunc{deviceCode(map[string]any{"interval": "2", "expires_in": "1800"}), pending}, 4 * time.Second, ""},
		"at no pace":             {[]http.HandlerFunc{deviceCode(map[string]any{"interval": -1})}, 5 * time.Second, ""},
		"to a file":              {[]http.HandlerFunc{deviceCode(map[string]any{"verification_uri": "file:///etc/passwd"})}, 0, "no address of a web page"},
		"to a script":            {[]http.HandlerFunc{deviceCode(map[string]any{"verification_uri_complete": "javascript:alert(1)"})}, 0, "no address of a web page"},
		"to no host":             {[]http.HandlerFunc{deviceCode(map[string]any{"verification_uri": "https:///device"})}, 0, "no address of a web page"},
		"backwards":              {[]http.HandlerFunc{deviceCode(map[string]any{"verification_uri": "https://auth.test/\u202e"})}, 0, "no address of a web page"},
		"to the terminal":        {[]http.HandlerFunc{deviceCode(map[string]any{"user_code": "U\x1b]0;owned\x07"})}, 0, "cannot be printed"},
		"slower":                 {[]http.HandlerFunc{deviceCode(nil), slower, pending}, 25 * time.Second, ""},
		"while the server fails": {[]http.HandlerFunc{deviceCode(nil), refuse(500, "", ""), pending}, 25 * time.Second, ""},
		"refused":                {[]http.HandlerFunc{deviceCode(nil), refuse(400, "access_denied", "no")}, 5 * time.Second, `400 access_denied "no"`},
		"expired there":          {[]http.HandlerFunc{deviceCode(nil), refuse(400, "expired_token", "dc-pl4nted")}, 5 * time.Second, `expired_token "[redacted]"`},
		"expired here": {[]http.HandlerFunc{deviceCode(map[string]any{"expires_in": 12}), pending, pending, pending}, 10 * time.Second,
			"the code has expired"},
		"no code":     {[]http.HandlerFunc{deviceCode(map[string]any{"user_code": ""})}, 0, "no device_code, user_code or verification_uri"},
		"no service":  {[]http.HandlerFunc{refuse(401, "invalid_client", "who?")}, 0, `oauth: auth.test answered 401 invalid_client "who?"`},
		"no JSON":     {[]http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }}, 0, "is no JSON"},
		"redirected":  {[]http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusTemporaryRedirect) }}, 0, "redirects are not followed"},
		"never there": {[]http.HandlerFunc{deviceCode(nil), nil}, 5 * time.Second, ""},
	} {
		bubble(t, name, func(t *testing.T) {
			a, n := rig(t)
			a.steps = tt.steps
			c := newClient(t, n, oauth.Config{ClientID: "tv", DeviceURL: "https://auth.test/device", Scopes: []string{"a", "b"}})
			store := &memory{}
			start := time.Now()
			err := c.LoginDevice(t.Context(), store, func(p oauth.DevicePrompt) error {
				equal(t, [2]string{p.UserCode, p.VerificationURI}, [2]string{"WDJB-MJHT", "https://auth.test/device"})
				return nil
			})
			equal(t, time.Since(start), tt.took)
			equal(t, a.form(0).Encode(), "client_id=tv&scope=a+b")
			if tt.want != "" {
				assert.Contains(t, fmt.Sprint(err), tt.want)
				assert.NotContains(t, fmt.Sprint(err), "dc-pl4nted")
				equal(t, store.saves, 0)
				return
			}
			assert.NoError(t, err)
			equal(t, a.form(1).Get("device_code"), "dc-pl4nted")
			equal(t, a.form(1).Get("grant_type"), "urn:ietf:params:oauth:grant-type:device_code")
			tokens, err := c.Session(store)
			equal(t, token(t, tokens, err), "access-1")
		})
	}
}

func TestLoginDeviceStops(t *testing.T) {
	t.Parallel()
	bubble(t, "with its context", func(t *testing.T) {
		a, n := rig(t)
		a.steps = []http.HandlerFunc{deviceCode(nil)}
		c := newClient(t, n, oauth.Config{ClientID: "tv", DeviceURL: "https://auth.test/device"})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		err := c.LoginDevice(ctx, &memory{}, func(oauth.DevicePrompt) error { return nil })
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
	bubble(t, "where nobody can be shown the code", func(t *testing.T) {
		a, n := rig(t)
		a.steps = []http.HandlerFunc{deviceCode(nil)}
		c := newClient(t, n, oauth.Config{ClientID: "tv", DeviceURL: "https://auth.test/device"})
		no := errors.New("no screen")
		assert.ErrorIs(t, c.LoginDevice(t.Context(), &memory{}, func(oauth.DevicePrompt) error { return no }), no)
		equal(t, a.requests(), 1)
	})
	bubble(t, "before it begins, where nothing can be saved", func(t *testing.T) {
		a, n := rig(t)
		full := &memory{fail: errors.New("disk full")}
		c := newClient(t, n, oauth.Config{ClientID: "tv", DeviceURL: "https://auth.test/device"})
		assert.ErrorIs(t, c.LoginDevice(t.Context(), full, func(oauth.DevicePrompt) error { return nil }), full.fail)
		equal(t, a.requests(), 0)
	})
	bubble(t, "a confidential client proves itself there too", func(t *testing.T) {
		a, n := rig(t)
		a.steps = []http.HandlerFunc{deviceCode(nil)}
		n.Serve("https://devices.test", a)
		c := newClient(t, n, oauth.Config{ClientID: "tv", DeviceURL: "https://devices.test/device", Auth: oauth.SecretPost(aplomb.Static("s3cret"))})
		assert.NoError(t, c.LoginDevice(t.Context(), &memory{}, func(oauth.DevicePrompt) error { return nil }))
		equal(t, a.form(0).Get("client_secret"), "s3cret")
	})
}
