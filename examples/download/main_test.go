package main

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb/transfer"
)

// Example is what the program prints, but for the bar.
func Example() {
	if err := show(context.Background(), os.Stdout, io.Discard); err != nil {
		panic(err)
	}
	// Output:
	// the first run was stopped; beside the file lie:
	//   export.bin.part
	//   export.bin.part.json
	// export.bin: 8388608 bytes, 3145728 of them from before, 2 broken connections, verified by sha-256
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{"nothing": "https:// and a host", "https://files.test/": "-o", "https://files.test": "-o"} {
		if err := fetch(t.Context(), io.Discard, io.Discard, address, "", transfer.Download{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
}

func TestBar(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	b := newBar(&out)
	b.show(transfer.Progress{Label: "f", Total: -1, ETA: -1})
	b.show(transfer.Progress{Label: "f", Done: 4_000_000, Total: 8_000_000, Rate: 2e6, ETA: 2e9})
	b.show(transfer.Progress{Label: "f", Done: 4_000_000, Total: 8_000_000, ETA: -1, Broken: io.ErrUnexpectedEOF})
	b.show(transfer.Progress{Label: "f", Total: -1, ETA: -1, Restarted: "the file has changed"})
	b.show(transfer.Progress{Label: "f", Done: 8_000_000, Total: 8_000_000, Complete: true})
	b.end()
	for _, want := range []string{"f: 4.0 MB, 2.0 MB/s, 2s left  50% ", "broken at 4000000 bytes: unexpected EOF\n", "starting anew: the file has changed\n", "100%"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %q", want, out.String())
		}
	}
}
