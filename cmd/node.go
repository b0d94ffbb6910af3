package cmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"faultlab/nodes"
	"faultlab/nodes/host"
)

// Exit statuses of lab node. What it cannot begin is Cannot or Usage, as everywhere.
const (
	nodeCrashed = 2 // the node panicked or flooded
	diskFailed  = 3 // its disk could not do what was asked, and so the node could not keep its word
)

// nodeOptions are the flags of lab node.
type nodeOptions struct {
	listen, data string
	stdio        bool
}

func (a *app) nodeCommand() *cobra.Command {
	var o nodeOptions
	c := &cobra.Command{
		Use:   "node SYSTEM",
		Short: "Be one node of a system, in this process, until it is told to end",
		Long: `lab node is one node of a system: a lab's name, or the system's. It waits for the
message init, which says who it is and where the others are, and then serves: other nodes,
and whoever sends it lines of the message protocol, as

  {"src":"c1","dest":"a1","body":{"type":"txn","msg_id":1,"session":"s","number":1,"ops":[]}}

On SIGTERM it finishes what is under way and exits with 0. Killed, it has all that it said
it had, and goes on from there when it is started again.

Exit status: 0 it was told to end; 2 the node panicked or flooded; 3 its disk failed;
253 this machine cannot do it (an address in use, a folder that cannot be written);
254 bad arguments.`,
		Example: `  lab node multi-master --listen 127.0.0.1:7000 --data a1
  lab node multi-master --stdio`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return badly("lab node: which system? %s", there(a.systemNames()))
			}
			return atMost(1, "one system")(c, args)
		},
		ValidArgs: a.systemNames(),
		RunE:      func(c *cobra.Command, args []string) error { return a.node(c.Context(), args[0], o) },
	}
	f := c.Flags()
	f.StringVar(&o.listen, "listen", os.Getenv("LAB_LISTEN"), "address to listen on, HOST:PORT (LAB_LISTEN; 127.0.0.1:7000 if neither is there); gossip is on the next port")
	f.StringVar(&o.data, "data", os.Getenv("LAB_DATA"), "folder for the node's disk (LAB_DATA; if neither is there, one that is gone when the node ends)")
	f.BoolVar(&o.stdio, "stdio", false, "read lines from standard input and write them to standard output, also those between nodes, and listen nowhere")
	return c
}

// there says what names there are.
func there(names []string) string {
	if len(names) == 0 {
		return "there is none"
	}
	text := "there is " + names[0]
	for _, n := range names[1:] {
		text += ", " + n
	}
	return text
}

// systemNames are the names by which lab node knows systems.
func (a *app) systemNames() []string {
	var names []string
	for _, l := range a.labs {
		for _, n := range []string{l.Name, l.System.Name} {
			if l.System.New != nil && !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	return names
}

func (a *app) system(name string) (nodes.System, error) {
	for _, l := range a.labs {
		if l.Name != name && l.System.Name != name {
			continue
		}
		if l.System.New == nil {
			return nodes.System{}, badly("system %s has no node of its own (lab run %s --bin takes one)", name, l.Name)
		}
		return l.System, nil
	}
	return nodes.System{}, badly("%s", unknown("system", name, a.systemNames()))
}

// node is one node, until ctx ends.
func (a *app) node(ctx context.Context, name string, o nodeOptions) error {
	system, err := a.system(name)
	if err != nil {
		return err
	}
	if o.listen == "" {
		o.listen = "127.0.0.1:7000"
	}
	if _, _, err := net.SplitHostPort(o.listen); err != nil && !o.stdio {
		return badly("--listen %s: an address with its port is wanted, as 127.0.0.1:7000", o.listen)
	}
	if o.data == "" {
		if o.data, err = os.MkdirTemp("", "lab-node-"); err != nil {
			return &failure{Cannot, fmt.Errorf("make a folder for the node's disk: %w", err)}
		}
		defer os.RemoveAll(o.data)
	}
	t := host.NewStdio(os.Stdin, os.Stdout)
	if !o.stdio {
		if t, err = host.ListenTCP(o.listen); err != nil {
			return &failure{Cannot, err}
		}
	}
	h, err := host.New(host.Config{System: system, Dir: o.data, Out: a.err})
	if err != nil {
		t.Close(ctx)
		return &failure{Cannot, err}
	}
	err = h.Run(ctx, t)
	crash, disk := (*host.Crash)(nil), (*host.DiskError)(nil)
	switch {
	case err == nil, errors.Is(err, host.ErrNoInput):
		return nil
	case errors.As(err, &crash):
		fmt.Fprintf(a.err, "lab: %s\n%s", crash.What, crash.Stack)
		return verdict{nodeCrashed}
	case errors.As(err, &disk):
		return &failure{diskFailed, err}
	}
	return &failure{Cannot, err}
}
