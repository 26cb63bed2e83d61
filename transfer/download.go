package transfer

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aplomb-go/aplomb"
)

// Download says what is fetched. Needed are Client, and Path or an [aplomb.URL] among
// Options; the zero value of each other field is the recommended setting. [Download.ToFile] is what most
// callers want.
type Download struct {
	// Client is what it is fetched with.
	Client *aplomb.Client
	// Path is where it is, as for [aplomb.Get]; an address from elsewhere is an
	// option, [aplomb.URL].
	Path string
	// Options are those of each request. A [aplomb.Timeout], also the client's, ends a
	// connection after so long, which then counts as broken; [aplomb.MaxBody] has no
	// effect, and MaxBytes does.
	Options []aplomb.CallOption

	// SHA256 is the digest of the file in hex, from a release page or the like; it may
	// have "sha256:" before it.
	// It is compared besides those that the server gives.
	SHA256 string
	// ETagMD5 compares an ETag that has the form of an MD5 as one, which S3's is
	// for what was uploaded in one piece and is not encrypted with a key of KMS.
	ETagMD5 bool
	// Key names the file in the place of its address, which tells the part of one
	// file from that of another. Give one where the address is not the same in
	// the next run, such as a signed one.
	Key string
	// MaxBytes bounds the file; more is [aplomb.ErrTooLarge]. Default 64 GiB; of an
	// answer that is compressed although it was asked not to be, 32 MiB and a hundred
	// times the bytes received.
	MaxBytes int64
	// Parallel is how many connections fetch a file at once, if it has 64 MiB or
	// more left and its server says that it knows ranges. It pays where a server or
	// a network gives each connection its share; over HTTP/2 they are one
	// connection, which it does not speed up. Default 1, at most 16. Each takes a
	// place in the client's [aplomb.Bulkhead].
	Parallel int
	// MaxBreaks is how many connections in a row may bring nothing, after one broke.
	// Between them are 0.2 to 20 s, or what the server asks for. Default 5.
	MaxBreaks int

	// Label is what Progress calls the download. Default: the path template.
	Label string
	// Progress is told how far it is. Its panic is one of ToFile or To.
	Progress func(Progress)
}

// Result is what is known of a download that is done.
type Result struct {
	// Bytes is the size of the file.
	Bytes int64
	// Resumed is how many of them an earlier run had fetched.
	Resumed int64
	// Breaks counts the connections that broke or brought nothing, and Restarts how
	// often it had to start anew.
	Breaks, Restarts int
	// Verified names the digests that were compared: "sha-256", "sha-512", "md5".
	// It is empty where nobody gave one.
	Verified []string
}

const (
	defaultMaxBytes = 64 << 30
	maxParallel     = 16
	defaultBreaks   = 5
	maxRestarts     = 5
	keepEvery       = 512 << 10 // half of the 1 MiB that a kill may cost, for what is in the buffers of a connection
)

// parallelFrom is the length from which on several connections pay. Tests lower it.
var parallelFrom int64 = 64 << 20

// ToFile downloads into the file of that name, which is replaced once all of the
// download is on the disk and verified; its mode is kept, and a link is not
// followed. If a run ends before, what it has got is in name.part, and
// name.part.json says what that is: the next ToFile goes on from there. Deleting
// the two starts anew.
//
// A request that is refused at first is the error of [aplomb.Open]. What ends a
// download under way is an [*Error], and one that is complete and wrong a
// [*ChecksumError]. Two of the same name at a time are [ErrBusy], where the system has
// file locks.
//
// Time is bounded as for [aplomb.Open], by silence and not as a whole; the
// context ends it at any time.
func (d Download) ToFile(ctx context.Context, name string) (Result, error) {
	wanted, err := d.check()
	if err != nil {
		return Result{}, err
	}
	p, err := openPart(name)
	if err != nil {
		return Result{}, err
	}
	defer p.close()
	r := d.run(p, wanted)
	source, done, err := p.load(d.Key)
	if err != nil {
		return Result{}, err
	}
	if source.source != "" {
		r.goOn(source, done)
	}
	return r.download(ctx)
}

// To downloads into w, in order. It goes on where a connection broke as
// [Download.ToFile] does, but what w has got cannot be taken back: where a file
// has to start anew To ends with [ErrChanged] or [ErrNotResumable], and a wrong digest is found when all
// was written; one that the server names only in a later answer is not compared.
// Parallel has no effect.
func (d Download) To(ctx context.Context, w io.Writer) (Result, error) {
	wanted, err := d.check()
	if err != nil {
		return Result{}, err
	}
	if w == nil {
		return Result{}, errors.New("transfer: Download.To: the writer is nil")
	}
	d.Parallel = 1
	return d.run(&stream{w: w}, wanted).download(ctx)
}

// check returns the caller's digest.
func (d *Download) check() ([]*digest, error) {
	switch {
	case d.Client == nil:
		return nil, errors.New("transfer: Download.Client is nil: make one with aplomb.New")
	case d.MaxBytes < 0, d.MaxBreaks < 0:
		return nil, errors.New("transfer: Download: MaxBytes and MaxBreaks are not negative")
	case d.Parallel < 0 || d.Parallel > maxParallel:
		return nil, fmt.Errorf("transfer: Download.Parallel: %d is not from 1 to %d", d.Parallel, maxParallel)
	case d.SHA256 == "":
		return nil, nil
	}
	sum, err := hex.DecodeString(strings.TrimPrefix(d.SHA256, "sha256:"))
	wanted := &digest{"sha-256", sum}
	if err != nil || !wanted.valid() {
		return nil, errors.New("transfer: Download.SHA256 is not 64 hexadecimal digits")
	}
	return []*digest{wanted}, nil
}

func (d *Download) run(out sink, wanted []*digest) *run {
	if d.Label == "" {
		d.Label = d.Path
	}
	if d.MaxBreaks == 0 {
		d.MaxBreaks = defaultBreaks
	}
	limit := d.MaxBytes
	if limit == 0 {
		limit = defaultMaxBytes
	}
	return &run{d: d, out: out, wanted: wanted, limit: limit, meter: newMeter(d.Label, d.Progress), source: entity{total: -1}}
}
