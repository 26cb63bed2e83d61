package main

import (
	"errors"
	"fmt"
)

// report is the table at the end: what happened, beside what was promised.
type report []row

type row struct {
	key             string
	value, promised string
}

// promise adds a figure that must be as said.
func (r *report) promise(key string, value, promised any) {
	*r = append(*r, row{key, fmt.Sprint(value), fmt.Sprint(promised)})
}

// state adds a figure that depends on the real API.
func (r *report) state(key string, value any) {
	*r = append(*r, row{key, fmt.Sprint(value), fmt.Sprint(value)})
}

// broken lists what was not as promised.
func (r *report) broken() error {
	var errs []error
	for _, row := range *r {
		if row.value != row.promised {
			errs = append(errs, fmt.Errorf("%s is %s, not %s as promised", row.key, row.value, row.promised))
		}
	}
	return errors.Join(errs...)
}

// summary prints the table. The secrets are counted last, over everything.
func (t *tour) summary() error {
	t.report.promise("secrets_in_output", t.out.leaks(), 0)
	fmt.Fprintln(t.out)
	for _, row := range t.report {
		fmt.Fprintln(t.out, row.key, row.value)
	}
	return t.report.broken()
}
