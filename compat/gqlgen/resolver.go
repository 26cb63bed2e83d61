package gqlgen

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/aplomb-go/aplomb/compat/gqlgen/internal/graph"
)

// resolvers has one for each type of the schema.
type resolvers struct{ s *Server }

func (r resolvers) Query() graph.QueryResolver               { return query(r) }
func (r resolvers) Mutation() graph.MutationResolver         { return mutation(r) }
func (r resolvers) Subscription() graph.SubscriptionResolver { return subscription(r) }
func (r resolvers) User() graph.UserResolver                 { return user(r) }
func (r resolvers) Repository() graph.RepositoryResolver     { return repository{} }

type query struct{ s *Server }

func (q query) Name(context.Context) (string, error) {
	q.s.mu.Lock()
	defer q.s.mu.Unlock()
	return q.s.name, nil
}

func (q query) User(_ context.Context, login string) (*graph.User, error) {
	if login == "nobody" {
		return nil, coded("NOT_FOUND", "there is no user "+login)
	}
	return &graph.User{Login: login}, nil
}

type mutation struct{ s *Server }

func (m mutation) Rename(_ context.Context, name string) (before string, err error) {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	before, m.s.name = m.s.name, name
	m.s.renames++
	return before, nil
}

func (m mutation) Upload(_ context.Context, file graphql.Upload) (*graph.Stored, error) {
	hash := sha256.New()
	n, err := io.Copy(hash, file.File)
	if err != nil {
		return nil, err
	}
	return &graph.Stored{
		Filename: file.Filename, ContentType: file.ContentType, Size: int(n), Sha256: hex.EncodeToString(hash.Sum(nil)),
	}, nil
}

func (m mutation) Uploads(ctx context.Context, in graph.UploadsInput) ([]*graph.Stored, error) {
	var all []*graph.Stored
	for _, file := range in.Files {
		stored, err := m.Upload(ctx, *file)
		if err != nil {
			return nil, err
		}
		all = append(all, stored)
	}
	return all, nil
}

type subscription struct{ s *Server }

func (sub subscription) Count(ctx context.Context, to int, breakAt *int, pauseMs int) (<-chan int, error) {
	if to < 0 {
		return nil, coded("BAD_COUNT", fmt.Sprintf("cannot count to %d", to))
	}
	numbers := make(chan int)
	sub.s.watch(1)
	go func() {
		defer sub.s.watch(-1)
		defer close(numbers)
		for n := 1; n <= to; n++ {
			if breakAt != nil && n == *breakAt {
				transport.AddSubscriptionError(ctx, coded("LOST_COUNT", fmt.Sprintf("lost count at %d", n)))
				return
			}
			select {
			case <-time.After(time.Duration(pauseMs) * time.Millisecond):
			case <-ctx.Done():
				return
			}
			select {
			case numbers <- n:
			case <-ctx.Done():
				return
			}
		}
	}()
	return numbers, nil
}

func (s *Server) watch(more int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watching += more
}

// account is a number that a float64 would not keep.
const account = 12345678901234567

// coded is an error with extensions. Its path is gqlgen's to add.
func coded(code, message string) *gqlerror.Error {
	return &gqlerror.Error{Message: message, Extensions: map[string]any{"code": code, "account": account}}
}
