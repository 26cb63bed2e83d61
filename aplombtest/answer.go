package aplombtest

import (
	"bytes"
	"maps"
	"net/http"
)

// heldAnswer is an answer that a handler has given and nobody has sent yet.
type heldAnswer struct {
	header http.Header // what the handler holds; later changes to it are ours
	sent   http.Header // as it was when the handler wrote
	code   int
	body   bytes.Buffer
}

// holdAnswer runs h and keeps what it answers.
func holdAnswer(h http.Handler, r *http.Request) *heldAnswer {
	w := &heldAnswer{header: http.Header{}}
	h.ServeHTTP(w, r)
	w.WriteHeader(http.StatusOK) // if it has written nothing
	w.header = w.sent
	return w
}

func (w *heldAnswer) Header() http.Header { return w.header }

// WriteHeader keeps the first final status, as net/http does. Informational
// ones (1xx) are let go: no fault is about them.
func (w *heldAnswer) WriteHeader(code int) {
	if w.code == 0 && code >= http.StatusOK {
		w.code, w.sent = code, w.header.Clone()
	}
}

func (w *heldAnswer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// Flush makes a handler believe that it streams.
func (w *heldAnswer) Flush() { w.WriteHeader(http.StatusOK) }

// begin sends status, headers and the first n bytes of the body to the client.
func (w *heldAnswer) begin(to http.ResponseWriter, n int) {
	if w.header.Get("Content-Type") == "" && w.body.Len() > 0 {
		w.header.Set("Content-Type", http.DetectContentType(w.body.Bytes()))
	}
	maps.Copy(to.Header(), w.header)
	to.WriteHeader(w.code)
	_, _ = to.Write(w.body.Bytes()[:min(n, w.body.Len())])
	_ = http.NewResponseController(to).Flush()
}
