package oauth_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/oauth"
)

// exampleServer is an API and its authorization server in one, on loopback.
func exampleServer() (*httptest.Server, *aplombtest.OAuth) {
	authority, mux := aplombtest.NewOAuth(), http.NewServeMux()
	authority.DeviceInterval(time.Second)
	mux.Handle("/", authority)
	mux.HandleFunc("POST /app/installations/{id}/access_tokens", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusCreated)
		answer(w, map[string]any{"token": authority.SeedToken(r.PathValue("id"), ""), "expires_at": time.Now().Add(time.Hour)})
	})
	mux.Handle("GET /orders/{id}", authority.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]string{"id": r.PathValue("id"), "sent": r.Header.Get("Authorization")})
	})))
	return httptest.NewServer(mux), authority
}

type exampleOrder struct {
	ID   string `json:"id"`
	Sent string `json:"sent"`
}

// A service that acts for itself.
func ExampleClient_ClientCredentials() {
	server, _ := exampleServer()
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
	// Output: {o_1 Bearer access-1} <nil>
}

// A command-line tool logs its user in once, and goes on from the file.
func ExampleClient_Session() {
	server, authority := exampleServer()
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
	if err := authz.Adopt(ctx, store, aplomb.NewSecret(authority.SeedLogin("cli", "orders.read"))); err != nil {
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
	// {o_1 Bearer access-1} <nil>
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
	server, _ := exampleServer()
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
	// Output: {o_1 Bearer access-1} <nil>
}

// A program without a browser shows a code to be entered elsewhere.
func ExampleClient_LoginDevice() {
	server, authority := exampleServer()
	defer server.Close()

	authz, err := oauth.New(oauth.Config{TokenURL: server.URL + "/token", DeviceURL: server.URL + "/device_authorization", ClientID: "tv"})
	if err != nil {
		fmt.Println(err)
		return
	}
	store := &memory{} // a program has oauth.FileStore(path)
	err = authz.LoginDevice(context.Background(), store, func(p oauth.DevicePrompt) error {
		fmt.Println("open", strings.TrimPrefix(p.VerificationURI, server.URL), "and enter", p.UserCode)
		authority.Approve(p.UserCode) // which the user does
		return nil
	})
	fmt.Println(err)
	// Output:
	// open /device and enter BBBB-BBBC
	// <nil>
}

// A service calls another in the name of the user who called it.
func ExampleClient_TokenExchange() {
	server, authority := exampleServer()
	defer server.Close()

	authz, err := oauth.New(oauth.Config{TokenURL: server.URL + "/token", ClientID: "orders", Auth: oauth.SecretBasic(aplomb.Static("use aplomb.Env in a program"))})
	if err != nil {
		fmt.Println(err)
		return
	}
	callers := authority.SeedToken("web", "orders.read") // a program has it from the request it serves
	tokens, err := authz.TokenExchange(oauth.Exchange{Subject: aplomb.Static(callers), Audience: "billing"})
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
	// Output: {o_1 Bearer access-2} <nil>
}

// A service account signs for itself, as at Google.
func ExampleClient_JWTBearer() {
	server, _ := exampleServer()
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
	server, _ := exampleServer()
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
	// Output: {o_1 Bearer access-1} <nil>
}

// examplePEM is a private key as a file has it.
func examplePEM() aplomb.SecretSource {
	der, err := x509.MarshalPKCS8PrivateKey(p256())
	if err != nil {
		panic(err)
	}
	return aplomb.Static(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}
