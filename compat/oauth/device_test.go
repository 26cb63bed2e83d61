package oauth_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/oauth"
)

// The server says authorization_pending twice and slow_down in between; then
// the user has decided.
func TestLoginDevice(t *testing.T) {
	t.Parallel()
	for name, refused := range map[string]string{"approved": "", "denied": "access_denied"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			decide := r.ApproveDevice
			if refused != "" {
				decide = r.DenyDevice
			}
			code := ""
			r.meddle = func(n int, req *http.Request) *http.Request {
				switch n {
				case 2:
					return late(req)
				case 4:
					assert.True(t, decide(req.Context(), code) == nil)
				}
				return req
			}
			virtually(t, func(t *testing.T) {
				c, store := r.app(t), file(t)
				begin := time.Now()
				err := c.LoginDevice(t.Context(), store, func(p oauth.DevicePrompt) error {
					code = p.UserCode
					assert.Equal(t, p.VerificationURI, r.Issuer+"/device")
					assert.Equal(t, time.Until(p.Expiry), time.Minute)
					return nil
				})
				// Each second at first, as the server said, then each six.
				assert.Equal(t, time.Since(begin), (1+1+6+6)*time.Second)
				assert.Equal(t, r.requests(), 4)
				if refused != "" {
					refusal, ok := errors.AsType[*oauth.Error](err)
					assert.True(t, ok, err)
					assert.Equal(t, refusal.Code, refused)
					return
				}
				assert.NoError(t, err)
				r.wants(t, session(t, c, store), user)
			})
		})
	}
}

// late is a request that reaches the server's storage after the server's own
// deadline: what it calls slow_down.
func late(r *http.Request) *http.Request {
	ctx, cancel := context.WithDeadline(r.Context(), time.Unix(0, 0))
	cancel()
	return r.WithContext(ctx)
}

// A code that nobody enters ends, and no request is made past its end.
func TestLoginDeviceExpires(t *testing.T) {
	t.Parallel()
	r := start(t)
	virtually(t, func(t *testing.T) {
		c, store := r.app(t), file(t)
		err := c.LoginDevice(t.Context(), store, func(oauth.DevicePrompt) error { return nil })
		assert.Contains(t, err.Error(), "the code has expired")
		assert.Equal(t, r.requests(), 60)
	})
}
