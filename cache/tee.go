package cache

import (
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// restTime is how long the end of a body is waited for that nobody reads on.
	restTime = 100 * time.Millisecond
	// restBytes is how much of that end there may be.
	restBytes = 4 << 10
)

// drain reads the end of a body whose reader stopped short of it, as a JSON decoder
// does that has its value, and reports that it was reached. A connection whose body
// was read to its end is used again.
func drain(body io.ReadCloser, read func([]byte)) (ended bool) {
	timer := time.AfterFunc(restTime, func() { _ = body.Close() })
	defer timer.Stop()
	buf := make([]byte, restBytes)
	for left := len(buf); left > 0; {
		n, err := body.Read(buf[:left])
		read(buf[:n])
		left -= n
		if err != nil {
			return err == io.EOF
		}
	}
	return false
}

// discard ends an answer that nobody gets.
func discard(resp *http.Response) {
	drain(resp.Body, func([]byte) {})
	_ = resp.Body.Close()
}

// tee is a body that is kept while the caller reads it, and only if it was read
// to its end. What is longer than max is not kept, and costs no more.
type tee struct {
	io.ReadCloser
	value  []byte // head, then what was read; nil once it was given up
	head   int
	max    int64
	length int64 // as announced; -1 unknown

	mu      sync.Mutex // Close may come while a Read is under way
	reading int
	ended   bool
	large   bool
	end     func(value []byte) // called once; nil is nothing to keep
}

func (t *tee) Read(p []byte) (int, error) {
	t.mu.Lock()
	t.reading++
	t.mu.Unlock()
	n, err := t.ReadCloser.Read(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reading--
	t.add(p[:n])
	if err == io.EOF {
		t.complete()
	} else if err != nil {
		t.giveUp()
	}
	return n, err
}

// Close reads a little further: an answer whose end is there is whole.
func (t *tee) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reading > 0 {
		t.giveUp()
	}
	if !t.ended && drain(t.ReadCloser, t.add) {
		t.complete()
	}
	t.giveUp()
	return t.ReadCloser.Close()
}

// add keeps what was read, as long as it fits.
func (t *tee) add(p []byte) {
	if t.ended {
		return
	}
	if int64(len(t.value)-t.head+len(p)) > t.max {
		t.large = true
		t.giveUp()
		return
	}
	t.value = append(t.value, p...)
}

// complete ends a body that was read to its end. One that is not as long as was
// announced is not whole.
func (t *tee) complete() {
	if t.ended {
		return
	}
	if t.length >= 0 && int64(len(t.value)-t.head) != t.length {
		t.giveUp()
		return
	}
	t.ended = true
	value := t.value
	t.value = nil
	t.end(value)
}

func (t *tee) giveUp() {
	if t.ended {
		return
	}
	t.ended, t.value = true, nil
	t.end(nil)
}

// outcome is what those hear who waited for a body that was not kept.
func (t *tee) outcome() outcome {
	if t.large {
		return alone
	}
	return lost // its reader went away: the next one asks
}
