package river_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	aplombriver "github.com/aplomb-go/aplomb/river"
)

// startPostgres starts a PostgreSQL of the test's own, on a socket, which commits
// before it has synced unless it is told otherwise, and returns a pool of it.
func startPostgres(t testing.TB) *pgxpool.Pool {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if path, err := exec.LookPath("initdb"); err == nil {
		found = append(found, path)
	}
	if len(found) == 0 {
		missing(t, "no PostgreSQL: install it (Debian: apt-get install postgresql); its service need not run")
	}
	dir, err := os.MkdirTemp("", "pg") //nolint:usetesting // t.TempDir's names can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	as := somebody(t, dir)
	command := func(program string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(filepath.Dir(found[len(found)-1]), program), args...)
		cmd.Dir, cmd.SysProcAttr = dir, as
		cmd.Env = append(os.Environ(), "LC_ALL=C")
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := command("initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	cmd := command("postgres", "-D", data, "-c", "listen_addresses=", "-c", "unix_socket_directories="+dir,
		"-c", "synchronous_commit=off", "-c", "wal_writer_delay=10s")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGQUIT) // its children end with it
		_ = cmd.Wait()                          // reports the signal
	})
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.Contains(lines.Text(), "ready to accept connections") {
	}
	go func() { // or its pipe would be full some time
		for lines.Scan() {
		}
	}()
	pool, err := pgxpool.New(t.Context(), "host="+dir+" user=postgres dbname=postgres sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// somebody is who PostgreSQL runs as: it refuses root.
func somebody(t testing.TB, dir string) *syscall.SysProcAttr {
	t.Helper()
	attr := &syscall.SysProcAttr{}
	if os.Getuid() != 0 {
		return attr
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		missing(t, "PostgreSQL does not run as root, and there is no user postgres")
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return attr
}

// missing skips, and fails in CI.
func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("APLOMB_REQUIRE_SERVERS") == "1" {
		t.Fatal("missing, and APLOMB_REQUIRE_SERVERS is 1: " + why)
	}
	t.Skip(why)
}

// newSink makes a sink in a database of its own, and a client of River that works
// its jobs.
func newSink(t testing.TB, work func(context.Context, *river.Job[aplombriver.Event]) error) (*aplombriver.Sink, *river.Client[pgx.Tx]) {
	t.Helper()
	pool := startPostgres(t)
	driver := riverpgxv5.New(pool)
	migrator, err := rivermigrate.New(driver, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := migrator.Migrate(t.Context(), rivermigrate.DirectionUp, nil); err != nil {
		t.Fatal(err)
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(work))
	client, err := river.NewClient(driver, &river.Config{Workers: workers, Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 4}}})
	if err != nil {
		t.Fatal(err)
	}
	s := &aplombriver.Sink{Pool: pool, Client: client}
	for range 2 { // the second finds all there
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return s, client
}
