package aplombtest

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

// passage is an [Outage] under way: it knows by the clock which phase it is, so
// that what happens at a boundary belongs to the phase that begins.
type passage struct {
	start  time.Time
	phases []Phase

	mu     sync.Mutex
	report OutageReport
}

func newPassage(o Outage) *passage {
	phases := o.Phases
	if len(phases) == 0 {
		phases = standardHour(o.Seed)
	}
	p := &passage{start: time.Now()}
	for _, phase := range phases {
		if phase.For > 0 {
			p.phases = append(p.phases, phase)
			p.report.Phases = append(p.report.Phases, PhaseReport{Name: phase.Name, For: phase.For, broken: phase.broken()})
		}
	}
	p.report.Back = never
	return p
}

// at returns the index of the phase at t, and len(p.phases) past the last.
func (p *passage) at(t time.Time) int {
	since := t.Sub(p.start)
	for i, phase := range p.phases {
		if since < phase.For {
			return i
		}
		since -= phase.For
	}
	return len(p.phases)
}

// begins returns when the i-th phase does.
func (p *passage) begins(i int) time.Time {
	t := p.start
	for _, phase := range p.phases[:i] {
		t = t.Add(phase.For)
	}
	return t
}

func (p *passage) end() time.Time { return p.begins(len(p.phases)) }

// recovery returns when the last broken phase is over.
func (p *passage) recovery() time.Time {
	for i, phase := range slices.Backward(p.phases) {
		if phase.broken() {
			return p.begins(i + 1)
		}
	}
	return p.start
}

func (p *passage) now() Phase {
	if i := p.at(time.Now()); i < len(p.phases) {
		return p.phases[i]
	}
	return Phase{}
}

func (p *passage) trouble() Trouble { return p.now().Trouble }

// count has note change the report of the phase that it is now; past the end
// nothing is counted.
func (p *passage) count(t time.Time, note func(*PhaseReport)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := p.at(t); i < len(p.phases) {
		note(&p.report.Phases[i])
	}
}

func (p *passage) dialled() { p.count(time.Now(), func(r *PhaseReport) { r.Dials++ }) }

func (p *passage) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	now := time.Now()
	p.count(now, func(r *PhaseReport) { r.Requests++ })
	if since := now.Sub(p.recovery()); since >= 0 && since < time.Second && now.Before(p.end()) {
		p.mu.Lock()
		p.report.Rush++
		p.mu.Unlock()
	}
	p.now().Fault.handle(w, r, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.count(now, func(r *PhaseReport) { r.Handled++ })
		next.ServeHTTP(w, r)
		p.back(now)
	}))
}

// back notes the first request that came after the recovery and was handled.
func (p *passage) back(came time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !came.Before(p.recovery()) && p.report.Back == never {
		p.report.Back = time.Since(p.recovery())
	}
}

// resetConns resets the connections of servers whenever a phase begins that
// refuses dials.
func (p *passage) resetConns(ctx context.Context, servers []*Server) {
	for i, phase := range p.phases {
		if !sleep(ctx, time.Until(p.begins(i))) {
			return
		}
		for _, s := range servers {
			if phase.Trouble == DialRefused {
				s.listener.ResetConns()
			}
		}
	}
}

// work is one worker's: it uses the program every so often until ctx is done.
func (p *passage) work(ctx context.Context, every time.Duration, use func(context.Context) error) {
	for {
		began := time.Now()
		err := use(ctx)
		p.used(ctx, began, err)
		if !sleep(ctx, time.Until(began.Add(every))) {
			return
		}
	}
}

func (p *passage) used(ctx context.Context, began time.Time, err error) {
	if ctx.Err() != nil { // a program that runs until then may well return nil
		p.mu.Lock()
		defer p.mu.Unlock()
		p.report.Unfinished++
		return
	}
	p.count(began, func(r *PhaseReport) {
		r.Uses++
		if err != nil {
			r.Failed++
		}
		r.Longest = max(r.Longest, time.Since(began))
	})
}

func (p *passage) result() OutageReport {
	p.mu.Lock()
	defer p.mu.Unlock()
	report := p.report
	report.Phases = slices.Clone(p.report.Phases) // a stalled handler may still count
	return report
}
