package aplomb

import (
	"context"
	"io"
	"net/http"
	"time"
)

// Open sends method to path as [Call] does, and hands over the response with
// its body unread: a report, a file, a stream. The caller closes the body.
//
//	resp, err := aplomb.Open(ctx, c, http.MethodGet, "/v1/reports/{id}/csv", aplomb.Path("id", id))
//	if err != nil {
//		return err
//	}
//	defer resp.Body.Close()
//	_, err = io.Copy(file, resp.Body)
//
// A status outside [Expect] is an [*APIError], as of typed calls. Time and size
// are bounded as for [Client.Do]: by the timeouts of connecting, of the headers
// and of each read, not by 60 s and [MaxBody]; a [Timeout] holds until the body
// is closed. A body that ends early is an error of its Read: what was read
// cannot be taken back, so the call is not sent again.
func Open(ctx context.Context, c *Client, method, path string, opts ...CallOption) (*http.Response, error) {
	_, resp, err := c.open(ctx, method, path, "", opts)
	return resp, err
}

// open is Open, with the call itself for who reads the body.
func (c *Client) open(ctx context.Context, method, path, accept string, opts []CallOption) (*call, *http.Response, error) {
	call, err := c.newCall(ctx, method, path, opts)
	if err != nil {
		return nil, nil, err
	}
	call.addressed = true
	ctx = call.enter(ctx)
	req, err := call.newRequest(ctx, accept)
	if err != nil {
		return nil, nil, call.invalid(err)
	}
	defer call.unwind(ctx)
	call.begin(ctx)
	resp, err := c.http.Do(req)
	switch {
	case err != nil:
		if resp != nil {
			closeResponse(resp)
		}
		err = call.fail(err)
	case resp.StatusCode == http.StatusSwitchingProtocols:
		closeResponse(resp)
		err = call.fail(errUpgraded)
	case !call.expects(resp.StatusCode):
		err = call.refusal(resp)
	}
	call.done(ctx, err)
	if err != nil {
		return nil, nil, err
	}
	return call, resp, nil
}

// refusal is the error that an answer stands for, as far as its body can be read.
func (c *call) refusal(resp *http.Response) error {
	defer closeResponse(resp)
	timer := time.AfterFunc(peekTime, func() { closeResponse(resp) })
	defer timer.Stop()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // what is missing of it, the status says
	return c.apiError(resp, body)
}
