package inbox_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/internal/assert"
)

func gcm(t *testing.T, key byte) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher([]byte(strings.Repeat(string(rune(key)), 32)))
	assert.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	assert.NoError(t, err)
	return aead
}

func seal(t *testing.T, s inbox.Store, key byte) inbox.Store {
	t.Helper()
	sealed, err := inbox.Sealed(s, gcm(t, key))
	assert.NoError(t, err)
	return sealed
}

func TestSealedConforms(t *testing.T) {
	bubble(t, func(t *testing.T) { aplombtest.TestInbox(t, seal(t, inbox.NewMemory(), 'k'), time.Sleep, 0) })
}

// TestSealed: what is stored tells nothing, belongs to its event, and is lost
// without the key, but not forgotten.
func TestSealed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		under := inbox.NewMemory()
		store := seal(t, under, 'k')
		e := event("a")
		e.Body, e.Header = []byte("what nobody is to read"), http.Header{"X-Card": {"4242"}}
		for range 2 {
			_, err := store.Insert(t.Context(), e, event("b"))
			assert.NoError(t, err)
		}
		raw, err := under.List(t.Context(), inbox.Query{})
		assert.NoError(t, err)
		assert.Equal(t, len(raw), 2)
		assert.NotContains(t, string(raw[0].Body), "nobody")
		assert.True(t, raw[0].Header == nil)
		opened, err := store.List(t.Context(), inbox.Query{Key: "a"})
		assert.NoError(t, err)
		assert.Equal(t, string(opened[0].Body), "what nobody is to read")
		assert.Equal(t, opened[0].Header, e.Header)

		swapped := event("c")
		swapped.Body = raw[0].Body // that of a
		_, err = under.Insert(t.Context(), swapped, event("d"))
		assert.NoError(t, err)
		r := start(t, store, inbox.Settings{Park: true, Workers: 1}, func(context.Context, *inbox.Record) error { return nil })
		pause(time.Second)
		assert.Equal(t, r.handled(), []string{"a 1 done", "b 1 done", "c 1 dead", "d 1 dead"})
		for key, want := range map[string]string{"c": "record 3 cannot be opened: was it sealed with this key? cipher: ", "d": "record 4 cannot be opened: was it sealed with this key? it is not sealed"} {
			dead := r.record(key)
			assert.Equal(t, dead.State, inbox.StateParked)
			assert.Contains(t, dead.History[0].Error, want)
			assert.True(t, dead.Body == nil)
		}
		other, err := seal(t, under, 'x').List(t.Context(), inbox.Query{Key: "a"})
		assert.NoError(t, err)
		assert.True(t, other[0].Body == nil)
	})
}

func TestSealedIsChecked(t *testing.T) {
	t.Parallel()
	_, err := inbox.Sealed(nil, gcm(t, 'k'))
	assert.Contains(t, fmt.Sprint(err), "needs a store")
	_, err = inbox.Sealed(inbox.NewMemory(), shortNonce{gcm(t, 'k')})
	assert.Contains(t, fmt.Sprint(err), "nonce of 12 bytes or more, and this one's has 8")
	_, err = seal(t, inbox.NewMemory(), 'k').Insert(context.Background(), inbox.Event{})
	assert.Contains(t, fmt.Sprint(err), "no Source or no Key")
}

type shortNonce struct{ cipher.AEAD }

func (shortNonce) NonceSize() int { return 8 }
