package signature

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// component is what a signature covers: a field or a derived component (RFC
// 9421, section 2), with its parameters.
type component struct {
	name   string
	params []fieldParam
}

// parseComponent reads a component as the settings have it, without the quotes
// of the wire: @query-param;name="Pet".
func parseComponent(text string) (component, error) {
	name, params, _ := strings.Cut(text, ";")
	p := &fieldParser{s: text, i: len(name)}
	list, err := p.parameters()
	if err == nil && !p.done() {
		err = p.unexpected()
	}
	if err != nil {
		return component{}, fmt.Errorf("the parameters of the component %q, %q: %w", name, params, err)
	}
	return newComponent(strings.ToLower(name), list)
}

// componentOf reads a component as Signature-Input has it.
func componentOf(it fieldItem) (component, error) {
	name, ok := it.value.(string)
	if !ok || name != strings.ToLower(name) {
		return component{}, fmt.Errorf("the component %v is not a string in lower case", it)
	}
	return newComponent(name, it.params)
}

// derived are the components that are not fields, and for which message.
var derived = map[string]struct{ request, response bool }{
	"@method":         {request: true},
	"@target-uri":     {request: true},
	"@authority":      {request: true},
	"@scheme":         {request: true},
	"@request-target": {request: true},
	"@path":           {request: true},
	"@query":          {request: true},
	"@query-param":    {request: true},
	"@status":         {response: true},
}

func newComponent(name string, params []fieldParam) (component, error) {
	c := component{name, params}
	_, isDerived := derived[name]
	if !isDerived && !isToken(name) {
		return c, fmt.Errorf("the component %q is not known", name)
	}
	for _, p := range params {
		var ok bool
		switch p.key {
		case "req":
			ok = p.value == true && name != "@status"
		case "sf", "bs":
			ok = p.value == true && !isDerived
		case "key":
			_, ok = p.value.(string)
			ok = ok && !isDerived
		case "name":
			_, ok = p.value.(string)
			ok = ok && name == "@query-param"
		}
		if !ok {
			return c, fmt.Errorf("the component %v has the parameter %q, which is not supported there", c, p.key)
		}
	}
	switch {
	case name == contentDigest && c.has("key") && !knownDigest(c.param("key")):
		return c, fmt.Errorf("the component %v proves nothing about the body: use sha-256 or sha-512", c)
	case c.has("bs") && (c.has("sf") || c.has("key")):
		return c, fmt.Errorf("the component %v has bs together with sf or key", c)
	case name == "@query-param" && !c.has("name"):
		return c, errors.New(`the component "@query-param" needs ;name="..."`)
	case (name == "signature" || name == "signature-input") && !c.has("key"):
		return c, fmt.Errorf(`the component %v needs ;key="...", the label of another signature`, c)
	}
	return c, nil
}

// String is the component's identifier, as it is signed.
func (c component) String() string { return c.item().String() }

// same is equal for components that are the same: the order of their parameters
// is kept but means nothing (RFC 9421, section 2).
func (c component) same() string {
	params := slices.Clone(c.params)
	slices.SortFunc(params, func(a, b fieldParam) int { return strings.Compare(a.key, b.key) })
	return component{c.name, params}.String()
}

func (c component) item() fieldItem { return fieldItem{c.name, c.params} }

func (c component) has(key string) bool { return c.param(key) != nil }

func (c component) param(key string) any {
	for _, p := range c.params {
		if p.key == key {
			return p.value
		}
	}
	return nil
}

// readsPath reports a component that is taken from the URL's path.
func (c component) readsPath(r *http.Request) bool {
	return c.name == "@path" || c.name == "@target-uri" || c.name == "@request-target" && r.RequestURI == ""
}

// message is what is signed: a request, or a response and the request it answers.
type message struct {
	request  *http.Request
	response *http.Response
	body     []byte // of one that was received
}

func (m message) header() http.Header {
	if m.response != nil {
		return m.response.Header
	}
	return m.request.Header
}

// value is what the component stands for in the message.
func (c component) value(m message) (string, error) {
	if c.has("req") {
		if m.response == nil || m.request == nil {
			return "", fmt.Errorf("the component %v is for the response to a request that is at hand", c)
		}
		m.response = nil
	}
	var text string
	var err error
	if kind, ok := derived[c.name]; ok {
		if kind.response != (m.response != nil) {
			return "", fmt.Errorf("the component %v is not one of this message", c)
		}
		text, err = c.derive(m)
	} else {
		text, err = c.field(m)
	}
	for i := range len(text) {
		if b := text[i]; err == nil && (b < ' ' && b != '\t' || b > '~') {
			err = fmt.Errorf("the component %v has a byte that is not visible ASCII: a field can be signed with ;bs", c)
		}
	}
	return text, err
}

func (c component) derive(m message) (string, error) {
	if m.response != nil {
		return strconv.Itoa(m.response.StatusCode), nil
	}
	r := m.request
	switch c.name {
	case "@method":
		return methodOf(r), nil
	case "@target-uri":
		return schemeOf(r) + "://" + authorityOf(r) + targetOf(r), nil
	case "@authority":
		return authorityOf(r), nil
	case "@scheme":
		return schemeOf(r), nil
	case "@request-target":
		if r.RequestURI != "" { // as a server got it
			return r.RequestURI, nil
		}
		return targetOf(r), nil
	case "@path":
		return pathOf(r), nil
	case "@query":
		return "?" + r.URL.RawQuery, nil
	}
	return c.queryParam(r)
}

// queryParam is the parameter's value, escaped anew (RFC 9421, section 2.2.8).
func (c component) queryParam(r *http.Request) (string, error) {
	var found []string
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return "", errors.New("the query is not well escaped")
		}
		if formEscape(name) != c.param("name") || pair == "" {
			continue
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return "", errors.New("the query is not well escaped")
		}
		found = append(found, formEscape(value))
	}
	if len(found) != 1 {
		return "", fmt.Errorf("the component %v is there %d times, not once", c, len(found))
	}
	return found[0], nil
}

// formEscape escapes as forms do, but a space as %20.
func formEscape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; isAlnum(c) || strings.IndexByte("*-._", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// field is a header's value (RFC 9421, section 2.1).
func (c component) field(m message) (string, error) {
	values := implied(m, c.name)
	if len(values) == 0 {
		values = slices.Clone(m.header().Values(c.name))
	}
	if len(values) == 0 {
		return "", fmt.Errorf("the component %v is not in the message", c)
	}
	for i, v := range values {
		if values[i] = strings.Trim(v, " \t"); c.has("bs") {
			values[i] = ":" + base64.StdEncoding.EncodeToString([]byte(values[i])) + ":"
		}
	}
	text := strings.Join(values, ", ")
	switch {
	case (c.has("key") || c.has("sf")) && len(text) > maxHeader:
		return "", fmt.Errorf("the component %v is longer than %d bytes", c, maxHeader)
	case c.has("key"):
		return c.member(text)
	case c.has("sf"):
		return c.structured(text)
	}
	return text, nil
}

// implied are the headers that net/http keeps elsewhere, and sends from there.
func implied(m message, name string) []string {
	switch {
	case m.response != nil:
		if name == "content-length" && m.response.ContentLength >= 0 {
			return []string{strconv.FormatInt(m.response.ContentLength, 10)}
		}
	case name == "host":
		return []string{hostOf(m.request)}
	case name == "content-length" && m.request.ContentLength > 0:
		return []string{strconv.FormatInt(m.request.ContentLength, 10)}
	}
	return nil
}

// member is one of a dictionary's.
func (c component) member(text string) (string, error) {
	dict, err := parseFieldDictionary(text)
	if err != nil {
		return "", fmt.Errorf("the component %v is not of a dictionary: %w", c, err)
	}
	for _, m := range dict {
		if m.key == c.param("key") {
			return m.fieldItem.String(), nil
		}
	}
	return "", fmt.Errorf("the component %v is not in the message", c)
}

// structured writes a field in its one strict form. Which kind it is its name
// does not tell: an item is a list of one, and what can be read as a list and as
// a dictionary is written alike.
func (c component) structured(text string) (string, error) {
	if list, err := parseFieldList(text); err == nil {
		return writeList(list), nil
	}
	dict, err := parseFieldDictionary(text)
	if err != nil {
		return "", fmt.Errorf("the component %v is not a structured field: %w", c, err)
	}
	return writeList(dict), nil
}

// uniqueComponents reads a list of settings or of Signature-Input and refuses one
// that is there twice.
func uniqueComponents[T any](list []T, parse func(T) (component, error)) ([]component, error) {
	if len(list) > maxComponents {
		return nil, fmt.Errorf("there are more than %d components", maxComponents)
	}
	var out []component
	seen := map[string]bool{}
	for _, one := range list {
		c, err := parse(one)
		if err != nil {
			return nil, err
		}
		if seen[c.same()] {
			return nil, fmt.Errorf("the component %v is there twice", c)
		}
		seen[c.same()] = true
		out = append(out, c)
	}
	return out, nil
}

// maxComponents bounds what one signature may have us read.
const maxComponents = 128

// signatureBase is the text that is signed (RFC 9421, section 2.5).
func signatureBase(m message, covered []component, params []fieldParam) ([]byte, fieldItem, error) {
	input := fieldItem{value: []fieldItem{}, params: params}
	items := make([]fieldItem, len(covered))
	var b strings.Builder
	for i, c := range covered {
		value, err := c.value(m)
		if err != nil {
			return nil, input, err
		}
		items[i] = c.item()
		b.WriteString(c.String() + ": " + value + "\n")
	}
	input.value = items
	b.WriteString(`"@signature-params": ` + input.String())
	return []byte(b.String()), input, nil
}
