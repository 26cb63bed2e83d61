package oauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// TokenStore keeps what a log-in granted, for every process that uses it.
// [FileStore] is one; a row of a database, locked by SELECT ... FOR UPDATE, or an
// entry of a key chain make others.
type TokenStore interface {
	// Update calls change with what is saved, nil if nothing is, and saves what
	// it returns, durably, before it returns itself. An error of change is
	// returned and leaves what was saved. From before it reads until it has
	// written no other Update of the same store runs, in this process or another.
	// The bytes hold secrets: keep them from others, and out of logs.
	Update(ctx context.Context, change func(saved []byte) ([]byte, error)) error
}

// FileStore keeps a login in a file that only its owner may read, replaced as a
// whole. A lock on the file beside it, path.lock, keeps processes of one machine
// apart, and ends with the process that holds it; where path lies on a network
// file system, that must support locks.
func FileStore(path string) TokenStore { return &fileStore{path} }

type fileStore struct{ path string }

func (s *fileStore) Update(ctx context.Context, change func([]byte) ([]byte, error)) error {
	unlock, err := s.lock(ctx)
	if err != nil {
		return fmt.Errorf("oauth: lock %s.lock: %w", s.path, err)
	}
	defer unlock()
	saved, err := s.read()
	if err != nil {
		return err
	}
	next, err := change(saved)
	if err != nil || bytes.Equal(next, saved) {
		return err
	}
	if err := s.write(next); err != nil {
		return fmt.Errorf("oauth: save %s: %w", s.path, err)
	}
	return nil
}

// lockPoll is how often a lock that another process holds is tried.
const lockPoll = 10 * time.Millisecond

// lock waits for the lock as long as ctx lets it.
func (s *fileStore) lock(ctx context.Context) (unlock func(), err error) {
	ticker := time.NewTicker(lockPoll)
	defer ticker.Stop()
	for {
		unlock, err := tryLock(s.path + ".lock")
		if !errors.Is(err, errLocked) {
			return unlock, err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("another process holds it: %w", context.Cause(ctx))
		}
	}
}

// errLocked is tryLock's answer where somebody else holds the lock.
var errLocked = errors.New("locked")

func (s *fileStore) read() ([]byte, error) {
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("oauth: %w", err)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("oauth: %s holds a login and others may read it (%v): chmod 600 it, and log in again if they may have", s.path, info.Mode().Perm())
	}
	saved, err := os.ReadFile(s.path)
	if err != nil {
		return nil, fmt.Errorf("oauth: %w", err)
	}
	return saved, nil
}

// write replaces the file at once, so that neither a reader nor a crash finds
// half of it.
func (s *fileStore) write(next []byte) error {
	dir := filepath.Dir(s.path)
	f, err := os.CreateTemp(dir, filepath.Base(s.path)+".new-*") // for its owner only
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(next)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), s.path); err != nil {
		return err
	}
	return syncDir(dir)
}

// decode reads what encode wrote; nothing saved is a grant of nothing.
func decode(saved []byte) (grant, error) {
	var g grant
	if len(saved) == 0 {
		return g, nil
	}
	if err := json.Unmarshal(saved, &g); err != nil {
		return g, errors.New("oauth: what the TokenStore holds is no login: it was written by something else, or cut short")
	}
	return g, nil
}

func (g grant) encode() ([]byte, error) { return json.Marshal(g) } //nolint:gosec // to save it is the purpose
