package oauth

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/aplomb-go/aplomb"
)

// grant is what the token endpoint granted, as it is saved.
type grant struct {
	Access  string    `json:"access_token,omitempty"`
	Type    string    `json:"token_type,omitempty"`
	Expiry  time.Time `json:"expiry,omitzero"`
	Refresh string    `json:"refresh_token,omitempty"`
	// Ended is why the refresh token is of no more use.
	Ended string `json:"ended,omitempty"`
}

func (g grant) token() aplomb.Token {
	kind := g.Type
	if kind == "N_A" { // RFC 8693, section 2.2.1: what was issued is no access token
		kind = ""
	}
	return aplomb.Token{Value: aplomb.NewSecret(g.Access), Type: kind, Expiry: g.Expiry}
}

// decode reads what encode wrote; nothing saved is a grant of nothing.
func decode(saved []byte) (grant, error) {
	var g grant
	if len(saved) == 0 {
		return g, nil
	}
	if err := json.Unmarshal(saved, &g); err != nil {
		return g, errors.New("oauth: what the TokenStore holds is no login: it was written by something else, or cut short")
	}
	return g, nil
}

func (g grant) encode() ([]byte, error) { return json.Marshal(g) } //nolint:gosec // to save it is the purpose
