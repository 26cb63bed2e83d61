package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestServe: with -serve the live page is up after the tour, and goes with ctrl-C.
func TestServe(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, in, func(string) string { return "" }, []string{"-serve"})
		_ = in.Close()
	}()
	var address string
	lines := bufio.NewScanner(out)
	for address == "" && lines.Scan() {
		address = regexp.MustCompile(`http://127\.0\.0\.1:\d+/`).FindString(lines.Text())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	if address == "" {
		cancel()
		t.Fatalf("no live page: %v", <-ended)
	}
	resp, err := http.Get(address) //nolint:noctx // it is on this machine
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(page), "warehouse") && !strings.Contains(string(page), "inventory") {
		t.Errorf("status %d, %v: %.500s", resp.StatusCode, err, page)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := http.Get(address); err == nil { //nolint:noctx // as above
		t.Error("the page is still there")
	}
}
