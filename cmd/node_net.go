package cmd

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"faultlab/nodes/cluster/docker/holder"
	"faultlab/nodes/host"
)

// nodeNetCommand is what runs beside a node in a container of its own. People have no use for it.
func (a *app) nodeNetCommand() *cobra.Command {
	open := false
	listen, data := fmt.Sprintf(":%d", holder.Port), "/data"
	c := &cobra.Command{
		Use:    "node-net",
		Short:  "Hold the network and the disk of a node, and harm them as the lab says",
		Hidden: true,
		Args:   atMost(0, "no argument"),
		RunE: func(c *cobra.Command, _ []string) error {
			if open {
				if err := os.Chmod(data, 0o777); err != nil {
					return err
				}
			}
			return holder.Serve(c.Context(), listen, data, disk)
		},
	}
	c.Flags().StringVar(&listen, "listen", listen, "the address to listen on")
	c.Flags().StringVar(&data, "data", data, "the node's data")
	c.Flags().BoolVar(&open, "open", false, "let the node write its data as any user")
	return c
}

// disk is what a holder does to the files of its node.
var disk = holder.Disk{Tear: host.Tear, Wipe: host.Wipe, Damage: host.Spoil, Save: host.Save}
