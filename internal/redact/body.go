package redact

import (
	"fmt"
	"mime"
	"net/url"
	"strings"
)

// fieldAllowed are the body fields whose values may be shown; see also
// errorAllowed and errorCode.
var fieldAllowed = set(`id object type status amount amount_due amount_paid amount_total currency created created_at updated
	updated_at count total total_count totalcount quantity has_more hasmore hasnextpage page per_page page_size pagesize limit offset
	livemode api_version request_id requestid decline_code param event method version interval operationname
	grant_type token_type expires_in retry_after __typename
	error_code error_type error_description error_message`)

// errorAllowed are the fields that explain an error. They are shown only
// inside one: anywhere else a message or a title is what a person wrote.
var errorAllowed = set(`error errors message title detail reason description path line column doc_url documentation_url`)

// Body renders a JSON, form or text body for a log line.
//
// JSON (application/json and any +json) keeps its keys, structure, booleans
// and nulls; numbers and strings are masked unless their key is on the
// allow-list or among extra, compared without regard to case, and then they
// still pass through [Text]. A key that smells of a secret ([SecretField])
// hides everything below it. "code" is shown if it looks like an error's and
// not like a person's; "message" and the like only within "error" or "errors",
// or in application/problem+json (RFC 9457). The document of a GraphQL request
// is shown with its literals masked.
//
// Forms follow the same rules, a nested name like metadata[order_id] being
// judged by its innermost part. Anything else, and what does not parse, is
// only measured: "<512 bytes of image/png>".
//
// The output has at most limit bytes, and ends in "…" if it was cut; 0 means no cap.
func Body(contentType string, b []byte, limit int, extra ...string) string {
	if len(b) == 0 {
		return ""
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil || len(media) > 100 {
		media = "unknown type"
	}
	media = Text(media, 0)
	var out string
	allow := allowed(extra)
	switch {
	case isJSON(media):
		out = jsonBody(media, b, limit, allow)
	case media == "application/x-www-form-urlencoded":
		out = formBody(media, b, limit, allow)
	default:
		out = fmt.Sprintf("<%d bytes of %s>", len(b), media)
	}
	return truncateBytes(out, limit)
}

func isJSON(media string) bool {
	return media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json")
}

func malformed(media string, b []byte) string {
	return fmt.Sprintf("<%d bytes of malformed %s>", len(b), media)
}

// allowed is the caller's part of the allow-list.
func allowed(extra []string) map[string]bool {
	m := make(map[string]bool, len(extra))
	for _, name := range extra {
		m[strings.ToLower(name)] = true
	}
	return m
}

// formBody renders pairs in the order they came.
func formBody(media string, b []byte, limit int, extra map[string]bool) string {
	var out strings.Builder
	if _, err := url.ParseQuery(string(b)); err != nil {
		return malformed(media, b)
	}
	for pair := range strings.SplitSeq(string(b), "&") {
		if out.Len() > 0 {
			out.WriteByte('&')
		}
		out.WriteString(redactPair(pair, func(name, _ string) bool { return showForm(name, extra) }))
		if limit > 0 && out.Len() > limit {
			break
		}
	}
	return out.String()
}

// showForm judges card[number] by "number" and items[0][price] by "price", but
// hides what stands below a secret name. "code" is not shown: in a form it is
// OAuth's authorization code.
func showForm(name string, extra map[string]bool) bool {
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == '[' || r == ']' })
	inner := ""
	for i, part := range parts {
		if strings.Trim(part, "0123456789") == "" {
			continue // an index
		}
		inner = strings.ToLower(part)
		if last := strings.Trim(strings.Join(parts[i+1:], ""), "0123456789") == ""; !last && SecretField(part) {
			return false
		}
	}
	return fieldAllowed.has(inner) || extra[inner]
}
