package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
)

// inBubble runs f under virtual time: backoff costs nothing, and a lease of an
// hour ends in no time.
func inBubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

// rig is a Vault, an API that knows one key at a time, and all that was logged.
type rig struct {
	t      *testing.T
	server *fakeVault
	faults *aplombtest.Script // in front of Vault
	shop   *fakeAPI
	net    *aplombtest.Network
	log    *buffer
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, server: newFakeVault(), shop: &fakeAPI{}, net: aplombtest.NewNetwork(t), log: &buffer{}}
	r.faults = aplombtest.NewScript(r.server)
	r.net.Serve("https://vault.test", r.faults)
	r.net.Serve("https://api.test", r.shop)
	r.rotate("fake-key-1")
	return r
}

// options have both clients log everything there is.
func (r *rig) options() aplomb.Option {
	lines := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return aplomb.Options(aplomb.Transport(r.net.Transport()), aplomb.Logging{Logger: lines, Bodies: true})
}

func (r *rig) vault(login Login) *Vault {
	r.t.Helper()
	v, err := NewVault("https://vault.test", login, r.options())
	if err != nil {
		r.t.Fatal(err)
	}
	return v
}

func (r *rig) appRole() *Vault {
	return r.vault(AppRole("shop-role", aplomb.Static("shop-secret-id")))
}

// api is a client of the API whose key comes from source.
func (r *rig) api(source aplomb.SecretSource) func() error {
	r.t.Helper()
	c, err := aplomb.New("https://api.test", aplomb.APIKey("X-Api-Key", source), r.options())
	if err != nil {
		r.t.Fatal(err)
	}
	return func() error {
		_, err := aplomb.Get[order](context.Background(), c, "/v1/orders/{id}", aplomb.Path("id", "o-7"))
		return err
	}
}

func (r *rig) rotate(key string) {
	r.server.put("acme/api", map[string]any{"key": key, "limit": 7})
	r.shop.know(key)
}

// want compares the numbers of log-ins, KV reads and leases.
func (r *rig) want(logins, reads, leases int) {
	r.t.Helper()
	if got, want := r.server.effects(), [3]int{logins, reads, leases}; got != want {
		r.t.Errorf("log-ins, reads and leases: %v, want %v", got, want)
	}
}

var secrets = []string{"fake-key", "hvs.fake", "shop-secret-id", "shop-service-account", "consul-token"}

func (r *rig) ok(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Error(err)
	}
	r.clean(err)
}

// clean looks for secrets in an error, however it is printed, and in the log.
func (r *rig) clean(err error) {
	r.t.Helper()
	text := fmt.Sprintf("%v\n%+v\n%#v\n%s", err, err, err, r.log)
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			r.t.Errorf("%s is in an error or the log:\n%s", secret, text)
		}
	}
}

// refused wants an error of this status that says all of these.
func (r *rig) refused(err error, status int, texts ...string) {
	r.t.Helper()
	got := 0
	if refusal, ok := errors.AsType[*aplomb.APIError](err); ok {
		got = refusal.StatusCode
	}
	if err == nil || got != status {
		r.t.Errorf("got %v, want a %d", err, status)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			r.t.Errorf("%q is not in %q", text, err)
		}
	}
	r.clean(err)
}

// buffer is a strings.Builder for many writers.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestTranscript(t *testing.T) {
	t.Parallel()
	log := &buffer{}
	lines := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var out strings.Builder
	if err := show(t.Context(), &out, aplomb.Logging{Logger: lines, Bodies: true}); err != nil {
		t.Fatal(err)
	}
	want := `one order: log-ins 1, reads 1
100 more at once: log-ins 1, reads 1
100 more, after the key was changed: log-ins 1, reads 2
100 more, with Vault sealed: log-ins 1, reads 2
orders served: 301 of 301
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", &out, want)
	}
	for _, secret := range secrets {
		if strings.Contains(log.String()+out.String(), secret) {
			t.Errorf("%s was printed", secret)
		}
	}
	if !strings.Contains(log.String(), "/v1/auth/approle/login") {
		t.Error("the log does not have the log-in")
	}
}

// Another Vault than the fake is read by its address.
func TestReadsWhatItIsGiven(t *testing.T) {
	server := newFakeVault()
	server.put("acme/api", map[string]any{"key": "fake-key-1"})
	host := httptest.NewServer(server)
	t.Cleanup(host.Close)
	t.Setenv("VAULT_TOKEN", "")
	var out strings.Builder
	err := read(t.Context(), &out, host.URL, "secret", "acme/api", "key")
	if err == nil || !strings.Contains(err.Error(), "VAULT_TOKEN") {
		t.Errorf("got %v, want to be told of VAULT_TOKEN", err)
	}
	t.Setenv("VAULT_ROLE_ID", "shop-role")
	t.Setenv("VAULT_SECRET_ID", "shop-secret-id")
	err = read(t.Context(), &out, host.URL, "secret", "acme/api", "key")
	if got := out.String(); err != nil || got != "secret/acme/api, field key: [redacted]\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

// The API changes its key: one 401, one read, and no call fails.
func TestKeyIsRotated(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		call := r.api(r.appRole().KV("secret", "acme/api", "key"))
		r.want(0, 0, 0) // New asks for nothing
		r.ok(atOnce(100, call))
		r.want(1, 1, 0)
		for i := range 3 {
			r.rotate(fmt.Sprintf("fake-key-%d", i+2))
			r.ok(atOnce(100, call))
			r.want(1, i+2, 0)
		}
		if r.shop.served != 400 {
			t.Errorf("%d orders, want 400", r.shop.served)
		}
	})
}

// A change in Vault alone is noticed within five minutes, without a 401.
func TestKeyIsReadAgainInTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		key := r.appRole().KV("secret", "acme/api", "key")
		read := func() string {
			secret, err := key.Secret(t.Context())
			r.ok(err)
			return secret.Reveal()
		}
		if got := read(); got != "fake-key-1" {
			t.Errorf("got %q", got)
		}
		r.server.put("acme/api", map[string]any{"key": "fake-key-2"})
		time.Sleep(5 * time.Minute)
		read() // the old one, but it is asked for in the background
		synctest.Wait()
		if got := read(); got != "fake-key-2" {
			t.Errorf("got %q after five minutes", got)
		}
	})
}

// Tokens end, are revoked, or belong to somebody else; the program goes on.
func TestTokenIsKept(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		v := r.appRole()
		read := func() error {
			_, err := v.KV("secret", "acme/api", "key").Secret(t.Context()) // a new source asks anew
			return err
		}
		r.ok(atOnce(100, read))
		r.want(1, 100, 0)
		time.Sleep(54 * time.Minute)
		r.ok(read())
		r.want(1, 101, 0)
		time.Sleep(2 * time.Minute) // less than five minutes are left: the next is fetched in the background
		r.ok(read())
		synctest.Wait()
		r.want(2, 102, 0)
		time.Sleep(3 * time.Hour) // all have ended
		r.ok(read())
		r.want(3, 103, 0)
		r.server.revoke()
		r.ok(atOnce(100, read)) // all are refused with 403, one logs in
		r.want(4, 203, 0)
	})
}

// A token may also have no end, as a root token's.
func TestTokenWithoutAnEnd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		r.server.tokenLife = 0
		v := r.appRole()
		for range 3 {
			_, err := v.KV("secret", "acme/api", "key").Secret(t.Context())
			r.ok(err)
			time.Sleep(1000 * time.Hour)
		}
		r.want(1, 3, 0)
	})
}

// Vault Agent keeps a token in a file, and replaces it.
func TestTokenOfAFile(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		path := filepath.Join(t.TempDir(), "token")
		write := func(token string) {
			if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			r.server.tokens = map[string]time.Time{token: time.Now().Add(time.Hour)}
		}
		write("hvs.fake-of-agent")
		v := r.vault(WithToken(aplomb.File(path)))
		for _, token := range []string{"", "hvs.fake-of-agent-2", "hvs.fake-of-agent-3"} {
			if token != "" {
				write(token)
			}
			_, err := v.KV("secret", "acme/api", "key").Secret(t.Context())
			r.ok(err)
		}
		r.want(0, 3, 0)
		r.server.revoke()
		_, err := v.KV("secret", "acme/api", "key").Secret(t.Context())
		r.refused(err, 403, "permission denied", "invalid token")
	})
}

func TestKubernetes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		path := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(path, []byte("shop-service-account"), 0o600); err != nil {
			t.Fatal(err)
		}
		r.ok(r.api(r.vault(Kubernetes("shop", aplomb.File(path))).KV("secret", "acme/api", "key"))())
		r.want(1, 1, 0)
	})
}

// A dynamic secret is made anew before its lease ends, and when it is refused.
func TestLease(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		lease := r.appRole().Lease("consul/creds/shop", "token")
		call := r.api(lease)
		r.shop.know("consul-token-1")
		r.ok(atOnce(20, call))
		r.want(1, 0, 1)
		if token, err := lease.Token(t.Context()); err != nil || time.Until(token.Expiry) != 10*time.Minute {
			t.Errorf("lent until %v, %v; want 10 minutes", token.Expiry, err)
		}
		time.Sleep(8 * time.Minute) // a quarter of its life is left
		r.ok(call())                // with the old one, which lives
		synctest.Wait()
		r.want(1, 0, 2)
		r.shop.know("consul-token-3") // somebody has revoked the second
		r.ok(atOnce(20, call))
		r.want(1, 0, 3)
		time.Sleep(time.Hour) // the lease and Vault's token have ended
		r.shop.know("consul-token-4")
		r.ok(atOnce(20, call))
		r.want(2, 0, 4)
	})
}

// What Vault refuses reaches the caller in its words.
func TestRefusals(t *testing.T) {
	t.Parallel()
	read := func(mount, path, field string) func(*rig) error {
		return func(r *rig) error { return r.api(r.appRole().KV(mount, path, field))() }
	}
	for name, c := range map[string]struct {
		call   func(*rig) error
		status int
		texts  []string
		logins int
	}{
		"no such secret": {read("secret", "acme/none", "key"), 404, []string{"/v1/secret/data/acme/none"}, 1},
		"deleted":        {func(r *rig) error { r.server.put("acme/api", nil); return read("secret", "acme/api", "key")(r) }, 404, nil, 1},
		"no such engine": {read("other", "acme/api", "key"), 404, []string{"no handler for route"}, 1},
		"no such field":  {read("secret", "acme/api", "none"), 0, []string{`no field "none"`}, 1},
		"not a string":   {read("secret", "acme/api", "limit"), 0, []string{"limit is not a string"}, 1},
		"not allowed":    {read("secret", "private/api", "key"), 403, []string{"permission denied"}, 2},
		"no such lease":  {func(r *rig) error { return r.api(r.appRole().Lease("consul/creds/shop", "none"))() }, 0, []string{`no field "none"`}, 1},
		"wrong secret id": {func(r *rig) error {
			return r.api(r.vault(AppRole("shop-role", aplomb.Static("shop-secret-id-2"))).KV("secret", "acme/api", "key"))()
		}, 400, []string{"invalid role or secret ID"}, 0},
		"wrong account": {func(r *rig) error {
			return r.api(r.vault(Kubernetes("shop", aplomb.Static("shop-service-account-2"))).KV("secret", "acme/api", "key"))()
		}, 403, []string{"permission denied"}, 0},
		"wrong role": {func(r *rig) error {
			return r.api(r.vault(Kubernetes("none", aplomb.Static("shop-service-account"))).KV("secret", "acme/api", "key"))()
		}, 400, []string{`invalid role name 'none'`}, 0},
		"wrong token": {func(r *rig) error {
			return r.api(r.vault(WithToken(aplomb.Static("hvs.fake-x"))).KV("secret", "acme/api", "key"))()
		}, 403, []string{"permission denied", "invalid token"}, 0},
		"no secret id file": {func(r *rig) error {
			return r.api(r.vault(AppRole("shop-role", aplomb.SecretFunc(func(context.Context) (string, error) { return "", errors.New("no such thing") }))).KV("secret", "acme/api", "key"))()
		}, 0, []string{"no such thing"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				r := newRig(t)
				r.refused(c.call(r), c.status, c.texts...)
				if logins := r.server.effects()[0]; logins != c.logins {
					t.Errorf("%d log-ins, want %d", logins, c.logins)
				}
				if r.shop.served != 0 {
					t.Error("the API was called without a key")
				}
			})
		})
	}
}

// Sealed, Vault is asked again until it is not; a key that is known goes on
// serving meanwhile.
func TestSealed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		v := r.appRole()
		call := r.api(v.KV("secret", "acme/api", "key"))
		r.server.seal(true)
		began := time.Now()
		r.refused(call(), 503, "Vault is sealed")
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("the refusal took %v", took)
		}
		go func() { time.Sleep(2 * time.Second); r.server.seal(false) }()
		r.ok(call())
		r.server.seal(true)
		for range 20 {
			time.Sleep(10 * time.Minute)
			r.ok(atOnce(5, call))
		}
		time.Sleep(time.Minute) // the last try in the background has ended
		r.server.seal(false)
		r.rotate("fake-key-2")
		time.Sleep(10 * time.Minute) // the next try is due, and the token has ended
		r.ok(atOnce(5, call))
	})
}

// After an outage nobody needs to help: the breaker's probe gets through although
// Vault's token has ended meanwhile.
func TestOutage(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		call := r.api(r.appRole().KV("secret", "acme/api", "key"))
		r.net.Break("vault.test", aplombtest.DialRefused)
		for range 200 {
			if call() == nil {
				t.Fatal("served without a key")
			}
			time.Sleep(time.Second)
		}
		r.net.Heal("vault.test")
		time.Sleep(time.Minute)
		r.ok(call())
	})
}

// What may pass is tried again.
func TestFaults(t *testing.T) {
	t.Parallel()
	throttled := aplombtest.Answer(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusTooManyRequests, fmt.Sprintf("request path %q: rate limit quota exceeded", strings.TrimPrefix(r.URL.Path, "/v1/")))
	})
	for name, faults := range map[string][]aplombtest.Fault{
		"a read is throttled":     {aplombtest.Pass(), throttled},
		"a log-in is throttled":   {throttled, throttled},
		"a read is lost":          {aplombtest.Pass(), aplombtest.LostResponse(), aplombtest.TruncatedBody(40)},
		"a log-in is lost":        {aplombtest.LostResponse()},
		"a standby has no leader": {aplombtest.Pass(), aplombtest.Status(500), aplombtest.Status(502), aplombtest.Status(503)},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				r := newRig(t)
				r.faults.Then(faults...)
				call := r.api(r.appRole().KV("secret", "acme/api", "key"))
				r.ok(atOnce(5, call))
				if r.faults.Left() != 0 || r.faults.Requests() > len(faults)+2 {
					t.Errorf("%d requests, %d faults left", r.faults.Requests(), r.faults.Left())
				}
			})
		})
	}
}

// A path is a path, whatever is in it.
func TestEscape(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		v := r.appRole()
		for _, path := range []string{"a/b c", "/a/{b}/", "a/b?version=1", "a/b%2Fc", "a/ü"} {
			r.server.put(strings.Trim(path, "/"), map[string]any{"key": "fake-key-of " + path})
			secret, err := v.KV("/secret/", path, "key").Secret(t.Context())
			r.ok(err)
			if got := secret.Reveal(); got != "fake-key-of "+path && got != "fake-key-of "+strings.Trim(path, "/") {
				t.Errorf("%q: got %q", path, got)
			}
		}
		for _, header := range r.server.seen {
			if header.Get("X-Vault-Request") != "true" {
				t.Error("no X-Vault-Request, which Vault Agent may ask for")
			}
		}
	})
}

func TestNewVaultNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		address string
		login   Login
	}{
		"no address": {"", WithToken(aplomb.Static("x"))},
		"no login":   {"https://vault.test", Login{}},
		"no token":   {"https://vault.test", WithToken(aplomb.Env("NO_SUCH_VAULT_TOKEN"))},
	} {
		if _, err := NewVault(c.address, c.login); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
