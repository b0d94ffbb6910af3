package docker

import (
	"context"
	"fmt"

	"github.com/moby/moby/client"

	"faultlab/nodes"
)

// Use makes a node run the program at that path from its next boot on, or the one that it ran at first if the path is
// empty. It must be a lab of its own, linked statically and for the engine's architecture.
func (c *Cluster) Use(_ context.Context, id nodes.ID, path string) error {
	m, err := c.member("use another build for", id)
	if err != nil {
		return err
	}
	if path == "" {
		m.image = c.image
		return nil
	}
	if err := fits(path, c.engine.arch); err != nil {
		return fmt.Errorf("docker: upgrade %s: %w", id, err)
	}
	return c.slowly("build the image of "+path, func(ctx context.Context) error {
		image, err := c.engine.imageOf(ctx, path)
		if err == nil {
			m.image = image
		}
		return err
	})
}

// renew starts a node's container anew, from another image.
func (c *Cluster) renew(ctx context.Context, m *member, image string) error {
	if _, err := c.engine.api.ContainerRemove(ctx, m.pair.node, client.ContainerRemoveOptions{Force: true}); absent(err) != nil {
		return err
	}
	id, err := c.engine.node(ctx, c.run, image, m.id, m.pair.holder, c.command())
	if err == nil {
		m.pair.node, m.started = id, image
	}
	return err
}
