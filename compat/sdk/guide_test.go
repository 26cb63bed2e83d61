package sdk_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	aplombstripe "github.com/aplomb-go/aplomb/stripe"
)

func guide(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("../../docs/sdks.md")
	assert.NoError(t, err)
	return string(raw)
}

// TestGuideCode: each piece of code in the guide stands in these tests, where
// it is run (asTheGuideSays).
func TestGuideCode(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*_test.go")
	assert.NoError(t, err)
	var sources strings.Builder
	for _, f := range files {
		raw, err := os.ReadFile(f)
		assert.NoError(t, err)
		_, _ = sources.WriteString(unindented(string(raw)))
	}
	blocks := strings.Split(guide(t), "```go\n")[1:]
	assert.True(t, len(blocks) >= len(peers()), "a block for each", len(blocks))
	for _, block := range blocks {
		code, _, closed := strings.Cut(block, "```\n")
		assert.True(t, closed)
		if !strings.Contains(sources.String(), "\n"+unindented(code)) {
			t.Errorf("this is nowhere in the tests:\n%s", code)
		}
	}
}

// unindented is code without its lines' indents.
func unindented(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		_, _ = b.WriteString(strings.TrimLeft(line, "\t"))
	}
	return b.String()
}

// TestGuideTable: the guide's table has the versions of go.mod and the numbers
// that are measured (unavailable, multiplied).
func TestGuideTable(t *testing.T) {
	t.Parallel()
	text, mod := guide(t), goMod(t)
	for _, p := range peers() {
		version := mod[p.module]
		begins, ends := fmt.Sprintf("\n| %s %s | ", p.name, version), fmt.Sprintf(" | %d / %d / %d |\n", p.attempts, p.alone, p.both)
		_, row, found := strings.Cut(text, begins)
		if !found {
			t.Errorf("no row begins with %q", begins)
			continue
		}
		row, _, _ = strings.Cut(row, "\n")
		assert.True(t, strings.HasSuffix(row+"\n", ends), row, "does not end with", ends)
	}
}

// goMod is the version of each module that go.mod names.
func goMod(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("../go.mod")
	assert.NoError(t, err)
	versions := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		if fields := strings.Fields(line); len(fields) >= 2 {
			versions[fields[0]] = fields[1]
		}
	}
	return versions
}

// TestGuideClient is the guide's first line.
func TestGuideClient(t *testing.T) {
	t.Parallel()
	c, err := aplomb.New("https://api.stripe.com", aplombstripe.Preset())
	assert.NoError(t, err)
	assert.Equal(t, c.Name(), "stripe")
}
