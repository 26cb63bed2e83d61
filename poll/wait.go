package poll

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Wait asks for an operation's state until it is done, and returns its result as
// a T. It goes by the server's hints and [Operation].Pace, and ends with the
// context; where the deadline is before the next request, it ends at once. Its
// errors are *[WaitError], but for settings that cannot work.
//
//	var started aplomb.Response
//	_, err := aplomb.Post[struct{}](ctx, c, "/v1/exports", aplomb.JSON(in), aplomb.Capture(&started))
//	...
//	export, err := poll.Wait[Export](ctx, c, poll.Operation{Started: started})
func Wait[T any](ctx context.Context, c *aplomb.Client, op Operation) (T, error) {
	var result T
	w := &waiting{client: c, op: &op, start: time.Now()}
	var err error
	switch {
	case c == nil:
		err = errors.New("poll: Wait: the client is nil")
	case op.Tolerate < 0:
		err = errors.New("poll: Operation.Tolerate is negative")
	default:
		if err = op.Pace.check(); err == nil {
			w.at, err = op.begin()
		}
	}
	if err != nil {
		return result, err
	}
	w.schedule = newSchedule(op.Pace.or(2*time.Second, 30*time.Second))
	w.last.Token = w.at.String()
	w.tell(ctx)
	if err := w.untilDone(ctx); err != nil {
		return result, err
	}
	body, err := w.result(ctx)
	if err != nil {
		return result, err
	}
	if raw, ok := any(&result).(*[]byte); ok {
		*raw = body
		return result, nil
	}
	if _, none := any(result).(struct{}); none || len(body) == 0 {
		return result, nil
	}
	if err := json.Unmarshal(body, &result); err != nil {
		return result, w.fail(fmt.Errorf("decode the result: %w", err), "")
	}
	return result, nil
}

// waiting is one Wait.
type waiting struct {
	client   *aplomb.Client
	op       *Operation
	at       token
	schedule *schedule
	start    time.Time
	attempts int
	failures int // in a row
	last     Status
}

func (w *waiting) untilDone(ctx context.Context) error {
	delay := min(w.op.Started.RetryAfter(), w.schedule.MaxHint)
	for {
		if err := w.sleep(ctx, delay); err != nil {
			return err
		}
		before := w.last
		err := w.ask(ctx)
		switch {
		case ctx.Err() != nil:
			return w.fail(context.Cause(ctx), "ended while waiting")
		case err != nil:
			if delay, err = w.tolerate(err); err != nil {
				return err
			}
			continue
		}
		w.failures = 0
		w.tell(ctx)
		switch w.last.State {
		case StateDone:
			return nil
		case StateFailed:
			return w.fail(ErrFailed, w.complaint())
		default:
		}
		if bytes.Equal(before.Body, w.last.Body) {
			w.schedule.unchanged()
		} else {
			w.schedule.changed()
		}
		delay, _, _ = w.schedule.next(hintOf(w.last.Response), false)
	}
}

func (w *waiting) tell(ctx context.Context) {
	if w.op.Progress != nil {
		w.op.Progress(ctx, w.last)
	}
}

// sleep waits, unless that would outlast the deadline.
func (w *waiting) sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	now := time.Now()
	if until, bounded := ctx.Deadline(); bounded && !now.Add(d).Before(until) {
		e := w.fail(context.DeadlineExceeded, "not done, and the deadline is before the next request")
		e.ReadyAt = now.Add(d)
		return e
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return w.fail(context.Cause(ctx), "ended while waiting")
	}
}

// ask asks for the state once.
func (w *waiting) ask(ctx context.Context) error {
	var r aplomb.Response
	body, err := w.get(ctx, cmp.Or(w.op.Path, "{operation}"), w.at.Monitor, &r)
	w.attempts++
	if err != nil {
		return err
	}
	s := Status{Body: body, Response: r, Attempts: w.attempts, Elapsed: time.Since(w.start)}
	redirected := elsewhere(w.at.Monitor, r.Resolve(""))
	if moved := movedTo(r); moved != "" {
		w.at.Monitor = moved
	} else if to := r.Header.Get("Location"); to != "" && r.StatusCode == http.StatusAccepted && w.at.Monitor != "" {
		w.at.Monitor = cmp.Or(r.Resolve(to), w.at.Monitor)
	}
	s.Token = w.at.String()
	err = w.op.judge(&s, redirected)
	w.last = s
	if err != nil {
		return &stateError{err}
	}
	return nil
}

// stateError is an answer that cannot be read.
type stateError struct{ err error }

func (e *stateError) Error() string { return e.err.Error() }
func (e *stateError) Unwrap() error { return e.err }

// get fetches an address, or the path if there is none.
func (w *waiting) get(ctx context.Context, path, address string, r *aplomb.Response) ([]byte, error) {
	opts := append([]aplomb.CallOption{aplomb.Header("Accept", "application/json")}, w.op.Options...)
	if address != "" {
		opts = append(slices.Clip(opts), aplomb.URL(address))
	}
	opts = append(opts, aplomb.Capture(r))
	return aplomb.Get[[]byte](ctx, w.client, path, opts...)
}

// tolerate says how long to wait after a failure, or that it is one too many.
func (w *waiting) tolerate(err error) (time.Duration, error) {
	passes, atLeast := passing(err)
	if w.failures++; passes && w.failures <= cmp.Or(w.op.Tolerate, 5) {
		return w.schedule.failed(atLeast), nil
	}
	return 0, w.fail(err, "")
}

// result is the body that the result is in, or the part of it that it is.
func (w *waiting) result(ctx context.Context) ([]byte, error) {
	body := []byte(w.last.Body)
	path, address := w.op.ResultPath, ""
	if path == "" {
		path, address = w.resultAt()
	}
	if path != "" || address != "" {
		var err error
		for {
			var r aplomb.Response
			if body, err = w.get(ctx, cmp.Or(path, "{result}"), address, &r); err == nil {
				break
			}
			w.attempts++
			if ctx.Err() != nil {
				return nil, w.fail(context.Cause(ctx), "ended while fetching the result")
			}
			delay, err := w.tolerate(err)
			if err != nil {
				return nil, err
			}
			if err := w.sleep(ctx, delay); err != nil {
				return nil, err
			}
		}
		w.attempts++
	}
	if w.op.Result == "" {
		return body, nil
	}
	raw, ok := member(members(body), w.op.Result)
	if !ok {
		return nil, w.fail(fmt.Errorf("the body has no %s", w.op.Result), "")
	}
	return raw, nil
}

// resultAt is where the result is, if it is not in the last answer.
func (w *waiting) resultAt() (path, address string) {
	var body struct {
		ResourceLocation string `json:"resourceLocation"`
	}
	_ = json.Unmarshal(w.last.Body, &body) // a body that is no object names nothing
	switch {
	case body.ResourceLocation != "":
		return "", w.last.Response.Resolve(body.ResourceLocation)
	case w.op.Result != "" || w.at.Monitor == "":
		return "", ""
	case w.op.Path != "":
		return w.op.Path, ""
	}
	return "", w.at.Final
}

// complaint is what the server says of a failure, in the usual places.
func (w *waiting) complaint() string {
	body := members(w.last.Body)
	for _, path := range []string{"error.message", "error.code", "error", "message", "detail", "failure_reason", "properties.error.message"} {
		raw, _ := member(body, path)
		var text string
		if json.Unmarshal(raw, &text) == nil && text != "" {
			return ErrFailed.Error() + ": " + w.last.Response.Redact(fmt.Sprintf("%.200q", text))
		}
	}
	return ErrFailed.Error()
}

// fail makes the error of a Wait that ends without a result.
func (w *waiting) fail(err error, text string) *WaitError {
	if text == "" {
		text = w.last.Response.Redact(err.Error())
	}
	return &WaitError{
		Operation: "GET " + cmp.Or(w.op.Path, "the operation"), Last: w.last, Attempts: w.attempts,
		Elapsed: time.Since(w.start), Err: err, text: text,
	}
}
