package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// runner builds each package's test once, and runs them in rounds: what slows the
// machine down for a while slows down one round of everything.
type runner struct {
	asked

	dir string // where the tests are built
	out io.Writer
}

// most is how long a part may take in one round.
const most = 15 * time.Minute

// run measures everything. What fails is left out of its round, and told at the end.
func (r *runner) run(ctx context.Context) error {
	built, failed := r.build(ctx)
	if err := r.head(ctx, built); err != nil {
		return err
	}
	for round := range r.rounds {
		for _, p := range r.parts {
			binary, ok := built[p.dir]
			if !ok || round >= p.roundsOf(r.rounds) || ctx.Err() != nil {
				continue
			}
			began := time.Now()
			if err := r.one(ctx, p, binary); err != nil {
				failed = append(failed, err)
			}
			fmt.Fprintf(os.Stderr, "round %d of %d: %s of %s, %.0f s\n", round+1, p.roundsOf(r.rounds), p.name, p.dir, time.Since(began).Seconds())
		}
	}
	return errors.Join(append(failed, ctx.Err())...)
}

// build gives the test of each folder.
func (r *runner) build(ctx context.Context) (built map[string]string, failed []error) {
	built = map[string]string{}
	for _, p := range r.parts {
		if _, ok := built[p.dir]; ok {
			continue
		}
		binary := filepath.Join(r.dir, strings.ReplaceAll(p.dir, "/", "-")+".test")
		out, err := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, "./"+p.dir).CombinedOutput()
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w\n%s", p.dir, err, out))
			continue
		}
		built[p.dir] = binary
	}
	return built, failed
}

// head says with what and on what was measured, in lines that benchstat knows.
func (r *runner) head(ctx context.Context, built map[string]string) error {
	peers, err := r.peers(ctx, built)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(r.out, "date: %s\ngo: %s\nprocessors: %d\nrounds: %d\nbenchtime: %s\npeers: %s\n",
		time.Now().UTC().Format("2006-01-02"), runtime.Version(), runtime.NumCPU(), r.rounds, r.benchtime, strings.Join(peers, ", "))
	return err
}

// one runs a part once.
func (r *runner) one(ctx context.Context, p part, binary string) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	args := []string{"-test.run=^$", "-test.bench=^Benchmark" + p.name + "$", "-test.benchtime=" + p.benchtimeOf(r.benchtime)}
	if p.virtual {
		args = []string{"-figures", "-test.run=^TestFigures" + p.name + "$"}
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = p.dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s%s", p.name, err, out, stderr.String())
	}
	_, err = r.out.Write(out)
	return err
}

// peers lists the modules that the tests are built of and go.mod asks for by
// itself, with their versions. What is built by go test -c does not say it itself.
func (r *runner) peers(ctx context.Context, built map[string]string) ([]string, error) {
	const format = "{{with .Module}}{{if not (or .Main .Indirect .Replace)}}{{.Path}} {{.Version}}{{end}}{{end}}"
	args := []string{"list", "-deps", "-test", "-f", format}
	for dir := range built {
		args = append(args, "./"+dir)
	}
	out, err := exec.CommandContext(ctx, "go", args...).Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	peers := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(peers)
	return slices.Compact(peers), nil
}
