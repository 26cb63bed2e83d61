package aplomb_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/monitor"
	"github.com/aplomb-go/aplomb/oauth"
	"github.com/aplomb-go/aplomb/signature"
)

// plants are secrets of every kind that a client meets, one a place.
var plants = map[string]string{
	"client secret": "pl4nt-client-secret", "access token": "pl4nt.access.token", "refresh token": "pl4nt-refresh-token",
	"id token": "pl4nt-id-token", "saved refresh token": "pl4nt-saved-refresh", "API key": "pl4nt-api-key-0123", "query key": "pl4nt-query-key",
	"userinfo": "pl4nt-userinfo-pass", "form field": "pl4nt-form-field", "JSON field": "pl4nt-json-field", "cookie": "pl4nt-cookie-value",
	"set-cookie": "pl4nt-set-cookie", "digest password": "pl4nt-digest-pass", "JWT key": "pl4nt-jwt-hmac-key", "previous key": "pl4nt-previous-key",
}

// printout is whatever was printed, by whom.
type printout struct {
	mu   sync.Mutex // a Fetch in the background is told of as well
	text strings.Builder

	seen map[string]bool // exported structs that were printed
}

func (j *printout) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *printout) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// print writes v in every way that fmt and the encoders know.
func (j *printout) print(values ...any) {
	for _, v := range values {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(j, format+"\n", v)
		}
		if raw, err := json.Marshal(v); err == nil {
			_, _ = j.Write(raw)
		}
		slog.New(slog.NewJSONHandler(j, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(j, nil)).Info("x", "v", v)
		t := reflect.TypeOf(v)
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		name, _, _ := strings.Cut(t.String(), "[")
		j.mu.Lock()
		j.seen[name] = true
		j.mu.Unlock()
	}
}

// hooks print every event.
func (j *printout) hooks() aplomb.Hooks {
	return aplomb.Hooks{
		CallStart: func(_ context.Context, e aplomb.CallEvent) { j.print(e) }, CallDone: func(_ context.Context, e aplomb.CallEvent) { j.print(e) },
		WantPhases:   func(context.Context, aplomb.AttemptEvent) bool { return true },
		AttemptStart: func(_ context.Context, e aplomb.AttemptEvent) { j.print(e, e.URL(), e.Traceparent()) },
		AttemptDone: func(_ context.Context, e aplomb.AttemptEvent) {
			j.print(e, e.Phases, e.URL(), e.Protocol(), e.RequestID(), e.Curl(), e.Traceparent())
		},
		BodyFailed: func(_ context.Context, e aplomb.AttemptEvent) { j.print(e) },
		WaitStart:  func(_ context.Context, e aplomb.WaitEvent) { j.print(e) }, WaitDone: func(_ context.Context, e aplomb.WaitEvent) { j.print(e) },
		Breaker: func(e aplomb.BreakerEvent) { j.print(e) }, Quota: func(_ context.Context, e aplomb.QuotaEvent) { j.print(e) },
		Store:      func(e aplomb.StoreEvent) { j.print(e) },
		Deprecated: func(_ context.Context, e aplomb.DeprecationEvent) { j.print(e) },
	}
}

// page prints what a monitor shows, in every form of it.
func (j *printout) page(m *monitor.Monitor) {
	j.print(m, m.Snapshot(), m.Health())
	for _, query := range []string{"", "?calls=trouble", "?format=json", "?format=text"} {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/"+query, http.NoBody)
		r.RemoteAddr = "127.0.0.1:1"
		w := httptest.NewRecorder()
		m.Page().ServeHTTP(w, r)
		fmt.Fprintf(j, "%d %s\n", w.Code, w.Body)
	}
}

// echo answers with all that the request carried, as the worst of servers do.
func echo(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Set-Cookie", "sid="+plants["set-cookie"])
		w.Header().Set("Deprecation", "@1600000000")
		w.Header().Set("Ratelimit", `"q";r=10;t=5`)
		w.Header().Set("WWW-Authenticate", `Digest realm="r", nonce="n", qop="auth"`)
		w.Header().Set("Location", "https://u:"+plants["query key"]+"@api.test/?key="+plants["query key"])
		w.WriteHeader(code)
		all := fmt.Sprintf("%s %v %s", r.URL, r.Header, raw)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"message": all, "code": r.URL.RawQuery}, "error_description": all, "secret": plants["JSON field"]})
	}
}

// Law 5: what is planted in headers, query, userinfo, form, JSON, cookies and
// token responses is in no log, error, hook or dump of any exported struct.
func TestLaw05_NothingPlantedIsPrinted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		j := &printout{seen: map[string]bool{}}
		logging := aplomb.Logging{Bodies: true, Logger: slog.New(slog.NewJSONHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))}
		n := aplombtest.NewNetwork(t)
		n.Serve("https://api.test", script(echo(401), echo(500), echo(429), echo(403), body("[]"), fault(aplombtest.TruncatedBody(3)), echo(400)))
		n.Serve("https://auth.test", script(body(map[string]any{
			"access_token": plants["access token"], "refresh_token": plants["refresh token"], "id_token": plants["id token"], "token_type": "Bearer", "expires_in": 60,
		}), echo(400)))
		seen, err := monitor.New(monitor.Settings{})
		assert.NoError(t, err)
		common := []aplomb.Option{aplomb.Transport(n.Transport()), logging, j.hooks(), seen.Option(), aplomb.Judge(func(a *aplomb.Attempt) aplomb.Verdict {
			j.print(a, a.Verdict)
			return aplomb.Verdict{}
		})}
		store := &fileless{}
		clients := plantedClients(t, j, common, n.Transport(), store)
		for _, c := range clients {
			j.print(c)
			fmt.Fprint(j, aplomb.Explain(c))
			assert.NoError(t, seen.Explain(c))
			for range 7 {
				pause(time.Minute)
				var resp aplomb.Response
				_, err := aplomb.Post[order](context.Background(), c, "/v1/{id}", aplomb.Path("id", "1"), aplomb.Capture(&resp),
					aplomb.JSON(map[string]any{"secret": plants["JSON field"], "id": 1}))
				j.print(err, resp)
				_, err = aplomb.Post[order](context.Background(), c, "/v1/x", aplomb.Form(url.Values{"password": {plants["form field"]}}), aplomb.NoRetry())
				j.print(err)
			}
			for page, err := range aplomb.Pages[order](context.Background(), c, "/v1/x", aplomb.ByLink{}) {
				j.print(page, fmt.Sprint(err))
				break
			}
		}
		j.print(settingsDump(t)...)
		j.page(seen)
		printed := j.String()
		assert.True(t, len(printed) > 100_000, len(printed))
		for place, secret := range plants {
			for _, form := range []string{secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret))[:16], hex.EncodeToString([]byte(secret))} {
				if at := strings.Index(printed, form); at >= 0 {
					t.Errorf("the %s was printed: %s", place, printed[max(0, at-300):min(len(printed), at+80)])
				}
			}
		}
		everyStruct(t, j.seen)
	})
}

// plantedClients attach every secret between them.
func plantedClients(t *testing.T, j *printout, common []aplomb.Option, transport http.RoundTripper, store oauth.TokenStore) (clients []*aplomb.Client) {
	t.Helper()
	secret := func(place string) aplomb.SecretSource { return aplomb.Static(plants[place]) }
	cfg := oauth.Config{TokenURL: "https://auth.test/token", ClientID: "web", Auth: oauth.SecretPost(secret("client secret")), Transport: transport, Options: common}
	authz, err := oauth.New(cfg)
	assert.NoError(t, err)
	assert.NoError(t, authz.Adopt(context.Background(), store, aplomb.NewSecret(plants["saved refresh token"])))
	session, err := authz.Session(store)
	assert.NoError(t, err)
	for _, tokens := range []*aplomb.Tokens{authz.ClientCredentials(), session} {
		tokens.Watch = func(e aplomb.TokenEvent) { j.print(e) }
		token, err := tokens.Token(context.Background())
		j.print(tokens, token, fmt.Sprint(err))
	}
	dpop, err := oauth.NewDPoP(nil)
	assert.NoError(t, err)
	exchange := oauth.Exchange{Subject: secret("access token"), Actor: secret("refresh token")}
	app := oauth.GitHubApp{AppID: "1", Key: secret("JWT key"), Installation: 1}
	j.print(cfg, authz, dpop, exchange, app, oauth.DevicePrompt{}, &oauth.Error{})
	jwt := aplomb.JWT{Key: secret("JWT key"), Algorithm: "HS256"}
	rotation := aplomb.APIKey("X-Api-Key", aplomb.Rotation(secret("API key"), secret("previous key")))
	j.print(jwt, rotation, aplomb.NewSecret(plants["API key"]), aplomb.Static(plants["API key"]))
	for base, opts := range map[string][]aplomb.Option{
		"https://api.test":                              {authz.ClientCredentials(), rotation, aplomb.APIKeyQuery("k", secret("query key")), aplomb.Header("Cookie", "c="+plants["cookie"])},
		"https://api.test/session":                      {session},
		"https://api.test/digest":                       {aplomb.Digest("admin", secret("digest password"))},
		"https://api.test/jwt":                          {jwt},
		"https://u:" + plants["userinfo"] + "@api.test": {},
	} {
		c, err := aplomb.New(base, append(opts, common...)...)
		assert.NoError(t, err)
		t.Cleanup(c.CloseIdleConnections)
		clients = append(clients, c)
	}
	return clients
}

// settingsDump are the exported structs that hold no secret by their nature:
// they are printed all the same.
func settingsDump(t *testing.T) []any {
	t.Helper()
	auth := aplomb.Bearer(aplomb.Static(plants["API key"]))
	prepared, err := signature.GitHub(aplomb.Reveal(aplomb.Static(plants["API key"]))).Prepare()
	assert.NoError(t, err)
	return []any{
		auth, &auth, aplomb.Breaker{}, aplomb.Bulkhead{}, aplomb.ByCursor{}, aplomb.ByLink{}, aplomb.ByOffset{}, aplomb.ByPage{}, aplomb.ByURL{},
		aplomb.Claim{}, aplomb.Fleet{Store: aplomb.NewMemoryStore()}, aplomb.Hedge{}, aplomb.Hooks{}, aplomb.Idempotency{}, aplomb.Logging{},
		signature.GitHub(aplomb.Reveal(aplomb.Static(plants["API key"]))), prepared, signature.MessageKey{}, signature.Verified{},
		signature.NewAWSCredentials("id", plants["API key"], plants["cookie"]),
		signature.AWS{Credentials: signature.StaticAWS("id", plants["API key"], plants["cookie"])},
		signature.MessageSignature{Keys: []signature.MessageKey{signature.SharedKey("k", signature.StaticKey(plants["API key"]))}},
		aplomb.NewMemoryStore(), aplomb.RateLimit{}, aplomb.Retry{}, aplomb.StoreEvent{}, aplomb.Timeouts{}, aplomb.BreakerEvent{},
		aplomb.Codec{}, aplomb.CSV{}, aplomb.CSVMaps{}, aplomb.ServerEvent{}, aplomb.JSONArray[int]{}, aplomb.JSONLines[int]{}, aplomb.ServerEvents{}, aplomb.JSONEvents[int]{}, brokenStream(t),
	}
}

// brokenStream is the error of a stream that repeats what it was sent, where an item
// is due.
func brokenStream(t *testing.T) error {
	t.Helper()
	srv := aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "{\"id\":%q}\n%s", plants["JSON field"], r.Header.Get("Authorization"))
	}))
	c := newClient(t, srv, aplomb.Bearer(aplomb.Static(plants["API key"])))
	_, err := aplomb.Collect(aplomb.Stream(t.Context(), c, http.MethodGet, "/", aplomb.JSONLines[order]{}))
	broken, ok := errors.AsType[*aplomb.StreamError](err)
	assert.True(t, ok, err)
	return broken
}

// everyStruct holds the test to the exported API: a new struct is printed too.
func everyStruct(t *testing.T, seen map[string]bool) {
	t.Helper()
	api, err := os.ReadFile("testdata/api.txt")
	assert.NoError(t, err)
	for _, m := range regexp.MustCompile(`(?m)^(aplomb|oauth|signature): type (\w+)\S* .*?struct`).FindAllStringSubmatch(string(bytes.ReplaceAll(api, []byte("[T any]"), nil)), -1) {
		assert.True(t, seen[m[1]+"."+m[2]], m[1]+"."+m[2]+" was never printed")
	}
}

// fileless is a TokenStore in memory.
type fileless struct{ saved []byte }

func (f *fileless) Update(_ context.Context, change func([]byte) ([]byte, error)) error {
	next, err := change(f.saved)
	if err == nil {
		f.saved = next
	}
	return err
}
