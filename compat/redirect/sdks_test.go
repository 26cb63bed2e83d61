package redirect_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v88/github"
	vault "github.com/hashicorp/vault/api"
	"github.com/stripe/stripe-go/v85"
	gitlab "gitlab.com/gitlab-org/api/client-go"
)

// sdks are the lines of the clients of one API's makers.
func sdks() []setup {
	return []setup{
		{name: "stripe-go: key", send: stripeKey},
		{name: "stripe-go: body of a POST", leaked: body, send: stripeBody},
		{name: "go-github: WithAuthToken", send: githubToken},
		{name: "go-github: BasicAuthTransport", send: githubBasic},
		{name: "ghinstallation: installation token", send: installation},
		{name: "ghinstallation: app JWT", send: app},
		{name: "azcore: BearerTokenPolicy (https)", secure: true, send: func(ctx context.Context, r *rig) {
			azure(ctx, r, runtime.NewBearerTokenPolicy(azureToken{}, []string{"scope"}, nil))
		}},
		{name: "azcore: KeyCredentialPolicy (https)", secure: true, send: func(ctx context.Context, r *rig) {
			azure(ctx, r, runtime.NewKeyCredentialPolicy(azcore.NewKeyCredential(secret), "X-Api-Key", nil))
		}},
		{name: "gitlab client-go: NewClient", send: gitlabToken},
		{name: "vault/api: SetToken", send: vaultToken},
	}
}

func stripeClient(r *rig, key string) *stripe.Client {
	return stripe.NewClient(key, stripe.WithBackends(stripe.NewBackendsWithConfig(&stripe.BackendConfig{
		URL: stripe.String(r.url), HTTPClient: r.client(), MaxNetworkRetries: stripe.Int64(0),
		LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull},
	})))
}

func stripeKey(ctx context.Context, r *rig) {
	_, _ = stripeClient(r, secret).V1Customers.Retrieve(ctx, "cus_1", nil)
}

func stripeBody(ctx context.Context, r *rig) {
	_, _ = stripeClient(r, "another").V1Customers.Create(ctx, &stripe.CustomerCreateParams{Description: stripe.String(secret)})
}

func githubToken(ctx context.Context, r *rig) {
	base := r.url + "/"
	c, err := github.NewClient(github.WithHTTPClient(r.client()), github.WithAuthToken(secret), github.WithURLs(&base, nil))
	if err != nil {
		r.tb.Fatal(err)
	}
	_, _, _ = c.Repositories.Get(ctx, "o", "r")
}

func githubBasic(ctx context.Context, r *rig) {
	base := r.url + "/"
	basic := &github.BasicAuthTransport{Username: "user", Password: secret, Transport: r.transport()}
	c, err := github.NewClient(github.WithHTTPClient(basic.Client()), github.WithURLs(&base, nil))
	if err != nil {
		r.tb.Fatal(err)
	}
	_, _, _ = c.Repositories.Get(ctx, "o", "r")
}

// appKey is a key of a GitHub App.
var appKey = sync.OnceValue(func() []byte {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
})

func installation(ctx context.Context, r *rig) {
	r.answers["/app/installations/2/access_tokens"] = fmt.Sprintf(`{"token":%q,"expires_at":%q}`, secret, time.Now().Add(time.Hour).Format(time.RFC3339))
	transport, err := ghinstallation.New(r.transport(), 1, 2, appKey())
	if err != nil {
		r.tb.Fatal(err)
	}
	transport.BaseURL = r.url
	discard((&http.Client{Transport: transport}).Do(r.get(ctx, "", "")))
}

func app(ctx context.Context, r *rig) {
	transport, err := ghinstallation.NewAppsTransport(r.transport(), 1, appKey())
	if err != nil {
		r.tb.Fatal(err)
	}
	discard((&http.Client{Transport: transport}).Do(r.get(ctx, "", "")))
}

func azure(ctx context.Context, r *rig, auth policy.Policy) {
	pipeline := runtime.NewPipeline("redirect", "v1", runtime.PipelineOptions{PerRetry: []policy.Policy{auth}}, &policy.ClientOptions{Transport: r.client()})
	req, err := runtime.NewRequest(ctx, http.MethodGet, r.url+"/v1/thing")
	if err != nil {
		r.tb.Fatal(err)
	}
	discard(pipeline.Do(req))
}

type azureToken struct{}

func (azureToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: secret, ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func gitlabToken(ctx context.Context, r *rig) {
	c, err := gitlab.NewClient(secret, gitlab.WithBaseURL(r.url), gitlab.WithHTTPClient(r.client()))
	if err != nil {
		r.tb.Fatal(err)
	}
	_, _, _ = c.Projects.GetProject(1, nil, gitlab.WithContext(ctx))
}

func vaultToken(ctx context.Context, r *rig) {
	config := vault.DefaultConfig()
	config.Address = r.url
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate().Certificate[0]})
	if err := config.ConfigureTLS(&vault.TLSConfig{CACertBytes: authority}); err != nil {
		r.tb.Fatal(err)
	}
	c, err := vault.NewClient(config)
	if err != nil {
		r.tb.Fatal(err)
	}
	defer c.CloneConfig().HttpClient.CloseIdleConnections()
	c.SetToken(secret)
	_, _ = c.Logical().ReadWithContext(ctx, "secret/thing")
}
