package aplomb_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"golang.org/x/oauth2/clientcredentials"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/signature"
)

// orders is the API that the examples call.
func orders() *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") != "o_1" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"error":{"code":"no_such_order","message":"No such order"}}`)
			return
		}
		_, _ = io.WriteString(w, `{"id":"o_1","amount":25}`)
	})
	mux.HandleFunc("POST /v1/orders", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"id":"o_2","amount":40,"key":%q}`, r.Header.Get("Idempotency-Key"))
	})
	mux.HandleFunc("GET /v1/orders", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("starting_after") {
		case "":
			_, _ = io.WriteString(w, `{"data":[{"id":"o_1"},{"id":"o_2"}],"has_more":true}`)
		default:
			_, _ = io.WriteString(w, `{"data":[{"id":"o_3"}],"has_more":false}`)
		}
	})
	return httptest.NewServer(mux)
}

func Example() {
	server := orders()
	defer server.Close()
	c, err := aplomb.New(server.URL, aplomb.Bearer(aplomb.Static("example-token")))
	if err != nil {
		fmt.Println(err)
		return
	}
	o, err := aplomb.Get[order](context.Background(), c, "/v1/orders/{id}", aplomb.Path("id", "o_1"))
	fmt.Println(o.ID, o.Amount, err)
	// Output: o_1 25 <nil>
}

func ExampleNew() {
	_, err := aplomb.New("api.acme.example")
	fmt.Println(err)
	_, err = aplomb.New("https://api.acme.example", aplomb.Bearer(aplomb.Env("ACME_TOKEN_THAT_IS_NOT_SET")))
	fmt.Println(err)
	_, err = aplomb.New("https://api.acme.example", aplomb.Retry{Attempts: -1})
	fmt.Println(err)
	// Output:
	// aplomb: New: "api.acme.example": the base URL must begin with https:// or http://
	// aplomb: config: the environment variable ACME_TOKEN_THAT_IS_NOT_SET is empty: set it
	// aplomb: Retry.Attempts: -1 is negative; zero means 4, and NoRetry() switches retries off
}

func ExampleAPIError() {
	server := orders()
	defer server.Close()
	c, _ := aplomb.New(server.URL)
	_, err := aplomb.Get[order](context.Background(), c, "/v1/orders/{id}", aplomb.Path("id", "o_9"))
	if e, ok := errors.AsType[*aplomb.APIError](err); ok {
		fmt.Println(e.StatusCode, e.Code, e.Message)
	}
	// Output: 404 no_such_order No such order
}

func ExamplePost() {
	server := orders()
	defer server.Close()
	c, _ := aplomb.New(server.URL)
	created, err := aplomb.Post[map[string]any](context.Background(), c, "/v1/orders",
		aplomb.JSON(order{Amount: 40}), aplomb.IdempotencyKey("cart-77"))
	fmt.Println(created["id"], created["key"], err)
	// Output: o_2 cart-77 <nil>
}

func ExampleItems() {
	server := orders()
	defer server.Close()
	c, _ := aplomb.New(server.URL)
	by := aplomb.ByCursor{Items: "data", Param: "starting_after", Last: "id", More: "has_more"}
	for o, err := range aplomb.Items[order](context.Background(), c, "/v1/orders", by) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(o.ID)
	}
	// Output:
	// o_1
	// o_2
	// o_3
}

func ExamplePages() {
	server := orders()
	defer server.Close()
	c, _ := aplomb.New(server.URL)
	by := aplomb.ByCursor{Items: "data", Param: "starting_after", Last: "id", More: "has_more"}
	for page, err := range aplomb.Pages[order](context.Background(), c, "/v1/orders", by, aplomb.Resume("o_2"), aplomb.Prefetch()) {
		fmt.Println(page.Cursor, len(page.Items), err)
	}
	// Output: o_2 1 <nil>
}

func ExampleFollow() {
	server := orders()
	defer server.Close()
	c, _ := aplomb.New(server.URL)
	type list struct {
		Data []order
		More bool `json:"has_more"`
	}
	next := func(p list, _ aplomb.Response) ([]aplomb.CallOption, error) {
		if !p.More {
			return nil, nil
		}
		return []aplomb.CallOption{aplomb.Query("starting_after", p.Data[len(p.Data)-1].ID)}, nil
	}
	for p, err := range aplomb.Follow(context.Background(), c, "GET", "/v1/orders", next) {
		fmt.Println(len(p.Data), err)
	}
	// Output:
	// 2 <nil>
	// 1 <nil>
}

func ExampleClient_Do() {
	server := orders()
	defer server.Close()
	c, _ := aplomb.New(server.URL)
	req, _ := http.NewRequest("GET", server.URL+"/v1/orders/o_9", nil)
	resp, err := c.Do(req) // net/http's contract: a 404 is a response
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	fmt.Println(resp.StatusCode)
	// Output: 404
}

func ExampleClient_HTTPClient() {
	server := orders()
	defer server.Close()
	c, _ := aplomb.New(server.URL, aplomb.Idempotency{})
	sdk := struct{ HTTP *http.Client }{c.HTTPClient()} // any SDK that takes an *http.Client
	resp, err := sdk.HTTP.Post(server.URL+"/v1/orders", "application/json", strings.NewReader(`{}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	raw, _ := io.ReadAll(resp.Body)
	fmt.Println(strings.Contains(string(raw), `"key":""`)) // the SDK sent no key; the stack did
	// Output: false
}

func ExampleClient_With() {
	server := orders()
	defer server.Close()
	c, _ := aplomb.New(server.URL)
	quick, err := c.With(aplomb.Timeout(2*time.Second), aplomb.NoRetry()) // shares c's connections, breaker and quota
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = aplomb.Get[order](context.Background(), quick, "/v1/orders/o_1")
	fmt.Println(err)
	// Output: <nil>
}

func ExampleNewContext() {
	server := orders()
	defer server.Close()
	c, _ := aplomb.New(server.URL)
	ctx := aplomb.NewContext(context.Background(), aplomb.IdempotencyKey("cart-78"), aplomb.Timeout(5*time.Second))
	req, _ := http.NewRequestWithContext(ctx, "POST", server.URL+"/v1/orders", strings.NewReader(`{}`))
	resp, err := c.HTTPClient().Do(req) // the SDK in between knows nothing of it
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	raw, _ := io.ReadAll(resp.Body)
	fmt.Println(string(raw))
	// Output: {"id":"o_2","amount":40,"key":"cart-78"}
}

func ExampleWrap() {
	server := orders()
	defer server.Close()
	rt, err := aplomb.Wrap(http.DefaultTransport.(*http.Transport).Clone(), aplomb.Retry{Attempts: 3}, aplomb.Breaker{})
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := (&http.Client{Transport: rt}).Get(server.URL + "/v1/orders/o_1")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	fmt.Println(resp.StatusCode)
	// Output: 200
}

func ExampleErrorDecoder() {
	server := orders()
	defer server.Close()
	c, _ := aplomb.New(server.URL, aplomb.ErrorDecoder(func(e *aplomb.APIError) error {
		if e.Code == "no_such_order" {
			return &acmeError{Reason: "acme: that order does not exist", Err: e}
		}
		return nil
	}))
	_, err := aplomb.Get[order](context.Background(), c, "/v1/orders/o_9")
	fmt.Println(err, aplomb.StatusCode(err))
	// Output: acme: that order does not exist 404
}

func ExampleJudge() {
	// An API that answers 200 with its rate limit in a header of its own.
	busy := aplomb.Judge(func(a *aplomb.Attempt) aplomb.Verdict {
		v := a.Verdict
		if a.Response != nil && a.Response.Header.Get("X-Busy") != "" {
			v.Outcome, v.Resend, v.Wait = aplomb.OutcomeThrottled, aplomb.ResendUnprocessed, time.Millisecond
		}
		return v
	})
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls++; calls == 1 {
			w.Header().Set("X-Busy", "1")
		}
		_, _ = io.WriteString(w, `{}`)
	}))
	defer server.Close()
	c, _ := aplomb.New(server.URL, busy)
	_, err := aplomb.Post[struct{}](context.Background(), c, "/v1/orders")
	fmt.Println(calls, err)
	// Output: 2 <nil>
}

func ExampleHooks() {
	server := orders()
	defer server.Close()
	c, _ := aplomb.New(server.URL, aplomb.Name("orders"), aplomb.Hooks{
		CallDone: func(_ context.Context, e aplomb.CallEvent) {
			fmt.Println(e.Client, e.Operation, e.Result, e.Attempts)
		},
	})
	_, _ = aplomb.Get[order](context.Background(), c, "/v1/orders/{id}", aplomb.Path("id", "o_1"))
	_, _ = aplomb.Get[order](context.Background(), c, "/v1/orders/{id}", aplomb.Path("id", "o_9"))
	// Output:
	// orders GET /v1/orders/{id} ok 1
	// orders GET /v1/orders/{id} client_error 1
}

func ExampleLogging() {
	server := orders()
	defer server.Close()
	untimed := func(_ []string, a slog.Attr) slog.Attr {
		switch a.Key {
		case "time", "elapsed", "url", "client", "Date", "Content-Length":
			return slog.Attr{}
		}
		return a
	}
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: untimed}))
	c, _ := aplomb.New(server.URL, aplomb.Bearer(aplomb.Static("example-token")), aplomb.Logging{Logger: logger})
	_, _ = aplomb.Get[order](context.Background(), c, "/v1/orders/{id}", aplomb.Path("id", "o_1"), aplomb.Header("X-Card", "4242424242424242"))
	// Output:
	// level=DEBUG msg="aplomb: attempt" operation="GET /v1/orders/{id}" attempt=1 method=GET request_header.Accept=application/json request_header.Authorization=[redacted] request_header.X-Card=[redacted] status=200 response_header.Content-Type="text/plain; charset=utf-8" outcome=ok
}

func ExampleMiddleware() {
	server := orders()
	defer server.Close()
	tag := func(next http.RoundTripper) http.RoundTripper {
		return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			r = r.Clone(r.Context()) // clone before you change
			r.Header.Set("Idempotency-Key", "from-middleware")
			return next.RoundTrip(r)
		})
	}
	c, _ := aplomb.New(server.URL, aplomb.PerAttempt(tag))
	o, err := aplomb.Post[map[string]any](context.Background(), c, "/v1/orders")
	fmt.Println(o["key"], err)
	// Output: from-middleware <nil>
}

func ExampleOAuth2() {
	conf := clientcredentials.Config{ClientID: "id", ClientSecret: os.Getenv("ACME_SECRET"), TokenURL: "https://auth.acme.example/token"}
	c, err := aplomb.New("https://api.acme.example", aplomb.OAuth2(conf.TokenSource(context.Background())))
	fmt.Println(c.Name(), err)
	// Output: api.acme.example <nil>
}

// A secrets manager's answer is a token with an end: it is fetched once for all,
// and again before it ends or when the API refuses it.
func ExampleTokens() {
	server := orders()
	defer server.Close()
	tokens := &aplomb.Tokens{Fetch: func(ctx context.Context, last aplomb.Token) (aplomb.Token, error) {
		// Ask the one who issues it, with ctx.
		return aplomb.Token{Value: aplomb.NewSecret("example-token"), Expiry: time.Now().Add(time.Hour)}, nil
	}}
	c, _ := aplomb.New(server.URL, tokens)
	o, err := aplomb.Get[order](context.Background(), c, "/v1/orders/{id}", aplomb.Path("id", "o_1"))
	fmt.Println(o, err)
	// Output: {o_1 25} <nil>
}

func ExampleJWT() {
	// In a program: Key: aplomb.File("/run/secrets/key.pem")
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	c, err := aplomb.New("https://api.acme.example", aplomb.JWT{
		Signer: key, KeyID: "2026-01", Issuer: "my-service", Audience: "https://api.acme.example",
	})
	fmt.Println(c.Name(), err)
	// Output: api.acme.example <nil>
}

// While a key is being changed both of its values are at hand.
func ExampleRotation() {
	key := aplomb.Rotation(aplomb.Static("the-new-key"), aplomb.Static("the-old-key")) // in a program: Env, File or SecretFunc
	c, err := aplomb.New("https://api.acme.example", aplomb.APIKey("X-Api-Key", key))
	fmt.Println(c.Name(), err)
	// Output: api.acme.example <nil>
}

// Each attempt is signed, as the last thing that happens to it; the server
// verifies with the same description.
func ExampleSign() {
	scheme := signature.HMAC{
		Keys:            []signature.Key{aplomb.Reveal(aplomb.Static("shared with the server"))}, // in a program: Env, File or SecretFunc
		Content:         "{timestamp}\n{method}\n{target}\n{body}",
		Header:          "X-Signature",
		TimestampHeader: "X-Timestamp",
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if _, err := scheme.Verify(r, body, time.Now()); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"id":"o_1","amount":25}`)
	}))
	defer server.Close()

	c, _ := aplomb.New(server.URL, aplomb.Sign(scheme))
	defer c.CloseIdleConnections()
	o, err := aplomb.Post[order](context.Background(), c, "/v1/orders", aplomb.JSON(order{Amount: 25}))
	fmt.Println(o, err)
	// Output: {o_1 25} <nil>
}

// A secrets manager is asked once for all, again after five minutes, and after a
// 401; ask the source itself at start-up to fail early.
func ExampleSecretFunc() {
	server := orders()
	defer server.Close()
	key := aplomb.SecretFunc(func(ctx context.Context) (string, error) {
		return "example-key", nil // ask it here, with ctx
	})
	if _, err := key.Secret(context.Background()); err != nil {
		fmt.Println("not starting:", err)
		return
	}
	c, _ := aplomb.New(server.URL, aplomb.APIKey("X-Api-Key", key))
	o, err := aplomb.Get[order](context.Background(), c, "/v1/orders/{id}", aplomb.Path("id", "o_1"))
	fmt.Println(o, err)
	// Output: {o_1 25} <nil>
}

func ExampleDigest() {
	c, err := aplomb.New("https://camera.acme.example", aplomb.Digest("admin", aplomb.Static("example-password")))
	fmt.Println(c.Name(), err)
	// Output: camera.acme.example <nil>
}

func ExampleAuth() {
	auth := aplomb.Bearer(aplomb.Static("example-token"))
	auth.Origins = []string{"https://files.acme.example"} // beside the client's own
	_, err := aplomb.New("https://api.acme.example", auth)
	fmt.Println(auth, err)
	// Output: aplomb.Auth([redacted]) <nil>
}

func ExampleSecret() {
	s := aplomb.NewSecret("hunter2")
	fmt.Printf("%v %+v %#v %s\n", s, s, s, s)
	// Output: [redacted] [redacted] [redacted] [redacted]
}

func ExampleCapture() {
	server := orders()
	defer server.Close()
	c, _ := aplomb.New(server.URL)
	var resp aplomb.Response
	_, err := aplomb.Get[order](context.Background(), c, "/v1/orders/o_1", aplomb.Capture(&resp))
	fmt.Println(resp.StatusCode, resp.Attempts, err)
	// Output: 200 1 <nil>
}

// Two replicas share 2 requests at once and one per minute: their third is
// refused, since it may not wait for so long. A service of several processes has
// redis.Store instead, of the module github.com/aplomb-go/aplomb/redis.
func ExampleFleet() {
	server := orders()
	defer server.Close()
	shared := aplomb.Options(
		aplomb.Name("shop"),
		aplomb.RateLimit{PerSecond: 1.0 / 60, Burst: 2},
		aplomb.Fleet{Store: aplomb.NewMemoryStore(), Timeout: time.Second},
	)
	a, _ := aplomb.New(server.URL, shared)
	b, _ := aplomb.New(server.URL, shared)
	for _, c := range []*aplomb.Client{a, b, a} {
		o, err := aplomb.Get[order](context.Background(), c, "/v1/orders/{id}", aplomb.Path("id", "o_1"), aplomb.Timeout(20*time.Second))
		fmt.Printf("%q refused: %v\n", o.ID, errors.Is(err, aplomb.ErrRateLimited))
	}
	// Output:
	// "o_1" refused: false
	// "o_1" refused: false
	// "" refused: true
}
