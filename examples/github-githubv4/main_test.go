package main

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"

	"github.com/aplomb-go/aplomb/aplombtest"
)

// TestMain is the program itself where a test has started it as such.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_PROGRAM") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestCounts: the first answer is lost, and the query sent again.
func TestCounts(t *testing.T) {
	t.Parallel()
	fake := aplombtest.NewGitHub()
	fake.SeedRepos("octocat", 12)
	script := aplombtest.NewScript(fake, aplombtest.LostResponse())
	srv := httptest.NewServer(script)
	t.Cleanup(srv.Close)
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{"RUN_PROGRAM=1", "GITHUB_TOKEN=token", "GITHUB_GRAPHQL_URL=" + srv.URL, "GOCOVERDIR=" + t.TempDir()}
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "12 repositories\n" || script.Requests() != 2 {
		t.Errorf("%v, %q after %d requests; want 12 repositories after 2", err, out, script.Requests())
	}
}
