package aplombtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// githubField is a field of a type: what it returns, bare of lists and !, and
// the arguments it takes, those that must be there with a !.
type githubField struct {
	typ       string
	arguments []string
}

// githubScalars are the types whose fields have no selections.
var githubScalars = []string{"Boolean", "DateTime", "ID", "Int", "String", "URI"}

// githubSchema is the part of https://docs.github.com/graphql/reference that
// this fake knows. What it leaves out is for a client a field that does not
// exist.
var githubSchema = map[string]map[string]githubField{
	"Query": {
		"user":       {"User", []string{"login!"}},
		"viewer":     {"User", nil},
		"rateLimit":  {"RateLimit", nil},
		"repository": {"Repository", []string{"owner!", "name!", "followRenames"}},
	},
	"Mutation": {
		"addStar":    {"AddStarPayload", []string{"input!"}},
		"removeStar": {"RemoveStarPayload", []string{"input!"}},
	},
	"AddStarPayload": {
		"clientMutationId": {"String", nil},
		"starrable":        {"Repository", nil},
	},
	"RemoveStarPayload": {
		"clientMutationId": {"String", nil},
		"starrable":        {"Repository", nil},
	},
	"RateLimit": {
		"cost":      {"Int", nil},
		"limit":     {"Int", nil},
		"remaining": {"Int", nil},
		"resetAt":   {"DateTime", nil},
		"used":      {"Int", nil},
	},
	"User": {
		"id":           {"ID", nil},
		"login":        {"String", nil},
		"name":         {"String", nil},
		"repositories": {"RepositoryConnection", []string{"first", "after", "orderBy"}},
	},
	"RepositoryConnection": {
		"edges":      {"RepositoryEdge", nil},
		"nodes":      {"Repository", nil},
		"pageInfo":   {"PageInfo", nil},
		"totalCount": {"Int", nil},
	},
	"RepositoryEdge": {
		"cursor": {"String", nil},
		"node":   {"Repository", nil},
	},
	"PageInfo": {
		"endCursor":       {"String", nil},
		"hasNextPage":     {"Boolean", nil},
		"hasPreviousPage": {"Boolean", nil},
		"startCursor":     {"String", nil},
	},
	"Repository": {
		"description":     {"String", nil},
		"id":              {"ID", nil},
		"isPrivate":       {"Boolean", nil},
		"name":            {"String", nil},
		"nameWithOwner":   {"String", nil},
		"owner":           {"User", nil},
		"primaryLanguage": {"Language", nil},
		"stargazerCount":  {"Int", nil},
		"url":             {"URI", nil},
	},
	"Language": {
		"name": {"String", nil},
	},
}

// operation returns the one operation that req asks for.
func (d *graphqlDocument) operation(req *graphqlRequest) (*graphqlOperation, []*graphqlError) {
	if req.OperationName == nil {
		if len(d.operations) > 1 {
			return nil, []*graphqlError{{Message: "An operation name is required"}}
		}
		return d.operations[0], nil
	}
	for _, op := range d.operations {
		if op.name == *req.OperationName {
			return op, nil
		}
	}
	return nil, []*graphqlError{{Message: fmt.Sprintf("No operation named %q", *req.OperationName)}}
}

// maxGraphQLSpreads bounds how often fragments are spread, all levels together.
const maxGraphQLSpreads = 1000

// graphqlValidation collects what is wrong with an operation, in the words of
// graphql-ruby, which GitHub runs.
type graphqlValidation struct {
	doc      *graphqlDocument
	op       *graphqlOperation
	used     map[string]bool // variables
	walking  map[string]bool // fragments, against cycles
	spreads  int             // so far, against fragments that double each other
	problems []*graphqlError
}

// validate returns what is wrong with op, or nil.
func (d *graphqlDocument) validate(op *graphqlOperation) []*graphqlError {
	root := strings.ToUpper(op.kind[:1]) + op.kind[1:]
	if githubSchema[root] == nil {
		return []*graphqlError{{Message: "Schema is not configured for " + op.kind + "s", Locations: []graphqlLocation{op.where}}}
	}
	v := &graphqlValidation{doc: d, op: op, used: map[string]bool{}, walking: map[string]bool{}}
	v.selections(root, op.selections, []any{strings.TrimSpace(op.kind + " " + op.name)})
	for _, variable := range op.variables {
		if !v.used[variable.name] {
			v.problemf(variable.where, "variableNotUsed", []any{strings.TrimSpace(op.kind + " " + op.name)},
				map[string]any{"variableName": variable.name}, "Variable $%s is declared by %s but not used", variable.name, op.title())
		}
	}
	return v.problems
}

// title is how messages speak of an operation.
func (op *graphqlOperation) title() string {
	if op.name == "" {
		return "anonymous " + op.kind
	}
	return op.name
}

func (v *graphqlValidation) problemf(where graphqlLocation, code string, path []any, extensions map[string]any, format string, args ...any) {
	extensions["code"] = code
	v.problems = append(v.problems, &graphqlError{Path: slices.Clone(path), Extensions: extensions,
		Locations: []graphqlLocation{where}, Message: fmt.Sprintf(format, args...)})
}

func (v *graphqlValidation) selections(typ string, list []*graphqlSelection, path []any) {
	for _, s := range list {
		for _, arguments := range s.directives {
			v.variables(s, arguments, path)
		}
		switch {
		case s.name != "":
			v.field(typ, s, append(slices.Clone(path), s.key()))
		case s.spread != "":
			v.spread(typ, s, path)
		case v.fitsInto(typ, s.on, s, path):
			v.selections(typ, s.selections, path)
		}
	}
}

// fitsInto checks the type that a fragment is on. This schema has no interfaces
// and unions, so it must be the very type around it.
func (v *graphqlValidation) fitsInto(typ, on string, s *graphqlSelection, path []any) bool {
	if on == "" || on == typ {
		return true
	}
	v.problemf(s.where, "cannotSpreadFragment", path, map[string]any{"typeName": on, "parentName": typ},
		"Fragment on %s can't be spread inside %s", on, typ)
	return false
}

func (v *graphqlValidation) spread(typ string, s *graphqlSelection, path []any) {
	fragment := v.doc.fragments[s.spread]
	v.spreads++
	switch {
	case v.spreads > maxGraphQLSpreads:
		v.problems = []*graphqlError{{Message: "Query has too many fragments"}}
	case fragment == nil:
		v.problemf(s.where, "useAndDefineFragment", path, map[string]any{"fragmentName": s.spread},
			"Fragment %s was used, but not defined", s.spread)
	case v.walking[s.spread]:
		v.problemf(s.where, "infiniteLoop", path, map[string]any{"fragmentName": s.spread},
			"Fragment %s contains an infinite loop", s.spread)
	case v.fitsInto(typ, fragment.on, s, path):
		v.walking[s.spread] = true
		v.selections(typ, fragment.selections, []any{"fragment " + s.spread})
		delete(v.walking, s.spread)
	}
}

func (v *graphqlValidation) field(typ string, s *graphqlSelection, path []any) {
	field, ok := githubSchema[typ][s.name]
	if s.name == "__typename" {
		field, ok = githubField{typ: "String"}, true
	}
	if !ok {
		v.problemf(s.where, "undefinedField", path, map[string]any{"typeName": typ, "fieldName": s.name},
			"Field '%s' doesn't exist on type '%s'", s.name, typ)
		return
	}
	v.arguments(field, s, path)
	scalar := slices.Contains(githubScalars, field.typ)
	switch {
	case scalar && s.selections != nil:
		v.problemf(s.where, "selectionMismatch", path, map[string]any{"nodeName": "field '" + s.name + "'", "typeName": field.typ},
			"Selections can't be made on scalars (field '%s' returns %s but has selections)", s.name, field.typ)
	case !scalar && s.selections == nil:
		v.problemf(s.where, "selectionMismatch", path, map[string]any{"nodeName": "field '" + s.name + "'", "typeName": field.typ},
			"Field must have selections (field '%s' returns %s but has no selections. Did you mean '%[1]s { ... }'?)", s.name, field.typ)
	default:
		v.selections(field.typ, s.selections, path)
	}
}

func (v *graphqlValidation) arguments(field githubField, s *graphqlSelection, path []any) {
	v.variables(s, s.arguments, path)
	for _, name := range slices.Sorted(maps.Keys(s.arguments)) {
		if !slices.Contains(field.arguments, name) && !slices.Contains(field.arguments, name+"!") {
			v.problemf(s.where, "argumentNotAccepted", append(slices.Clone(path), name),
				map[string]any{"name": s.name, "typeName": "Field", "argumentName": name},
				"Field '%s' doesn't accept argument '%s'", s.name, name)
		}
	}
	for _, argument := range field.arguments {
		if name, required := strings.CutSuffix(argument, "!"); required && !hasKey(s.arguments, name) {
			v.problemf(s.where, "missingRequiredArguments", path,
				map[string]any{"className": "Field", "name": s.name, "arguments": name},
				"Field '%s' is missing required arguments: %s", s.name, name)
		}
	}
}

func hasKey(m map[string]any, key string) bool { _, ok := m[key]; return ok }

// variables notes the variables inside a value and checks that they are declared.
func (v *graphqlValidation) variables(s *graphqlSelection, value any, path []any) {
	switch value := value.(type) {
	case graphqlRef:
		v.used[string(value)] = true
		if !slices.ContainsFunc(v.op.variables, func(declared graphqlVariable) bool { return declared.name == string(value) }) {
			v.problemf(s.where, "variableNotDefined", path, map[string]any{"variableName": string(value)},
				"Variable $%s is used by %s but not declared", string(value), v.op.title())
		}
	case []any:
		for _, item := range value {
			v.variables(s, item, path)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			v.variables(s, value[key], path)
		}
	}
}

// coerce returns the operation's variables: what was sent, else the default. It
// refuses a null where there must be a value and a scalar of another kind.
func (op *graphqlOperation) coerce(sent map[string]any) (map[string]any, []*graphqlError) {
	values := map[string]any{}
	var problems []*graphqlError
	for _, variable := range op.variables {
		value, ok := sent[variable.name]
		if !ok && variable.hasDefault {
			value, ok = variable.fallback, true
		}
		value, problem := fits(variable.typ, value)
		if problem != "" {
			problems = append(problems, &graphqlError{
				Message:   fmt.Sprintf("Variable $%s of type %s was provided invalid value", variable.name, variable.typ),
				Locations: []graphqlLocation{variable.where},
				Extensions: map[string]any{"value": value, "problems": []any{
					map[string]any{"path": []any{}, "explanation": problem}}},
			})
		}
		if ok {
			values[variable.name] = value
		}
	}
	return values, problems
}

// fits returns the value as its type has it, and what is wrong with it.
func fits(typ string, value any) (_ any, problem string) {
	base, required := strings.CutSuffix(typ, "!")
	if value == nil {
		if required {
			return nil, "Expected value to not be null"
		}
		return nil, ""
	}
	if number, ok := value.(json.Number); ok {
		if n, err := number.Int64(); err == nil {
			value = n
		}
	}
	ok := true
	switch base {
	case "Int":
		_, ok = value.(int64)
	case "String", "ID":
		_, ok = value.(string)
	case "Boolean":
		_, ok = value.(bool)
	}
	if !ok {
		return value, fmt.Sprintf("Could not coerce value %v to %s", value, base)
	}
	return value, ""
}
