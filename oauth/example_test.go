package oauth_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/oauth"
)

// exampleServer is an API and its authorization server in one, on loopback.
func exampleServer() *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("grant_type") == "refresh_token" && r.FormValue("refresh_token") != "the-refresh-token" {
			refuse(400, "invalid_grant", "the login was revoked")(w, r)
			return
		}
		answer(w, map[string]any{"access_token": "t-1", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "the-next-one"})
	})
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, r *http.Request) {
		at := "http://" + r.Host
		answer(w, map[string]string{"issuer": at, "token_endpoint": at + "/token", "authorization_endpoint": at + "/authorize", "device_authorization_endpoint": at + "/device"})
	})
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, r *http.Request) { // the user has agreed
		back := url.Values{"code": {"the-code"}, "state": {r.FormValue("state")}}
		http.Redirect(w, r, r.FormValue("redirect_uri")+"?"+back.Encode(), http.StatusFound)
	})
	mux.HandleFunc("POST /device", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"device_code": "the-device", "user_code": "WDJB-MJHT", "verification_uri": "https://login.example/device", "expires_in": 600, "interval": 1})
	})
	mux.HandleFunc("POST /app/installations/{id}/access_tokens", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		answer(w, map[string]any{"token": "t-1", "expires_at": time.Now().Add(time.Hour)})
	})
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]string{"id": r.PathValue("id"), "sent": r.Header.Get("Authorization")})
	})
	return httptest.NewServer(mux)
}

type exampleOrder struct {
	ID   string `json:"id"`
	Sent string `json:"sent"`
}

// A service that acts for itself.
func ExampleClient_ClientCredentials() {
	server := exampleServer()
	defer server.Close()

	authz, err := oauth.New(oauth.Config{
		TokenURL: server.URL + "/token",
		ClientID: "billing",
		Auth:     oauth.SecretBasic(aplomb.Static("use aplomb.Env in a program")),
		Scopes:   []string{"orders.read"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := aplomb.New(server.URL, authz.ClientCredentials())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseIdleConnections()
	order, err := aplomb.Get[exampleOrder](context.Background(), c, "/orders/{id}", aplomb.Path("id", "o_1"))
	fmt.Println(order, err)
	// Output: {o_1 Bearer t-1} <nil>
}

// A command-line tool logs its user in once, and goes on from the file.
func ExampleClient_Session() {
	server := exampleServer()
	defer server.Close()
	dir, err := os.MkdirTemp("", "oauth")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx := context.Background()

	authz, err := oauth.New(oauth.Config{TokenURL: server.URL + "/token", ClientID: "cli"})
	if err != nil {
		fmt.Println(err)
		return
	}
	store := oauth.FileStore(filepath.Join(dir, "login.json"))
	tokens, err := authz.Session(store)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = tokens.Token(ctx)
	fmt.Println(errors.Is(err, oauth.ErrLoginRequired))

	// Here Login or LoginDevice would ask the user.
	if err := authz.Adopt(ctx, store, aplomb.NewSecret("the-refresh-token")); err != nil {
		fmt.Println(err)
		return
	}
	tokens, err = authz.Session(store)
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := aplomb.New(server.URL, tokens)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseIdleConnections()
	order, err := aplomb.Get[exampleOrder](ctx, c, "/orders/{id}", aplomb.Path("id", "o_1"))
	fmt.Println(order, err)
	// Output:
	// true
	// {o_1 Bearer t-1} <nil>
}

// browse stands for a browser, and the user in front of it.
func browse(address string) error {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// A command-line tool finds its provider's endpoints, and has its user log in
// with a browser.
func ExampleClient_Login() {
	server := exampleServer()
	defer server.Close()
	ctx := context.Background()

	cfg, err := oauth.Discover(ctx, server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg.ClientID, cfg.Scopes = "cli", []string{"orders.read", "offline_access"}
	authz, err := oauth.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	store := &memory{} // a program has oauth.FileStore(path)
	if err := authz.Login(ctx, store, browse); err != nil {
		fmt.Println(err)
		return
	}
	tokens, err := authz.Session(store)
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := aplomb.New(server.URL, tokens)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseIdleConnections()
	order, err := aplomb.Get[exampleOrder](ctx, c, "/orders/{id}", aplomb.Path("id", "o_1"))
	fmt.Println(order, err)
	// Output: {o_1 Bearer t-1} <nil>
}

// A program without a browser shows a code to be entered elsewhere.
func ExampleClient_LoginDevice() {
	server := exampleServer()
	defer server.Close()

	authz, err := oauth.New(oauth.Config{TokenURL: server.URL + "/token", DeviceURL: server.URL + "/device", ClientID: "tv"})
	if err != nil {
		fmt.Println(err)
		return
	}
	store := &memory{} // a program has oauth.FileStore(path)
	err = authz.LoginDevice(context.Background(), store, func(p oauth.DevicePrompt) error {
		fmt.Println("open", p.VerificationURI, "and enter", p.UserCode)
		return nil
	})
	fmt.Println(err)
	// Output:
	// open https://login.example/device and enter WDJB-MJHT
	// <nil>
}

// A service calls another in the name of the user who called it.
func ExampleClient_TokenExchange() {
	server := exampleServer()
	defer server.Close()

	authz, err := oauth.New(oauth.Config{TokenURL: server.URL + "/token", ClientID: "orders", Auth: oauth.SecretBasic(aplomb.Static("use aplomb.Env in a program"))})
	if err != nil {
		fmt.Println(err)
		return
	}
	tokens, err := authz.TokenExchange(oauth.Exchange{Subject: aplomb.Static("the caller's token"), Audience: "billing"})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := aplomb.New(server.URL, tokens)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseIdleConnections()
	order, err := aplomb.Get[exampleOrder](context.Background(), c, "/orders/{id}", aplomb.Path("id", "o_1"))
	fmt.Println(order, err)
	// Output: {o_1 Bearer t-1} <nil>
}

// A service account signs for itself, as at Google.
func ExampleClient_JWTBearer() {
	server := exampleServer()
	defer server.Close()

	authz, err := oauth.New(oauth.Config{TokenURL: server.URL + "/token", Scopes: []string{"orders.read"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	// A program has Key: aplomb.File(path), or a Signer in a KMS.
	tokens, err := authz.JWTBearer(aplomb.JWT{Signer: p256(), KeyID: "2026-01", Issuer: "bot@acme.example"})
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := tokens.Token(context.Background())
	fmt.Println(token.Value, err)
	// Output: [redacted] <nil>
}

// An installation of a GitHub App, narrowed to what it is needed for.
func ExampleGitHubApp() {
	server := exampleServer()
	defer server.Close()

	tokens, err := oauth.GitHubApp{
		AppID:        "Iv1.abc",
		Key:          examplePEM(), // a program has aplomb.File(path)
		Installation: 42,
		BaseURL:      server.URL, // left out for github.com
		Permissions:  map[string]string{"contents": "read"},
	}.Tokens()
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := aplomb.New(server.URL, tokens)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseIdleConnections()
	order, err := aplomb.Get[exampleOrder](context.Background(), c, "/orders/{id}", aplomb.Path("id", "o_1"))
	fmt.Println(order, err)
	// Output: {o_1 Bearer t-1} <nil>
}

// examplePEM is a private key as a file has it.
func examplePEM() aplomb.SecretSource {
	der, err := x509.MarshalPKCS8PrivateKey(p256())
	if err != nil {
		panic(err)
	}
	return aplomb.Static(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}
