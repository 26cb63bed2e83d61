package aplomb_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// panics are the ways in which a Secret may come into a panic.
func panics(s aplomb.Secret) map[string]any {
	return map[string]any{"itself": s, "a pointer": &s, "a struct": struct{ Key aplomb.Secret }{s}, "an error": fmt.Errorf("with %v", s), "a token": aplomb.Token{Value: s}}
}

// TestSecretInAPanic ends a process of its own by each of them.
func TestSecretInAPanic(t *testing.T) {
	const planted = "pl4nted-in-a-panic"
	if way := os.Getenv("APLOMB_TEST_PANIC"); way != "" {
		panic(panics(aplomb.NewSecret(planted))[way])
	}
	t.Parallel()
	for way := range panics(aplomb.NewSecret("x")) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSecretInAPanic$")
		cmd.Env = append(os.Environ(), "APLOMB_TEST_PANIC="+way)
		out, err := cmd.CombinedOutput()
		assert.True(t, err != nil && strings.Contains(string(out), "panic: "), way, string(out))
		assert.NotContains(t, string(out), planted, way)
	}
}

// A Secret in whatever holds it, in whatever writes it.
func TestSecretPrintsNothing(t *testing.T) {
	t.Parallel()
	s := aplomb.NewSecret("pl4nted")
	type config struct {
		Key    aplomb.Secret
		Keys   []aplomb.Secret
		ByName map[string]aplomb.Secret
		At     *aplomb.Secret
		hidden aplomb.Secret
	}
	for _, v := range []any{s, &s, []any{s}, config{s, []aplomb.Secret{s}, map[string]aplomb.Secret{"k": s}, &s, s}, errors.Join(fmt.Errorf("%w: %v", os.ErrInvalid, s))} {
		var out strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
			fmt.Fprintf(&out, verb, v)
		}
		raw, err := json.Marshal(v)
		assert.NoError(t, err)
		out.Write(raw)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		assert.NotContains(t, out.String(), "pl4nted")
		assert.NotContains(t, out.String(), "706c346e746564") // in hex
		assert.Contains(t, out.String(), "[redacted]")
	}
}
