// Package postgres starts a PostgreSQL of a test's own: in a folder of its own, on
// a socket, killed when the test ends.
package postgres

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // as pgx
	_ "github.com/lib/pq"              // as postgres

	"github.com/aplomb-go/aplomb/compat/need"
)

// Server is a PostgreSQL that can be killed, frozen and started again.
type Server struct {
	tb   testing.TB
	bin  string // folder of its programs
	dir  string
	as   *syscall.SysProcAttr
	cmd  *exec.Cmd
	dead bool
}

// Start starts one, and waits until it takes connections.
func Start(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{tb: tb, bin: programs(tb), as: user0(tb)}
	var err error
	if s.dir, err = os.MkdirTemp("", "pg"); err != nil { //nolint:usetesting // t.TempDir's names can be too long for a socket
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(s.dir) })
	if s.as.Credential != nil {
		if err := os.Chown(s.dir, int(s.as.Credential.Uid), int(s.as.Credential.Gid)); err != nil {
			tb.Fatal(err)
		}
	}
	// --no-sync: only the creation is not synced; the server is.
	initdb := s.command("initdb", "-D", s.data(), "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C")
	if out, err := initdb.CombinedOutput(); err != nil {
		tb.Fatalf("initdb: %v\n%s", err, out)
	}
	s.Start()
	tb.Cleanup(s.Kill)
	return s
}

// programs is the folder of the newest PostgreSQL.
func programs(tb testing.TB) string {
	tb.Helper()
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/initdb", "/opt/homebrew/opt/postgresql*/bin/initdb", "/usr/local/opt/postgresql*/bin/initdb"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return filepath.Dir(found[len(found)-1])
		}
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	need.Missingf(tb, "no PostgreSQL: install it (Debian: apt-get install postgresql; macOS: brew install postgresql); its service need not run")
	return ""
}

// user0 has PostgreSQL run as somebody else than root, which it refuses.
func user0(tb testing.TB) *syscall.SysProcAttr {
	tb.Helper()
	attr := &syscall.SysProcAttr{}
	if os.Getuid() != 0 {
		return attr
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.ParseUint(u.Uid, 10, 32)
			gid, _ := strconv.ParseUint(u.Gid, 10, 32)
			attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
			return attr
		}
	}
	need.Missingf(tb, "PostgreSQL does not run as root, and there is no other user")
	return attr
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, program), args...)
	cmd.Dir, cmd.SysProcAttr = s.dir, s.as
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	return cmd
}

// Start starts the server again.
func (s *Server) Start() {
	s.tb.Helper()
	s.cmd = s.command("postgres", "-D", s.data(), "-c", "listen_addresses=", "-c", "unix_socket_directories="+s.dir, "-c", "max_connections=200")
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		s.tb.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.tb.Fatal(err)
	}
	s.dead = false
	var printed strings.Builder
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		printed.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "ready to accept connections") {
			go func() { // or its pipe would be full some time
				for lines.Scan() {
				}
			}()
			return
		}
	}
	s.tb.Fatalf("postgres ended before it listened; it printed:\n%s", printed.String())
}

// Kill kills the server and all of its processes, as a power cut would.
func (s *Server) Kill() {
	if s.dead {
		return
	}
	s.dead = true
	for _, pid := range s.processes() {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
	}
	_ = s.cmd.Wait() // reports the kill
	_ = os.Remove(filepath.Join(s.data(), "postmaster.pid"))
}

// Freeze has the server answer nothing, and Thaw go on.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw ends Freeze.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.tb.Helper()
	for _, pid := range s.processes() {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			s.tb.Fatal(err)
		}
	}
}

// processes are the server's: it has one for each connection, in sessions of their
// own, so no signal reaches all of them.
func (s *Server) processes() []int {
	pids := []int{s.cmd.Process.Pid}
	out, _ := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	for line := range strings.Lines(string(out)) {
		var pid, parent int
		if n, _ := fmt.Sscan(line, &pid, &parent); n == 2 && parent == s.cmd.Process.Pid {
			pids = append(pids, pid)
		}
	}
	return pids
}

// DSN is the data source name of a database of this server, for pgx and lib/pq.
func (s *Server) DSN(database string) string {
	return fmt.Sprintf("host=%s user=postgres dbname=%s sslmode=disable", s.dir, database)
}

// Open opens a new database with one of the drivers "pgx" and "postgres".
func (s *Server) Open(driver, database string) *sql.DB {
	s.tb.Helper()
	admin, err := sql.Open(driver, s.DSN("postgres"))
	if err != nil {
		s.tb.Fatal(err)
	}
	defer admin.Close()
	if _, err := admin.ExecContext(context.Background(), "CREATE DATABASE "+database); err != nil {
		s.tb.Fatal(err)
	}
	db, err := sql.Open(driver, s.DSN(database))
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { _ = db.Close() })
	return db
}
