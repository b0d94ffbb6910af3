package cmd

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"faultlab/nodes"
	"faultlab/nodes/host"
	"faultlab/nodes/wire"
)

// nodeInitCommand says init to nodes that somebody else started: docker/compose.yaml, which has no lab to do it.
func (a *app) nodeInitCommand() *cobra.Command {
	c := &cobra.Command{
		Use:    "node-init LAB ID=HOST:PORT...",
		Short:  "Tell waiting nodes of a lab who they are and where the others are",
		Hidden: true,
		Args:   cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			lab, err := a.lab(args[0])
			if err != nil {
				return err
			}
			addresses := map[nodes.ID]string{}
			for _, arg := range args[1:] {
				id, address, ok := strings.Cut(arg, "=")
				if _, _, err := net.SplitHostPort(address); !ok || err != nil {
					return badly("%q: a node and its address are wanted, as a1=10.0.0.1:7000", arg)
				}
				addresses[nodes.ID(id)] = address
			}
			topology, err := lab.Topology(len(addresses))
			if err != nil {
				return badly("%w", err)
			}
			ctx, cancel := context.WithTimeout(c.Context(), 30*time.Second)
			defer cancel()
			for _, id := range topology.IDs() {
				if addresses[id] == "" {
					return badly("no address of %s is given: %d nodes of %s are %v", id, len(addresses), lab.Name, topology.IDs())
				}
				init := host.Init{NodeID: id, NodeIDs: topology.IDs(), Topology: &topology, Addresses: addresses, Seed: 1}
				for {
					if err = sayInit(ctx, addresses[id], init); err == nil {
						break
					}
					select {
					case <-time.After(100 * time.Millisecond):
						continue
					case <-ctx.Done():
					}
					return &failure{Cannot, fmt.Errorf("node %s at %s: %w", id, addresses[id], err)}
				}
			}
			fmt.Fprintf(a.out, "%d nodes know who they are\n", len(addresses))
			return nil
		},
	}
	return c
}

// sayInit tells one node who it is, and waits for its answer.
func sayInit(ctx context.Context, address string, init host.Init) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	body, err := host.Protocol().Encode(init)
	if err != nil {
		return err
	}
	text, err := wire.Message{Src: host.Lab, Dest: init.NodeID, ID: 1, Body: body}.Append(nil)
	if err != nil {
		return err
	}
	if _, err := conn.Write(text); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadBytes('\n')
	if err != nil {
		return err
	}
	m, err := wire.ReadMessage(line)
	if err == nil && m.Type != "init_ok" {
		err = fmt.Errorf("it answers %s", m.Body)
	}
	return err
}
