package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// fakeAWS answers GetSecretValue as AWS Secrets Manager does: it verifies the
// signature and its time, knows secrets by their stages, and refuses in AWS's own
// words. What is named private/... is for nobody.
type fakeAWS struct {
	region, accessKeyID, secretKey string
	sessionToken                   string        // "" for credentials without an end
	skew                           time.Duration // how far its clock is ahead

	mu      sync.Mutex
	secrets map[string][]any // versions by name: a string, or []byte
	deleted map[string]bool
	asked   map[string]int // answers given, by stage
	seen    int            // requests
}

func newFakeAWS() *fakeAWS {
	return &fakeAWS{
		region: "eu-central-1", accessKeyID: "FAKEACCESSKEYID", secretKey: "fake-secret-access-key",
		secrets: map[string][]any{}, deleted: map[string]bool{}, asked: map[string]int{},
	}
}

func (f *fakeAWS) now() time.Time { return time.Now().Add(f.skew) }

// rotate makes value the AWSCURRENT of a secret, and what was that AWSPREVIOUS.
func (f *fakeAWS) rotate(name string, value any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.secrets[name] = append(f.secrets[name], value)
}

// answers counts what was handed out: AWSCURRENT and AWSPREVIOUS.
func (f *fakeAWS) answers() [2]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return [2]int{f.asked["AWSCURRENT"], f.asked["AWSPREVIOUS"]}
}

func (f *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := w.Header()
	h.Set("Date", f.now().UTC().Format(http.TimeFormat))
	h.Set("Content-Type", "application/x-amz-json-1.1")
	f.seen++
	h.Set("X-Amzn-Requestid", fmt.Sprintf("00000000-0000-4000-8000-%012d", f.seen))
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	answer, refusal := f.getSecretValue(r, body)
	if refusal != nil {
		refuse(w, refusal)
		return
	}
	_ = json.NewEncoder(w).Encode(answer) //nolint:errchkjson // what is in there can be encoded
}

func (f *fakeAWS) getSecretValue(r *http.Request, body []byte) (map[string]any, *awsRefusal) {
	if refusal := f.verify(r, body); refusal != nil {
		return nil, refusal
	}
	var in struct{ SecretId, VersionStage string } //nolint:revive,staticcheck // AWS's spelling
	switch {
	case r.Method != http.MethodPost || r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue":
		return nil, badRequest("UnknownOperationException", "")
	case r.Header.Get("Content-Type") != "application/x-amz-json-1.1" || json.Unmarshal(body, &in) != nil:
		return nil, badRequest("SerializationException", "")
	case strings.HasPrefix(in.SecretId, "private/"):
		return nil, badRequest("AccessDeniedException", "User: arn:aws:iam::123456789012:user/shop is not authorized to perform: secretsmanager:GetSecretValue on resource: %s", in.SecretId)
	case f.deleted[in.SecretId]:
		return nil, badRequest("InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion.")
	case f.secrets[in.SecretId] == nil:
		return nil, badRequest("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
	}
	age := slices.Index([]string{"AWSCURRENT", "AWSPREVIOUS"}, in.VersionStage)
	version := len(f.secrets[in.SecretId]) - 1 - age
	if age < 0 || version < 0 {
		return nil, badRequest("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: %s", in.VersionStage)
	}
	f.asked[in.VersionStage]++
	answer := map[string]any{
		"ARN":  "arn:aws:secretsmanager:" + f.region + ":123456789012:secret:" + in.SecretId + "-AbCdEf",
		"Name": in.SecretId, "VersionId": fmt.Sprintf("00000000-0000-4000-9000-%012d", version),
		"VersionStages": []string{in.VersionStage}, "CreatedDate": 1767603600.123,
	}
	switch value := f.secrets[in.SecretId][version].(type) {
	case string:
		answer["SecretString"] = value
	default:
		answer["SecretBinary"] = value
	}
	return answer, nil
}

func refuse(w http.ResponseWriter, e *awsRefusal) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(e.status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": e.kind, "Message": e.message}) //nolint:errchkjson // the same
}

// fakeAPI is an API that knows one key at a time.
type fakeAPI struct {
	mu     sync.Mutex
	key    string
	served int
}

// know has the API accept this key, and no other.
func (a *fakeAPI) know(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.key = key
}

func (a *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if r.Header.Get("X-Api-Key") != a.key {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"error":{"code":"unknown_key","message":"this key is not known"}}`))
		return
	}
	a.served++
	_, _ = w.Write([]byte(`{"id":"o-7"}`))
}
