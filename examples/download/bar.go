package main

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/aplomb-go/aplomb/transfer"
)

// bar shows the progress of a transfer. What is counted, and how fast it goes, is
// what transfer says: the bar only draws.
type bar struct {
	out io.Writer
	pb  *progressbar.ProgressBar
}

func newBar(out io.Writer) *bar {
	return &bar{out, progressbar.NewOptions64(-1,
		progressbar.OptionSetWriter(out),
		progressbar.OptionSetWidth(30),
		progressbar.OptionSetPredictTime(false), // transfer knows what an earlier run has fetched, which takes no time
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionThrottle(0),
		progressbar.OptionSetSpinnerChangeInterval(0), // no goroutine that draws beside us
	)}
}

// show is a Download's Progress, or an Upload's.
func (b *bar) show(p transfer.Progress) {
	switch {
	case p.Broken != nil:
		_ = b.pb.Clear()
		fmt.Fprintf(b.out, "broken at %d bytes: %v\n", p.Done, p.Broken)
	case p.Restarted != "":
		_ = b.pb.Clear()
		fmt.Fprintf(b.out, "starting anew: %s\n", p.Restarted)
	}
	text := fmt.Sprintf("%s: %.1f MB", p.Label, float64(p.Done)/1e6)
	if p.ETA > 0 {
		text += fmt.Sprintf(", %.1f MB/s, %v left", p.Rate/1e6, p.ETA.Round(100*time.Millisecond))
	}
	if p.Total > 0 && p.Total != b.pb.GetMax64() {
		b.pb.ChangeMax64(p.Total)
	}
	b.pb.Describe(text)
	_ = b.pb.Set64(p.Done)
}

func (b *bar) end() {
	_ = b.pb.Exit()
	fmt.Fprintln(b.out)
}
