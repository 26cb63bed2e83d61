package sse

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/internal/bom"
)

var errLarge = errors.New("too large")

// told is a stream's events and what came of one that was cut short, and how it ended.
func told(r io.Reader, most int64) (string, error) {
	var b strings.Builder
	events := NewReader(bom.Reader(r), most, errLarge)
	for {
		e, err := events.Next()
		end := ";"
		if err != nil {
			if e.Type == "" && e.Data == nil {
				return b.String(), err
			}
			end = "..."
		}
		b.WriteString(e.Type + "=" + string(e.Data))
		if e.HasID {
			b.WriteString("#" + e.ID)
		}
		if e.Retry > 0 {
			b.WriteString("@" + e.Retry.String())
		}
		b.WriteString(end)
		if err != nil {
			return b.String(), err
		}
	}
}

var streams = map[string]struct{ stream, want string }{
	"nothing":               {"", ""},
	"comment first":         {":\n\nevent: next\ndata: {}\n\n", "next={};"},
	"bare complete":         {"event: complete\n\n", "complete=;"},
	"complete without end":  {"event: complete\n", "complete=..."},
	"complete cut short":    {"event: complete", ""},
	"data without end":      {"event: next\ndata: {}\n", "next={}..."},
	"a line without end":    {"event: next\ndata: {}", "next=..."},
	"several lines":         {"data: {\ndata:  \"a\": 1\ndata:}\n\n", "={\n \"a\": 1\n};"},
	"empty data":            {"event: next\ndata\n\n", "next=;"},
	"data of two nothings":  {"data\ndata:\n\n", "=\n;"},
	"no space":              {"event:next\ndata:{}\n\n", "next={};"},
	"carriage returns":      {"event: next\rdata: {}\r\revent: complete\r\r", "next={};complete=;"},
	"both":                  {"event: next\r\ndata: {}\r\n\r\nevent: complete\r\n\r\n", "next={};complete=;"},
	"mixed":                 {"event: next\rdata: 1\n\r\ndata: 2\n\n", "next=1;=2;"},
	"byte order mark":       {"\ufeffevent: next\ndata: {}\n\n", "next={};"},
	"a second mark":         {"\ufeff\ufeffevent: next\ndata: {}\n\n", "={};"},
	"ids and others":        {"id: 7\nretry: 10\nnonsense\nevent: next\ndata: {}\n\n", "next={}#7@10ms;"},
	"only an id":            {"id: 7\n\ndata: 1\n\n", "=#7;=1;"},
	"the last id holds":     {"id: 7\nid: 8\nid\ndata: 1\n\n", "=1#;"},
	"an id for no header":   {"id: a\x00b\ndata: 1\n\nid: a\x7fb\n\nid: " + strings.Repeat("x", 1025) + "\n\n", "=1;"},
	"a long id":             {"id: " + strings.Repeat("x", 1024) + "\n\n", "=#" + strings.Repeat("x", 1024) + ";"},
	"no time":               {"retry: -1\n\nretry: 1e3\n\nretry: 99999999999\n\nretry:\n\n", ""},
	"only a time":           {"retry: 1500\n\n", "=@1.5s;"},
	"the last name holds":   {"event: a\nevent: b\ndata: 1\n\n", "b=1;"},
	"a name does not carry": {"event: a\ndata: 1\n\ndata: 2\n\n", "a=1;=2;"},
	"colons":                {"data: a:b: c\n\n", "=a:b: c;"},
	"nul":                   {"data: a\x00b\n\n", "=a\x00b;"},
}

func TestEvents(t *testing.T) {
	t.Parallel()
	for name, tt := range streams {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := told(strings.NewReader(tt.stream), 1<<20)
			assert.Equal(t, got, tt.want)
			assert.ErrorIs(t, err, io.EOF)
			got, _ = told(iotest.OneByteReader(strings.NewReader(tt.stream)), 1<<20)
			assert.Equal(t, got, tt.want, "byte by byte")
		})
	}
}

func TestEventsAreBounded(t *testing.T) {
	t.Parallel()
	const most = 10_000 // more than is buffered
	for name, tt := range map[string]struct {
		stream string
		fits   bool
	}{
		"a line":         {"data: " + strings.Repeat("x", most-6) + "\n\n", true},
		"a longer line":  {"data: " + strings.Repeat("x", most-5) + "\n\n", false},
		"many lines":     {strings.Repeat("data: x\n", most/2-3) + "\n", true},
		"more lines":     {strings.Repeat("data: x\n", most/2+1) + "\n", false},
		"empty lines":    {strings.Repeat("data\n", most+1) + "\n", false},
		"a comment":      {":" + strings.Repeat("x", most), false},
		"many comments":  {strings.Repeat(": x\n", most) + "data: x\n\n", true},
		"many small":     {strings.Repeat("data: x\n\n", most), true},
		"without an end": {strings.Repeat("x", 3*most), false},
	} {
		_, err := told(strings.NewReader(tt.stream), most)
		assert.Equal(t, errors.Is(err, errLarge), !tt.fits, name)
	}
}

// TestEventComesWithItsLine: a stream that goes quiet after a carriage return has
// said all it has to say.
func TestEventComesWithItsLine(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	go func() { _, _ = w.Write([]byte("data: 1\r\r")) }()
	e, err := NewReader(r, 100, errLarge).Next()
	assert.NoError(t, err)
	assert.Equal(t, string(e.Data), "1")
}

// FuzzEvents: how a stream is cut into reads and which line ends it has make no
// difference, and nothing is larger than allowed.
func FuzzEvents(f *testing.F) {
	for _, tt := range streams {
		f.Add([]byte(tt.stream), uint16(1000))
		f.Add([]byte(tt.stream), uint16(5))
	}
	f.Fuzz(func(t *testing.T, raw []byte, most uint16) {
		events := NewReader(bytes.NewReader(raw), int64(most), errLarge)
		for {
			e, err := events.Next()
			if err != nil {
				break
			}
			if len(e.Data) > longest(most) || len(e.Type) > longest(most) || bytes.ContainsAny(e.Data, "\r") || len(e.ID) > maxID || e.Retry < 0 {
				t.Fatalf("%q: event %+v", raw, e)
			}
		}
		whole, wholeErr := told(bytes.NewReader(raw), int64(most))
		pieces, piecesErr := told(iotest.OneByteReader(bytes.NewReader(raw)), int64(most))
		if whole != pieces || !errors.Is(piecesErr, wholeErr) {
			t.Fatalf("%q: %q %v, byte by byte %q %v", raw, whole, wholeErr, pieces, piecesErr)
		}
		plain := bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
		for _, end := range []string{"\n", "\r", "\r\n"} {
			got, err := told(bytes.NewReader(bytes.ReplaceAll(plain, []byte("\n"), []byte(end))), int64(most))
			if got != whole || !errors.Is(err, wholeErr) {
				t.Fatalf("%q with %q: %q %v, want %q %v", raw, end, got, err, whole, wholeErr)
			}
		}
	})
}

func longest(most uint16) int { return int(most) + 1 } // a line feed between two lines of data
