package cache

import (
	"cmp"
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	crand "crypto/rand"
)

const (
	// diskBlock is what files take on a disk in steps of.
	diskBlock = 4096
	// diskStale is after how long a file that was not finished never will be.
	diskStale = time.Minute
	// diskTouch is how often a file's use is written down.
	diskTouch = time.Minute
	// diskRescan of the bound is how much is written between two looks at what other
	// processes wrote.
	diskRescan = 8
)

// Disk is a [Store] of files in a directory. [OpenDisk] makes it. What was written
// is there or not there, also after a crash. Several processes may share the
// directory; the last one to write a key wins.
//
// The files hold what servers answered, for whoever may read them: the directory
// is for this user alone.
type Disk struct {
	single
	root *os.Root
	max  int64

	mu      sync.Mutex
	size    int64 // of files and of those not finished
	written int64 // since the last look at the directory
	files   map[string]*list.Element
	recent  list.List // of *diskFile, the latest used first
}

type diskFile struct {
	key     string
	cost    int64
	touched time.Time
}

// OpenDisk opens a store in dir, a directory that it makes, with mode 0700, if it
// is not there. owner names whose answers it holds: the account that the client's
// credential speaks for, such as a login. What is kept for another owner lies
// elsewhere, in a directory of its own within dir, for the next run may be somebody
// else's; of an API without credentials it is any word.
//
// It takes up to maxBytes for each owner, counted in blocks of 4 KiB, and forgets what
// was not used for longest; with n processes in one directory up to an eighth more for
// each of them. An existing directory that others may read is an error.
func OpenDisk(dir, owner string, maxBytes int64) (*Disk, error) {
	if owner == "" {
		return nil, errors.New("cache: OpenDisk: say whose answers these are: the account of the client's credential, lest the next one's are mixed with them")
	}
	if maxBytes < diskBlock {
		return nil, fmt.Errorf("cache: OpenDisk: %d bytes hold no file: give at least %d", maxBytes, diskBlock)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cache: OpenDisk: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("cache: OpenDisk: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("cache: OpenDisk: %s is open to others (mode %v): chmod 700 it, or name a directory of its own",
			filepath.Base(dir), info.Mode().Perm())
	}
	own := sha256.Sum256([]byte(owner))
	dir = filepath.Join(dir, hex.EncodeToString(own[:16]))
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("cache: OpenDisk: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("cache: OpenDisk: %w", err)
	}
	d := &Disk{root: root, max: maxBytes}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.scan(); err != nil {
		_ = root.Close()
		return nil, fmt.Errorf("cache: OpenDisk: %w", err)
	}
	return d, nil
}

// Format prints how much there is and none of it.
func (d *Disk) Format(f fmt.State, _ rune) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, _ = fmt.Fprintf(f, "cache.Disk(%d answers, %d bytes)", len(d.files), d.size)
}

// Close lets go of the directory. What is in it stays.
func (d *Disk) Close() error { return d.root.Close() }

// Get is [Store.Get].
func (d *Disk) Get(_ context.Context, key string) ([]byte, error) {
	if !validKey(key) {
		return nil, errKey
	}
	value, err := d.root.ReadFile(fileOf(key))
	if errors.Is(err, fs.ErrNotExist) {
		d.forget(key)
		return nil, nil
	}
	if err != nil {
		_ = d.remove(key) // one that cannot be read would fail again and again
		return nil, fmt.Errorf("cache: disk: %w", err)
	}
	if d.use(key, int64(len(value))) {
		now := time.Now()
		_ = d.root.Chtimes(fileOf(key), now, now) // so that the next process knows its use too
	}
	return value, nil
}

// Set is [Store.Set].
func (d *Disk) Set(_ context.Context, key string, value []byte) error {
	if !validKey(key) {
		return errKey
	}
	if blocks(int64(len(value))) > d.max {
		return d.remove(key)
	}
	if err := d.write(key, value); err != nil {
		return fmt.Errorf("cache: disk: %w", err)
	}
	d.use(key, int64(len(value)))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.written += blocks(int64(len(value)))
	if d.written > d.max/diskRescan {
		return d.scan()
	}
	d.shrink()
	return nil
}

// write makes the file under another name first, so that nobody sees half of it.
func (d *Disk) write(key string, value []byte) error {
	name, temp := fileOf(key), temporary+crand.Text()
	err := d.root.WriteFile(temp, value, 0o600)
	if err == nil {
		err = d.root.Rename(temp, name)
	}
	if errors.Is(err, fs.ErrNotExist) { // the first of its folder
		_ = d.root.Mkdir(name[:2], 0o700)
		err = d.root.Rename(temp, name)
	}
	if err != nil {
		_ = d.root.Remove(temp)
	}
	return err
}

// Delete is [Store.Delete].
func (d *Disk) Delete(_ context.Context, key string) error {
	if !validKey(key) {
		return errKey
	}
	return d.remove(key)
}

func (d *Disk) remove(key string) error {
	d.forget(key)
	if err := ignoreMissing(d.root.Remove(fileOf(key))); err != nil {
		return fmt.Errorf("cache: disk: %w", err)
	}
	return nil
}

// Size is how many bytes are taken, as far as this process knows.
func (d *Disk) Size() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.size
}

// scan looks at the directory anew and shrinks it. What is not finished takes room
// too, and is removed if that is all there is.
func (d *Disk) scan() error {
	type found struct {
		diskFile
		path string
		used time.Time
	}
	var all, unfinished []found
	err := fs.WalkDir(d.root.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return ignoreMissing(err)
		}
		info, err := entry.Info()
		if err != nil {
			return ignoreMissing(err)
		}
		if key := strings.Replace(path, "/", "", 1); validKey(key) && path == fileOf(key) {
			all = append(all, found{diskFile{key: key, cost: blocks(info.Size())}, path, info.ModTime()})
		} else if strings.HasPrefix(path, temporary) {
			unfinished = append(unfinished, found{diskFile{cost: blocks(info.Size())}, path, info.ModTime()})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cache: disk: %w", err)
	}
	latest := func(a, b found) int { return cmp.Compare(b.used.UnixNano(), a.used.UnixNano()) }
	slices.SortFunc(all, latest)
	slices.SortFunc(unfinished, latest)
	d.files, d.size, d.written = make(map[string]*list.Element, len(all)), 0, 0
	d.recent.Init()
	for _, f := range unfinished {
		if time.Since(f.used) > diskStale || d.size+f.cost > d.max {
			_ = d.root.Remove(f.path)
		} else {
			d.size += f.cost
		}
	}
	for i := range all {
		d.files[all[i].key] = d.recent.PushBack(&all[i].diskFile)
		d.size += all[i].cost
	}
	d.shrink()
	return nil
}

// shrink removes what was not used for longest until the rest fits.
func (d *Disk) shrink() {
	for d.size > d.max { // what is not finished fits by itself
		f := d.drop(d.recent.Back())
		_ = d.root.Remove(fileOf(f.key))
	}
}

// use notes that a file was used, and reports that it is worth writing down.
func (d *Disk) use(key string, size int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := &diskFile{key: key}
	if el, ok := d.files[key]; ok {
		f = d.drop(el)
	}
	f.cost = blocks(size)
	d.files[key] = d.recent.PushFront(f)
	d.size += f.cost
	if time.Since(f.touched) < diskTouch {
		return false
	}
	f.touched = time.Now()
	return true
}

func (d *Disk) forget(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if el, ok := d.files[key]; ok {
		d.drop(el)
	}
}

func (d *Disk) drop(el *list.Element) *diskFile {
	f := d.recent.Remove(el).(*diskFile) //nolint:forcetypeassert // the list holds nothing else
	delete(d.files, f.key)
	d.size -= f.cost
	return f
}

// temporary is how the names of files begin that are being written.
const temporary = "tmp-"

var errKey = errors.New("cache: disk: a key is 64 hexadecimal digits")

func validKey(key string) bool {
	return len(key) == 64 && strings.Trim(key, "0123456789abcdef") == ""
}

// fileOf is where a key's value is: 256 folders keep each of them small.
func fileOf(key string) string { return key[:2] + "/" + key[2:] }

// blocks is what a file of that size takes.
func blocks(size int64) int64 { return max(1, (size+diskBlock-1)/diskBlock) * diskBlock }

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
