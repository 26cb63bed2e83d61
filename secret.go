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

// AtHand is the secret of a source that knows it without asking anybody: [Static],
// [Env], [File], or a [Rotation] whose current one is of these. ok is false for any
// other source, and where there is none just now. It is for what is decided by the
// kind of a key before the first call.
func AtHand(source SecretSource) (secret Secret, ok bool) {
	switch s := source.(type) {
	case *staticSecret, envSecret, *fileSecret:
		secret, err := s.Secret(context.Background())
		return secret, err == nil
	case *rotation:
		return AtHand(s.sources[0])
	default:
		return Secret{}, false
	}
}

// Static is a secret given in the program, most often in a test.
func Static(value string) SecretSource {
	secret, err := tidySecret("the secret", value)
	if err != nil {
		secret = NewSecret(value) // for its length
	}
	return &staticSecret{secret, err}
}

type staticSecret struct {
	secret Secret
	faulty error
}

func (s *staticSecret) Secret(context.Context) (Secret, error) {
	if s.faulty != nil {
		return Secret{}, s.faulty
	}
	return s.secret, nil
}

func (s *staticSecret) check() error { return s.faulty }

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
		return Secret{}, fmt.Errorf("%s is empty: set it", e.describeName())
	}
	return tidySecret(e.describeName(), value)
}

func (e envSecret) check() error {
	if e == "" {
		return errors.New("Env: the variable has no name")
	}
	_, err := e.Secret(context.Background())
	return err
}

func (e envSecret) describe() string {
	return e.describeName() + length(os.Getenv(string(e)))
}

// describeName does not show a name that somebody has mistaken for the place of
// the value.
func (e envSecret) describeName() string {
	return "the environment variable " + redact.Text(string(e), 80)
}

// File is a secret in a file, as container platforms mount them. It is read
// again when the file is replaced or its time or size changes; a trailing
// newline is trimmed.
// [New] fails when the file cannot be read.
func File(path string) SecretSource { return &fileSecret{path: path} }

type fileSecret struct {
	path string

	mu    sync.Mutex
	value Secret
	info  os.FileInfo
	read  time.Time
}

func (f *fileSecret) Secret(context.Context) (Secret, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err != nil {
		return f.orLast(err)
	}
	if f.current(info) {
		return f.value, nil
	}
	switch {
	case !info.Mode().IsRegular():
		return f.orLast(fmt.Errorf("%s is no regular file", f.path)) // a pipe would be waited for
	case info.Size() > maxSecretFile:
		return f.orLast(fmt.Errorf("secret file %s holds %d bytes: is it the right file?", f.path, info.Size()))
	}
	now := time.Now()
	raw, err := os.ReadFile(f.path)
	if err != nil {
		return f.orLast(err)
	}
	value, err := tidySecret(f.path, strings.TrimRight(string(raw), "\r\n"))
	if err != nil {
		return f.orLast(err)
	}
	f.value, f.info, f.read = value, info, now
	return value, nil
}

// current reports that what was read is still what the file holds. A file that
// was written just before it was read may have been written again within the
// same tick of its clock.
func (f *fileSecret) current(info os.FileInfo) bool {
	return f.info != nil && os.SameFile(info, f.info) && info.ModTime().Equal(f.info.ModTime()) && info.Size() == f.info.Size() &&
		f.read.Sub(info.ModTime()) > fileTick
}

const maxSecretFile = 1 << 20

// fileTick is the coarsest time stamp of a file system in use.
const fileTick = 2 * time.Second

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

// SecretFunc asks f, such as a secrets manager's client. It is asked at the
// first use, and again in the background at a use 5 minutes later or more, and
// after a 401; meanwhile, and while f fails, the last value is used. f is called
// once at a time, with a context of its own that ends after 30 s. A secret that
// has an end is for [Tokens]. f is not called by [New].
func SecretFunc(f func(ctx context.Context) (string, error)) SecretSource {
	return &managedSecret{tokens: Tokens{Fetch: func(ctx context.Context, _ Token) (Token, error) {
		if f == nil {
			return Token{}, errNoSecretFunc
		}
		value, err := f(ctx)
		if err != nil {
			return Token{}, fmt.Errorf("SecretFunc failed: %w", err)
		}
		secret, err := tidySecret("the secret function's value", value)
		return Token{Value: secret, RefreshAt: time.Now().Add(managedSecretAge)}, err
	}}, missing: f == nil}
}

// managedSecretAge is the age from which a secrets manager is asked again: soon
// enough for a rotation to need no 401, seldom enough for its price list.
const managedSecretAge = 5 * time.Minute

var errNoSecretFunc = errors.New("SecretFunc is nil")

type managedSecret struct {
	tokens  Tokens
	missing bool
}

func (m *managedSecret) Secret(ctx context.Context) (Secret, error) { return m.tokens.Secret(ctx) }

func (m *managedSecret) judged(ctx context.Context, status int, secret Secret) (another bool, err error) {
	return m.tokens.judged(ctx, status, secret)
}

func (m *managedSecret) check() error {
	if m.missing {
		return errNoSecretFunc
	}
	return nil
}

func (m *managedSecret) describe() string { return "what a SecretFunc returned" }
func (m *managedSecret) String() string   { return "SecretFunc" }
func (m *managedSecret) GoString() string { return m.String() }

// tidySecret names the slips that otherwise show as a puzzling 401.
func tidySecret(where, value string) (Secret, error) {
	if strings.HasPrefix(value, "-----BEGIN ") { // a PEM block has lines, and ends one
		return NewSecret(strings.TrimRight(value, "\r\n")), nil
	}
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
