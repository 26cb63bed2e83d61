package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/signature"
)

// SecretsManager reads secrets from AWS Secrets Manager, see
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html.
// NewSecretsManager makes it; it is safe for concurrent use.
type SecretsManager struct{ api *aplomb.Client }

// NewSecretsManager returns a client for a region's endpoint, such as
// Endpoint("eu-central-1"). Requests are signed by the server's clock. opts come
// after its own, for a logger or hooks. Nothing is sent yet.
//
// credentials are asked for at each request: [Environment], or a function that
// keeps what a role lends.
func NewSecretsManager(endpoint, region string, credentials func(context.Context) (signature.AWSCredentials, error), opts ...aplomb.Option) (*SecretsManager, error) {
	api, err := aplomb.New(endpoint,
		aplomb.Name("aws"),
		aplomb.Sign(signature.AWS{Region: region, Service: "secretsmanager", Credentials: credentials}),
		aplomb.Judge(judge),
		aplomb.ErrorDecoder(decodeError),
		aplomb.Options(opts...))
	if err != nil {
		return nil, err
	}
	return &SecretsManager{api}, nil
}

// Endpoint is where Secrets Manager is in a region, see
// https://docs.aws.amazon.com/general/latest/gr/asm.html.
func Endpoint(region string) string { return "https://secretsmanager." + region + ".amazonaws.com" }

// Environment is what stands in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for
// credentials that end, AWS_SESSION_TOKEN.
func Environment(ctx context.Context) (signature.AWSCredentials, error) {
	secretKey, err := aplomb.Env("AWS_SECRET_ACCESS_KEY").Secret(ctx)
	if err != nil {
		return signature.AWSCredentials{}, err
	}
	return signature.NewAWSCredentials(os.Getenv("AWS_ACCESS_KEY_ID"), secretKey.Reveal(), os.Getenv("AWS_SESSION_TOKEN")), nil
}

// Secret is a secret by its name or ARN while it is rotated: the version
// AWSCURRENT, and AWSPREVIOUS while the API does not know that one yet. If the
// secret is JSON, as the console writes it, field names the value in it; it is ""
// for the text as a whole. It is asked for when it is first needed, every five
// minutes, and when the API has refused it.
func (m *SecretsManager) Secret(id, field string) aplomb.SecretSource {
	return aplomb.Rotation(m.stage(id, "AWSCURRENT", field), m.stage(id, "AWSPREVIOUS", field))
}

func (m *SecretsManager) stage(id, stage, field string) aplomb.SecretSource {
	type secretValue struct{ SecretString *string }
	in := map[string]string{"SecretId": id, "VersionStage": stage}
	return aplomb.SecretFunc(func(ctx context.Context) (string, error) {
		got, err := aplomb.Post[secretValue](ctx, m.api, "/", aplomb.JSON(in), aplomb.Safe(),
			aplomb.Header("Content-Type", "application/x-amz-json-1.1"), aplomb.Header("X-Amz-Target", "secretsmanager.GetSecretValue"))
		switch {
		case err != nil:
			return "", err
		case got.SecretString == nil:
			return "", errors.New("the secret is binary, not text")
		case field == "":
			return *got.SecretString, nil
		}
		return textField(*got.SecretString, field)
	})
}

// textField says what is wrong with a field without saying what is in it.
func textField(secret, name string) (string, error) {
	var fields map[string]any
	if json.Unmarshal([]byte(secret), &fields) != nil {
		return "", errors.New("the secret is not JSON: leave the field empty to use it as a whole")
	}
	switch value := fields[name].(type) {
	case nil:
		return "", fmt.Errorf("the secret has no field %q", name)
	case string:
		return value, nil
	}
	return "", fmt.Errorf("the secret's field %s is not a string", name)
}

// Error is a refusal by AWS. errors.As finds it, and also the *aplomb.APIError it
// wraps, which has the message and the request's id.
type Error struct {
	// Type is what programs should look at, such as "ResourceNotFoundException",
	// see https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html.
	Type string
	Err  *aplomb.APIError
}

// Error is aplomb's one safe line.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the *aplomb.APIError.
func (e *Error) Unwrap() error { return e.Err }

func decodeError(e *aplomb.APIError) error {
	e.Code = errorType(e.Body)
	if throttles(e.Code) { // so that errors.Is(err, aplomb.ErrRateLimited), and the call that needs the secret waits for it
		e.StatusCode = http.StatusTooManyRequests
	}
	return &Error{Type: e.Code, Err: e}
}

// judge knows a throttle by its name, for AWS says 400 where others say 429.
func judge(a *aplomb.Attempt) aplomb.Verdict {
	if a.Response == nil || a.Response.StatusCode != http.StatusBadRequest {
		return aplomb.Verdict{}
	}
	if body, err := a.Peek(4 << 10); err != nil || !throttles(errorType(body)) {
		return aplomb.Verdict{}
	}
	return aplomb.Verdict{Outcome: aplomb.OutcomeThrottled, Resend: aplomb.ResendUnprocessed}
}

func throttles(kind string) bool {
	return kind == "ThrottlingException" || kind == "Throttling" || kind == "TooManyRequestsException"
}

// errorType is __type without the namespace that may stand before it, see
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html#operation-error-serialization.
func errorType(body []byte) string {
	var refusal struct {
		Type string `json:"__type"`
	}
	_ = json.Unmarshal(body, &refusal) // else there is the status
	name, _, _ := strings.Cut(refusal.Type, ":")
	return name[strings.LastIndex(name, "#")+1:]
}
