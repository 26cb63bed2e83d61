package oauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/aplomb-go/aplomb/internal/filelock"
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
	//
	// change may spend a refresh token to get the next: a store that can find out
	// whether it can write does so before it calls change.
	Update(ctx context.Context, change func(saved []byte) ([]byte, error)) error
}

var errNoStore = errors.New("oauth: the TokenStore is nil: use FileStore, or one of your own")

// usable asks the store whether it can be used, before a user logs in for nothing.
func usable(ctx context.Context, store TokenStore) error {
	if store == nil {
		return errNoStore
	}
	return store.Update(ctx, func(saved []byte) ([]byte, error) { return saved, nil })
}

// FileStore keeps a login in a file that only its owner may read, replaced as a
// whole. A lock on the file beside it, path.lock, keeps processes of one machine
// apart, and ends with the process that holds it; where path lies on a network
// file system, that must support locks. What is written is path.new first. A
// path that is a symbolic link stands for the file that it leads to.
func FileStore(path string) TokenStore { return fileStore(path) }

type fileStore string

func (s fileStore) Update(ctx context.Context, change func([]byte) ([]byte, error)) error {
	path, err := resolve(string(s))
	if err != nil {
		return err
	}
	unlock, err := lock(ctx, path+".lock")
	if err != nil {
		return fmt.Errorf("oauth: lock %s.lock: %w", path, err)
	}
	defer unlock()
	saved, err := read(path)
	if err != nil {
		return err
	}
	draft, err := newDraft(path)
	if err != nil {
		return fmt.Errorf("oauth: %s cannot be saved: %w", path, err)
	}
	defer draft.discard()
	next, err := change(saved)
	if err != nil || bytes.Equal(next, saved) {
		return err
	}
	if err := draft.publish(next); err != nil {
		return fmt.Errorf("oauth: save %s: %w", path, err)
	}
	return nil
}

// resolve follows links: two names of one file must have one lock, and a rename
// would replace the link.
func resolve(path string) (string, error) {
	if path == "" {
		return "", errors.New("oauth: FileStore: the path is empty")
	}
	file, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) { // not yet: its directory counts
		dir, missing := filepath.EvalSymlinks(filepath.Dir(path))
		if missing != nil {
			return "", fmt.Errorf("oauth: FileStore: make the directory first: %w", missing)
		}
		file, err = filepath.Join(dir, filepath.Base(path)), nil
		if _, is := os.Readlink(file); is == nil {
			return "", fmt.Errorf("oauth: FileStore: %s is a link to a file that does not exist: make it, or remove the link", path)
		}
	}
	if err != nil {
		return "", fmt.Errorf("oauth: FileStore: %w", err)
	}
	return file, nil
}

// lockPoll is how often a lock that another process holds is tried.
const lockPoll = 10 * time.Millisecond

// lock waits for the lock as long as ctx lets it.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	if !filelock.Supported { // without one two processes would end each other's login
		return nil, errors.New("no file locks on " + runtime.GOOS + ": write a TokenStore over what locks there")
	}
	ticker := time.NewTicker(lockPoll)
	defer ticker.Stop()
	for {
		f, err := filelock.Open(path, 0o600)
		switch {
		case err == nil:
			return func() { _ = f.Close() }, nil
		case !errors.Is(err, filelock.ErrLocked):
			return nil, err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("another process holds it: %w", context.Cause(ctx))
		}
	}
}

// maxLogin bounds what is read: a login has some kilobytes.
const maxLogin = 1 << 20

func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("oauth: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("oauth: FileStore: %s is no regular file (%v)", path, info.Mode().Type())
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("oauth: %s holds a login and others may read it (%v): chmod 600 it, and log in again if they may have", path, info.Mode().Perm())
	}
	f, err := os.Open(path) //nolint:gosec // the caller names its own file
	if err != nil {
		return nil, fmt.Errorf("oauth: %w", err)
	}
	defer func() { _ = f.Close() }()
	saved, err := io.ReadAll(io.LimitReader(f, maxLogin+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("oauth: %w", err)
	case len(saved) > maxLogin:
		return nil, fmt.Errorf("oauth: FileStore: %s is larger than a login (1 MiB): is it the right file?", path)
	}
	return saved, nil
}

// draft is the file that is to replace the one at path: opened, and as large as
// a login may get, before anything is spent that could then not be saved.
type draft struct {
	file *os.File
	path string
}

// draftSize is more than the tokens of a login usually take.
const draftSize = 64 << 10

// newDraft is called under the lock. What a killed process left behind goes.
func newDraft(path string) (*draft, error) {
	name := path + ".new"
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the caller names its own file
	if err != nil {
		return nil, err
	}
	d := &draft{file: f, path: path}
	if _, err := f.Write(make([]byte, draftSize)); err != nil {
		d.discard()
		return nil, err
	}
	return d, nil
}

// publish replaces the file at once, so that neither a reader nor a crash finds
// half of it.
func (d *draft) publish(next []byte) error {
	_, err := d.file.WriteAt(next, 0)
	err = errors.Join(err, d.file.Truncate(int64(len(next))), d.file.Sync(), d.file.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(d.file.Name(), d.path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(d.path))
}

// discard removes the draft; one that was published has another name by now.
func (d *draft) discard() {
	_ = d.file.Close()
	_ = os.Remove(d.file.Name())
}

// syncDir makes a rename in dir last. On Windows it lasts by itself.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir) //nolint:gosec // the same
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
