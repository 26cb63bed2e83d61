package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/internal/assert"
)

// awsPeer is what S3 and STS have in common. The SDK's requests cannot be sent
// again from outside, for it does not set GetBody: it retries, and signs anew.
func awsPeer() peer {
	return peer{
		module:      "github.com/aws/aws-sdk-go-v2",
		opts:        []aplomb.Option{aplomb.NoRetry()},
		resigned:    true,
		problemType: "text/xml",
		refused:     403, refusal: "403 Code403 not now", unavailable: "503 Code503 not now",
		typed: func(err error) string {
			status, ok := errors.AsType[*awshttp.ResponseError](err)
			api, is := errors.AsType[smithy.APIError](err)
			if !ok || !is {
				return ""
			}
			return fmt.Sprint(status.HTTPStatusCode(), " ", api.ErrorCode(), " ", api.ErrorMessage())
		},
		headers: map[string]string{"Authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/2000", "User-Agent": "aws-sdk-go-v2/1."},
		vary:    []string{"Amz-Sdk-Invocation-Id", "Authorization"}, // the id is signed
		lost:    2,                                                  // whatever the method
	}
}

func awsAccount() aws.Config {
	return aws.Config{
		Region: "eu-north-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "not a secret"}, nil
		}),
	}
}

func awsConfig(c doer, own bool) aws.Config {
	httpClient := c.HTTPClient()
	httpClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	cfg := awsAccount()
	cfg.HTTPClient = httpClient
	if !own {
		cfg.RetryMaxAttempts = 1
	}
	return cfg
}

func awsS3() peer {
	p := awsPeer()
	p.name, p.home, p.guide = "aws-sdk-go-v2 (S3)", "https://s3.eu-north-1.amazonaws.com", guideS3
	p.answer = func(http.ResponseWriter, *http.Request) {}
	p.problem = func(status int) string {
		return fmt.Sprintf(`<Error><Code>Code%d</Code><Message>not now</Message></Error>`, status)
	}
	p.open = func(_ *testing.T, c doer, url string, own bool) calls {
		return s3Calls(s3Client(awsConfig(c, own), url))
	}
	p.attempts, p.alone, p.both = 3, 3, 12
	return p
}

func s3Client(cfg aws.Config, url string) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = &url, true })
}

func s3Calls(sc *s3.Client) calls {
	return calls{
		read: func(ctx context.Context) error {
			out, err := sc.GetObject(ctx, &s3.GetObjectInput{Bucket: new("box"), Key: new("thing")})
			if err == nil {
				_, err = io.Copy(io.Discard, out.Body)
			}
			return err
		},
		create: func(ctx context.Context) error {
			_, err := sc.PutObject(ctx, &s3.PutObjectInput{Bucket: new("box"), Key: new("thing"), Body: strings.NewReader("contents")})
			return err
		},
	}
}

func awsSTS() peer {
	p := awsPeer()
	p.name, p.home, p.guide = "aws-sdk-go-v2 (STS)", "https://sts.eu-north-1.amazonaws.com", guideSTS
	p.answer = func(w http.ResponseWriter, r *http.Request) {
		action := r.FormValue("Action")
		w.Header().Set("Content-Type", "text/xml")
		_, _ = fmt.Fprintf(w, `<%[1]sResponse><%[1]sResult></%[1]sResult></%[1]sResponse>`, action)
	}
	p.problem = func(status int) string {
		return fmt.Sprintf(`<ErrorResponse><Error><Code>Code%d</Code><Message>not now</Message></Error></ErrorResponse>`, status)
	}
	p.open = func(_ *testing.T, c doer, url string, own bool) calls {
		sc := sts.NewFromConfig(awsConfig(c, own), func(o *sts.Options) { o.BaseEndpoint = &url })
		return calls{
			read: func(ctx context.Context) error {
				_, err := sc.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
				return err
			},
			create: func(ctx context.Context) error {
				_, err := sc.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: new("arn:aws:iam::1:role/reader"), RoleSessionName: new("aplomb")})
				return err
			},
		}
	}
	p.attempts, p.alone, p.both = 3, 3, 3 // its reads are POSTs as well
	return p
}

// TestS3Redirects: S3 says with a 301 that a bucket is in another region. The
// SDK wants to see that answer, and c itself would follow it.
func TestS3Redirects(t *testing.T) {
	t.Parallel()
	p := awsS3()
	p.answer = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/box/thing" {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusMovedPermanently)
			_, _ = io.WriteString(w, `<Error><Code>PermanentRedirect</Code><Message>use the region's endpoint</Message></Error>`)
		}
	}
	stage(t, "not followed", &p, func(s *scene) {
		err := s3Calls(s3Client(awsConfig(s.aplomb(), true), s.srv.URL)).read(s.t.Context())
		assert.Equal(s.t, p.typed(err), "301 PermanentRedirect use the region's endpoint")
		s.sent(1)
	})
	stage(t, "followed by c", &p, func(s *scene) {
		cfg := awsConfig(s.aplomb(), true)
		cfg.HTTPClient = s.aplomb()
		assert.NoError(s.t, s3Calls(s3Client(cfg, s.srv.URL)).read(s.t.Context()))
		assert.Equal(s.t, len(s.requests()), 2)
	})
}

// TestAWSBodies: what the SDK does not let be sent again is not, and its own
// error comes out.
func TestAWSBodies(t *testing.T) {
	t.Parallel()
	p := awsS3()
	stage(t, "ours on, its own off", &p, func(s *scene) {
		s.script.Always(s.fault(http.StatusServiceUnavailable))
		sc := p.open(s.t, s.aplomb(aplomb.Retry{}), s.srv.URL, false)
		assert.Equal(s.t, p.typed(sc.create(s.t.Context())), p.unavailable)
		s.sent(1)
		assert.Equal(s.t, p.typed(sc.read(s.t.Context())), p.unavailable)
		p.resigned = false // the same request each time, signature and all
		s.sent(4)
	})
}

// guideAWS has the lines that S3 and STS share.
func guideAWS(c *aplomb.Client, cfg aws.Config) aws.Config {
	// github.com/aws/aws-sdk-go-v2
	httpClient := c.HTTPClient()
	httpClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	cfg.HTTPClient = httpClient

	return cfg
}

func guideS3(ctx context.Context, c *aplomb.Client, _ string) error {
	return s3Calls(s3.NewFromConfig(guideAWS(c, awsAccount()))).read(ctx)
}

func guideSTS(ctx context.Context, c *aplomb.Client, _ string) error {
	_, err := sts.NewFromConfig(guideAWS(c, awsAccount())).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	return err
}
