package aplomb_test

import (
	"context"
	"fmt"
	"go/format"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// readme returns the parts of README.md that begin and end with the marks.
func readme(t *testing.T, begin, end string) string {
	t.Helper()
	raw, err := os.ReadFile("README.md")
	assert.NoError(t, err)
	_, after, found := strings.Cut(string(raw), begin)
	assert.True(t, found, begin)
	part, _, found := strings.Cut(after, end)
	assert.True(t, found, end)
	return part
}

// The README's program compiles as it stands there.
func TestReadmeProgramCompiles(t *testing.T) {
	t.Parallel()
	program := readme(t, "```go\n", "```")
	formatted, err := format.Source([]byte(program))
	assert.NoError(t, err)
	assert.Equal(t, string(formatted), program)
	file := filepath.Join(t.TempDir(), "main.go")
	assert.NoError(t, os.WriteFile(file, []byte(program), 0o600))
	out, err := exec.Command("go", "vet", file).CombinedOutput()
	assert.NoError(t, err, string(out))
}

// Its output is what the same statements print here.
func TestReadmeOutput(t *testing.T) {
	bubble(t, func(t *testing.T) {
		notFound := page(404, "application/json", `{"error":{"code":"no_such_order","message":"No such order: o_9"}}`, "Request-Id", "req_4")
		h := script(status(503), status(503), body(order{ID: "o_1", Amount: 2500}), notFound,
			body(`[{"id":"o_1"}]`, "Link", `</v1/orders?page=2>; rel="next"`), body(`[{"id":"o_2"}]`))
		n := aplombtest.NewNetwork(t)
		n.Serve("https://api.acme.example", http.HandlerFunc(h.ServeHTTP))
		c := newClientAt(t, "https://api.acme.example", aplomb.Transport(n.Transport()), aplomb.Bearer(aplomb.Static("token")))
		ctx := context.Background()
		var out strings.Builder
		o, err := aplomb.Get[order](ctx, c, "/v1/orders/{id}", aplomb.Path("id", "o_1"))
		_, _ = fmt.Fprintln(&out, o, err)
		_, err = aplomb.Get[order](ctx, c, "/v1/orders/{id}", aplomb.Path("id", "o_9"))
		_, _ = fmt.Fprintln(&out, err)
		for o, err := range aplomb.Items[order](ctx, c, "/v1/orders", aplomb.ByLink{}) {
			assert.NoError(t, err)
			_, _ = fmt.Fprintln(&out, o.ID)
		}
		printed := readme(t, "two pages:\n\n", "\n`aplomb.New(url)`")
		assert.Equal(t, strings.ReplaceAll(printed, "    ", ""), out.String())
	})
}
