package aplombtest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/aplomb-go/aplomb/aplombtest"
	"github.com/aplomb-go/aplomb/inbox"
)

func TestInboxOfMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { aplombtest.TestInbox(t, inbox.NewMemory(), time.Sleep, 0) })
}

// Without a way to let time pass, and on a store that is in use.
func TestInboxWithoutTime(t *testing.T) {
	t.Parallel()
	s := inbox.NewMemory()
	for range 2 {
		aplombtest.TestInbox(t, s, nil, time.Millisecond)
	}
}
