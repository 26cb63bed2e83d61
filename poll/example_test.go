package poll_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/inbox"
	"github.com/aplomb-go/aplomb/poll"
)

// push is an event as an API lists it.
type push struct {
	ID   string    `json:"id"`
	Type string    `json:"type"`
	At   time.Time `json:"created_at"`
}

// pushes is an API with two events.
func pushes() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Poll-Interval", "60")
		w.Header().Set("ETag", `"two"`)
		if r.Header.Get("If-None-Match") == `"two"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode([]push{{ID: "2", Type: "PushEvent"}, {ID: "1", Type: "CreateEvent"}})
	}))
}

// The zero Pace is right for GitHub; this one is for an example that ends soon.
var soon = poll.Pace{Every: 10 * time.Millisecond}

func ExampleFeed_Events() {
	api := pushes()
	defer api.Close()
	c, err := aplomb.New(api.URL)
	if err != nil {
		panic(err)
	}
	feed := &poll.Feed[push]{
		Client: c, Path: "/repos/{owner}/{repo}/events",
		Options: []aplomb.CallOption{aplomb.Path("owner", "octocat"), aplomb.Path("repo", "hello")},
		Key:     func(e push) string { return e.ID },
		Pace:    soon,
	}
	var resume string
	for e, err := range feed.Events(context.Background()) {
		if err != nil {
			panic(err)
		}
		fmt.Println(e.Key, e.Item.Type)
		resume = e.Resume() // keep it, and go on from here another day
		if e.Key == "2" {
			break
		}
	}
	fmt.Println(len(resume) > 0)
	// Output:
	// 1 CreateEvent
	// 2 PushEvent
	// true
}

func ExampleFeed_Run() {
	api := pushes()
	defer api.Close()
	c, err := aplomb.New(api.URL)
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	store := inbox.NewMemory() // a service has inbox.OpenSQL
	feed := &poll.Feed[push]{
		Client: c, Path: "/events", Store: store, Source: "github",
		Key:      func(e push) string { return e.ID },
		Occurred: func(e push) time.Time { return e.At },
		Type:     func(e push) string { return e.Type },
		Pace:     soon,
		Hooks: poll.Hooks{Polled: func(_ context.Context, e poll.PollEvent) {
			fmt.Println(e.New, "new, asked again in a minute:", e.Delay >= time.Minute, e.Why)
			stop()
		}},
	}
	fmt.Println(feed.Run(ctx))
	records, err := store.List(context.Background(), inbox.Query{})
	for i := range records {
		fmt.Println(records[i].Key, records[i].Type, records[i].Via, err)
	}
	// Output:
	// 2 new, asked again in a minute: true hinted
	// context canceled
	// 1 CreateEvent poll <nil>
	// 2 PushEvent poll <nil>
}

func ExampleSnapshot() {
	type machine struct{ ID, State string }
	key := poll.Snapshot(func(m machine) string { return m.ID })
	fmt.Println(key(machine{"m1", "up"}))
	fmt.Println(key(machine{"m1", "up"}) == key(machine{"m1", "down"}))
	// Output:
	// m1:d92636533e4583e81eaf51cea255406c
	// false
}

func ExampleWait() {
	asked := 0
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch asked++; {
		case r.Method == http.MethodPost:
			w.Header().Set("Operation-Location", "/operations/7")
			w.WriteHeader(http.StatusAccepted)
		case asked < 4:
			_, _ = w.Write([]byte(`{"status": "running"}`))
		default:
			_, _ = w.Write([]byte(`{"status": "succeeded", "rows": 1200}`))
		}
	}))
	defer api.Close()
	c, err := aplomb.New(api.URL)
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	var started aplomb.Response
	_, err = aplomb.Post[struct{}](ctx, c, "/exports", aplomb.Capture(&started))
	if err != nil {
		panic(err)
	}
	type export struct {
		Rows int `json:"rows"`
	}
	done, err := poll.Wait[export](ctx, c, poll.Operation{
		Started:  started,
		Pace:     poll.Pace{Every: time.Millisecond, Floor: time.Millisecond}, // for an example that ends soon
		Progress: func(_ context.Context, s poll.Status) { fmt.Println(s.Word) },
	})
	fmt.Println(done.Rows, err)
	// Output:
	// running
	// running
	// succeeded
	// 1200 <nil>
}
