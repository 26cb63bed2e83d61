package aplombtest

import (
	"slices"
	"strconv"
	"strings"
)

// stripeObject is what a shelf holds.
type stripeObject interface {
	ident() string
	made() int64 // unix seconds
}

// shelf keeps the objects of one kind in the order they were made.
type shelf[T stripeObject] struct {
	name  string // the object's name in messages
	byID  map[string]T
	order []T
}

func (s *shelf[T]) add(object T) {
	if s.byID == nil {
		s.byID = map[string]T{}
	}
	s.byID[object.ident()] = object
	s.order = append(s.order, object)
}

// hide takes an object out of lists; by its id it can still be found.
func (s *shelf[T]) hide(id string) {
	s.order = slices.DeleteFunc(s.order, func(object T) bool { return object.ident() == id })
}

// index returns the place of id among the newest first, or -1.
func (s *shelf[T]) index(id string) int {
	i := slices.IndexFunc(s.order, func(object T) bool { return object.ident() == id })
	if i < 0 {
		return -1
	}
	return len(s.order) - 1 - i
}

// stripeList is a page (https://docs.stripe.com/api/pagination).
type stripeList[T any] struct {
	Object  string `json:"object"`
	Data    []T    `json:"data"`
	HasMore bool   `json:"has_more"`
	URL     string `json:"url"`
}

// list returns the page that c asks for, newest first, of the objects that keep
// holds for. With ending_before the page is the one just before that object,
// not the very first, and has_more speaks of what is before it.
func (s *shelf[T]) list(c *stripeCall, keep func(T) bool) (any, *stripeError) {
	limit, err := c.form.integer("limit", 10, 1, 100)
	if err != nil {
		return nil, err
	}
	created, err := c.form.created()
	if err != nil {
		return nil, err
	}
	from, until, err := s.bounds(c.form)
	if err != nil {
		return nil, err
	}
	found := []T{}
	for i := from; i < until; i++ {
		if object := s.order[len(s.order)-1-i]; created(object.made()) && keep(object) {
			found = append(found, object)
		}
	}
	page := stripeList[T]{Object: "list", Data: found, URL: c.path}
	if n := int(limit); len(found) > n {
		page.HasMore = true
		if page.Data = found[:n]; c.form.has("ending_before") {
			page.Data = found[len(found)-n:]
		}
	}
	return page, nil
}

// bounds turns the cursors into the range of places they leave.
func (s *shelf[T]) bounds(form stripeForm) (from, until int, err *stripeError) {
	after, before := form.get("starting_after"), form.get("ending_before")
	from, until = 0, len(s.order)
	switch {
	case after != "" && before != "":
		return 0, 0, errInvalidParam("", "You can only specify one of these parameters: starting_after, ending_before.")
	case after != "":
		if from = s.index(after) + 1; from == 0 {
			return 0, 0, errMissing(s.name, after, "starting_after", 400)
		}
	case before != "":
		if until = s.index(before); until < 0 {
			return 0, 0, errMissing(s.name, before, "ending_before", 400)
		}
	}
	return from, until, nil
}

// created returns the filter of created=t or created[gt|gte|lt|lte]=t.
func (f stripeForm) created() (func(int64) bool, *stripeError) {
	compare := map[string]func(made, t int64) bool{
		"created":      func(made, t int64) bool { return made == t },
		"created[gt]":  func(made, t int64) bool { return made > t },
		"created[gte]": func(made, t int64) bool { return made >= t },
		"created[lt]":  func(made, t int64) bool { return made < t },
		"created[lte]": func(made, t int64) bool { return made <= t },
	}
	var tests []func(int64) bool
	for _, name := range f.names() {
		if !strings.HasPrefix(name, "created") {
			continue
		}
		test, ok := compare[name]
		if !ok {
			return nil, errUnknownParam(name)
		}
		t, err := strconv.ParseInt(f.get(name), 10, 64)
		if err != nil {
			return nil, errInvalidInteger(name, "Invalid integer: "+f.get(name))
		}
		tests = append(tests, func(made int64) bool { return test(made, t) })
	}
	return func(made int64) bool {
		return !slices.ContainsFunc(tests, func(test func(int64) bool) bool { return !test(made) })
	}, nil
}

// filter returns whether a field equals the form's value of name, which holds
// for any if it was not sent.
func (f stripeForm) filter(name string) func(field *string) bool {
	want, sent := f.get(name), f.has(name)
	return func(field *string) bool { return !sent || field != nil && *field == want }
}
