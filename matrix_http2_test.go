package aplomb_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/internal/memnet"
)

// The frames of HTTP/2 that the matrix needs (RFC 9113, sections 6 and 7).
const (
	h2Data, h2Headers, h2RstStream, h2Settings, h2Ping, h2GoAway, h2WindowUpdate = 0, 1, 3, 4, 6, 7, 8

	h2EndStream, h2Ack, h2EndHeaders = 1, 1, 4

	h2NoError, h2InternalError, h2RefusedStream = 0, 2, 7

	h2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
)

// h2Conn is the server's end of an HTTP/2 connection.
type h2Conn struct{ net.Conn }

// h2Step answers one request, the stream of that id.
type h2Step func(c h2Conn, id uint32)

func (c h2Conn) frame(kind, flags byte, id uint32, payload ...byte) {
	n := len(payload)
	head := binary.BigEndian.AppendUint32([]byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}, id)
	_, _ = c.Write(append(head, payload...))
}

func (c h2Conn) reset(id uint32, code byte) { c.frame(h2RstStream, 0, id, 0, 0, 0, code) }

func (c h2Conn) goAway(last uint32, code byte) {
	c.frame(h2GoAway, 0, 0, append(binary.BigEndian.AppendUint32(nil, last), 0, 0, 0, code)...)
}

// headers begins a 200: 0x88 is ":status: 200" in HPACK's static table
// (RFC 7541, appendix A).
func (c h2Conn) headers(id uint32) { c.frame(h2Headers, h2EndHeaders, id, 0x88) }

func h2OK(c h2Conn, id uint32) {
	c.headers(id)
	c.frame(h2Data, h2EndStream, id, []byte(`{"id":"o_1"}`)...)
}

func h2Refuse(c h2Conn, id uint32) { c.reset(id, h2RefusedStream) }

// h2CutShort fails inside after it has begun to answer.
func h2CutShort(c h2Conn, id uint32) {
	c.headers(id)
	c.frame(h2Data, 0, id, []byte(`{"id":`)...)
	pause(time.Millisecond) // lest the reset overtakes the headers
	c.reset(id, h2InternalError)
}

// h2Leave goes away; last is the last stream it has worked on.
func h2Leave(last uint32) h2Step {
	return func(c h2Conn, _ uint32) {
		c.goAway(last, h2NoError)
		_ = c.Close()
	}
}

// serve answers each request on the connection with what step it is given.
func (c h2Conn) serve(step func() h2Step) {
	defer func() { _ = c.Close() }()
	if _, err := io.ReadFull(c, make([]byte, len(h2Preface))); err != nil {
		return
	}
	c.frame(h2Settings, 0, 0, 0, 4, 0, 16, 0, 0) // SETTINGS_INITIAL_WINDOW_SIZE: 1 MiB, more than any body here
	c.frame(h2WindowUpdate, 0, 0, 0, 16, 0, 0)
	for {
		head := make([]byte, 9)
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(c, payload); err != nil {
			return
		}
		switch kind, flags, id := head[3], head[4], binary.BigEndian.Uint32(head[5:]); {
		case kind == h2Settings && flags&h2Ack == 0:
			c.frame(h2Settings, h2Ack, 0)
		case kind == h2Ping && flags&h2Ack == 0:
			c.frame(h2Ping, h2Ack, 0, payload...)
		case (kind == h2Headers || kind == h2Data) && flags&h2EndStream != 0:
			step()(c, id)
		}
	}
}

// http2 puts a server of frames in the place of the network's: it answers the
// n-th request with the n-th step, the last one for ever.
func http2(steps ...h2Step) func(*rig) {
	return func(m *rig) {
		listener := memnet.Listen("api.test:80")
		m.Cleanup(func() { _ = listener.Close() })
		m.base = &http.Transport{DialContext: listener.DialContext, Protocols: new(http.Protocols)}
		m.base.Protocols.SetUnencryptedHTTP2(true)
		next := func() h2Step {
			m.api.mu.Lock()
			defer m.api.mu.Unlock()
			m.api.seen, m.api.at = append(m.api.seen, nil), append(m.api.at, time.Now())
			return steps[min(len(m.api.seen), len(steps))-1]
		}
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go h2Conn{conn}.serve(next)
			}
		}()
	}
}

// HTTP/2: a stream that the server has not worked on may be sent again whatever
// its method. net/http does so itself, so that it is one attempt here.
func http2Rows() []faultRow {
	atOnce := []time.Duration{0}
	return []faultRow{
		{name: "33 REFUSED_STREAM", inject: http2(h2Refuse, h2OK), want: outcome{
			requests: 2, waits: atOnce, attempts: 1, dials: 1, kept: 1, status: 200}},
		{name: "33 REFUSED_STREAM, POST", inject: http2(h2Refuse, h2OK), call: postOrder, want: outcome{
			requests: 2, waits: atOnce, attempts: 1, dials: 1, kept: 1, status: 200}},
		{name: "33 REFUSED_STREAM, body that cannot be read again", inject: http2(h2Refuse, h2OK), want: outcome{
			requests: 1, dials: 1, kept: 1, err: "CallError", says: []string{"REFUSED_STREAM", "the request body cannot be read again"}},
			call: func(m *rig) error { return m.pipe("POST") }},
		{name: "33 REFUSED_STREAM, nothing is resent", inject: http2(h2Refuse, h2OK), opts: []aplomb.Option{aplomb.NoRetry()}, want: outcome{
			requests: 1, dials: 1, kept: 1, err: "CallError", says: []string{"REFUSED_STREAM"}},
			call: func(m *rig) error { return m.pipe("POST") },
			also: func(m *rig, err error) { assert.NotContains(m.T, err.Error(), "taken effect") }},
		{name: "33 GOAWAY before the stream, POST", inject: http2(h2Leave(0), h2OK), call: postOrder, want: outcome{
			requests: 2, waits: atOnce, attempts: 1, dials: 2, kept: 1, status: 200}},
		{name: "33 GOAWAY after the stream", inject: http2(h2Leave(1), h2OK), want: outcome{
			requests: 2, waits: allWaits[:1], takes: first, dials: 2, kept: 1, status: 200}},
		{name: "33p GOAWAY after the stream, POST", inject: http2(h2Leave(1), h2OK), call: postOrder, want: outcome{
			requests: 1, dials: 1, err: "CallError", says: []string{"GOAWAY", sentTwice}}},
		{name: "34 RST_STREAM INTERNAL_ERROR in the body", inject: http2(h2CutShort, h2OK), want: outcome{
			requests: 2, waits: []time.Duration{first + millisecond}, takes: first + millisecond, dials: 1, kept: 1, status: 200}},
		{name: "34 RST_STREAM INTERNAL_ERROR in the body, streamed", inject: http2(h2CutShort, h2OK), call: stream, want: outcome{
			requests: 1, takes: millisecond, dials: 1, kept: 1, status: 200, err: "http.http2StreamError", says: []string{"INTERNAL_ERROR"}}},
		{name: "34p RST_STREAM INTERNAL_ERROR in the body, POST", inject: http2(h2CutShort, h2OK), call: postOrder, want: outcome{
			requests: 1, status: 200, takes: millisecond, dials: 1, kept: 1, err: "CallError", says: []string{"INTERNAL_ERROR; received from peer", sentTwice}}},
	}
}
