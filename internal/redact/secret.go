package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// minSecret is the length in bytes below which a given secret is ignored: it
// would blank out half of every text.
const minSecret = 4

// Forms lists the ways in which a secret may be written: as it is, as URLs, JSON
// and Go write it, in base64, alone or within something longer, and in hex. One
// of fewer than four bytes has none: it would be found everywhere.
func Forms(secret string) []string { return variants([]string{secret}) }

// variants lists the forms in which the secrets may turn up in a text.
func variants(secrets []string) []string {
	var all []string
	for _, s := range secrets {
		for _, s := range []string{s, strings.TrimSpace(s)} { // a file ends with a newline, the header does not
			if len(s) < minSecret {
				continue
			}
			all = append(all, s)
			all = append(all, escapedForms(s)...)
			all = append(all, base64Forms(s)...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// escapedForms: as URLs, JSON encoders and Go's %q write it.
func escapedForms(s string) []string {
	query, path := url.QueryEscape(s), url.PathEscape(s)
	spaced := strings.ReplaceAll(query, "+", "%20")
	forms := []string{query, path, lowerHex(query), lowerHex(path), lowerHex(spaced), spaced,
		url.QueryEscape(query), url.QueryEscape(path)} // a URL within a URL
	if b, err := json.Marshal(s); err == nil {
		html := string(b[1 : len(b)-1])
		plain := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(html)
		forms = append(forms, html, plain, strings.ReplaceAll(plain, "/", `\/`), asciiJSON(plain),
			url.QueryEscape(plain)) // GraphQL's variables in a GET
	}
	q := strconv.Quote(s)
	return append(forms, q[1:len(q)-1], hex.EncodeToString([]byte(s)))
}

// lowerHex turns %2F into %2f: both are in use.
func lowerHex(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], strings.ToLower(s[i+1:i+3]))
		}
	}
	return string(b)
}

// asciiJSON writes everything beyond ASCII as \uXXXX, as Python does.
func asciiJSON(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < utf8.RuneSelf {
			b.WriteRune(r)
			continue
		}
		for _, u := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, u)
		}
	}
	return b.String()
}

// base64Forms gives the encodings of s alone and, for each of the three ways
// it can lie inside a longer text (Basic's "user:password"), the characters
// that no neighbour can change.
func base64Forms(s string) []string {
	var forms []string
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		forms = append(forms, enc.EncodeToString([]byte(s)))
		for shift := range 3 {
			coded := enc.EncodeToString(append(make([]byte, shift), s...))
			from, to := (shift*8+5)/6, (shift+len(s))*8/6
			if to-from >= minSecret {
				forms = append(forms, coded[from:to])
			}
		}
	}
	return forms
}

// occurrences adds every place where one of hidden stands, overlapping ones too,
// in capitals or not: a server may quote it as a title.
func occurrences(spans []Span, s string, hidden []string) []Span {
	if len(hidden) == 0 {
		return spans
	}
	s = lowerASCII(s)
	for _, v := range hidden {
		v = lowerASCII(v)
		for from := 0; ; {
			i := strings.Index(s[from:], v)
			if i < 0 {
				break
			}
			from += i
			spans = append(spans, Span{from, from + len(v)})
			from++
		}
	}
	return spans
}

// lowerASCII keeps every byte in its place, which strings.ToLower does not.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
