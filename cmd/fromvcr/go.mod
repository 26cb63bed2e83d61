module github.com/aplomb-go/aplomb/cmd/fromvcr

go 1.26.0

replace github.com/aplomb-go/aplomb => ../../

require (
	github.com/aplomb-go/aplomb v0.0.0-00010101000000-000000000000
	gopkg.in/dnaeon/go-vcr.v4 v4.0.7
)

require (
	github.com/golang-jwt/jwt/v5 v5.3.1 // indirect
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/hashicorp/go-retryablehttp v0.7.8 // indirect
	github.com/sony/gobreaker/v2 v2.4.0 // indirect
	go.yaml.in/yaml/v4 v4.0.0-rc.6 // indirect
	golang.org/x/oauth2 v0.37.0 // indirect
	golang.org/x/time v0.16.0 // indirect
)
