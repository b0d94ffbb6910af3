package labs

import (
	"fmt"
	"math/rand/v2"
	"time"

	"faultlab/checker/history"
	"faultlab/nodes"
	"faultlab/nodes/wire"
)

// A client asks for one operation at a time, at random moments that do not wait for replies: it neither hurries nor
// builds up a backlog after a slow one.
type client struct {
	Client
	e     *engine
	gaps  *rand.Rand // its own for the load, so that a workload that draws more does not shift it
	mean  time.Duration
	names int // identities that it has retired

	scripted bool            // its requests fall due when they did in another run
	script   []time.Duration // and not at random: then

	busy    bool // an operation is under way
	owed    int  // requests that fell due meanwhile and are yet to be asked: at most one, if not scripted
	reading bool // it is not yet done with its final reads

	crashed  int // faults that keep it dead
	doubling int // faults that make it submit everything twice

	// The operation under way.
	index  int // its place in the history
	asked  Request
	tries  int
	giveUp time.Duration

	epoch        int // rises where replies may still come that answer nothing
	arrive, next func()
	replied      func(reply any, ok bool)
}

// employ places the clients: round robin over the regions, and over the zones of each.
func (e *engine) employ() {
	topology := e.run.Topology
	regions := topology.Regions()
	mean := time.Duration(e.o.Clients) * time.Second / time.Duration(e.o.Rate)
	for i := range e.o.Clients {
		region := regions[i%len(regions)]
		members := topology.In(region)
		neighbour, _ := topology.Member(members[i/len(regions)%len(members)])
		id := nodes.ID(fmt.Sprintf("c%d", i+1))
		c := &client{
			Client: Client{
				Member:   nodes.Member{ID: id, Region: region, Zone: neighbour.Zone},
				Identity: string(id),
				Rand:     generator(e.o.Seed, "client "+string(id)),
			},
			e: e, gaps: generator(e.o.Seed, "load of "+string(id)), mean: mean,
		}
		c.arrive, c.next = c.due, c.read
		c.listen()
		e.clients = append(e.clients, c)
	}
}

// start sets when the next request falls due: after a time that is uniform between nothing and twice the mean.
func (c *client) start() {
	switch {
	case !c.scripted:
		c.e.cluster.After(time.Duration(c.gaps.Int64N(2*int64(c.mean)+1)), c.arrive)
	case len(c.script) > 0:
		c.e.cluster.After(max(0, c.script[0]-c.e.cluster.Now()), c.arrive)
		c.script = c.script[1:]
	}
}

// due is called whenever a request falls due.
func (c *client) due() {
	if !c.e.loading {
		return
	}
	c.start()
	switch {
	case c.crashed > 0:
	case !c.busy:
		c.ask()
	case c.scripted:
		c.owed++ // all that was asked then is asked now, if later
	default:
		c.owed = 1
	}
}

// read asks for the next of the final reads.
func (c *client) read() { c.reading = c.ask() }

// ask begins the next operation, if the workload has one.
func (c *client) ask() bool {
	e := c.e
	if c.busy {
		panic(fmt.Sprintf("client %s asks while it waits for a reply", c.ID))
	}
	c.Number++
	r, ok := e.work.Next(&c.Client, e.phase)
	if !ok {
		c.Number--
		return false
	}
	if len(r.To) == 0 {
		panic(fmt.Sprintf("lab %s: its workload asks nobody for %+v", e.lab.Name, r.Body))
	}
	if r.Deadline <= 0 {
		r.Deadline = patience
	}
	now := e.cluster.Now()
	c.busy, c.index, c.asked, c.tries, c.giveUp = true, len(e.h.Ops), r, 0, now+r.Deadline
	e.h.Ops = append(e.h.Ops, history.Op{
		Index: c.index, Client: c.Identity, Region: c.Region, In: r.Body, Call: now, Outcome: history.Unknown, Phase: e.phase,
	})
	c.try(now)
	return true
}

// try sends the request to the next member. All tries are one operation.
func (c *client) try(now time.Duration) {
	to := c.asked.To[c.tries%len(c.asked.To)]
	c.tries++
	wait := c.giveUp - now
	if c.asked.Wait > 0 {
		wait = min(wait, c.asked.Wait)
	}
	c.e.h.Ops[c.index].Node = string(to)
	c.e.cluster.Call(c.Member, to, c.asked.Body, wait, c.replied)
	if c.doubling > 0 && c.tries == 1 {
		c.submitAgain(c.giveUp - now)
	}
}

// submitAgain gives the request under way to the next member too, which is no try of its own: a reply from there counts
// if it is the first, and silence says nothing.
func (c *client) submitAgain(wait time.Duration) {
	index, to := c.index, c.asked.To[c.tries%len(c.asked.To)]
	c.tries++
	c.e.cluster.Call(c.Member, to, c.asked.Body, wait, func(reply any, ok bool) {
		if ok && c.busy && c.index == index {
			c.e.h.Ops[index].Node = string(to)
			c.epoch++ // what the other one may yet say answers nothing
			c.listen()
			c.answered(reply, true)
		}
	})
}

// listen makes replied hear what is asked from now on, and nothing that was asked before.
func (c *client) listen() {
	epoch := c.epoch
	c.replied = func(reply any, ok bool) {
		if c.epoch == epoch {
			c.answered(reply, ok)
		}
	}
}

// crash ends the operation under way, and all that the client knew of it.
func (c *client) crash() {
	c.crashed++
	c.owed = 0
	if c.busy {
		c.epoch++
		c.listen()
		c.finish(c.e.cluster.Now(), nil, history.Unknown)
	}
}

// answered is told of a reply, or of silence.
func (c *client) answered(reply any, ok bool) {
	if !c.busy {
		return // given up at the end of the run
	}
	now := c.e.cluster.Now()
	if !ok && now < c.giveUp {
		c.try(now)
		return
	}
	outcome := history.Unknown
	refusal, refused := reply.(wire.Error)
	switch {
	case refused && refusal.Code.Definite() && c.tries == 1:
		outcome = history.Failed // of this try it is sure, and of no other one
	case ok && !refused:
		outcome = c.e.lab.Outcome(c.asked.Body, reply)
		if outcome == history.Failed && c.tries > 1 && !c.e.lab.FailureIsFinal {
			outcome = history.Unknown // that this try surely did nothing says nothing of the ones before it
		}
	}
	c.finish(now, reply, outcome)
	switch {
	case c.reading && outcome == history.OK:
		c.read()
	case c.reading:
		c.e.cluster.After(pause, c.next)
	case c.owed > 0 && (c.e.loading || c.scripted):
		c.owed--
		c.ask()
	}
}

// finish ends the operation under way. One that may yet happen takes the client's identity with it.
func (c *client) finish(now time.Duration, reply any, outcome history.Outcome) {
	c.busy = false
	op := &c.e.h.Ops[c.index]
	op.Return, op.Out, op.Outcome = now, reply, outcome
	c.e.work.Done(&c.Client, op)
	if outcome == history.Unknown {
		c.names++
		c.Identity = fmt.Sprintf("%s.%d", c.ID, c.names)
	}
}

// abandon ends what is still under way when the run ends.
func (c *client) abandon() {
	c.reading = false
	if c.busy {
		c.finish(c.e.cluster.Now(), nil, history.Unknown)
	}
}
