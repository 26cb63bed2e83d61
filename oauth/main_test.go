package oauth_test

import (
	"os"
	"testing"

	"github.com/aplomb-go/aplomb/internal/assert"
)

func TestMain(m *testing.M) {
	if code, child := childMain(); child {
		os.Exit(code)
	}
	os.Exit(assert.Main(m))
}
