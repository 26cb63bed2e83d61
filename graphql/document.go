package graphql

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// operation is what a document wants done.
type operation struct {
	kind      string   // query, mutation or subscription
	name      string   // "" if it has none
	variables []string // declared, without the dollar sign
}

// parse finds the operations of a document (GraphQL October 2021, section 2.3).
// It reads no deeper than it must to know a query from a mutation; what is
// wrong inside braces is the server's to say.
func parse(document string) ([]operation, error) {
	l := lexer{src: document, line: 1}
	var found []operation
	for {
		switch t := l.next(); t.kind {
		case tokenEnd:
			return found, l.err
		case tokenString: // a description
		case '{':
			found = append(found, operation{kind: "query"})
			l.skipBraces()
		case tokenName:
			switch t.text {
			case "query", "mutation", "subscription":
				found = append(found, l.operation(t.text))
			case "fragment":
				for t := l.next(); t.kind != '{' && t.kind != tokenEnd; t = l.next() {
					if t.kind == '(' {
						l.skipTo(')')
					}
				}
				l.skipBraces()
			default:
				return nil, fmt.Errorf("graphql: document, line %d: want query, mutation, subscription or fragment, got %q", t.line, safe(t.text))
			}
		default:
			return nil, fmt.Errorf("graphql: document, line %d: want an operation, got %q", t.line, t.text)
		}
	}
}

// operation reads on after its keyword: a name, variables, directives, and the
// selection set.
func (l *lexer) operation(kind string) operation {
	o := operation{kind: kind}
	t := l.next()
	if t.kind == tokenName {
		o.name = t.text
		t = l.next()
	}
	if t.kind == '(' {
		o.variables = l.variables()
		t = l.next()
	}
	for ; t.kind != '{' && t.kind != tokenEnd; t = l.next() {
		if t.kind == '(' { // a directive's arguments, which may hold braces
			l.skipTo(')')
		}
	}
	l.skipBraces()
	return o
}

// variables reads declarations up to the closing parenthesis. Default values
// and their directives are constant, so every variable in here is declared.
func (l *lexer) variables() []string {
	var names []string
	for depth := 1; depth > 0; {
		switch t := l.next(); t.kind {
		case '(':
			depth++
		case ')':
			depth--
		case '$':
			if t := l.next(); t.kind == tokenName {
				names = append(names, t.text)
			}
		case tokenEnd:
			l.fail(t.line, "a ( is not closed")
			return names
		}
	}
	return names
}

func (l *lexer) skipBraces() { l.skipTo('}') }

// skipTo skips to the bracket that closes the one just read.
func (l *lexer) skipTo(closing rune) {
	opening := map[rune]rune{'}': '{', ')': '('}[closing]
	line := l.line
	for depth := 1; depth > 0; {
		switch t := l.next(); t.kind {
		case opening:
			depth++
		case closing:
			depth--
		case tokenEnd:
			l.fail(line, "a "+string(opening)+" is missing or not closed")
			return
		}
	}
}

// choose is GetOperation (section 6.1).
func choose(operations []operation, name string) (operation, error) {
	o, err := named(operations, name)
	if err == nil && o.kind == "subscription" {
		err = errors.New("graphql: a subscription is a stream: range over Subscribe; Execute and Nodes send queries and mutations")
	}
	return o, err
}

func named(operations []operation, name string) (operation, error) {
	if name == "" {
		switch len(operations) {
		case 1:
			return operations[0], nil
		case 0:
			return operation{}, errors.New("graphql: the document has no operation")
		}
		return operation{}, fmt.Errorf("graphql: the document has %d operations, %s: say which with OperationName", len(operations), names(operations))
	}
	for _, o := range operations {
		if o.name == name {
			return o, nil
		}
	}
	return operation{}, fmt.Errorf("graphql: the document has no operation %q; it has %s", safe(name), names(operations))
}

func names(operations []operation) string {
	var all []string
	for _, o := range operations {
		if o.name == "" {
			o.name = "one without a name"
		}
		all = append(all, safe(o.name))
	}
	return strings.Join(all, ", ")
}

func (o operation) declares(variable string) bool { return slices.Contains(o.variables, variable) }
