package monitor

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed page.html page.css page.js
var files embed.FS

var pageTemplate = template.Must(template.New("page.html").Funcs(shown).ParseFS(files, "page.html"))

// Page is the live page, to be mounted anywhere:
//
//	http.Handle("/debug/aplomb/", m.Page())
//
// It is one document without anything from elsewhere; it works without JavaScript, and
// is live with it. ?format=json is the [Snapshot], ?format=text what a terminal
// shows, and what curl is given. ?calls=trouble lists the calls that failed or took
// long, ?call=ID has one of them open, and ?refresh=off keeps a page without JavaScript
// as it is. It can be read and no more, and shows no secret. Pages that are live do not
// hold up [http.Server.Shutdown].
//
// Who does not come from this machine is refused, unless [Settings].Allow says
// otherwise. To have one's own authentication decide, open it to all and wrap it:
//
//	m, err := monitor.New(monitor.Settings{Allow: func(*http.Request) bool { return true }})
//	http.Handle("/debug/aplomb/", requireLogin(m.Page()))
//
// A reverse proxy on the same machine makes every visitor look local. A request is
// refused for that reason that has a header which proxies add, such as Forwarded,
// X-Forwarded-For, X-Real-Ip or Via, with whatever value, one by HTTP/1.0, and one by
// another name than localhost: have the proxy set one of them, or keep it from the page.
// What a page of another site asks for is refused as well, unless a reader follows a link.
func (m *Monitor) Page() http.Handler {
	return &page{monitor: m, viewers: make(chan struct{}, maxViewers), news: map[wish]event{}}
}

// maxViewers bounds how many pages are live at a time: each holds a connection, and may
// ask for other calls than the rest.
const maxViewers = 16

type page struct {
	monitor *Monitor
	viewers chan struct{}

	mu   sync.Mutex
	news map[wish]event // the last of each, for those who want the same
}

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	allow, refused := p.monitor.settings.Allow, "Settings.Allow refused this request."
	if allow == nil {
		allow, refused = local, "This page is shown to this machine only. To open it to others, give the monitor Settings.Allow "+
			"that decides who may see it, or come through a tunnel: ssh -L 8080:localhost:8080 host."
	}
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "This page can be read and no more.", http.StatusMethodNotAllowed)
	case !allow(r):
		http.Error(w, refused, http.StatusForbidden)
	default:
		p.serve(w, r)
	}
}

func (p *page) serve(w http.ResponseWriter, r *http.Request) {
	switch asset := r.URL.Query().Get("asset"); asset {
	case "":
	case "page.css", "page.js":
		http.ServeFileFS(w, r, files, asset) //nolint:gosec // one of two names
		return
	default:
		http.NotFound(w, r)
		return
	}
	switch format(r) {
	case "json":
		w.Header().Set("Content-Type", "application/json")
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		_ = e.Encode(p.monitor.Snapshot()) //nolint:errchkjson // the reader has left, if anything
	case "text":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write(text(p.viewOf(r)))
	case "sse":
		p.live(w, r)
	case "html":
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(p.render("page.html", r)) //nolint:gosec // html/template wrote it
	default:
		http.Error(w, "There is no such format: ask for html, json, text, or sse, which is the live stream.", http.StatusBadRequest)
	}
}

// format is what the reader wants: what it says, or what it can show.
func format(r *http.Request) string {
	if f := r.URL.Query().Get("format"); f != "" {
		return f
	}
	accept := r.Header.Get("Accept")
	switch {
	case strings.Contains(accept, "text/html"):
		return "html"
	case strings.Contains(accept, "application/json"):
		return "json"
	case accept == "" || strings.Contains(accept, "*/*"):
		return "text"
	}
	return "html"
}

// render is the page, or its part of that name.
func (p *page) render(name string, r *http.Request) []byte {
	var b bytes.Buffer
	if err := pageTemplate.ExecuteTemplate(&b, name, p.viewOf(r)); err != nil {
		return []byte(template.HTMLEscapeString("The page cannot be shown: " + err.Error()))
	}
	return b.Bytes()
}

// refresh is how often a live page is, and lag how long a reader may be behind.
const (
	refresh = time.Second
	lag     = 5 * time.Second
)

// live sends the page's main part each second, until the reader leaves or the server
// shuts down.
func (p *page) live(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // of nginx, in which it would arrive late
	if r.Method == http.MethodHead {
		return // it has no body to wait for, and would never end
	}
	select {
	case p.viewers <- struct{}{}:
		defer func() { <-p.viewers }()
	default:
		http.Error(w, strconv.Itoa(maxViewers)+" pages are live already, and no more can be: close one.", http.StatusServiceUnavailable)
		return
	}
	out, closing := http.NewResponseController(w), shutdowns.begun(r.Context())
	since := time.Now()
	for {
		_ = out.SetWriteDeadline(time.Now().Add(lag))                               // as far as the server can
		if _, err := w.Write(p.event(r, since)); err != nil || out.Flush() != nil { //nolint:gosec // html/template wrote it
			return
		}
		since = time.Now().Truncate(refresh).Add(refresh) // the same moment for all
		select {
		case <-time.After(time.Until(since)):
		case <-r.Context().Done():
			return
		case <-closing:
			return
		}
	}
}

// event is the page's main part as a message of the live stream.
type event struct {
	made time.Time
	text []byte
}

// event is what one viewer is sent: one made since then for another who wants the same,
// or else a new one, so that many viewers cost what one does.
func (p *page) event(r *http.Request, since time.Time) []byte {
	want := wishOf(r.URL.Query())
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now().Round(0) // by the clock on the wall, which may be set back
	if e, ok := p.news[want]; ok && !e.made.Before(since) && !e.made.After(now) {
		return e.text
	}
	maps.DeleteFunc(p.news, func(_ wish, e event) bool { return now.Sub(e.made).Abs() >= refresh })
	e := event{made: now, text: message(p.render("main", r))}
	p.news[want] = e
	return e.text
}

// message has each line of a text be a line of a server-sent event.
func message(text []byte) []byte {
	var b bytes.Buffer
	for line := range bytes.Lines(bytes.TrimSpace(text)) {
		b.WriteString("data: ")
		b.Write(bytes.TrimRight(line, "\r\n"))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// local reports a request that comes from this machine, and not by way of a proxy, of a
// page of another site or of a name that somebody else has pointed here.
func local(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !from.Addr().Unmap().IsLoopback() || forwarded(r) || foreign(r) {
		return false
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

// forwarders are the headers that proxies add, in lower case, and what those begin with
// that come in many kinds.
var (
	forwarders = []string{
		"cf-connecting-ip", "fastly-client-ip", "forwarded", "true-client-ip", "via", "x-client-ip", "x-cluster-client-ip", "x-real-ip",
	}
	forwarderKinds = []string{"x-envoy-", "x-forwarded-", "x-original-"}
)

// forwarded reports a request by way of a proxy: one with a header of theirs, whatever
// its value, for the first of several may be empty; or by HTTP/1.0, which is what nginx
// speaks to us unless it is told otherwise.
func forwarded(r *http.Request) bool {
	for name := range r.Header {
		name = strings.ToLower(name)
		begins := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
		if slices.Contains(forwarders, name) || slices.ContainsFunc(forwarderKinds, begins) {
			return true
		}
	}
	return !r.ProtoAtLeast(1, 1)
}

// foreign reports a request that a page of another site has made, as for an image; a
// reader who follows a link from there is welcome, for that page cannot read what is shown.
func foreign(r *http.Request) bool {
	link := r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	return r.Header.Get("Sec-Fetch-Site") == "cross-site" && !link
}
