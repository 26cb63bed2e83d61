package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/oauth"
)

func put(text string) func([]byte) ([]byte, error) {
	return func([]byte) ([]byte, error) { return []byte(text), nil }
}

func saved(t *testing.T, store oauth.TokenStore) string {
	t.Helper()
	var got string
	assert.NoError(t, store.Update(context.Background(), func(saved []byte) ([]byte, error) {
		got = string(saved)
		return saved, nil
	}))
	return got
}

func TestFileStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "login.json")
	store := oauth.FileStore(path)
	equal(t, saved(t, store), "")
	assert.NoError(t, store.Update(t.Context(), put("one")))
	equal(t, saved(t, oauth.FileStore(path)), "one")
	failure := errors.New("no")
	assert.ErrorIs(t, store.Update(t.Context(), func([]byte) ([]byte, error) { return []byte("two"), failure }), failure)
	equal(t, saved(t, store), "one")
	info, err := os.Stat(path)
	assert.NoError(t, err)
	equal(t, info.Mode().Perm(), os.FileMode(0o600))
	files, err := os.ReadDir(dir)
	assert.NoError(t, err)
	equal(t, len(files), 2) // and the lock: no half-written file is left
}

func TestFileStoreRefuses(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	path := filepath.Join(t.TempDir(), "login.json")
	assert.NoError(t, os.WriteFile(path, []byte("pl4nted"), 0o644))
	err := oauth.FileStore(path).Update(t.Context(), put("x"))
	assert.Contains(t, err.Error(), "chmod 600 it")
	assert.NotContains(t, err.Error(), "pl4nted")
}

// What cannot hold a login, or be written, is said before anything is spent.
func TestFileStoreRefusesFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	assert.NoError(t, os.WriteFile(in("large"), make([]byte, 1<<20+1), 0o600))
	assert.NoError(t, os.WriteFile(in("file"), nil, 0o600))
	assert.NoError(t, os.MkdirAll(in("full.new/x"), 0o700)) // in the way of what is to be written
	for path, want := range map[string]string{
		"":               "the path is empty",
		dir:              "is no regular file",
		in("large"):      "is larger than a login",
		in("full"):       "cannot be saved",
		in("none/below"): "make the directory first",
		in("file/below"): "oauth: ",
	} {
		err := oauth.FileStore(path).Update(t.Context(), func([]byte) ([]byte, error) {
			t.Error("called for", path)
			return nil, nil
		})
		assert.Contains(t, fmt.Sprint(err), want)
	}
}

// A link stands for its file: they have one lock, and the link stays one.
func TestFileStoreOnALink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link, nowhere := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "nowhere")
	assert.NoError(t, os.WriteFile(file, []byte("one"), 0o600))
	if err := errors.Join(os.Symlink(file, link), os.Symlink(filepath.Join(dir, "none"), nowhere)); err != nil {
		t.Skip(err) // Windows lets few users
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	assert.NoError(t, oauth.FileStore(link).Update(t.Context(), func(saved []byte) ([]byte, error) {
		equal(t, string(saved), "one")
		cancel(errors.New("no patience"))
		assert.Contains(t, fmt.Sprint(oauth.FileStore(file).Update(ctx, put("inner"))), "another process holds it")
		return []byte("two"), nil
	}))
	equal(t, saved(t, oauth.FileStore(file)), "two")
	equal(t, saved(t, oauth.FileStore(link)), "two")
	assert.Contains(t, fmt.Sprint(oauth.FileStore(nowhere).Update(t.Context(), put("x"))), "is a link to a file that does not exist")
}

// What a process left that was killed while it saved is gone after the next save.
func TestFileStoreClearsUp(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "login.json")
	assert.NoError(t, os.WriteFile(path+".new", []byte("of a process that was killed"), 0o600))
	assert.NoError(t, oauth.FileStore(path).Update(t.Context(), put("whole")))
	equal(t, saved(t, oauth.FileStore(path)), "whole")
	_, err := os.Stat(path + ".new")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// Who waits for the lock waits no longer than its context, and while one holds
// it no other gets in.
func TestFileStoreLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "login.json")
	ctx, cancel := context.WithCancelCause(t.Context())
	err := oauth.FileStore(path).Update(t.Context(), func([]byte) ([]byte, error) {
		cancel(errors.New("no patience"))
		inner := oauth.FileStore(path).Update(ctx, put("inner"))
		assert.Contains(t, inner.Error(), "another process holds it: no patience")
		return []byte("outer"), nil
	})
	assert.NoError(t, err)
	equal(t, saved(t, oauth.FileStore(path)), "outer")
}

// Half a second of many writers: every update sees the one before.
func TestFileStoreManyWriters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "login.json")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error)
	const writers, rounds = 8, 5
	for range writers {
		go func() {
			store := oauth.FileStore(path)
			var err error
			for range rounds {
				err = errors.Join(err, store.Update(ctx, func(saved []byte) ([]byte, error) { return append(saved, '.'), nil }))
			}
			done <- err
		}()
	}
	for range writers {
		assert.NoError(t, <-done)
	}
	equal(t, len(saved(t, oauth.FileStore(path))), writers*rounds)
}
