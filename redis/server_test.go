package redis_test

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// server is a Redis of the test's own: on a socket in a folder of its own,
// killed when the test ends.
type server struct {
	t       testing.TB
	keeps   []string // its settings for persistence
	program string
	dir     string
	cmd     *exec.Cmd
	printed io.ReadCloser
}

// startServer starts one without persistence.
func startServer(t testing.TB) *server {
	t.Helper()
	return startWith(t, "--appendonly", "no")
}

// startDurable starts one that keeps what it answered for.
func startDurable(t testing.TB) *server {
	t.Helper()
	return startWith(t, "--appendonly", "yes", "--appendfsync", "always")
}

func startWith(t testing.TB, keeps ...string) *server {
	t.Helper()
	s := &server{t: t, keeps: keeps}
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			s.program = path
			break
		}
	}
	if s.program == "" {
		missing(t, "no redis-server in PATH: install it (Debian: apt-get install redis-server; macOS: brew install redis); its service need not run")
	}
	var err error
	if s.dir, err = os.MkdirTemp("", "redis"); err != nil { //nolint:usetesting // t.TempDir's names can be too long for a socket
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(s.dir) })
	t.Cleanup(s.kill)
	s.start()
	return s
}

// missing skips, and fails in CI, where a quiet skip would let an untested
// server pass for a tested one.
func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("APLOMB_REQUIRE_SERVERS") == "1" {
		t.Fatal("missing, and APLOMB_REQUIRE_SERVERS is 1: " + why)
	}
	t.Skip(why)
}

func (s *server) socket() string { return filepath.Join(s.dir, "s") }

func (s *server) start() {
	s.t.Helper()
	s.cmd = exec.Command(s.program, append([]string{"--port", "0", "--unixsocket", s.socket(), "--save", "", "--dir", s.dir}, s.keeps...)...)
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.printed = stdout
	var printed strings.Builder
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		printed.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "ready to accept connections") {
			return // what it prints from now on fits into the pipe
		}
	}
	s.t.Fatalf("redis-server ended before it listened; it printed:\n%s", printed.String())
}

func (s *server) kill() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill() // it may have ended by itself
		_ = s.cmd.Wait()         // reports the kill
	}
}

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// client is a client of the server, as the package's comment advises to make
// one, without retries of its own, which would hide what is tested.
func (s *server) client() *redis.Client {
	c := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket(), ContextTimeoutEnabled: true, MaxRetries: -1, Protocol: 2})
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// older makes every record older by d, as if d had passed.
var older = redis.NewScript(`
local d = tonumber(ARGV[1])
for _, key in ipairs(redis.call('KEYS', '*')) do
  for _, field in ipairs({ 'seen', 'at', 'closed' }) do
    local v = tonumber(redis.call('HGET', key, field))
    v = v and v > 0 and redis.call('HSET', key, field, string.format('%.0f', v - d))
  end
  local learned = redis.call('HGET', key, 'learned') or ''
  local function earlier(till) return ':' .. string.format('%.0f', tonumber(till) - d) .. ';' end
  redis.call('HSET', key, 'learned', (string.gsub(learned, ':(%d+);', earlier)))
  redis.call('PEXPIRE', key, string.format('%.0f', redis.call('PTTL', key) - math.floor(d / 1000)))
end
return 0`)

// passer lets time pass for the store.
func passer(t testing.TB, c *redis.Client) func(time.Duration) {
	return func(d time.Duration) {
		t.Helper()
		if err := older.Run(context.Background(), c, nil, d.Microseconds()).Err(); err != nil {
			t.Fatal(err)
		}
	}
}
