package main

import (
	"bytes"
	"io"
	"net/url"
	"strings"
	"sync"
)

// transcript passes on what the program prints and keeps a copy, together with
// the logs and errors it does not show, to be searched for secrets at the end.
type transcript struct {
	out io.Writer

	mu      sync.Mutex
	kept    bytes.Buffer
	secrets []string
}

func newTranscript(out io.Writer) *transcript { return &transcript{out: out} }

// Write shows p and keeps it.
func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept.Write(p)
	return t.out.Write(p)
}

// aside is a writer whose text is kept, but not shown.
func (t *transcript) aside() io.Writer { return asideWriter{t} }

type asideWriter struct{ t *transcript }

func (a asideWriter) Write(p []byte) (int, error) {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	return a.t.kept.Write(p)
}

// plant names values that must not be printed, in plain or as in a URL.
func (t *transcript) plant(secrets ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range secrets {
		if s == "" {
			continue
		}
		t.secrets = append(t.secrets, s)
		if escaped := url.QueryEscape(s); escaped != s {
			t.secrets = append(t.secrets, escaped)
		}
	}
}

// leaks counts where a planted secret stands in the text.
func (t *transcript) leaks() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, s := range t.secrets {
		n += strings.Count(t.kept.String(), s)
	}
	return n
}
