package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/aplomb-go/aplomb/transfer"
)

const size = 8 << 20

// show downloads from a server whose connections break, in two runs.
func show(ctx context.Context, out, terminal io.Writer) error {
	dir, err := os.MkdirTemp("", "download")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	srv := httptest.NewServer(newShaky())
	defer srv.Close()
	name := filepath.Join(dir, "export.bin")

	first, stop := context.WithCancel(ctx)
	defer stop()
	err = fetch(first, out, &stopper{terminal, stop}, srv.URL+"/export.bin", name, transfer.Download{})
	if err == nil || ctx.Err() != nil {
		return fmt.Errorf("the first run was not stopped: %w", err)
	}
	fmt.Fprintln(out, "the first run was stopped; beside the file lie:")
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		fmt.Fprintln(out, "  "+e.Name())
	}
	if err != nil {
		return err
	}
	return fetch(ctx, out, terminal, srv.URL+"/export.bin", name, transfer.Download{})
}

// stopper stops the run when the first break is told of.
type stopper struct {
	io.Writer
	stop context.CancelFunc
}

func (s *stopper) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte("broken")) {
		s.stop()
	}
	return s.Writer.Write(p)
}

// shaky serves one file, slowly, and breaks the connection at some of its offsets.
type shaky struct {
	data   []byte
	digest string
	cuts   []int64
}

func newShaky() *shaky {
	s := &shaky{data: make([]byte, size), cuts: []int64{3 << 20, 5 << 20, 6<<20 + 7}}
	src := rand.NewChaCha8([32]byte{1})
	_, _ = src.Read(s.data)
	sum := sha256.Sum256(s.data)
	s.digest = "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	return s
}

func (s *shaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"export-1"`)
	w.Header().Set("Repr-Digest", s.digest)
	http.ServeContent(w, r, "export.bin", time.Time{}, &cut{bytes.NewReader(s.data), s, w})
}

// cut reads the file for one answer.
type cut struct {
	*bytes.Reader
	s *shaky
	w http.ResponseWriter
}

func (c *cut) Read(p []byte) (int, error) {
	time.Sleep(2 * time.Millisecond)
	if at := size - int64(c.Len()); len(c.s.cuts) > 0 && at < size {
		if p = p[:min(int64(len(p)), max(0, c.s.cuts[0]-at))]; len(p) == 0 {
			c.s.cuts = c.s.cuts[1:]
			_ = http.NewResponseController(c.w).Flush()
			panic(http.ErrAbortHandler)
		}
	}
	return c.Reader.Read(p)
}
