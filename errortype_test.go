package aplomb_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// What went wrong has a word that does not change with net/http's types, and the
// attempt's is the call's, but for where no attempt was to blame.
func TestErrorTypeWords(t *testing.T) {
	t.Parallel()
	fault := func(f aplombtest.Fault) func(*aplombtest.Network) {
		return func(n *aplombtest.Network) {
			n.Serve("https://api.test", aplombtest.NewScript(answers(`{"id":"o_1"}`), f))
		}
	}
	trouble := func(tr aplombtest.Trouble) func(*aplombtest.Network) {
		return func(n *aplombtest.Network) {
			n.Serve("https://api.test", answers(`{}`))
			n.Break("api.test", tr)
		}
	}
	large := aplombtest.Answer(answers(`"` + strings.Repeat("x", 2000) + `"`))
	for name, tt := range map[string]struct {
		meets         func(*aplombtest.Network)
		attempt, call string
		status        int
		opts          []aplomb.Option
	}{
		"answered":        {fault(aplombtest.Pass()), "", "", 200, nil},
		"404":             {fault(aplombtest.Status(404)), "404", "404", 404, nil},
		"503":             {fault(aplombtest.Status(503)), "503", "503", 503, nil},
		"429":             {fault(aplombtest.Status(429)), "429", "429", 429, nil},
		"unknown status":  {fault(aplombtest.Status(499)), "499", "499", 499, nil},
		"reset":           {fault(aplombtest.Reset()), "connection_reset", "connection_reset", 0, nil},
		"silent":          {fault(aplombtest.Stall(0)), "timeout", "timeout", 0, nil},
		"broken off":      {fault(aplombtest.TruncatedBody(3)), "truncated", "truncated", 200, nil},
		"body hangs":      {fault(aplombtest.StallBody(3, 0)), "timeout", "timeout", 200, nil},
		"too much":        {fault(large), "too_large", "too_large", 200, nil},
		"not JSON":        {fault(aplombtest.Answer(answers(`oops`))), "", "decode_error", 200, nil},
		"refused":         {trouble(aplombtest.DialRefused), "connection_refused", "connection_refused", 0, nil},
		"no such host":    {trouble(aplombtest.DNSNotFound), "name_resolution", "name_resolution", 0, nil},
		"dial hangs":      {trouble(aplombtest.DialHangs), "timeout", "timeout", 0, nil},
		"certificate old": {trouble(aplombtest.TLSExpired), "tls", "tls", 0, nil},
		"not TLS":         {trouble(aplombtest.TLSPlain), "tls", "tls", 0, nil},
		"TLS alert":       {trouble(aplombtest.TLSAlert), "tls", "tls", 0, nil},
		"TLS hangs":       {trouble(aplombtest.TLSHangs), "timeout", "timeout", 0, nil},
		"not HTTP":        {fault(aplombtest.Raw("220 mail.test ESMTP\r\n")), "network", "network", 0, nil},
		"no credential": {fault(aplombtest.Pass()), "no_credential", "no_credential", 0, []aplomb.Option{
			aplomb.Bearer(sealed{})}},
		"judged": {fault(aplombtest.Pass()), "throttled", "", 200, []aplomb.Option{
			aplomb.Judge(func(*aplomb.Attempt) aplomb.Verdict { return aplomb.Verdict{Outcome: aplomb.OutcomeThrottled} })}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := aplombtest.NewNetwork(t)
				tt.meets(n)
				var attempt aplomb.AttemptEvent
				var call aplomb.CallEvent
				c, err := aplomb.New("https://api.test", append(tt.opts, aplomb.Transport(http1(n)), aplomb.NoRetry(), aplomb.MaxBody(1000), aplomb.Hooks{
					AttemptDone: func(_ context.Context, e aplomb.AttemptEvent) { attempt = e },
					CallDone:    func(_ context.Context, e aplomb.CallEvent) { call = e },
				})...)
				assert.NoError(t, err)
				t.Cleanup(c.CloseIdleConnections)
				_, _ = aplomb.Get[order](context.Background(), c, "/v1/orders")
				assert.Equal(t, attempt.ErrorType(), tt.attempt)
				assert.Equal(t, call.ErrorType(), tt.call)
				assert.Equal(t, attempt.Status, tt.status)
			})
		})
	}
}

// The caller's own cancel is none of the server's errors, and has a word of its own.
func TestErrorTypeOfACancel(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var attempt aplomb.AttemptEvent
		srv := aplombtest.NewServer(t, aplombtest.NewScript(answers(`{}`), aplombtest.Stall(0)))
		c := newClient(t, srv, aplomb.Hooks{AttemptDone: func(_ context.Context, e aplomb.AttemptEvent) { attempt = e }})
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		_, _ = aplomb.Get[order](ctx, c, "/v1/orders")
		assert.Equal(t, attempt.ErrorType(), "canceled")
	})
}

// sealed is a secrets manager that gives nothing out.
type sealed struct{}

func (sealed) Secret(context.Context) (aplomb.Secret, error) {
	return aplomb.Secret{}, errors.New("the vault is sealed")
}

// answers is an API that says the same each time.
func answers(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// http1 is a transport without HTTP/2, whose resets look like those of connections.
func http1(n *aplombtest.Network) *http.Transport {
	transport := n.Transport()
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(true)
	return transport
}
