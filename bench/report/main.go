// Report measures aplomb beside its peers, in rounds, and prints a table for each
// part and which goals are met. It ends with status 1 when one is missed, or has no
// figures. Run it in the folder bench, with GOWORK=off:
//
//	go run ./report                        # print
//	go run ./report -write                 # and write RESULTS.md, as make bench does
//	go run ./report -part 'Webhook|Storm'  # some of the parts
//	go run ./report -raw new.txt           # keep what was measured, for benchstat
//	go run ./report -from new.txt          # the tables of what was kept
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"

	"github.com/aplomb-go/aplomb/bench/internal/goals"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	met, err := report(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
	}
	if err != nil || !met {
		os.Exit(1)
	}
}

// asked are the flags.
type asked struct {
	rounds    int
	benchtime string // as the flag of go test has it
	raw, from string
	write     bool
	parts     []part
}

func flags(args []string) (a asked, err error) {
	set := flag.NewFlagSet("report", flag.ContinueOnError)
	set.IntVar(&a.rounds, "rounds", 9, "how often each part is measured; medians count")
	set.StringVar(&a.benchtime, "benchtime", "100ms", "how long each way has in a round, or 20x for so many runs, where a part has no time of its own")
	set.StringVar(&a.raw, "raw", "", "keep the benchmarks' own output in this `file`")
	set.StringVar(&a.from, "from", "", "measure nothing: make the tables of a `file` that -raw kept")
	set.BoolVar(&a.write, "write", false, "write RESULTS.md")
	only := set.String("part", "", "measure the parts that match this `regexp`")
	if err := set.Parse(args); err != nil {
		return a, err
	}
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return a, err
	}
	for _, p := range parts {
		if pattern.MatchString(p.name) {
			a.parts = append(a.parts, p)
		}
	}
	if a.write && *only != "" {
		return a, errors.New("RESULTS.md has all parts: -write goes without -part")
	}
	if len(a.parts) == 0 {
		return a, fmt.Errorf("no part matches %q", *only)
	}
	return a, nil
}

// report measures, or reads what was measured, and prints it.
func report(ctx context.Context, args []string, out io.Writer) (met bool, err error) {
	a, err := flags(args)
	if err != nil {
		return false, err
	}
	var raw []byte
	var failed error
	if a.from != "" {
		raw, err = os.ReadFile(a.from)
	} else {
		raw, failed, err = measured(ctx, a)
	}
	if err != nil {
		return false, err
	}
	all, err := read(bytes.NewReader(raw))
	if err != nil {
		return false, err
	}
	verdicts := judge(goals.All, a.parts, all)
	page := page(all, a.parts, verdicts)
	if _, err := io.WriteString(out, page); err != nil {
		return false, err
	}
	if a.write {
		if err := os.WriteFile("RESULTS.md", []byte(page), 0o644); err != nil {
			return false, err
		}
	}
	return allMet(verdicts), failed
}

// measured runs the parts. What did not run to its end is told in failed, and does
// not keep the others from being reported.
func measured(ctx context.Context, a asked) (raw []byte, failed, err error) {
	var kept bytes.Buffer
	out := io.Writer(&kept)
	if a.raw != "" {
		file, err := os.Create(a.raw)
		if err != nil {
			return nil, nil, err
		}
		defer file.Close()
		out = io.MultiWriter(&kept, file) // a run that is broken off leaves what it has
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	r := runner{dir: dir, out: out, asked: a}
	failed = r.run(ctx)
	return kept.Bytes(), failed, nil
}
