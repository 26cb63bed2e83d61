package stripe

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"github.com/aplomb-go/aplomb"
)

// Get reads a T, for endpoints that have no method here. The path may be a
// template, whose {names} aplomb.Path fills; params go into the query.
//
//	coupon, err := stripe.Get[Coupon](ctx, sc, "/v1/coupons/{id}", nil, aplomb.Path("id", "half-off"))
//
// params are nil, a struct with form tags (or json tags), a url.Values or a nested
// map[string]any.
// T is any type that encoding/json can fill, such as a struct with the fields
// that are of interest, or json.RawMessage.
func Get[T any](ctx context.Context, c *Client, path string, params any, opts ...aplomb.CallOption) (*T, error) {
	return made(call[*T](ctx, c, http.MethodGet, path, params, opts))
}

// Post creates or changes a T; see [Get]. params go into the body, as a form. Each
// call has an idempotency key: aplomb.IdempotencyKey's, or one of its own.
//
// For a path of v2, params are JSON: a map, where a nil clears, or a struct with
// json tags. [Version] has no v2: give [APIVersion] with one that has the endpoint.
//
//	topup, err := stripe.Post[Topup](ctx, sc, "/v1/topups", map[string]any{"amount": 2000, "currency": "usd"})
func Post[T any](ctx context.Context, c *Client, path string, params any, opts ...aplomb.CallOption) (*T, error) {
	return made(call[*T](ctx, c, http.MethodPost, path, params, opts))
}

// Delete removes a T; see [Get]. params go into the query.
func Delete[T any](ctx context.Context, c *Client, path string, params any, opts ...aplomb.CallOption) (*T, error) {
	return made(call[*T](ctx, c, http.MethodDelete, path, params, opts))
}

// call is generic over the pointer, as list is: of pointers, whatever to, the
// compiler makes one function, of objects one for each.
func call[P any](ctx context.Context, c *Client, method, path string, params any, opts []aplomb.CallOption) (P, error) {
	own, err := sent(method, path, params)
	if err != nil {
		var none P
		return none, err
	}
	return aplomb.Call[P](ctx, c.API(), method, path, append(own, opts...)...)
}

var errNull = errors.New("stripe: the answer is null, not an object")

// made is an object that is never nil without an error.
func made[T any](object *T, err error) (*T, error) {
	if object == nil && err == nil {
		err = errNull
	}
	if err != nil {
		return nil, err
	}
	return object, nil
}

// sent makes options of params: a body for a POST, else a query. They go before
// the caller's own, with room for those.
func sent(method, path string, params any) ([]aplomb.CallOption, error) {
	own := make([]aplomb.CallOption, 0, 8)
	if method == http.MethodPost && isV2(path) {
		if v := reflect.ValueOf(params); params == nil || (v.Kind() == reflect.Pointer || v.Kind() == reflect.Map) && v.IsNil() {
			params = struct{}{}
		}
		if madeForV1(params) {
			return nil, fmt.Errorf("stripe: a %T makes a form, but %s takes JSON: give a map, or a struct with json tags", params, path)
		}
		return append(own, aplomb.JSON(params)), nil
	}
	pairs, err := encode(params)
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost { // an empty form too has its content type
		return append(own, form(pairs)), nil
	}
	return append(own, query(pairs)...), nil
}

func isV2(path string) bool { return strings.HasPrefix(strings.TrimPrefix(path, "/"), "v2/") }

// madeForV1 reports params that JSON would send under Go names, or as lists.
func madeForV1(params any) bool {
	if _, values := params.(url.Values); values {
		return true
	}
	t := reflect.TypeOf(params)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for i := 0; t.Kind() == reflect.Struct && i < t.NumField(); i++ {
		_, form := t.Field(i).Tag.Lookup("form")
		if _, json := t.Field(i).Tag.Lookup("json"); form && !json {
			return true
		}
	}
	return false
}

// query is pairs as options of a GET; those of one name are one parameter.
func query(pairs []pair) []aplomb.CallOption {
	var own []aplomb.CallOption
	for i := 0; i < len(pairs); {
		values := []string{pairs[i].value}
		name := pairs[i].name
		for i++; i < len(pairs) && pairs[i].name == name; i++ {
			values = append(values, pairs[i].value)
		}
		own = append(own, aplomb.Query(name, values...))
	}
	return own
}

// List ranges over a list's objects, for lists that have no method here. It
// sends nothing until the loop begins, fetches a page when the loop gets there,
// and nothing more once it is left.
//
//	for payout, err := range stripe.List[Payout](ctx, sc, "/v1/payouts", map[string]any{"status": "paid", "limit": 100}) {
//		if err != nil {
//			return err
//		}
//		...
//	}
//
// An error is yielded once and ends the loop, after the objects before it.
// aplomb.AtMost bounds the list (limit is the size of a page), aplomb.Prefetch
// fetches the next page meanwhile, aplomb.Resume starts behind the object whose
// id it is given: keep the last one's to go on tomorrow. With ending_before among
// params the list runs backwards from that object, towards newer ones. A list of
// v2 follows its own links. [Pages] gives whole pages. An aplomb.Timeout holds for
// each page.
func List[T any](ctx context.Context, c *Client, path string, params any, opts ...aplomb.CallOption) iter.Seq2[*T, error] {
	return list[*T](ctx, c, path, listing(path), params, opts)
}

// Search ranges over the objects that a search found, as [List] does. The path
// ends with /search; aplomb.Resume takes the Next of a page of [Pages].
func Search[T any](ctx context.Context, c *Client, path string, params any, opts ...aplomb.CallOption) iter.Seq2[*T, error] {
	return list[*T](ctx, c, path, found, params, opts)
}

// Pages ranges over the pages of any list or search, for those who want to keep a
// page's Next, to go on with aplomb.Resume, or know the request id of each.
//
//	for page, err := range stripe.Pages[stripe.Charge](ctx, sc, "/v1/charges", stripe.ChargeListParams{Limit: 100}) {
func Pages[T any](ctx context.Context, c *Client, path string, params any, opts ...aplomb.CallOption) iter.Seq2[aplomb.Page[*T], error] {
	by, own, err := pager(listing(path), path, params)
	if err != nil {
		return failed[aplomb.Page[*T]](err)
	}
	return aplomb.Pages[*T](ctx, c.API(), path, by, append(own, opts...)...)
}

func list[P any](ctx context.Context, c *Client, path string, by aplomb.ByCursor, params any, opts []aplomb.CallOption) iter.Seq2[P, error] {
	pages, own, err := pager(by, path, params)
	if err != nil {
		return failed[P](err)
	}
	return aplomb.Items[P](ctx, c.API(), path, pages, append(own, opts...)...)
}

func failed[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		yield(none, err)
	}
}

// How lists are paged (https://docs.stripe.com/api/pagination,
// https://docs.stripe.com/api/pagination/search).
var (
	forward  = aplomb.ByCursor{Items: "data", Param: "starting_after", Last: "id", More: "has_more"}
	backward = aplomb.ByCursor{Items: "data", Param: "ending_before", First: "id", More: "has_more"}
	found    = aplomb.ByCursor{Items: "data", Param: "page", Field: "next_page", More: "has_more"}
	linked   = aplomb.ByURL{Items: "data", Field: "next_page_url"}
)

func listing(path string) aplomb.ByCursor {
	if strings.HasSuffix(path, "/search") {
		return found
	}
	return forward
}

// pager makes of a cursor among params the place to begin at: as a parameter it
// would be sent with every page.
func pager(by aplomb.ByCursor, path string, params any) (aplomb.Pager, []aplomb.CallOption, error) {
	pairs, err := encode(params)
	if err != nil {
		return nil, nil, err
	}
	if isV2(path) {
		return linked, query(pairs), nil
	}
	var kept []pair
	var own []aplomb.CallOption
	for _, p := range pairs {
		switch cursor := p.name == backward.Param || p.name == by.Param; {
		case !cursor:
			kept = append(kept, p)
			continue
		case p.value == "": // none, as a poller begins
			continue
		case own != nil:
			return nil, nil, fmt.Errorf("stripe: %s and %s both say where to begin: give one of them", by.Param, backward.Param)
		case p.name == backward.Param:
			by = backward
		}
		own = append(own, aplomb.Resume(p.value))
	}
	return by, append(own, query(kept)...), nil
}
