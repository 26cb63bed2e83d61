package poll_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
	"github.com/aplomb-go/aplomb/poll"
)

// script answers each path with its answers, one after another, the last for
// ever, and notes what it was asked.
type script struct {
	answers map[string][]answer

	mu   sync.Mutex
	seen []string
	at   []time.Time
}

type answer struct {
	status int
	body   string
	header []string
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	key := r.Method + " " + r.URL.Path
	s.seen, s.at = append(s.seen, key), append(s.at, time.Now())
	left := s.answers[key]
	if len(left) > 1 {
		s.answers[key] = left[1:]
	}
	s.mu.Unlock()
	if len(left) == 0 {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	a := left[0]
	for i := 0; i+1 < len(a.header); i += 2 {
		w.Header().Set(a.header[i], a.header[i+1])
	}
	if a.body != "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(a.status)
	_, _ = w.Write([]byte(a.body))
}

func ok(body string, header ...string) answer { return answer{200, body, header} }

func going(header ...string) answer { return answer{202, "", header} }

type export struct {
	ID  string `json:"id"`
	URL string `json:"url"`
}

// begun starts an operation.
func begun(t *testing.T, c *aplomb.Client) (r aplomb.Response) {
	t.Helper()
	_, err := aplomb.Post[struct{}](t.Context(), c, "/exports", aplomb.Capture(&r))
	assert.NoError(t, err)
	return r
}

// TestWait waits for operations of the usual kinds.
func TestWait(t *testing.T) {
	t.Parallel()
	const done, result = `{"id":"e1","status":"succeeded","url":"/f"}`, `{"id":"r","url":"/f"}`
	running := ok(`{"id":"e1","status":"running"}`)
	want := export{"e1", "/f"}
	elsewhere := export{"r", "/f"}
	for name, tt := range map[string]struct {
		start   answer // of POST /exports; none if its status is 0
		op      poll.Operation
		answers map[string][]answer
		seen    string
		want    export
	}{
		"by path":              {op: poll.Operation{Path: "/exports/e1"}, answers: map[string][]answer{"GET /exports/e1": {running, running, ok(done)}}, seen: "GET /exports/e1, 3", want: want},
		"done already":         {op: poll.Operation{Path: "/exports/e1"}, answers: map[string][]answer{"GET /exports/e1": {ok(done)}}, seen: "GET /exports/e1", want: want},
		"by Location":          {start: going("Location", "/ops/1"), answers: map[string][]answer{"GET /ops/1": {going(), going(), ok(done)}}, seen: "GET /ops/1, 3", want: want},
		"by a Location beside": {start: going("Location", "1"), answers: map[string][]answer{"GET /1": {going(), ok(done)}}, seen: "GET /1, 2", want: want},
		"by a Location that is moved": {start: going("Location", "/ops/1"),
			answers: map[string][]answer{"GET /ops/1": {going("Location", "/ops/2")}, "GET /ops/2": {going(), ok(done)}}, seen: "GET /ops/1; GET /ops/2, 2", want: want},
		"by Operation-Location": {start: going("Operation-Location", "/ops/1"), answers: map[string][]answer{"GET /ops/1": {running, ok(done)}}, seen: "GET /ops/1, 2", want: want},
		"by Operation-Location, the result at Location": {start: going("Operation-Location", "/ops/1", "Location", "/r"),
			answers: map[string][]answer{"GET /ops/1": {running, ok(done)}, "GET /r": {ok(result)}}, seen: "GET /ops/1, 2; GET /r", want: elsewhere},
		"by Azure-AsyncOperation, the result at the path": {start: answer{201, "", []string{"Azure-AsyncOperation", "/ops/1"}}, op: poll.Operation{Path: "/exports/e1"},
			answers: map[string][]answer{"GET /ops/1": {ok(`{"status":"InProgress"}`), ok(`{"status":"Succeeded"}`)}, "GET /exports/e1": {ok(result)}},
			seen:    "GET /ops/1, 2; GET /exports/e1", want: elsewhere},
		"the result where the body says": {start: going("Operation-Location", "/ops/1"),
			answers: map[string][]answer{"GET /ops/1": {ok(`{"status":"Succeeded","resourceLocation":"/r"}`)}, "GET /r": {ok(result)}}, seen: "GET /ops/1; GET /r", want: elsewhere},
		"the result at a path of its own": {op: poll.Operation{Path: "/exports/e1", ResultPath: "/exports/e1/result"},
			answers: map[string][]answer{"GET /exports/e1": {ok(done)}, "GET /exports/e1/result": {ok(result)}}, seen: "GET /exports/e1; GET /exports/e1/result", want: elsewhere},
		"by a link":       {start: going("Link", `</ops/1>; rel="status"`), answers: map[string][]answer{"GET /ops/1": {going(), ok(done)}}, seen: "GET /ops/1, 2", want: want},
		"a redirect ends": {start: going("Location", "/ops/1"), answers: map[string][]answer{"GET /ops/1": {going(), {303, "", []string{"Location", "/r"}}}, "GET /r": {ok(`{"id":"r","url":"/f","status":"active"}`)}}, seen: "GET /ops/1, 2; GET /r", want: elsewhere},
		"as Google has it": {op: poll.Operation{Path: "/v1/ops/1", Result: "response"},
			answers: map[string][]answer{"GET /v1/ops/1": {ok(`{"name":"ops/1","metadata":{}}`), ok(`{"name":"ops/1","done":false}`), ok(`{"name":"ops/1","done":true,"response":` + result + `}`)}},
			seen:    "GET /v1/ops/1, 3", want: elsewhere},
		"as Azure's resources have it": {op: poll.Operation{Path: "/vm"},
			answers: map[string][]answer{"GET /vm": {ok(`{"properties":{"provisioningState":"Creating"}}`), ok(`{"id":"e1","url":"/f","properties":{"provisioningState":"Succeeded"}}`)}}, seen: "GET /vm, 2", want: want},
		"the result in the state, though there is a path": {start: going("Operation-Location", "/ops/1"), op: poll.Operation{Path: "/exports/e1", Result: "result"},
			answers: map[string][]answer{"GET /ops/1": {running, ok(`{"status":"done","result":` + result + `}`)}}, seen: "GET /ops/1, 2", want: elsewhere},
		"in words of its own": {op: poll.Operation{Path: "/job", Field: "job.phase", Done: []string{"READY_TO-GO"}},
			answers: map[string][]answer{"GET /job": {ok(`{"job":{"phase":"completed"}}`), ok(`{"id":"e1","url":"/f","job":{"phase":"ready to go"}}`)}}, seen: "GET /job, 2", want: want},
		"by a judge": {op: poll.Operation{Path: "/job", Judge: func(s poll.Status) poll.State {
			if strings.Contains(string(s.Body), `"left":0`) {
				return poll.StateDone
			}
			return poll.StatePending
		}}, answers: map[string][]answer{"GET /job": {ok(`{"left":2}`), ok(`{"left":0,"id":"e1","url":"/f"}`)}}, seen: "GET /job, 2", want: want},
		"nothing at the end": {start: going("Location", "/ops/1"), answers: map[string][]answer{"GET /ops/1": {going(), {204, "", nil}}}, seen: "GET /ops/1, 2"},
		"through failures": {op: poll.Operation{Path: "/job"},
			answers: map[string][]answer{"GET /job": {{500, "", nil}, {503, "", nil}, {429, "", nil}, {502, "", nil}, {500, "", nil}, running, {500, "", nil}, ok(done)}}, seen: "GET /job, 8", want: want},
		"a placeholder is no error": {op: poll.Operation{Path: "/job"}, answers: map[string][]answer{"GET /job": {ok(`{"id":"e1","url":"/f","status":"done","error":""}`)}}, seen: "GET /job", want: want},
	} {
		bubble(t, name, func(t *testing.T) {
			s := &script{answers: tt.answers}
			s.answers["POST /exports"] = []answer{tt.start}
			c := client(t, s)
			if tt.start.status != 0 {
				tt.op.Started = begun(t, c)
				s.seen = nil
			}
			got, err := poll.Wait[export](t.Context(), c, tt.op)
			assert.NoError(t, err)
			assert.Equal(t, got, tt.want)
			assert.Equal(t, runs(s.seen), tt.seen)
		})
	}
}

// runs writes repetitions as a number.
func runs(all []string) string {
	var out []string
	for i := 0; i < len(all); {
		n := 1
		for i+n < len(all) && all[i+n] == all[i] {
			n++
		}
		if out = append(out, all[i]); n > 1 {
			out[len(out)-1] += fmt.Sprintf(", %d", n)
		}
		i += n
	}
	return strings.Join(out, "; ")
}

func TestWaitPace(t *testing.T) {
	t.Parallel()
	gaps := func(s *script) (all []time.Duration) {
		for i := 1; i < len(s.at); i++ {
			all = append(all, s.at[i].Sub(s.at[i-1]))
		}
		return all
	}
	within := func(t *testing.T, got time.Duration, want time.Duration) {
		t.Helper()
		assert.True(t, got >= want && got <= want+want/10, got, want)
	}
	bubble(t, "is the server's", func(t *testing.T) {
		s := &script{answers: map[string][]answer{
			"POST /exports": {going("Location", "/1", "Retry-After", "20")},
			"GET /1":        {going("Retry-After", "7"), going("Retry-After-Ms", "1500"), going("X-Ms-Retry-After-Ms", "100"), going("Retry-After", "2700"), ok("{}")},
		}}
		c := client(t, s)
		_, err := poll.Wait[struct{}](t.Context(), c, poll.Operation{Started: begun(t, c)})
		assert.NoError(t, err)
		got := gaps(s)
		assert.Equal(t, got[0], 20*time.Second)
		for i, want := range []time.Duration{7 * time.Second, 1500 * time.Millisecond, time.Second, 15 * time.Minute} {
			within(t, got[i+1], want)
		}
	})
	bubble(t, "is ours without hints, and slows down while nothing moves", func(t *testing.T) {
		s := &script{answers: map[string][]answer{"GET /job": {
			ok(`{"status":"queued"}`), ok(`{"status":"running","percent":1}`), ok(`{"status":"running","percent":2}`), ok(`{"status":"running","percent":2}`),
			ok(`{"status":"running","percent":2}`), ok(`{"status":"running","percent":2}`), ok(`{"status":"running","percent":2}`), ok(`{"status":"running","percent":3}`), ok(`{"status":"done"}`),
		}}}
		c := client(t, s)
		_, err := poll.Wait[struct{}](t.Context(), c, poll.Operation{Path: "/job", Pace: poll.Pace{Every: 3 * time.Second, Max: 10 * time.Second}})
		assert.NoError(t, err)
		for i, want := range []int{3, 3, 3, 3, 3, 3, 6, 3} {
			within(t, gaps(s)[i], time.Duration(want)*time.Second)
		}
	})
	bubble(t, "ends before a wait that would outlast the deadline", func(t *testing.T) {
		s := &script{answers: map[string][]answer{"GET /job": {ok(`{"status":"running"}`, "Retry-After", "60")}}}
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
		defer cancel()
		start := time.Now()
		_, err := poll.Wait[struct{}](ctx, client(t, s), poll.Operation{Path: "/job"})
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		var e *poll.WaitError
		assert.True(t, errors.As(err, &e))
		took := time.Since(start)
		within(t, took, 120*time.Second)
		assert.True(t, took < 150*time.Second && time.Until(e.ReadyAt) >= time.Minute, took, e.ReadyAt)
		assert.Equal(t, [2]any{e.Attempts, e.Last.Word}, [2]any{3, "running"})
		assert.Contains(t, err.Error(), `poll: GET /job: not done, and the deadline is before the next request, last state "running" (3 requests, 2m`)
	})
	bubble(t, "ends with its context", func(t *testing.T) {
		s := &script{answers: map[string][]answer{"GET /job": {ok(`{"status":"running"}`, "Retry-After", "60")}}}
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("the user left")
		time.AfterFunc(90*time.Second, func() { cancel(why) })
		start := time.Now()
		_, err := poll.Wait[struct{}](ctx, client(t, s), poll.Operation{Path: "/job"})
		assert.ErrorIs(t, err, why)
		assert.Equal(t, time.Since(start), 90*time.Second)
	})
}

func TestWaitFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		op      poll.Operation
		answers []answer
		is      error
		want    string
		n       int
	}{
		"failed":          {answers: []answer{ok(`{"status":"failed","error":{"code":"no_disk","message":"The disk is full"}}`)}, is: poll.ErrFailed, want: `poll: GET /job: the operation failed: "The disk is full", last state "failed" (1 request, 0s)`, n: 1},
		"done with error": {answers: []answer{ok(`{"done":true,"error":{"message":"no"}}`)}, is: poll.ErrFailed, want: `the operation failed: "no", last state "true"`, n: 1},
		"with a secret":   {answers: []answer{ok(`{"status":"canceled","message":"key sk_live_` + "51HxPlantedPlantedPlanted" + `"}`)}, is: poll.ErrFailed, want: `the operation failed: "key `, n: 1},
		"not found":       {answers: []answer{{404, "", nil}}, want: "poll: GET /job: test: GET /job: 404 Not Found", n: 1},
		"no credential":   {answers: []answer{ok(`{"status":"running"}`), {401, "", nil}}, want: "test: GET /job: 401", n: 2},
		"too often":       {op: poll.Operation{Tolerate: 2}, answers: []answer{{500, "", nil}}, want: "test: GET /job: 500", n: 3},
		"a strange state": {op: poll.Operation{Done: []string{"on"}, Pending: []string{"wait"}}, answers: []answer{ok(`{"status":"wait"}`), ok(`{"status":"lost"}`)}, want: `poll: GET /job: the state is none of Done, Failed and Pending, last state "lost"`, n: 2},
		"no state":        {op: poll.Operation{Field: "phase"}, answers: []answer{ok(`{"status":"done"}`)}, want: "the body has no phase", n: 1},
		"no result":       {op: poll.Operation{Result: "response"}, answers: []answer{ok(`{"status":"done"}`)}, want: "the body has no response", n: 1},
		"another result":  {answers: []answer{ok(`{"status":"done","id":7}`)}, want: "decode the result: json: cannot unmarshal number into Go struct field export.id of type string", n: 1},
	} {
		bubble(t, name, func(t *testing.T) {
			s := &script{answers: map[string][]answer{"GET /job": tt.answers}}
			tt.op.Path = "/job"
			_, err := poll.Wait[export](t.Context(), client(t, s), tt.op)
			var e *poll.WaitError
			assert.True(t, errors.As(err, &e))
			assert.Equal(t, e.Attempts, tt.n)
			if tt.is != nil {
				assert.ErrorIs(t, err, tt.is)
			}
			assert.Contains(t, err.Error(), tt.want)
			for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
				assert.NotContains(t, fmt.Sprintf(verb, err), "PlantedPlanted")
				assert.NotContains(t, fmt.Sprintf(verb, e.Last), "PlantedPlanted")
			}
		})
	}
	for want, op := range map[string]poll.Operation{
		"poll: Wait does not know what to ask":       {},
		"poll: Operation.Token is none that Wait":    {Token: "x"},
		"or made by another version of this package": {Token: `{"v":9,"monitor":"/x"}`},
		"poll: Operation.Tolerate is negative":       {Path: "/x", Tolerate: -1},
		"poll: Pace.Floor: -1ns is no time to wait:": {Path: "/x", Pace: poll.Pace{Floor: -1}},
	} {
		c, err := aplomb.New("http://api.test")
		assert.NoError(t, err)
		_, err = poll.Wait[export](t.Context(), c, op)
		assert.Contains(t, fmt.Sprint(err), want)
		_, err = poll.Wait[export](t.Context(), nil, op)
		assert.Contains(t, fmt.Sprint(err), "poll: Wait: the client is nil")
	}
}

// TestWaitGoesOn: a process ends in the middle, another goes on with its token.
func TestWaitGoesOn(t *testing.T) {
	t.Parallel()
	bubble(t, "with a token", func(t *testing.T) {
		s := &script{answers: map[string][]answer{
			"POST /exports": {going("Operation-Location", "/ops/1", "Location", "/r")},
			"GET /ops/1":    {ok(`{"status":"running"}`), ok(`{"status":"running"}`), ok(`{"status":"succeeded"}`)},
			"GET /r":        {ok(`{"id":"r"}`)},
		}}
		secret := "t0ken-" + "planted"
		c := client(t, s, aplomb.Bearer(aplomb.Static(secret)))
		var kept string
		var told []string
		ctx, cancel := context.WithCancel(t.Context())
		_, err := poll.Wait[export](ctx, c, poll.Operation{Started: begun(t, c), Progress: func(_ context.Context, p poll.Status) {
			kept = p.Token
			if told = append(told, fmt.Sprintf("%s %s %t", p.State, p.Word, p.Token != "")); len(told) == 2 {
				cancel()
			}
		}})
		assert.Equal(t, told, []string{"  true", "pending running true"}, "a token before the first request, too")
		assert.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, kept, `{"v":1,"monitor":"http://api.test/ops/1","final":"http://api.test/r"}`)
		assert.NotContains(t, kept, secret)
		assert.True(t, json.Valid([]byte(kept)))
		got, err := poll.Wait[export](t.Context(), c, poll.Operation{Token: kept})
		assert.NoError(t, err)
		assert.Equal(t, got.ID, "r")
	})
	bubble(t, "with bytes as they came", func(t *testing.T) {
		s := &script{answers: map[string][]answer{"GET /job": {ok(`{"status":"done", "x":1}`)}}}
		got, err := poll.Wait[[]byte](t.Context(), client(t, s), poll.Operation{Path: "/job"})
		assert.NoError(t, err)
		assert.Equal(t, string(got), `{"status":"done", "x":1}`)
	})
}

// TestLaw4_APollingLocationElsewhereGetsNoCredential.
func TestLaw4_APollingLocationElsewhereGetsNoCredential(t *testing.T) {
	t.Parallel()
	bubble(t, "another origin", func(t *testing.T) {
		var sent []string
		api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Host == "evil.test" {
				sent = append(sent, r.Header.Get("Authorization"))
			}
			if r.Method == http.MethodPost {
				w.Header().Set("Location", "http://evil.test/ops")
				w.WriteHeader(http.StatusAccepted)
				return
			}
			_, _ = w.Write([]byte(`{"status":"done"}`))
		})
		c := client(t, api, aplomb.Bearer(aplomb.Static("t0ken-"+"planted")))
		_, err := poll.Wait[struct{}](t.Context(), c, poll.Operation{Started: begun(t, c)})
		assert.NoError(t, err)
		assert.Equal(t, sent, []string{""})
	})
}
