package pages_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-github/v88/github"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/bench/internal/beside"
)

// token is fake, and put together so that no scanner takes it for a real one.
const token = "ghp_" + "made0up"

const firstPage = "/repos/octocat/hello/issues?per_page=100"

func BenchmarkPages(b *testing.B) {
	b.Run("link-100x100", func(b *testing.B) { beside.Benchmark(b, ways(b)) })
}

// TestWays: each goes through the whole list.
func TestWays(t *testing.T) {
	t.Parallel()
	for _, w := range ways(t) {
		if err := w.Run(); err != nil {
			t.Errorf("%s: %v", w.Name, err)
		}
	}
}

// ways are the ways to go through the list.
func ways(tb testing.TB) []beside.Way {
	tb.Helper()
	rt := newServer()
	c, err := aplomb.New(base, aplomb.Bearer(aplomb.Static(token)), aplomb.Transport(rt))
	if err != nil {
		tb.Fatal(err)
	}
	gh, err := github.NewClient(github.WithTransport(rt), github.WithAuthToken(token))
	if err != nil {
		tb.Fatal(err)
	}
	client := &http.Client{Transport: rt}
	return []beside.Way{
		{Name: "aplomb", Run: func() error {
			var s sum
			for it, err := range aplomb.Items[item](context.Background(), c, "/repos/octocat/hello/issues", aplomb.ByLink{}, aplomb.Query("per_page", "100")) {
				if err != nil {
					return err
				}
				s.add(&it)
			}
			return s.check()
		}},
		{Name: "hand-loop", Run: func() error {
			var s sum
			for next := base + firstPage; next != ""; {
				items, link, err := handPage(client, next)
				if err != nil {
					return err
				}
				for i := range items {
					s.add(&items[i])
				}
				next = nextOf(link)
			}
			return s.check()
		}},
		{Name: "go-github", Run: func() error {
			var s sum
			for page := 1; page != 0; {
				var items []item
				req, err := gh.NewRequest(context.Background(), http.MethodGet, fmt.Sprintf("repos/octocat/hello/issues?per_page=100&page=%d", page), nil)
				if err != nil {
					return err
				}
				resp, err := gh.Do(req, &items)
				if err != nil {
					return err
				}
				for i := range items {
					s.add(&items[i])
				}
				page = resp.NextPage
			}
			return s.check()
		}},
	}
}

// sum is what a program does with the items.
type sum struct{ items, numbers, comments int }

func (s *sum) add(it *item) {
	s.items++
	s.numbers += it.Number
	s.comments += it.Comments
}

func (s *sum) check() error {
	const n = pageCount * pageSize
	if *s != (sum{n, n * (n - 1) / 2, 3 * n}) {
		return fmt.Errorf("%+v of %d items", *s, n)
	}
	return nil
}

// handPage is a page as a program without a library asks for it.
func handPage(client *http.Client, url string) (items []item, link string, err error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("status %d", resp.StatusCode)
	}
	err = json.NewDecoder(resp.Body).Decode(&items)
	return items, resp.Header.Get("Link"), err
}

// nextOf is the next page's address in a Link header, or "".
func nextOf(link string) string {
	for part := range strings.SplitSeq(link, ",") {
		address, params, _ := strings.Cut(strings.TrimSpace(part), ">")
		if strings.Contains(params, `rel="next"`) {
			return strings.TrimPrefix(address, "<")
		}
	}
	return ""
}
