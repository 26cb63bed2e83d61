package aplomb_test

import (
	"context"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// curlOf is the command of one call.
func curlOf(t *testing.T, method, path string, opts ...aplomb.CallOption) (line string) {
	t.Helper()
	srv := aplombtest.NewServer(t, ok)
	c := newClient(t, srv, aplomb.Bearer(aplomb.Static("pl4nt-secret-token")), aplomb.Hooks{
		AttemptStart: func(_ context.Context, e aplomb.AttemptEvent) { assert.Equal(t, e.Curl(), "") },
		AttemptDone:  func(_ context.Context, e aplomb.AttemptEvent) { line = e.Curl() },
	})
	_, err := aplomb.Call[struct{}](t.Context(), c, method, path, opts...)
	assert.NoError(t, err)
	return line
}

func TestCurl(t *testing.T) {
	bubble(t, func(t *testing.T) {
		assert.Equal(t, curlOf(t, http.MethodGet, "/v1/orders/{id}", aplomb.Path("id", "it's")),
			`curl 'http://api.test/v1/orders/it%27s' -H 'Accept: application/json' -H 'Authorization: '"$APLOMB_AUTHORIZATION"`)
		assert.Equal(t, curlOf(t, http.MethodPost, "/v1/orders", aplomb.JSON(1), aplomb.Query("api_key", "pl4nt-key-in-query"), aplomb.Query("limit", "1"), aplomb.Header("X-Note", "a'b $HOME")),
			`curl -X 'POST' 'http://api.test/v1/orders?api_key='"$APLOMB_API_KEY"'&limit=1' -H 'Accept: application/json' -H 'Authorization: '"$APLOMB_AUTHORIZATION"`+
				` -H 'Content-Type: application/json' -H 'X-Note: '"$APLOMB_X_NOTE" --data-binary @body`)
	})
}

// TestCurlSendsTheSame: what curl would read otherwise than it was meant.
func TestCurlSendsTheSame(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const rest = ` -H 'Accept: application/json' -H 'Authorization: '"$APLOMB_AUTHORIZATION"`
		assert.Equal(t, curlOf(t, http.MethodHead, "/v1/orders"), `curl --head 'http://api.test/v1/orders'`+rest)
		assert.Equal(t, curlOf(t, http.MethodGet, "/v1/orders", aplomb.JSON(1)),
			`curl -X 'GET' 'http://api.test/v1/orders'`+rest+` -H 'Content-Type: application/json' --data-binary @body`)
		assert.Equal(t, curlOf(t, http.MethodGet, "/v1/orders", aplomb.Query("page[size]", "3")), `curl --globoff 'http://api.test/v1/orders?page[size]=3'`+rest)
	})
}

// TestCurlIsOneCommand: whatever is in it, a shell finds the words that were meant.
func TestCurlIsOneCommand(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh")
	}
	bubble(t, func(t *testing.T) {
		for _, nasty := range []string{"'; echo pwned; '", "$(echo pwned)", "`echo pwned`", "a\\'b", "'&'", "''"} {
			line := curlOf(t, http.MethodGet, "/", aplomb.Query("q", nasty), aplomb.Query("'; echo pwned #", "1"), aplomb.Header("Accept", nasty))
			out, err := exec.Command(sh, "-c", "curl() { printf '%s\\n' $#; }; "+line).Output()
			assert.NoError(t, err)
			assert.Equal(t, strings.TrimSpace(string(out)), "5", line)
		}
	})
}
