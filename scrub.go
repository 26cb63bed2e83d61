package aplomb

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/aplomb-go/aplomb/internal/redact"
)

// secretsOf lists what the request carried that is not known to be harmless,
// to be taken out of messages that quote it.
func secretsOf(a *Attempt) []string {
	if a == nil {
		return nil
	}
	a.scrubOnce.Do(func() { a.secrets = findSecrets(a) })
	return a.secrets
}

// without takes the secrets out of a text that is redacted otherwise.
func without(text string, secrets []string) string {
	for _, s := range secrets {
		if len(s) >= 4 {
			escaped, _ := json.Marshal(s) //nolint:errchkjson // a string
			text = strings.ReplaceAll(text, s, redact.Mask)
			text = strings.ReplaceAll(text, strings.Trim(string(escaped), `"`), redact.Mask)
			text = strings.ReplaceAll(text, url.QueryEscape(s), redact.Mask)
		}
	}
	return text
}

func findSecrets(a *Attempt) []string {
	r := a.sent()
	var secrets []string
	for name, values := range r.Header {
		for _, v := range values {
			if redact.Header(name, v) == v {
				continue
			}
			secrets = append(secrets, v)
			if scheme, rest, ok := strings.Cut(v, " "); ok {
				secrets = append(secrets, rest)
				if raw, err := base64.StdEncoding.DecodeString(rest); err == nil && strings.EqualFold(scheme, "Basic") {
					user, password, _ := strings.Cut(string(raw), ":")
					secrets = append(secrets, string(raw), user, password)
					if plain, err := url.QueryUnescape(password); err == nil { // as a token endpoint has it
						secrets = append(secrets, plain)
					}
				}
			}
		}
	}
	if r.URL.User != nil {
		password, _ := r.URL.User.Password()
		secrets = append(secrets, r.URL.User.Username(), password)
	}
	given := a.Request.URL.Query()
	for name, values := range r.URL.Query() {
		if redact.SecretField(name) || !given.Has(name) { // the latter is the credential's own
			secrets = append(secrets, values...)
		}
		for _, v := range values { // as GraphQL has its variables in a GET
			if strings.HasPrefix(v, "{") {
				secrets = secretsInJSON([]byte(v), secrets)
			}
		}
	}
	if form, ok := a.Request.Body.(interface{ JSON() []byte }); ok { // a body too large to be read again, which knows its fields
		secrets = secretsInJSON(form.JSON(), secrets)
	}
	return append(secrets, bodySecrets(r)...)
}

// bodySecrets lists the values of secret-looking fields in a JSON or form body
// that can be read again: error messages of token and login endpoints quote them.
func bodySecrets(r *http.Request) []string {
	var secrets []string
	switch mediaType(r.Header.Get("Content-Type")) {
	case "application/x-www-form-urlencoded":
		form, _ := url.ParseQuery(string(bodyAgain(r)))
		for name, values := range form {
			if redact.SecretField(name) {
				secrets = append(secrets, values...)
			}
		}
	case "application/json":
		secrets = secretsInJSON(bodyAgain(r), secrets)
	}
	return secrets
}

// secretsInJSON adds those in raw, if that is JSON, to found.
func secretsInJSON(raw []byte, found []string) []string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return found
	}
	return jsonSecrets(v, false, found, 0)
}

// bodyAgain is the request's body, nil if it is large or cannot be had again.
func bodyAgain(r *http.Request) []byte {
	if r.GetBody == nil || r.ContentLength <= 0 || r.ContentLength > maxErrorBody {
		return nil
	}
	body, err := r.GetBody()
	if err != nil {
		return nil
	}
	defer func() { _ = body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(body, maxErrorBody))
	if err != nil {
		return nil
	}
	return raw
}

func jsonSecrets(v any, secret bool, found []string, depth int) []string {
	if depth > 16 {
		return found
	}
	switch v := v.(type) {
	case string:
		if secret {
			found = append(found, v)
		}
	case float64:
		if secret {
			found = append(found, jsonNumber(v))
		}
	case []any:
		for _, e := range v {
			found = jsonSecrets(e, secret, found, depth+1)
		}
	case map[string]any:
		for name, e := range v {
			found = jsonSecrets(e, secret || redact.SecretField(name), found, depth+1)
		}
	}
	return found
}
