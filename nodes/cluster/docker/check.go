package docker

import (
	"context"
	"fmt"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/cluster/docker/holder"
)

// A Machine is what this machine can do for clusters of containers.
type Machine struct {
	Engine string           // "20.10.24, amd64"
	Image  string           // that nodes are started from
	Kernel holder.Abilities // of the engine, which may be another machine's
	Left   int              // containers, networks and volumes that labs left behind
	Took   time.Duration    // to start and end one container
}

const kernelFix = "boot a kernel with CONFIG_NF_TABLES, CONFIG_NFT_NUMGEN, and CONFIG_NET_SCH_NETEM or CONFIG_NETFILTER_XT_TARGET_NFQUEUE with CONFIG_NFT_COMPAT (sudo modprobe nf_tables nft_numgen sch_netem)"

// Check finds out what this machine can do: it builds the image if need be, starts one container, asks it and removes
// it. The error is a *Cannot if there can be no cluster of containers at all.
func Check(ctx context.Context) (m Machine, err error) {
	e, err := connect(ctx)
	if err != nil {
		return m, err
	}
	m.Engine = e.version + ", " + e.arch
	left, err := e.left(ctx)
	if err != nil {
		return m, err
	}
	m.Left = left
	if m.Image, err = e.image(ctx); err != nil {
		return m, err
	}
	began := time.Now()
	run := newRun()
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closePatience)
		defer cancel()
		if gone := e.remove(ctx, run); err == nil {
			err = gone
		}
		m.Took = time.Since(began)
	}()
	if err := e.network(ctx, run); err != nil {
		return m, err
	}
	p, err := e.holder(ctx, run, m.Image, "probe", false)
	if err == nil {
		err = e.addresses(ctx, run, &p)
	}
	if err != nil {
		return m, &Cannot{"no container starts: " + oneLine(err.Error()), "look at the engine's log (journalctl -u docker)"}
	}
	client := holder.Dial(p.control)
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, bootPatience)
	defer cancel()
	a, err := client.Patiently(ctx, holder.Request{Can: true})
	if err != nil {
		return m, &Cannot{fmt.Sprintf("a container does not answer on %s: %v", p.control, err), "let connections to 127.0.0.1 pass (sudo iptables -L), and see docker logs"}
	}
	m.Kernel = *a.Can
	return m, nil
}

// Refuses says why the engine's kernel cannot do this to links between nodes, and what would change it; nil if it can.
func (m Machine) Refuses(q nodes.Quality) *Cannot { return refuses(m.Kernel, q) }

func refuses(can holder.Abilities, q nodes.Quality) *Cannot {
	what := ""
	switch {
	case (q.Cut || q.Hold) && !can.Cut:
		what = "cut links"
	case q.LossPerMille > 0 && !can.Loss:
		what = "lose packets"
	case (q.Delay > 0 || q.Jitter > 0) && can.Delay == "":
		what = "delay packets"
	default:
		return nil
	}
	return &Cannot{"the engine's kernel cannot " + what + ": " + can.Why, kernelFix}
}
