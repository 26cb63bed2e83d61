package aplomb

import (
	"context"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aplomb-go/aplomb/internal/redact"
)

// Secret is a value that no formatting verb, encoder or logger prints: %v, %#v,
// JSON, text and slog all give "[redacted]". [Secret.Reveal] gives the value.
type Secret struct {
	// A function, because fmt calls no methods on unexported fields: inside a
	// struct of the caller's it would print a string as it is.
	reveal func() string
}

// NewSecret wraps value.
func NewSecret(value string) Secret { return Secret{func() string { return value }} }

// Reveal returns the value itself, "" for the zero Secret.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// String returns "[redacted]".
func (s Secret) String() string { return redact.Mask }

// GoString returns "[redacted]".
func (s Secret) GoString() string { return redact.Mask }

// Format writes "[redacted]" for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redact.Mask) }

// MarshalJSON returns "[redacted]" as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(redact.Mask) }

// MarshalText returns "[redacted]".
func (s Secret) MarshalText() ([]byte, error) { return []byte(redact.Mask), nil }

// LogValue returns "[redacted]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(redact.Mask) }

var (
	_ encoding.TextMarshaler = Secret{}
	_ slog.LogValuer         = Secret{}
)

// SecretSource hands out a secret whenever a request needs it, so that a
// rotated one is picked up without a restart. [Static], [Env], [File] and
// [SecretFunc] are the sources; a source must be safe for concurrent use.
type SecretSource interface {
	Secret(ctx context.Context) (Secret, error)
}

// A checked source can tell at New what would fail at the first call.
type checked interface{ check() error }

// A described source can say where its secret comes from, without showing it.
type described interface{ describe() string }

// Static is a secret given in the program, most often in a test.
func Static(value string) SecretSource { return &staticSecret{NewSecret(value)} }

type staticSecret struct{ secret Secret }

func (s *staticSecret) Secret(context.Context) (Secret, error) {
	return tidySecret("the secret", s.secret.Reveal())
}

func (s *staticSecret) check() error {
	_, err := s.Secret(context.Background())
	return err
}

func (s *staticSecret) describe() string { return "a static secret" + length(s.secret.Reveal()) }
func (s *staticSecret) String() string   { return "Static(" + redact.Mask + ")" }
func (s *staticSecret) GoString() string { return s.String() }

// Env is a secret in an environment variable, read at each use. [New] fails
// when the variable is empty.
func Env(name string) SecretSource { return envSecret(name) }

type envSecret string

func (e envSecret) Secret(context.Context) (Secret, error) {
	value := os.Getenv(string(e))
	if value == "" {
		return Secret{}, fmt.Errorf("the environment variable %s is empty: set it", string(e))
	}
	return tidySecret("the environment variable "+string(e), value)
}

func (e envSecret) check() error {
	if e == "" {
		return errors.New("Env: the variable has no name")
	}
	_, err := e.Secret(context.Background())
	return err
}

func (e envSecret) describe() string {
	return "the environment variable " + string(e) + length(os.Getenv(string(e)))
}

// File is a secret in a file, as container platforms mount them. It is read
// again when the file's time or size changes; a trailing newline is trimmed.
// [New] fails when the file cannot be read.
func File(path string) SecretSource { return &fileSecret{path: path} }

type fileSecret struct {
	path string

	mu    sync.Mutex
	value Secret
	mtime time.Time
	size  int64
}

func (f *fileSecret) Secret(context.Context) (Secret, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err != nil {
		return f.orLast(err)
	}
	if f.value.Reveal() != "" && info.ModTime().Equal(f.mtime) && info.Size() == f.size {
		return f.value, nil
	}
	if info.Size() > 1<<20 {
		return f.orLast(fmt.Errorf("secret file %s holds %d bytes: is it the right file?", f.path, info.Size()))
	}
	raw, err := os.ReadFile(f.path)
	if err != nil {
		return f.orLast(err)
	}
	value, err := tidySecret(f.path, strings.TrimRight(string(raw), "\r\n"))
	if err != nil {
		return f.orLast(err)
	}
	f.value, f.mtime, f.size = value, info.ModTime(), info.Size()
	return value, nil
}

// orLast keeps serving the last good value while a rotation has the file
// missing or half written.
func (f *fileSecret) orLast(err error) (Secret, error) {
	if f.value.Reveal() != "" {
		return f.value, nil
	}
	return Secret{}, err
}

func (f *fileSecret) check() error {
	_, err := f.Secret(context.Background())
	return err
}

func (f *fileSecret) describe() string { return "the content of " + f.path }
func (f *fileSecret) String() string   { return "File(" + f.path + ")" }
func (f *fileSecret) GoString() string { return f.String() }

// SecretFunc asks f, such as a secrets manager's client, at each use: let f
// cache. It is not called by [New].
func SecretFunc(f func(ctx context.Context) (string, error)) SecretSource { return secretFunc(f) }

type secretFunc func(ctx context.Context) (string, error)

func (f secretFunc) Secret(ctx context.Context) (Secret, error) {
	value, err := f(ctx)
	if err != nil {
		return Secret{}, fmt.Errorf("SecretFunc failed: %w", err)
	}
	return tidySecret("the secret function's value", value)
}

func (f secretFunc) check() error {
	if f == nil {
		return errors.New("SecretFunc is nil")
	}
	return nil
}

func (f secretFunc) describe() string { return "what a SecretFunc returned" }

// tidySecret names the slips that otherwise show as a puzzling 401.
func tidySecret(where, value string) (Secret, error) {
	switch {
	case value == "":
		return Secret{}, fmt.Errorf("%s is empty", where)
	case strings.HasPrefix(value, "Bearer ") || strings.HasPrefix(value, "Basic "):
		return Secret{}, fmt.Errorf("%s begins with a scheme: leave Bearer or Basic out, it is added", where)
	case strings.TrimRight(value, "\r\n") != value:
		return Secret{}, fmt.Errorf("%s has a trailing newline: trim it", where)
	case strings.TrimSpace(value) != value:
		return Secret{}, fmt.Errorf("%s has leading or trailing space: trim it", where)
	case len(value) > 1 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0]:
		return Secret{}, fmt.Errorf("%s is wrapped in quotes: remove them", where)
	case strings.ContainsAny(value, "\r\n\x00"):
		return Secret{}, fmt.Errorf("%s has a line break inside", where)
	}
	return NewSecret(value), nil
}

func length(value string) string { return fmt.Sprintf(" (%d chars)", len(value)) }
