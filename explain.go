package aplomb

import (
	"fmt"
	"reflect"
	"strings"
	"text/tabwriter"
	"time"
)

// Explain prints the policy that is in effect for c: each setting, its value,
// and where that comes from, "default", "New" or "With". Secrets, and the values
// of headers and parameters, are left out. It is meant for a log line at the
// start of a service, for a bug report, and for a test that pins a policy.
func Explain(c *Client) string {
	if c == nil || c.stack == nil {
		return errNoClient.Error()
	}
	var out strings.Builder
	e := &explanation{cfg: c.stack.cfg, parent: c.stack.parent, w: tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)}
	e.line("Name", e.cfg.name, e.source(func(c *config) any { return c.name == c.base.Host }, true))
	e.line("base URL", e.cfg.base.String(), "New")
	e.calls()
	e.behaviours()
	e.additions()
	_ = e.w.Flush() // a strings.Builder takes everything
	return out.String()
}

// explanation writes one client's settings as lines of three columns.
type explanation struct {
	cfg    *config
	parent *config // the one that With was called on; nil for New
	w      *tabwriter.Writer
}

func (e *explanation) line(name string, value any, source string) {
	_, _ = fmt.Fprintf(e.w, "%s\t%v\t%s\n", name, value, source)
}

// source tells where a setting comes from: get takes it out of a config, and def
// is what it is when nobody set it.
func (e *explanation) source(get func(*config) any, def any) string {
	mine := get(e.cfg)
	switch {
	case reflect.DeepEqual(mine, def):
		return "default"
	case e.parent != nil && !reflect.DeepEqual(mine, get(e.parent)):
		return "With"
	}
	return "New"
}

// calls tells what bounds a call.
func (e *explanation) calls() {
	e.line("Timeout, typed calls", orDefault(e.cfg.timeout, defaultTotal), e.source(func(c *config) any { return c.timeout }, time.Duration(0)))
	do := any("none")
	if e.cfg.timeout > 0 {
		do = e.cfg.timeout
	}
	e.line("Timeout, Do and HTTPClient", do, e.source(func(c *config) any { return c.timeout }, time.Duration(0)))
	e.line("MaxBody, typed calls", fmt.Sprint(orDefault(e.cfg.maxBody, defaultMaxBody), " bytes"), e.source(func(c *config) any { return c.maxBody }, int64(0)))
	expect := "any 2xx"
	if e.cfg.expect != nil {
		expect = strings.Trim(fmt.Sprint(e.cfg.expect), "[]")
	}
	e.line("Expect", expect, e.source(func(c *config) any { return c.expect }, []int(nil)))
}

// behaviours tells of the structs, field by field.
func (e *explanation) behaviours() {
	explain(e, "Retry", func(c *config) *Retry { return c.retry }, true)
	explain(e, "Breaker", func(c *config) *Breaker {
		if c.breaker == nil {
			return nil
		}
		d := c.breaker.withDefaults(c.timeouts)
		return &d
	}, true)
	explain(e, "RateLimit", func(c *config) *RateLimit {
		if c.rateLimit == nil {
			return nil
		}
		d := c.rateLimit.withDefaults()
		return &d
	}, true)
	explain(e, "Fleet", func(c *config) *Fleet {
		if c.fleet == nil {
			return nil
		}
		d := c.fleet.withDefaults(c.name)
		return &d
	}, false)
	explain(e, "Timeouts", func(c *config) *Timeouts {
		d := c.timeouts.withDefaults()
		return &d
	}, true)
	explain(e, "Hedge", func(c *config) *Hedge { return c.hedge }, false)
	explain(e, "Bulkhead", func(c *config) *Bulkhead {
		if c.bulkhead == nil {
			return nil
		}
		d := c.bulkhead.withDefaults()
		return &d
	}, false)
	explain(e, "Idempotency", func(c *config) *Idempotency {
		if c.idempotency == nil {
			return nil
		}
		return &Idempotency{orDefault(c.idempotency.Header, idempotencyHeader), c.idempotency.methods(), c.idempotency.New}
	}, false)
	explain(e, "Logging", func(c *config) *Logging { return c.logging }, false)
}

// explain writes the fields of one behaviour, in effect where get finds it. on
// says that New turns it on by itself.
func explain[B any](e *explanation, name string, get func(*config) *B, on bool) {
	inEffect := get(e.cfg)
	if inEffect == nil {
		source := "default"
		switch {
		case on:
			source = e.source(func(c *config) any { return get(c) == nil }, false)
		case e.parent != nil && get(e.parent) != nil:
			source = "With"
		}
		e.line(name, "off", source)
		return
	}
	plain := get(e.defaults())
	fields := reflect.TypeFor[B]()
	for i := range fields.NumField() {
		if field := fields.Field(i); field.IsExported() {
			at := func(c *config) any {
				if b := get(c); b != nil {
					return settingOf(reflect.ValueOf(*b).Field(i))
				}
				return nil
			}
			e.line(name+"."+field.Name, shown(reflect.ValueOf(*inEffect).Field(i)), e.source(at, settingOf(reflect.ValueOf(*plain).Field(i))))
		}
	}
}

// defaults is every behaviour as it is when its fields are left out.
func (e *explanation) defaults() *config {
	d := &config{base: e.cfg.base, name: e.cfg.name, fleet: &Fleet{}}
	_ = d.apply(append(standard(), Hedge{}, Bulkhead{}, Idempotency{}, Logging{})) // none is faulty
	return d
}

// settingOf is a field's value, fit to be compared; of a function or a foreign
// object, whether it is there.
func settingOf(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Func, reflect.Pointer, reflect.Interface:
		return !v.IsNil()
	default:
		return v.Interface()
	}
}

// shown is a field's value as text.
func shown(v reflect.Value) string {
	switch s := settingOf(v); {
	case s == false && v.Kind() != reflect.Bool:
		return "default"
	case s == true && v.Kind() != reflect.Bool:
		return "custom"
	case v.Kind() == reflect.Slice && v.Len() == 0, v.Kind() == reflect.String && v.Len() == 0:
		return "none"
	case v.Kind() == reflect.Slice:
		return strings.Trim(fmt.Sprint(s), "[]")
	default:
		return fmt.Sprint(s)
	}
}

// additions tells of what comes on top: names only.
func (e *explanation) additions() {
	names := func(of []field) string {
		var all []string
		for _, f := range of {
			all = append(all, f.name)
		}
		return orDefault(strings.Join(all, ", "), "none")
	}
	var params []string
	for _, p := range e.cfg.query {
		params = append(params, p.name)
	}
	e.line("Header", names(e.cfg.header), e.source(func(c *config) any { return c.header }, []field(nil)))
	e.line("Query", orDefault(strings.Join(params, ", "), "none"), e.source(func(c *config) any { return c.query }, []param(nil)))
	e.count("Auth", func(c *config) int { return len(c.auths) })
	e.count("Judge", func(c *config) int { return len(c.judges) })
	e.count("ErrorDecoder", func(c *config) int { return len(c.decoders) })
	e.count("Hooks", func(c *config) int { return len(c.hooks) })
	e.count("PerCall", func(c *config) int { return len(c.perCall) })
	e.count("PerAttempt", func(c *config) int { return len(c.perAttempt) })
	transport := "http.Transport of its own"
	if e.cfg.transport != nil {
		transport = fmt.Sprintf("%T", e.cfg.transport.RoundTripper)
	}
	e.line("Transport", transport, e.source(func(c *config) any { return c.transport }, (*givenTransport)(nil)))
}

func (e *explanation) count(name string, of func(*config) int) {
	value := any("none")
	if n := of(e.cfg); n > 0 {
		value = n
	}
	e.line(name, value, e.source(func(c *config) any { return of(c) }, 0))
}
