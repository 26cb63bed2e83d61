// Command fromvcr makes fixtures of go-vcr's cassettes, for aplombtest.Fixtures to
// replay:
//
//	fromvcr [flags] cassette.yaml...
//
// Build it in a checkout of aplomb, go build -o ~/bin ./cmd/fromvcr, and run it in the
// folder of the tests: it writes testdata/fixtures/TestX.json there for a cassette called
// TestX.yaml, wherever that is. What is read are cassettes of version 2, which go-vcr
// v3 and v4 write. In the test
//
//	rec := aplombtest.Fixtures(t)
//	client := rec.Client()
//
// stands then where recorder.New, its options and rec.Stop did.
//
//	-test name     the name of the test, with its subtests: TestX/refused. It fits
//	               one cassette. The default is the cassette's own name, with the
//	               folders it is in from one called TestX on
//	-o dir         where to write (testdata/fixtures)
//	-hide secret   a secret that nothing gives away; like the next two it may be
//	               given several times. $NAME is the value of the environment
//	               variable NAME: in single quotes, no shell puts it into its history
//	-show name     a header, field or parameter that is no secret in spite of its name
//	-ignore name   a parameter or body field of requests that is not compared
//
// The same Show and Ignore have to be said to Fixtures in the test.
//
// # What becomes of a cassette
//
// Requests, answers and how long they took are kept, the day of the recording is that
// of the last answer's Date. Secrets become placeholders as in a recording, and nothing
// is written if one is still found. The cassette itself is left as it is: take it away,
// and from the history too if there were secrets in it.
//
// Not in a fixture are what aplombtest.Fixtures does not compare or replay: trailers,
// and headers that say nothing of the API. go-vcr has kept neither the parts of a
// stream nor failures of the network.
//
// A fixture that is there already is not written over. The exit status is 1 if one of
// the cassettes could not be converted; the others are. Each error names the cassette
// and the interaction, counted from 1, and says how to mend it.
package main
