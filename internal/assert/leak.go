package assert

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// Main runs a package's tests and fails if goroutines of this module or of
// net/http are left when all are over: those outside bubbles have nobody else
// to miss them. It is for TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(assert.Main(m)) }
func Main(m interface{ Run() int }) int {
	code := m.Run()
	if left := leaked(); code == 0 && left != "" {
		_, _ = fmt.Fprintln(os.Stderr, "goroutines left behind:\n\n"+left)
		return 1
	}
	return code
}

// leaked returns the stacks of the goroutines left. Stragglers have two seconds.
func leaked() string {
	var left []string
	for range 200 {
		left = nil
		buf := make([]byte, 1<<20)
		for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if !strings.Contains(stack, "assert.leaked") && (strings.Contains(stack, "aplomb-go/") || strings.Contains(stack, "net/http.")) {
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
