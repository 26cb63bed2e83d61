package signature

import (
	"encoding/hex"
	"strings"
	"testing"
)

// splits says without joining the two what it would say of both joined.
func TestSplitsIsAsIfJoined(t *testing.T) {
	t.Parallel()
	var texts []string
	for _, a := range []string{"", "a", "b", "ab", "ba", "aa", "aab", "aba", "abab", "bab"} {
		for _, b := range []string{"", "a", "b", "ab", "aba"} {
			texts = append(texts, a+b)
		}
	}
	for _, value := range texts {
		for _, tail := range texts {
			want := strings.Index(value+tail, tail) == len(value)
			if got := (part{tail: tail}).splits(value); got != want {
				t.Errorf("%q before %q: %v, want %v", value, tail, got, want)
			}
		}
	}
}

// appendHex reads what encoding/hex does, but for nothing at all.
func TestHexIsAsTheLibraryHasIt(t *testing.T) {
	t.Parallel()
	for a := range 256 {
		for _, b := range []byte("09afAFgG/:@`\x00\xff") {
			text := string([]byte{byte(a), b})
			want, wantErr := hex.DecodeString(text)
			got, err := appendHex(nil, text)
			if (err == nil) != (wantErr == nil) || err == nil && got[0] != want[0] {
				t.Errorf("%q: got %x, %v; want %x, %v", text, got, err, want, wantErr)
			}
		}
	}
	for _, text := range []string{"", "a", "abc"} {
		if _, err := appendHex(nil, text); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}
