package cache

import (
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb/internal/header"
)

const (
	// maxDirectives bounds how many directives of a message are read.
	maxDirectives = 64
	// maxSeconds is what a larger number counts as (RFC 9111, section 1.2.2).
	maxSeconds = 1 << 31
)

// control is what Cache-Control says: directives in lower case with their
// arguments, unquoted.
type control map[string]string

// contradiction is the argument of a directive that is there twice with different
// ones. It is no number: what contradicts itself is not trusted.
const contradiction = "?"

// parseControl reads Cache-Control, all lines of it (RFC 9111, section 5.2).
// Pragma counts where there is no Cache-Control (section 5.4).
func parseControl(h http.Header) control {
	lines := h["Cache-Control"]
	if len(lines) == 0 {
		if hasToken(h["Pragma"], "no-cache") {
			return control{"no-cache": ""}
		}
		return nil
	}
	c := control{}
	for part := range split(strings.Join(lines, ","), ',') {
		if len(c) == maxDirectives {
			c["no-store"] = "" // what is not read may forbid
			break
		}
		name, arg, _ := strings.Cut(part, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if name == "" {
			continue
		}
		arg = unquote(strings.TrimSpace(arg))
		if before, twice := c[name]; twice && before != arg {
			arg = contradiction
		}
		c[name] = arg
	}
	return c
}

// split yields the parts of a text between the separators that stand outside
// quotes. From a quote without its end on, quotes are ordinary characters.
func split(s string, separator byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		quotes, from := true, 0
		for i := 0; i < len(s); i++ {
			switch {
			case s[i] == separator:
				if !yield(s[from:i]) {
					return
				}
				from = i + 1
			case s[i] == '"' && quotes:
				end := header.Quoted(s[i:])
				quotes = end > 0 // looking again would be quadratic
				i += max(0, end-1)
			}
		}
		yield(s[from:])
	}
}

func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || header.Quoted(s) != len(s) {
		return s
	}
	s = s[1 : len(s)-1]
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func (c control) has(name string) bool { _, ok := c[name]; return ok }

// seconds is a directive's argument as a duration. Given without one, or with
// what is no number, it is 0: in a response that is stale at once, in a request
// the least that can be asked for.
func (c control) seconds(name string) (d time.Duration, given bool) {
	arg, given := c[name]
	if !given {
		return 0, false
	}
	return seconds(arg), true
}

// seconds reads delta-seconds (RFC 9111, section 1.2.2); what is none is 0.
func seconds(s string) time.Duration {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > maxSeconds {
		n = maxSeconds
	}
	return time.Duration(n) * time.Second
}

// hasToken reports a member of a list of tokens, whatever its case.
func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for member := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(member), token) {
				return true
			}
		}
	}
	return false
}
