package oauth_test

import (
	"context"
	"errors"
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
	err = oauth.FileStore(filepath.Join(path, "below")).Update(t.Context(), put("x"))
	assert.Contains(t, err.Error(), "oauth: FileStore: ")
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
