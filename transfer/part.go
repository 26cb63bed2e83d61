package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/aplomb-go/aplomb/internal/filelock"
)

// part is the file that a download goes to until it is whole. It is locked while
// it is open.
type part struct {
	name    string // the final one
	f       *os.File
	digests []*digest
	stated  bool // what lies beside it says what it is
}

func partName(name string) string  { return name + ".part" }
func stateName(name string) string { return name + ".part.json" }

// openPart opens and locks the part of the file of that name.
func openPart(name string) (*part, error) {
	if name == "" {
		return nil, errors.New("transfer: Download.ToFile: the file has no name")
	}
	perm := fs.FileMode(0o666) // as os.Create does: the umask decides who reads a download
	if info, err := os.Stat(name); err == nil {
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("transfer: Download.ToFile: %s is not a regular file", name)
		}
		perm = info.Mode().Perm() // a part is for nobody else either
	}
	for {
		f, err := filelock.Open(partName(name), perm)
		if errors.Is(err, filelock.ErrLocked) {
			err = ErrBusy
		}
		if err != nil {
			return nil, err
		}
		// Meanwhile the one who had the lock may have given the file its final name.
		mine, err := f.Stat()
		there, err2 := os.Lstat(partName(name))
		if err == nil && err2 == nil && os.SameFile(mine, there) {
			if !mine.Mode().IsRegular() {
				_ = f.Close()
				return nil, fmt.Errorf("transfer: Download.ToFile: %s is not a regular file", partName(name))
			}
			return &part{name: name, f: f}, nil
		}
		_ = f.Close()
		if err != nil || err2 != nil && !errors.Is(err2, fs.ErrNotExist) {
			return nil, errors.Join(err, err2)
		}
	}
}

// close leaves no part behind that is of no use.
func (p *part) close() {
	if p.f == nil {
		return
	}
	info, err := p.f.Stat()
	if !filelock.RemoveOpen { // Windows does not remove what is open
		_ = p.f.Close()
	}
	if err == nil && info.Size() == 0 {
		_ = os.Remove(partName(p.name))
	}
	_ = p.f.Close()
}

// load is what is there of which file; nothing, if it is not known.
func (p *part) load(key string) (entity, spans, error) {
	info, err := p.f.Stat()
	if err != nil {
		return entity{}, nil, err
	}
	e, done, err := readState(stateName(p.name), info.Size())
	if err == nil && key != "" && e.source != sourceOf(nil, key) {
		err = errState
	}
	if err != nil { // what cannot be gone on with is gone
		return entity{}, nil, p.reset()
	}
	p.stated = true
	return e, done, p.f.Truncate(done.end()) // for what is behind nobody vouches
}

func (p *part) begin(digests []*digest) bool {
	p.digests = digests
	return true
}

func (p *part) write(b []byte, at int64) error {
	_, err := p.f.WriteAt(b, at)
	return err
}

// keep writes down what is there once it is on the disk, so that what is written
// down is never more than there is.
func (p *part) keep(e *entity, done spans) (bool, error) {
	if done.size() == 0 {
		return p.stated, nil
	}
	if err := p.f.Sync(); err != nil {
		return p.stated, err
	}
	if err := writeState(stateName(p.name), e, done); err != nil {
		return p.stated, err
	}
	p.stated = true
	return true, nil
}

func (p *part) reset() error {
	p.stated = false
	return errors.Join(removeState(stateName(p.name)), p.f.Truncate(0))
}

// summed reads what is there: what was received is one thing, what is on the disk,
// in part since an earlier run, another.
func (p *part) summed(ctx context.Context) (*summing, error) {
	sum := newSumming(p.digests)
	if len(p.digests) == 0 {
		return sum, nil
	}
	buf := make([]byte, 256<<10)
	for ctx.Err() == nil {
		n, err := p.f.Read(buf)
		_, _ = sum.Write(buf[:n]) // hashes do not fail
		if errors.Is(err, io.EOF) {
			return sum, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, context.Cause(ctx)
}

// publish gives the part its final name.
func (p *part) publish() error {
	if info, err := os.Stat(p.name); err == nil {
		if err := p.f.Chmod(info.Mode().Perm()); err != nil {
			return err
		}
	}
	if err := p.f.Sync(); err != nil {
		return err
	}
	if !filelock.RemoveOpen {
		_ = p.f.Close()
	}
	if err := os.Rename(partName(p.name), p.name); err != nil {
		return err
	}
	_ = removeState(stateName(p.name))
	_ = p.f.Close()
	p.f = nil
	syncFolder(filepath.Dir(p.name))
	return nil
}

// syncFolder has the new name on the disk. Not every system can, and the file is
// there either way.
func syncFolder(name string) {
	if dir, err := os.Open(name); err == nil { //nolint:gosec // the caller names its own file
		_ = dir.Sync()
		_ = dir.Close()
	}
}
