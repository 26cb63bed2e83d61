package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gopkg.in/dnaeon/go-vcr.v4/pkg/cassette"

	"github.com/aplomb-go/aplomb/internal/fixture"
)

// read has go-vcr read a cassette.
func read(path string) (*cassette.Cassette, error) {
	name, ok := strings.CutSuffix(path, ".yaml")
	if !ok {
		return nil, errors.New("it is not called *.yaml, as go-vcr's cassettes are")
	}
	c, err := cassette.Load(name)
	switch {
	case errors.Is(err, cassette.ErrUnsupportedCassetteFormat):
		return nil, errors.New("it is not of version 2: record it anew with go-vcr v4, or with aplombtest.Fixtures itself")
	case err != nil:
		return nil, err
	case len(c.Interactions) == 0:
		return nil, errors.New("there is no interaction in it")
	}
	return c, nil
}

// exchanges are the interactions of a cassette. What is left out of them is said in
// notes.
func exchanges(c *cassette.Cassette) (all []*fixture.Exchange, notes []string, err error) {
	for i, in := range c.Interactions {
		e, err := exchange(in)
		if err != nil {
			return nil, nil, fmt.Errorf("interaction %d: %w", i+1, err)
		}
		if len(in.Request.Trailer)+len(in.Response.Trailer) > 0 {
			notes = append(notes, fmt.Sprintf("interaction %d: its trailers are left out", i+1))
		}
		all = append(all, e)
	}
	return all, notes, nil
}

// exchange is one interaction.
func exchange(in *cassette.Interaction) (*fixture.Exchange, error) {
	if in == nil {
		return nil, errors.New("it is empty: take it out of the cassette")
	}
	q, a := &in.Request, &in.Response
	u, err := url.Parse(q.URL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("its URL is broken: %w", unquoted(err))
	case u.Host == "go-vcr" && q.RemoteAddr != "":
		return nil, errors.New("go-vcr's middleware has recorded it in a server, and fixtures answer clients: " +
			"use cassette.TestServerReplay for it as before")
	case u.Scheme == "" || u.Host == "":
		return nil, errors.New("its URL has no host: write the whole of it into the cassette")
	case a.Code < 100 || a.Code > 999:
		return nil, fmt.Errorf("its response has the code %d, which is none: mend it in the cassette, or take the interaction out", a.Code)
	case a.Code == http.StatusSwitchingProtocols:
		return nil, errors.New("it was answered by another protocol, which cannot be replayed: take it out of the cassette")
	}
	e := &fixture.Exchange{
		Method: q.Method, URL: u, Header: canonical(q.Headers), Body: []byte(q.Body),
		Status: a.Code, Answer: canonical(a.Headers), Sized: a.ContentLength >= 0 && !a.Uncompressed, Took: max(0, a.Duration),
	}
	if e.Method == "" {
		e.Method = http.MethodGet
	}
	if a.Body != "" {
		e.Chunks = []fixture.Chunk{{Data: []byte(a.Body)}}
	}
	return e, nil
}

// unquoted leaves out what url.Parse was given: there may be secrets in it.
func unquoted(err error) error {
	if parse, ok := errors.AsType[*url.Error](err); ok {
		return parse.Err
	}
	return err
}

// canonical has names in the form in which net/http asks for them: a hand or a hook
// may have written others.
func canonical(h http.Header) http.Header {
	all := make(http.Header, len(h))
	for name, values := range h {
		for _, v := range values {
			all.Add(name, v)
		}
	}
	return all
}

// recorded is the day of the last answer that says one, and "" if none does.
func recorded(all []*fixture.Exchange) string {
	var last time.Time
	for _, e := range all {
		if at, err := http.ParseTime(e.Answer.Get("Date")); err == nil && at.After(last) {
			last = at
		}
	}
	if last.IsZero() {
		return ""
	}
	return last.UTC().Format(time.DateOnly)
}

// testOf guesses the test of a cassette: it is usually called after it, and one of a
// subtest is in a folder that is.
func testOf(path string) string {
	parts := strings.Split(strings.TrimSuffix(filepath.ToSlash(path), ".yaml"), "/")
	for i, part := range parts {
		if isTest(part) {
			return strings.Join(parts[i:], "/")
		}
	}
	return parts[len(parts)-1]
}

// isTest is the go command's own rule.
func isTest(name string) bool {
	for _, prefix := range []string{"Test", "Benchmark", "Fuzz", "Example"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			first, _ := utf8.DecodeRuneInString(rest)
			return rest == "" || !unicode.IsLower(first)
		}
	}
	return false
}

// write makes the fixture and puts it into its place, where nothing may be yet.
func write(path string, all []*fixture.Exchange, rules fixture.Rules) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already: take it away, or give another folder with -o", path)
	}
	f, err := fixture.New(filepath.Base(path), all, rules)
	if err != nil {
		return err
	}
	f.Recorded = recorded(all)
	return f.Write(path)
}
