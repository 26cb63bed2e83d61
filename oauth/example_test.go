package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

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
