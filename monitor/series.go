package monitor

import "time"

// series are the numbers of one operation at one host.
type series struct {
	short, long window
	times       [shortSlots / slotsAHistogram]*histogram // of the last five minutes
	minute      int64                                    // of the newest of them
	total       Totals
}

// slotsAHistogram is how many short slots are a minute, which has a histogram.
const slotsAHistogram = 6

func newSeries() *series {
	return &series{short: newWindow(shortSlot, shortSlots), long: newWindow(longSlot, longSlots)}
}

// Totals are counts since the monitor was made.
type Totals struct {
	Calls    uint64 `json:"calls"`
	Failed   uint64 `json:"failed"`
	Attempts uint64 `json:"attempts"`
}

// record counts a call that is done.
func (s *series) record(now time.Time, took time.Duration, t tally) {
	s.short.at(now).add(t)
	s.long.at(now).add(t)
	s.total.Calls += uint64(t.Calls)
	s.total.Failed += uint64(t.Failed)
	s.total.Attempts += uint64(t.Attempts)
	h := s.histogram(now)
	h[bucketOf(took)]++
}

// spoil counts a call that was recorded as one that failed after all.
func (s *series) spoil(now time.Time) {
	s.short.spoil(now)
	s.long.spoil(now)
	if s.total.Failed < s.total.Calls {
		s.total.Failed++
	}
}

// histogram is that of the minute.
func (s *series) histogram(now time.Time) *histogram {
	s.turn(now)
	at := &s.times[s.minute%int64(len(s.times))]
	if *at == nil {
		*at = new(histogram)
	}
	return *at
}

// turn forgets what is older than five minutes.
func (s *series) turn(now time.Time) {
	minute := now.UnixNano() / int64(slotsAHistogram*shortSlot)
	n := int64(len(s.times))
	if gone := minute - s.minute; gone > 0 {
		for i := range min(gone, n) {
			if h := s.times[(minute-i)%n]; h != nil {
				*h = histogram{}
			}
		}
		s.minute = minute
	}
}

// histograms are those of the last five minutes.
func (s *series) histograms(now time.Time) (all []*histogram) {
	s.turn(now)
	for _, h := range s.times {
		if h != nil {
			all = append(all, h)
		}
	}
	return all
}
