package transfer

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
)

// state is what lies beside a part. It holds no address, only a digest of one.
type state struct {
	Version   int        `json:"version"`
	Source    string     `json:"source"`
	Validator string     `json:"validator"`
	Total     int64      `json:"total"`
	Digests   []*digest  `json:"digests,omitempty"`
	Done      [][2]int64 `json:"done"`
}

const (
	stateVersion = 1
	maxState     = 64 << 10
)

var errState = errors.New("transfer: the state of a part cannot be used")

// parseState reads what is there of a part of size bytes. A state that is not
// true in every point is none: to start anew is always right.
func parseState(raw []byte, size int64) (entity, spans, error) {
	var s state
	if json.Unmarshal(raw, &s) != nil || s.Version != stateVersion || s.Source == "" || !usable(s.Validator) || s.Total < -1 {
		return entity{}, nil, errState
	}
	var done spans
	for _, d := range s.Done {
		from := int64(-1)
		if len(done) > 0 {
			from = done.end()
		}
		if d[0] <= from || d[1] <= d[0] || d[1] > size || s.Total >= 0 && d[1] > s.Total {
			return entity{}, nil, errState
		}
		done = append(done, span{d[0], d[1]})
	}
	for _, d := range s.Digests {
		if d == nil || !d.valid() {
			return entity{}, nil, errState
		}
	}
	if len(done) == 0 || s.Total < 0 && done[0] != (span{0, done.end()}) {
		return entity{}, nil, errState
	}
	return entity{source: s.Source, validator: s.Validator, total: s.Total, ranges: true, digests: s.Digests}, done, nil
}

// usable reports a validator that an If-Range may hold.
func usable(validator string) bool {
	_, err := http.ParseTime(validator)
	return err == nil || strongTag(validator)
}

func readState(name string, size int64) (entity, spans, error) {
	if info, err := os.Lstat(name); err != nil || !info.Mode().IsRegular() {
		return entity{}, nil, errState // whoever opens a pipe waits for it
	}
	f, err := os.Open(name) //nolint:gosec // the caller names its own file
	if err != nil {
		return entity{}, nil, err
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, maxState))
	if err != nil {
		return entity{}, nil, err
	}
	return parseState(raw, size)
}

// writeState replaces the state in one step. It need not be on the disk at once:
// an older one is true as well, and a broken one is none.
func writeState(name string, e *entity, done spans) error {
	s := state{Version: stateVersion, Source: e.source, Validator: e.validator, Total: e.total, Digests: e.digests}
	for _, d := range done {
		s.Done = append(s.Done, [2]int64{d.from, d.to})
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_ = os.Remove(newName(name))
	f, err := os.OpenFile(newName(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // a link is none
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(newName(name), name)
	}
	if err != nil {
		_ = os.Remove(newName(name))
	}
	return err
}

// newName is that of a state that is not written to its end.
func newName(name string) string { return name + ".new" }

// removeState also removes one that a process has left that was killed over it.
func removeState(name string) error {
	_ = os.Remove(newName(name))
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
