package oauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/oauth"
)

// task is what a child process of the test has to do.
type task struct {
	TokenURL, File string
	Refreshes      int
}

// childMain is the main function of such a child: one process that shares a
// login with others. It uses each token until it is refused.
func childMain() (code int, child bool) {
	text := os.Getenv("APLOMB_OAUTH_CHILD")
	if text == "" {
		return 0, false
	}
	var job task
	err := json.Unmarshal([]byte(text), &job)
	if err == nil {
		err = job.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

func (j task) run() error {
	authz, err := oauth.New(oauth.Config{TokenURL: j.TokenURL, ClientID: "cli"})
	if err != nil {
		return err
	}
	for range j.Refreshes { // a Session of its own each: Tokens make haste slowly where tokens die at once
		tokens, err := authz.Session(oauth.FileStore(j.File))
		if err != nil {
			return err
		}
		token, err := tokens.Token(context.Background())
		if err != nil {
			return err
		}
		<-time.After(time.Until(token.Expiry))
	}
	return nil
}

// start runs the task in a process of its own.
func (j task) start(t *testing.T) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(j)
	assert.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "APLOMB_OAUTH_CHILD="+string(text))
	cmd.Stderr = &strings.Builder{}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func wait(t *testing.T, cmd *exec.Cmd) (stderr string, err error) {
	t.Helper()
	err = cmd.Wait()
	text, _ := cmd.Stderr.(*strings.Builder)
	return text.String(), err
}

// shared is a login in a file, at an authorization server on loopback.
func shared(t *testing.T, a *authority) task {
	t.Helper()
	a.refresh = "refresh-0"
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	job := task{TokenURL: server.URL, File: filepath.Join(t.TempDir(), "login.json")}
	c, err := oauth.New(oauth.Config{TokenURL: server.URL, ClientID: "cli"})
	assert.NoError(t, err)
	assert.NoError(t, c.Adopt(t.Context(), oauth.FileStore(job.File), aplomb.NewSecret("refresh-0")))
	return job
}

// Two processes share a login over 200 refreshes and never show a used token.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	a := &authority{brief: true}
	job := shared(t, a)
	job.Refreshes = 120
	one, two := job.start(t), job.start(t)
	for _, cmd := range []*exec.Cmd{one, two} {
		stderr, err := wait(t, cmd)
		assert.True(t, err == nil, err, stderr)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	assert.True(t, a.count >= 200, "there were only", a.count)
	equal(t, a.reused, 0)
	assert.True(t, a.count == len(a.forms), "each request was a refresh")
}

// A process that dies between the server's rotation and the save leaves a token
// that is used up: it is shown once more, and then everybody is told to log in.
func TestKilledBeforeItSaved(t *testing.T) {
	t.Parallel()
	a := &authority{brief: true}
	job := shared(t, a)
	job.Refreshes = 1
	victim := make(chan *exec.Cmd, 1)
	a.steps = []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
		a.count++
		a.refresh = "refresh-1" // it has rotated
		cmd := <-victim
		assert.NoError(t, cmd.Process.Kill())
		_, err := cmd.Process.Wait()
		assert.NoError(t, err)
		panic(http.ErrAbortHandler)
	}}
	victim <- job.start(t)
	for a.requests() == 0 { // the handler holds the lock until the victim is dead
		<-time.After(time.Millisecond)
	}
	for range 3 {
		authz, err := oauth.New(oauth.Config{TokenURL: job.TokenURL, ClientID: "cli"})
		assert.NoError(t, err)
		tokens, err := authz.Session(oauth.FileStore(job.File))
		assert.NoError(t, err)
		_, err = tokens.Token(t.Context())
		assert.True(t, errors.Is(err, oauth.ErrLoginRequired), err)
		stderr, err := wait(t, job.start(t))
		assert.True(t, err != nil && strings.Contains(stderr, "log in again"), err, stderr)
	}
	equal(t, [2]int{a.requests(), a.reused}, [2]int{2, 1})
}
