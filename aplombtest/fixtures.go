package aplombtest

import (
	"errors"
	"flag"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/internal/fixture"
)

// fixtureDir is where fixtures are, beside the test.
const fixtureDir = "testdata/fixtures"

// record is registered in test programs only: an example that has a fake server
// in it needs no such flag.
var record = func() *bool {
	if !testing.Testing() {
		return new(bool)
	}
	return flag.Bool("record", false, "have aplombtest.Fixtures record, from the servers themselves, what it replays otherwise")
}()

// Recorder is an [http.RoundTripper] that answers with what was recorded. [Fixtures]
// makes one. What changes it, from [Recorder.Over] to [Recorder.MaxAge], is called
// before its first request; each returns the Recorder itself. All else is safe for
// concurrent use.
type Recorder struct {
	tb        testing.TB
	path      string
	recording bool
	base      http.RoundTripper
	rules     fixture.Rules
	settings  struct {
		repeat, inOrder, unused, latency bool
		maxAge                           time.Duration
	}

	file  *fixture.File
	begin sync.Once
	tape  *fixture.Tape

	mu        sync.Mutex // over all below, and over the exchanges
	exchanges []*exchange
	receivers map[string]receiver
	played    int  // how many interactions have been looked at for deliveries
	playing   bool // a delivery is under way
	workers   sync.WaitGroup
	reported  map[string]bool
	ended     bool
}

// Fixtures replays the HTTP exchanges of a test, so that it needs neither a network
// nor keys, or records them:
//
//	client := &http.Client{Transport: aplombtest.Fixtures(t)}
//
// They are in testdata/fixtures, in a file named after the test. Nothing is
// recorded but by
//
//	go test -run '^TestCheckout$' -record
//
// which asks the servers themselves, and writes the file when the test has passed.
// Where the environment has CI set it is refused. A test that has no file fails,
// and so does one that asks for what is not in it, with a report of what comes
// nearest, or does not ask for all that is. Inside a bubble of [testing/synctest] the
// Recorder is made there.
//
// A request is known by its method, URL and body, and by no header; where fields and
// parameters have no order, theirs does not matter, and the ports of the loopback are
// all one. Equal requests get their answers in the order of the recording. Each
// attempt of a client that retries is a request of its own. What a server answers
// is replayed byte for byte, but for its secrets and without trailers, and a failure
// of the network as the same error; the Date is today's.
//
// # Secrets
//
// No secret is written. In its place stands a name such as <access_token:1>, the
// same one wherever it is met, so that a login is replayed with the token that it
// hands out. Hidden is: what aplomb's credentials attach; each header that is not
// known to be harmless; cookies; parameters and fields of queries, forms and JSON
// whose names smell of a secret; whatever looks like a key, a token or a card
// number; and all of these in any other place, in base64, URL-encoded, in hex. A
// number that is hidden becomes 0. If one is still found in what is to be written,
// nothing is, and the test fails. The request itself is left as it is.
//
// Body fields that are none of these are kept as they are: a fixture holds the data
// of the account that it was recorded with.
func Fixtures(tb testing.TB) *Recorder {
	tb.Helper()
	return openFixtures(tb, fixtureDir, *record)
}

func openFixtures(tb testing.TB, dir string, recording bool) *Recorder {
	tb.Helper()
	r := &Recorder{
		tb: tb, path: filepath.Join(dir, fileName(tb.Name())+".json"), recording: recording,
		receivers: map[string]receiver{}, reported: map[string]bool{},
	}
	if !claim(r.path) {
		tb.Fatalf("aplombtest: this test has its Fixtures already: one Recorder serves any number of clients and hosts")
	}
	tb.Cleanup(r.end)
	switch {
	case recording && os.Getenv("CI") != "":
		tb.Fatal("aplombtest: -record is given, and CI is set: fixtures are recorded by hand and looked at before they are committed")
	case recording:
		own := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
		tb.Cleanup(own.CloseIdleConnections)
		r.base = own
		return r
	}
	f, err := fixture.Read(r.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		tb.Fatalf("aplombtest: %s: nothing is recorded: %s", r.path, r.how())
	case err != nil:
		tb.Fatalf("aplombtest: %v: mend it, or record it anew: %s", err, r.how())
	}
	r.file = f
	return r
}

// how says how to record.
func (r *Recorder) how() string {
	return "go test -run '" + pattern(r.tb.Name()) + "' -record"
}

// pattern matches the test of that name alone.
func pattern(name string) string {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		parts[i] = "^" + regexp.QuoteMeta(part) + "$"
	}
	return strings.Join(parts, "/")
}

var unfitForFiles = regexp.MustCompile(`[^\w.()+,=@-]`)

// fileName is a test's name as a path: a subtest is in a folder of its test.
func fileName(test string) string {
	parts := strings.Split(test, "/")
	for i, part := range parts {
		part = unfitForFiles.ReplaceAllString(part, "_")
		if strings.Trim(part, ".") == "" {
			part = "_" + part
		}
		parts[i] = part
	}
	return filepath.Join(parts...)
}

// open are the files in use, so that no two recorders write one.
var (
	openMu sync.Mutex
	opened = map[string]bool{}
)

func claim(path string) bool {
	openMu.Lock()
	defer openMu.Unlock()
	path, _ = filepath.Abs(path)
	was := opened[path]
	opened[path] = true
	return !was
}

func release(path string) {
	openMu.Lock()
	defer openMu.Unlock()
	path, _ = filepath.Abs(path)
	delete(opened, path)
}

// Over has rt asked while recording, in the place of a transport of its own.
func (r *Recorder) Over(rt http.RoundTripper) *Recorder {
	return r.set(func() { r.base = rt })
}

// Hide has secrets hidden that nothing gives away, each of four bytes or more.
func (r *Recorder) Hide(secrets ...string) *Recorder {
	return r.set(func() { r.rules.Hide = append(r.rules.Hide, secrets...) })
}

// Show keeps headers, fields and parameters with these names, which would be hidden
// for their names or, with a header, left out as noise. What looks like a secret is
// hidden there, too.
func (r *Recorder) Show(names ...string) *Recorder {
	return r.set(func() { r.rules.Show = append(r.rules.Show, names...) })
}

// Ignore has parameters of the query and fields of the request's body not
// compared: a time, or a number that is another one in each run. A field in a JSON
// document is named by its own name or by all of them, "order.sent_at".
func (r *Recorder) Ignore(names ...string) *Recorder {
	return r.set(func() { r.rules.Ignore = append(r.rules.Ignore, names...) })
}

// Compare has these headers of requests compared as well, such as Accept, or that
// of the API's version.
func (r *Recorder) Compare(headers ...string) *Recorder {
	return r.set(func() { r.rules.Compare = append(r.rules.Compare, headers...) })
}

// Repeat has the last answer to a request given to all further requests like it:
// for what is asked again and again.
func (r *Recorder) Repeat() *Recorder { return r.set(func() { r.settings.repeat = true }) }

// InOrder makes it an error to ask in another order than the recorded one. It is
// only logged otherwise, since goroutines have none.
func (r *Recorder) InOrder() *Recorder { return r.set(func() { r.settings.inOrder = true }) }

// AllowUnused makes it no error to leave interactions unused.
func (r *Recorder) AllowUnused() *Recorder { return r.set(func() { r.settings.unused = true }) }

// Latency has answers and the parts of streams take the time that they took, as far
// as it was kept: to 1, 2 or 5 of a power of ten, and nothing below 300 ms, or 50 ms
// within a stream. The request's context ends each such wait. It is meant for [testing/synctest].
func (r *Recorder) Latency() *Recorder { return r.set(func() { r.settings.latency = true }) }

// MaxAge makes it an error if the recording is older than d. A day more is
// granted, and it is not looked at where time is virtual. Half a year is logged
// anyway.
func (r *Recorder) MaxAge(d time.Duration) *Recorder {
	return r.set(func() { r.settings.maxAge = d })
}

func (r *Recorder) set(change func()) *Recorder {
	r.tb.Helper()
	r.mu.Lock()
	begun := r.tape != nil || len(r.exchanges) > 0
	r.mu.Unlock()
	if begun {
		r.tb.Fatal("aplombtest: a Recorder is changed after its first request")
	}
	change()
	return r
}

// Recording reports whether requests go to the servers themselves: for a test that
// needs more time or a real account then.
func (r *Recorder) Recording() bool { return r.recording }

// Env gives the value of an environment variable while recording, which must be
// there and is hidden, and replayed otherwise: for keys.
//
//	key := rec.Env("STRIPE_KEY", "sk_test_replayed")
func (r *Recorder) Env(name, replayed string) string {
	r.tb.Helper()
	if !r.recording {
		return replayed
	}
	value := os.Getenv(name)
	if value == "" {
		r.tb.Fatalf("aplombtest: %s is empty: it is needed to record", name)
	}
	r.Hide(value)
	return value
}

// Client returns a new client on this Recorder, without a timeout.
func (r *Recorder) Client() *http.Client { return &http.Client{Transport: r} }

// RoundTrip implements [http.RoundTripper].
func (r *Recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	if r.recording {
		return r.record(req)
	}
	return r.replay(req)
}

// end writes what was recorded, or reports what was not replayed.
func (r *Recorder) end() {
	r.tb.Helper()
	r.workers.Wait()
	r.mu.Lock()
	r.ended = true
	r.mu.Unlock()
	defer release(r.path)
	if r.recording {
		r.write()
	} else if r.file != nil {
		r.check()
	}
}

// faultf reports what is wrong with the fixtures; in a test that has failed it may
// be a consequence.
func (r *Recorder) faultf(format string, args ...any) {
	r.tb.Helper()
	if r.tb.Failed() {
		r.tb.Logf("aplombtest: "+format, args...)
		return
	}
	r.tb.Errorf("aplombtest: "+format, args...)
}
