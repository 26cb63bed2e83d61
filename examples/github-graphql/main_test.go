package main

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
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

// program runs it with these variables and no others.
func program(t *testing.T, env ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(env, "RUN_PROGRAM=1", "GOCOVERDIR="+t.TempDir())
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Log(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestListsAllPages(t *testing.T) {
	t.Parallel()
	api := aplombtest.NewGitHub()
	api.SeedRepos("octocat", 230)
	srv := httptest.NewServer(api)
	t.Cleanup(srv.Close)

	out, errs, code := program(t, "GITHUB_TOKEN=given-token", "GITHUB_GRAPHQL_URL="+srv.URL)
	if code != 0 || errs != "" {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 230 || lines[0] != "hello-go (Go) – 42 stars" || lines[5] != "repo-06 (N/A) – 22 stars" {
		t.Errorf("%d lines: %q ... %q", len(lines), lines[0], lines[min(5, len(lines)-1)])
	}
	if n := api.Effects().Queries; n != 3 {
		t.Errorf("%d pages, want 3", n)
	}
}

func TestFailsInOneLine(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(aplombtest.NewGitHub()) // knows no octocat
	t.Cleanup(srv.Close)
	for name, c := range map[string]struct {
		env  []string
		want string
	}{
		"no token":      {[]string{"GITHUB_GRAPHQL_URL=" + srv.URL}, "the environment variable GITHUB_TOKEN is empty: set it"},
		"no such user":  {[]string{"GITHUB_GRAPHQL_URL=" + srv.URL, "GITHUB_TOKEN=given-token"}, "octocat"},
		"no such place": {[]string{"GITHUB_GRAPHQL_URL=nowhere", "GITHUB_TOKEN=given-token"}, "nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, errs, code := program(t, c.env...)
			if code != 1 || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, c.want) || strings.Contains(errs, "given-token") {
				t.Errorf("exit code %d, output %q, error %q; want 1, none and a line with %q", code, out, errs, c.want)
			}
		})
	}
}

// TestIsShort counts the lines behind the imports.
func TestIsShort(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, program, _ := strings.Cut(string(raw), "\n)\n")
	n := 0
	for line := range strings.Lines(program) {
		if strings.TrimSpace(line) != "" {
			n++
		}
	}
	if n == 0 || n > 18 {
		t.Errorf("the program has %d lines, want at most 18", n)
	}
}
