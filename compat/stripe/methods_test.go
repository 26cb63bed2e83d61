package stripe_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe/stripe-mock/embedded"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/compat/stripemock"
	"github.com/aplomb-go/aplomb/stripe"
)

// schema is as much of a JSON schema as parameters need.
type schema struct {
	Ref        string             `json:"$ref"`
	Type       string             `json:"type"`
	Enum       []any              `json:"enum"`
	AnyOf      []*schema          `json:"anyOf"`
	Properties map[string]*schema `json:"properties"`
	Items      *schema            `json:"items"`
	Expandable []string           `json:"x-expandableFields"`
}

type operation struct {
	Parameters []struct {
		Name, In string
		Schema   *schema
	}
	RequestBody struct {
		Content map[string]struct{ Schema *schema }
	}
	Responses map[string]struct {
		Content map[string]struct{ Schema *schema }
	}
}

// spec is Stripe's OpenAPI description, the one that stripe-mock checks by.
var spec = sync.OnceValue(func() (s struct {
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]*schema }
}) {
	if err := json.Unmarshal(embedded.OpenAPISpec, &s); err != nil {
		panic(err)
	}
	return s
})

// find is the operation that a method and a template of ours name.
func find(method, template string) (operation, bool) {
	want := strings.Split(template, "/")
	for path, operations := range spec().Paths {
		got := strings.Split(path, "/")
		if len(got) == len(want) && slices.EqualFunc(got, want, func(a, b string) bool {
			return a == b || strings.HasPrefix(a, "{") && strings.HasPrefix(b, "{")
		}) {
			op, ok := operations[strings.ToLower(method)]
			return op, ok
		}
	}
	return operation{}, false
}

// parameters are what the operation takes, by name.
func (o operation) parameters() map[string]*schema {
	all := map[string]*schema{}
	for _, p := range o.Parameters {
		if p.In == "query" {
			all[p.Name] = p.Schema
		}
	}
	for _, content := range o.RequestBody.Content {
		maps.Copy(all, content.Schema.Properties)
	}
	return all
}

// answer is the schema of what comes back, of a list the items'.
func (o operation) answer() (object *schema, list bool) {
	s := resolve(o.Responses["200"].Content["application/json"].Schema)
	if s != nil && s.Properties["has_more"] != nil {
		return resolve(resolve(s.Properties["data"]).Items), true
	}
	return s, false
}

func resolve(s *schema) *schema {
	for s != nil && s.Ref != "" {
		s = spec().Components.Schemas[s.Ref[strings.LastIndex(s.Ref, "/")+1:]]
	}
	if s != nil && len(s.AnyOf) > 0 && s.Type == "" {
		return resolve(s.AnyOf[0])
	}
	return s
}

// alternatives are the schemas that one value may have.
func alternatives(s *schema) []*schema {
	if len(s.AnyOf) == 0 {
		return []*schema{s}
	}
	var all []*schema
	for _, one := range s.AnyOf {
		all = append(all, alternatives(one)...)
	}
	return all
}

// filler sets every field of params to what the description allows.
type filler struct {
	expand string
	names  []string // of the parameters set
	odd    []string // fields that the description does not know
}

func (f *filler) fill(v reflect.Value, known map[string]*schema, prefix string) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name := field.Tag.Get("form")
		full := name
		if prefix != "" {
			full = prefix + "[" + name + "]"
		}
		if name == "*" || v.Type() == reflect.TypeFor[stripe.TimeRange]() {
			if v.Type() == reflect.TypeFor[stripe.TimeRange]() {
				v.Field(i).Set(reflect.ValueOf(time.Unix(1700000000, 0)))
			}
			continue
		}
		s, ok := known[name]
		if !ok {
			f.odd = append(f.odd, full)
			continue
		}
		f.names = append(f.names, full)
		f.set(v.Field(i), s, full)
	}
}

func (f *filler) set(v reflect.Value, s *schema, name string) {
	switch {
	case name == "expand":
		v.Set(reflect.ValueOf([]string{f.expand}))
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Now().Add(time.Hour)))
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.set(v.Elem(), s, name)
	case v.Kind() == reflect.Struct:
		known := map[string]*schema{}
		for _, one := range alternatives(s) {
			maps.Copy(known, resolve(one).Properties)
		}
		f.fill(v, known, name)
	case v.Kind() == reflect.Slice:
		items := &schema{Type: "string"}
		for _, one := range alternatives(s) {
			if one.Items != nil {
				items = one.Items
			}
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		f.set(v.Index(0), items, name+"[0]")
	case v.Kind() == reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"order": "7"}).Convert(v.Type()))
	case v.Kind() == reflect.String:
		v.SetString(word(s, name))
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.CanInt():
		v.SetInt(1)
	case v.CanFloat():
		v.SetFloat(1.5)
	}
}

// word is a string that the schema allows.
func word(s *schema, name string) string {
	for _, one := range alternatives(s) {
		for _, value := range one.Enum {
			if text, ok := value.(string); ok && text != "" {
				return text
			}
		}
	}
	switch {
	case strings.Contains(name, "url"):
		return "https://shop.example/done"
	case strings.Contains(name, "email"):
		return "ada@example.com"
	case strings.Contains(name, "currency"):
		return "usd"
	case strings.Contains(name, "query"):
		return "created>0"
	case strings.Contains(name, "decimal"):
		return "12.5"
	default:
		return "x_123"
	}
}

// TestEveryMethod sends each method of each resource, with no parameters beyond
// those that are required and then with every one there is, and holds what was
// sent against Stripe's description: by stripe-mock, and here for what it does
// not look at.
func TestEveryMethod(t *testing.T) {
	t.Parallel()
	base := stripemock.Start(t)
	var mu sync.Mutex
	var operations []string
	hooks := aplomb.Hooks{AttemptStart: func(_ context.Context, e aplomb.AttemptEvent) {
		mu.Lock()
		operations = append(operations, e.Operation)
		mu.Unlock()
	}}
	sc, err := stripe.NewAt(base, aplomb.Static("sk_test_"+"123"), aplomb.NoRetry(), aplomb.NoRateLimit(), hooks)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sc.API().CloseIdleConnections)

	methods := 0
	client := reflect.ValueOf(sc).Elem()
	for i := range client.NumField() {
		if !client.Type().Field(i).IsExported() {
			continue
		}
		service := client.Field(i)
		for m := range service.NumMethod() {
			name := client.Type().Field(i).Name + "." + service.Type().Method(m).Name
			t.Run(name, func(t *testing.T) {
				operations = nil
				methods++
				probe := arguments(t, service.Method(m), nil)
				_ = invoke(service.Method(m), probe) // to learn what it sends; a required parameter may be missing
				if len(operations) == 0 {
					t.Fatal("nothing was sent")
				}
				method, template, _ := strings.Cut(operations[0], " ")
				op, ok := find(method, template)
				if !ok {
					t.Fatalf("%s is no operation of Stripe's", operations[0])
				}
				object, isList := op.answer()
				f := &filler{}
				if object != nil && len(object.Expandable) > 0 {
					f.expand = object.Expandable[0]
					if isList {
						f.expand = "data." + f.expand
					}
				}
				// A list begins behind one object or before another: twice, then.
				for _, cursor := range []string{"StartingAfter", "EndingBefore"} {
					*f = filler{expand: f.expand}
					lists := false
					all := arguments(t, service.Method(m), func(params reflect.Value) {
						f.fill(params, op.parameters(), "")
						if field := params.FieldByName(cursor); field.IsValid() {
							field.SetString("")
							lists = true
						}
					})
					if len(f.odd) > 0 {
						t.Errorf("%s takes no %s", operations[0], strings.Join(f.odd, ", "))
					}
					if err := invoke(service.Method(m), all); err != nil {
						t.Errorf("with %s: %v", strings.Join(f.names, ", "), err)
					}
					if !lists {
						break
					}
				}
				if op.parameters()["expand"] != nil && len(f.names) == 0 && f.expand != "" {
					if err := invoke(service.Method(m), append(arguments(t, service.Method(m), nil), reflect.ValueOf(stripe.Expand(f.expand)))); err != nil {
						t.Errorf("with Expand: %v", err)
					}
				}
			})
		}
	}
	t.Logf("%d methods", methods)
	if methods < 90 {
		t.Errorf("only %d methods: were some lost?", methods)
	}
}

// arguments are those of a method, without the options: a context, ids, and
// params as fill leaves them.
func arguments(t *testing.T, method reflect.Value, fill func(reflect.Value)) []reflect.Value {
	t.Helper()
	args := []reflect.Value{reflect.ValueOf(t.Context())}
	for i := 1; i < method.Type().NumIn()-1; i++ {
		in := method.Type().In(i)
		arg := reflect.New(in).Elem()
		switch in.Kind() {
		case reflect.String:
			arg.SetString("x_123")
		case reflect.Struct:
			if fill != nil {
				fill(arg)
			}
		default:
			t.Fatalf("an argument is a %s", in)
		}
		args = append(args, arg)
	}
	return args
}

// invoke calls a method and, where it gives a list, reads it.
func invoke(method reflect.Value, args []reflect.Value) error {
	results := method.Call(args)
	if len(results) == 2 {
		err, _ := reflect.TypeAssert[error](results[1])
		if err == nil && results[0].IsNil() {
			return errors.New("neither an object nor an error")
		}
		return err
	}
	n := 0
	for pair := range pairs(results[0]) {
		if pair.err != nil {
			return pair.err
		}
		n++
	}
	if n != 1 {
		return fmt.Errorf("%d objects, want the one that stripe-mock has", n)
	}
	return nil
}

type itemOrError struct{ err error }

// pairs ranges over an iter.Seq2[*T, error] of whatever T.
func pairs(seq reflect.Value) iter.Seq[itemOrError] {
	return func(yield func(itemOrError) bool) {
		for item, e := range seq.Seq2() {
			err, _ := reflect.TypeAssert[error](e)
			if err == nil && item.IsNil() {
				err = errors.New("a nil object")
			}
			if !yield(itemOrError{err}) {
				return
			}
		}
	}
}

// TestEventTypes: each is one that Stripe sends.
func TestEventTypes(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../stripe/eventtype.go")
	if err != nil {
		t.Fatal(err)
	}
	op, _ := find(http.MethodPost, "/v1/webhook_endpoints")
	known := op.parameters()["enabled_events"].Items.Enum
	types := regexp.MustCompile(`= "([a-z_.]+)"`).FindAllSubmatch(source, -1)
	if len(types) < 60 {
		t.Errorf("only %d event types were found", len(types))
	}
	for _, typ := range types {
		if !slices.Contains(known, any(string(typ[1]))) {
			t.Errorf("%s is no event of Stripe's", typ[1])
		}
	}
}

// older are the fields of 2024-06-20, the version that stripe/ asks for, that the
// description's version has moved or dropped.
var older = []string{
	"charge.invoice", "invoice.charge", "invoice.paid", "invoice.payment_intent", "invoice.subscription", "line_item.price",
	"line_item.proration", "subscription.current_period_end", "subscription.current_period_start",
}

// TestFieldsExist: what our objects read is what Stripe's description says they
// have, of the same kind.
func TestFieldsExist(t *testing.T) {
	t.Parallel()
	objects := map[string]any{
		"balance": stripe.Balance{}, "balance_transaction": stripe.BalanceTransaction{}, "charge": stripe.Charge{},
		"checkout.session": stripe.CheckoutSession{}, "customer": stripe.Customer{}, "dispute": stripe.Dispute{}, "event": stripe.Event{},
		"file": stripe.File{}, "invoice": stripe.Invoice{}, "line_item": stripe.InvoiceLine{}, "payment_intent": stripe.PaymentIntent{},
		"payment_method": stripe.PaymentMethod{}, "price": stripe.Price{}, "product": stripe.Product{}, "refund": stripe.Refund{},
		"setup_intent": stripe.SetupIntent{}, "subscription": stripe.Subscription{}, "webhook_endpoint": stripe.WebhookEndpoint{},
		"billing_portal.session": stripe.BillingPortalSession{}, "item": stripe.CheckoutLineItem{}, "subscription_item": stripe.SubscriptionItem{},
	}
	for name, object := range objects {
		s := spec().Components.Schemas[name]
		if s == nil {
			t.Errorf("Stripe describes no %s", name)
			continue
		}
		compareFields(t, name, s, reflect.TypeOf(object))
	}
}

func compareFields(t *testing.T, path string, s *schema, object reflect.Type) {
	t.Helper()
	known := map[string]*schema{}
	for _, one := range alternatives(s) {
		maps.Copy(known, resolve(one).Properties)
	}
	for f := range object.Fields() {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == "-" || tag == "" {
			continue
		}
		at := path + "." + tag
		its, ok := known[tag]
		if !ok {
			// A deleted object has a description of its own, a thin event none.
			if !slices.Contains(older, at) && tag != "deleted" && at != "event.related_object" {
				t.Errorf("Stripe describes no %s", at)
			}
			continue
		}
		if slices.Contains(older, at) {
			t.Errorf("Stripe describes %s: take it off the list", at)
		}
		field := f.Type
		if field.Kind() == reflect.Pointer {
			field = field.Elem()
		}
		own := field.PkgPath() == reflect.TypeFor[stripe.Charge]().PkgPath()
		if field.Kind() == reflect.Struct && own && !strings.HasPrefix(field.Name(), "Expandable[") && !strings.HasPrefix(field.Name(), "Embedded[") && resolve(its) != nil {
			compareFields(t, at, its, field)
		}
	}
}
