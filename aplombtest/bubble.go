package aplombtest

import (
	"context"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// inBubble says whether time is virtual here.
func inBubble() bool { return bubbleOf(stackOf(false)) != "" }

// sleep waits for d and reports whether ctx is still not done.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// stackOf is the trace of this goroutine or of all.
func stackOf(all bool) string {
	for size := 64 << 10; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, all); n < size {
			return string(buf[:n])
		}
	}
}

var bubbleLine = regexp.MustCompile(`^goroutine (\d+) \[.*synctest bubble (\d+)[^\]]*\]:`)

// bubbleOf is the bubble of the trace's first goroutine, "" if it is in none.
func bubbleOf(stack string) string {
	if m := bubbleLine.FindStringSubmatch(stack); len(m) > 2 {
		return m[2]
	}
	return ""
}

// goroutines are those of this goroutine's bubble, by their number, with who
// made them.
func goroutines() map[string]string {
	mine := bubbleOf(stackOf(false))
	found := map[string]string{}
	for stack := range strings.SplitSeq(stackOf(true), "\n\n") {
		if m := bubbleLine.FindStringSubmatch(stack); len(m) > 2 && m[2] == mine {
			_, by, _ := strings.Cut(stack, "\ncreated by ")
			by, _, _ = strings.Cut(by, " in goroutine")
			found[m[1]] = "made by " + by
		}
	}
	return found
}
