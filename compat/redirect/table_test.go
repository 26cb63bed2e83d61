// Package redirect_test measures over loopback sockets what reaches a foreign
// server when an API redirects to it: for aplomb, which must send it nothing,
// and for other Go clients, whose ways testdata/table.txt holds as they are at
// the versions of go.mod.
package redirect_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

var update = flag.Bool("update", false, "write testdata/table.txt instead of comparing with it")

const golden = "testdata/table.txt"

// A setup is a client and the way it is given its credential: a line of the
// table.
type setup struct {
	name string
	// secure is for a client that sends its credential over https only: host
	// and port are then https as well.
	secure bool
	// leaked tells a request with the credential; nil is credential.
	leaked func(sighting) bool
	// send has the client make one call of the rig's API. Whether the client
	// takes the redirect for an error is its own affair, so none is returned:
	// the API must have seen the credential, which the test checks.
	send func(ctx context.Context, r *rig)
}

func (s setup) measure(t *testing.T, h hop) (cell string) {
	t.Helper()
	leaked := s.leaked
	if leaked == nil {
		leaked = credential
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r := newRig(t, h, s.secure)
	s.send(ctx, r)
	switch {
	case !r.api.any(leaked):
		t.Errorf("%s: the API itself never saw the credential, so nothing is measured", h)
	case r.foreign.any(leaked):
		return leak
	}
	return clean
}

const (
	leak  = "LEAK"
	clean = "-"
)

// TestRedirects is the table: aplomb's lines are clean, whatever the file says;
// the others are as in the file, which -update rewrites.
func TestRedirects(t *testing.T) {
	t.Parallel()
	ours, theirs, endpoints := schemes(), peers(), tokenClients()
	table := map[string][]string{}
	for _, s := range append(ours, theirs...) {
		table[s.name] = make([]string, len(hops))
	}
	for _, c := range endpoints {
		table[c.name] = make([]string, len(hops))
	}
	t.Run("measure", func(t *testing.T) {
		for i, h := range hops {
			for n, s := range append(ours, theirs...) {
				t.Run(s.name+"/"+h.String(), func(t *testing.T) {
					t.Parallel()
					cell := s.measure(t, h)
					table[s.name][i] = cell
					if n < len(ours) && cell != clean {
						t.Error("the foreign server received aplomb's credential")
					}
				})
			}
			for _, c := range endpoints {
				t.Run(c.name+"/"+h.String(), func(t *testing.T) {
					t.Parallel()
					cell := c.measure(t, h)
					table[c.name][i] = cell
					if c.ours && cell != clean {
						t.Error("the foreign server was taken for the token endpoint")
					}
				})
			}
		}
	})
	if t.Failed() || partial(table) {
		return // said above what failed, or -run asked for some cells only
	}
	got := render(ours, theirs, endpoints, table)
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what was measured; -update writes this:\n%s", golden, got)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if claim := fmt.Sprintf("%d of %d set-ups of other Go clients", leaking(theirs, table), len(theirs)); !strings.Contains(string(readme), claim) {
		t.Errorf("README.md does not say %q", claim)
	}
}

func partial(table map[string][]string) bool {
	for _, cells := range table {
		if slices.Contains(cells, "") {
			return true
		}
	}
	return false
}

const preamble = `# What a foreign server receives of a credential when the API redirects to it,
# measured over loopback sockets by the tests of this folder's package. Rewrite it with
#
#     cd compat && GOWORK=off go test ./redirect -update
#
# host   from 127.0.0.1 to localhost, another name for the same address
# port   from 127.0.0.1 to another port of it
# plain  from https to http, on another port of 127.0.0.1
#
# LEAK: the secret, or a digest or signature made with it, arrived. Clients
# marked (https) were asked by https in all columns. TAKEN: the foreign server's
# token, code or metadata were accepted. Of Digest credentials both servers send
# a challenge.
`

func render(ours, theirs []setup, endpoints []tokenClient, table map[string][]string) []byte {
	var b bytes.Buffer
	b.WriteString(preamble)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(name string) { fmt.Fprintf(w, "%s\t%s\n", name, strings.Join(table[name], "\t")) }
	heading := func(text string) {
		fmt.Fprintf(w, "\n%s", text)
		for _, h := range hops {
			fmt.Fprintf(w, "\t%s", h)
		}
		fmt.Fprintln(w)
	}
	heading("aplomb")
	for _, s := range ours {
		line(s.name)
	}
	heading("others")
	for _, s := range theirs {
		line(s.name)
	}
	heading("token endpoint")
	for _, c := range endpoints {
		line(c.name)
	}
	_ = w.Flush()
	fmt.Fprintf(&b, "\n%d of %d set-ups of other clients leak, %d of %d of aplomb's\n", leaking(theirs, table), len(theirs), leaking(ours, table), len(ours))
	return b.Bytes()
}

// leaking counts the set-ups that leaked somewhere.
func leaking(setups []setup, table map[string][]string) (n int) {
	for _, s := range setups {
		if strings.Contains(strings.Join(table[s.name], ""), leak) {
			n++
		}
	}
	return n
}
