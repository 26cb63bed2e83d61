// Command download fetches a file with a progress bar, and goes on where it was
// when the connection breaks or the program is stopped. Copy bar.go: it makes a bar
// of what package transfer tells.
//
//	go run ./examples/download -o go.tar.gz https://dl.google.com/go/go1.26.0.src.tar.gz
//
// Stop it with Ctrl-C and start it again. Without an address it fetches from a
// server on this machine whose connections break, and stops itself once:
//
//	go run ./examples/download
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"path"
	"strings"

	"github.com/aplomb-go/aplomb"
	"github.com/aplomb-go/aplomb/transfer"
)

func main() {
	name := flag.String("o", "", "the file to write; default: the last part of the address")
	sum := flag.String("sha256", "", "the file's SHA-256 in hex")
	parallel := flag.Int("parallel", 1, "connections for a large file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if address := flag.Arg(0); address != "" {
		err = fetch(ctx, os.Stdout, os.Stderr, address, *name, transfer.Download{SHA256: *sum, Parallel: *parallel})
	} else {
		err = show(ctx, os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "download:", err)
		os.Exit(1) //nolint:gocritic // the signal's handler goes with the program
	}
}

// fetch downloads address into the file of that name.
func fetch(ctx context.Context, out, terminal io.Writer, address, name string, d transfer.Download) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return errors.New("an address begins with https:// and a host")
	}
	if name == "" {
		name = path.Base(u.Path)
	}
	if name == "." || name == "/" {
		return errors.New("the address names no file: say by -o what to call it")
	}
	if d.Client, err = aplomb.New(u.Scheme + "://" + u.Host); err != nil {
		return err
	}
	bar := newBar(terminal)
	d.Path, d.Label, d.Progress = "/"+path.Base(u.Path), path.Base(name), bar.show
	d.Options = []aplomb.CallOption{aplomb.URL(address)}
	result, err := d.ToFile(ctx, name)
	bar.end()
	if err != nil {
		return err
	}
	by := "nothing, for nobody gave a digest"
	if len(result.Verified) > 0 {
		by = strings.Join(result.Verified, " and ")
	}
	fmt.Fprintf(out, "%s: %d bytes, %d of them from before, %d broken connections, verified by %s\n", path.Base(name), result.Bytes, result.Resumed, result.Breaks, by)
	return nil
}
