package process

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"slices"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/host"
	"faultlab/nodes/wire"
)

// Own is a cluster whose nodes are our own, each a process of lab node. Since they know the words of package host, and
// their folders hold disks of that package, their clocks, disks and power can fail too.
type Own struct{ *Cluster }

// own is what only a node of ours may suffer from, and what is known of it.
type own struct {
	gone  bool      // its disk is gone, and it has not run for long since: at its next boot it is another member
	skew  host.Skew // as it is to be, also after the next boot
	disk  host.DiskFaults
	tears uint64 // how many power losses it has had, which are drawn one by one
}

// settled is how long a new member under an old name must run until it has surely synced something of its own. If it
// dies before, its disk is taken again: then it is the same whether it had.
const settled = 2 * time.Second

// fall notes that the node is about to die.
func (o *own) fall(m *member) {
	if m.ready && m.c.Now()-m.booted > settled {
		o.gone = false
	}
}

func (o *own) wiped() { o.gone = true }

// word is the boot that init tells. Its folder knows whether it is the first.
func (o *own) word() string {
	if o.gone {
		return nodes.Replaced.String()
	}
	return ""
}

// StartOwn makes a cluster of the topology's members, each the system's own node in a process of this very program, which
// must have the command node. It returns as Start does.
func StartOwn(spec nodes.Spec) (*Own, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("process: find this program: %w", err)
	}
	c, err := start(spec, []string{self, "node", spec.System.Name, "--stdio", "--data", "."}, true)
	if err != nil {
		return nil, err
	}
	o := &Own{c}
	for i, m := range c.members {
		c.After(saveEvery*time.Duration(i+1)/time.Duration(len(c.members)), m.save)
	}
	return o, nil
}

// hearOwn reads what our own node tells the lab.
func (k *child) hearOwn(msg wire.Message) (func(), error) {
	c, m := k.c, k.m
	word, err := host.Protocol().Decode(msg.Body)
	if err != nil {
		return nil, &odd{err.Error(), "a word of package host"}
	}
	switch w := word.(type) {
	case host.InitOK:
		return func() {
			if m.child == k && !m.ready {
				m.inited()
			}
		}, nil
	case host.CtlOK:
		return nil, nil
	case wire.Error:
		return nil, &odd{"refused what the lab told it: " + w.Text, "that it takes it"}
	case host.Event:
		event, err := c.codec.Decode(w.Event)
		if err != nil {
			return nil, &odd{err.Error(), "an event of system " + c.spec.System.Name}
		}
		return func() { c.spec.Observer.Event(c.Told(w.At), m.id, event) }, nil
	case host.Reached:
		return func() { c.spec.Observer.Reached(m.id, w.Probe) }, nil
	case host.Log:
		return func() { c.spec.Observer.Log(c.Told(w.At), m.id, w.Line) }, nil
	}
	return nil, &odd{fmt.Sprintf("said %q to the lab", msg.Type), "an event, a probe or a line of its log"}
}

// tell tells a node what it suffers from. One that is down is told when it boots, and a paused one hears it when it goes
// on.
func (m *member) tell(ctl host.Ctl) {
	if m.child != nil {
		m.child.n++
		m.child.say(labName, m.child.n, ctl)
	}
}

// stopped is the exit status of a node whose disk failed it.
const stopped = 3

// stoppedByItsDisk says whether a node ended because its disk failed it, as it was told to. Then it lost what no fsync
// covers.
func (m *member) stoppedByItsDisk(k *child) bool {
	if k.code != stopped || !m.own.disk.FailSync && !m.own.disk.Full && !m.own.disk.IOError {
		return false
	}
	m.fall()
	m.own.tears++
	seed, busy := tearSeed(m.c.spec.Seed, m.id, m.own.tears), make(chan struct{})
	m.busy = busy
	go func() {
		defer close(busy)
		if err := host.Tear(m.dir, seed); err != nil {
			m.c.Arrive(func() { m.c.spec.Observer.Log(m.c.Now(), m.id, fmt.Sprintf("its disk was not torn: %v", err)) })
		}
	}()
	return true
}

// tearSeed is what the loss of the nth power loss of a node is drawn from.
func tearSeed(seed uint64, id nodes.ID, n uint64) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d power loss %d of %s", seed, n, id)
	return h.Sum64()
}

// PowerLoss ends nodes at one instant, running or not, and takes from their disks what no completed fsync covers. Nothing
// that they have not said by then counts any more. It fails, and harms nothing, if one of them does not exist.
func (o *Own) PowerLoss(_ context.Context, ids []nodes.ID) error {
	var all []*member
	for _, id := range ids {
		m, err := o.member("power loss of", id)
		if err != nil {
			return err
		}
		if !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	type victim struct {
		m    *member
		last *child
		busy chan struct{}
		seed uint64
	}
	var victims []victim
	for _, m := range all {
		if m.last != nil {
			m.last.mute = true
		}
		m.fall()
		m.own.tears++
		victims = append(victims, victim{m, m.last, m.busy, tearSeed(o.spec.Seed, m.id, m.own.tears)})
	}
	return o.Slowly(callPatience, func(ctx context.Context) error {
		var errs []error
		for _, v := range victims {
			err := await(ctx, v.last, v.busy)
			if err == nil {
				err = host.Tear(v.m.dir, v.seed)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("process: power loss of %s: %w", v.m.id, err))
			}
		}
		return errors.Join(errs...)
	})
}

// Skew sets a node's clock: it reads offset ahead of true time and from now on runs driftPPM parts per million fast. It
// outlasts crashes.
func (o *Own) Skew(_ context.Context, id nodes.ID, offset time.Duration, driftPPM int) error {
	m, err := o.member("skew", id)
	if err != nil {
		return err
	}
	m.own.skew = host.Skew{Offset: int64(offset), DriftPPM: int64(driftPPM), Since: time.Now().UnixNano()}
	skew := m.own.skew
	m.tell(host.Ctl{Skew: &skew})
	return nil
}

// Damage harms the disk of a node: what is stored, if the node is down; how it works, by the node itself, until heal.
func (o *Own) Damage(_ context.Context, id nodes.ID, d nodes.Damage) (heal func(context.Context) error, err error) {
	m, err := o.member("damage the disk of", id)
	if err != nil {
		return nil, err
	}
	if d.Form.Stored() {
		if m.up {
			return nil, fmt.Errorf("process: damage the disk of %s: it runs, and would not notice", id)
		}
		last, busy := m.last, m.busy
		err := o.Slowly(callPatience, func(ctx context.Context) error {
			if err := await(ctx, last, busy); err != nil {
				return err
			}
			return host.Spoil(m.dir, string(d.Form), d.Seed)
		})
		return func(context.Context) error { return nil }, err
	}
	set := func(on bool) error {
		switch d.Form {
		case nodes.Full:
			m.own.disk.Full = on
		case nodes.FailedFsync:
			m.own.disk.FailSync = on
		case nodes.SlowFsync:
			if on {
				m.own.disk.Slow += int64(d.Delay)
			} else {
				m.own.disk.Slow -= int64(d.Delay)
			}
		default:
			return fmt.Errorf("process: damage the disk of %s: no form %q", id, d.Form)
		}
		disk := m.own.disk
		m.tell(host.Ctl{Disk: &disk})
		return nil
	}
	healed := false
	return func(context.Context) error {
		if healed {
			return nil
		}
		healed = true
		return set(false)
	}, set(true)
}

// saveEvery is how often the files of a node are copied, for a rollback to bring back.
const saveEvery = 5 * time.Second

// save keeps a copy of a node's files, again and again.
func (m *member) save() {
	c := m.c
	c.After(saveEvery, m.save)
	if !m.ready || m.paused {
		return
	}
	if m.busy != nil {
		select {
		case <-m.busy:
		default:
			return
		}
	}
	busy := make(chan struct{})
	m.busy = busy
	go func() {
		defer close(busy)
		host.Save(m.dir) // a rollback without a copy says so
	}()
}
