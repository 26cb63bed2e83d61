package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/aplomb-go/aplomb/inbox"
)

// invocation is what a command is to do.
type invocation struct {
	command string
	store   inbox.Store
	out     io.Writer
	query   inbox.Query
	body    bool   // show bodies
	dry     bool   // list what would change
	why     string // a replay's name, a discard's reason
}

// parse reads what follows the command.
func parse(command string, args []string, complaints io.Writer) (*invocation, error) {
	in := &invocation{command: command}
	flags := flag.NewFlagSet("inbox "+command, flag.ContinueOnError)
	flags.SetOutput(complaints)
	flags.StringVar(&in.query.Source, "source", "", "only this source")
	flags.StringVar(&in.query.Key, "key", "", "only the event with this key")
	flags.StringVar(&in.query.Type, "type", "", "only this type")
	flags.StringVar(&in.query.Order, "order", "", "only this order")
	flags.Int64Var(&in.query.After, "after", 0, "only records after this `number`: for the next page")
	flags.IntVar(&in.query.Limit, "limit", 0, "at most so many")
	state := flags.String("state", "", "only these states, separated by commas: ready, leased, done, dead, parked, conflict, discarded")
	since := flags.Duration("since", 0, "only what was received in this `time`, such as 24h")
	switch command {
	case "show":
		flags.BoolVar(&in.body, "body", false, "print bodies, too: they may hold what is nobody's business")
	case "replay", "discard":
		flags.BoolVar(&in.dry, "n", false, "change nothing, and list what would be changed")
		if command == "discard" {
			flags.BoolVar(&in.query.All, "all", false, "all records, if nothing else narrows them")
		}
		flags.StringVar(&in.why, "why", "", "the reason, for the history")
	}
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if command == "replay" && *state == "" && flags.NArg() == 0 { // what is done would take effect again
		in.query.States = []inbox.State{inbox.StateDead, inbox.StateParked}
	}
	if *state != "" {
		for s := range strings.SplitSeq(*state, ",") {
			in.query.States = append(in.query.States, inbox.State(strings.TrimSpace(s)))
		}
	}
	if *since > 0 {
		in.query.ReceivedFrom = time.Now().Add(-*since)
	}
	for _, arg := range flags.Args() {
		seq, err := strconv.ParseInt(arg, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a record's number; flags come before numbers", arg)
		}
		in.query.Seqs = append(in.query.Seqs, seq)
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	return in, nil
}

func (in *invocation) check() error {
	for _, s := range in.query.States {
		switch s {
		case inbox.StateReady, inbox.StateLeased, inbox.StateDone, inbox.StateDead, inbox.StateParked, inbox.StateConflict, inbox.StateDiscarded:
		default:
			return fmt.Errorf("there is no state %q: ready, leased, done, dead, parked, conflict and discarded are the ones", s)
		}
	}
	if in.command == "discard" && in.query.CheckChange() != nil {
		return errors.New("discard what? Give numbers or flags such as -state dead, or -all")
	}
	return nil
}
