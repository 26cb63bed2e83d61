package stripe

import (
	"net/url"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb"
)

// ListParams are what all lists take. A zero field is not sent.
type ListParams struct {
	// Limit is the size of a page, 1 to 100, and no limit of the list: that is
	// aplomb.AtMost. Stripe's default is 10.
	Limit int `form:"limit"`
	// StartingAfter is the id of an object to begin behind, towards older ones,
	// as aplomb.Resume is; EndingBefore that of one to begin before, towards newer
	// ones: the list then runs backwards.
	StartingAfter string `form:"starting_after"`
	EndingBefore  string `form:"ending_before"`
	// Expand names objects to give whole, not by their ids, such as
	// "data.customer".
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// TimeRange is a span of time, in whole seconds.
type TimeRange struct {
	// From is in it, Before is out; a zero one leaves that side open.
	From   time.Time `form:"gte"`
	Before time.Time `form:"lt"`
}

// SearchParams are what all searches take. A zero field is not sent.
type SearchParams struct {
	// Query is in Stripe's search language, such as "status:'active' AND
	// metadata['plan']:'pro'" (https://docs.stripe.com/search#search-query-language).
	// What comes from outside goes through [Quote] first.
	Query string `form:"query"`
	// Limit is the size of a page, 1 to 100, and no limit of the list: that is
	// aplomb.AtMost. Stripe's default is 10.
	Limit int `form:"limit"`
	// Expand names objects to give whole, not by their ids, such as
	// "data.customer".
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// Quote is text as a string of the search language, quotes included: what is in
// it does not end the string.
//
//	stripe.SearchParams{Query: "email:" + stripe.Quote(email)}
func Quote(text string) string { return `'` + escapes.Replace(text) + `'` }

var escapes = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

// byID fills the {id} of a path, before the caller's options.
func byID(id string, opts []aplomb.CallOption) []aplomb.CallOption {
	return append([]aplomb.CallOption{aplomb.Path("id", id)}, opts...)
}
