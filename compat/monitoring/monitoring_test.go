// Package monitoring runs examples/monitoring beside a Prometheus, as its comment
// describes.
package monitoring

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/compat/need"
)

const folder = "../../examples/monitoring"

// TestMonitoring: with the files of the example, but for its port, Prometheus reads the
// metrics and holds the rules against them; and the page is there.
func TestMonitoring(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		need.Missingf(t, "no prometheus: apt-get install prometheus")
	}
	example := startExample(t)
	eventually(t, "the page shows the warehouse", func() bool {
		page, _ := get(t, example+"/?format=json")
		return strings.Contains(page, `"GET /v1/shelves/{id}"`)
	})
	metrics, _ := get(t, example+"/metrics")
	check := exec.Command("promtool", "check", "metrics")
	check.Stdin = strings.NewReader(metrics)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}

	prometheus := startPrometheus(t, program, strings.TrimPrefix(example, "http://"))
	var rules struct {
		Data struct {
			Groups []struct {
				Name  string `json:"name"`
				Rules []struct {
					Name      string `json:"name"`
					Health    string `json:"health"`
					LastError string `json:"lastError"`
				} `json:"rules"`
			} `json:"groups"`
		} `json:"data"`
	}
	eventually(t, "the calls are counted and the rules are well", func() bool {
		if !hasResult(t, prometheus, `rate(aplomb_calls_total{client="warehouse"}[5s]) > 0`) {
			return false
		}
		raw, _ := get(t, prometheus+"/api/v1/rules")
		if err := json.Unmarshal([]byte(raw), &rules); err != nil {
			t.Fatal(err)
		}
		for _, g := range rules.Data.Groups {
			for _, r := range g.Rules {
				if r.Health == "err" {
					t.Fatalf("%s: %s", r.Name, r.LastError)
				}
				if r.Health != "ok" {
					return false
				}
			}
		}
		return len(rules.Data.Groups) > 1
	})
	if _, own := get(t, prometheus+"/alerts"); own != http.StatusOK {
		if _, debian := get(t, prometheus+"/classic/alerts"); debian != http.StatusOK {
			t.Errorf("the alerts are at neither address that the example names: %d and %d", own, debian)
		}
	}
}

// startExample runs the example on a free port, and returns where it is.
func startExample(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "monitoring")
	build := exec.Command("go", "build", "-o", binary, "./monitoring")
	build.Dir = filepath.Dir(folder)
	build.Env = append(os.Environ(), "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(binary, "-listen", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the example ended with %v", err)
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if address, found := strings.CutPrefix(lines.Text(), "live page: "); found {
			go func() { _, _ = io.Copy(io.Discard, out) }() // its alerts
			return strings.TrimSuffix(address, "/")
		}
	}
	t.Fatal("the example says nothing of a live page")
	return ""
}

// startPrometheus starts one with the example's configuration, for a program elsewhere,
// and returns where it is.
func startPrometheus(t *testing.T, program, target string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(folder, "prometheus.yml"))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := filepath.Abs("../../prometheus/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	config := strings.NewReplacer("127.0.0.1:8090", target, "../../prometheus/rules.yml", rules).Replace(string(raw))
	if strings.Count(config, target) != 1 || strings.Count(config, rules) != 1 {
		t.Fatalf("the configuration names other things than the test thinks:\n%s", raw)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close() // for Prometheus, in a moment
	var said bytes.Buffer
	cmd := exec.Command(program, "--config.file", file, "--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", address)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // reports the kill
		if t.Failed() {
			t.Logf("prometheus printed:\n%s", &said)
		}
	})
	base := "http://" + address
	eventually(t, "prometheus is ready", func() bool { _, status := get(t, base+"/-/ready"); return status == http.StatusOK })
	return base
}

// hasResult reports whether a query has one.
func hasResult(t *testing.T, prometheus, expr string) bool {
	t.Helper()
	raw, _ := get(t, prometheus+"/api/v1/query?query="+url.QueryEscape(expr))
	var said struct {
		Status string `json:"status"`
		Data   struct {
			Result []json.RawMessage `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(raw), &said); err != nil || said.Status != "success" {
		t.Fatalf("%v: %s", err, raw)
	}
	return len(said.Data.Result) > 0
}

func get(t *testing.T, address string) (body string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return "", 0 // it is not there yet
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw), resp.StatusCode
}

// eventually waits for what is to come true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("not within a minute: %s", what)
		case <-tick.C:
		}
	}
}
