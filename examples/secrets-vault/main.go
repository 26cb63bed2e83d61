// Command secrets-vault keeps an API's key in HashiCorp Vault. Copy vault.go: it
// is the whole client, on aplomb alone, and a service uses it like this:
//
//	vault, err := NewVault("https://vault.acme.example:8200", AppRole(roleID, aplomb.Env("VAULT_SECRET_ID")))
//	...
//	c, err := aplomb.New("https://api.acme.example", aplomb.APIKey("X-Api-Key", vault.KV("secret", "acme/api", "key")))
//
// The rest of the folder shows it at work, against fakes of both on this machine:
//
//	go run ./examples/secrets-vault
//
// With VAULT_ADDR it reads a secret of that Vault instead. It logs in by
// VAULT_ROLE_ID and VAULT_SECRET_ID, else by VAULT_KUBERNETES_ROLE, else it uses
// VAULT_TOKEN:
//
//	VAULT_ADDR=http://127.0.0.1:8200 VAULT_TOKEN=... go run ./examples/secrets-vault -mount secret -path acme/api -field key
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http/httptest"
	"os"

	"github.com/aplomb-go/aplomb"
)

func main() {
	mount := flag.String("mount", "secret", "where the KV engine is mounted")
	path := flag.String("path", "acme/api", "the secret's path")
	field := flag.String("field", "key", "the secret's field")
	flag.Parse()
	ctx := context.Background()
	var err error
	if address := os.Getenv("VAULT_ADDR"); address != "" {
		err = read(ctx, os.Stdout, address, *mount, *path, *field)
	} else {
		err = show(ctx, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "secrets-vault:", err)
		os.Exit(1)
	}
}

// read reads one secret of a real Vault, and does not show it.
func read(ctx context.Context, out io.Writer, address, mount, path, field string) error {
	login := WithToken(aplomb.Env("VAULT_TOKEN"))
	if role := os.Getenv("VAULT_ROLE_ID"); role != "" {
		login = AppRole(role, aplomb.Env("VAULT_SECRET_ID"))
	} else if role := os.Getenv("VAULT_KUBERNETES_ROLE"); role != "" {
		login = Kubernetes(role, aplomb.File("/var/run/secrets/kubernetes.io/serviceaccount/token"))
	}
	vault, err := NewVault(address, login)
	if err != nil {
		return err
	}
	secret, err := vault.KV(mount, path, field).Secret(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s/%s, field %s: %v\n", mount, path, field, secret)
	return nil
}

type order struct{ ID string }

// show rotates a key in Vault under a running client. opts are for both of its
// clients.
func show(ctx context.Context, out io.Writer, opts ...aplomb.Option) error {
	server, shop := newFakeVault(), &fakeAPI{}
	vaultHost, shopHost := httptest.NewServer(server), httptest.NewServer(shop)
	defer vaultHost.Close()
	defer shopHost.Close()
	rotate := func(key string) {
		server.put("acme/api", map[string]any{"key": key})
		shop.know(key)
	}
	rotate("fake-key-one")

	vault, err := NewVault(vaultHost.URL, AppRole("shop-role", aplomb.Static("shop-secret-id")), opts...)
	if err != nil {
		return err
	}
	c, err := aplomb.New(shopHost.URL, aplomb.APIKey("X-Api-Key", vault.KV("secret", "acme/api", "key")), aplomb.Options(opts...))
	if err != nil {
		return err
	}
	call := func() error {
		_, err := aplomb.Get[order](ctx, c, "/v1/orders/{id}", aplomb.Path("id", "o-7"))
		return err
	}
	say := func(what string) {
		n := server.effects()
		fmt.Fprintf(out, "%s: log-ins %d, reads %d\n", what, n[0], n[1])
	}

	if err := call(); err != nil {
		return err
	}
	say("one order")
	if err := atOnce(100, call); err != nil {
		return err
	}
	say("100 more at once")
	rotate("fake-key-two")
	if err := atOnce(100, call); err != nil {
		return err
	}
	say("100 more, after the key was changed")
	server.seal(true)
	if err := atOnce(100, call); err != nil {
		return err
	}
	say("100 more, with Vault sealed")
	fmt.Fprintf(out, "orders served: %d of 301\n", shop.served)
	return nil
}

// atOnce runs f by n goroutines and returns the last error.
func atOnce(n int, f func() error) error {
	errs := make(chan error)
	for range n {
		go func() { errs <- f() }()
	}
	var err error
	for range n {
		if e := <-errs; e != nil {
			err = e
		}
	}
	return err
}
