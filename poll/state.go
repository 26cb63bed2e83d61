package poll

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// state is where a feed is. It is what a cursor's value holds, so its JSON is
// versioned; what an older version of the package wrote must stay readable.
type state struct {
	Version int `json:"v"`
	// Seen are the marks of the items read last, one after another.
	Seen string `json:"seen,omitempty"`
	// Newest is when the newest item occurred, in Unix milliseconds.
	Newest int64 `json:"newest,omitempty"`
	// Anchor is the key of the newest item that the look-back does not reach, and
	// Last that of the newest item.
	Anchor string `json:"anchor,omitempty"`
	Last   string `json:"last,omitempty"`
	// Page is where a list that grows at its end is read on.
	Page string `json:"page,omitempty"`
	// Single says that the list had one page.
	Single bool `json:"single,omitempty"`
	validators
}

const (
	stateVersion = 1
	// markLength is that of a mark: 72 bits of a hash. That a new item has the mark
	// of one of a thousand that were seen happens once in 4e18 items.
	markLength = 12
)

// markOf is short for a key.
func markOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return base64.RawURLEncoding.EncodeToString(sum[:markLength*3/4])
}

// parseState reads a cursor's value. "" is a feed that has never read.
func parseState(value string) (s state, started bool, err error) {
	if value == "" {
		return state{}, false, nil
	}
	if err := json.Unmarshal([]byte(value), &s); err != nil {
		return state{}, false, errors.New("poll: the cursor is not one of a feed's: was it written by something else?")
	}
	if s.Version != stateVersion || len(s.Seen)%markLength != 0 {
		return state{}, false, fmt.Errorf("poll: the cursor has version %d, and this package reads %d", s.Version, stateVersion)
	}
	return s, true, nil
}

func (s state) String() string {
	s.Version = stateVersion
	raw, _ := json.Marshal(s) //nolint:errchkjson // texts and numbers alone: cannot fail
	return string(raw)
}

// seen are the marks as a set.
func (s state) seen() map[string]bool {
	all := make(map[string]bool, len(s.Seen)/markLength)
	for rest := s.Seen; len(rest) >= markLength; rest = rest[markLength:] {
		all[rest[:markLength]] = true
	}
	return all
}

// since is from when on items are read again, though they were; zero if unknown.
func (s state) since(lookBack time.Duration) time.Time {
	if s.Newest == 0 {
		return time.Time{}
	}
	return time.UnixMilli(s.Newest).Add(-lookBack)
}

// anew is the state of a feed that has to begin again.
func (s state) anew() state { return state{Version: stateVersion} }

// after is s with the items as well that a caller was given of the next round,
// which it may not see the end of: what the round was to be asked for is asked
// for again.
func (s state) after(entries []entry) state {
	var marks strings.Builder
	marks.WriteString(s.Seen)
	for i := range entries {
		marks.WriteString(entries[i].mark)
	}
	s.Seen, s.validators = marks.String(), validators{}
	return s
}

// Mark is a place in a feed, for [Feed.Since]. The look-back is taken off it.
type Mark struct {
	// Key is that of an item whose later ones are to be read; "" if there is none.
	Key string
	// Time is since when; zero if that is not known: without [Feed.Occurred], or in
	// the first round.
	Time time.Time
}
