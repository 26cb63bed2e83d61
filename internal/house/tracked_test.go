package house_test

import (
	"bytes"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// homePath is a path below somebody's home folder.
var homePath = regexp.MustCompile(`(?:^|[\s"'` + "`" + `=(:,])/(?:root|home)/\w`)

// TestNoFileNamesItsMachine reads what git tracks: no path of the machine a
// file was written on, no host of a package registry.
func TestNoFileNamesItsMachine(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	out, err := run(h.dir, "git", "ls-files", "-z")
	if err != nil {
		t.Skip("not a git work tree: ", err)
	}
	forbidden := machineWords(t, h.dir)
	for name := range strings.SplitSeq(strings.TrimRight(out, "\x00"), "\x00") {
		if strings.Contains("/"+name, "/testdata/") {
			continue
		}
		body, err := os.ReadFile(filepath.Join(h.dir, name))
		if err != nil {
			continue // tracked, but deleted or moved in this work tree
		}
		for i, line := range bytes.Split(body, []byte("\n")) {
			if m := homePath.Find(line); m != nil {
				t.Errorf("%s:%d: names the home path %q", name, i+1, bytes.TrimSpace(m))
			}
			for _, w := range forbidden {
				if bytes.Contains(line, []byte(w)) {
					t.Errorf("%s:%d: names this machine's %q", name, i+1, w)
				}
			}
		}
	}
}

// machineWords are this machine's own: the work tree's path, the home folder
// and the hosts its module proxy is reached by. They are asked for, not listed,
// so that the list is not itself what it forbids.
func machineWords(t *testing.T, dir string) []string {
	t.Helper()
	words := []string{dir}
	if home, err := os.UserHomeDir(); err == nil && len(home) > len("/root") {
		words = append(words, home)
	}
	out, err := run(dir, "go", "env", "GOPROXY")
	if err != nil {
		t.Fatal(err)
	}
	for proxy := range strings.FieldsFuncSeq(out, func(r rune) bool { return strings.ContainsRune(",|\n", r) }) {
		u, err := url.Parse(proxy)
		if err != nil || !strings.Contains(u.Hostname(), ".") {
			continue
		}
		if _, err := netip.ParseAddr(u.Hostname()); err != nil {
			words = append(words, u.Hostname())
		}
	}
	return words
}
