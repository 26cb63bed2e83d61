// Command inbox looks after the events of an inbox in SQLite:
//
//	go run ./examples/inbox -db inbox.db COMMAND [FLAGS] [NUMBER ...]
//
//	stats     what is in the store
//	list      records, a line each, narrowed by flags
//	dead      the dead letters among them
//	show      records whole, with their histories; their bodies with -body
//	replay    have dead letters handled again, or the records with the numbers or
//	          states given, also those that are done; with -n only list them
//	discard   give records up, so that what they hold up goes on
//
// The process that handles the events may run meanwhile. Copy the folder into your
// service; for PostgreSQL change the driver and the dialect in open.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/aplomb-go/aplomb/inbox"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, os.Stderr, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) { // which was printed
		fmt.Fprintln(os.Stderr, "inbox:", err)
		os.Exit(1)
	}
}

// commands are what the first argument may be.
var commands = map[string]func(context.Context, *invocation) error{
	"stats":   stats,
	"list":    list,
	"dead":    dead,
	"show":    show,
	"replay":  replay,
	"discard": discard,
}

const usage = "usage: inbox -db FILE stats|list|dead|show|replay|discard [FLAGS] [NUMBER ...]"

func run(ctx context.Context, out, complaints io.Writer, args []string) error {
	flags := flag.NewFlagSet("inbox", flag.ContinueOnError)
	flags.SetOutput(complaints)
	flags.Usage = func() { fmt.Fprintln(complaints, usage); flags.PrintDefaults() }
	path := flags.String("db", "inbox.db", "the SQLite `file` that the inbox is in")
	if err := flags.Parse(args); err != nil {
		return err
	}
	command, known := commands[flags.Arg(0)]
	if !known {
		return fmt.Errorf("no command %q; %s", flags.Arg(0), usage)
	}
	in, err := parse(flags.Arg(0), flags.Args()[1:], complaints)
	if err != nil {
		return err
	}
	store, done, err := open(ctx, *path)
	if err != nil {
		return err
	}
	defer done()
	in.store, in.out = store, out
	return command(ctx, in)
}

// open opens an inbox that is there: a misspelt name is not to be an empty one.
func open(ctx context.Context, path string) (inbox.Store, func(), error) {
	if _, err := os.Stat(path); err != nil {
		return nil, nil, fmt.Errorf("no inbox at %s: give its file with -db: %w", path, err)
	}
	name := url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: "_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=busy_timeout(5000)"}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, nil, err
	}
	store, err := inbox.OpenSQL(ctx, db, inbox.SQLite)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return store, func() { _ = db.Close() }, nil
}
