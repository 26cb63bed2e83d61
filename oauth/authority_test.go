package oauth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/oauth"
)

// bubble runs f under virtual time, in parallel with other tests.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, f)
	})
}

// authority is a fake authorization server that issues rotating refresh tokens,
// and ends a login of which a used one is shown again. Real ones are in compat.
type authority struct {
	mu      sync.Mutex
	life    time.Duration
	forms   []url.Values
	headers []http.Header
	steps   []http.HandlerFunc // of the first requests, instead of a grant
	count   int
	refresh string // the one that is good now
	reused  int
	brief   bool // a token lives until its bearer has turned round: the answer says a second ago
}

func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forms, a.headers = append(a.forms, r.PostForm), append(a.headers, r.Header)
	if n := len(a.forms); n <= len(a.steps) && a.steps[n-1] != nil {
		a.steps[n-1](w, r)
		return
	}
	if shown := r.PostForm.Get("refresh_token"); shown != "" {
		if shown != a.refresh {
			a.reused++
			refuse(400, "invalid_grant", "the refresh token was used before")(w, r)
			return
		}
	}
	a.grant(w)
}

// grant issues the next pair of tokens.
func (a *authority) grant(w http.ResponseWriter) {
	a.count++
	a.refresh = fmt.Sprintf("refresh-%d", a.count)
	life := int(a.life / time.Second)
	if a.brief {
		life = -1
	}
	answer(w, map[string]any{
		"access_token": fmt.Sprintf("access-%d", a.count), "token_type": "Bearer", "expires_in": life, "refresh_token": a.refresh,
	})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(status int, code, description string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": description})
	}
}

// requests is how many there were.
func (a *authority) requests() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.forms)
}

// form is the i-th request's, and header its header.
func (a *authority) form(i int) url.Values {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.forms[i]
}

func (a *authority) header(i int) http.Header {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.headers[i]
}

// rig is an authorization server at https://auth.test on a network of its own.
func rig(t *testing.T) (*authority, *aplombtest.Network) {
	t.Helper()
	a := &authority{life: time.Hour}
	n := aplombtest.NewNetwork(t)
	n.Serve("https://auth.test", a)
	return a, n
}

const tokenURL = "https://auth.test/token"

// newClient makes the client that cfg describes, on the network.
func newClient(t *testing.T, n *aplombtest.Network, cfg oauth.Config) *oauth.Client {
	t.Helper()
	if cfg.TokenURL == "" {
		cfg.TokenURL = tokenURL
	}
	transport := n.Transport()
	t.Cleanup(transport.CloseIdleConnections)
	cfg.Transport = transport
	c, err := oauth.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func token(t *testing.T, tokens *aplomb.Tokens, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	got, err := tokens.Token(context.Background())
	if err != nil {
		return "error: " + err.Error()
	}
	return got.Value.Reveal()
}

// pause lets a bubble's time go by.
func pause(d time.Duration) { time.Sleep(d) }

func equal(t *testing.T, got, want any) {
	t.Helper()
	assert.Equal(t, got, want)
}
