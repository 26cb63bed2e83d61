package aplombtest

import (
	"errors"
	"flag"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/internal/fixture"
)

// record is registered in test programs only: an example that has a fake server
// in it needs no such flag.
var record = func() *bool {
	if !testing.Testing() {
		return new(bool)
	}
	return flag.Bool("record", false, "have aplombtest.Fixtures record, from the servers themselves, what it replays otherwise")
}()

// Recorder is an [http.RoundTripper] that answers with what was recorded. [Fixtures]
// makes one. All methods are safe for concurrent use.
type Recorder struct {
	Recording // as it was given

	tb        testing.TB
	path      string // absolute: a test may change its folder
	shown     string // the same as the test's folder has it
	recording bool
	rules     fixture.Rules

	file *fixture.File
	tape *fixture.Tape // of it

	client func() *http.Client

	mu        sync.Mutex // over all below, over the exchanges and what is hidden
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
// They are in testdata/fixtures, in a file named after the test, TestCheckout.json, and
// bodies of answers over 64 KiB that are no JSON beside it, TestCheckout.3.txt: all are to
// be committed. Nothing is recorded but by
//
//	go test example.com/shop -run '^TestCheckout$' -v -record
//
// which asks the servers themselves, writes the files when the test has passed, and says
// so. The flag is one of the test program's: it stands behind the package, and a package
// whose tests define a flag of that name cannot be tested with aplombtest.
// Where the environment has CI set it is refused. A test that has no file fails,
// and so does one that asks for what is not in it, with a report of what comes
// nearest, or does not ask for all that is. Inside a bubble of [testing/synctest] the
// Recorder is made there; of a server outside of it no times are kept, for in the
// bubble none passes.
//
// An aplomb client gets it by [aplomb.Transport]:
//
//	rec := aplombtest.Fixtures(t)
//	key := rec.Env("ACME_KEY", "key-replayed")
//	client, err := aplomb.New("https://api.acme.example", aplomb.Transport(rec), aplomb.Bearer(aplomb.Static(key)))
//
// A request is known by its method, URL and body, and by no header; where fields and
// parameters have no order, theirs does not matter, and the ports of the loopback are
// all one, also in addresses that a body holds. What is hidden is compared if it was
// the server that brought it, a cursor or a token: it has to come back. What the
// client brings itself may be anything. Equal requests get their answers in the order of the recording. Each
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
func Fixtures(tb testing.TB, how ...Recording) *Recorder {
	tb.Helper()
	return openFixtures(tb, fixture.Dir, *record, how...)
}

// Recording is what may be different about [Fixtures]; the zero value is what most
// tests want. It is the same where a test records and where it replays.
type Recording struct {
	// Over is asked while recording. Default: a transport of the Recorder's own.
	Over http.RoundTripper
	// Hide are secrets that nothing gives away, each of four bytes or more: a
	// shorter one would be found everywhere, and ends the test.
	Hide []string
	// Show names headers, fields and parameters that are kept although they would
	// be hidden for their names or, headers, left out as noise. What looks like a
	// secret is hidden there, too.
	Show []string
	// Ignore names parameters of the query and fields of the request's body that
	// are not compared: a time, or a number that is another one in each run. A field
	// in a JSON document is named by its own name or by all of them,
	// "order.sent_at".
	Ignore []string
	// Compare names headers of requests that are compared as well, such as Accept, or
	// that of the API's version.
	Compare []string
	// Repeat has the last answer to a request given to all further requests like it:
	// for what is asked again and again.
	Repeat bool
	// InOrder makes it an error to ask in another order than the recorded one. It is
	// only logged otherwise, since goroutines have none.
	InOrder bool
	// AllowUnused makes it no error to leave interactions unused.
	AllowUnused bool
	// Latency has answers and the parts of streams take the time that they took, as
	// far as it was kept: to 1, 2 or 5 of a power of ten, and nothing below 300 ms,
	// or 50 ms within a stream. The request's context ends each such wait. It is
	// meant for [testing/synctest].
	Latency bool
	// MaxAge makes it an error if the recording is older. A day more is granted, and
	// it is not looked at where time is virtual. Default: none, and half a year is
	// logged.
	MaxAge time.Duration
}

func openFixtures(tb testing.TB, dir string, recording bool, how ...Recording) *Recorder {
	tb.Helper()
	r := &Recorder{
		tb: tb, shown: filepath.Join(dir, fixture.FileName(tb.Name())), recording: recording,
		receivers: map[string]receiver{}, reported: map[string]bool{},
	}
	r.client = sync.OnceValue(func() *http.Client { return &http.Client{Transport: r} })
	switch len(how) {
	case 0:
	case 1:
		r.Recording = how[0]
	default:
		tb.Fatalf("aplombtest: Fixtures has %d Recordings: give it one", len(how))
	}
	r.rules = fixture.Rules{Show: r.Show, Ignore: r.Ignore, Compare: r.Compare}
	r.hide(r.Hide...)
	var err error
	if r.path, err = filepath.Abs(r.shown); err != nil {
		tb.Fatalf("aplombtest: %v", err)
	}
	if !claim(r.path) {
		tb.Fatalf("aplombtest: this test has its Fixtures already: one Recorder serves any number of clients and hosts")
	}
	tb.Cleanup(r.end)
	switch {
	case recording && os.Getenv("CI") != "":
		tb.Fatal("aplombtest: -record is given, and CI is set: fixtures are recorded by hand and looked at before they are committed")
	case recording && r.Over == nil:
		own := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
		own.DisableKeepAlives = inBubble() // where time stands still while a socket waits, an idle one too
		tb.Cleanup(own.CloseIdleConnections)
		r.Over = own
	case !recording:
		r.read()
	}
	return r
}

// read reads the file.
func (r *Recorder) read() {
	r.tb.Helper()
	f, err := fixture.Read(r.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.tb.Fatalf("aplombtest: %s: nothing is recorded: %s", r.shown, r.how())
	case err != nil:
		r.tb.Fatalf("aplombtest: %s: %v: mend it, or record it anew: %s", r.shown, err, r.how())
	}
	r.file, r.tape = f, fixture.NewTape(f, r.rules, r.Repeat)
}

// how says how to record.
func (r *Recorder) how() string {
	return "go test " + testedPackage() + "-run '" + pattern(r.tb.Name()) + "' -v -record"
}

// testedPackage is the import path of the package under test, with a space behind it;
// "" if it is not known. The path has to stand before -record: what follows on a flag
// that the go command does not know it hands to the test.
func testedPackage() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	path, ok := strings.CutSuffix(info.Path, ".test")
	if !ok || path == "" {
		return ""
	}
	return path + " "
}

// pattern matches the test of that name alone.
func pattern(name string) string {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		parts[i] = "^" + regexp.QuoteMeta(part) + "$"
	}
	return strings.Join(parts, "/")
}

// open are the files in use, so that no two recorders write one.
var (
	openMu sync.Mutex
	opened = map[string]bool{}
)

func claim(path string) bool {
	openMu.Lock()
	defer openMu.Unlock()
	was := opened[path]
	opened[path] = true
	return !was
}

func release(path string) {
	openMu.Lock()
	defer openMu.Unlock()
	delete(opened, path)
}

// Live reports whether requests go to the servers themselves, to be recorded: for a
// test that needs more time or a real account then.
func (r *Recorder) Live() bool { return r.recording }

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
	r.hide(value)
	return value
}

// hide takes secrets that are to be replaced.
func (r *Recorder) hide(secrets ...string) {
	r.tb.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, secret := range secrets {
		if err := r.rules.Hide(secret); err != nil {
			r.tb.Fatalf("aplombtest: %v", err)
		}
	}
}

// Client returns a client on this Recorder, the same each time, without a timeout.
func (r *Recorder) Client() *http.Client { return r.client() }

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
