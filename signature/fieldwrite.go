package signature

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// String serialises an item or inner list (RFC 9651, sections 4.1.1.1 and 4.1.3).
func (it fieldItem) String() string {
	list, ok := it.value.([]fieldItem)
	if !ok {
		return writeBare(it.value) + writeParams(it.params)
	}
	texts := make([]string, len(list))
	for i, one := range list {
		texts[i] = one.String()
	}
	return "(" + strings.Join(texts, " ") + ")" + writeParams(it.params)
}

// String serialises a dictionary's member.
func (m fieldMember) String() string {
	if m.value == true {
		return m.key + writeParams(m.params)
	}
	return m.key + "=" + m.fieldItem.String()
}

// writeList joins the members of a list or dictionary.
func writeList[T fmt.Stringer](list []T) string {
	texts := make([]string, len(list))
	for i, one := range list {
		texts[i] = one.String()
	}
	return strings.Join(texts, ", ")
}

func writeParams(params []fieldParam) string {
	var b strings.Builder
	for _, p := range params {
		b.WriteString(";" + p.key)
		if p.value != true {
			b.WriteString("=" + writeBare(p.value))
		}
	}
	return b.String()
}

var quoting = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func writeBare(value any) string {
	switch v := value.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case decimal:
		return v.String()
	case string:
		return `"` + quoting.Replace(v) + `"`
	case token:
		return string(v)
	case []byte:
		return ":" + base64.StdEncoding.EncodeToString(v) + ":"
	case bool:
		if v {
			return "?1"
		}
		return "?0"
	case date:
		return "@" + strconv.FormatInt(int64(v), 10)
	case display:
		return v.String()
	}
	return "" // there are no others
}

// String writes one to three digits after the point.
func (d decimal) String() string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	fraction := strings.TrimRight(fmt.Sprintf("%03d", d%1000), "0")
	return fmt.Sprintf("%s%d.%s", sign, d/1000, max(fraction, "0"))
}

// String escapes what is not printable ASCII.
func (s display) String() string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '%' || c == '"' {
			fmt.Fprintf(&b, "%%%02x", c)
		} else {
			b.WriteByte(c)
		}
	}
	return `%"` + b.String() + `"`
}
