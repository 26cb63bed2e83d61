// Package graphqlws opens the WebSockets of package graphql with
// github.com/coder/websocket. It is a module of its own, so that a program without
// subscriptions over WebSockets does not link one:
//
//	shop := graphql.New(api, graphql.WebSocket("wss://shop.example/graphql", graphqlws.Dialer{Client: api.HTTPClient()}))
//	for o, err := range graphql.Subscribe[Order](ctx, shop, `subscription { order { id state } }`, nil) {
//		...
//	}
package graphqlws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/graphql"
	"github.com/coder/websocket"
)

// Dialer is a graphql.Dialer. Its zero value dials with a plain http.Client.
type Dialer struct {
	// Client makes the request that becomes the WebSocket. That of an aplomb
	// client, aplomb.Client.HTTPClient, has its credential, limits and retries,
	// provided that the WebSocket is at the origin of its base URL, ws standing for
	// http. Nil is a client of its own for each connection.
	Client *http.Client
	// Header goes with the request, such as an Origin that the server asks for.
	// Cookies and tokens in it go wherever the URL points.
	Header http.Header
}

var _ graphql.Dialer = Dialer{}

// DialContext opens a WebSocket. An answer other than 101 is an *aplomb.APIError
// with its status and the first KiB of its body.
func (d Dialer) DialContext(ctx context.Context, url, subprotocol string) (graphql.Conn, error) {
	client := d.Client
	if client == nil {
		client = &http.Client{Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 5 * time.Second, DisableKeepAlives: true,
		}}
	}
	c, resp, err := websocket.Dial(ctx, url, &websocket.DialOptions{
		HTTPClient: client, HTTPHeader: d.Header, Subprotocols: []string{subprotocol},
	})
	switch {
	case err != nil && resp != nil && resp.StatusCode != http.StatusSwitchingProtocols:
		return nil, refusal(resp)
	case err != nil:
		return nil, err
	case c.Subprotocol() != subprotocol:
		_ = c.CloseNow()
		return nil, fmt.Errorf("the server does not speak %s", subprotocol)
	}
	c.SetReadLimit(-1) // package graphql has a limit of its own
	return conn{c}, nil
}

// Format keeps fmt from printing the header.
func (d Dialer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "graphqlws.Dialer") }

// refusal is the error of an answer that is no WebSocket.
func refusal(resp *http.Response) error {
	e := &aplomb.APIError{
		Operation: "WebSocket", StatusCode: resp.StatusCode, Header: resp.Header, Attempts: 1,
	}
	if resp.Request != nil {
		e.Client = resp.Request.URL.Host
	}
	if resp.Body != nil {
		e.Body, _ = io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // what is missing of it, the status says
		_ = resp.Body.Close()
	}
	after := resp.Header.Get("Retry-After") // RFC 9110, section 10.2.3
	if seconds, err := strconv.ParseUint(after, 10, 31); err == nil {
		e.RetryAfter = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(after); err == nil {
		e.RetryAfter = max(0, time.Until(at))
	}
	return e
}

// conn is a graphql.Conn.
type conn struct{ c *websocket.Conn }

func (c conn) Reader(ctx context.Context) (io.Reader, error) {
	kind, r, err := c.c.Reader(ctx)
	if err != nil {
		return nil, typed(err)
	}
	if kind != websocket.MessageText {
		return nil, errors.New("a binary message, where only text is spoken")
	}
	return r, nil
}

func (c conn) Write(ctx context.Context, message []byte) error {
	return typed(c.c.Write(ctx, websocket.MessageText, message))
}

// Close says goodbye where all went well. After a fault the connection is cut: coder's
// Close waits five seconds for the answer of a peer that nobody reads from any more.
func (c conn) Close(code int, reason string) error {
	if code != int(websocket.StatusNormalClosure) {
		return c.c.CloseNow()
	}
	return c.c.Close(websocket.StatusCode(code), reason)
}

// typed gives a close the type by which package graphql knows it.
func typed(err error) error {
	if closed, ok := errors.AsType[websocket.CloseError](err); ok {
		return &graphql.CloseError{Code: int(closed.Code), Reason: closed.Reason}
	}
	return err
}
