package graphql

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/aplomb-go/aplomb"
)

// UseGET sends queries by GET, so that caches can keep the answers (GraphQL over
// HTTP, section 5.4, https://graphql.github.io/graphql-over-http/draft/): the
// document, or with [PersistedQueries] its hash alone, and the variables are
// parameters of the URL. Mutations, uploads, batches, the answer to a missing hash and
// what would make a URL of more than 8 KiB go by POST. Give it to [New], or for one
// query to [Execute] and its siblings.
//
// Servers and proxies write URLs to their logs: have no secret among the variables.
// aplomb shows none of them in its errors, events and log lines.
func UseGET() aplomb.CallOption {
	return own("UseGET", func(p *plan) error { p.get = true; return nil })
}

// maxURL is what servers and proxies take without more ado, in bytes.
const maxURL = 8 << 10

// The names of the parameters.
const (
	paramQuery      = "query"
	paramOperation  = "operationName"
	paramVariables  = "variables"
	paramExtensions = "extensions"
)

// parameters send r by GET. The content type of a body that is not there tells a
// server that guards against cross-site requests that this is none.
func (r request) parameters() ([]aplomb.CallOption, error) {
	opts := []aplomb.CallOption{aplomb.Header("Content-Type", "application/json")}
	add := func(name, value string) { opts = append(opts, aplomb.Query(name, value)) }
	if r.Query != "" {
		add(paramQuery, r.Query)
	}
	if r.OperationName != "" {
		add(paramOperation, r.OperationName)
	}
	if raw, _ := r.Variables.(json.RawMessage); raw != nil {
		add(paramVariables, string(raw))
	}
	if len(r.Extensions) > 0 {
		raw, err := json.Marshal(r.Extensions)
		if err != nil {
			return nil, err
		}
		add(paramExtensions, string(raw))
	}
	return opts, nil
}

// fits reports a URL that has the query, which a redirect may have lost, and is not
// too long.
func fits(u *url.URL) bool {
	return (hasParameter(u.RawQuery, paramQuery) || hasParameter(u.RawQuery, paramExtensions)) && len(u.String()) <= maxURL
}

func hasParameter(raw, name string) bool {
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == name || strings.HasPrefix(pair, name+"=") {
			return true
		}
	}
	return false
}

// withoutParameters is raw without those that parameters makes.
func withoutParameters(raw string) string {
	var kept []string
	for pair := range strings.SplitSeq(raw, "&") {
		switch name, _, _ := strings.Cut(pair, "="); name {
		case "", paramQuery, paramOperation, paramVariables, paramExtensions:
		default:
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}
