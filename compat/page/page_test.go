// Package page_test opens the monitor's live page in a real browser while an API is
// down, and comes up again.
package page_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/compat/need"
	"github.com/aplomb-go/aplomb/monitor"
)

// axeVersion is the checker of accessibility that the page is held to.
const axeVersion = "4.14.1"

// at is the moment that the page shows.
const at = `document.querySelector("#top small").innerText`

// patience bounds each wait for the browser, which is real.
const patience = 30 * time.Second

// outage is an API that can be down, and what calls it.
type outage struct {
	down    atomic.Bool
	left    atomic.Int64
	monitor *monitor.Monitor
	orders  *aplomb.Client
	page    string
	server  *httptest.Server // of the page
}

func newOutage(t *testing.T) *outage {
	t.Helper()
	o := &outage{}
	o.left.Store(1_000_000)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Ratelimit-Limit", "1000000")
		w.Header().Set("X-Ratelimit-Remaining", strconv.FormatInt(o.left.Add(-1), 10))
		w.Header().Set("X-Ratelimit-Reset", "3600")
		if o.down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, `{}`)
	}))
	t.Cleanup(api.Close)
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "50")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(busy.Close)
	var err error
	if o.monitor, err = monitor.New(monitor.Settings{}); err != nil {
		t.Fatal(err)
	}
	if o.orders, err = aplomb.New(api.URL, aplomb.Name("orders"), aplomb.NoRetry(), o.monitor.Option()); err != nil {
		t.Fatal(err)
	}
	if err := o.monitor.Explain(o.orders); err != nil {
		t.Fatal(err)
	}
	billing, err := aplomb.New(busy.URL, aplomb.Name("billing"), o.monitor.Option())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = aplomb.Get[struct{}](ctx, billing, "/v1/invoices/{id}", aplomb.Path("id", "in_1"))
	})
	for len(o.monitor.Snapshot().Waiting) == 0 { // so that it is the first in the list
		time.Sleep(time.Millisecond)
	}
	exhausted := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Ratelimit-Limit", "100")
		w.Header().Set("X-Ratelimit-Remaining", "0")
		w.Header().Set("X-Ratelimit-Reset", "50")
		_, _ = io.WriteString(w, `{}`)
	}))
	t.Cleanup(exhausted.Close)
	reports, err := aplomb.New(exhausted.URL, aplomb.Name("reports"), o.monitor.Option())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = aplomb.Get[struct{}](ctx, reports, "/v1/a-rather-long-name-of-an-operation/{id}/reports", aplomb.Path("id", "1"))
	for range 30 {
		wg.Go(func() { _, _ = aplomb.Get[struct{}](ctx, reports, "/v1/reports/{id}", aplomb.Path("id", "1")) })
	}
	page := httptest.NewServer(o.monitor.Page())
	o.page, o.server = page.URL, page
	t.Cleanup(func() { cancel(); wg.Wait(); page.CloseClientConnections(); page.Close() })
	return o
}

// call makes n calls; what comes of them is the page's to say.
func (o *outage) call(n int) {
	for range n {
		_, _ = aplomb.Get[struct{}](context.Background(), o.orders, "/v1/orders/{id}", aplomb.Path("id", "1"))
	}
}

// browser starts a headless one.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		need.Missingf(t, "no Chromium: apt-get install chromium-headless-shell")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Run(ctx); err != nil {
		need.Missingf(t, "Chromium does not start: %v", err)
	}
	return ctx
}

// checker is axe-core's script.
func checker(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	npm := exec.Command("npm", "pack", "--silent", "axe-core@"+axeVersion)
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		need.Missingf(t, "npm pack axe-core: %v: %s", err, out)
	}
	f, err := os.Open(filepath.Join(dir, "axe-core-"+axeVersion+".tgz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for files := tar.NewReader(z); ; {
		h, err := files.Next()
		if err != nil {
			t.Fatal(err)
		}
		if h.Name == "package/axe.min.js" {
			raw, err := io.ReadAll(files)
			if err != nil {
				t.Fatal(err)
			}
			return string(raw)
		}
	}
}

// until waits for what a script says of the page.
func until(t *testing.T, ctx context.Context, script string) {
	t.Helper()
	var ok bool
	err := chromedp.Run(ctx, chromedp.Poll(script, &ok, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(patience)))
	if err != nil {
		var html string
		_ = chromedp.Run(ctx, chromedp.Evaluate(`document.querySelector("main").innerText`, &html))
		t.Fatalf("%s: %v\n%s", script, err, html)
	}
}

// quoteOf is what a script says of the page now, quoted.
func quoteOf(t *testing.T, ctx context.Context, script string) string {
	t.Helper()
	var s string
	if err := chromedp.Run(ctx, chromedp.Evaluate(script, &s)); err != nil {
		t.Fatal(err)
	}
	return strconv.Quote(s)
}

// TestPageThatIsNotLive: it says so, and since when.
func TestPageThatIsNotLive(t *testing.T) {
	ctx := browser(t)
	o := newOutage(t)
	o.call(3)
	const notice = `document.getElementById("notice")`
	live := notice + `.hidden && document.getElementById("said").textContent !== ""`
	if err := chromedp.Run(ctx, chromedp.EmulateViewport(400, 1000), chromedp.Navigate(o.page)); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, live)

	// The button keeps its label, and its state is said.
	if err := chromedp.Run(ctx, chromedp.Click("#pause")); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, notice+`.innerText.startsWith("Paused at ") && pause.innerText === "Pause" && pause.getAttribute("aria-pressed") === "true"`)
	if err := chromedp.Run(ctx, chromedp.Click("#pause")); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, live+` && pause.innerText === "Pause" && pause.getAttribute("aria-pressed") === "false"`)

	// One viewer too many is shown the page all the same, by fetching it.
	if err := chromedp.Run(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	var others []io.Closer
	for places := 16; places > 0; { // the browser's own may be taken for a moment still
		resp, err := o.server.Client().Get(o.page + "?format=sse") //nolint:noctx // closed below
		if err != nil || ctx.Err() != nil {
			t.Fatal(err, ctx.Err())
		}
		if resp.StatusCode != http.StatusOK {
			_ = resp.Body.Close()
			continue
		}
		others = append(others, resp.Body)
		places--
	}
	if err := chromedp.Run(ctx, chromedp.Navigate(o.page)); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, notice+`.innerText.match(/^Not live, as of [0-9:]+ UTC: 16 pages are live already.*fetched every five seconds/) !== null`)
	o.call(1)
	until(t, ctx, at+" !== "+quoteOf(t, ctx, at))
	shot(t, ctx, "fetched")
	for _, other := range others {
		_ = other.Close()
	}
	until(t, ctx, live)

	// A connection that is lost.
	o.server.CloseClientConnections()
	o.server.Listener.Close()
	until(t, ctx, notice+`.innerText.match(/^Not live since [0-9:]+ UTC: /) !== null && `+notice+`.getAttribute("role") === "status"`)
	shot(t, ctx, "stale")
}

// shot takes a picture where PAGE_SHOTS names a folder.
func shot(t *testing.T, ctx context.Context, state string) {
	t.Helper()
	dir := os.Getenv("PAGE_SHOTS")
	if dir == "" {
		return
	}
	var picture []byte
	if err := chromedp.Run(ctx, chromedp.FullScreenshot(&picture, 100)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, state+".png"), picture, 0o600); err != nil {
		t.Error(err)
	}
}

func TestLivePage(t *testing.T) {
	ctx, axe := browser(t), checker(t)
	o := newOutage(t)
	var mu sync.Mutex
	var complaints []string
	chromedp.ListenTarget(ctx, func(ev any) {
		mu.Lock()
		defer mu.Unlock()
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, ev.ExceptionDetails.Error())
		case *runtime.EventConsoleAPICalled:
			if ev.Type == runtime.APITypeError || ev.Type == runtime.APITypeWarning {
				complaints = append(complaints, fmt.Sprint("console: ", ev.Type))
			}
		case *log.EventEntryAdded: //nolint:forbidigo // the browser's
			complaints = append(complaints, ev.Entry.Text) //nolint:forbidigo // as above
		}
	})
	o.call(50)
	if err := chromedp.Run(ctx, log.Enable(), chromedp.EmulateViewport(1400, 1000), chromedp.Navigate(o.page)); err != nil { //nolint:forbidigo // as above
		t.Fatal(err)
	}
	const card = `document.querySelector("[id^='card-orders-']")`
	until(t, ctx, card+`.classList.contains("healthy")`)
	until(t, ctx, `document.querySelector("#waiting").innerText.includes("billing GET /v1/invoices/{id}")`)
	looks(t, ctx, "healthy", axe)

	// The quota counts down.
	const left = `document.getElementById("card-orders").querySelector(".quota").innerText`
	var before string
	if err := chromedp.Run(ctx, chromedp.Evaluate(left, &before)); err != nil {
		t.Fatal(err)
	}
	o.call(5)
	until(t, ctx, fmt.Sprintf(`%s !== %q && %s.includes(" of 1000000")`, left, before, left))

	// It turns red, and says when it will be tried; the worst is at the top.
	if err := chromedp.Run(ctx, chromedp.Click(`#calls details summary`)); err != nil { // what is opened stays so
		t.Fatal(err)
	}
	o.down.Store(true)
	o.call(60)
	until(t, ctx, card+`.classList.contains("down")`)
	until(t, ctx, card+`.querySelector(".circuit").innerText.match(/Circuit open.*probe/s) !== null`)
	until(t, ctx, `document.querySelector("main").firstElementChild.innerText.match(/down.*the circuit is open/s) !== null && document.title.startsWith("down")`)
	until(t, ctx, `document.querySelectorAll("#calls details[open]").length === 1`)
	if err := chromedp.Run(ctx, chromedp.Click(`details[id^="policy"] summary`), chromedp.Click(`#clients .card.down details summary`)); err != nil {
		t.Fatal(err)
	}
	looks(t, ctx, "down", axe)
	until(t, ctx, `document.activeElement.closest(".card.down") !== null`) // the focus has stayed

	// Each reason leads to what it is about.
	until(t, ctx, `[...document.querySelectorAll("#top a")].every(a => document.getElementById(decodeURIComponent(a.hash.slice(1))) !== null)`)
	until(t, ctx, `new Set([...document.querySelectorAll("[id]")].map(e => e.id)).size === document.querySelectorAll("[id]").length`)

	// What is selected is held, and the worst news is not.
	const pick = `getSelection().selectAllChildren(document.querySelector("#waiting table")), getSelection().toString()`
	var picked, still string
	if err := chromedp.Run(ctx, chromedp.Evaluate(pick, &picked)); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, `!document.getElementById("held").hidden`)
	until(t, ctx, at+" !== "+quoteOf(t, ctx, at))
	if err := chromedp.Run(ctx, chromedp.Evaluate(`getSelection().toString()`, &still), chromedp.Evaluate(`getSelection().removeAllRanges()`, nil)); err != nil {
		t.Fatal(err)
	}
	if still != picked || picked == "" {
		t.Errorf("what was selected is %q, was %q", still, picked)
	}
	until(t, ctx, `document.getElementById("held").hidden`)

	// And green again.
	o.down.Store(false)
	for range 200 {
		o.call(50)
		all := o.monitor.Snapshot().Clients
		i := slices.IndexFunc(all, func(c monitor.Client) bool { return c.Name == "orders" })
		if i >= 0 && all[i].Health.Status == monitor.Healthy {
			break
		}
		if errors.Is(ctx.Err(), context.Canceled) {
			t.Fatal(ctx.Err())
		}
	}
	until(t, ctx, card+`.classList.contains("healthy")`)

	// Without scripts it is the same page, by itself anew every five seconds.
	var text string
	err := chromedp.Run(ctx, emulation.SetScriptExecutionDisabled(true), chromedp.Navigate(o.page),
		chromedp.Text("main", &text, chromedp.ByQuery), emulation.SetScriptExecutionDisabled(false))
	if err != nil || !strings.Contains(text, "Why is it waiting?") {
		t.Errorf("without JavaScript: %v: %.200s", err, text)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(complaints) > 0 {
		t.Errorf("the browser complains: %q", complaints)
	}
}

// looks has the page checked at both widths, light and dark: nothing is cut, and axe
// finds nothing. PAGE_SHOTS names a folder for pictures.
func looks(t *testing.T, ctx context.Context, state, axe string) {
	t.Helper()
	for _, width := range []int64{400, 1400} {
		for _, scheme := range []string{"light", "dark"} {
			var over int64
			var found []string
			var picture []byte
			err := chromedp.Run(ctx,
				chromedp.EmulateViewport(width, 1000),
				emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
				chromedp.Evaluate(`document.documentElement.scrollWidth - innerWidth`, &over),
				chromedp.Evaluate(axe+";0", nil),
				chromedp.Evaluate(`axe.run().then(r => r.violations.map(v => v.id + ": " + v.nodes.map(n => n.html + " " + n.failureSummary).join("; ")))`, &found,
					func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }),
				chromedp.FullScreenshot(&picture, 100),
			)
			if err != nil {
				t.Fatal(err)
			}
			if over > 0 {
				t.Errorf("%s, %d px, %s: %d px are cut", state, width, scheme, over)
			}
			for _, f := range found {
				t.Errorf("%s, %d px, %s: %s", state, width, scheme, f)
			}
			if dir := os.Getenv("PAGE_SHOTS"); dir != "" {
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", state, width, scheme)), picture, 0o600); err != nil {
					t.Error(err)
				}
			}
		}
	}
}
