package oauth_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/oauth"
)

// answers is a client of a server that answers text.
func answers(tb testing.TB, text string) *oauth.Client {
	tb.Helper()
	c, err := oauth.New(oauth.Config{ClientID: "web", TokenURL: tokenURL, Transport: aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
			Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)),
		}, nil
	})})
	assert.NoError(tb, err)
	return c
}

// A token lives as long as the server says, in whatever way; where that cannot
// be read, until it is refused.
func TestExpiresIn(t *testing.T) {
	t.Parallel()
	const longest = (1<<31 - 1) * time.Second
	for expires, want := range map[string]time.Duration{
		`3600`: time.Hour, `3600.0`: time.Hour, `"3600"`: time.Hour, `"3600.5"`: time.Hour + time.Second, `3.6e3`: time.Hour, `0.5`: time.Second,
		`-1`: -time.Second, `1e300`: longest, `9223372036854775807`: longest, `99999999999999999999999999`: longest, `-9223372036854775808`: -longest,
		`1e999`: longest, `null`: 0, `"soon"`: 0, `"NaN"`: 0, `""`: 0, `[]`: 0, `true`: 0, `{"in":1}`: 0,
	} {
		bubble(t, expires, func(t *testing.T) {
			got, err := answers(t, `{"access_token":"a1","token_type":"bearer","expires_in":`+expires+`}`).ClientCredentials().Fetch(t.Context(), aplomb.Token{})
			assert.NoError(t, err)
			equal(t, got.Value.Reveal(), "a1")
			left := time.Duration(0)
			if !got.Expiry.IsZero() {
				left = time.Until(got.Expiry)
			}
			equal(t, left, want)
		})
	}
}

// The next refresh token is kept, whatever stands beside it.
func TestExpiresInLosesNoLogin(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		store := &memory{saved: []byte(`{"refresh_token":"refresh-0"}`)}
		tokens, err := answers(t, `{"access_token":"a1","refresh_token":"refresh-1","expires_in":3600.0}`).Session(store)
		equal(t, token(t, tokens, err), "a1")
		assert.Contains(t, string(store.saved), "refresh-1")
	})
}

// An answer that breaks off is a failure, and so is one without end.
func TestAnswerThatCannotBeRead(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		c, err := oauth.New(oauth.Config{ClientID: "web", TokenURL: tokenURL, Transport: aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			body := io.MultiReader(strings.NewReader(`{"access_token":"a1","expires_in":1.0}`), failing{})
			return &http.Response{StatusCode: 200, Header: http.Header{}, Request: r, Body: io.NopCloser(body), ContentLength: -1}, nil
		})})
		assert.NoError(t, err)
		assert.Contains(t, token(t, c.ClientCredentials(), nil), "oauth2: cannot fetch")
		assert.Contains(t, token(t, answers(t, `{"expires_in":1.0,"x":"`+strings.Repeat("x", 2<<20)).ClientCredentials(), nil), "cannot parse json")
	})
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("cut off") }

// Whatever JSON a lifetime is, the token beside it is got.
func FuzzExpiresIn(f *testing.F) {
	for _, seed := range []string{`3600`, `3600.0`, `"3600"`, `-0`, `1e999`, `"0x1p-2"`, `"NaN"`, `"Inf"`, `null`, `[[]]`, ` 1 `} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, expires string) {
		if !json.Valid([]byte(expires)) {
			t.Skip()
		}
		got, err := answers(t, `{"access_token":"a1","expires_in":`+expires+`}`).ClientCredentials().Fetch(t.Context(), aplomb.Token{})
		assert.NoError(t, err)
		equal(t, got.Value.Reveal(), "a1")
	})
}
