package transfer

import "slices"

// span is a part of a file: the bytes at from and on, up to but not with to. A to
// of -1 is an end that is not known.
type span struct{ from, to int64 }

func (s span) len() int64 { return s.to - s.from }

// spans are parts of a file in order, with something missing between any two.
type spans []span

// add puts s, which has an end, among the others.
func (all *spans) add(s span) {
	i, _ := slices.BinarySearchFunc(*all, s.from, func(have span, from int64) int {
		if have.to < from {
			return -1
		}
		return 1
	})
	j := i
	for ; j < len(*all) && (*all)[j].from <= s.to; j++ {
		s.from, s.to = min(s.from, (*all)[j].from), max(s.to, (*all)[j].to)
	}
	*all = slices.Replace(*all, i, j, s)
}

// size is how many bytes there are.
func (all spans) size() (n int64) {
	for _, s := range all {
		n += s.len()
	}
	return n
}

// end is where the last of them ends.
func (all spans) end() int64 {
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].to
}

// missing is what is not there of total bytes; a total of -1 is not known.
func (all spans) missing(total int64) (gaps spans) {
	var at int64
	for _, s := range all {
		if at < s.from {
			gaps = append(gaps, span{at, s.from})
		}
		at = s.to
	}
	if total < 0 || at < total {
		gaps = append(gaps, span{at, total})
	}
	return gaps
}

// split makes n spans of all, or as many as there are pieces of atLeast bytes,
// by halving the longest.
func (all spans) split(n int, atLeast int64) spans {
	for len(all) < n {
		i := 0
		for j := range all {
			if all[j].len() > all[i].len() {
				i = j
			}
		}
		s := all[i]
		if s.len() < 2*atLeast {
			break
		}
		all = slices.Replace(all, i, i+1, span{s.from, s.from + s.len()/2}, span{s.from + s.len()/2, s.to})
	}
	return all
}
