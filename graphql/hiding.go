package graphql

import (
	"encoding/json"
	"strings"

	"github.com/aplomb-go/aplomb/internal/redact"
)

// hiding scrubs words of what a socket has carried: all of the payload that it
// was opened with, and variables whose names smell of a secret. No HTTP request
// has these, so the root cannot know them.
func hiding(payload, variables json.RawMessage) func(string) string {
	secrets := strungs(nil, payload, true)
	secrets = strungs(secrets, variables, false)
	return func(words string) string { return redact.Text(words, 0, secrets...) }
}

func strungs(found []string, raw json.RawMessage, secret bool) []string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return found
	}
	return strung(found, v, secret)
}

// strung finds the strings in v, those behind a scheme such as Bearer as well.
func strung(found []string, v any, secret bool) []string {
	switch v := v.(type) {
	case string:
		if secret {
			found = append(found, v)
			if _, rest, ok := strings.Cut(v, " "); ok {
				found = append(found, rest)
			}
		}
	case []any:
		for _, one := range v {
			found = strung(found, one, secret)
		}
	case map[string]any:
		for name, one := range v {
			found = strung(found, one, secret || redact.SecretField(name))
		}
	}
	return found
}
