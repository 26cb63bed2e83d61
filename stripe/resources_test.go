package stripe_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/stripe"
)

// A method is one of a resource, to be called with all of its parameters.
type method struct {
	name   string // such as "Refunds.Create"
	id     string // "" if it takes none
	params any    // nil if it takes none
	answer string // the object
	line   string // what the object says of itself
}

// call calls m, with another id if it takes one. Of a list it gives the first
// object.
func (m method) call(ctx context.Context, sc *stripe.Client, id string) (any, error) {
	resource, name, _ := strings.Cut(m.name, ".")
	in := []reflect.Value{reflect.ValueOf(ctx)}
	if m.id != "" {
		in = append(in, reflect.ValueOf(id))
	}
	if m.params != nil {
		in = append(in, reflect.ValueOf(m.params))
	}
	out := reflect.ValueOf(sc).Elem().FieldByName(resource).MethodByName(name).Call(in)
	if len(out) == 1 {
		for object, failed := range out[0].Seq2() {
			err, _ := reflect.TypeAssert[error](failed)
			return object.Interface(), err
		}
		return nil, nil //nolint:nilnil // an empty list
	}
	err, _ := reflect.TypeAssert[error](out[1])
	return out[0].Interface(), err
}

// A recorder notes each request as text and answers them all alike.
type recorder struct {
	answer string
	sent   []string
}

func (rec *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	params := string(body)
	if params == "" {
		params = r.URL.RawQuery
	}
	params, _ = url.QueryUnescape(params)
	rec.sent = append(rec.sent, strings.TrimSpace(r.Method+" "+r.URL.EscapedPath()+"\n"+strings.ReplaceAll(params, "&", "\n")))
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, rec.answer)
}

// TestResources: each method sends what testdata/requests.txt says, which was held
// against Stripe's documentation, and reads the answer.
func TestResources(t *testing.T) {
	t.Parallel()
	wanted := requests(t)
	for _, m := range methods() {
		rec := &recorder{answer: m.answer}
		if m.isList() {
			rec.answer = `{"object":"list","url":"/v1/x","has_more":false,"data":[` + m.answer + `]}`
		}
		sc := serve(t, rec)
		object, err := m.call(t.Context(), sc, m.id)
		assert.NoError(t, err, m.name)
		assert.Equal(t, strings.Join(rec.sent, "\n"), wanted[m.name], m.name)
		assert.Equal(t, fmt.Sprint(object), m.line, m.name)
		raw, err := stripe.Get[stripe.Raw](t.Context(), serve(t, &recorder{answer: m.answer}), "/v1/x", nil)
		assert.NoError(t, err)
		kept, ok := reflect.TypeAssert[stripe.Raw](reflect.ValueOf(object).Elem().FieldByName("Raw"))
		assert.True(t, ok, m.name)
		assert.Equal(t, string(kept.JSON()), string(raw.JSON()), m.name)
	}
}

// requests are what methods send: the method and path, and a line for each
// parameter.
func requests(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("testdata/requests.txt")
	assert.NoError(t, err)
	wanted := map[string]string{}
	for block := range strings.SplitSeq(strings.TrimSpace(string(raw)), "\n\n") {
		name, request, _ := strings.Cut(block, "\n")
		wanted[name] = request
	}
	return wanted
}

func (m method) isList() bool {
	_, name, _ := strings.Cut(m.name, ".")
	return slices.Contains([]string{"List", "Search", "Lines", "LineItems"}, name)
}

// TestResourcesAreAllThere: no method and no parameter is left out above.
func TestResourcesAreAllThere(t *testing.T) {
	t.Parallel()
	elsewhere := []string{"Charges", "Customers", "Events", "PaymentIntents", "PaymentMethods"} // have tests of their own
	var want, got []string
	client := reflect.TypeFor[stripe.Client]()
	for field := range client.Fields() {
		if field.IsExported() && !slices.Contains(elsewhere, field.Name) {
			for m := range field.Type.Methods() {
				want = append(want, field.Name+"."+m.Name)
			}
		}
	}
	for _, m := range methods() {
		got = append(got, m.name)
		if m.params != nil {
			for _, name := range unset(m.name, reflect.ValueOf(m.params)) {
				t.Error(name, "is not set")
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	assert.Equal(t, got, want)
}

// unset names the zero fields of parameters. Extra and the second cursor, which
// are the same everywhere, may be so.
func unset(name string, v reflect.Value) []string {
	var names []string
	switch {
	case v.IsZero() && !strings.HasSuffix(name, ".Extra") && !strings.HasSuffix(name, ".EndingBefore"):
		return []string{name}
	case v.Kind() == reflect.Pointer && !v.IsNil() && v.Elem().Kind() == reflect.Struct:
		return unset(name, v.Elem())
	case v.Kind() == reflect.Slice && v.Len() > 0:
		return unset(name+"[0]", v.Index(0))
	case v.Kind() == reflect.Struct:
		for field, value := range v.Fields() {
			if _, sent := field.Tag.Lookup("form"); sent {
				names = append(names, unset(name+"."+field.Name, value)...)
			}
		}
	}
	return names
}

func TestResourcesRefuseAnEmptyID(t *testing.T) {
	t.Parallel()
	rec := &recorder{answer: `{}`}
	sc := serve(t, rec)
	for _, m := range methods() {
		if m.id == "" {
			continue
		}
		for _, id := range []string{"", ".", ".."} {
			_, err := m.call(t.Context(), sc, id)
			assert.True(t, err != nil, m.name)
		}
	}
	assert.Equal(t, len(rec.sent), 0)
}

// TestPathsKeepTheirIDs: an id from outside stays one segment of the path.
func TestPathsKeepTheirIDs(t *testing.T) {
	t.Parallel()
	wanted := requests(t)
	for _, m := range methods() {
		if m.id == "" {
			continue
		}
		rec := &recorder{answer: `{}`}
		_, _ = m.call(t.Context(), serve(t, rec), "a/../b?c=d")
		assert.Equal(t, strings.Join(rec.sent, "\n"), strings.Replace(wanted[m.name], m.id, "a%2F..%2Fb%3Fc=d", 1), m.name)
	}
}
