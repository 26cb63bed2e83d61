package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/aplomb-go/aplomb"
)

// text is a message that needs no generated code.
type text = wrapperspb.StringValue

const readProcedure, createProcedure = "/shop.v1.Shop/Read", "/shop.v1.Shop/Create"

// connectGo is what a generated client does. The server is connect's own.
func connectGo() peer {
	echo := func(_ context.Context, r *connect.Request[text]) (*connect.Response[text], error) {
		return connect.NewResponse(r.Msg), nil
	}
	mux := http.NewServeMux()
	mux.Handle(readProcedure, connect.NewUnaryHandler(readProcedure, echo, connect.WithIdempotency(connect.IdempotencyNoSideEffects)))
	mux.Handle(createProcedure, connect.NewUnaryHandler(createProcedure, echo))
	return peer{
		name: "connect-go",
		open: openConnect, guide: guideConnect, home: "https://shop.example", module: "connectrpc.com/connect",
		answer: mux.ServeHTTP,
		problem: func(status int) string {
			code := map[int]string{404: "not_found", 429: "resource_exhausted", 503: "unavailable"}[status]
			return fmt.Sprintf(`{"code":%q,"message":"not now"}`, code)
		},
		refused: 404, refusal: "not_found not now", unavailable: "unavailable not now",
		typed: func(err error) string {
			e, ok := errors.AsType[*connect.Error](err)
			if !ok || !connect.IsWireError(err) {
				return ""
			}
			return fmt.Sprint(connect.CodeOf(err), " ", e.Message())
		},
		headers:  map[string]string{"Authorization": "Bearer " + testKey, "User-Agent": "connect-go/1."},
		attempts: 4, alone: 1, both: 4,
		lost: 1,
	}
}

func openConnect(_ *testing.T, c doer, url string, _ bool) calls {
	reader := connect.NewClient[text, text](c, url+readProcedure, connect.WithHTTPGet(), connect.WithIdempotency(connect.IdempotencyNoSideEffects))
	creator := connect.NewClient[text, text](c, url+createProcedure)
	call := func(ctx context.Context, cc *connect.Client[text, text], key string) error {
		req := connect.NewRequest(wrapperspb.String("thing"))
		req.Header().Set("Authorization", "Bearer "+testKey)
		if key != "" {
			req.Header().Set("Idempotency-Key", key)
		}
		_, err := cc.CallUnary(ctx, req)
		return err
	}
	return calls{
		read:   func(ctx context.Context) error { return call(ctx, reader, "") },
		create: func(ctx context.Context) error { return call(ctx, creator, "") },
		keyed:  func(ctx context.Context, key string) error { return call(ctx, creator, key) },
	}
}

func guideConnect(ctx context.Context, c *aplomb.Client, _ string) error {
	url := "https://shop.example" + readProcedure
	// connectrpc.com/connect, and what it generates
	reader := connect.NewClient[text, text](c, url,
		connect.WithIdempotency(connect.IdempotencyNoSideEffects), // generated, where the .proto says so
		connect.WithHTTPGet())

	_, err := reader.CallUnary(ctx, connect.NewRequest(wrapperspb.String("thing")))
	return err
}
