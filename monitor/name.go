package monitor

import (
	"strings"
	"unicode/utf8"
)

// What others name is kept up to so many bytes, so that what is bounded in number is
// bounded in memory, too.
const (
	maxName    = 200
	maxText    = 500  // of an error, whose cause stands at its end, and of a link
	maxCommand = 8000 // for curl
)

// named is a name as it is kept.
func named(name string) string { return cut(name, maxName) }

// guarded is what a breaker guards as it is kept: of an origin the host as any other.
func guarded(key string) string {
	scheme, host, found := strings.Cut(key, "://")
	if len(key) <= maxName || !found {
		return named(key)
	}
	return named(scheme) + "://" + named(host)
}

// textOf is an error's text as it is kept, "" of nil.
func textOf(err error) string {
	if err == nil {
		return ""
	}
	return shortened(err.Error())
}

// shortened is a text as it is kept, which shows that it had more.
func shortened(text string) string {
	if len(text) <= maxText {
		return text
	}
	return cut(text, maxText) + "…"
}

// cut is the beginning of s, without the rest in memory.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	end := most
	for end > most-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return strings.Clone(s[:end])
}

// whole is s, or nothing of what is too long: half a link or command is of no use.
func whole(s string, most int) string {
	if len(s) > most {
		return ""
	}
	return s
}
