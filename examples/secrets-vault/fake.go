package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

// fakeVault answers as a Vault server does, as far as vault.go can tell: it lends
// tokens to those who log in, has a KV engine, version 2, at secret/ and a
// consul engine at consul/, refuses what is not allowed in Vault's own words, and
// can be sealed. What is under secret/private is for no token. It takes no
// writes over HTTP: put is for that.
type fakeVault struct {
	roleID, secretID string        // of AppRole
	role, account    string        // of Kubernetes
	tokenLife        time.Duration // 0: tokens without an end
	leaseLife        time.Duration // of consul/creds

	mu       sync.Mutex
	sealed   bool
	versions map[string][]map[string]any // by path, nil for one that was deleted
	tokens   map[string]time.Time        // when they end
	requests int
	logins   int
	reads    int // of KV
	leases   int
	seen     []http.Header
}

func newFakeVault() *fakeVault {
	return &fakeVault{
		roleID: "shop-role", secretID: "shop-secret-id", role: "shop", account: "shop-service-account",
		tokenLife: time.Hour, leaseLife: 10 * time.Minute,
		versions: map[string][]map[string]any{}, tokens: map[string]time.Time{},
	}
}

// put writes the next version of a secret; nil deletes the latest, as
// DELETE /v1/secret/data/... does.
func (v *fakeVault) put(path string, data map[string]any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if data == nil {
		v.versions[path][len(v.versions[path])-1] = nil
		return
	}
	v.versions[path] = append(v.versions[path], data)
}

func (v *fakeVault) seal(sealed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sealed = sealed
}

// revoke ends all tokens.
func (v *fakeVault) revoke() {
	v.mu.Lock()
	defer v.mu.Unlock()
	clear(v.tokens)
}

// effects counts log-ins, reads of KV secrets and leases.
func (v *fakeVault) effects() [3]int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return [3]int{v.logins, v.reads, v.leases}
}

func (v *fakeVault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.requests++
	v.seen = append(v.seen, r.Header.Clone())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	switch {
	case v.sealed:
		refuse(w, http.StatusServiceUnavailable, "Vault is sealed")
	case path == "auth/approle/login" || path == "auth/kubernetes/login":
		v.login(w, r)
	case !v.known(r.Header.Get("X-Vault-Token")):
		refuse(w, http.StatusForbidden, "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n")
	case strings.HasPrefix(path, "secret/data/private"):
		refuse(w, http.StatusForbidden, "1 error occurred:\n\t* permission denied\n\n")
	case strings.HasPrefix(path, "secret/data/"):
		v.read(w, strings.TrimPrefix(path, "secret/data/"))
	case strings.HasPrefix(path, "consul/creds/"):
		v.leases++
		v.answer(w, map[string]any{
			"lease_id": fmt.Sprintf("%s/%d", path, v.leases), "renewable": true, "lease_duration": int(v.leaseLife.Seconds()),
			"data": map[string]any{"token": fmt.Sprintf("consul-token-%d", v.leases), "local": false},
		})
	default:
		refuse(w, http.StatusNotFound, fmt.Sprintf("no handler for route %q. route entry not found.", path))
	}
}

// login has Vault's answers to both methods, the wrong ones too.
func (v *fakeVault) login(w http.ResponseWriter, r *http.Request) {
	var given struct {
		RoleID   string `json:"role_id"`
		SecretID string `json:"secret_id"`
		Role     string `json:"role"`
		JWT      string `json:"jwt"`
	}
	kubernetes := strings.Contains(r.URL.Path, "kubernetes")
	switch err := json.NewDecoder(r.Body).Decode(&given); {
	case r.Method != http.MethodPost && r.Method != http.MethodPut:
		refuse(w, http.StatusMethodNotAllowed, "1 error occurred:\n\t* unsupported operation\n\n")
		return
	case err != nil:
		refuse(w, http.StatusBadRequest, "failed to parse JSON input")
		return
	case kubernetes && given.Role != v.role:
		refuse(w, http.StatusBadRequest, fmt.Sprintf("invalid role name %q", given.Role))
		return
	case kubernetes && given.JWT != v.account:
		refuse(w, http.StatusForbidden, "permission denied")
		return
	case !kubernetes && (given.RoleID != v.roleID || given.SecretID != v.secretID):
		refuse(w, http.StatusBadRequest, "invalid role or secret ID")
		return
	}
	v.logins++
	token := fmt.Sprintf("hvs.fake-%d", v.logins)
	v.tokens[token] = time.Now().Add(v.tokenLife)
	v.answer(w, map[string]any{"auth": map[string]any{
		"client_token": token, "accessor": fmt.Sprintf("accessor-%d", v.logins), "policies": []string{"default", "shop"},
		"token_type": "service", "lease_duration": int(v.tokenLife.Seconds()), "renewable": v.tokenLife > 0,
	}})
}

// known reports a token that was lent and has not ended.
func (v *fakeVault) known(token string) bool {
	end, ok := v.tokens[token]
	return ok && (v.tokenLife == 0 || time.Now().Before(end))
}

// read answers for the latest version.
func (v *fakeVault) read(w http.ResponseWriter, path string) {
	v.reads++
	versions := v.versions[path]
	if len(versions) == 0 {
		refuse(w, http.StatusNotFound)
		return
	}
	about := map[string]any{
		"created_time": "2026-01-05T09:00:00.000000Z", "custom_metadata": nil,
		"deletion_time": "", "destroyed": false, "version": len(versions),
	}
	data := versions[len(versions)-1]
	if data == nil { // 404, but with what is known of it
		about["deletion_time"] = "2026-01-06T09:00:00.000000Z"
		w.WriteHeader(http.StatusNotFound)
	}
	v.answer(w, map[string]any{"data": map[string]any{"data": data, "metadata": about}})
}

// answer writes what all of Vault's answers have, and more.
func (v *fakeVault) answer(w http.ResponseWriter, more map[string]any) {
	all := map[string]any{
		"request_id": fmt.Sprintf("00000000-0000-4000-8000-%012d", v.requests),
		"lease_id":   "", "renewable": false, "lease_duration": 0,
		"data": nil, "wrap_info": nil, "warnings": nil, "auth": nil,
	}
	maps.Copy(all, more)
	_ = json.NewEncoder(w).Encode(all) //nolint:errchkjson // what is in there can be encoded
}

func refuse(w http.ResponseWriter, status int, reasons ...string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string][]string{"errors": append([]string{}, reasons...)}) //nolint:errchkjson // the same
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
