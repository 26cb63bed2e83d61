package aplomb_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/aplomb-go/aplomb"
)

// authority is an authorization server at http://auth.test: client credentials
// and rotating refresh tokens (RFC 6749, sections 4.4 and 6).
type authority struct {
	client *http.Client
	life   time.Duration // of a token
	delay  time.Duration // of an answer

	mu      sync.Mutex
	hits    int
	down    int                  // how many answers are still 503
	reused  int                  // refresh tokens shown again: theft, as far as it can tell
	valid   map[string]time.Time // until when
	refresh string               // the refresh token that is good now
}

func newAuthority(m *rig) *authority {
	a := &authority{client: m.network.Client(), life: time.Hour, valid: map[string]time.Time{}, refresh: "r0"}
	a.client.Timeout = 30 * time.Second // x/oauth2 sets none
	m.network.Serve("http://auth.test", a)
	m.Cleanup(a.client.CloseIdleConnections)
	return a
}

func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm() // only then does http.Server watch whether the client is still there
	a.mu.Lock()
	a.hits++
	down := a.down > 0
	a.down = max(a.down-1, 0)
	a.mu.Unlock()
	select {
	case <-time.After(a.delay):
	case <-r.Context().Done():
		return
	}
	if down {
		status(503)(w, r)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if shown := r.Form.Get("refresh_token"); shown != "" && shown != a.refresh {
		a.reused++
		status(400)(w, r)
		return
	}
	token := fmt.Sprintf("access-%d", a.hits)
	a.refresh = fmt.Sprintf("r%d", a.hits)
	a.valid[token] = time.Now().Add(a.life)
	body(map[string]any{
		"access_token": token, "token_type": "Bearer", "expires_in": int(a.life / time.Second), "refresh_token": a.refresh,
	})(w, r)
}

func (a *authority) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.hits
}

// fail has the next n answers be 503.
func (a *authority) fail(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.down = n
}

// revoke ends every token issued so far.
func (a *authority) revoke() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.valid)
}

// guard lets through who shows a token that is good by now.
func (a *authority) guard(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		a.mu.Lock()
		until := a.valid[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
		a.mu.Unlock()
		if !time.Now().Before(until) {
			status(401)(w, r)
			return
		}
		next(w, r)
	}
}

// source is x/oauth2's own, which keeps a token until ten seconds before its end.
func (a *authority) source() oauth2.TokenSource { return a.config().TokenSource(a.context()) }

func (a *authority) config() *clientcredentials.Config {
	return &clientcredentials.Config{ClientID: "id", ClientSecret: "s3cret", TokenURL: "http://auth.test/token", AuthStyle: oauth2.AuthStyleInHeader}
}

func (a *authority) context() context.Context {
	return context.WithValue(context.Background(), oauth2.HTTPClient, a.client)
}

// tokens are kept and fetched anew by the library.
func (a *authority) tokens() aplomb.Option {
	return &aplomb.Tokens{Fetch: func(context.Context, aplomb.Token) (aplomb.Token, error) {
		token, err := a.config().Token(a.context())
		if err != nil {
			return aplomb.Token{}, err
		}
		return aplomb.Token{Value: aplomb.NewSecret(token.AccessToken), Expiry: token.Expiry}, nil
	}}
}

// signer signs with a timestamp.
type signer struct{}

const (
	signingKey = "k3y-shared-with-the-server"
	tolerance  = 5 * time.Minute
)

func stamped(r *http.Request, stamp string) string {
	mac := hmac.New(sha256.New, []byte(signingKey))
	_, _ = mac.Write([]byte(r.Method + " " + r.URL.Path + " " + stamp))
	return hex.EncodeToString(mac.Sum(nil))
}

func (signer) Sign(r *http.Request, now time.Time) error {
	stamp := strconv.FormatInt(now.Unix(), 10)
	r.Header.Set("X-Timestamp", stamp)
	r.Header.Set("X-Signature", stamped(r, stamp))
	return nil
}

// verifying is a server whose clock is off by skew.
func verifying(skew time.Duration, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		theirs := time.Now().Add(skew)
		stamp := r.Header.Get("X-Timestamp")
		signed, _ := strconv.ParseInt(stamp, 10, 64)
		w.Header().Set("Date", theirs.UTC().Format(http.TimeFormat))
		if theirs.Sub(time.Unix(signed, 0)).Abs() > tolerance || r.Header.Get("X-Signature") != stamped(r, stamp) {
			status(401)(w, r)
			return
		}
		next(w, r)
	}
}
