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
func bodyOf(s string, limit int64, short bool) *itemReader {
	var r io.Reader = strings.NewReader(s)
	if short {
		r = iotest.OneByteReader(r)
	}
	return &itemReader{r: r, status: 200, limit: limit}
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
		body := bodyOf(s, 1<<20, short)
		a := arrayReader{body: body, dec: json.NewDecoder(body)}
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
			if len(line) >= limit-3 { // the newline and a byte order mark count
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

// FuzzStreamEvents: an event comes out as it was written, whatever is around it, and
// a stream that is cut anywhere yields the same events up to there.
func FuzzStreamEvents(f *testing.F) {
	f.Add("id: 1\nevent: a\ndata: x\ndata: y\n\n", "id: 2\r\ndata: z\r\n\r\n", uint16(20))
	f.Add(": c\ndata\n\n", "retry: 10\ndata:\n\n", uint16(3))
	f.Add("data: half", "\n\n", uint16(0))
	f.Fuzz(func(t *testing.T, one, two string, cut uint16) {
		parse := func(s string) (all []ServerEvent, err error) {
			p := eventParser{lines: newLineReader(bodyOf(s, 1<<20, cut%2 == 0)), limit: 1 << 20, status: 200}
			for {
				ev, err := p.next()
				if err != nil {
					return all, err
				}
				assert.True(t, p.retry >= 0 && !strings.Contains(p.id, "\x00") && ev.Type != "", ev)
				ev.ID = p.id
				all = append(all, ev)
			}
		}
		whole := one + two
		all, err := parse(whole)
		assert.ErrorIs(t, err, io.EOF)
		part, err := parse(whole[:min(int(cut), len(whole))])
		assert.ErrorIs(t, err, io.EOF)
		assert.True(t, len(part) <= len(all), whole)
		for i := range part {
			assert.Equal(t, part[i], all[i])
		}
		// What is written is read: the plain form of the events is the events.
		var again strings.Builder
		for _, ev := range all {
			if strings.ContainsAny(ev.Data+ev.Type+ev.ID, "\r") {
				return
			}
			again.WriteString("id: " + ev.ID + "\nevent: " + ev.Type + "\ndata: " + strings.ReplaceAll(ev.Data, "\n", "\ndata: ") + "\n\n")
		}
		same, err := parse(again.String())
		assert.ErrorIs(t, err, io.EOF)
		assert.Equal(t, len(same), len(all))
		for i := range same {
			assert.Equal(t, same[i], all[i])
		}
	})
}
