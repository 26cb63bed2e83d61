package aplomb_test

import (
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/aplombtest"
)

func TestMemoryStoreConforms(t *testing.T) {
	bubble(t, func(t *testing.T) { aplombtest.TestStore(t, aplomb.NewMemoryStore(), time.Sleep, 0) })
}
