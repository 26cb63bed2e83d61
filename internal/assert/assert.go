// Package assert holds the few checks this module's tests are written with.
//
// Each helper reports the caller's line, prints got before want, and returns
// whether it held. Equal, True, Contains and NotContains let the test go on, so
// one run shows every difference; NoError and ErrorIs end it, because what
// follows would only repeat the same news. From a goroutine other than the
// test's own use the first four only (see [testing.T.FailNow]).
//
//	assert.NoError(t, err)
//	assert.Equal(t, res.StatusCode, 200)
//	assert.Contains(t, body, `"id":"cus_1"`, "after the retry")
//
// The trailing msg values of each helper are printed, space separated, in front
// of the failure.
package assert

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// Equal reports a test error unless got and want are deeply equal in the sense
// of [reflect.DeepEqual].
func Equal[T any](tb testing.TB, got, want T, msg ...any) bool {
	tb.Helper()
	if reflect.DeepEqual(got, want) {
		return true
	}
	tb.Errorf("%sgot  %s\nwant %s", prefix(msg), show(got), show(want))
	return false
}

// True reports a test error unless ok.
func True(tb testing.TB, ok bool, msg ...any) bool {
	tb.Helper()
	if !ok {
		tb.Errorf("%sgot  false\nwant true", prefix(msg))
	}
	return ok
}

// NoError ends the test unless err is nil.
func NoError(tb testing.TB, err error, msg ...any) bool {
	tb.Helper()
	if err != nil {
		tb.Fatalf("%sgot  error %v (%T)\nwant no error", prefix(msg), err, err)
	}
	return err == nil
}

// ErrorIs ends the test unless [errors.Is] finds target in err.
func ErrorIs(tb testing.TB, err, target error, msg ...any) bool {
	tb.Helper()
	if errors.Is(err, target) {
		return true
	}
	tb.Fatalf("%sgot  error %v (%T)\nwant one that is %v", prefix(msg), err, err, target)
	return false
}

// Contains reports a test error unless s contains part.
func Contains(tb testing.TB, s, part string, msg ...any) bool {
	tb.Helper()
	if strings.Contains(s, part) {
		return true
	}
	tb.Errorf("%sgot  %q\nwant it to contain %q", prefix(msg), s, part)
	return false
}

// NotContains reports a test error if s contains part.
func NotContains(tb testing.TB, s, part string, msg ...any) bool {
	tb.Helper()
	if !strings.Contains(s, part) {
		return true
	}
	tb.Errorf("%sgot  %q\nwant it not to contain %q", prefix(msg), s, part)
	return false
}

func prefix(msg []any) string {
	if len(msg) == 0 {
		return ""
	}
	return strings.TrimSuffix(fmt.Sprintln(msg...), "\n") + ":\n"
}

// show quotes strings and errors, so that trailing spaces are seen, and prints
// all else with field names.
func show(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("%q", v)
	case error:
		return fmt.Sprintf("error %q (%T)", v.Error(), v)
	default:
		return fmt.Sprintf("%+v", v)
	}
}
