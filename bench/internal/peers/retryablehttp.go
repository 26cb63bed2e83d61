package peers

import (
	"context"
	"net/http"

	"github.com/hashicorp/go-retryablehttp"
)

// newRetryable is go-retryablehttp by itself: 4 retries, 1 to 30 s, Retry-After
// obeyed.
func newRetryable(s Setting) (Call, error) {
	c := retryablehttp.NewClient()
	c.HTTPClient = &http.Client{Transport: s.Transport}
	c.RetryWaitMin, c.RetryWaitMax = s.wait(c.RetryWaitMin), s.wait(c.RetryWaitMax)
	c.ErrorHandler = retryablehttp.PassthroughErrorHandler // or the last answer is lost
	c.Logger = nil
	return repeating(c, s.URL), nil
}

// repeating asks by go-retryablehttp.
func repeating(c *retryablehttp.Client, url string) Call {
	return func(ctx context.Context) error {
		req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		return answered(c.Do(req))
	}
}
