package redirect_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/aplomb-go/aplomb"
)

// A scheme is a way to give aplomb a credential. A new one is a line in
// schemes: a name and the options.
type scheme struct {
	userinfo string // of the base URL, with the @
	client   func(r *rig) []aplomb.Option
	call     []aplomb.CallOption
	name     [2]string // a header of the caller's own, and its value
	query    string    // a parameter of the caller's own, whose value is the secret
	method   string    // of a request whose body holds the secret
	digested bool      // the API asks for Digest credentials
	proof    string    // a header that the API has to see as well
}

// with are options that do not depend on the rig.
func with(opts ...aplomb.Option) func(*rig) []aplomb.Option {
	return func(*rig) []aplomb.Option { return opts }
}

// schemes are aplomb's lines of the table. Each call is made through all three
// doors.
func schemes() []setup {
	static := aplomb.Static(secret)
	return []setup{
		ours("APIKey", scheme{client: with(aplomb.APIKey("X-Api-Key", static))}),
		ours("APIKeyQuery", scheme{client: with(aplomb.APIKeyQuery("api_key", static))}),
		ours("Bearer", scheme{client: with(aplomb.Bearer(static))}),
		ours("Basic", scheme{client: with(aplomb.Basic("user", static))}),
		ours("OAuth2, static", scheme{client: with(aplomb.OAuth2(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: secret})))}),
		ours("OAuth2, clientcredentials", scheme{client: func(r *rig) []aplomb.Option {
			return []aplomb.Option{aplomb.OAuth2(tokenSource(context.Background(), r))}
		}}),
		ours("JWT", scheme{client: with(aplomb.JWT{Signer: ed25519Key(), Issuer: "service"})}),
		ours("Tokens", scheme{client: func(*rig) []aplomb.Option { return []aplomb.Option{tokens()} }}),
		ours("APIKey of Tokens", scheme{client: func(*rig) []aplomb.Option { return []aplomb.Option{aplomb.APIKey("X-Auth-Token", tokens())} }}),
		ours("Rotation", scheme{client: with(aplomb.Bearer(aplomb.Rotation(static, aplomb.Static("another"))))}),
		ours("Digest", scheme{client: with(aplomb.Digest("user", static)), digested: true}),
		signed("a Signer of the test's own", hmacSigner{}),
		ours("oauth, ClientCredentials", scheme{client: granted(nil, itself)}),
		ours("oauth, ClientCredentials, DPoP", scheme{client: granted(dpop(), itself), proof: "DPoP"}),
		ours("oauth, Session", scheme{client: granted(nil, loggedIn)}),
		ours("oauth, Session, DPoP", scheme{client: granted(dpop(), loggedIn), proof: "DPoP"}),
		ours("userinfo of the base URL", scheme{userinfo: "user:" + url.QueryEscape(secret) + "@"}),
		ours("AuthFunc", scheme{client: with(aplomb.AuthFunc(func(r *http.Request) error { r.Header.Set("X-Sig", secret); return nil }))}),
		ours("Auth of the call", scheme{call: []aplomb.CallOption{aplomb.Bearer(static)}}),
		ours("Header of the client", scheme{client: with(aplomb.Header("X-Private", secret))}),
		ours("Header Cookie of the client", scheme{client: with(aplomb.Header("Cookie", "session="+secret))}),
		ours("Query of the client", scheme{client: with(aplomb.Query("key", secret))}),
		ours("caller's own Authorization", scheme{name: [2]string{"Authorization", "Bearer " + secret}}),
		ours("caller's own X-Api-Key", scheme{name: [2]string{"X-Api-Key", secret}}),
		ours("caller's own Cookie", scheme{name: [2]string{"Cookie", "session=" + secret}}),
		ours("caller's own query", scheme{query: "api_key"}),
		ours("IdempotencyKey", scheme{call: []aplomb.CallOption{aplomb.IdempotencyKey(secret)}}),
		ours("body of a POST", scheme{method: http.MethodPost}),
		ours("body of a GET", scheme{method: http.MethodGet}),
	}
}

func ours(name string, s scheme) setup {
	return setup{name: "aplomb: " + name, send: func(ctx context.Context, r *rig) {
		r.digested = s.digested
		for door, through := range doors {
			before := r.api.count()
			c := newClient(r, s)
			through(aplomb.NewContext(ctx, s.call...), r, c, s)
			if !r.api.anySince(before, credential) {
				r.tb.Errorf("%s: the API itself never saw the credential", door)
			}
			if s.proof != "" && !r.api.anySince(before, func(seen sighting) bool { return seen.header.Get(s.proof) != "" }) {
				r.tb.Errorf("%s: the API itself never saw %s", door, s.proof)
			}
			if strings.HasPrefix(r.url, "https:") && r.foreign.count() > 0 {
				r.tb.Errorf("%s followed from https to http", door)
			}
		}
	}}
}

func newClient(r *rig, s scheme) *aplomb.Client {
	opts := []aplomb.Option{aplomb.Transport(r.transport())}
	if s.client != nil {
		opts = append(opts, s.client(r)...)
	}
	c, err := aplomb.New(strings.Replace(r.url, "://", "://"+s.userinfo, 1), opts...)
	if err != nil {
		r.tb.Fatal(err)
	}
	r.tb.Cleanup(c.CloseIdleConnections)
	return c
}

// doors are the ways to make a call: typed, and with a request of the caller's.
var doors = map[string]func(ctx context.Context, r *rig, c *aplomb.Client, s scheme){
	"typed":      typed,
	"Do":         func(ctx context.Context, r *rig, c *aplomb.Client, s scheme) { do(ctx, r, c.Do, s) },
	"HTTPClient": func(ctx context.Context, r *rig, c *aplomb.Client, s scheme) { do(ctx, r, c.HTTPClient().Do, s) },
}

func typed(ctx context.Context, _ *rig, c *aplomb.Client, s scheme) {
	var opts []aplomb.CallOption
	if s.name[0] != "" {
		opts = append(opts, aplomb.Header(s.name[0], s.name[1]))
	}
	if s.query != "" {
		opts = append(opts, aplomb.Query(s.query, secret))
	}
	method := http.MethodGet
	if s.method != "" {
		method = s.method
		opts = append(opts, aplomb.JSON(map[string]string{"password": secret}))
	}
	_, _ = aplomb.Call[json.RawMessage](ctx, c, method, "/v1/thing", opts...)
}

func do(ctx context.Context, r *rig, send func(*http.Request) (*http.Response, error), s scheme) {
	req := r.get(ctx, s.name[0], s.name[1])
	if s.method != "" {
		req = r.withBody(ctx, s.method)
	}
	if s.query != "" {
		req.URL.RawQuery = url.Values{s.query: {secret}}.Encode()
	}
	discard(send(req))
}

// tokenSource gets the secret as an access token from the API's own endpoint.
func tokenSource(ctx context.Context, r *rig) oauth2.TokenSource {
	config := clientcredentials.Config{ClientID: "id", ClientSecret: "another", TokenURL: r.grants("Bearer")}
	return config.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, r.client()))
}

func discard(resp *http.Response, err error) {
	if err == nil {
		_ = resp.Body.Close()
	}
}

// TestForeignNextLink: a list whose next page is elsewhere ends in an error,
// and nothing arrives there.
func TestForeignNextLink(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]aplomb.Pager{"ByLink": aplomb.ByLink{}, "ByURL": aplomb.ByURL{}} {
		for _, h := range hops {
			t.Run(name+"/"+h.where, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, h, false)
				r.page = true
				c := newClient(r, scheme{client: with(aplomb.Bearer(aplomb.Static(secret)))})
				var got, failed int
				for _, err := range aplomb.Items[json.RawMessage](t.Context(), c, "/v1/things", by) {
					if got++; err != nil {
						failed++
					}
				}
				if got != 2 || failed != 1 {
					t.Errorf("%d items, of which %d errors: want one item and one error", got, failed)
				}
				if n := r.foreign.count(); n != 0 {
					t.Errorf("the foreign server received %d requests", n)
				}
			})
		}
	}
}

// TestForeignLocation: the state of a long-running operation, which an API says
// is to be asked for elsewhere, is asked for without the credential.
func TestForeignLocation(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"Location", "Operation-Location"} {
		for _, where := range []string{"host", "port", "plain"} {
			t.Run(header+"/"+where, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, hop{where: where}, false)
				r.location = header
				c := newClient(r, scheme{client: with(
					tokens(), aplomb.Sign(hmacSigner{}), aplomb.Header("X-Private", secret), aplomb.Query("key", secret),
				)})
				var accepted aplomb.Response
				_, err := aplomb.Post[json.RawMessage](t.Context(), c, "/v1/things", aplomb.JSON(map[string]string{"password": secret}), aplomb.Capture(&accepted))
				if err != nil || !r.api.any(credential) {
					t.Fatalf("the API itself: %v", err)
				}
				_, _ = aplomb.Get[json.RawMessage](t.Context(), c, "/v1/operations", aplomb.URL(accepted.Header.Get(header)))
				if where != "plain" && r.foreign.count() == 0 {
					t.Error("the foreign server was not asked at all")
				}
				if r.foreign.any(credential) {
					t.Error("the foreign server received the credential")
				}
			})
		}
	}
}
