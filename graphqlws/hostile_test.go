package graphqlws_test

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/graphql"
	"github.com/aplomb-go/aplomb/graphqlws"
)

func frame(s string) []byte {
	b := []byte{0x81}
	if len(s) < 126 {
		b = append(b, byte(len(s)))
	} else {
		b = append(b, 126, byte(len(s)>>8), byte(len(s)))
	}
	return append(b, s...)
}

// mute upgrades, sends texts, then never answers or closes.
func mute(t *testing.T, texts ...string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				r, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil {
					return
				}
				h := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
				fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n", base64.StdEncoding.EncodeToString(h[:]))
				for _, s := range texts {
					c.Write(frame(s))
				}
				<-time.After(20 * time.Second)
				c.Close()
			}()
		}
	}()
	return "ws://" + l.Addr().String() + "/graphql"
}

func TestHostileCloseHangs(t *testing.T) {
	for name, texts := range map[string][]string{
		"nonsense before ack": {`{"type":"connection_error"}`},
		"nonsense after ack":  {`{"type":"connection_ack"}`, `{"type":"ka"}`},
		"too large":           {`{"type":"connection_ack"}`, `{"id":"1","type":"next","payload":{"data":"` + strings.Repeat("x", 500) + `"}}`},
		"complete":            {`{"type":"connection_ack"}`, `{"id":"1","type":"complete"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api, err := aplomb.New("http://127.0.0.1:1")
			if err != nil {
				t.Fatal(err)
			}
			gh := graphql.New(api, graphql.WebSocket(mute(t, texts...), graphqlws.Dialer{}), graphql.MaxEvent(300))
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			start := time.Now()
			for _, err := range graphql.Subscribe[event](ctx, gh, `subscription { count }`, nil) {
				t.Log(time.Since(start), err)
			}
			if d := time.Since(start); d > 2*time.Second {
				t.Errorf("ended only after %v with a ctx of 500 ms", d)
			}
		})
	}
}

func TestHostileURLSecret(t *testing.T) {
	api, _ := aplomb.New("http://127.0.0.1:1")
	gh := graphql.New(api, graphql.WebSocket("ws://127.0.0.1:1/graphql?key=opaque-zebra-42&t=opaque-lion-7", graphqlws.Dialer{}))
	for _, err := range graphql.Subscribe[event](t.Context(), gh, `subscription { count }`, nil) {
		t.Log(err)
		if strings.Contains(fmt.Sprintf("%+v", err), "zebra") || strings.Contains(err.Error(), "lion") {
			t.Errorf("leak %v", err)
		}
	}
}
