package peers

import (
	"context"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// newAzcore has its defaults: 3 retries, 0.8 to 60 s, Retry-After obeyed.
func newAzcore(s Setting) (Call, error) {
	pipeline := runtime.NewPipeline("bench", "v1.0.0", runtime.PipelineOptions{}, &policy.ClientOptions{
		Transport: &http.Client{Transport: s.Transport},
		Retry:     policy.RetryOptions{RetryDelay: s.wait(800 * time.Millisecond), MaxRetryDelay: s.wait(time.Minute)},
	})
	return func(ctx context.Context) error {
		req, err := runtime.NewRequest(ctx, http.MethodGet, s.URL)
		if err != nil {
			return err
		}
		return answered(pipeline.Do(req))
	}, nil
}
