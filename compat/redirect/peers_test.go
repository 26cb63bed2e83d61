package redirect_test

import (
	"context"
	"net/http"
	"net/url"

	"github.com/carlmjohnson/requests"
	"github.com/dghubble/sling"
	"github.com/failsafe-go/failsafe-go/failsafehttp"
	restyv2 "github.com/go-resty/resty/v2"
	"github.com/gojek/heimdall/v7/httpclient"
	"github.com/hashicorp/go-retryablehttp"
	"github.com/icholy/digest"
	"github.com/imroc/req/v3"
	"golang.org/x/oauth2"
	"resty.dev/v3"
)

// peers are the lines of the other clients: those that call any API, here, and
// those of one API's makers.
func peers() []setup {
	var all []setup
	for _, of := range [][]setup{
		netHTTP(), xOAuth2(), overHeaders("go-retryablehttp", retryable), overOAuth2(), overHeaders("heimdall", heimdall),
		overHeaders("failsafehttp", failsafe), overHeaders("sling", slinging), carlmjohnson(), resty2(), resty3(), reqV3(), digests(), sdks(),
	} {
		all = append(all, of...)
	}
	return all
}

func netHTTP() []setup {
	send := func(edit func(*http.Request)) func(context.Context, *rig) {
		return func(ctx context.Context, r *rig) {
			req := r.get(ctx, "", "")
			edit(req)
			discard(r.client().Do(req))
		}
	}
	return []setup{
		{name: "net/http: Authorization", send: send(func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+secret) })},
		{name: "net/http: SetBasicAuth", send: send(func(r *http.Request) { r.SetBasicAuth("user", secret) })},
		{name: "net/http: userinfo of the URL", send: send(func(r *http.Request) { r.URL.User = url.UserPassword("user", secret) })},
		{name: "net/http: Cookie", send: send(func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "session", Value: secret}) })},
		{name: "net/http: X-Api-Key", send: send(func(r *http.Request) { r.Header.Set("X-Api-Key", secret) })},
		{name: "net/http: ?api_key", send: send(func(r *http.Request) { r.URL.RawQuery = "api_key=" + url.QueryEscape(secret) })},
		{name: "net/http: body of a POST", send: func(ctx context.Context, r *rig) { discard(r.client().Do(r.withBody(ctx, http.MethodPost))) }},
	}
}

func xOAuth2() []setup {
	return []setup{
		{name: "x/oauth2: StaticTokenSource", send: func(ctx context.Context, r *rig) {
			discard(staticOAuth2(ctx, r).Do(r.get(ctx, "", "")))
		}},
		{name: "x/oauth2: clientcredentials", send: func(ctx context.Context, r *rig) {
			ctx = context.WithValue(ctx, oauth2.HTTPClient, r.client())
			discard(oauth2.NewClient(ctx, tokenSource(ctx, r)).Do(r.get(ctx, "", "")))
		}},
	}
}

func staticOAuth2(ctx context.Context, r *rig) *http.Client {
	source := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: secret})
	return oauth2.NewClient(context.WithValue(ctx, oauth2.HTTPClient, r.client()), source)
}

// overHeaders are the two set-ups of a client that leaves the credential to its
// user: a header that net/http knows, and one that it does not.
func overHeaders(client string, get func(ctx context.Context, r *rig, name, value string)) []setup {
	return []setup{
		{name: client + ": Authorization", send: func(ctx context.Context, r *rig) { get(ctx, r, "Authorization", "Bearer "+secret) }},
		{name: client + ": X-Api-Key", send: func(ctx context.Context, r *rig) { get(ctx, r, "X-Api-Key", secret) }},
	}
}

func newRetryable(c *http.Client) *retryablehttp.Client {
	client := retryablehttp.NewClient()
	client.HTTPClient, client.Logger = c, nil
	return client
}

func retryable(ctx context.Context, r *rig, name, value string) {
	discard(newRetryable(r.client()).StandardClient().Do(r.get(ctx, name, value)))
}

// overOAuth2 are the two ways to put x/oauth2 and go-retryablehttp together.
func overOAuth2() []setup {
	return []setup{
		{name: "go-retryablehttp: over an x/oauth2 client", send: func(ctx context.Context, r *rig) {
			discard(newRetryable(staticOAuth2(ctx, r)).StandardClient().Do(r.get(ctx, "", "")))
		}},
		{name: "go-retryablehttp: under an x/oauth2 client", send: func(ctx context.Context, r *rig) {
			inner := newRetryable(r.client()).StandardClient()
			source := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: secret})
			discard(oauth2.NewClient(context.WithValue(ctx, oauth2.HTTPClient, inner), source).Do(r.get(ctx, "", "")))
		}},
	}
}

func heimdall(ctx context.Context, r *rig, name, value string) {
	discard(httpclient.NewClient(httpclient.WithHTTPClient(r.client())).Do(r.get(ctx, name, value)))
}

func failsafe(ctx context.Context, r *rig, name, value string) {
	retry := failsafehttp.NewRetryPolicyBuilder().Build()
	client := &http.Client{Transport: failsafehttp.NewRoundTripper(r.transport(), retry)}
	discard(client.Do(r.get(ctx, name, value)))
}

func slinging(ctx context.Context, r *rig, name, value string) {
	req, err := sling.New().Base(r.url).Set(name, value).Get("/v1/thing").Request()
	if err != nil {
		r.tb.Fatal(err)
	}
	_, _ = sling.New().Client(r.client()).Do(req.WithContext(ctx), nil, nil)
}

func carlmjohnson() []setup {
	return []setup{
		{name: "carlmjohnson/requests: Bearer", send: func(ctx context.Context, r *rig) {
			_ = requests.URL(r.url).Path("/v1/thing").Client(r.client()).Bearer(secret).Fetch(ctx)
		}},
		{name: "carlmjohnson/requests: X-Api-Key", send: func(ctx context.Context, r *rig) {
			_ = requests.URL(r.url).Path("/v1/thing").Client(r.client()).Header("X-Api-Key", secret).Fetch(ctx)
		}},
	}
}

func resty2() []setup {
	send := func(edit func(*restyv2.Client)) func(context.Context, *rig) {
		return func(ctx context.Context, r *rig) {
			client := restyv2.NewWithClient(r.client()).SetBaseURL(r.url).SetDisableWarn(true)
			edit(client)
			_, _ = client.R().SetContext(ctx).Get("/v1/thing")
		}
	}
	return []setup{
		{name: "resty v2: SetAuthToken", send: send(func(c *restyv2.Client) { c.SetAuthToken(secret) })},
		{name: "resty v2: X-Api-Key", send: send(func(c *restyv2.Client) { c.SetHeader("X-Api-Key", secret) })},
		{name: "resty v2: SetQueryParam", send: send(func(c *restyv2.Client) { c.SetQueryParam("api_key", secret) })},
	}
}

func resty3() []setup {
	send := func(edit func(*resty.Client)) func(context.Context, *rig) {
		return func(ctx context.Context, r *rig) {
			client := resty.NewWithClient(r.client()).SetBaseURL(r.url)
			defer client.Close()
			edit(client)
			_, _ = client.R().SetContext(ctx).Get("/v1/thing")
		}
	}
	flexible := resty.RedirectFlexiblePolicy(10)
	return []setup{
		{name: "resty v3: SetAuthToken", send: send(func(c *resty.Client) { c.SetAuthToken(secret) })},
		{name: "resty v3: SetHeaderAuthorizationKey", send: send(func(c *resty.Client) {
			c.SetHeaderAuthorizationKey("X-Custom-Authorization").SetAuthToken(secret)
		})},
		{name: "resty v3: X-Api-Key", send: send(func(c *resty.Client) { c.SetHeader("X-Api-Key", secret) })},
		{name: "resty v3: SetAuthToken, RedirectFlexiblePolicy", send: send(func(c *resty.Client) {
			c.SetRedirectPolicy(flexible).SetAuthToken(secret)
		})},
		{name: "resty v3: X-Api-Key, RedirectFlexiblePolicy", send: send(func(c *resty.Client) {
			c.SetRedirectPolicy(flexible).SetHeader("X-Api-Key", secret)
		})},
		{name: "resty v3: X-Signature, RedirectFlexiblePolicy", send: send(func(c *resty.Client) {
			c.SetRedirectPolicy(flexible).SetHeader("X-Signature", secret)
		})},
	}
}

func reqV3() []setup {
	send := func(edit func(*req.Client)) func(context.Context, *rig) {
		return func(ctx context.Context, r *rig) {
			client := req.C().SetTLSClientConfig(r.tls()).SetBaseURL(r.url)
			defer client.CloseIdleConnections()
			edit(client)
			_, _ = client.R().SetContext(ctx).Get("/v1/thing")
		}
	}
	return []setup{
		{name: "req v3: SetCommonBearerAuthToken", send: send(func(c *req.Client) { c.SetCommonBearerAuthToken(secret) })},
		{name: "req v3: X-Api-Key", send: send(func(c *req.Client) { c.SetCommonHeader("X-Api-Key", secret) })},
		{name: "req v3: SetCommonDigestAuth", send: func(ctx context.Context, r *rig) {
			r.digested = true
			send(func(c *req.Client) { c.SetCommonDigestAuth("user", secret) })(ctx, r)
		}},
	}
}

func digests() []setup {
	return []setup{{name: "icholy/digest", send: func(ctx context.Context, r *rig) {
		r.digested = true
		client := &http.Client{Transport: &digest.Transport{Username: "user", Password: secret, Transport: r.transport()}}
		discard(client.Do(r.get(ctx, "", "")))
	}}}
}
