package aplomb_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

const (
	traceID   = "0af7651916cd43dd8448eb211c80319c"
	traceHead = "00-" + traceID + "-b7ad6b7169203331-01"
)

// TestTraceparent: each attempt has a span of its own within the caller's trace, which
// goes to nobody else.
func TestTraceparent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var sent []string
		record := func(r *http.Request) {
			sent = append(sent, r.Host+" "+r.Header.Get("Traceparent")+" "+r.Header.Get("Tracestate"))
		}
		n := aplombtest.NewNetwork(t)
		n.Serve("http://other.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { record(r); ok(w, r) }))
		script := aplombtest.NewScript(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://other.test/", http.StatusFound)
		}), aplombtest.Status(503), aplombtest.Pass())
		n.Serve("http://api.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { record(r); script.ServeHTTP(w, r) }))
		c := newClientAt(t, "http://api.test", aplomb.Transport(n.Transport()))
		in := http.Header{"Traceparent": {traceHead}, "Tracestate": {"a=1", "b=2"}}
		ctx := aplomb.NewContext(t.Context(), aplomb.Traceparent(in))
		_, err := aplomb.Get[order](ctx, c, "/")
		assert.NoError(t, err)
		assert.Equal(t, len(sent), 3)
		var spans []string
		for _, s := range sent[:2] {
			span, found := strings.CutPrefix(s, "api.test 00-"+traceID+"-")
			assert.True(t, found, s)
			span, found = strings.CutSuffix(span, "-01 a=1,b=2")
			assert.True(t, found && len(span) == 16, s)
			spans = append(spans, span)
		}
		assert.True(t, spans[0] != spans[1] && spans[0] != "b7ad6b7169203331", spans)
		assert.Equal(t, sent[2], "other.test  ")

		// What the caller has written stays.
		sent = nil
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://api.test/", http.NoBody)
		req.Header.Set("Traceparent", traceHead)
		resp, err := c.Do(req)
		assert.NoError(t, err)
		_ = resp.Body.Close()
		assert.Equal(t, sent[0], "api.test "+traceHead+" ")
		assert.Equal(t, len(req.Header), 1)
	})
}

// TestTraceparentBegins: where there is no valid one a trace begins, by section 3.2.
func TestTraceparentBegins(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var sent string
		c := newClient(t, aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sent = r.Header.Get("Traceparent") + r.Header.Get("Tracestate")
			ok(w, r)
		})))
		for in, goesOn := range map[string]bool{
			traceHead: true, strings.TrimSuffix(traceHead, "01") + "00": true, "01" + traceHead[2:] + "-more": true, "cc" + traceHead[2:]: true,
			"": false, "ff" + traceHead[2:]: false, traceHead + "-more": false, strings.ToUpper(traceHead): false, "0" + traceHead: false, traceHead + "0": false,
			"00-" + strings.Repeat("0", 32) + "-b7ad6b7169203331-01": false, "00-" + traceID + "-" + strings.Repeat("0", 16) + "-01": false,
			"00-" + traceID + "-b7ad6b7169203331": false, "00-" + traceID + "-b7ad6b7169203331-0": false, "0g" + traceHead[2:]: false,
		} {
			h := http.Header{"Traceparent": {in}, "Tracestate": {"a=\x01"}}
			_, err := aplomb.Get[order](t.Context(), c, "/", aplomb.Traceparent(h))
			assert.NoError(t, err)
			assert.Equal(t, strings.Contains(sent, traceID), goesOn, in)
			assert.Equal(t, len(sent), 55, in)
			assert.Equal(t, strings.HasSuffix(sent, "-01"), goesOn && strings.Contains(in, "-01"), in)
			assert.Equal(t, strings.HasSuffix(sent, "-03"), !goesOn, in)
		}
		for _, h := range []http.Header{nil, {"Traceparent": {traceHead, traceHead}}} {
			_, err := aplomb.Get[order](t.Context(), c, "/", aplomb.Traceparent(h))
			assert.NoError(t, err)
			assert.True(t, len(sent) == 55 && !strings.Contains(sent, traceID), sent)
		}
	})
}
