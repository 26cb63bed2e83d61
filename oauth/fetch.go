package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/aplomb-go/aplomb"
)

// maxAnswer bounds what is read of an endpoint's answer.
const maxAnswer = 1 << 20

// fetch sends req and reads the answer's JSON into a T. A refusal is an [*Error].
func fetch[T any](client *http.Client, req *http.Request) (v T, err error) {
	var answer aplomb.Response
	ctx := aplomb.NewContext(req.Context(), aplomb.Capture(&answer), aplomb.Header("Accept", "application/json"))
	resp, err := client.Do(req.WithContext(ctx))
	if err != nil {
		if ue, ok := errors.AsType[*url.Error](err); ok { // its text has the whole address
			err = ue.Err
		}
		return v, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return v, fmt.Errorf("oauth: read the answer of %s: %w", req.URL.Host, err)
	}
	if resp.StatusCode != http.StatusOK {
		var refusal struct {
			Code        string `json:"error"`
			Description string `json:"error_description"`
		}
		_ = json.Unmarshal(raw, &refusal) // else there is the status
		return v, newError(req.URL.Host, &answer, refusal.Code, refusal.Description, shownBy(req).all()...)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, fmt.Errorf("oauth: the answer of %s is no JSON of the kind that was asked for", req.URL.Host)
	}
	return v, nil
}
