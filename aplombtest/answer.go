package aplombtest

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
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

// send sends the whole answer.
func (w *heldAnswer) send(to http.ResponseWriter) {
	maps.Copy(to.Header(), w.header)
	to.WriteHeader(w.code)
	_, _ = to.Write(w.body.Bytes())
}

// head is the answer's status line and headers as HTTP/1 has them, cut in two
// after the first header. The connection does not outlive it.
func (w *heldAnswer) head() (first, rest string) {
	w.header.Set("Connection", "close")
	w.header.Set("Content-Length", strconv.Itoa(w.body.Len()))
	var b strings.Builder
	_ = w.header.Write(&b) // to memory
	return fmt.Sprintf("HTTP/1.1 %d %s\r\nDate: %s\r\n", w.code, http.StatusText(w.code), time.Now().UTC().Format(http.TimeFormat)),
		b.String() + "\r\n"
}

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
