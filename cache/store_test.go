package cache_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/cache"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// sized is a store that says how much it holds.
type sized interface {
	cache.Store
	Size() int64
}

func openDisk(t *testing.T, dir string, maxBytes int64) *cache.Disk {
	t.Helper()
	d, err := cache.OpenDisk(dir, "me", maxBytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func newDir(t *testing.T) string { t.Helper(); return filepath.Join(t.TempDir(), "answers") }

// owned is where in dir a disk's files are.
func owned(t *testing.T, dir string) string {
	t.Helper()
	own, err := filepath.Glob(filepath.Join(dir, strings.Repeat("?", 32)))
	assert.NoError(t, err)
	assert.Equal(t, len(own), 1)
	return own[0]
}

func key(n int) string { return fmt.Sprintf("%02x%062x", n%256, n) }

func value(t *testing.T, s cache.Store, n int) []byte {
	t.Helper()
	v, err := s.Get(t.Context(), key(n))
	assert.NoError(t, err)
	return v
}

// TestStores is what the doc comment of Store asks for.
func TestStores(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T, maxBytes int64) sized{
		"memory": func(_ *testing.T, maxBytes int64) sized { return cache.NewMemory(maxBytes) },
		"disk":   func(t *testing.T, maxBytes int64) sized { t.Helper(); return openDisk(t, newDir(t), maxBytes) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, 100<<10)
			assert.Equal(t, value(t, s, 1), nil)
			assert.NoError(t, s.Delete(t.Context(), key(1)))
			assert.NoError(t, s.Set(t.Context(), key(1), []byte("one")))
			assert.NoError(t, s.Set(t.Context(), key(2), []byte("two")))
			assert.NoError(t, s.Set(t.Context(), key(1), []byte("three")))
			assert.Equal(t, string(value(t, s, 1)), "three")
			assert.NoError(t, s.Delete(t.Context(), key(1)))
			assert.Equal(t, value(t, s, 1), nil)
			assert.Equal(t, string(value(t, s, 2)), "two")

			big := bytes.Repeat([]byte("x"), 20<<10)
			for n := range 50 {
				assert.NoError(t, s.Set(t.Context(), key(10+n), big))
				assert.True(t, s.Size() <= 100<<10, s.Size())
				value(t, s, 2) // what is used stays
			}
			assert.Equal(t, string(value(t, s, 2)), "two")
			assert.Equal(t, value(t, s, 10), nil)
			assert.Equal(t, len(value(t, s, 59)), len(big))

			assert.NoError(t, s.Set(t.Context(), key(2), bytes.Repeat(big, 6)))
			assert.Equal(t, value(t, s, 2), nil, "larger than all there is")
			assert.Equal(t, len(value(t, s, 59)), len(big), "and puts nothing out")
			for n := range 60 {
				assert.NoError(t, s.Delete(t.Context(), key(n)))
			}
			assert.Equal(t, s.Size(), 0)
		})
		t.Run(name+" in many hands", func(t *testing.T) {
			t.Parallel()
			s := open(t, 100<<10)
			var wg sync.WaitGroup
			for n := range 8 {
				wg.Go(func() {
					for i := range 50 {
						k := key(i % 5)
						switch (n + i) % 3 {
						case 0:
							assert.NoError(t, s.Set(t.Context(), k, bytes.Repeat([]byte{byte(i % 5)}, 10<<10)))
						case 1:
							v, err := s.Get(t.Context(), k)
							assert.NoError(t, err)
							assert.Equal(t, bytes.Count(v, []byte{byte(i % 5)}), len(v))
						default:
							assert.NoError(t, s.Delete(t.Context(), k))
						}
					}
				})
			}
			wg.Wait()
			assert.True(t, s.Size() <= 100<<10)
		})
	}
}

func TestDisk(t *testing.T) {
	t.Parallel()
	t.Run("is there again, the latest used first", func(t *testing.T) {
		t.Parallel()
		dir := newDir(t)
		d := openDisk(t, dir, 10*4096)
		for n := range 10 {
			assert.NoError(t, d.Set(t.Context(), key(n), []byte{byte(n)}))
		}
		touch(t, owned(t, dir), key(0), time.Now().Add(-time.Hour))
		again := openDisk(t, dir, 9*4096)
		assert.Equal(t, again.Size(), 9*4096)
		assert.Equal(t, value(t, again, 0), nil)
		assert.Equal(t, value(t, again, 9), []byte{9})
	})
	t.Run("writes down once a minute that a file is used", func(t *testing.T) {
		t.Parallel()
		dir := newDir(t)
		d := openDisk(t, dir, 1<<20)
		assert.NoError(t, d.Set(t.Context(), key(1), []byte("x")))
		at := time.Now().Add(-time.Hour).Truncate(time.Second)
		touch(t, owned(t, dir), key(1), at)
		value(t, d, 1)
		info, err := os.Stat(filepath.Join(owned(t, dir), key(1)[:2], key(1)[2:]))
		assert.NoError(t, err)
		assert.True(t, info.ModTime().Equal(at), info.ModTime())
		value(t, openDisk(t, dir, 1<<20), 1)
		info, err = os.Stat(filepath.Join(owned(t, dir), key(1)[:2], key(1)[2:]))
		assert.NoError(t, err)
		assert.True(t, info.ModTime().After(at), "another process did not know")
	})
	t.Run("keeps owners apart", func(t *testing.T) {
		t.Parallel()
		dir := newDir(t)
		d := openDisk(t, dir, 1<<20)
		assert.NoError(t, d.Set(t.Context(), key(1), []byte("x")))
		other, err := cache.OpenDisk(dir, "you", 1<<20)
		assert.NoError(t, err)
		defer other.Close()
		assert.Equal(t, value(t, other, 1), nil)
		assert.Equal(t, value(t, openDisk(t, dir, 1<<20), 1), []byte("x"))
		_, err = cache.OpenDisk(dir, "", 1<<20)
		assert.Contains(t, fmt.Sprint(err), "whose answers")
	})
	t.Run("is for this user alone", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("Windows has no such modes")
		}
		dir := newDir(t)
		d := openDisk(t, dir, 1<<20)
		assert.NoError(t, d.Set(t.Context(), key(1), []byte("x")))
		assert.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			info, _ := e.Info()
			assert.Equal(t, info.Mode().Perm()&0o077, 0, path)
			return err
		}))
		open := t.TempDir()
		assert.NoError(t, os.Chmod(open, 0o755))
		_, err := cache.OpenDisk(open, "me", 1<<20)
		assert.Contains(t, fmt.Sprint(err), "chmod 700")
		assert.NotContains(t, fmt.Sprint(err), filepath.Dir(open))
	})
	t.Run("counts what others have not finished", func(t *testing.T) {
		t.Parallel()
		dir := newDir(t)
		d := openDisk(t, dir, 64<<10)
		assert.NoError(t, d.Set(t.Context(), key(1), []byte("x")))
		for n := range 20 { // a process that dies while it writes, again and again
			assert.NoError(t, os.WriteFile(filepath.Join(owned(t, dir), fmt.Sprintf("tmp-%d", n)), make([]byte, 40<<10), 0o600))
			d = openDisk(t, dir, 64<<10)
			assert.Equal(t, d.Size(), 44<<10)
		}
		assert.NoError(t, d.Set(t.Context(), key(2), make([]byte, 24<<10)))
		assert.Equal(t, d.Size(), 64<<10)
		assert.Equal(t, value(t, d, 1), nil, "the first had to go")
		left, err := filepath.Glob(filepath.Join(owned(t, dir), "tmp-*"))
		assert.NoError(t, err)
		assert.Equal(t, len(left), 1)
	})
	t.Run("gets over what cannot be read", func(t *testing.T) {
		t.Parallel()
		dir := newDir(t)
		d := openDisk(t, dir, 1<<20)
		assert.NoError(t, os.MkdirAll(filepath.Join(owned(t, dir), key(1)[:2], key(1)[2:]), 0o700))
		_, err := d.Get(t.Context(), key(1))
		assert.True(t, err != nil)
		assert.Equal(t, value(t, d, 1), nil, "once")
	})
	t.Run("says what it cannot write", func(t *testing.T) {
		t.Parallel()
		dir := newDir(t)
		d := openDisk(t, dir, 1<<20)
		assert.NoError(t, os.RemoveAll(dir))
		assert.True(t, d.Set(t.Context(), key(1), []byte("x")) != nil)
		assert.Equal(t, d.Size(), 0)
		o := newOriginOver(t, d, cache.Settings{}, say("hello", "Cache-Control: max-age=600"))
		assert.Equal(t, o.send("GET /a").body, "hello")
		assert.Equal(t, o.cache.Stats().StoreErrors, 1)
	})
	t.Run("leaves no half of a file", func(t *testing.T) {
		t.Parallel()
		dir := newDir(t)
		openDisk(t, dir, 1<<20)
		for name, old := range map[string]time.Duration{"tmp-OLD": 2 * time.Minute, "tmp-NEW": 0} {
			assert.NoError(t, os.WriteFile(filepath.Join(owned(t, dir), name), []byte("half"), 0o600))
			at := time.Now().Add(-old)
			assert.NoError(t, os.Chtimes(filepath.Join(owned(t, dir), name), at, at))
		}
		openDisk(t, dir, 1<<20)
		assert.Equal(t, exists(filepath.Join(owned(t, dir), "tmp-OLD")), false)
		assert.Equal(t, exists(filepath.Join(owned(t, dir), "tmp-NEW")), true, "another process may be at it")
	})
	t.Run("sees what another process wrote, and bounds it", func(t *testing.T) {
		t.Parallel()
		dir := newDir(t)
		a, b := openDisk(t, dir, 16*4096), openDisk(t, dir, 16*4096)
		assert.NoError(t, a.Set(t.Context(), key(1), []byte("a")))
		assert.Equal(t, string(value(t, b, 1)), "a")
		assert.NoError(t, b.Delete(t.Context(), key(1)))
		assert.Equal(t, value(t, a, 1), nil)
		for n := range 40 {
			assert.NoError(t, a.Set(t.Context(), key(100+n), []byte("a")))
			assert.NoError(t, b.Set(t.Context(), key(200+n), []byte("b")))
		}
		files := 0
		_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, _ error) error {
			if !e.IsDir() {
				files++
			}
			return nil
		})
		assert.True(t, files <= 16+2*16/8, files)
	})
	t.Run("takes no key that is a path", func(t *testing.T) {
		t.Parallel()
		d := openDisk(t, newDir(t), 1<<20)
		for _, k := range []string{"", "../" + key(1)[3:], strings.Repeat("/", 64), strings.ToUpper(key(15))} {
			_, err := d.Get(t.Context(), k)
			assert.True(t, err != nil, k)
			assert.True(t, d.Set(t.Context(), k, nil) != nil, k)
			assert.True(t, d.Delete(t.Context(), k) != nil, k)
		}
	})
	t.Run("has room for one file at least", func(t *testing.T) {
		t.Parallel()
		_, err := cache.OpenDisk(newDir(t), "me", 4095)
		assert.True(t, err != nil)
	})
}

// TestDiskUnderACache damages each byte of what is on the disk in turn.
func TestDiskUnderACache(t *testing.T) {
	t.Parallel()
	bubble(t, "in a bubble, where no disk is slow", testDiskUnderACache)
}

func testDiskUnderACache(t *testing.T) {
	t.Helper()
	dir := newDir(t)
	disk := openDisk(t, dir, 1<<20)
	o := newOriginOver(t, disk, cache.Settings{}, say("hello", "Cache-Control: max-age=600"))
	o.send("GET /a")
	var files []string
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, _ error) error {
		if !e.IsDir() {
			files = append(files, path)
		}
		return nil
	})
	assert.Equal(t, len(files), 2)
	if first, _ := os.ReadFile(files[0]); bytes.HasPrefix(first, []byte("aplomb-index")) {
		slices.Reverse(files) // a new index would have the answer elsewhere
	}
	for _, file := range files {
		whole, err := os.ReadFile(file)
		assert.NoError(t, err)
		for i := range whole {
			broken := bytes.Clone(whole)
			broken[i] ^= 0x20
			assert.NoError(t, os.WriteFile(file, broken, 0o600))
			before := o.count()
			assert.Equal(t, o.send("GET /a").body, "hello")
			assert.Equal(t, o.count(), before+1)
			assert.True(t, o.cache.Stats().Corrupt > 0)
			assert.NoError(t, disk.Delete(context.Background(), filepath.Base(filepath.Dir(file))+filepath.Base(file)))
		}
		for _, cut := range []int{0, 1, len(whole) / 2, len(whole) - 1} {
			assert.NoError(t, os.WriteFile(file, whole[:cut], 0o600))
			assert.Equal(t, o.send("GET /a").body, "hello")
		}
	}
	// Another process finds it.
	o.send("GET /a")
	again := newOriginOver(t, openDisk(t, dir, 1<<20), cache.Settings{}, say("other"))
	assert.Equal(t, again.send("GET /a").body, "hello")
	assert.Equal(t, again.count(), 0)
}

func TestMemoryHoldsNoMoreThanItTakes(t *testing.T) {
	t.Parallel()
	m := cache.NewMemory(1 << 20)
	o := newOriginOver(t, m, cache.Settings{}, func(_ int, w http.ResponseWriter, _ *http.Request) {
		set(w, "Cache-Control: max-age=60")
		w.(http.Flusher).Flush()
		_, _ = w.Write(bytes.Repeat([]byte("x"), 100<<10))
	})
	for i := range 40 {
		o.send(fmt.Sprintf("GET /%d", i))
		assert.True(t, m.Size() <= 1<<20)
	}
	before := o.count()
	for i := range 9 {
		o.send(fmt.Sprintf("GET /%d", 39-i))
	}
	assert.Equal(t, o.count(), before, "nine of 100 KiB fit")
}

func touch(t *testing.T, dir, key string, at time.Time) {
	t.Helper()
	assert.NoError(t, os.Chtimes(filepath.Join(dir, key[:2], key[2:]), at, at))
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }
