package aplombtest

import (
	"fmt"
	"strconv"
)

// maxGraphQLDepth bounds how deep braces and brackets may be nested.
const maxGraphQLDepth = 100

// graphqlDocument is an executable document
// (https://spec.graphql.org/October2021/#sec-Document).
type graphqlDocument struct {
	operations []*graphqlOperation
	fragments  map[string]*graphqlSelection
}

// graphqlOperation is a query or mutation; an anonymous one has no name.
type graphqlOperation struct {
	kind, name string
	variables  []graphqlVariable
	selections []*graphqlSelection
	where      graphqlLocation
}

type graphqlVariable struct {
	name, typ  string // typ as written, such as "String!"
	fallback   any
	hasDefault bool
	where      graphqlLocation
}

// graphqlSelection is a field; or, with an empty name, a fragment: a spread one
// has its name in spread, an inline one its selections here.
type graphqlSelection struct {
	name, alias string
	arguments   map[string]any
	spread      string
	on          string // a fragment's type, may be empty
	directives  map[string]map[string]any
	selections  []*graphqlSelection
	where       graphqlLocation
}

// key is the name of a field in the answer.
func (s *graphqlSelection) key() string {
	if s.alias != "" {
		return s.alias
	}
	return s.name
}

// Values are nil, bool, string, int64, float64, []any, map[string]any and these.
type (
	graphqlRef  string // a variable, without the $
	graphqlEnum string
)

// graphqlParser reads tokens one ahead. After the first error it sees only the
// end, so that every loop ends.
type graphqlParser struct {
	lexer graphqlLexer
	token graphqlToken
	depth int
	err   *graphqlError
}

// parseGraphQL returns the document, or an error in the words of GitHub.
func parseGraphQL(text string) (*graphqlDocument, *graphqlError) {
	p := &graphqlParser{lexer: graphqlLexer{text: text, line: 1, column: 1}}
	p.advance()
	doc := &graphqlDocument{fragments: map[string]*graphqlSelection{}}
	for p.err == nil && p.token.kind != 0 {
		if p.token.kind == 'n' && p.token.text == "fragment" {
			p.advance()
			name := p.name()
			p.want("on")
			doc.fragments[name] = &graphqlSelection{spread: name, on: p.name(), directives: p.directives(), selections: p.selections()}
		} else {
			doc.operations = append(doc.operations, p.operation())
		}
	}
	if p.err == nil && len(doc.operations) == 0 {
		p.fail()
	}
	return doc, p.err
}

func (p *graphqlParser) advance() {
	if p.err != nil {
		return
	}
	token, ok := p.lexer.next()
	if p.token = token; !ok {
		p.fail()
	}
}

// fail says that the present token should not be there.
func (p *graphqlParser) fail() {
	if p.err != nil {
		return
	}
	message := fmt.Sprintf("Parse error on %q at [%d, %d]", p.token.text, p.token.where.Line, p.token.where.Column)
	if p.token.kind == 0 && p.token.text == "" {
		message = "Unexpected end of document"
	}
	p.err = &graphqlError{Message: message, Locations: []graphqlLocation{p.token.where}}
	p.token = graphqlToken{}
}

// take goes past text if it is next, and reports whether it was.
func (p *graphqlParser) take(text string) bool {
	if (p.token.kind != 'p' && p.token.kind != 'n') || p.token.text != text {
		return false
	}
	p.advance()
	return true
}

func (p *graphqlParser) want(text string) {
	if !p.take(text) {
		p.fail()
	}
}

func (p *graphqlParser) name() string {
	name := p.token.text
	if p.token.kind != 'n' {
		p.fail()
	}
	p.advance()
	return name
}

// until calls item until the closing text is next, which it takes.
func (p *graphqlParser) until(closing string, item func()) {
	p.depth++
	if p.depth > maxGraphQLDepth {
		p.fail()
	}
	for p.err == nil && !p.take(closing) {
		item()
	}
	p.depth--
}

func (p *graphqlParser) operation() *graphqlOperation {
	op := &graphqlOperation{kind: "query", where: p.token.where}
	if p.token.text != "{" {
		if op.kind = p.name(); op.kind != "query" && op.kind != "mutation" && op.kind != "subscription" {
			p.fail()
		}
		if p.token.kind == 'n' {
			op.name = p.name()
		}
		if p.take("(") {
			p.until(")", func() { op.variables = append(op.variables, p.variable()) })
		}
		p.directives()
	}
	op.selections = p.selections()
	return op
}

func (p *graphqlParser) variable() graphqlVariable {
	v := graphqlVariable{where: p.token.where}
	p.want("$")
	v.name = p.name()
	p.want(":")
	v.typ = p.typ()
	if v.hasDefault = p.take("="); v.hasDefault {
		v.fallback = p.value()
	}
	p.directives()
	return v
}

func (p *graphqlParser) typ() (typ string) {
	if p.take("[") {
		p.until("]", func() { typ += p.typ() })
		typ = "[" + typ + "]"
	} else {
		typ = p.name()
	}
	if p.take("!") {
		typ += "!"
	}
	return typ
}

// selections reads { … }, of which there must be at least one.
func (p *graphqlParser) selections() (list []*graphqlSelection) {
	p.want("{")
	p.until("}", func() { list = append(list, p.selection()) })
	if len(list) == 0 {
		p.fail()
	}
	return list
}

func (p *graphqlParser) selection() *graphqlSelection {
	s := &graphqlSelection{where: p.token.where}
	if p.take("...") {
		if p.take("on") {
			s.on = p.name()
		} else if p.token.kind == 'n' {
			s.spread = p.name()
			s.directives = p.directives()
			return s
		}
		s.directives = p.directives()
		s.selections = p.selections()
		return s
	}
	if s.name = p.name(); p.take(":") {
		s.alias, s.name = s.name, p.name()
	}
	s.arguments = p.arguments()
	s.directives = p.directives()
	if p.token.kind == 'p' && p.token.text == "{" {
		s.selections = p.selections()
	}
	return s
}

func (p *graphqlParser) directives() map[string]map[string]any {
	var directives map[string]map[string]any
	for p.take("@") {
		if directives == nil {
			directives = map[string]map[string]any{}
		}
		name := p.name()
		directives[name] = p.arguments()
	}
	return directives
}

func (p *graphqlParser) arguments() map[string]any {
	if !p.take("(") {
		return nil
	}
	return p.pairs(")")
}

// pairs reads name: value up to the closing text.
func (p *graphqlParser) pairs(closing string) map[string]any {
	pairs := map[string]any{}
	p.until(closing, func() {
		name := p.name()
		p.want(":")
		pairs[name] = p.value()
	})
	return pairs
}

func (p *graphqlParser) value() any {
	token := p.token
	switch {
	case p.take("$"):
		return graphqlRef(p.name())
	case p.take("["):
		list := []any{}
		p.until("]", func() { list = append(list, p.value()) })
		return list
	case p.take("{"):
		return p.pairs("}")
	}
	p.advance()
	switch token.kind {
	case 's':
		return token.text
	case 'i':
		if n, err := strconv.ParseInt(token.text, 10, 64); err == nil {
			return n
		}
	case 'f':
		if f, err := strconv.ParseFloat(token.text, 64); err == nil {
			return f
		}
	case 'n':
		return word(token.text)
	}
	if p.err == nil {
		p.token = token // the message is about what is wrong, not what follows
		p.fail()
	}
	return nil
}

func word(text string) any {
	switch text {
	case "null":
		return nil
	case "true", "false":
		return text == "true"
	}
	return graphqlEnum(text)
}
