package aplomb_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
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

// renewing is an Auth that can force a refresh, which x/oauth2's sources
// cannot: it drops a token that was refused. The turn is a channel, since who
// waits for a mutex stops a bubble's time.
type renewing struct {
	authority *authority
	turn      chan struct{}
	token     string
}

func (a *authority) renewing() aplomb.Auth {
	r := &renewing{authority: a, turn: make(chan struct{}, 1)}
	return aplomb.Auth{Attach: r.attach, Rejected: r.rejected}
}

func (r *renewing) attach(req *http.Request) error {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	if r.token == "" {
		token, err := r.authority.config().Token(r.authority.context())
		if err != nil {
			return err
		}
		r.token = token.AccessToken
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	return nil
}

func (r *renewing) rejected(resp *http.Response) bool {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	if resp.Request.Header.Get("Authorization") == "Bearer "+r.token {
		r.token = "" // else somebody has renewed it meanwhile
	}
	return true
}

// signer signs with a timestamp, and learns the server's clock from the Date of
// a refusal.
type signer struct {
	mu   sync.Mutex
	skew time.Duration
}

const (
	signingKey = "k3y-shared-with-the-server"
	tolerance  = 5 * time.Minute
)

func signature(r *http.Request, stamp string) string {
	mac := hmac.New(sha256.New, []byte(signingKey))
	_, _ = mac.Write([]byte(r.Method + " " + r.URL.Path + " " + stamp))
	return hex.EncodeToString(mac.Sum(nil))
}

func (s *signer) attach(r *http.Request) error {
	s.mu.Lock()
	stamp := strconv.FormatInt(time.Now().Add(s.skew).Unix(), 10)
	s.mu.Unlock()
	r.Header.Set("X-Timestamp", stamp)
	r.Header.Set("X-Signature", signature(r, stamp))
	return nil
}

func (s *signer) rejected(resp *http.Response) bool {
	theirs, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	skew := time.Until(theirs)
	changed := (skew - s.skew).Abs() > time.Minute // another clock would not have helped
	s.skew = skew
	return changed
}

// verifying is a server whose clock is off by skew.
func verifying(skew time.Duration, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		theirs := time.Now().Add(skew)
		stamp := r.Header.Get("X-Timestamp")
		signed, _ := strconv.ParseInt(stamp, 10, 64)
		w.Header().Set("Date", theirs.UTC().Format(http.TimeFormat))
		if theirs.Sub(time.Unix(signed, 0)).Abs() > tolerance || r.Header.Get("X-Signature") != signature(r, stamp) {
			status(401)(w, r)
			return
		}
		next(w, r)
	}
}

// vault is how two processes share a refresh token that rotates: a lock, and a
// file that is written before the new tokens are used. Who loses the race reads
// again what the winner has written.
type vault struct {
	authority *authority
	path      string
	lock      chan struct{} // between processes this is a lock on the file
}

type kept struct {
	Access, Refresh string
	Until           time.Time
}

func newVault(m *rig, a *authority) (*vault, error) {
	v := &vault{authority: a, path: filepath.Join(m.TempDir(), "tokens.json"), lock: make(chan struct{}, 1)}
	return v, v.write(kept{Refresh: "r0"})
}

// process is a SecretSource of one process: it keeps nothing in memory.
func (v *vault) process(context.Context) (string, error) {
	if k, err := v.read(); err != nil || time.Now().Before(k.Until) {
		return k.Access, err
	}
	v.lock <- struct{}{}
	defer func() { <-v.lock }()
	k, err := v.read() // somebody may have been faster
	if err != nil || time.Now().Before(k.Until) {
		return k.Access, err
	}
	config := oauth2.Config{Endpoint: oauth2.Endpoint{TokenURL: "http://auth.test/token", AuthStyle: oauth2.AuthStyleInHeader}}
	token, err := config.TokenSource(v.authority.context(), &oauth2.Token{RefreshToken: k.Refresh}).Token()
	if err != nil {
		return "", errors.New("refresh: " + err.Error())
	}
	k = kept{token.AccessToken, token.RefreshToken, token.Expiry}
	return k.Access, v.write(k)
}

func (v *vault) read() (k kept, err error) {
	raw, err := os.ReadFile(v.path)
	if err != nil {
		return k, err
	}
	return k, json.Unmarshal(raw, &k)
}

// write replaces the file at once, so that no reader finds half of it.
func (v *vault) write(k kept) error {
	raw, err := json.Marshal(k)
	if err != nil {
		return err
	}
	if err := os.WriteFile(v.path+".new", raw, 0o600); err != nil {
		return err
	}
	return os.Rename(v.path+".new", v.path)
}
