package signature

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// AWS is a [Signer] that signs with AWS Signature Version 4 in the Authorization
// header, for AWS's own services and for the many that speak S3.
// See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
//
// The URL's path and query are written in AWS's own escaping, so that what is
// sent is what was signed, and a default port leaves the Host header. All
// headers are signed but those that somebody on the way may rewrite, such as
// User-Agent, Via and Traceparent.
type AWS struct {
	// Region, such as "eu-central-1", and Service, such as "s3" or
	// "execute-api", name what the signature is for.
	Region, Service string
	// Credentials are asked for at each use, so that new ones are picked up: let
	// the function cache. [StaticAWS] makes one.
	Credentials func(ctx context.Context) (AWSCredentials, error)
	// UnsignedPayload leaves the body out of the signature, so that one that
	// can be read only once, a stream, can be sent. Only S3 accepts that; the
	// connection alone protects the body then, so it must be https.
	UnsignedPayload bool
}

var _ Signer = AWS{}

// AWSCredentials are what AWS hands out together and must be used together: not
// the key of one hour with the token of the next. [NewAWSCredentials] makes them.
// Their secrets cannot be printed.
type AWSCredentials struct {
	accessKeyID string
	secrets     func() (secretKey, sessionToken string)
}

// NewAWSCredentials are credentials as they were handed out. The access key id is
// no secret. The session token is "" for those that do not expire; else it is
// sent along.
func NewAWSCredentials(accessKeyID, secretKey, sessionToken string) AWSCredentials {
	return AWSCredentials{accessKeyID, func() (string, string) { return secretKey, sessionToken }}
}

// StaticAWS are credentials given in the program, most often in a test; see
// [NewAWSCredentials].
func StaticAWS(accessKeyID, secretKey, sessionToken string) func(context.Context) (AWSCredentials, error) {
	c := NewAWSCredentials(accessKeyID, secretKey, sessionToken)
	return func(context.Context) (AWSCredentials, error) { return c, nil }
}

const (
	awsAlgorithm   = "AWS4-HMAC-SHA256"
	awsTime        = "20060102T150405Z"
	awsDate        = "20060102"
	awsUnsigned    = "UNSIGNED-PAYLOAD"
	awsContentHash = "X-Amz-Content-Sha256"
)

// Check reports what is wrong with the settings, without asking for credentials.
func (a AWS) Check() error {
	switch {
	case a.Region == "" || a.Service == "":
		return errors.New("signature: AWS needs a Region and a Service: they are part of what is signed")
	case strings.ContainsAny(a.Region+a.Service, "/, \r\n"):
		return fmt.Errorf("signature: AWS.Region %q or Service %q has a character that does not belong there", a.Region, a.Service)
	case a.Credentials == nil:
		return errors.New("signature: AWS.Credentials is nil: use StaticAWS or a function")
	case a.UnsignedPayload && !a.s3():
		return fmt.Errorf("signature: AWS.UnsignedPayload: only S3 takes an unsigned body, %s does not", a.Service)
	}
	return nil
}

// s3 reports the services that escape a path once and leave it as it is.
func (a AWS) s3() bool { return a.Service == "s3" || strings.HasPrefix(a.Service, "s3-") }

// Sign sets Authorization, X-Amz-Date, for S3 X-Amz-Content-Sha256, and for
// temporary credentials X-Amz-Security-Token.
func (a AWS) Sign(r *http.Request, now time.Time) error {
	if err := cmp.Or(a.Check(), checkSigning(r, now)); err != nil {
		return err
	}
	id, secret, token, err := a.credentials(r.Context())
	if err != nil {
		return err
	}
	query, err := awsQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	sent, signed, err := awsPath(r.URL.EscapedPath(), a.s3())
	if err != nil {
		return err
	}
	payload, err := a.payload(r)
	if err != nil {
		return err
	}
	rewriteURL(r, sent, query)
	setHeader(r, "X-Amz-Date", now.UTC().Format(awsTime))
	r.Header.Del("X-Amz-Security-Token")
	if token != "" {
		r.Header.Set("X-Amz-Security-Token", token)
	}
	if a.s3() || r.Header.Get(awsContentHash) != "" {
		r.Header.Set(awsContentHash, payload)
	}
	text, names := awsRequest(r, signed, query, payload)
	scope := strings.Join([]string{now.UTC().Format(awsDate), a.Region, a.Service, "aws4_request"}, "/")
	sum := awsSignature(secret, scope, strings.Join([]string{awsAlgorithm, now.UTC().Format(awsTime), scope, hexSum(text)}, "\n"))
	r.Header.Set("Authorization", fmt.Sprintf("%s Credential=%s/%s, SignedHeaders=%s, Signature=%s", awsAlgorithm, id, scope, names, sum))
	return nil
}

func (a AWS) credentials(ctx context.Context) (id, secret, token string, err error) {
	c, err := a.Credentials(ctx)
	switch {
	case err != nil:
		return "", "", "", fmt.Errorf("signature: AWS.Credentials cannot be had: %w", err)
	case c.secrets == nil:
		return "", "", "", errors.New("signature: AWS.Credentials gave none: make them with NewAWSCredentials")
	case c.accessKeyID == "" || strings.ContainsAny(c.accessKeyID, "/, \r\n"):
		return "", "", "", errors.New("signature: AWS: the access key id is empty or no access key id")
	}
	if secret, token = c.secrets(); secret == "" {
		return "", "", "", errors.New("signature: AWS: the secret key is empty: anybody could sign with it")
	}
	return c.accessKeyID, secret, token, nil
}

// payload is the body's hash as the signature has it.
func (a AWS) payload(r *http.Request) (string, error) {
	if !a.UnsignedPayload {
		sum := sha256.New()
		err := bodyOf(r)(sum)
		if errors.Is(err, errNoGetBody) && a.s3() {
			err = fmt.Errorf("%w; or set UnsignedPayload", err)
		}
		return hex.EncodeToString(sum.Sum(nil)), err
	}
	if r.URL.Scheme != "https" {
		return "", fmt.Errorf("signature: AWS.UnsignedPayload over %q: nothing would protect the body", r.URL.Scheme)
	}
	return awsUnsigned, nil
}

// awsSignature derives the day's key from the secret and signs with it.
func awsSignature(secret, scope, text string) string {
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = macOf(key, part)
	}
	return hex.EncodeToString(macOf(key, text))
}

func macOf(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func hexSum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
