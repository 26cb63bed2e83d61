package bom_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/internal/bom"
)

func TestReader(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "a": "a", "\xef": "\xef", "\xef\xbb": "\xef\xbb", "\xef\xbba": "\xef\xbba", "\xef\xbb\xbf": "", "\xef\xbb\xbfa": "a",
		"\xef\xbb\xbf\xef\xbb\xbf": "\xef\xbb\xbf", strings.Repeat("x", 100): strings.Repeat("x", 100),
	} {
		for _, r := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in))} {
			got, err := io.ReadAll(bom.Reader(r))
			assert.NoError(t, err)
			assert.Equal(t, string(got), want)
		}
		assert.Equal(t, string(bom.Trim([]byte(in))), want)
	}
	lost := errors.New("lost")
	got, err := io.ReadAll(bom.Reader(io.MultiReader(strings.NewReader("\xef"), iotest.ErrReader(lost))))
	assert.ErrorIs(t, err, lost)
	assert.Equal(t, string(got), "\xef")
}

// TestReaderDoesNotWait: what cannot be a mark is handed on at once.
func TestReaderDoesNotWait(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	go func() { _, _ = w.Write([]byte("1")) }()
	buf := make([]byte, 8)
	n, err := bom.Reader(r).Read(buf)
	assert.NoError(t, err)
	assert.Equal(t, string(buf[:n]), "1")
}
