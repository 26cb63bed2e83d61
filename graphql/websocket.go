package graphql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Subprotocol is what [WebSocket] speaks
// (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md). Its older
// sibling, confusingly called graphql-ws, is another protocol.
const Subprotocol = "graphql-transport-ws"

// Dialer opens WebSockets. Package graphqlws, a module of its own, makes one of
// github.com/coder/websocket.
type Dialer interface {
	// DialContext opens a connection to a ws or wss URL and asks for the
	// subprotocol; a server that does not agree to it is an error. An error that
	// wraps an [*aplomb.APIError] says what the server answered instead: a status
	// of 4xx, but 408 and 429, is not tried again.
	DialContext(ctx context.Context, url, subprotocol string) (Conn, error)
}

// Conn is a WebSocket. Of each method one call is under way at a time, but
// different ones run at once. It answers the pings of the WebSocket itself.
type Conn interface {
	// Reader waits for the next message. The reader is read to its end, or not at
	// all, before the next call, and both end when ctx does. What the peer closes
	// with is a [*CloseError].
	Reader(ctx context.Context) (io.Reader, error)
	// Write sends a text message.
	Write(ctx context.Context, message []byte) error
	// Close says goodbye and frees the connection; pending calls return. It may
	// wait for the peer, but no longer than a pending Reader's ctx lasts.
	Close(code int, reason string) error
}

// CloseError is what a peer closed a [Conn] with
// (https://www.rfc-editor.org/rfc/rfc6455#section-7.4).
type CloseError struct {
	Code   int
	Reason string // the peer's words
}

// Error is one line: the code and the reason.
func (e *CloseError) Error() string { return safe(e.words()) }

func (e *CloseError) words() string {
	if e.Reason == "" {
		return fmt.Sprintf("closed with code %d", e.Code)
	}
	return fmt.Sprintf("closed with code %d: %s", e.Code, e.Reason)
}

// Format prints the line for every verb.
func (e *CloseError) Format(f fmt.State, verb rune) { formatLine(f, verb, e.Error()) }

// final reports a code after which another connection would fare no better, as
// the protocol's reference client has it.
func (e *CloseError) final() bool {
	switch e.Code {
	case 1000, 1001, 1005, 1006, 1012, 1013, 1014:
		return false
	case 4400, 4401, 4406, 4409, 4429, 4500, 4004, 4005:
		return true
	}
	return e.Code < 2000
}

// WebSocket has [Subscribe] use a WebSocket at a ws or wss URL instead of
// server-sent events. Given to [New] it holds for every subscription of the
// client; queries and mutations go by HTTP as before.
//
// Each subscription has a connection of its own, made when the range begins, and
// the connection is the Dialer's: graphqlws.Dialer{Client: api.HTTPClient()} dials
// with api's credential, limits and retries, graphqlws.Dialer{} with none. The
// options of HTTP calls, such as aplomb.Header, do not hold there; most servers look
// into [InitPayload]. The dial and the server's acknowledgement may take 10 s each.
//
// The server's pings are answered at once, also while the loop's body is busy;
// events that come meanwhile are kept, up to the size of [MaxEvent] in all. After
// that nothing is read until the loop goes on.
func WebSocket(socketURL string, d Dialer) aplomb.CallOption {
	return own("WebSocket", func(p *plan) error {
		u, err := url.Parse(socketURL)
		switch {
		case err != nil || u.Scheme != "ws" && u.Scheme != "wss" || u.Hostname() == "":
			return errors.New("graphql: WebSocket: the URL must read wss://host/path, or ws:// for a server nearby")
		case u.User != nil:
			return errors.New("graphql: WebSocket: the URL has a user or password: give them to the Dialer or InitPayload")
		case d == nil:
			return errors.New("graphql: WebSocket: the Dialer is nil")
		}
		p.stream.socket = &address{socketURL, d}
		return nil
	})
}

// address is where a WebSocket goes, and who opens it.
type address struct {
	url    string
	dialer Dialer
}

// InitPayload gives the payload of a [WebSocket]'s connection_init, which is where
// most servers look for a credential:
//
//	graphql.InitPayload(func(ctx context.Context) (any, error) {
//		t, err := tokens.Token(ctx)
//		return map[string]string{"Authorization": "Bearer " + t.Value.Reveal()}, err
//	})
//
// It is asked anew for each connection, before
// the dial, so that a token is fresh. Nothing of it is shown in an error.
func InitPayload(payload func(ctx context.Context) (any, error)) aplomb.CallOption {
	return own("InitPayload", func(p *plan) error {
		if payload == nil {
			return errors.New("graphql: InitPayload: the function is nil")
		}
		p.stream.init = payload
		return nil
	})
}

// Heartbeat is the silence on a [WebSocket] after which a ping is sent. As long
// again without a word from the server and the connection is lost. Default 15 s.
func Heartbeat(silence time.Duration) aplomb.CallOption {
	return own("Heartbeat", func(p *plan) error {
		if silence <= 0 {
			return fmt.Errorf("graphql: Heartbeat: %v is not a positive duration; NoHeartbeat switches it off", silence)
		}
		p.stream.silence = silence
		return nil
	})
}

// NoHeartbeat sends no pings, for a server that does not know them. Then a
// connection that fell silent is noticed by no one but its network.
func NoHeartbeat() aplomb.CallOption {
	return own("NoHeartbeat", func(p *plan) error { p.stream.silence = -1; return nil })
}

const (
	dialTime         = 10 * time.Second
	ackTime          = 10 * time.Second
	writeTime        = 10 * time.Second
	farewellTime     = time.Second // for each of the two words of parting, with a server that is gone
	defaultHeartbeat = 15 * time.Second
)
