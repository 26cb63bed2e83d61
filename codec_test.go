package aplomb_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// TestCodec: it writes what is sent, once, and reads what is answered, wherever the
// caller's own types are.
func TestCodec(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var wrote, read int
		codec := aplomb.Codec{
			Marshal: func(v any) ([]byte, error) { wrote++; raw, err := json.Marshal(v); return bytes.ToUpper(raw), err },
			Unmarshal: func(data []byte, v any) error {
				read++
				return json.Unmarshal(bytes.ReplaceAll(data, []byte("one"), []byte("two")), v)
			},
		}
		var sent []string
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			raw, _ := io.ReadAll(r.Body)
			sent = append(sent, string(raw))
			if r.URL.Path == "/list" {
				_, _ = io.WriteString(w, `{"data":[{"id":"one"}]}`)
				return
			}
			_, _ = io.WriteString(w, `{"id":"one"}`)
		})
		srv := aplombtest.NewServer(t, aplombtest.NewScript(h, aplombtest.LostResponse()))
		c := newClient(t, srv, codec)
		got, err := aplomb.Put[order](t.Context(), c, "/", aplomb.JSON(order{ID: "x"}))
		assert.NoError(t, err)
		assert.Equal(t, got.ID, "two")
		assert.Equal(t, len(sent), 2)
		assert.Equal(t, sent[0], sent[1])
		assert.True(t, strings.HasPrefix(sent[0], `{"ID":"X"`), sent[0])
		assert.Equal(t, wrote, 1)

		all, err := aplomb.Collect(aplomb.Items[order](t.Context(), c, "/list", aplomb.ByLink{}))
		assert.NoError(t, err)
		assert.Equal(t, all[0].ID, "two")
		all, err = aplomb.Collect(aplomb.Stream(t.Context(), c, http.MethodGet, "/list", aplomb.JSONArray[order]{Items: "data"}))
		assert.NoError(t, err)
		assert.Equal(t, all[0].ID, "two")
		assert.Equal(t, read, 3)

		// A call may have its own.
		got, err = aplomb.Get[order](t.Context(), c, "/", aplomb.Codec{})
		assert.NoError(t, err)
		assert.Equal(t, got.ID, "one")
		_, err = aplomb.Put[order](t.Context(), c, "/", aplomb.JSON(1), aplomb.Codec{Marshal: func(any) ([]byte, error) { return nil, errors.New("no") }})
		assert.Contains(t, err.Error(), "JSON body: no")
		_, err = aplomb.Get[order](t.Context(), c, "/", aplomb.Codec{Unmarshal: func([]byte, any) error { return errors.New("no") }})
		_, ok := errors.AsType[*aplomb.DecodeError](err)
		assert.True(t, ok, err)
	})
}

// TestCodecOfEachCall: a body is written by the codec of the call that sends it, also
// where an option is given to several.
func TestCodecOfEachCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		upper := aplomb.Codec{Marshal: func(v any) ([]byte, error) { raw, err := json.Marshal(v); return bytes.ToUpper(raw), err }}
		var sent []string
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			raw, _ := io.ReadAll(r.Body)
			sent = append(sent, string(raw))
			_, _ = io.WriteString(w, `{"id":"x"}`)
		})
		srv := aplombtest.NewServer(t, h)
		plain, c := newClient(t, srv), newClient(t, srv, upper)
		next := func(order, aplomb.Response) ([]aplomb.CallOption, error) {
			if len(sent) == 3 {
				return nil, nil
			}
			return []aplomb.CallOption{aplomb.JSON([]any{"page", len(sent)})}, nil
		}
		_, err := aplomb.Collect(aplomb.Follow(t.Context(), c, http.MethodPost, "/", next, aplomb.Safe(), aplomb.JSON([]string{"page"})))
		assert.NoError(t, err)
		assert.Equal(t, sent, []string{`["PAGE"]`, `["PAGE",1]`, `["PAGE",2]`})

		sent = nil
		body := aplomb.JSON("a")
		for _, c := range []*aplomb.Client{plain, c} {
			_, err := aplomb.Put[order](t.Context(), c, "/", body)
			assert.NoError(t, err)
		}
		assert.Equal(t, sent, []string{`"a"`, `"A"`})
	})
}
