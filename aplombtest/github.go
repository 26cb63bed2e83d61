package aplombtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxGraphQLBody bounds a request's body.
const maxGraphQLBody = 1 << 20

// GitHub is a stateful fake of GitHub's GraphQL API, an [http.Handler] at any
// path. Make one with [NewGitHub] and fill it with SeedRepos. All methods are
// safe for concurrent use.
//
// It serves a small part of GitHub's schema, to POST and, for queries, to GET:
//
//	query    { user(login:) { id login name repositories(first:, after:, orderBy:) { … } }  viewer { … }  rateLimit { … }
//	           repository(owner:, name:) { … } }
//	mutation { addStar(input: {starrableId:}) { starrable { … } clientMutationId }  removeStar(…) { … } }
//
// with totalCount, pageInfo, nodes and edges of a connection and id, name,
// nameWithOwner, description, stargazerCount, url, isPrivate, owner and
// primaryLanguage of a repository. Documents may use variables under any name,
// aliases, fragments and the directives skip and include. orderBy is accepted
// and ignored: repositories come in the order they were seeded.
//
// What GitHub would refuse is refused in its words: a field or argument that
// does not exist, a missing first or one above 100, an unknown login or cursor,
// a missing token (any token is a good one). Errors of the document are answered
// with 200, or with 400 if the client prefers application/graphql-response+json
// (https://graphql.github.io/graphql-over-http/draft/). Unlike GitHub, but like
// GraphQL Yoga, it rejects an operationName that is there and empty.
//
// Each answer costs one point and carries the x-ratelimit headers.
type GitHub struct {
	mu       sync.Mutex
	users    map[string]*githubUser
	repos    map[string]*githubRepo // by id
	limit    int
	window   time.Duration
	used     int       // points in the window
	reset    time.Time // when the window ends
	refuse   int       // answers that RateLimited has ordered
	slow     int       // answers that SecondaryLimited has ordered
	pause    time.Duration
	effects  GitHubEffects
	received []Received
}

// GitHubEffects counts what requests have brought about.
type GitHubEffects struct {
	Requests    int // all, with those that were refused
	Queries     int // executed
	Mutations   int // executed
	Stars       int // added by addStar: a mutation sent twice shows here
	RateLimited int // answers that were RATE_LIMITED errors
	Secondary   int // answers that SecondaryLimited has ordered
}

// NewGitHub returns a GitHub without users and with a quota of 5000 points an
// hour, as GitHub's.
func NewGitHub() *GitHub {
	return &GitHub{users: map[string]*githubUser{}, repos: map[string]*githubRepo{}, limit: 5000, window: time.Hour}
}

// Quota sets how many points there are and how long until they are renewed, by
// default 5000 and an hour. A new window begins. As the header counts in whole
// seconds, a window ends on one.
func (g *GitHub) Quota(points int, window time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limit, g.window, g.reset = points, window, time.Time{}
}

// RateLimited makes the next n answers those of a spent quota: status 200, an
// error of type RATE_LIMITED, no data, x-ratelimit-remaining 0.
func (g *GitHub) RateLimited(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuse = n
}

// SecondaryLimited makes the next n answers those of the secondary limit, which is
// for too much at once and has no header of its own: status 403 and Retry-After, in
// whole seconds, with points left
// (https://docs.github.com/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api).
func (g *GitHub) SecondaryLimited(n int, retryAfter time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.slow, g.pause = n, retryAfter
}

// Effects returns what has happened so far.
func (g *GitHub) Effects() GitHubEffects {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.effects
}

// Received returns the last 1000 requests, oldest first. Their headers hold the
// tokens they were sent with.
func (g *GitHub) Received() []Received {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.received)
}

// graphqlRequest is what a client sends
// (https://graphql.github.io/graphql-over-http/draft/#sec-Request-Parameters).
type graphqlRequest struct {
	Query         *string        `json:"query"`
	OperationName *string        `json:"operationName"`
	Variables     map[string]any `json:"variables"`
}

// graphqlError is one of an answer's errors, with GitHub's type beside message.
type graphqlError struct {
	Type       string            `json:"type,omitempty"`
	Path       []any             `json:"path,omitempty"`
	Extensions map[string]any    `json:"extensions,omitempty"`
	Locations  []graphqlLocation `json:"locations,omitempty"`
	Message    string            `json:"message"`
}

type graphqlLocation struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// graphqlAnswer is what comes back. Without data nothing was executed.
type graphqlAnswer struct {
	Data   *graphqlObject  `json:"data,omitempty"`
	Errors []*graphqlError `json:"errors,omitempty"`
}

// ServeHTTP implements [http.Handler].
func (g *GitHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxGraphQLBody))
	if err != nil {
		return // the client broke off; there is nobody to answer
	}
	g.serve(w.Header(), r, body).send(w, r) // outside the lock, for a slow client would hold up the others
}

// serve counts, checks and executes a request.
func (g *GitHub) serve(h http.Header, r *http.Request, body []byte) graphqlReply {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.effects.Requests++
	g.received = remember(g.received, r, string(body))
	h.Set("X-Github-Request-Id", fmt.Sprintf("APLB:%04X", g.effects.Requests))
	if !hasToken(r) {
		writeRate(h, 0, 0, 0, time.Now().Add(time.Hour)) // GitHub does so: no reason to wait an hour
		return graphqlReply{status: http.StatusUnauthorized, refusal: "Bad credentials"}
	}
	if g.slow > 0 {
		g.slow--
		g.effects.Secondary++
		writeRate(h, g.limit, max(0, g.limit-g.used), g.used, g.reset)
		h.Set("Retry-After", strconv.Itoa(int(g.pause/time.Second)))
		return graphqlReply{status: http.StatusForbidden, refusal: "You have exceeded a secondary rate limit. " +
			"Please wait a few minutes before you try again."}
	}
	if g.spend(h) {
		g.effects.RateLimited++
		return graphqlReply{status: http.StatusOK, answer: graphqlAnswer{Errors: []*graphqlError{
			{Type: "RATE_LIMITED", Message: "API rate limit exceeded for user ID 1."}}}}
	}
	req, status, refusal := readGraphQL(r, body)
	if refusal != "" {
		return graphqlReply{status: status, refusal: refusal}
	}
	return g.execute(h, r.Method, req)
}

// execute parses, checks and runs a request. Its caller holds g.mu.
func (g *GitHub) execute(h http.Header, method string, req *graphqlRequest) graphqlReply {
	doc, err := parseGraphQL(*req.Query)
	if err != nil {
		return graphqlReply{status: http.StatusBadRequest, answer: graphqlAnswer{Errors: []*graphqlError{err}}}
	}
	op, errs := doc.operation(req)
	if errs == nil {
		errs = doc.validate(op)
	}
	var variables map[string]any
	if errs == nil {
		variables, errs = op.coerce(req.Variables)
	}
	switch {
	case errs != nil:
		return graphqlReply{status: http.StatusBadRequest, answer: graphqlAnswer{Errors: errs}}
	case op.kind == "mutation" && method != http.MethodPost:
		h.Set("Allow", http.MethodPost)
		return graphqlReply{status: http.StatusMethodNotAllowed, refusal: "A mutation must be sent by POST"}
	}
	run := &graphqlRun{api: g, doc: doc, variables: variables}
	data := run.operation(op)
	return graphqlReply{status: http.StatusOK, answer: graphqlAnswer{Data: data, Errors: run.errors}}
}

// spend takes a point and writes the headers. It reports whether the request
// must be refused.
func (g *GitHub) spend(h http.Header) (limited bool) {
	if now := time.Now(); !now.Before(g.reset) {
		g.used, g.reset = 0, now.Add(g.window+time.Second-1).Truncate(time.Second)
	}
	switch {
	case g.refuse > 0:
		g.refuse--
		limited = true
	case g.used >= g.limit:
		limited = true
	default:
		g.used++
	}
	if limited {
		writeRate(h, g.limit, 0, g.limit, g.reset)
	} else {
		writeRate(h, g.limit, g.limit-g.used, g.used, g.reset)
	}
	return limited
}

// writeRate writes GitHub's headers
// (https://docs.github.com/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api).
func writeRate(h http.Header, limit, remaining, used int, reset time.Time) {
	h.Set("X-Ratelimit-Limit", strconv.Itoa(limit))
	h.Set("X-Ratelimit-Remaining", strconv.Itoa(remaining))
	h.Set("X-Ratelimit-Used", strconv.Itoa(used))
	h.Set("X-Ratelimit-Reset", strconv.FormatInt(reset.Unix(), 10))
	h.Set("X-Ratelimit-Resource", "graphql")
}

func hasToken(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token) != "" && (strings.EqualFold(scheme, "bearer") || strings.EqualFold(scheme, "token"))
}

// readGraphQL returns the request, or a status and message that refuse it.
func readGraphQL(r *http.Request, body []byte) (req *graphqlRequest, status int, message string) {
	switch r.Method {
	case http.MethodPost:
	case http.MethodGet:
		body = queryAsBody(r)
	default:
		return nil, http.StatusMethodNotAllowed, "Only POST, and GET for queries, are allowed"
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&req); err != nil || req == nil {
		return nil, http.StatusBadRequest, "Problems parsing JSON"
	}
	switch {
	case req.Query == nil:
		return nil, http.StatusBadRequest, "A query attribute must be specified and must be a string."
	case req.OperationName != nil && *req.OperationName == "":
		return nil, http.StatusBadRequest, `operationName must not be "": leave it out of an anonymous operation`
	}
	return req, 0, ""
}

// queryAsBody turns the URL of a GET into the body that a POST would have.
func queryAsBody(r *http.Request) []byte {
	values, fields := r.URL.Query(), map[string]any{}
	for _, name := range []string{"query", "operationName"} {
		if values.Has(name) {
			fields[name] = values.Get(name)
		}
	}
	if variables := values.Get("variables"); variables != "" {
		fields["variables"] = json.RawMessage(variables)
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return nil // variables that are no JSON; no body is none either, and is refused
	}
	return body
}

const graphqlJSON = "application/graphql-response+json"

// graphqlReply is what to send: a GraphQL answer, or a refusal as GitHub gives
// it before it looks at the GraphQL.
type graphqlReply struct {
	status  int
	answer  graphqlAnswer
	refusal string
}

// send writes the reply. An answer is in the first media type of Accept, if it
// is GraphQL's own; as application/json it has status 200 whatever it says.
func (reply graphqlReply) send(w http.ResponseWriter, r *http.Request) {
	first, _, _ := strings.Cut(r.Header.Get("Accept"), ",")
	first, _, _ = strings.Cut(first, ";")
	contentType, status, body := "application/json; charset=utf-8", reply.status, any(reply.answer)
	switch {
	case reply.refusal != "":
		body = map[string]string{
			"message":           reply.refusal,
			"documentation_url": "https://docs.github.com/graphql",
			"status":            strconv.Itoa(status),
		}
	case strings.TrimSpace(first) == graphqlJSON:
		contentType = graphqlJSON + "; charset=utf-8"
	default:
		status = http.StatusOK
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) //nolint:errchkjson // it always encodes; what else fails is the client's connection
}
