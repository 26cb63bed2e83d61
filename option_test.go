package aplomb_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// Typed calls: call over inner context over outer context over client.
func TestPrecedenceOfTypedCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Header("A", "client"), aplomb.Header("B", "client"), aplomb.Header("C", "client"),
			aplomb.Header("D", "client"), aplomb.Query("q", "client"), aplomb.Query("r", "client"), aplomb.Header("E", "client"))
		ctx := aplomb.NewContext(context.Background(), aplomb.Header("B", "outer"), aplomb.Header("C", "outer"), aplomb.Header("D", "outer"))
		ctx = aplomb.NewContext(ctx, aplomb.Header("C", "inner"), aplomb.Header("D", "inner"))
		_, err := aplomb.Get[order](ctx, c, "/x", aplomb.Header("D", "call"), aplomb.Query("q", "1", "2"), aplomb.Header("E", ""))
		assert.NoError(t, err)
		r := h.request(0)
		assert.Equal(t, fmt.Sprint(r.Header["A"], r.Header["B"], r.Header["C"], r.Header["D"], r.Header["E"]), "[client] [outer] [inner] [call] []")
		assert.Equal(t, r.URL.RawQuery, "r=client&q=1&q=2")
	})
}

// Do and HTTPClient: context over the request's own over client.
func TestPrecedenceOfDo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Header("A", "client"), aplomb.Header("B", "client"), aplomb.Header("C", "client"),
			aplomb.Query("q", "client"), aplomb.Query("r", "client"), aplomb.Query("s", "client"))
		ctx := aplomb.NewContext(context.Background(), aplomb.Header("C", "context"), aplomb.Query("s", "context"))
		for i, do := range []func(*http.Request) (*http.Response, error){c.Do, c.HTTPClient().Do} {
			req, _ := http.NewRequestWithContext(ctx, "GET", "http://api.test/x?r=own&s=own", nil)
			req.Header.Set("B", "own")
			req.Header.Set("C", "own")
			resp, err := do(req)
			assert.NoError(t, err)
			assert.NoError(t, resp.Body.Close())
			r := h.request(i)
			assert.Equal(t, fmt.Sprint(r.Header["A"], r.Header["B"], r.Header["C"], " ", r.URL.RawQuery), "[client] [own] [context] r=own&s=context&q=client")
		}
	})
}

// A path value is one segment, whatever is in it.
func TestPathTemplates(t *testing.T) {
	for _, tt := range []struct {
		base, template, value, want, err string
	}{
		{"", "/v1/orders/{id}", "o_1", "/v1/orders/o_1", ""},
		{"", "/v1/orders/{id}/items", "a/b c?d#e%f", "/v1/orders/a%2Fb%20c%3Fd%23e%25f/items", ""},
		{"", "v1/{id}", "x", "/v1/x", ""},
		{"/v2/", "/orders/{id}", "x", "/v2/orders/x", ""},
		{"/v2", "", "", "/v2", ""},
		{"/v2", "", "x", "/v2", ""},
		{"", "//{id}//", "x", "//x//", ""},
		{"", "/{id}{id}", "a/", "/a%2Fa%2F", ""},
		{"/b%2Fc", "%2Fv1", "", "/b%2Fc/%2Fv1", ""},
		{"", "/v1}", "", "/v1%7D", ""},
		{"", "/v1/ü/{id}", "a/b", "/v1/%C3%BC/a%2Fb", ""},
		{"", "/v1/{id}/a b/%2f", "../admin", "/v1/..%2Fadmin/a%20b/%2f", ""},
		{"/b%2Fc", "/ü", "", "/b%2Fc/%C3%BC", ""},
		{"", "/Orders({id})/!$&'*+,;=:@[]-._~", "1", "/Orders(1)/!$&'*+,;=:@[]-._~", ""},
		{"", "/files/{id}.json", "..", "/files/...json", ""},
		{"", "/v1/{id}", "..", "", `a segment would be "." or ".."`},
		{"", "/v1/{id}", ".", "", `a segment would be "." or ".."`},
		{"", "/v1/{id}{id}", ".", "", `a segment would be "." or ".."`},
		{"", "/v1/../x", "", "", `a segment would be "." or ".."`},
		{"", "./v1", "", "", `a segment would be "." or ".."`},
		{"", "/v1/{id}", "", "", "the value of {id} is empty"},
		{"", "/v1/{other}", "x", "", "no value for {other}"},
		{"", "/v1/other", "x", "", "has no {id}"},
		{"", "/v1/{id", "x", "", "not closed"},
		{"", "/v1/{a/b}", "x", "", "not closed"},
		{"", "/v1/%zz", "", "", `invalid URL escape "%zz"`},
		{"", "/v1?x={id}", "x", "", "give query parameters with Query"},
		{"", "/v1?x=1", "", "", "give query parameters with Query"},
		{"", "/v1#x", "", "", "a fragment is not sent"},
		{"", "/https://evil.test", "", "", "give it with URL"},
		{"", "https://evil.test/{id}", "x", "", "give it with URL"},
	} {
		t.Run(tt.template+" "+tt.value, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := script(ok)
				s := aplombtest.NewServer(t, h)
				c := newClientAt(t, s.URL+tt.base, aplomb.Transport(s.Transport()))
				var opts []aplomb.CallOption
				if tt.value != "" || strings.Contains(tt.template, "{") {
					opts = append(opts, aplomb.Path("id", tt.value))
				}
				_, err := aplomb.Get[order](context.Background(), c, tt.template, opts...)
				if tt.err != "" {
					assert.Contains(t, fmt.Sprint(err), tt.err)
					assert.Equal(t, h.count(), 0)
					return
				}
				assert.NoError(t, err)
				assert.Equal(t, h.request(0).URL.EscapedPath(), tt.want)
			})
		})
	}
}

// New and With say what is wrong and how to mend it; nothing panics.
func TestValidation(t *testing.T) {
	t.Parallel()
	var typedNil *http.Transport
	for want, opts := range map[string][]aplomb.Option{
		"option 1 is nil":                {nil},
		"nil http.RoundTripper":          {aplomb.Transport(typedNil)},
		"SecretSource is nil":            {aplomb.Bearer(nil)},
		"Attach is nil":                  {aplomb.Auth{}},
		"is empty":                       {aplomb.Bearer(aplomb.Static(""))},
		"trailing newline":               {aplomb.Bearer(aplomb.Static("x\n"))},
		"wrapped in quotes":              {aplomb.Bearer(aplomb.Static(`"x"`))},
		"is empty: set it":               {aplomb.Bearer(aplomb.Env("APLOMB_TEST_NO_SUCH"))},
		"no such file":                   {aplomb.Bearer(aplomb.File("testdata/no-such-file"))},
		"did you mean 5*time.Second":     {aplomb.Timeouts{Connect: 5}},
		"\"X Key\" is not a header name": {aplomb.APIKey("X Key", aplomb.Static("x"))},
		"parameter has no name":          {aplomb.APIKeyQuery("", aplomb.Static("x"))},
		"TokenSource is nil":             {aplomb.OAuth2(nil)},
		"names no status":                {aplomb.Expect()},
		"write POST for":                 {aplomb.Idempotency{Methods: []string{"post"}}},
		"Retry.Attempts: -1":             {aplomb.Retry{Attempts: -1}},
		"Breaker.Ratio: 2":               {aplomb.Breaker{Ratio: 2}},
		"RateLimit.PerSecond: -1":        {aplomb.RateLimit{PerSecond: -1}},
		"no effect without PerSecond":    {aplomb.RateLimit{Burst: 3}},
		"Timeouts.Connect: -1ns":         {aplomb.Timeouts{Connect: -1}},
		"cannot take effect on a":        {aplomb.Timeouts{Connect: time.Second}, aplomb.Transport(aplomb.RoundTripFunc(nil1))},
		"not a header name":              {aplomb.Header("bad name", "x")},
		"a line break":                   {aplomb.Header("X", "a\r\nb")},
		"not an origin":                  {aplomb.Auth{Attach: func(*http.Request) error { return nil }, Origins: []string{"evil.test/x"}}},
		"Timeout: 0s":                    {aplomb.Timeout(0)},
		"MaxBody: -1":                    {aplomb.MaxBody(-1)},
		"Expect: 7":                      {aplomb.Expect(7)},
		"nil Middleware":                 {aplomb.PerCall(nil)},
		"returned a nil":                 {aplomb.PerAttempt(func(http.RoundTripper) http.RoundTripper { return nil })},
		"bundled option 2 is nil":        {aplomb.Options(aplomb.NoBreaker(), nil)},
	} {
		_, err := aplomb.New("https://api.test", opts...)
		assert.Contains(t, fmt.Sprint(err), want)
		assert.Contains(t, fmt.Sprint(err), "aplomb: ")
	}
	for want, base := range map[string]string{
		"must begin with https://": "api.test",
		"names no host":            "https://",
		"has a { or }":             "https://api.test/{tenant}",
		"query or fragment":        "https://api.test?key=s3cret",
		"cannot be parsed":         "https://user:s3cret@[bad",
	} {
		_, err := aplomb.New(base)
		assert.Contains(t, fmt.Sprint(err), want)
		assert.NotContains(t, fmt.Sprint(err), "s3cret")
	}
}

// Wrap refuses what has no effect without a base URL or a typed call.
func TestWrapValidation(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]aplomb.Option{
		"Header has no effect": aplomb.Header("A", "b"), "Query has no effect": aplomb.Query("a", "b"), "Expect has no effect": aplomb.Expect(200),
		"MaxBody has no effect": aplomb.MaxBody(1), "leave out Transport": aplomb.Transport(&http.Transport{}), "set Auth.Origins": aplomb.Bearer(aplomb.Static("x")),
	} {
		_, err := aplomb.Wrap(&http.Transport{}, o)
		assert.Contains(t, fmt.Sprint(err), want)
	}
}

// A path without a host is below the base URL, for Do as for typed calls.
func TestDoBelowTheBase(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(ok)
		s := aplombtest.NewServer(t, h)
		c := newClientAt(t, s.URL+"/v2", aplomb.Transport(s.Transport()))
		req, _ := http.NewRequest("GET", "/orders/a%2Fb?x=1", nil)
		resp, err := c.Do(req)
		assert.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, h.request(0).RequestURI, "/v2/orders/a%2Fb?x=1")
		_, err = c.Do(nil)
		assert.True(t, err != nil)
		var none context.Context
		ctx := aplomb.NewContext(none, aplomb.Timeout(time.Second))
		_, err = aplomb.Get[order](ctx, c, "/x")
		assert.NoError(t, err)
	})
}

// The zero Client, a nil one and a method that is none are errors.
func TestNoClient(t *testing.T) {
	t.Parallel()
	for _, c := range []*aplomb.Client{nil, {}} {
		_, err := get(t, c)
		assert.Contains(t, fmt.Sprint(err), "no Client")
		_, err = c.Do(&http.Request{})
		assert.Contains(t, fmt.Sprint(err), "no Client")
		_, err = c.With()
		assert.Contains(t, fmt.Sprint(err), "no Client")
		_, err = c.HTTPClient().Get("http://api.test/")
		assert.Contains(t, fmt.Sprint(err), "no Client")
		assert.Equal(t, c.Name(), "")
		c.CloseIdleConnections()
	}
	c := newClientAt(t, "http://api.test")
	_, err := aplomb.Call[order](context.Background(), c, "get", "/x")
	assert.Contains(t, fmt.Sprint(err), "in capitals")
	_, err = aplomb.Get[*http.Response](context.Background(), c, "/x")
	assert.Contains(t, fmt.Sprint(err), "use Client.Do")
	_, err = aplomb.Post[order](context.Background(), c, "/x", aplomb.Body("x/y", func() (io.ReadCloser, error) { return nil, nil }))
	assert.Contains(t, fmt.Sprint(err), "neither a body nor an error")
}

func nil1(*http.Request) (*http.Response, error) { return nil, nil }

// With shares breaker, limiter and budget unless it names that struct, and
// leaves its parent as it was.
func TestWithShares(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(503))
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.NoRetry())
		sibling, err := c.With(aplomb.Header("X", "1"))
		assert.NoError(t, err)
		apart, err := c.With(aplomb.Breaker{})
		assert.NoError(t, err)
		for range 20 {
			_, _ = get(t, c)
		}
		_, err = get(t, sibling)
		assert.ErrorIs(t, err, aplomb.ErrCircuitOpen)
		_, err = get(t, apart)
		assert.Equal(t, aplomb.StatusCode(err), 503)
		assert.Equal(t, h.request(20).Header.Get("X"), "")
		_, err = c.With(nil)
		assert.True(t, err != nil)
	})
}

// A preset neither appends to a caller's slice nor is changed by it.
func TestOptionsBundleIsACopy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(ok)
		given := make([]aplomb.Option, 0, 4)
		given = append(given, aplomb.Header("A", "1"))
		preset := aplomb.Options(given...)
		given[0] = aplomb.Header("A", "changed")
		_, err := get(t, newClient(t, aplombtest.NewServer(t, h), preset, aplomb.Options(aplomb.Header("B", "2"))))
		assert.NoError(t, err)
		assert.Equal(t, h.request(0).Header.Get("A")+h.request(0).Header.Get("B"), "12")
	})
}

// What cannot take effect on an SDK's request is refused, not ignored.
func TestContextOptionsOnDo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(status(404, "Request-Id", "req_1"))
		c := newClient(t, aplombtest.NewServer(t, h))
		for want, o := range map[string]aplomb.CallOption{
			"JSON, Form or Body": aplomb.JSON(1), "URL": aplomb.URL("/x"), "Path": aplomb.Path("a", "b"),
			"Resume, Prefetch or AtMost": aplomb.Resume("x"),
		} {
			req, _ := http.NewRequestWithContext(aplomb.NewContext(context.Background(), o), "GET", "http://api.test/", nil)
			_, err := c.Do(req)
			assert.Contains(t, fmt.Sprint(err), want+" in a NewContext has no effect")
		}
		assert.Equal(t, h.count(), 0)
		var told aplomb.Response
		ctx := aplomb.NewContext(context.Background(), aplomb.Capture(&told), aplomb.MaxBody(1)) // the latter for typed calls beside
		req, _ := http.NewRequestWithContext(ctx, "GET", "http://api.test/", nil)
		resp, err := c.HTTPClient().Do(req)
		assert.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
		assert.Equal(t, fmt.Sprintf("%d %s %d", told.StatusCode, told.RequestID, told.Attempts), "404 req_1 1")
	})
}

func TestBodies(t *testing.T) {
	for name, tt := range map[string]struct {
		opt           aplomb.CallOption
		kind, content string
		length        int64
	}{
		"JSON":   {aplomb.JSON(order{ID: "a<b", Amount: 1}), "application/json", `{"id":"a\u003cb","amount":1}`, 28},
		"Form":   {aplomb.Form(url.Values{"a": {"1 2"}}), "application/x-www-form-urlencoded", "a=1+2", 5},
		"Body":   {aplomb.Body("text/csv", func() (io.ReadCloser, error) { return io.NopCloser(iotestOnly{strings.NewReader("a,b")}), nil }), "text/csv", "a,b", -1},
		"sized":  {aplomb.Body("text/csv", func() (io.ReadCloser, error) { return sized{strings.NewReader("a,b")}, nil }), "text/csv", "a,b", 3},
		"empty":  {aplomb.Body("text/csv", func() (io.ReadCloser, error) { return sized{strings.NewReader("")}, nil }), "text/csv", "", 0},
		"nobody": {aplomb.Operation("x"), "", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var got string
				var length int64
				h := script(func(w http.ResponseWriter, r *http.Request) {
					raw, _ := io.ReadAll(r.Body)
					got, length = string(raw), r.ContentLength
					ok(w, r)
				})
				_, err := aplomb.Put[order](context.Background(), newClient(t, aplombtest.NewServer(t, h)), "/x", tt.opt)
				assert.NoError(t, err)
				assert.Equal(t, got, tt.content)
				assert.Equal(t, length, tt.length)
				assert.Equal(t, h.request(0).Header.Get("Content-Type"), tt.kind)
			})
		})
	}
	_, err := aplomb.Post[order](context.Background(), newClientAt(t, "http://api.test"), "/x", aplomb.JSON(make(chan int)))
	assert.Contains(t, fmt.Sprint(err), "JSON body: json: unsupported type")
}

// A body says what it is, whatever the client's header says of calls in general.
func TestContentTypeIsTheBodys(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(ok)
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.Header("Content-Type", "application/vnd.api+json"))
		for i, send := range []func() error{
			func() error { _, err := post(t, c); return err },
			func() error { _, err := post(t, c, aplomb.Header("X-Other", "1")); return err },
			func() error { _, err := get(t, c); return err },
		} {
			assert.NoError(t, send())
			assert.Equal(t, h.request(i).Header.Get("Content-Type"), []string{"application/json", "application/json", "application/vnd.api+json"}[i])
		}
	})
}

type iotestOnly struct{ io.Reader }

type sized struct{ *strings.Reader }

func (sized) Close() error { return nil }

func TestResults(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newClient(t, aplombtest.NewServer(t, script(body(`{"id":"o_1","amount":7}`))))
		ctx := context.Background()
		raw, err := aplomb.Get[[]byte](ctx, c, "/x")
		assert.NoError(t, err)
		assert.Equal(t, string(raw), `{"id":"o_1","amount":7}`)
		p, err := aplomb.Get[*order](ctx, c, "/x")
		assert.NoError(t, err)
		assert.Equal(t, p.Amount, 7)
		m, err := aplomb.Get[map[string]any](ctx, c, "/x")
		assert.NoError(t, err)
		assert.Equal(t, m["id"], any("o_1"))
		_, err = aplomb.Get[struct{}](ctx, c, "/x")
		assert.NoError(t, err)
		var told aplomb.Response
		_, err = aplomb.Get[order](ctx, c, "/x", aplomb.Capture(&told))
		assert.NoError(t, err)
		assert.Equal(t, fmt.Sprintf("%d %s %d", told.StatusCode, told.Header.Get("Content-Type"), told.Attempts), "200 application/json 1")
	})
	bubbleCase(t, "204", func(t *testing.T) {
		v, err := get(t, newClient(t, aplombtest.NewServer(t, script(status(204)))))
		assert.NoError(t, err)
		assert.Equal(t, v, order{})
	})
}

// httpmock stands in for a server where a hand-written stub is enough.
func TestWithHTTPMock(t *testing.T) {
	t.Parallel()
	mock := httpmock.NewMockTransport()
	mock.RegisterResponder("GET", "https://api.test/v1/orders/o_1", httpmock.NewJsonResponderOrPanic(200, order{ID: "o_1"}))
	v, err := get(t, newClientAt(t, "https://api.test", aplomb.Transport(mock)))
	assert.NoError(t, err)
	assert.Equal(t, v.ID, "o_1")
	assert.Equal(t, mock.GetTotalCallCount(), 1)
}

// A share that is not a number is refused.
func TestNaNIsNoSetting(t *testing.T) {
	t.Parallel()
	for _, o := range []aplomb.Option{aplomb.RateLimit{Headroom: math.NaN()}, aplomb.Breaker{Ratio: math.NaN()}, aplomb.Retry{Budget: math.NaN()}} {
		_, err := aplomb.New("https://api.test", o)
		assert.True(t, err != nil, o)
	}
}
