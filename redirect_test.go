package aplomb_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/signature"
)

const planted = "pl4nted-cr3dential"

// attachments are all the ways to give a credential to a client or a call. They
// are made anew for each bubble: one that fetches has channels of its own.
func attachments() map[string]attachment {
	return map[string]attachment{
		"Bearer":      {client: []aplomb.Option{aplomb.Bearer(aplomb.Static(planted))}},
		"Basic":       {client: []aplomb.Option{aplomb.Basic("u", aplomb.Static(planted))}},
		"APIKey":      {client: []aplomb.Option{aplomb.APIKey("X-Api-Key", aplomb.Static(planted))}},
		"APIKeyQuery": {client: []aplomb.Option{aplomb.APIKeyQuery("api_key", aplomb.Static(planted))}},
		"OAuth2":      {client: []aplomb.Option{aplomb.OAuth2(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: planted}))}},
		"Tokens": {client: []aplomb.Option{&aplomb.Tokens{
			Fetch: func(context.Context, aplomb.Token) (aplomb.Token, error) {
				return aplomb.Token{Value: aplomb.NewSecret(planted)}, nil
			},
			Proof: func(r *http.Request, _ aplomb.Token) error { r.Header.Set("X-Proof", planted); return nil },
		}}},
		"Rotation": {client: []aplomb.Option{aplomb.APIKey("X-Api-Key", aplomb.Rotation(aplomb.Static(planted), aplomb.Static("previous-"+planted)))}},
		"JWT":      {client: []aplomb.Option{aplomb.JWT{Key: aplomb.Static(planted), Algorithm: "HS256", Subject: planted}}},
		"Digest":   {client: []aplomb.Option{aplomb.Digest(planted, aplomb.Static(planted))}},
		"Sign": {client: []aplomb.Option{aplomb.Sign(signerFunc(func(r *http.Request, _ time.Time) error {
			r.Header.Set("X-Signature", planted)
			return nil
		}))}},
		"HMAC":              {client: []aplomb.Option{aplomb.Sign(signature.SignedRequest(signature.StaticKey(planted)))}},
		"AWS":               {client: []aplomb.Option{aplomb.Sign(signature.AWS{Region: "eu-central-1", Service: "s3", Credentials: signature.StaticAWS(planted, planted, planted)})}},
		"message signature": {client: []aplomb.Option{aplomb.Sign(signature.MessageSignature{Keys: []signature.MessageKey{signature.SharedKey(planted, signature.StaticKey(planted))}})}},
		"AuthFunc":          {client: []aplomb.Option{aplomb.AuthFunc(func(r *http.Request) error { r.Header.Set("X-Sig", planted); return nil })}},
		"userinfo":          {userinfo: "u:" + planted + "@"},
		"client Header":     {client: []aplomb.Option{aplomb.Header("X-Private", planted)}},
		"client Cookie":     {client: []aplomb.Option{aplomb.Header("Cookie", "s="+planted)}},
		"client Query":      {client: []aplomb.Option{aplomb.Query("key", planted)}},
		"call Header":       {call: []aplomb.CallOption{aplomb.Header("Authorization", "Bearer "+planted)}},
		"call X-Header":     {call: []aplomb.CallOption{aplomb.Header("Private-Token", planted)}},
		"call Query":        {call: []aplomb.CallOption{aplomb.Query("key", planted)}},
		"call Auth":         {call: []aplomb.CallOption{aplomb.Bearer(aplomb.Static(planted))}},
		"own header":        {header: [2]string{"X-Api-Key", planted}},
		"own auth":          {header: [2]string{"Authorization", "Bearer " + planted}},
		"own query":         {query: "?api_key=" + planted},
		"IdempotencyKey":    {call: []aplomb.CallOption{aplomb.IdempotencyKey(planted)}},
	}
}

type attachment struct {
	userinfo string
	client   []aplomb.Option
	call     []aplomb.CallOption
	query    string // on the address of Do
	header   [2]string
}

var elsewhere = map[string]struct{ from, to string }{
	"other host":    {"https://api.test", "https://evil.test"},
	"other port":    {"https://api.test", "https://api.test:8443"},
	"https to http": {"https://api.test", "http://api.test"},
	"subdomain":     {"https://api.test", "https://sub.api.test"},
	"http port":     {"http://api.test", "http://api.test:8080"},
}

// Law 4: a credential goes only to its allowed origins, at every hop.
func TestLaw04_NoCredentialLeavesItsOrigin(t *testing.T) {
	for target, where := range elsewhere {
		for _, code := range []int{301, 302, 303, 307, 308} {
			for name := range attachments() {
				t.Run(fmt.Sprintf("%s/%d/%s", target, code, name), func(t *testing.T) {
					bubble(t, func(t *testing.T) {
						how := attachments()[name]
						foreign := script(ok)
						n := aplombtest.NewNetwork(t)
						n.Serve(where.from, script(status(code, "Location", where.to+"/landing")))
						n.Serve(where.to, foreign)
						base := strings.Replace(where.from, "://", "://"+how.userinfo, 1)
						c := newClientAt(t, base, append([]aplomb.Option{aplomb.Transport(n.Transport())}, how.client...)...)
						ctx := aplomb.NewContext(context.Background(), how.call...)
						for _, send := range []func() error{
							func() error { _, err := aplomb.Get[order](ctx, c, "/x"); return err },
							func() error {
								_, err := aplomb.Post[order](aplomb.NewContext(context.Background(), how.call...), c, "/x", aplomb.JSON(map[string]string{"secret": planted}))
								return err
							},
							func() error { return doThrough(ctx, c.Do, where.from+"/x"+how.query, how.header) },
							func() error { return doThrough(ctx, c.HTTPClient().Do, where.from+"/x"+how.query, how.header) },
						} {
							_ = send() // refused or followed, either is well
						}
						for i := range foreign.count() {
							r := foreign.request(i)
							for name := range r.Header { // what was derived from a credential stands in one
								assert.True(t, slices.Contains([]string{"Accept", "Accept-Encoding", "User-Agent"}, name), name)
							}
							seen := fmt.Sprint(r.Header, r.URL)
							if user, password, ok := r.BasicAuth(); ok {
								seen += user + password
							}
							assert.NotContains(t, seen, planted)
							assert.Equal(t, r.ContentLength, 0, "a body crossed")
						}
					})
				})
			}
		}
	}
}

func doThrough(ctx context.Context, do func(*http.Request) (*http.Response, error), url string, header [2]string) error {
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return err
	}
	if header[0] != "" {
		req.Header.Set(header[0], header[1])
	}
	resp, err := do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// The rule must not break what it protects: at home, credentials follow.
func TestLaw04_CredentialFollowsAtHome(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(307, "Location", "/elsewhere"), ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Bearer(aplomb.Static(planted)), aplomb.Header("X-Version", "1"))
		_, err := post(t, c)
		assert.NoError(t, err)
		r := h.request(1)
		assert.Equal(t, r.Header.Get("Authorization"), "Bearer "+planted)
		assert.Equal(t, r.Header.Get("X-Version"), "1")
		assert.True(t, r.ContentLength > 0, "the body follows at home")
		assert.Equal(t, r.Header.Get("Referer"), "")
	})
}

func TestLaw04_AllowedOrigin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		files := script(ok)
		n := aplombtest.NewNetwork(t)
		n.Serve("https://api.test", script(status(307, "Location", "https://files.test/up")))
		n.Serve("https://files.test", files)
		auth := aplomb.Bearer(aplomb.Static(planted))
		auth.Origins = []string{"https://files.test"}
		c := newClientAt(t, "https://api.test", aplomb.Transport(n.Transport()), auth)
		_, err := post(t, c)
		assert.NoError(t, err)
		assert.Equal(t, files.request(0).Header.Get("Authorization"), "Bearer "+planted)
		assert.True(t, files.request(0).ContentLength > 0)
	})
}

// Neither does an allowed origin take it from https to http.
func TestLaw04_OriginsStaySecure(t *testing.T) {
	t.Parallel()
	auth := aplomb.Bearer(aplomb.Static(planted))
	for origin, want := range map[string]bool{"http://files.test": false, "https://files.test": true, "http://127.0.0.1:8080": true, "http://localhost": true} {
		auth.Origins = []string{origin}
		_, err := aplomb.New("https://api.test", auth)
		assert.Equal(t, err == nil, want, origin, err)
	}
}

// A next link is held to the same rule, loudly: ending would pass for the end.
func TestLaw04_ForeignNextLinkIsAnError(t *testing.T) {
	for name, by := range map[string]aplomb.Pager{"link": aplomb.ByLink{}, "url": aplomb.ByURL{}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				foreign := script(ok)
				n := aplombtest.NewNetwork(t)
				n.Serve("https://api.test", script(body(`{"items":[{"id":"1"}],"next":"https://evil.test/2"}`, "Link", `<https://evil.test/2>; rel="next"`)))
				n.Serve("https://evil.test", foreign)
				c := newClientAt(t, "https://api.test", aplomb.Transport(n.Transport()), aplomb.Bearer(aplomb.Static(planted)))
				var got int
				var last error
				for _, err := range aplomb.Items[order](context.Background(), c, "/x", by) {
					if err != nil {
						last = err
						break
					}
					got++
				}
				assert.Equal(t, got, 1)
				assert.Contains(t, last.Error(), "the next page is on https://evil.test")
				assert.Equal(t, foreign.count(), 0)
			})
		})
	}
}

// A typed call to an address elsewhere gets neither credential nor defaults.
func TestLaw04_ForeignURL(t *testing.T) {
	bubble(t, func(t *testing.T) {
		foreign := script(ok)
		n := aplombtest.NewNetwork(t)
		n.Serve("https://api.test", script(ok))
		n.Serve("https://evil.test", foreign)
		c := newClientAt(t, "https://api.test", aplomb.Transport(n.Transport()), aplomb.Bearer(aplomb.Static(planted)),
			aplomb.Header("X-Private", planted), aplomb.Query("k", planted))
		_, err := aplomb.Get[order](context.Background(), c, "/x", aplomb.URL("https://evil.test/x"))
		assert.NoError(t, err)
		assert.NotContains(t, fmt.Sprint(foreign.request(0).Header, foreign.request(0).URL), planted)
	})
}

func TestLaw04_RefusedRedirects(t *testing.T) {
	for name, tt := range map[string]struct {
		from, to, why string
		send          func(c *aplomb.Client) error
	}{
		"leaves https": {"https://api.test", "http://api.test", "leaves https", func(c *aplomb.Client) error {
			_, err := aplomb.Get[order](context.Background(), c, "/x")
			return err
		}},
		"takes a body": {"https://api.test", "https://evil.test", "request body", func(c *aplomb.Client) error {
			_, err := aplomb.Call[order](context.Background(), c, "GET", "/x", aplomb.JSON(1))
			return err
		}},
		"changes something": {"https://api.test", "https://evil.test", "a DELETE does not follow", func(c *aplomb.Client) error {
			_, err := aplomb.Delete[order](context.Background(), c, "/x")
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				foreign := script(ok)
				n := aplombtest.NewNetwork(t)
				n.Serve(tt.from, script(status(307, "Location", tt.to+"/landing")))
				n.Serve(tt.to, foreign)
				err := tt.send(newClientAt(t, tt.from, aplomb.Transport(n.Transport())))
				assert.Contains(t, fmt.Sprint(err), tt.why)
				assert.Equal(t, foreign.count(), 0)
			})
		})
	}
}

// A RoundTripper above that makes itself the response's request hides the call
// that a redirect belongs to, not the origin it left.
func TestLaw04_RoundTripperAboveSetsTheRequest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		foreign := script(ok)
		n := aplombtest.NewNetwork(t)
		n.Serve("https://api.test", script(status(302, "Location", "https://evil.test/landing")))
		n.Serve("https://evil.test", foreign)
		c := newClientAt(t, "https://api.test", aplomb.Transport(n.Transport()))
		above := aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			resp, err := c.Transport().RoundTrip(r)
			if err == nil {
				resp.Request = r
			}
			return resp, err
		})
		_ = doThrough(context.Background(), (&http.Client{Transport: above}).Do, "https://api.test/x", [2]string{"X-Api-Key", planted})
		for i := range foreign.count() {
			assert.NotContains(t, fmt.Sprint(foreign.request(i).Header), planted)
		}
	})
}

// A key licenses a retry only where it was sent: to the client's own and its
// credentials' origins.
func TestLaw01_KeyCountsWhereItGoes(t *testing.T) {
	bubbleCase(t, "allowed origin", func(t *testing.T) {
		files := script(status(500), ok)
		n := aplombtest.NewNetwork(t)
		n.Serve("https://api.test", script(status(307, "Location", "https://files.test/up")))
		n.Serve("https://files.test", files)
		auth := aplomb.Bearer(aplomb.Static(planted))
		auth.Origins = []string{"https://files.test"}
		_, err := post(t, newClientAt(t, "https://api.test", aplomb.Transport(n.Transport()), auth), aplomb.IdempotencyKey("k"))
		assert.NoError(t, err)
		assert.Equal(t, files.count(), 2)
		for i := range files.count() {
			assert.Equal(t, files.request(i).Header.Get("Idempotency-Key"), "k")
		}
	})
	bubbleCase(t, "elsewhere", func(t *testing.T) {
		foreign := script(status(500), ok)
		n := aplombtest.NewNetwork(t)
		n.Serve("https://other.test", foreign)
		rewrite := aplomb.PerCall(func(next http.RoundTripper) http.RoundTripper {
			return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				r = r.Clone(r.Context())
				r.URL.Host, r.Host = "other.test", "other.test"
				return next.RoundTrip(r)
			})
		})
		_, err := post(t, newClientAt(t, "https://api.test", aplomb.Transport(n.Transport()), rewrite), aplomb.IdempotencyKey("k"))
		assert.Equal(t, aplomb.StatusCode(err), 500)
		assert.Equal(t, foreign.count(), 1)
		assert.Equal(t, foreign.request(0).Header.Get("Idempotency-Key"), "")
	})
}

// The GET that a redirect made of a POST has no key, at home or elsewhere.
func TestKeyIsNotForTheGetOfARedirect(t *testing.T) {
	for name, tt := range map[string]struct {
		to  string
		key aplomb.Idempotency
		opt aplomb.RequestOption
	}{
		"the client's header": {to: "https://api.test/other", opt: aplomb.Query("k", "v")},
		"the call's header":   {to: "https://api.test/other", opt: aplomb.Header("X-Call", "1")},
		"a harmless name":     {to: "https://other.test/x", key: aplomb.Idempotency{Header: "Range"}, opt: aplomb.Header("X-Call", "1")},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			name := cmp.Or(tt.key.Header, "Idempotency-Key")
			h, other := script(status(303, "Location", tt.to), ok), script(ok)
			n := aplombtest.NewNetwork(t)
			n.Serve("https://api.test", h)
			n.Serve("https://other.test", other)
			_, err := post(t, newClientAt(t, "https://api.test", aplomb.Transport(n.Transport()), tt.key, aplomb.Header("X-Client", "1")), tt.opt)
			assert.NoError(t, err)
			assert.True(t, h.request(0).Header.Get(name) != "")
			landed := other
			if h.count() > 1 {
				landed = &api{seen: h.seen[1:]}
			}
			assert.Equal(t, landed.request(0).Method, http.MethodGet)
			assert.Equal(t, landed.request(0).Header[name], nil)
		})
	}
}

// What a client says in each request stays at home, also by a name that may leave it
// with what the call itself says.
func TestClientHeadersStayAtHome(t *testing.T) {
	bubble(t, func(t *testing.T) {
		foreign := script(ok, ok, body("[]"))
		n := aplombtest.NewNetwork(t)
		n.Serve("https://api.test", script(status(302, "Location", "https://other.test/x")))
		n.Serve("https://other.test", foreign)
		c := newClientAt(t, "https://api.test", aplomb.Transport(n.Transport()), aplomb.Header("User-Agent", "ours"), aplomb.Header("Accept-Language", "de"))
		_, err := get(t, c)
		assert.NoError(t, err)
		_, err = get(t, c, aplomb.Header("Accept-Language", "fr"))
		assert.NoError(t, err)
		_, err = aplomb.Collect(aplomb.Stream(t.Context(), c, http.MethodGet, "/x", aplomb.JSONArray[order]{}))
		assert.NoError(t, err)
		for i, language := range []string{"", "fr", ""} {
			r := foreign.request(i)
			assert.Equal(t, r.Header.Get("Accept-Language"), language)
			assert.NotContains(t, r.UserAgent(), "ours")
		}
	})
}
