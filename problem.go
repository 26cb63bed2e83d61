package aplomb

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/aplomb-go/aplomb/internal/bom"
)

// readProblem finds the server's own code and message in an error's body: RFC
// 9457 problem details, the JSON shapes in common use, XML as object stores
// send it, the heading of an HTML page, or a line of text.
func readProblem(contentType string, body []byte) (code, message string) {
	body = bytes.TrimSpace(bom.Trim(body))
	if len(body) == 0 {
		return "", ""
	}
	kind := mediaType(contentType)
	switch {
	case body[0] == '{' || body[0] == '[':
		var v any
		if json.Unmarshal(body, &v) == nil {
			return problemIn(v, 0)
		}
		return "", ""
	case strings.Contains(kind, "html") || bytes.HasPrefix(bytes.ToLower(body[:min(len(body), 14)]), []byte("<!doctype html")):
		return "", htmlHeading(body)
	case strings.Contains(kind, "xml") || body[0] == '<':
		return xmlProblem(body)
	case kind == "text/plain" || kind == "":
		line, _, _ := strings.Cut(string(body), "\n")
		return "", strings.TrimSpace(line)
	}
	return "", ""
}

// problemIn reads a decoded JSON error. Depth is bounded, for the body is not
// ours.
func problemIn(v any, depth int) (code, message string) {
	if depth > 4 {
		return "", ""
	}
	switch v := v.(type) {
	case string:
		return "", v
	case []any:
		if len(v) > 0 {
			return problemIn(v[0], depth+1)
		}
	case map[string]any:
		return problemInObject(v, depth)
	}
	return "", ""
}

func problemInObject(o map[string]any, depth int) (code, message string) {
	message = firstString(o, "message", "detail", "error_description", "error_message", "description", "msg", "reason", "title", "faultstring", "Message")
	code = firstString(o, "code", "error_code", "errorCode", "type", "status", "Code", "__type")
	if strings.HasPrefix(code, "about:") || strings.Contains(code, "://") {
		code = "" // RFC 9457's type is a URI, which the title already says in words
	}
	for _, name := range [...]string{"error", "errors", "fault", "Error", "detail"} {
		inner, ok := o[name]
		if !ok {
			continue
		}
		if s, isText := inner.(string); isText {
			// OAuth and many others: {"error": "code", "error_description": "..."}.
			if message == "" {
				message = s
			} else if code == "" && name == "error" {
				code = s
			}
			continue
		}
		innerCode, innerMessage := problemIn(inner, depth+1)
		if innerMessage != "" && (message == "" || name == "error") {
			message = innerMessage
		}
		if innerCode != "" {
			code = innerCode
		}
	}
	return code, message
}

func firstString(o map[string]any, names ...string) string {
	for _, name := range names {
		switch v := o[name].(type) {
		case string:
			if v != "" {
				return v
			}
		case float64:
			if name == "code" || name == "error_code" {
				return jsonNumber(v)
			}
		}
	}
	return ""
}

func jsonNumber(v float64) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(raw)
}

// htmlHeading is the first h1 or title of a page.
func htmlHeading(body []byte) string {
	text := string(body[:min(len(body), maxMarkup)])
	lower := strings.ToLower(text)
	for _, tag := range [...]string{"h1", "title"} {
		at := strings.Index(lower, "<"+tag)
		if at < 0 || len(lower) != len(text) {
			continue
		}
		open := strings.IndexByte(lower[at:], '>')
		end := strings.Index(lower[at:], "</"+tag)
		if open >= 0 && end > open {
			return strings.TrimSpace(unescape(stripTags(text[at+open+1 : at+end])))
		}
	}
	return ""
}

func stripTags(s string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(s, "<")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		_, s, _ = strings.Cut(rest, ">")
	}
}
