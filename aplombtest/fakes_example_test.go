package aplombtest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/oauth"
	"github.com/aplomb-go/aplomb/webhook"
)

// A service gets tokens, and its API takes them until they are revoked.
func ExampleOAuth() {
	authority := aplombtest.NewOAuth()
	authority.Register("billing", "its secret")
	mux := http.NewServeMux()
	mux.Handle("/", authority)
	mux.Handle("GET /v1/orders", authority.Protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`[]`))
	})))
	srv := httptest.NewServer(mux) // in a test: aplombtest.NewServer(t, mux)
	defer srv.Close()

	authz, err := oauth.New(oauth.Config{TokenURL: srv.URL + "/token", ClientID: "billing", Auth: oauth.SecretBasic(aplomb.Static("its secret"))})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := aplomb.New(srv.URL, authz.ClientCredentials())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseIdleConnections()
	for range 2 {
		_, err = aplomb.Get[[]string](context.Background(), c, "/v1/orders")
		fmt.Println(err, authority.Effects().Issued)
		authority.RevokeAll() // the next call meets a 401, and gets a new token
	}
	// Output:
	// <nil> 1
	// <nil> 2
}

// A payment's events are delivered twice at once, and each is stored once.
func ExampleSender() {
	shop := aplombtest.NewStripe()
	api := httptest.NewServer(shop)
	defer api.Close()
	c, err := aplomb.New(api.URL, aplomb.Bearer(aplomb.Static("sk_test_"+"for0examples")))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseIdleConnections()
	_, err = aplomb.Post[struct{}](context.Background(), c, "/v1/charges", aplomb.Form(map[string][]string{
		"amount": {"2500"}, "currency": {"usd"}, "source": {"tok_visa"},
	}))
	if err != nil {
		fmt.Println(err)
		return
	}

	store, scheme := inbox.NewMemory(), webhook.Stripe(webhook.Static("whsec_"+"for0examples"))
	srv := httptest.NewServer(&webhook.Handler{Source: "shop", Scheme: scheme, Sink: store})
	defer srv.Close()
	sender := aplombtest.NewSender(scheme, srv.Client(), srv.URL)
	sender.Mishaps.Duplicated = 1
	for _, d := range sender.Send(context.Background(), shop.Events()...) {
		fmt.Println(d.Delivered, len(d.Attempts))
	}
	stats, err := store.Stats(context.Background())
	fmt.Println(stats.Ready, err)
	fmt.Println(len(sender.Schedule.Waits), "retries in three days, the first after", sender.Schedule.Waits[0].Round(time.Second))
	// Output:
	// true 2
	// 1 <nil>
	// 10 retries in three days, the first after 4m13s
}
