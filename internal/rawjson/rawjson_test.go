package rawjson_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/internal/rawjson"
)

func TestMembers(t *testing.T) {
	t.Parallel()
	const object = ` { "a" : 1 , "b":"x,}\"y" ,"c":{"d":[1,{"e":"]"}]}, "\u0064\"" : [ ] ,"e":null,"f":-1.5e3, "":true }`
	var got []string
	for name, value := range rawjson.Members([]byte(object)) {
		got = append(got, string(name)+"="+string(value))
	}
	assert.Equal(t, got, []string{`a=1`, `b="x,}\"y"`, `c={"d":[1,{"e":"]"}]}`, `d"=[ ]`, `e=null`, `f=-1.5e3`, `=true`})
	for range rawjson.Members([]byte(object)) {
		break // a caller may leave
	}
	for _, other := range []string{"", "[1]", `"{"`, "null", "{}", " { } "} {
		for name := range rawjson.Members([]byte(other)) {
			t.Errorf("%q has a member %q", other, name)
		}
	}
}

func TestElements(t *testing.T) {
	t.Parallel()
	var got []string
	for value := range rawjson.Elements([]byte(" [ 1 , [2,3], {\"a\":[]},\"]\" ,null]\n")) {
		got = append(got, string(value))
	}
	assert.Equal(t, got, []string{"1", "[2,3]", `{"a":[]}`, `"]"`, "null"})
	for range rawjson.Elements([]byte("[1,2]")) {
		break
	}
	for _, other := range []string{"", "{}", `"["`, "[]", "[ ]"} {
		for value := range rawjson.Elements([]byte(other)) {
			t.Errorf("%q has an element %q", other, value)
		}
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{`"plain"`: "plain", `""`: "", `"a\n\"b\" \u00e9"`: "a\n\"b\" é", "\"\xff\"": "\ufffd", `"é"`: "é"} {
		got, ok := rawjson.String([]byte(raw))
		assert.True(t, ok, raw)
		assert.Equal(t, got, want)
	}
	for _, raw := range []string{"", `"`, "1", "null", "{}", `"a`} {
		_, ok := rawjson.String([]byte(raw))
		assert.True(t, !ok, raw)
	}
}

// FuzzParts: what encoding/json takes apart is taken apart alike; what it
// refuses does no harm.
func FuzzParts(f *testing.F) {
	for _, seed := range []string{`{"a":1,"b":[1,"]",{}],"\u0061":{"x":"\\"}}`, `[1,[2],{"a":"]"},"\""]`, `{`, `["`, `{"a"`, `{"a":`, `[1 2`, "{\"\xff\":1}", `[,]`, `{"a":1,}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		members, elements := map[string]json.RawMessage{}, []json.RawMessage{}
		for name, value := range rawjson.Members(data) {
			members[string(name)] = value
		}
		for value := range rawjson.Elements(data) {
			elements = append(elements, value)
		}
		rawjson.String(data)
		if !json.Valid(data) {
			return
		}
		var wantMembers map[string]json.RawMessage
		if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) && json.Unmarshal(data, &wantMembers) == nil && !reflect.DeepEqual(members, wantMembers) {
			t.Errorf("%q: members %q, want %q", data, members, wantMembers)
		}
		wantElements := []json.RawMessage{}
		if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) && json.Unmarshal(data, &wantElements) == nil && !reflect.DeepEqual(elements, wantElements) {
			t.Errorf("%q: elements %q, want %q", data, elements, wantElements)
		}
		var wantText string
		if bytes.HasPrefix(data, []byte(`"`)) && bytes.HasSuffix(data, []byte(`"`)) && json.Unmarshal(data, &wantText) == nil {
			if text, ok := rawjson.String(data); !ok || text != wantText {
				t.Errorf("%q: text %q, %v, want %q", data, text, ok, wantText)
			}
		}
	})
}
