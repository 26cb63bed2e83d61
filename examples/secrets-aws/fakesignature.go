package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// awsRefusal is an error as AWS has it: always with a type.
type awsRefusal struct {
	status        int
	kind, message string
}

func badRequest(kind, format string, args ...any) *awsRefusal {
	return &awsRefusal{http.StatusBadRequest, kind, fmt.Sprintf(format, args...)}
}

// verify computes the signature of a request without a query again, after
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
// and without a look at package signature, and refuses it as AWS does.
func (f *fakeAWS) verify(r *http.Request, body []byte) *awsRefusal {
	authorization := r.Header.Get("Authorization")
	if authorization == "" {
		return badRequest("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	parts := map[string]string{}
	algorithm, rest, _ := strings.Cut(authorization, " ")
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		parts[name] = value
	}
	id, scope, _ := strings.Cut(parts["Credential"], "/")
	names := strings.Split(parts["SignedHeaders"], ";")
	stamp := r.Header.Get("X-Amz-Date")
	signedAt, err := time.Parse("20060102T150405Z", stamp)
	switch {
	case algorithm != "AWS4-HMAC-SHA256" || scope == "" || parts["Signature"] == "" || err != nil:
		return badRequest("IncompleteSignatureException", "Authorization header requires 'Credential', 'Signature' and 'SignedHeaders' parameters, and a valid X-Amz-Date.")
	case !slices.Contains(names, "host") || !slices.Contains(names, "x-amz-date") || !slices.Contains(names, "x-amz-target"):
		return badRequest("IncompleteSignatureException", "'Host' and all 'X-Amz-' headers must be signed.")
	case id != f.accessKeyID || r.Header.Get("X-Amz-Security-Token") != f.sessionToken:
		return badRequest("UnrecognizedClientException", "The security token included in the request is invalid.")
	case scope != stamp[:8]+"/"+f.region+"/secretsmanager/aws4_request":
		return badRequest("InvalidSignatureException", "Credential should be scoped to a valid region.")
	}
	now := f.now()
	const tolerance = 15 * time.Minute
	switch {
	case now.Sub(signedAt) > tolerance:
		return badRequest("InvalidSignatureException", "Signature expired: %s is now earlier than %s (%s - 15 min.)",
			stamp, stampOf(now.Add(-tolerance)), stampOf(now))
	case signedAt.Sub(now) > tolerance:
		return badRequest("InvalidSignatureException", "Signature not yet current: %s is still later than %s (%s + 15 min.)",
			stamp, stampOf(now.Add(tolerance)), stampOf(now))
	}
	var headers strings.Builder
	for _, name := range names {
		value := strings.Join(r.Header.Values(name), ",")
		if name == "host" {
			value = r.Host
		}
		headers.WriteString(name + ":" + strings.Join(strings.Fields(value), " ") + "\n")
	}
	canonical := strings.Join([]string{r.Method, r.URL.EscapedPath(), "", headers.String(), parts["SignedHeaders"], hash(body)}, "\n")
	key := []byte("AWS4" + f.secretKey)
	for step := range strings.SplitSeq(scope, "/") {
		key = sign(key, step)
	}
	want := sign(key, algorithm+"\n"+stamp+"\n"+scope+"\n"+hash([]byte(canonical)))
	if got, err := hex.DecodeString(parts["Signature"]); err != nil || !hmac.Equal(got, want) {
		return badRequest("InvalidSignatureException", "The request signature we calculated does not match the signature you provided."+
			" Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	return nil
}

func stampOf(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func sign(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
