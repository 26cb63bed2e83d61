package redact

import (
	"regexp"
	"strings"
	"sync"
)

// expression is a regular expression that is compiled on first use: most
// programs never need most.
type expression struct {
	text     string
	once     sync.Once
	compiled *regexp.Regexp
}

func lazy(text string) *expression { return &expression{text: text} }

func (e *expression) regexp() *regexp.Regexp {
	e.once.Do(func() { e.compiled = regexp.MustCompile(e.text) })
	return e.compiled
}

// words is a set of names, given separated by white space and told apart on
// first use.
type words struct {
	text string
	once sync.Once
	all  map[string]bool
}

func set(names string) *words { return &words{text: names} }

func (w *words) has(name string) bool {
	w.once.Do(func() {
		w.all = map[string]bool{}
		for name := range strings.FieldsSeq(w.text) {
			w.all[name] = true
		}
	})
	return w.all[name]
}
