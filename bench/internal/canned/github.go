package canned

import "net/http"

// GitHub is the header of an answer of GitHub's, which counts against the quota of
// that resource: core or graphql.
func GitHub(resource string) http.Header {
	return http.Header{
		"Content-Type":          {"application/json; charset=utf-8"},
		"Date":                  {"Mon, 02 Mar 2026 10:00:00 GMT"},
		"X-Github-Request-Id":   {"C0DE:1A2B:3C4D5E:6F7A8B:69A5602C"},
		"X-Ratelimit-Limit":     {"5000"},
		"X-Ratelimit-Remaining": {"4993"},
		"X-Ratelimit-Reset":     {"1772449200"},
		"X-Ratelimit-Used":      {"7"},
		"X-Ratelimit-Resource":  {resource},
	}
}
