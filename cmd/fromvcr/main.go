package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aplomb-go/aplomb/internal/fixture"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// settings are what the flags say.
type settings struct {
	test, dir string
	rules     fixture.Rules
}

// run is the command; it returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	var s settings
	flags := flag.NewFlagSet("fromvcr", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: fromvcr [flags] cassette.yaml...")
		flags.PrintDefaults()
	}
	flags.StringVar(&s.test, "test", "", "the `name` of the test, if the cassette is not called after it")
	flags.StringVar(&s.dir, "o", fixture.Dir, "the `folder` to write to")
	flags.Func("hide", "a `secret` that nothing gives away; $NAME is an environment variable's value; may be repeated", s.hide)
	flags.Func("show", "the `name` of a header, field or parameter that is no secret; may be repeated", appendTo(&s.rules.Show))
	flags.Func("ignore", "the `name` of a parameter or body field that is not compared; may be repeated", appendTo(&s.rules.Ignore))
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() == 0 || s.test != "" && flags.NArg() > 1:
		fmt.Fprintln(stderr, "fromvcr: name a cassette, or several without -test")
		flags.Usage()
		return 2
	}
	if i := slices.IndexFunc(flags.Args(), func(arg string) bool { return strings.HasPrefix(arg, "-") }); i >= 0 {
		fmt.Fprintf(stderr, "fromvcr: %s: flags stand before the cassettes\n", flags.Arg(i))
		return 2
	}
	status := 0
	for _, path := range flags.Args() {
		if err := s.convert(path, stdout); err != nil {
			fmt.Fprintf(stderr, "fromvcr: %s: %v\n", path, err)
			status = 1
		}
	}
	return status
}

// hide takes a secret.
func (s *settings) hide(secret string) error {
	if name, ok := strings.CutPrefix(secret, "$"); ok {
		if secret = os.Getenv(name); secret == "" {
			return fmt.Errorf("the environment variable %s is empty", name)
		}
	}
	return s.rules.Hide(secret)
}

func appendTo(names *[]string) func(string) error {
	return func(name string) error {
		*names = append(*names, name)
		return nil
	}
}

// convert makes a fixture of one cassette and says so.
func (s *settings) convert(path string, stdout io.Writer) error {
	c, err := read(path)
	if err != nil {
		return err
	}
	all, notes, err := exchanges(c)
	if err != nil {
		return err
	}
	test := s.test
	if test == "" {
		test = testOf(path)
	}
	out := filepath.Join(s.dir, fixture.FileName(test))
	if err := write(out, all, s.rules); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: %d interactions of %s\n", out, len(all), path)
	if first, _, _ := strings.Cut(test, "/"); !isTest(first) {
		notes = append(notes, fmt.Sprintf("no test is called %s: give the test's name with -test", test))
	}
	if said := s.said(); said != "" {
		notes = append(notes, "in the test it is aplombtest.Fixtures(t, aplombtest.Recording{"+said+"})")
	}
	for _, note := range notes {
		fmt.Fprintf(stdout, "  %s\n", note)
	}
	return nil
}

// said are the rules that the test's Recorder needs as well.
func (s *settings) said() string {
	var fields []string
	for _, rule := range []struct {
		field string
		names []string
	}{{"Show", s.rules.Show}, {"Ignore", s.rules.Ignore}} {
		if len(rule.names) > 0 {
			fields = append(fields, fmt.Sprintf("%s: %#v", rule.field, rule.names))
		}
	}
	return strings.Join(fields, ", ")
}
