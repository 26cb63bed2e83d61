package transfer_test

import (
	"os"
	"testing"

	"github.com/aplomb-go/aplomb/internal/assert"
)

func TestMain(m *testing.M) { os.Exit(assert.Main(m)) }
