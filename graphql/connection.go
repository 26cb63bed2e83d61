package graphql

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// connection is a list with pages (https://relay.dev/graphql/connections.htm).
type connection struct {
	nodes, edges json.RawMessage
	backwards    bool // it is asked for its previous pages
	info         struct {
		HasNextPage, HasPreviousPage *bool
		EndCursor, StartCursor       string
	}
}

// next is the cursor of the page to ask for after this one, if there is one.
func (c *connection) next() (cursor string, more bool) {
	more = c.info.HasNextPage != nil && *c.info.HasNextPage
	if cursor = c.info.EndCursor; c.backwards {
		more = c.info.HasPreviousPage != nil && *c.info.HasPreviousPage
		cursor = c.info.StartCursor
	}
	return cursor, more
}

// selection is what a document has to select of pageInfo.
func (c *connection) selection() string {
	if c.backwards {
		return "pageInfo { hasPreviousPage startCursor }"
	}
	return "pageInfo { hasNextPage endCursor }"
}

// maxDepth bounds the search; documents are not nested so deeply.
const maxDepth = 32

// connection finds the connection in a page's data: where At says, where the
// first page had it, or by looking for it.
func (w *walk[N]) connection(data json.RawMessage) (connection, error) {
	if w.path == nil {
		if w.plan.at != "" {
			w.path = strings.Split(w.plan.at, ".")
		} else {
			var found [][]string
			search(data, nil, &found)
			if len(found) != 1 {
				return connection{}, ambiguous(found)
			}
			w.path = found[0]
		}
	}
	c, err := descend(data, w.path)
	if err != nil {
		return c, err
	}
	next, previous := c.info.HasNextPage != nil, c.info.HasPreviousPage != nil
	c.backwards = w.variable == "before" || w.variable == "cursor" && previous && !next
	w.backwards = c.backwards
	switch { // to take what is missing for the end would cut the list in silence
	case c.backwards && !previous:
		err = errors.New("pageInfo has no hasPreviousPage: select " + c.selection())
	case !c.backwards && !next:
		err = errors.New("pageInfo has no hasNextPage: select " + c.selection() + ", or declare $before to go backwards")
	}
	return c, err
}

// search collects the paths of the outermost connections.
func search(raw json.RawMessage, path []string, found *[][]string) {
	object, ok := members(raw)
	if !ok || len(path) > maxDepth {
		return
	}
	if isConnection(object) {
		*found = append(*found, slices.Clone(path))
		return
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		search(object[name], append(path, name), found)
	}
}

func members(raw json.RawMessage) (object map[string]json.RawMessage, ok bool) {
	if len(raw) == 0 || raw[0] != '{' {
		return nil, false
	}
	return object, json.Unmarshal(raw, &object) == nil
}

func isConnection(object map[string]json.RawMessage) bool {
	_, info := object["pageInfo"]
	return info && (isList(object["nodes"]) || isList(object["edges"]))
}

func isList(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '[' }

func ambiguous(found [][]string) error {
	if len(found) == 0 {
		return errors.New("the data has no object with pageInfo and nodes or edges: select pageInfo { hasNextPage endCursor } beside nodes")
	}
	var paths []string
	for _, path := range found {
		paths = append(paths, fmt.Sprintf("%q", strings.Join(path, ".")))
	}
	return fmt.Errorf("the data has %d connections: say which with At(%s)", len(found), strings.Join(paths, ") or At("))
}

// descend follows path to a connection and reads it.
func descend(data json.RawMessage, path []string) (c connection, err error) {
	for i, name := range path {
		object, ok := members(data)
		if data = object[name]; !ok || data == nil {
			return c, fmt.Errorf("the data has no %s", strings.Join(path[:i+1], "."))
		}
	}
	object, ok := members(data)
	if !ok || !isConnection(object) {
		return c, errors.New("no object with pageInfo and nodes or edges")
	}
	if isList(object["nodes"]) {
		c.nodes = object["nodes"]
	}
	if isList(object["edges"]) {
		c.edges = object["edges"]
	}
	if err := json.Unmarshal(object["pageInfo"], &c.info); err != nil {
		return c, &refusal{"pageInfo: " + describe(err), err}
	}
	return c, nil
}
