package aplombtest

import (
	"runtime"
	"strings"
	"time"
)

// Leaked returns the stacks of goroutines that run code of this module or of
// net/http, for TestMain to ask when all tests are over: those outside bubbles
// have nobody else to miss them. It allows stragglers two seconds.
func Leaked() string {
	var left []string
	for range 200 {
		left = nil
		buf := make([]byte, 1<<20)
		for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if !strings.Contains(stack, "Leaked") && (strings.Contains(stack, "aplomb-go/") || strings.Contains(stack, "net/http.")) {
				left = append(left, stack)
			}
		}
		if left == nil {
			return ""
		}
		<-time.After(10 * time.Millisecond)
	}
	return strings.Join(left, "\n\n")
}
