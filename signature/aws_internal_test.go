package signature

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aplomb-go/aplomb/internal/assert"
)

// The keys of AWS's published examples.
const (
	awsID     = "AKIDEXAMPLE"
	awsSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

var awsNow = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

const unreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// TestAWSSuite is AWS's own suite, aws-sig-v4-test-suite, as its .req and .authz
// files have it.
func TestAWSSuite(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, method, target string
		headers              []string
		body, signature      string
	}{
		{"get-vanilla", "GET", "/", nil, "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"get-vanilla-empty-query-key", "GET", "/?Param1=value1", nil, "", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
		{"get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1", nil, "", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"get-vanilla-query-unreserved", "GET", "/?" + unreserved + "=" + unreserved, nil, "", "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
		{"get-vanilla-utf8-query", "GET", "/?\u1234=bar", nil, "", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
		{"get-unreserved", "GET", "/" + unreserved, nil, "", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
		{"get-header-key-duplicate", "GET", "/", []string{"My-Header1", "value2", "My-Header1", "value2", "My-Header1", "value1"}, "", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
		{"get-header-value-order", "GET", "/", []string{"My-Header1", "value4", "My-Header1", "value1", "My-Header1", "value3", "My-Header1", "value2"}, "", "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
		{"get-header-value-trim", "GET", "/", []string{"My-Header1", " value1", "My-Header2", ` "a   b   c"`}, "", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
		{"normalize-path/get-relative", "GET", "/example/..", nil, "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"normalize-path/get-slash-dot-slash", "GET", "/./", nil, "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"normalize-path/get-slash", "GET", "//", nil, "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"normalize-path/get-relative-relative", "GET", "/example1/example2/../..", nil, "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"post-vanilla", "POST", "/", nil, "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{"post-vanilla-query", "POST", "/?Param1=value1", nil, "", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
		{"post-header-key-case", "POST", "/", []string{"MY-HEADER1", "value1"}, "", "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
		{"post-header-value-case", "POST", "/", []string{"My-Header1", "VALUE1"}, "", "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
		{"post-x-www-form-urlencoded", "POST", "/", []string{"Content-Type", "application/x-www-form-urlencoded"}, "Param1=value1", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
		{"post-x-www-form-urlencoded-parameters", "POST", "/", []string{"Content-Type", "application/x-www-form-urlencoded; charset=utf8"}, "Param1=value1", "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"},
	} {
		r := awsRequestFor(t, test.method, "https://example.amazonaws.com"+test.target, test.body, test.headers...)
		a := AWS{Region: "us-east-1", Service: "service", Credentials: StaticAWS(awsID, awsSecret, "")}
		assert.NoError(t, a.Sign(r, awsNow.In(time.FixedZone("", -13*3600))), test.name)
		assert.Contains(t, r.Header.Get("Authorization"), "Signature="+test.signature, test.name)
	}
}

// The suite's requests with unescaped paths cannot be sent by net/http; what they
// test is the escaping itself.
func TestAWSSuiteUnescapedPaths(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/\u1234":         "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85", // get-utf8
		"/example space/": "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741", // get-space
	} {
		_, signed, err := awsPath((&url.URL{Path: path}).EscapedPath(), true)
		assert.NoError(t, err)
		r := awsRequestFor(t, "GET", "https://example.amazonaws.com/", "", "X-Amz-Date", "20150830T123600Z")
		text, _ := awsRequest(r, signed, "", hexSum(""))
		scope := "20150830/us-east-1/service/aws4_request"
		assert.Equal(t, awsSignature(awsSecret, scope, "AWS4-HMAC-SHA256\n20150830T123600Z\n"+scope+"\n"+hexSum(text)), want)
	}
}

// post-sts-header-before: a session token is sent and signed.
func TestAWSSessionToken(t *testing.T) {
	t.Parallel()
	const token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
	r := awsRequestFor(t, "POST", "https://example.amazonaws.com/", "", "X-Amz-Security-Token", "of an earlier attempt")
	a := AWS{Region: "us-east-1", Service: "service", Credentials: StaticAWS(awsID, awsSecret, token)}
	assert.NoError(t, a.Sign(r, awsNow))
	assert.Equal(t, r.Header.Values("X-Amz-Security-Token"), []string{token})
	assert.Contains(t, r.Header.Get("Authorization"), "SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead")

	a.Credentials = StaticAWS(awsID, awsSecret, "")
	assert.NoError(t, a.Sign(r, awsNow))
	assert.Equal(t, r.Header.Values("X-Amz-Security-Token"), []string(nil))
}

// TestAWSS3 holds the examples of S3's "Authenticating Requests: Using the
// Authorization Header".
func TestAWSS3(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		method, target string
		headers        []string
		body, want     string
	}{
		{"GET", "/test.txt", []string{"Range", "bytes=0-9"}, "", "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
		{"PUT", "/test$file.text", []string{"Date", "Fri, 24 May 2013 00:00:00 GMT", "X-Amz-Storage-Class", "REDUCED_REDUNDANCY"}, "Welcome to Amazon S3.", "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
		{"GET", "/?lifecycle", nil, "", "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
		{"GET", "/?max-keys=2&prefix=J", nil, "", "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
	} {
		r := awsRequestFor(t, test.method, "https://examplebucket.s3.amazonaws.com"+test.target, test.body, test.headers...)
		a := AWS{Region: "us-east-1", Service: "s3", Credentials: StaticAWS("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "")}
		assert.NoError(t, a.Sign(r, time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)))
		assert.Contains(t, r.Header.Get("Authorization"), test.want, test.target)
	}
}

func TestAWSQueryIsSortedByEscapedNamesAndValues(t *testing.T) {
	t.Parallel()
	got, err := awsQuery("z=1&\u00e9=1&a+b=2&a=b&a=B&a=%2B&a")
	assert.NoError(t, err)
	assert.Equal(t, got, "%C3%A9=1&a=&a=%2B&a=B&a=b&a%20b=2&z=1")
}

// What is sent must be what was signed, whatever the caller's escaping.
func TestAWSRewritesTheURL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ service, url, sent, signed string }{
		{"s3", "https://b.example/a+b(1)/%2F//../x?q=a+b&a=%7e&Z", "/a%2Bb%281%29/%2F//../x?Z=&a=~&q=a%20b", "/a%2Bb%281%29/%2F//../x"},
		{"execute-api", "https://b.example/a%20b/%2F//./x/?", "/a%20b/%2F//./x/", "/a%2520b/%252F/x/"},
		{"execute-api", "https://b.example", "/", "/"},
	} {
		r := awsRequestFor(t, "GET", test.url, "")
		before := r.URL
		old := *r.URL
		a := AWS{Region: "r", Service: test.service, Credentials: StaticAWS(awsID, awsSecret, "")}
		assert.NoError(t, a.Sign(r, awsNow))
		assert.Equal(t, r.URL.RequestURI(), test.sent)
		assert.Equal(t, *before, old, "the caller's URL is left alone")
		_, signed, err := awsPath(old.EscapedPath(), a.s3())
		assert.NoError(t, err)
		assert.Equal(t, signed, test.signed)
		first := r.Header.Get("Authorization")
		assert.NoError(t, a.Sign(r, awsNow))
		assert.Equal(t, r.Header.Get("Authorization"), first, "signing again changes nothing")
	}
	for host, want := range map[string]string{"b.example:443": "b.example", "b.example:8443": "b.example:8443", "b.example:80": "b.example:80"} {
		r := awsRequestFor(t, "GET", "https://"+host+"/", "")
		a := AWS{Region: "r", Service: "s3", Credentials: StaticAWS(awsID, awsSecret, "")}
		assert.NoError(t, a.Sign(r, awsNow))
		assert.Equal(t, r.Host, want)
	}
}

func TestAWSLeavesOutWhatOthersRewrite(t *testing.T) {
	t.Parallel()
	headers := []string{"X-Acme", "x"}
	for name := range strings.SplitSeq("Accept-Encoding Authorization Baggage Cache-Control Connection Content-Length Expect Forwarded From Host Keep-Alive Max-Forwards "+
		"Pragma Proxy-Authorization Referer Sec-Fetch-Mode Te Traceparent Tracestate Trailer Transfer-Encoding Upgrade User-Agent Via X-Amzn-Trace-Id X-Forwarded-For", " ") {
		headers = append(headers, name, "x")
	}
	assert.True(t, slices.IsSorted(awsUnsignedHeaders), "it is searched as sorted")
	r := awsRequestFor(t, "GET", "https://b.example/", "", headers...)
	a := AWS{Region: "r", Service: "execute-api", Credentials: StaticAWS(awsID, awsSecret, "")}
	assert.NoError(t, a.Sign(r, awsNow))
	assert.Contains(t, r.Header.Get("Authorization"), "SignedHeaders=host;x-acme;x-amz-date,")

	// net/http sends the values of both spellings, in this order, and of none nothing.
	r.Header["x-acme"], r.Header["X-None"] = []string{"y"}, nil
	text, names := awsRequest(r, "/", "", "")
	assert.Equal(t, names, "host;x-acme;x-amz-date")
	assert.Contains(t, text, "x-acme:x,y\n")
}

// Some services other than S3 take the hash in a header: it must be the true one.
func TestAWSContentHashOnRequest(t *testing.T) {
	t.Parallel()
	a := AWS{Region: "r", Service: "vpc-lattice-svcs", Credentials: StaticAWS(awsID, awsSecret, "")}
	r := awsRequestFor(t, "PUT", "https://b.example/", "body", awsContentHash, "asked for")
	assert.NoError(t, a.Sign(r, awsNow))
	assert.Equal(t, r.Header.Get(awsContentHash), hexSum("body"))
}

func TestAWSUnsignedPayload(t *testing.T) {
	t.Parallel()
	a := AWS{Region: "r", Service: "s3", Credentials: StaticAWS(awsID, awsSecret, "")}
	r := awsRequestFor(t, "PUT", "https://b.example/k", "stream")
	r.GetBody = nil
	assert.Contains(t, a.Sign(r, awsNow).Error(), "or set UnsignedPayload")
	a.UnsignedPayload = true
	assert.NoError(t, a.Sign(r, awsNow))
	assert.Equal(t, r.Header.Get(awsContentHash), "UNSIGNED-PAYLOAD")
	r.URL.Scheme = "http"
	assert.Contains(t, a.Sign(r, awsNow).Error(), "nothing would protect the body")
	a.Service = "execute-api"
	assert.Contains(t, a.Check().Error(), "only S3 takes an unsigned body")
}

func TestAWSRefusesBadSettings(t *testing.T) {
	t.Parallel()
	creds := StaticAWS(awsID, awsSecret, "")
	for want, a := range map[string]AWS{
		"needs a Region":                   {Service: "s3", Credentials: creds},
		"a Service":                        {Region: "r", Credentials: creds},
		"does not belong":                  {Region: "r/x", Service: "s3", Credentials: creds},
		"Credentials is nil":               {Region: "r", Service: "s3"},
		"access key id":                    {Region: "r", Service: "s3", Credentials: StaticAWS("", "x", "")},
		"no access key id":                 {Region: "r", Service: "s3", Credentials: StaticAWS("a/b", "x", "")},
		"the secret key is empty":          {Region: "r", Service: "s3", Credentials: StaticAWS("a", "", "")},
		"make them with NewAWSCredentials": {Region: "r", Service: "s3", Credentials: func(context.Context) (AWSCredentials, error) { return AWSCredentials{}, nil }},
		"context canceled":                 {Region: "r", Service: "s3", Credentials: func(context.Context) (AWSCredentials, error) { return AWSCredentials{}, context.Canceled }},
	} {
		err := a.Sign(awsRequestFor(t, "GET", "https://b.example/", ""), awsNow)
		if err == nil {
			t.Errorf("want an error with %q", want)
			continue
		}
		assert.Contains(t, err.Error(), want)
	}
	a := AWS{Region: "r", Service: "s3", Credentials: creds}
	r := awsRequestFor(t, "GET", "https://b.example/", "")
	r.URL = &url.URL{Opaque: "//b.example/x"}
	assert.Contains(t, a.Sign(r, awsNow).Error(), "Opaque")
	r.URL = nil
	assert.Contains(t, a.Sign(r, awsNow).Error(), "no URL")
	for _, query := range []string{"a=%zz", "a;b"} {
		r.URL = &url.URL{Scheme: "https", Host: "b.example", RawQuery: query}
		assert.Contains(t, a.Sign(r, awsNow).Error(), "query")
	}
}

func awsRequestFor(t *testing.T, method, target, body string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	assert.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}
