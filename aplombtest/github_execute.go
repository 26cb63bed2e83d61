package aplombtest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// graphqlObject is an object of an answer: its members come in the order in
// which the document asks for them, as the specification has it.
type graphqlObject struct {
	keys   []string
	values []any
}

// MarshalJSON implements [json.Marshaler].
func (o *graphqlObject) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, key := range o.keys {
		if i > 0 {
			b.WriteByte(',')
		}
		value, err := json.Marshal(o.values[i])
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", key, value) // a name is plain ASCII
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// graphqlRun executes one operation with the lock of the API held
// (https://spec.graphql.org/October2021/#sec-Execution).
type graphqlRun struct {
	api       *GitHub
	doc       *graphqlDocument
	variables map[string]any
	errors    []*graphqlError
}

// graphqlBranch is a value of type typ that a selection goes on from.
type graphqlBranch struct {
	typ    string
	source any
}

// graphqlFailed is a value that could not be had where there must be one: the
// object around it becomes null.
type graphqlFailed struct{}

func (run *graphqlRun) operation(op *graphqlOperation) *graphqlObject {
	root := "Query"
	if op.kind == "mutation" {
		root = "Mutation"
		run.api.effects.Mutations++
	} else {
		run.api.effects.Queries++
	}
	return run.object(graphqlBranch{typ: root}, op.selections, nil)
}

// object executes selections on a value. It returns nil if a member failed that
// must be there.
func (run *graphqlRun) object(on graphqlBranch, selections []*graphqlSelection, path []any) *graphqlObject {
	object := &graphqlObject{}
	for _, field := range run.collect(selections, nil) {
		at := append(slices.Clone(path), field.key())
		value := run.complete(run.resolve(on, field, at), field, at)
		if _, failed := value.(graphqlFailed); failed {
			return nil
		}
		object.keys = append(object.keys, field.key())
		object.values = append(object.values, value)
	}
	return object
}

// collect flattens fragments and merges fields of the same name in the answer.
func (run *graphqlRun) collect(selections, fields []*graphqlSelection) []*graphqlSelection {
	for _, s := range selections {
		switch {
		case run.skipped(s):
		case s.spread != "":
			fields = run.collect(run.doc.fragments[s.spread].selections, fields)
		case s.name == "":
			fields = run.collect(s.selections, fields)
		default:
			i := slices.IndexFunc(fields, func(f *graphqlSelection) bool { return f.key() == s.key() })
			if i < 0 {
				fields = append(fields, s)
				continue
			}
			merged := *fields[i]
			merged.selections = slices.Concat(merged.selections, s.selections)
			fields[i] = &merged
		}
	}
	return fields
}

func (run *graphqlRun) skipped(s *graphqlSelection) bool {
	if skip, ok := s.directives["skip"]; ok && run.value(skip["if"]) == true {
		return true
	}
	include, ok := s.directives["include"]
	return ok && run.value(include["if"]) == false
}

// complete turns what a resolver returned into what the answer holds.
func (run *graphqlRun) complete(value any, field *graphqlSelection, path []any) any {
	switch value := value.(type) {
	case graphqlBranch:
		if object := run.object(value, field.selections, path); object != nil {
			return object
		}
		return nil // not a *graphqlObject that is nil
	case []any:
		list := make([]any, len(value))
		for i, item := range value {
			list[i] = run.complete(item, field, append(slices.Clone(path), i))
		}
		return list
	case error:
		run.fail(value, field, path)
		return nil
	}
	return value
}

// githubError is a resolver's failure; it makes its own field null.
type githubError struct{ typ, message string }

func (e *githubError) Error() string { return e.message }

func (run *graphqlRun) fail(err error, field *graphqlSelection, path []any) {
	e := &graphqlError{Path: path, Locations: []graphqlLocation{field.where}, Message: err.Error()}
	if github, ok := err.(*githubError); ok { //nolint:errorlint // it is never wrapped
		e.Type = github.typ
	}
	run.errors = append(run.errors, e)
}

// value replaces the variables inside an argument's value.
func (run *graphqlRun) value(v any) any {
	switch v := v.(type) {
	case graphqlRef:
		return run.variables[string(v)]
	case graphqlEnum:
		return string(v)
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = run.value(item)
		}
		return list
	case map[string]any:
		object := map[string]any{}
		for key, item := range v {
			object[key] = run.value(item)
		}
		return object
	}
	return v
}

// text returns an argument as a string, or "".
func (run *graphqlRun) text(field *graphqlSelection, name string) string {
	s, _ := run.value(field.arguments[name]).(string)
	return s
}

// resolve returns the value of a field: a scalar, a graphqlBranch, a list of
// them, nil, an error, or graphqlFailed.
func (run *graphqlRun) resolve(on graphqlBranch, field *graphqlSelection, path []any) any {
	if field.name == "__typename" {
		return on.typ
	}
	switch source := on.source.(type) {
	case nil:
		return run.root(field)
	case *githubUser:
		return run.user(source, field, path)
	case *githubPage:
		return source.resolve(on.typ, field.name)
	case *githubRepo:
		return source.resolve(on.typ, field.name)
	case githubEdge:
		return source.resolve(field.name)
	case map[string]any: // an object that was ready at hand
		return source[field.name]
	}
	return nil
}

func (run *graphqlRun) root(field *graphqlSelection) any {
	api := run.api
	switch field.name {
	case "user":
		login := run.text(field, "login")
		if user := api.users[strings.ToLower(login)]; user != nil {
			return graphqlBranch{"User", user}
		}
		return &githubError{"NOT_FOUND", "Could not resolve to a User with the login of '" + login + "'."}
	case "viewer":
		return graphqlBranch{"User", &githubUser{id: "U_viewer", login: "viewer"}}
	case "rateLimit":
		return graphqlBranch{"RateLimit", map[string]any{"cost": 1, "limit": api.limit, "remaining": api.limit - api.used,
			"used": api.used, "resetAt": api.reset.UTC().Format(time.RFC3339)}}
	case "repository":
		return run.repository(run.text(field, "owner"), run.text(field, "name"))
	case "removeStar":
		return run.star(field, "RemoveStarPayload", -1)
	}
	return run.star(field, "AddStarPayload", 1)
}

// repository finds one by its full name, in which case does not count.
func (run *graphqlRun) repository(owner, name string) any {
	if user := run.api.users[strings.ToLower(owner)]; user != nil {
		for i, repo := range user.repos {
			if strings.EqualFold(repo.name, name) {
				return user.node(i)
			}
		}
	}
	return &githubError{"NOT_FOUND", "Could not resolve to a Repository with the name '" + owner + "/" + name + "'."}
}

// star counts every time it runs: GitHub's own is idempotent, but then
// nobody would see that a mutation was sent twice.
func (run *graphqlRun) star(field *graphqlSelection, payload string, by int) any {
	input, _ := run.value(field.arguments["input"]).(map[string]any)
	id, _ := input["starrableId"].(string)
	repo := run.api.repos[id]
	if repo == nil {
		return &githubError{"NOT_FOUND", "Could not resolve to a node with the global id of '" + id + "'."}
	}
	repo.stars = max(0, repo.stars+by)
	run.api.effects.Stars += max(0, by)
	return graphqlBranch{payload, map[string]any{
		"clientMutationId": input["clientMutationId"], "starrable": graphqlBranch{"Repository", repo}}}
}

func (run *graphqlRun) user(user *githubUser, field *graphqlSelection, path []any) any {
	switch field.name {
	case "id":
		return user.id
	case "login":
		return user.login
	case "name":
		return nil // its owner has not given one
	}
	page, err := run.page(user, field)
	if err != nil {
		run.fail(err, field, path)
		return graphqlFailed{} // the connection must not be null, so the user is
	}
	return graphqlBranch{"RepositoryConnection", page}
}

// maxGitHubPage is the largest first that GitHub allows.
const maxGitHubPage = 100

// page returns the page of the user's repositories that field asks for.
func (run *graphqlRun) page(user *githubUser, field *graphqlSelection) (*githubPage, error) {
	first, ok := run.value(field.arguments["first"]).(int64)
	switch {
	case !ok:
		return nil, &githubError{"MISSING_PAGINATION_BOUNDARIES",
			"You must provide a `first` or `last` value to properly paginate the `repositories` connection."}
	case first > maxGitHubPage:
		return nil, &githubError{"EXCESSIVE_PAGINATION", fmt.Sprintf(
			"Requesting %d records on the `repositories` connection exceeds the `first` limit of %d records.", first, maxGitHubPage)}
	case first < 0:
		return nil, &githubError{"INVALID_PAGINATION", "`first` on the `repositories` connection cannot be less than zero."}
	}
	page := &githubPage{user: user}
	if after := run.text(field, "after"); after != "" {
		if page.from, ok = readCursor(after, len(user.repos)); !ok {
			return nil, &githubError{"INVALID_CURSOR_ARGUMENTS", "`" + after + "` does not appear to be a valid cursor."}
		}
	}
	page.until = min(len(user.repos), page.from+int(first))
	return page, nil
}

// A cursor names how many repositories are before and at it. It is opaque to
// clients and says so by being Base64, as GitHub's.
const cursorPrefix = "cursor:v2:"

func writeCursor(n int) string {
	return base64.StdEncoding.EncodeToString([]byte(cursorPrefix + strconv.Itoa(n)))
}

func readCursor(cursor string, most int) (n int, ok bool) {
	text, err := base64.StdEncoding.DecodeString(cursor)
	if err != nil {
		return 0, false
	}
	digits, ok := strings.CutPrefix(string(text), cursorPrefix)
	n, err = strconv.Atoi(digits)
	return n, ok && err == nil && n >= 0 && n <= most
}
