package aplomb

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aplomb-go/aplomb/internal/redact"
)

// Explain prints the policy that is in effect for c: each setting, its value,
// and where that comes from: "default", "New", or "With" where it differs from
// what New was told. A value that follows another setting is a default. Secrets,
// and the values of headers and parameters, are left out. Settings of a context
// or a call are not shown, nor what was learned of servers. It is meant for a
// log line at the start of a service, for a bug report, and for a test that pins
// a policy.
func Explain(c *Client) string {
	if c == nil || c.stack == nil {
		return errNoClient.Error()
	}
	var out strings.Builder
	e := &explanation{stack: c.stack, cfg: c.stack.cfg, w: tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)}
	e.line("Name", e.cfg.name, e.source(func(c *config) any { return c.name }, e.cfg.base.Host))
	e.line("base URL", redact.URL(e.cfg.base), "New")
	e.calls()
	e.behaviours()
	e.additions()
	_ = e.w.Flush() // a strings.Builder takes everything
	return out.String()
}

// explanation writes one client's settings as lines of three columns.
type explanation struct {
	stack *stack
	cfg   *config
	w     *tabwriter.Writer
}

func (e *explanation) line(name string, value any, source string) {
	_, _ = fmt.Fprintf(e.w, "%s\t%v\t%s\n", name, value, source)
}

// source tells where a setting comes from: get takes it out of a config as it
// was given, and unset is what it is where nobody gave it.
func (e *explanation) source(get func(*config) any, unset any) string {
	given := get(e.cfg)
	switch {
	case !reflect.DeepEqual(given, get(e.stack.root)):
		return "With"
	case reflect.DeepEqual(given, unset):
		return "default"
	}
	return "New"
}

// calls tells what bounds a call.
func (e *explanation) calls() {
	typed, do := fmt.Sprintf("%v, or the context's deadline", defaultTotal), "none"
	if e.cfg.timeout > 0 {
		typed = e.cfg.timeout.String()
		do = typed
	}
	timeout := e.source(func(c *config) any { return c.timeout }, time.Duration(0))
	e.line("Timeout, typed calls", typed, timeout)
	e.line("Timeout, Do and HTTPClient", do, timeout)
	maxBody := e.source(func(c *config) any { return c.maxBody }, int64(0))
	e.line("MaxBody, typed calls", size(orDefault(e.cfg.maxBody, defaultMaxBody)), maxBody)
	e.line("MaxBody, an item of Stream", size(orDefault(e.cfg.maxBody, defaultMaxItem)), maxBody)
	expect := "any 2xx"
	if e.cfg.expect != nil {
		expect = strings.Trim(fmt.Sprint(e.cfg.expect), "[]")
	}
	e.line("Expect", expect, e.source(func(c *config) any { return c.expect }, []int(nil)))
}

// size is a number of bytes in the largest unit that leaves it whole.
func size(n int64) string {
	switch {
	case n%(1<<20) == 0:
		return fmt.Sprint(n>>20, " MiB")
	case n%(1<<10) == 0:
		return fmt.Sprint(n>>10, " KiB")
	}
	return fmt.Sprint(n, " bytes")
}

// behaviour is a struct with knobs, as Explain sees it.
type behaviour[B any] struct {
	name     string
	on       bool             // New turns it on by itself
	given    func(*config) *B // nil where it is off
	inEffect func(B) B        // lays the defaults under it
	unset    B                // the fields of which nothing was said
}

// behaviours tells of the structs, field by field.
func (e *explanation) behaviours() {
	explain(e, behaviour[Retry]{
		name: "Retry", on: true, given: func(c *config) *Retry { return c.retry }, inEffect: Retry.withDefaults,
		unset: Retry{}.withDefaults(), // it is kept with its defaults
	})
	explain(e, behaviour[Breaker]{
		name: "Breaker", on: true, given: func(c *config) *Breaker { return c.breaker }, inEffect: e.breaker,
	})
	explain(e, behaviour[RateLimit]{
		name: "RateLimit", on: true, given: func(c *config) *RateLimit { return c.rateLimit }, inEffect: toldLimit,
	})
	explain(e, behaviour[Fleet]{
		name: "Fleet", given: func(c *config) *Fleet { f, _ := c.fleet.(*Fleet); return f }, inEffect: e.fleet,
	})
	explain(e, behaviour[Timeouts]{
		name: "Timeouts", on: true, given: func(c *config) *Timeouts { return c.timeouts }, inEffect: e.timeouts,
	})
	explain(e, behaviour[Hedge]{
		name: "Hedge", given: givenHedge, inEffect: func(h Hedge) Hedge { return h },
	})
	explain(e, behaviour[Bulkhead]{
		name: "Bulkhead", given: func(c *config) *Bulkhead { b, _ := c.bulkhead.(*Bulkhead); return b }, inEffect: func(b Bulkhead) Bulkhead { return b.withDefaults() },
	})
	explain(e, behaviour[Idempotency]{
		name: "Idempotency", given: func(c *config) *Idempotency { return c.idempotency }, inEffect: func(i Idempotency) Idempotency {
			return Idempotency{orDefault(i.Header, idempotencyHeader), i.methods(), i.New}
		},
	})
	explain(e, behaviour[Logging]{
		name: "Logging", given: func(c *config) *Logging { l, _ := c.logging.(*Logging); return l }, inEffect: func(l Logging) Logging { return l },
	})
}

// breaker asks the breakers themselves: those that With shares keep the lease
// they were made with, whatever Timeouts it names.
func (e *explanation) breaker(Breaker) Breaker { return e.stack.breakers.byKey.create("").cfg }

// fleet has the prefix that it was made with, whatever name With gives.
func (e *explanation) fleet(f Fleet) Fleet {
	f = f.withDefaults(e.cfg.name)
	if own, ok := e.stack.fleet.(*fleet); ok {
		f.Prefix = own.prefix
	}
	return f
}

// toldLimit has no burst where no rate was told.
func toldLimit(l RateLimit) RateLimit {
	l = l.withDefaults()
	if l.PerSecond == 0 {
		l.Burst = 0
	}
	return l
}

// timeouts leaves out those that cannot take effect on a foreign RoundTripper.
func (e *explanation) timeouts(t Timeouts) Timeouts {
	t = t.withDefaults()
	if e.cfg.transport == nil {
		return t
	}
	if _, ok := e.cfg.transport.RoundTripper.(*http.Transport); !ok {
		t.Connect, t.TLS, t.IdleConn = 0, 0, 0
	}
	return t
}

// explain writes the fields of one behaviour.
func explain[B any](e *explanation, b behaviour[B]) {
	given := b.given(e.cfg)
	if given == nil {
		e.line(b.name, "off", e.source(func(c *config) any { return b.given(c) != nil }, b.on))
		return
	}
	inEffect := reflect.ValueOf(b.inEffect(*given))
	for i := range inEffect.NumField() {
		name := b.name + "." + inEffect.Type().Field(i).Name
		if value := shown(name, inEffect.Field(i)); value != "" {
			e.line(name, value, e.source(func(c *config) any { return b.told(c, i) }, nil))
		}
	}
}

// told is what c says of field i, nil for nothing. A function or foreign object
// cannot be compared: it is taken for another one where the struct is.
func (b *behaviour[B]) told(c *config, i int) any {
	given := b.given(c)
	if given == nil {
		return nil
	}
	field := reflect.ValueOf(given).Elem().Field(i)
	switch kind := field.Kind(); {
	case reflect.DeepEqual(field.Interface(), reflect.ValueOf(b.unset).Field(i).Interface()), kind == reflect.Slice && field.Len() == 0:
		return nil
	case kind == reflect.Func, kind == reflect.Pointer, kind == reflect.Interface:
		return reflect.ValueOf(given).Pointer()
	}
	return field.Interface()
}

// wording is for the fields whose value alone does not say what it does: what
// zero means, "" for nothing worth a line, and what follows any other value.
var wording = map[string]struct{ zero, after string }{
	"Retry.Budget":        {after: fmt.Sprintf(" per success, over a reserve of %d", budgetReserve)},
	"Breaker.Key":         {zero: "origin"},
	"RateLimit.PerSecond": {zero: "none told: the server's is found and kept"},
	"RateLimit.Burst":     {zero: ""},
	"RateLimit.Key":       {zero: "origin"},
	"Timeouts.Connect":    {zero: "the Transport's own"},
	"Timeouts.TLS":        {zero: "the Transport's own"},
	"Timeouts.IdleConn":   {zero: "the Transport's own"},
	"Hedge.After":         {zero: "p95 of the operation"},
	"Bulkhead.Key":        {zero: "origin"},
	"Logging.Logger":      {zero: "slog.Default()"},
}

// shown is a field's value as text.
func shown(name string, v reflect.Value) string {
	words, worded := wording[name]
	switch kind := v.Kind(); {
	case worded && v.IsZero():
		return words.zero
	case kind == reflect.Slice && v.Len() == 0:
		return "none"
	case kind == reflect.Slice:
		return strings.Trim(fmt.Sprint(v.Interface()), "[]")
	case kind == reflect.Interface:
		return v.Elem().Type().String()
	case kind != reflect.Func && kind != reflect.Pointer:
		return fmt.Sprint(v.Interface()) + words.after
	case v.IsNil():
		return "default"
	}
	return "custom"
}

// additions tells of what comes on top: names and numbers only.
func (e *explanation) additions() {
	var headers, params []string
	for _, h := range e.cfg.header {
		headers = append(headers, h.name)
	}
	for _, p := range e.cfg.query {
		params = append(params, p.name)
	}
	e.line("Header", orDefault(strings.Join(headers, ", "), "none"), e.source(func(c *config) any { return c.header }, []field(nil)))
	e.line("Query", orDefault(strings.Join(params, ", "), "none"), e.source(func(c *config) any { return c.query }, []param(nil)))
	count(e, "Auth", "credential", func(c *config) []Auth { return c.auths })
	e.line("ServerTime learns over", map[bool]string{false: "https", true: "https and http"}[e.cfg.trustDate], e.source(func(c *config) any { return c.trustDate }, false))
	count(e, "Judge", "judge", func(c *config) []Judge { return c.judges })
	count(e, "ErrorDecoder", "decoder", func(c *config) []ErrorDecoder { return c.decoders })
	count(e, "Hooks", "set", func(c *config) []listener { return c.hooks })
	count(e, "PerCall", "middleware", func(c *config) []Middleware { return c.perCall })
	count(e, "PerAttempt", "middleware", func(c *config) []Middleware { return c.perAttempt })
	transport := "http.Transport of its own"
	if e.cfg.transport != nil {
		transport = fmt.Sprintf("%T", e.cfg.transport.RoundTripper)
	}
	e.line("Transport", transport, e.source(func(c *config) any { return reflect.ValueOf(c.transport).Pointer() }, uintptr(0)))
}

// count tells how many there are. Functions differ unless the list is the same.
func count[T any](e *explanation, name, noun string, of func(*config) []T) {
	value := "none"
	switch n := len(of(e.cfg)); {
	case n == 1:
		value = "1 " + noun
	case n > 1:
		value = fmt.Sprint(n, " ", noun, "s")
	}
	e.line(name, value, e.source(func(c *config) any { return of(c) }, []T(nil)))
}

// givenHedge is the Hedge that c was given, nil if none.
func givenHedge(c *config) *Hedge {
	if c.hedge == nil {
		return nil
	}
	return &Hedge{After: c.hedge.after}
}
