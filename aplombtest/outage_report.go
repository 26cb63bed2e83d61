package aplombtest

import (
	"fmt"
	"math"
	"strings"
	"text/tabwriter"
	"time"
)

// never is longer than any bound that a test sets.
const never = time.Duration(math.MaxInt64)

// OutageReport is how a program came through an [Outage].
type OutageReport struct {
	// Phases are what happened in each, in order.
	Phases []PhaseReport
	// Back is how long it took, from the end of the last phase with a fault or
	// trouble, until a request that came after it was answered by the server's own
	// handler. It is longer than any bound, [math.MaxInt64], if none was.
	Back time.Duration
	// Rush is how many requests came in the first second after that end: how hard
	// the program falls upon a server that has only just recovered.
	Rush int
	// Unfinished is how many uses the end of the outage cut off: one for each
	// worker that was at it then.
	Unfinished int
}

// PhaseReport is what happened in one [Phase].
type PhaseReport struct {
	// Name is the phase's.
	Name string
	// For is how long it lasted.
	For time.Duration
	// Dials is how many connections were asked for, refused ones among them.
	Dials int
	// Requests is how many requests the servers received, Handled how many of them
	// reached the server's own handler: the others met a fault that does not let
	// it run.
	Requests, Handled int
	// Uses is how many uses of the program began here and have returned, Failed
	// how many of these with an error. Those the end cut off are not among them.
	Uses, Failed int
	// Longest is how long the longest of these uses took.
	Longest time.Duration

	broken bool
}

// During sums up the phases with a fault or trouble.
func (r OutageReport) During() PhaseReport {
	sum := PhaseReport{Name: "all of it", broken: true}
	for _, p := range r.Phases {
		if p.broken {
			sum.add(p)
		}
	}
	return sum
}

// Phase sums up the phases of that name; without one it returns nothing but the
// name.
func (r OutageReport) Phase(name string) PhaseReport {
	sum := PhaseReport{Name: name}
	for _, p := range r.Phases {
		if p.Name == name {
			sum.add(p)
		}
	}
	return sum
}

// String is one line.
func (r PhaseReport) String() string {
	return fmt.Sprintf("%s: %v, %d dials, %d requests of which %d handled, %d uses of which %d failed, the longest %v",
		r.Name, r.For, r.Dials, r.Requests, r.Handled, r.Uses, r.Failed, r.Longest)
}

func (r *PhaseReport) add(p PhaseReport) {
	r.For += p.For
	r.Dials += p.Dials
	r.Requests += p.Requests
	r.Handled += p.Handled
	r.Uses += p.Uses
	r.Failed += p.Failed
	r.Longest = max(r.Longest, p.Longest)
	r.broken = r.broken || p.broken
}

// String returns the report as a table of several lines.
func (r OutageReport) String() string {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "phase\tfor\tdials\trequests\thandled\tuses\tfailed\tlongest\t\n")
	for _, p := range r.Phases {
		fmt.Fprintf(table, "%s\t%v\t%d\t%d\t%d\t%d\t%d\t%v\t\n", p.Name, p.For, p.Dials, p.Requests, p.Handled, p.Uses, p.Failed, p.Longest)
	}
	_ = table.Flush() // to memory
	back := "never"
	if r.Back != never {
		back = r.Back.String()
	}
	fmt.Fprintf(&b, "back after %s; %d requests in the first second; %d uses unfinished", back, r.Rush, r.Unfinished)
	return b.String()
}
