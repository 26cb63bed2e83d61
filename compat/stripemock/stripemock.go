// Package stripemock starts stripe-mock, Stripe's own test server, which holds
// each request against Stripe's OpenAPI description. It answers one question:
// is what we send legal? It keeps no state, so pagination, idempotency and most
// errors are the business of the fake in aplombtest.
package stripemock

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// startLimit bounds the wait for both listeners; starting takes about a second.
const startLimit = 30 * time.Second

// Start runs a stripe-mock of its own for the test on a free loopback port and
// returns its base URL, "http://127.0.0.1:PORT". The server is killed when the
// test ends. The program is built from the version in compat/go.mod, once: the
// go command keeps it (the first build takes about 20 seconds on two cores).
//
// Its version and limits: any key that begins sk_test_ or rk_test_ will do; a
// /v2/ path is always 404.
func Start(tb testing.TB) (baseURL string) {
	tb.Helper()
	program, err := build()
	if err != nil {
		tb.Fatal(err)
	}
	// Both addresses: given only one, it opens a well-known port for the other,
	// on all interfaces.
	cmd := exec.Command(program, "-http-addr", "127.0.0.1:0", "-https-addr", "127.0.0.1:0")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		_ = cmd.Wait()         // reports the kill
	})

	addr := make(chan string, 1)
	failed := make(chan string, 1)
	go func() {
		if a, seen := listening(stdout); a != "" {
			addr <- a
		} else {
			failed <- seen
		}
		_, _ = io.Copy(io.Discard, stdout) // a full pipe would stop the server
	}()
	select {
	case a := <-addr:
		return "http://" + a
	case seen := <-failed:
		tb.Fatalf("stripe-mock ended before it listened; it printed:\n%s", seen)
	case <-time.After(startLimit):
		tb.Fatalf("stripe-mock does not listen after %v", startLimit)
	}
	return ""
}

// listening reads what the server prints until both listeners are up, and
// returns the address of the plain one; or "" and what was printed.
func listening(stdout io.Reader) (addr, seen string) {
	var printed strings.Builder
	var tls bool
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		line := lines.Text()
		fmt.Fprintln(&printed, line)
		if a, ok := strings.CutPrefix(line, "Listening for HTTP at address: "); ok {
			addr = a
		}
		if strings.HasPrefix(line, "Listening for HTTPS at address: ") {
			tls = true
		}
		if addr != "" && tls {
			return addr, ""
		}
	}
	return "", printed.String()
}

// build has the go command build the tool and say where it put it. The test
// owns the process then, which `go tool stripe-mock` would stand in front of.
var build = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("go", "tool", "-n", "stripe-mock")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("building stripe-mock: %w\n%s", err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
})
