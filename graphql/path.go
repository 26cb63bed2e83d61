package graphql

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Path leads from the top of the data to a field, by response names: aliases,
// where the document has them. It prints as user.repositories.nodes[3].
type Path []PathElem

// PathElem is one step of a [Path]: a name or, where that is "", an index.
type PathElem struct {
	Name  string
	Index int
}

// String joins names by dots and puts indexes in brackets.
func (p Path) String() string {
	var b strings.Builder
	for _, e := range p {
		if e.Name != "" && b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(e.String())
	}
	return b.String()
}

// String is the name, or the index in brackets.
func (e PathElem) String() string {
	if e.Name != "" {
		return e.Name
	}
	return "[" + strconv.Itoa(e.Index) + "]"
}

// UnmarshalJSON takes a name or an index. Anything else, which no server should
// send, becomes the name it reads as, so that the rest of the answer is kept.
func (e *PathElem) UnmarshalJSON(raw []byte) error {
	*e = PathElem{}
	if json.Unmarshal(raw, &e.Name) == nil && e.Name != "" {
		return nil
	}
	if i, err := strconv.Atoi(string(raw)); err == nil {
		e.Index = i
		return nil
	}
	e.Name = string(raw)
	return nil
}

// MarshalJSON gives the name or the index.
func (e PathElem) MarshalJSON() ([]byte, error) {
	if e.Name != "" {
		return json.Marshal(e.Name)
	}
	return json.Marshal(e.Index)
}
