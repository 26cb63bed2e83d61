package aplomb

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/aplomb-go/aplomb/internal/assert"
)

// bodyOf is s as a response's body, with so many bytes a read.
func bodyOf(s string, limit int64, short bool) *streamBody {
	var r io.Reader = strings.NewReader(s)
	if short {
		r = iotest.OneByteReader(r)
	}
	return &streamBody{r: r, over: tooLargeError{200, limit}}
}

// FuzzStreamArray: what encoding/json has in a whole document the stream yields, and
// of no other one it says that it is whole.
func FuzzStreamArray(f *testing.F) {
	for _, s := range []string{`[1,2,{"a":[3]}]`, `[]`, `[1,2`, `[1,2]x`, ` [ "]" , null ] `, `{"a":1}`, `[1 2]`, `[,]`, "[1]\n[2]", `[1,]`} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, s string, short bool) {
		var want []json.RawMessage
		whole := json.Unmarshal([]byte(s), &want) == nil && strings.HasPrefix(strings.TrimSpace(s), "[")
		a := newArrayReader(bodyOf(s, 1<<20, short))
		var got []json.RawMessage
		err := a.find("")
		for err == nil && a.more() {
			var item json.RawMessage
			if item, err = a.value(); err == nil {
				got = append(got, bytes.Clone(item))
			}
		}
		if err == nil {
			err = a.end()
		}
		assert.Equal(t, err == nil, whole, s, err)
		if !whole {
			return
		}
		assert.Equal(t, len(got), len(want))
		for i := range want {
			assert.Equal(t, string(got[i]), string(want[i]))
		}
	})
}

// FuzzStreamLines: lines as strings.Split has them, however they come, and none
// longer than the limit.
func FuzzStreamLines(f *testing.F) {
	f.Add("a\nb\r\n\nc", false)
	f.Add(strings.Repeat("x", 70_000)+"\ny", false)
	f.Fuzz(func(t *testing.T, s string, short bool) {
		const limit = 100_000
		l := newLineReader(bodyOf(s, limit, short))
		var got []string
		var err error
		for err == nil {
			var line []byte
			if line, err = l.next(); err == nil || errors.Is(err, io.EOF) {
				got = append(got, string(line))
			}
		}
		want := strings.Split(s, "\n")
		for i, line := range want {
			if len(line) > limit {
				assert.True(t, len(got) <= i+1, "went on after a line that is too long")
				return
			}
			if assert.True(t, i < len(got), "lost", line) {
				assert.Equal(t, got[i], line)
			}
		}
		assert.Equal(t, len(got), len(want))
		assert.ErrorIs(t, err, io.EOF)
	})
}
