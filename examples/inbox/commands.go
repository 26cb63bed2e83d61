package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/aplomb-go/aplomb/inbox"
)

func stats(ctx context.Context, in *invocation) error {
	s, err := in.store.Stats(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(in.out, "%d ready, %d leased, %d dead, %d parked, %d in conflict\n", s.Ready, s.Leased, s.Dead, s.Parked, s.Conflicts)
	if s.Pending() > 0 {
		fmt.Fprintf(in.out, "the oldest that waits came %v ago\n", s.Oldest.Round(time.Second))
	}
	return nil
}

// list prints a line for each record, and how to see more.
func list(ctx context.Context, in *invocation) error {
	records, err := in.store.List(ctx, in.query)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(in.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NUMBER\tSTATE\tATTEMPTS\tRECEIVED\tVIA\tSOURCE\tTYPE\tKEY\tLAST ERROR")
	for i := range records {
		r := &records[i]
		fmt.Fprintf(table, "%d\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Seq, r.State, r.Attempts, moment(r.Received), r.Via, r.Source, plain(r.Type), plain(r.Key), lastError(r))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if n := len(records); n > 0 && n == cmp.Or(in.query.Limit, 100) {
		fmt.Fprintf(in.out, "there may be more: -after %d\n", records[n-1].Seq)
	}
	return nil
}

// plain is a sender's text without what a terminal would act on.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, text)
}

func moment(t time.Time) string { return t.UTC().Format(time.DateTime) }

// lastError is the beginning of what went wrong last, on one line.
func lastError(r *inbox.Record) string {
	if len(r.History) == 0 {
		return ""
	}
	text := []rune(r.History[len(r.History)-1].Error)
	return fmt.Sprintf("%q", string(text[:min(len(text), 60)]))
}

func dead(ctx context.Context, in *invocation) error {
	in.query.States = []inbox.State{inbox.StateDead, inbox.StateParked}
	return list(ctx, in)
}

func show(ctx context.Context, in *invocation) error {
	records, err := in.store.List(ctx, in.query)
	if err != nil {
		return err
	}
	for i := range records {
		in.show(&records[i])
	}
	if len(records) == 0 {
		return errors.New("there is no such record")
	}
	return nil
}

func (in *invocation) show(r *inbox.Record) {
	fmt.Fprintf(in.out, "record %d, %s\n", r.Seq, r.State)
	for _, line := range []struct{ name, value string }{
		{"source", r.Source}, {"key", plain(r.Key)}, {"type", plain(r.Type)}, {"order", plain(r.Order)}, {"via", string(r.Via)},
		{"occurred", moment(r.Occurred)}, {"received", moment(r.Received)}, {"attempts", strconv.Itoa(r.Attempts)}, {"replay", r.Replay},
	} {
		if line.value != "" {
			fmt.Fprintf(in.out, "  %-9s %s\n", line.name, line.value)
		}
	}
	if !r.Due.IsZero() {
		fmt.Fprintf(in.out, "  %-9s %s\n", "due", moment(r.Due))
	}
	for _, a := range r.History {
		if a.Number == 0 {
			fmt.Fprintf(in.out, "  %s: %q\n", moment(a.Ended), a.Error)
			continue
		}
		again := ""
		if a.Replay != "" {
			again = fmt.Sprintf(" of replay %q", a.Replay)
		}
		fmt.Fprintf(in.out, "  attempt %d%s by %s, %s for %v: %q\n", a.Number, again, a.Owner, moment(a.Began), a.Ended.Sub(a.Began).Round(time.Millisecond), a.Error)
	}
	switch {
	case r.Body == nil:
		fmt.Fprintln(in.out, "  its body is no longer kept")
	case in.body:
		fmt.Fprintf(in.out, "%s\n", r.Body)
	default:
		fmt.Fprintf(in.out, "  %d bytes of body: -body prints them\n", len(r.Body))
	}
}

func replay(ctx context.Context, in *invocation) error {
	if in.dry {
		return list(ctx, in)
	}
	name := cmp.Or(in.why, "by hand at "+time.Now().UTC().Format(time.RFC3339))
	n, err := in.store.Replay(ctx, in.query, name)
	if err == nil && n == 0 {
		return errors.New("nothing to replay: no record is named that is neither ready nor leased, and has its body")
	}
	if err == nil {
		fmt.Fprintf(in.out, "%d to be handled again\n", n)
	}
	return err
}

func discard(ctx context.Context, in *invocation) error {
	if in.dry {
		return list(ctx, in)
	}
	n, err := in.store.Discard(ctx, in.query, cmp.Or(in.why, "by hand"))
	if err == nil && n == 0 {
		return errors.New("nothing to discard: no record is named that is neither leased nor done")
	}
	if err == nil {
		fmt.Fprintf(in.out, "%d given up\n", n)
	}
	return err
}
