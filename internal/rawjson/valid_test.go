package rawjson

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb/internal/assert"
)

// documents are JSON, and what is nearly that.
var documents = []string{
	``, ` `, `null`, `true`, `false`, `tru`, `nul`, `truee`, `0`, `-0`, `-`, `01`, `1.`, `1.5`, `.5`, `1e`, `1e+`, `1E-2`, `1e5.`, `+1`, `--1`,
	`"a"`, `"a`, `"\n"`, `"\x"`, `"\u12aF"`, `"\u12a"`, `"\u12ag"`, `"\`, `"\"`, "\"\x1f\"", "\"\x7f\xff\"", `""`, `"" ""`,
	`{}`, `{ }`, `{"a":1}`, `{"a":1,}`, `{"a" : 1 , "b":[ ] }`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a":1 "b":2}`, `{"a":1`, `{`, `}`, `{"a":1}}`, `{,}`, `{"a":1,,"b":2}`,
	`[]`, `[ ]`, `[1]`, `[1,]`, `[,1]`, `[1 2]`, `[1,2`, `[`, `]`, `[[[]]]`, `[[]`, "\t[\r\n1 ,2]\n", "[1]\v", "\xef\xbb\xbf[]", `[{"a":[{"b":null}]}]`,
	strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001),
	strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000), strings.Repeat(`{"a":`, 10_001) + "1" + strings.Repeat("}", 10_001),
}

func TestValid(t *testing.T) {
	t.Parallel()
	for _, d := range documents {
		assert.Equal(t, Valid([]byte(d)), json.Valid([]byte(d)), d[:min(len(d), 40)])
	}
}

// FuzzValid: encoding/json says the same.
func FuzzValid(f *testing.F) {
	for _, d := range documents {
		f.Add([]byte(d))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		assert.Equal(t, Valid(data), json.Valid(data), string(data))
	})
}
