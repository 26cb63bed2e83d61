package oauth

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strconv"

	"github.com/aplomb-go/aplomb"
)

// tidy has an answer's lifetimes read whatever a server makes of them, such as
// 3600.0 or "": x/oauth2 refuses the whole answer, and a refresh token in it
// would be lost. What is no JSON passes as it is.
func tidy(next http.RoundTripper) http.RoundTripper {
	return aplomb.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(r)
		if err != nil || resp.StatusCode != http.StatusOK {
			return resp, err
		}
		raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		own := *resp
		own.Body = body{io.MultiReader(bytes.NewReader(raw), resp.Body), resp.Body}
		if tidied, ok := tidyTimes(raw); ok && err == nil {
			own.Body = body{bytes.NewReader(tidied), resp.Body}
			own.ContentLength, own.Header = -1, resp.Header.Clone()
			own.Header.Del("Content-Length")
		}
		return &own, nil
	})
}

type body struct {
	io.Reader
	io.Closer
}

// tidyTimes makes integers of expires_in and interval, or drops them, and reports
// whether it had to.
func tidyTimes(raw []byte) (tidied []byte, changed bool) {
	var answer map[string]json.RawMessage
	if json.Unmarshal(raw, &answer) != nil {
		return nil, false
	}
	for _, name := range []string{"expires_in", "interval"} {
		given, ok := answer[name]
		if !ok {
			continue
		}
		seconds, ok := seconds(given)
		switch {
		case !ok:
			delete(answer, name)
		case strconv.Itoa(seconds) == string(given):
			continue
		default:
			answer[name] = json.RawMessage(strconv.Itoa(seconds))
		}
		changed = true
	}
	tidied, err := json.Marshal(answer)
	return tidied, changed && err == nil
}

// seconds reads a number, or a string that holds one. What is more than 68 years
// is 68 years.
func seconds(raw json.RawMessage) (n int, ok bool) {
	text := string(raw)
	if unquoted := ""; json.Unmarshal(raw, &unquoted) == nil && unquoted != "" {
		text = unquoted
	}
	f, err := strconv.ParseFloat(text, 64)
	if math.IsNaN(f) || err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return int(math.Ceil(max(-math.MaxInt32, min(f, math.MaxInt32)))), true // 0 would be for ever
}
