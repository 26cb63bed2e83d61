package transfer_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// inBuffers bounds what a kernel holds of a connection at each end, so that what
// is counted at the server is what the client has, but for these.
const inBuffers = 64 << 10

func narrow() *http.Transport {
	return &http.Transport{DialContext: (&net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, inBuffers) })
	}}).DialContext}
}

// content is a file of size bytes, no two MiB of which are alike, without taking
// that many.
type content struct {
	size  int64
	block []byte
}

func newContent(size int64) *content {
	c := &content{size: size, block: make([]byte, 1<<20+9973)} // odd, so that each MiB has it at another place
	src := rand.NewChaCha8([32]byte{7})
	_, _ = src.Read(c.block)
	return c
}

func (c *content) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) && at < c.size {
		m := copy(p[n:min(int64(len(p)), int64(n)+c.size-at)], c.block[at%int64(len(c.block)):])
		n, at = n+m, at+int64(m)
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// server serves the content and breaks connections at some of its offsets. It
// counts what it sends of each, and how much of that it had sent before.
type server struct {
	*content
	mu     sync.Mutex
	cuts   []int64 // offsets in the file, in order
	far    int64   // how far it has sent
	resent []int64 // of each connection that began before that
	ranges int
	whole  int // requests for all of it
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"one"`)
	w.Header().Set("Content-Type", "application/octet-stream")
	s.mu.Lock()
	if r.Header.Get("Range") == "" {
		s.whole++
	} else if r.Header.Get("If-Range") == `"one"` {
		s.ranges++
	}
	s.mu.Unlock()
	http.ServeContent(w, r, "", time.Time{}, &cursor{s: s, w: w})
}

// cursor reads the content for one answer, and ends it where a cut is. What it has
// been asked for it takes for sent: the buffers in between are small.
type cursor struct {
	s     *server
	w     http.ResponseWriter
	at    int64
	begun bool
}

func (c *cursor) Seek(offset int64, whence int) (int64, error) {
	c.at = offset
	if whence == io.SeekEnd {
		c.at += c.s.size
	}
	return c.at, nil
}

func (c *cursor) Read(p []byte) (int, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if !c.begun && c.s.far > 0 {
		c.s.resent = append(c.s.resent, max(0, c.s.far-c.at))
	}
	c.begun = true
	if len(c.s.cuts) > 0 {
		if p = p[:min(int64(len(p)), max(0, c.s.cuts[0]-c.at))]; len(p) == 0 {
			c.s.cuts = c.s.cuts[1:]
			_ = http.NewResponseController(c.w).Flush()
			panic(http.ErrAbortHandler)
		}
	}
	n, err := c.s.ReadAt(p, c.at)
	c.at += int64(n)
	c.s.far = max(c.s.far, c.at)
	return n, err
}

func (s *server) sent() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.far
}

// child is a process that downloads.
type child struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func start(t *testing.T, address, file, sum string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), addressVar+"="+address, fileVar+"="+file, sumVar+"="+sum)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &child{cmd, bufio.NewScanner(out)}
}

// TestOneGiB: a file of 1 GiB (256 MiB with -short) whose connections break at 20
// random offsets while three of the processes that fetch it are killed is the
// same byte by byte, no break costs more than 1 MiB, and what is said of it is true.
func TestOneGiB(t *testing.T) {
	size := int64(1 << 30)
	if testing.Short() {
		size = 256 << 20
	}
	seed := rand.Uint64()
	if text := os.Getenv("TRANSFER_TEST_SEED"); text != "" {
		if _, err := fmt.Sscan(text, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("TRANSFER_TEST_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s := &server{content: newContent(size)}
	for range 20 {
		s.cuts = append(s.cuts, random.Int64N(size))
	}
	slices.Sort(s.cuts)
	kills := []int64{random.Int64N(size / 3), size/3 + random.Int64N(size/3), 2*size/3 + random.Int64N(size/4)}

	hash := sha256.New()
	if _, err := io.Copy(hash, io.NewSectionReader(s, 0, size)); err != nil {
		t.Fatal(err)
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	srv := httptest.NewUnstartedServer(s)
	srv.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		_ = c.(*net.TCPConn).SetWriteBuffer(inBuffers)
		return ctx
	}
	srv.Start()
	defer srv.Close()
	file := filepath.Join(t.TempDir(), "large.bin")
	began := time.Now()
	var told said
	for _, at := range append(kills, -1) {
		c := start(t, srv.URL, file, sum)
		told.read(t, c, s, at)
		if _, err := os.Stat(file); (err == nil) != (at < 0) {
			t.Fatalf("after a kill at %d: the file under its final name: %v", at, err)
		}
	}
	t.Logf("%d MiB in %v, checksums and starts included", size>>20, time.Since(began).Round(100*time.Millisecond))
	same(t, file, s.content)
	s.check(t, &told)
}

func (s *server) check(t *testing.T, told *said) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var total, most int64
	for _, n := range s.resent {
		total, most = total+n, max(most, n)
	}
	t.Logf("%d connections after the first; sent again: %d KiB in all, %d KiB at most after one break", len(s.resent), total>>10, most>>10)
	// A process that is killed while it waits after a break has one connection less.
	if n := len(s.resent); len(s.cuts) > 0 || s.whole != 1 || s.ranges != n || n < 20 || n > 20+3 {
		t.Errorf("%d cuts are left, %d requests for the whole file, %d for a range on a condition, %d connections; want 0, 1, and the same two from 20 to 23", len(s.cuts), s.whole, s.ranges, n)
	}
	if most > 1<<20 {
		t.Errorf("%d bytes were sent again after one break", most)
	}
	t.Logf("%d breaks told of", told.breaks)
	if told.breaks < 20-3 || told.breaks > 20 { // who is killed may not have told of the last one
		t.Errorf("%d breaks were told of", told.breaks)
	}
}

// said is what the processes said of their progress.
type said struct {
	breaks int
	done   int64 // as of the last line
}

// read holds each line against the one before and against what the server has sent,
// and kills c once it says that kill bytes are there.
func (s *said) read(t *testing.T, c *child, from *server, kill int64) {
	t.Helper()
	first, finished, whole := true, false, false
	for c.lines.Scan() {
		line := c.lines.Text()
		var done, total, resumed int64
		var broken, restarted, complete bool
		if _, err := fmt.Sscanf(line, "progress %d %d %d %t %t %t", &done, &total, &resumed, &broken, &restarted, &complete); err != nil {
			finished = strings.HasPrefix(line, "done ")
			if !finished {
				t.Fatal(line)
			}
			t.Log(line)
			continue
		}
		switch {
		case restarted:
			t.Fatalf("it started anew: %s", line)
		case first && (done != resumed || done < s.done-1<<20):
			t.Fatalf("it began with %d bytes, and %d were there: %s", done, s.done, line)
		case !first && done < s.done, total >= 0 && done > total, complete && done != total, whole:
			t.Fatalf("after %d bytes it said: %s", s.done, line)
		case done > from.sent():
			t.Fatalf("the server has sent %d: %s", from.sent(), line)
		}
		whole = complete
		if broken {
			s.breaks++
		}
		first, s.done = false, done
		if kill >= 0 && done >= kill && done > resumed {
			_ = c.cmd.Process.Kill()
			_ = c.cmd.Wait()
			return
		}
	}
	if err := c.cmd.Wait(); err != nil || kill >= 0 || !finished || !whole {
		t.Fatalf("the process ended before it was to: %v", err)
	}
}

// same compares the file with the content, byte by byte.
func same(t *testing.T, name string, want *content) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() != want.size {
		t.Fatalf("%v %v", info.Size(), err)
	}
	got, other := make([]byte, 1<<20), make([]byte, 1<<20)
	for at := int64(0); at < want.size; at += int64(len(got)) {
		n, err := io.ReadFull(f, got)
		if _, err2 := want.ReadAt(other[:n], at); err != nil || err2 != nil || string(got[:n]) != string(other[:n]) {
			t.Fatalf("in the MiB at %d it is another: %v %v", at, err, err2)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(name))
	if err != nil || len(entries) != 1 {
		t.Errorf("%v lie beside it: %v", entries, err)
	}
}
