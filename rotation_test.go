package aplomb_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// accepting lets through who shows one of the keys.
func accepting(keys ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, key := range keys {
			if r.Header.Get("X-Api-Key") == key {
				ok(w, r)
				return
			}
		}
		status(401)(w, r)
	}
}

func TestRotation(t *testing.T) {
	for name, tt := range map[string]struct {
		steps    []http.HandlerFunc
		requests int // for three calls
		status   int // of the last
	}{
		"the API knows the current":      {[]http.HandlerFunc{accepting("new-key")}, 3, 0},
		"the API knows both":             {[]http.HandlerFunc{accepting("new-key", "old-key")}, 3, 0},
		"the API knows the previous yet": {[]http.HandlerFunc{accepting("old-key")}, 4, 0},
		"the API learns the current": {[]http.HandlerFunc{
			accepting("old-key"), accepting("old-key"), accepting("old-key"), accepting("new-key"), accepting("new-key"),
		}, 5, 0},
		"the API knows neither": {[]http.HandlerFunc{accepting()}, 6, 401},
	} {
		bubbleCase(t, name, func(t *testing.T) {
			h := script(tt.steps...)
			key := aplomb.Rotation(aplomb.Static("new-key"), aplomb.Static("old-key"))
			c := newClient(t, aplombtest.NewServer(t, h), aplomb.APIKey("X-Api-Key", key))
			var err error
			for range 3 {
				_, err = post(t, c)
			}
			assert.Equal(t, aplomb.StatusCode(err), tt.status)
			assert.Equal(t, h.count(), tt.requests)
		})
	}
}

// A path that answers 401 to every key takes nobody else's key away: the other
// is tried for that call alone.
func TestRotationTriesForOneCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var shown []string
		c := newClient(t, aplombtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/forbidden" {
				status(401)(w, r)
				return
			}
			shown = append(shown, r.Header.Get("X-Api-Key"))
			accepting("new-key")(w, r)
		})), aplomb.APIKey("X-Api-Key", aplomb.Rotation(aplomb.Static("new-key"), aplomb.Static("old-key"))))
		for range 5 {
			_, err := aplomb.Get[order](context.Background(), c, "/forbidden")
			assert.Equal(t, aplomb.StatusCode(err), 401)
			_, err = get(t, c)
			assert.NoError(t, err)
		}
		assert.Equal(t, shown, []string{"new-key", "new-key", "new-key", "new-key", "new-key"})
	})
}

// The other secret that a call tries stays the other, although a second call has
// found it good meanwhile.
func TestRotationTrialIsOfOneSecret(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := script(accepting("old-key"))
		var c *aplomb.Client
		inBetween := aplomb.PerAttempt(func(next http.RoundTripper) http.RoundTripper {
			return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				if r.URL.Path == "/first" && h.count() == 1 { // before it is sent again
					_, err := get(t, c)
					assert.NoError(t, err)
				}
				return next.RoundTrip(r)
			})
		})
		c = newClient(t, aplombtest.NewServer(t, h), inBetween, aplomb.APIKey("X-Api-Key", aplomb.Rotation(aplomb.Static("new-key"), aplomb.Static("old-key"))))
		_, err := aplomb.Get[order](context.Background(), c, "/first")
		assert.NoError(t, err)
		assert.Equal(t, h.count(), 4)
	})
}

// What stands in the current's own place comes before the previous.
func TestRotationOfAFile(t *testing.T) {
	bubble(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "key")
		assert.NoError(t, os.WriteFile(path, []byte("key-2\n"), 0o600))
		h := script(accepting("key-2"), func(w http.ResponseWriter, r *http.Request) {
			assert.NoError(t, os.WriteFile(path, []byte("key-3\n"), 0o600))
			status(401)(w, r)
		}, accepting("key-3"))
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.APIKey("X-Api-Key", aplomb.Rotation(aplomb.File(path), aplomb.Static("key-1"))))
		for range 2 {
			_, err := get(t, c)
			assert.NoError(t, err)
		}
		assert.Equal(t, h.count(), 3)
	})
}

// A file is read again although its time and size are the same: written again
// within a tick of the file system's clock, or replaced by another.
func TestFileIsReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, other := filepath.Join(dir, "key"), filepath.Join(dir, "other")
	source := aplomb.File(path)
	put := func(path, text string, at time.Time) {
		assert.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		assert.NoError(t, os.Chtimes(path, at, at))
	}
	reads := func(want string) {
		s, err := source.Secret(context.Background())
		assert.NoError(t, err)
		assert.Equal(t, s.Reveal(), want)
	}
	now, old := time.Now(), time.Now().Add(-time.Hour)
	put(path, "key-1", now)
	reads("key-1")
	put(path, "key-2", now)
	reads("key-2")
	put(path, "key-3", old)
	reads("key-3")
	put(other, "key-4", old)
	assert.NoError(t, os.Rename(other, path))
	reads("key-4")
}

// What would be waited for, or read without end, is no secret.
func TestFileIsRegular(t *testing.T) {
	t.Parallel()
	for _, path := range []string{t.TempDir(), os.DevNull} {
		_, err := aplomb.New("http://api.test", aplomb.Bearer(aplomb.File(path)))
		assert.Contains(t, fmt.Sprint(err), "is no regular file")
	}
}

// Refusals come in one after the other: those that come in while the next secret
// is fetched wait for it too.
func TestSecretFuncServesWhoIsRefusedLater(t *testing.T) {
	bubble(t, func(t *testing.T) {
		asked := 0
		source := aplomb.SecretFunc(func(context.Context) (string, error) {
			asked++
			pause(100 * time.Millisecond)
			return fmt.Sprintf("key-%d", asked), nil
		})
		known, n := "key-1", atomic.Int64{}
		api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			pause(time.Duration(n.Add(1)) * time.Millisecond)
			accepting(known)(w, r)
		})
		c := newClient(t, aplombtest.NewServer(t, api), aplomb.APIKey("X-Api-Key", source))
		_, err := get(t, c)
		assert.NoError(t, err)
		known = "key-2"
		errs, _ := crowd(c, 50, nil)
		assert.NoError(t, errors.Join(errs...))
		assert.Equal(t, asked, 2)
	})
}

// A rotation within the secrets manager is found at the first 401, whichever of
// the two was in use, although both values are kept; a crowd asks once.
func TestRotationOfManagedSecrets(t *testing.T) {
	bubble(t, func(t *testing.T) {
		values, asked := [2]string{"key-1", "key-0"}, [2]int{}
		of := func(i int) aplomb.SecretSource {
			return aplomb.SecretFunc(func(context.Context) (string, error) {
				asked[i]++
				return values[i], nil
			})
		}
		known := "key-1"
		api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { accepting(known)(w, r) })
		c := newClient(t, aplombtest.NewServer(t, api), aplomb.APIKey("X-Api-Key", aplomb.Rotation(of(0), of(1))))
		for i, step := range []struct {
			current, previous, known string
			asked                    [2]int
		}{
			{"key-1", "key-0", "key-1", [2]int{1, 0}},
			{"key-2", "key-1", "key-2", [2]int{2, 0}},
			{"key-3", "key-2", "key-3", [2]int{3, 0}},
			{"key-4", "key-3", "key-3", [2]int{3, 0}}, // not noticed, and nothing to notice
			{"key-5", "key-4", "key-4", [2]int{4, 1}}, // key-3 is refused, and so is key-5, which takes another call
		} {
			values, known = [2]string{step.current, step.previous}, step.known
			errs, _ := crowd(c, 20, nil)
			if i == 4 { // the one renewal of each call went into key-5
				errs, _ = crowd(c, 20, nil)
			}
			assert.NoError(t, errors.Join(errs...))
			if i == 4 { // it was asked again, once or more, whether key-5 is still all it has
				assert.True(t, asked[0] > step.asked[0], asked)
				asked[0] = step.asked[0]
			}
			assert.Equal(t, asked, step.asked)
			pause(30 * time.Second)
		}
	})
}

// counted is a source that counts how often it is asked.
type counted struct{ asked *int }

func (c counted) Secret(context.Context) (aplomb.Secret, error) {
	*c.asked++
	return aplomb.NewSecret("new-key"), nil
}

// An answer that accepts the secret is no reason to ask for it again.
func TestRotationAsksOnceARequest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		asked := 0
		key := aplomb.Rotation(counted{&asked}, aplomb.Static("old-key"))
		c := newClient(t, aplombtest.NewServer(t, script(accepting("new-key"), status(404))), aplomb.APIKey("X-Api-Key", key))
		for n := range 3 {
			_, err := get(t, c)
			assert.Equal(t, aplomb.StatusCode(err), []int{0, 404, 404}[n])
			assert.Equal(t, asked, n+1)
		}
	})
}

// A secret that is missing leaves the other.
func TestRotationWithOneOnly(t *testing.T) {
	t.Setenv("APLOMB_TEST_NEW_KEY", "k-new")
	none := aplomb.SecretFunc(func(context.Context) (string, error) { return "", errors.New("no such secret") })
	for name, source := range map[string]aplomb.SecretSource{
		"no previous": aplomb.Rotation(aplomb.Env("APLOMB_TEST_NEW_KEY"), aplomb.Env("APLOMB_TEST_OLD_KEY")),
		"no current":  aplomb.Rotation(none, aplomb.Static("k-new")),
	} {
		synctestRun(t, func(t *testing.T) {
			h := script(accepting("k-new"), status(401))
			c := newClient(t, aplombtest.NewServer(t, h), aplomb.APIKey("X-Api-Key", source))
			_, err := get(t, c)
			assert.True(t, err == nil, name, err)
			_, err = get(t, c)
			assert.Equal(t, aplomb.StatusCode(err), 401)
			assert.Equal(t, h.count(), 2)
		})
	}
	for _, bad := range []aplomb.SecretSource{aplomb.Rotation(nil, aplomb.Static("x")), aplomb.Rotation(aplomb.Static("x"), nil), aplomb.Rotation(aplomb.Env("APLOMB_TEST_OLD_KEY"), none)} {
		_, err := aplomb.New("http://api.test", aplomb.APIKey("X-Api-Key", bad))
		assert.True(t, err != nil, "New must refuse it")
		assert.Equal(t, fmt.Sprint(bad), "Rotation")
	}
}

// A secrets manager is asked once for all, again after five minutes, and after
// a 401; while it is away the last value serves.
func TestSecretFuncIsKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var down error
		asked := 0
		source := aplomb.SecretFunc(func(context.Context) (string, error) {
			asked++
			pause(10 * time.Millisecond)
			return fmt.Sprintf("key-%d", asked), down
		})
		ask := func() string {
			s, err := source.Secret(t.Context())
			assert.NoError(t, err)
			return s.Reveal()
		}
		h := script(accepting("key-1"))
		c := newClient(t, aplombtest.NewServer(t, h), aplomb.APIKey("X-Api-Key", source))
		errs, _ := crowd(c, 100, nil)
		for _, err := range errs {
			assert.True(t, err == nil, err)
		}
		assert.Equal(t, asked, 1)
		pause(5 * time.Minute)
		down = errors.New("vault is sealed")
		assert.Equal(t, ask(), "key-1") // and asked in the background, in vain
		pause(20 * time.Millisecond)
		synctest.Wait()
		assert.Equal(t, asked, 2)
		_, err := get(t, c)
		assert.NoError(t, err)
		pause(time.Hour)
		h.steps = []http.HandlerFunc{accepting("key-9")}
		_, err = get(t, c)
		assert.Equal(t, aplomb.StatusCode(err), 401)
		assert.Equal(t, ask(), "key-1") // refused, but it is all there is
		pause(time.Hour)
		synctest.Wait()
		down, asked = nil, 8
		_, err = get(t, c)
		assert.NoError(t, err)
		assert.Equal(t, ask(), "key-9")
	})
}
