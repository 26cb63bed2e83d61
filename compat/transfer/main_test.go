// Package transfer_test downloads a large file in real processes, over real
// connections that break, and kills some of the processes.
package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/transfer"
)

// addressVar makes the test binary a program that downloads from there.
const addressVar, fileVar, sumVar = "TRANSFER_TEST_ADDRESS", "TRANSFER_TEST_FILE", "TRANSFER_TEST_SHA256"

func TestMain(m *testing.M) {
	if os.Getenv(addressVar) == "" {
		os.Exit(m.Run())
	}
	if err := download(); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
}

// download prints its progress, a line for each event.
func download() error {
	c, err := aplomb.New(os.Getenv(addressVar), aplomb.Transport(narrow()))
	if err != nil {
		return err
	}
	d := transfer.Download{Client: c, Path: "/file", SHA256: os.Getenv(sumVar), Progress: func(p transfer.Progress) {
		broken := p.Broken != nil && !errors.Is(p.Broken, aplomb.ErrCircuitOpen) // where a breaker refuses none was begun
		fmt.Println("progress", p.Done, p.Total, p.Resumed, broken, p.Restarted != "", p.Complete)
	}}
	result, err := d.ToFile(context.Background(), os.Getenv(fileVar))
	if err == nil {
		fmt.Println("done", result.Bytes, result.Resumed, result.Breaks, result.Restarts, result.Verified)
	}
	return err
}
