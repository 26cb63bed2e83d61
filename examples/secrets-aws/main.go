// Command secrets-aws keeps an API's key in AWS Secrets Manager. Copy
// secretsmanager.go: it is the whole client, on aplomb and its package signature
// alone, and a service uses it like this:
//
//	secrets, err := NewSecretsManager(Endpoint("eu-central-1"), "eu-central-1", Environment)
//	...
//	c, err := aplomb.New("https://api.acme.example", aplomb.APIKey("X-Api-Key", secrets.Secret("acme/api", "key")))
//
// The rest of the folder shows it at work, against fakes of both on this machine:
//
//	go run ./examples/secrets-aws
//
// With AWS_REGION and the credentials in the environment it reads a secret of
// that account instead; AWS_ENDPOINT_URL_SECRETS_MANAGER is another endpoint:
//
//	AWS_REGION=eu-central-1 AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... go run ./examples/secrets-aws -id acme/api -field key
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http/httptest"
	"os"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/signature"
)

func main() {
	id := flag.String("id", "acme/api", "the secret's name or ARN")
	field := flag.String("field", "", "the field of a secret that is JSON")
	flag.Parse()
	ctx := context.Background()
	var err error
	if region := os.Getenv("AWS_REGION"); region != "" {
		err = read(ctx, os.Stdout, cmp.Or(os.Getenv("AWS_ENDPOINT_URL_SECRETS_MANAGER"), Endpoint(region)), region, *id, *field)
	} else {
		err = show(ctx, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "secrets-aws:", err)
		os.Exit(1)
	}
}

// read reads one real secret, and does not show it.
func read(ctx context.Context, out io.Writer, endpoint, region, id, field string) error {
	secrets, err := NewSecretsManager(endpoint, region, Environment)
	if err != nil {
		return err
	}
	secret, err := secrets.Secret(id, field).Secret(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %v\n", id, secret)
	return nil
}

type order struct{ ID string }

// show rotates a key under running clients, in the two orders in which that
// happens. opts are for all of them.
func show(ctx context.Context, out io.Writer, opts ...aplomb.Option) error {
	aws, shop := newFakeAWS(), &fakeAPI{}
	awsHost, shopHost := httptest.NewServer(aws), httptest.NewServer(shop)
	defer awsHost.Close()
	defer shopHost.Close()
	secrets, err := NewSecretsManager(awsHost.URL, aws.region, signature.StaticAWS(aws.accessKeyID, aws.secretKey, ""), opts...)
	if err != nil {
		return err
	}
	// A service is a client with a key of its own; it places n orders at once.
	service := func() func(n int, what string) error {
		c, err := aplomb.New(shopHost.URL, aplomb.APIKey("X-Api-Key", secrets.Secret("acme/api", "key")), aplomb.Options(opts...))
		return func(n int, what string) error {
			if err != nil {
				return err
			}
			before := aws.answers()
			if err := atOnce(n, func() error {
				_, err := aplomb.Get[order](ctx, c, "/v1/orders/{id}", aplomb.Path("id", "o-7"))
				return err
			}); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			after := aws.answers()
			_, err := fmt.Fprintf(out, "%s: orders %d, AWSCURRENT read %d, AWSPREVIOUS %d times\n", what, n, after[0]-before[0], after[1]-before[1])
			return err
		}
	}
	aws.rotate("acme/api", `{"key":"fake-key-one"}`)
	shop.know("fake-key-one")
	first := service()
	if err := first(100, "a service starts"); err != nil {
		return err
	}
	aws.rotate("acme/api", `{"key":"fake-key-two"}`)
	shop.know("fake-key-two")
	if err := first(100, "the key was changed in both places"); err != nil {
		return err
	}
	aws.rotate("acme/api", `{"key":"fake-key-three"}`)
	second := service()
	if err := second(1, "another starts, and the API does not know the new key yet"); err != nil {
		return err
	}
	shop.know("fake-key-three")
	if err := first(100, "now it does, first service"); err != nil {
		return err
	}
	if err := second(1, "now it does, second service"); err != nil {
		return err
	}
	fmt.Fprintf(out, "orders served: %d of 302\n", shop.served)
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
