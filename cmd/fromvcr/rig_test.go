package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/dnaeon/go-vcr.v4/pkg/recorder"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// request is one that a test sends.
type request struct{ method, url, kind, body string }

// answer is what came of it.
type answer struct {
	status int
	kind   string
	length int64
	body   string
}

// send sends all of them, one after the other.
func send(t *testing.T, rt http.RoundTripper, requests []request, headerKV ...string) []answer {
	t.Helper()
	var all []answer
	for _, q := range requests {
		req, err := http.NewRequestWithContext(t.Context(), q.method, q.url, strings.NewReader(q.body))
		if !assert.NoError(t, err) {
			continue
		}
		if q.kind != "" {
			req.Header.Set("Content-Type", q.kind)
		}
		for i := 0; i < len(headerKV); i += 2 {
			req.Header.Set(headerKV[i], headerKV[i+1])
		}
		resp, err := rt.RoundTrip(req)
		if !assert.NoError(t, err) {
			continue
		}
		body, err := io.ReadAll(resp.Body)
		assert.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
		all = append(all, answer{resp.StatusCode, resp.Header.Get("Content-Type"), resp.ContentLength, string(body)})
	}
	return all
}

// record has go-vcr itself make a cassette of what happens under use.
func record(t *testing.T, cassette string, h http.Handler, use func(rt http.RoundTripper), opts ...recorder.Option) {
	t.Helper()
	opts = append(opts, recorder.WithMode(recorder.ModeRecordOnly), recorder.WithRealTransport(aplombtest.NewServer(t, h).Transport()))
	rec, err := recorder.New(strings.TrimSuffix(cassette, ".yaml"), opts...)
	if err != nil {
		t.Fatal(err)
	}
	use(rec)
	assert.NoError(t, rec.Stop())
}

// fromvcr runs the command.
func fromvcr(args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = run(args, &out, &errs)
	return status, out.String(), errs.String()
}

// converted runs the command, which must have nothing to complain of.
func converted(t *testing.T, args ...string) (stdout string) {
	t.Helper()
	status, stdout, stderr := fromvcr(args...)
	assert.Equal(t, stderr, "")
	assert.Equal(t, status, 0)
	return stdout
}

// folder moves the test into an empty one.
func folder(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
}

// written is all that is on the disk below testdata.
func written(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir("testdata", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		all.Write(raw)
		return err
	})
	assert.NoError(t, err)
	return all.String()
}

// edit changes a cassette by hand.
func edit(t *testing.T, path, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	assert.NoError(t, err)
	if !strings.Contains(string(raw), from) {
		t.Fatalf("%s has no %q:\n%s", path, from, raw)
	}
	assert.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(raw), from, to, 1)), 0o600))
}
