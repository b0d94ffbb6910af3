package nodestest_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/nodestest"
)

// A counter counts on every node: an Add is written, synced and passed on to the others. It answers before the others
// have it.
type counter struct {
	total int
	bug   bool
}

type (
	Add     struct{ By int }
	Added   struct{ Total int }
	Copy    struct{ By int }
	Counted struct{ Total int }
)

func (c Copy) String() string { return fmt.Sprint("by ", c.By) }

var system = nodes.System{
	Name:   "counter",
	New:    func(bug string) nodes.Node { return &counter{bug: bug == "ack-before-sync"} },
	Bodies: []any{Add{}, Added{}, Copy{}, Counted{}},
	Bugs:   []nodes.Bug{{Name: "ack-before-sync"}},
}

func (c *counter) Start(env nodes.Env) {
	snapshot, _, records, _ := env.Disk().Log("adds").Read()
	c.total, _ = strconv.Atoi(string(snapshot))
	for _, r := range records {
		by, _ := strconv.Atoi(string(r))
		c.total += by
	}
	env.Logf("%s with %d", env.Boot(), c.total)
	env.After(time.Second, "compact")
}

func (c *counter) Receive(env nodes.Env, m nodes.Message) {
	switch b := m.Body.(type) {
	case Add:
		c.add(env, b.By)
		for _, id := range env.Topology().IDs() {
			if id != env.ID() {
				env.Send(id, Copy(b))
			}
		}
		env.Send(m.From, Added{c.total})
	case Copy:
		c.add(env, b.By)
	}
}

func (c *counter) add(env nodes.Env, by int) {
	c.total += by
	env.Disk().Log("adds").Append([]byte(strconv.Itoa(by)))
	if !c.bug {
		env.Disk().Sync()
	}
	env.Emit(Counted{c.total})
}

func (c *counter) Wake(env nodes.Env, name string) {
	log := env.Disk().Log("adds")
	if _, first, records, _ := log.Read(); len(records) > 1 {
		env.Reached("compaction")
		log.Snapshot(first+uint64(len(records))-1, []byte(strconv.Itoa(c.total)))
		env.Disk().Sync()
	}
	env.After(time.Second, "compact")
}

func (c *counter) Member(env nodes.Env, id nodes.ID, state nodes.MemberState) {
	env.Logf("is told that %s is %d, at %s", id, state, env.Now().Format("15:04:05"))
}

func TestScripts(t *testing.T) { nodestest.Run(t, system, "testdata") }
