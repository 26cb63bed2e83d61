package examples_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFoldersCanBeCopied puts each example into a module of its own, outside
// the repository, and has it compiled there, tests included: nothing in a folder
// may lean on internal packages or on its neighbours.
func TestFoldersCanBeCopied(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	copyModule(t, dir)
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if err := os.CopyFS(filepath.Join(dir, e.Name()), os.DirFS(e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	compile := exec.Command("go", "list", "-export", "-test", "./...") // compiles tests too, and links nothing
	compile.Dir = dir
	compile.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Errorf("in a copy: %v\n%s", err, strings.TrimSpace(string(out)))
	}
}

// copyModule writes a go.mod like a service's that requires aplomb.
func copyModule(t *testing.T, dir string) {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"go.mod", "go.sum"} {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		raw = bytes.Replace(raw, []byte("module github.com/aplomb-go/aplomb/examples"), []byte("module shop.example/service"), 1)
		raw = bytes.ReplaceAll(raw, []byte("=> ../"), []byte("=> "+filepath.ToSlash(root)+"/"))
		if err := os.WriteFile(filepath.Join(dir, file), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
