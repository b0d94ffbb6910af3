package docker

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"faultlab/nodes"
	"faultlab/nodes/cluster/docker/holder"
	"faultlab/nodes/host"
	"faultlab/nodes/wire"
)

// A Foreign is a cluster whose nodes are an image that somebody else made. The lab knows nothing of what is inside: it
// says init, asks what clients ask, and harms nodes from outside. So it has no methods for power loss, clocks, failing
// disks or other builds, and whatever a node does that no node may is that node's failure, never an error of the lab.
type Foreign struct{ c *Cluster }

const (
	greetPatience = 30 * time.Second      // for a node of an image to answer init
	greetAgain    = 20 * time.Millisecond // after a connection that was not taken
	stopPatience  = 3                     // seconds, from SIGTERM to SIGKILL
	backlogMax    = 64 << 20              // bytes of lines from one node that wait to be handled
	linesMax      = 4000                  // of what one node wrote to its output, the last ones
	lineLength    = 1000                  // bytes of one of them
	lastLines     = 3                     // of them, told of a node that ended
	processesMax  = 4096                  // and threads, of one node
)

// A BadImage is the error of an image that cannot be run at all.
type BadImage struct {
	Ref, Why string
}

func (b *BadImage) Error() string { return fmt.Sprintf("the image %s %s", b.Ref, b.Why) }

// A fault of a node's own.
type fault struct{ what string }

func (f *fault) Error() string { return f.what }

// CheckReference says what is wrong with the name of an image.
func CheckReference(ref string) error {
	if _, err := reference.ParseAnyReference(ref); err != nil {
		return fmt.Errorf("%q names no image: NAME, NAME:TAG, NAME@DIGEST or the image's id is wanted", ref)
	}
	return nil
}

// An image is what nodes are started from, if it is not ours.
type image struct {
	ref, id string
	said    map[nodes.ID][]saying // by containers that are no more
}

// A saying is a line that a node wrote to its output.
type saying struct {
	at   time.Time
	node nodes.ID
	text string
}

// StartImage is Start with nodes of that image, which must be on the engine: it is never pulled. The error is a *BadImage
// if it cannot be run.
func StartImage(spec nodes.Spec, ref string) (*Foreign, error) {
	c, err := start(spec, ref)
	if err != nil {
		return nil, err
	}
	return &Foreign{c}, nil
}

// foreign finds an image on the engine.
func (e *engine) foreign(ctx context.Context, ref string) (*image, error) {
	seen, err := e.api.ImageInspect(ctx, ref)
	if errdefs.IsNotFound(err) {
		return nil, &Cannot{"there is no image " + ref + " on the Docker engine, and lab pulls none", "run: docker pull " + ref + ", or docker load, or docker build -t " + ref + " FOLDER"}
	}
	if err != nil {
		return nil, fmt.Errorf("docker: look for the image %s: %w", ref, err)
	}
	switch {
	case seen.Os != "linux" || seen.Architecture != e.arch:
		return nil, &Cannot{fmt.Sprintf("the image %s is for %s/%s, and the Docker engine is linux/%s", ref, seen.Os, seen.Architecture, e.arch), "build it for that (docker build --platform linux/" + e.arch + ")"}
	case seen.Config == nil || len(seen.Config.Entrypoint)+len(seen.Config.Cmd) == 0:
		return nil, &BadImage{ref, "says no program to run: give it an ENTRYPOINT"}
	}
	return &image{ref: ref, id: seen.ID, said: map[nodes.ID][]saying{}}, nil
}

// pair starts both containers of a node.
func (c *Cluster) pair(ctx context.Context, id nodes.ID) (pair, error) {
	if c.theirs == nil {
		return c.engine.pair(ctx, c.run, c.image, id, c.command())
	}
	p, err := c.engine.holder(ctx, c.run, c.image, id, true)
	if err != nil {
		return p, err
	}
	if p.node, err = c.foreignNode(ctx, id, p.holder); err != nil {
		return p, err
	}
	return p, c.engine.addresses(ctx, c.run, &p)
}

// foreignNode starts a container of somebody else's image in the network of its holder. What it writes outside of its
// disk is kept until the disk is wiped.
func (c *Cluster) foreignNode(ctx context.Context, id nodes.ID, beside string) (string, error) {
	made, err := c.engine.start(ctx, testcontainers.ContainerRequest{
		Image: c.theirs.id, Name: c.run + "-" + string(id), Labels: labels(c.run, id),
		Env: map[string]string{"LAB_LISTEN": "0.0.0.0:" + strconv.Itoa(nodePort), "LAB_DATA": "/data"},
		HostConfigModifier: func(h *container.HostConfig) {
			h.CapDrop, h.SecurityOpt = []string{"ALL"}, []string{"no-new-privileges"}
			h.Mounts, h.LogConfig, h.PidsLimit = disk(c.run, id), logs, ptr(int64(processesMax))
			h.NetworkMode = container.NetworkMode("container:" + beside)
		},
	})
	if err != nil && strings.Contains(err.Error(), "OCI runtime") {
		return "", &BadImage{c.theirs.ref, "does not start: " + oneLine(err.Error())}
	}
	return made, err
}

// greet says init to a node of an image until it is answered. The error is a *fault if that is the node's doing.
func (m *member) greet(ctx context.Context, boot nodes.Boot) (*line, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), greetPatience)
	defer cancel()
	heard := "it never listened on LAB_LISTEN (0.0.0.0:" + strconv.Itoa(nodePort) + ")"
	for {
		l, why, err := m.tryGreet(ctx, boot)
		if l != nil || err != nil {
			return l, err
		}
		if why != "" {
			heard = why
		}
		if ctx.Err() != nil {
			return nil, &fault{fmt.Sprintf("did not answer init within %s: %s; %s was expected", greetPatience, heard, m.initOK())}
		}
		// The proxy of a published port takes calls for a node that is dead, or does not listen yet.
		if x, gone := m.c.engine.exited(ctx, m.pair.node); gone {
			text := m.lastWords(x)
			if strings.Contains(text, "exec format error") {
				return nil, &BadImage{m.c.theirs.ref, "holds a program for another machine (exec format error)"}
			}
			return nil, &fault{"did not answer init: it " + text}
		}
		select {
		case <-ctx.Done():
		case <-time.After(greetAgain):
		}
	}
}

// initOK is the answer to init.
func (m *member) initOK() string {
	return fmt.Sprintf(`{"src":%q,"dest":"lab","body":{"type":"init_ok","in_reply_to":1}}`, m.id)
}

// tryGreet says init once. Without a line and an error nobody was there, and why says what was, if anything.
func (m *member) tryGreet(ctx context.Context, boot nodes.Boot) (l *line, why string, err error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", m.pair.address)
	if err != nil {
		return nil, "", nil
	}
	defer func() {
		if l == nil {
			conn.Close()
		}
	}()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	topology := m.c.spec.Topology
	body, err := host.Protocol().Encode(host.Init{NodeID: m.id, NodeIDs: topology.IDs(), Topology: &topology, Addresses: m.addresses, Seed: m.c.spec.Seed, Boot: boot.String()})
	if err != nil {
		panic(err)
	}
	text, err := wire.Message{Src: host.Lab, Dest: m.id, ID: 1, Body: body}.Append(nil)
	if err != nil {
		panic(err)
	}
	if _, err := conn.Write(text); err != nil {
		return nil, "", nil
	}
	in := bufio.NewReaderSize(conn, 1<<16)
	text, err = in.ReadSlice('\n')
	wrong := func() error {
		return &fault{fmt.Sprintf("answered init with %q, where %s was expected", short(text), m.initOK())}
	}
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, "", wrong()
	case err != nil && ctx.Err() != nil:
		return nil, "it took the connection and said nothing", nil
	case err != nil && len(text) > 0:
		return nil, "", wrong()
	case err != nil:
		return nil, "", nil
	}
	if msg, err := wire.ReadMessage(text); err != nil || msg.Type != "init_ok" || msg.InReplyTo != 1 {
		return nil, "", wrong()
	}
	l = &line{m: m, conn: conn, out: make(chan []byte, lineQueue), dead: make(chan struct{})}
	go l.write()
	go l.readForeign(in)
	return l, "", nil
}

// readForeign reads what a node of an image says. It says it to clients alone: what it says to other nodes it sends them
// itself.
func (l *line) readForeign(in *bufio.Reader) {
	c, m := l.m.c, l.m
	broke := func(what string) {
		c.Post(c.Elapsed(), func() {
			if m.line == l {
				m.broke(what)
			}
		})
		l.close()
	}
	var backlog atomic.Int64
	var long []byte
	for {
		text, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			if long = append(long, text...); len(long) > lineMax {
				broke(fmt.Sprintf("broke the protocol: a line of more than %d MiB: %q", lineMax>>20, short(long)))
				return
			}
			continue
		}
		if err != nil {
			l.close()
			c.Arrive(func() { m.lostForeign(l) })
			return
		}
		if len(long) > 0 {
			text = append(long, text...)
			long = nil
		}
		id, reply, err := l.hearForeign(text)
		switch {
		case err != nil:
			broke(fmt.Sprintf("broke the protocol: %v: %q", err, short(text)))
			return
		case id == "":
			continue
		}
		size := int64(len(text))
		if waiting := backlog.Add(size); waiting > backlogMax || !c.Arrive(func() {
			backlog.Add(-size)
			c.replied(m, id, reply)
		}) {
			broke(fmt.Sprintf("flooded: more than %d MiB of replies wait to be handled", backlogMax>>20))
			return
		}
	}
}

// hearForeign reads one line. It answers that request, or nothing if id is "".
func (l *line) hearForeign(text []byte) (id nodes.ID, reply any, err error) {
	c := l.m.c
	msg, err := wire.ReadMessage(text)
	switch {
	case err != nil:
		return "", nil, fmt.Errorf(`%w; a message on a line of its own was expected, {"src":%q,"dest":CLIENT,"body":{"type":...,"in_reply_to":NUMBER,...}}`, err, l.m.id)
	case msg.InReplyTo == 0 && c.index[msg.Dest] != nil: // a client may have the name of a node
		return "", nil, fmt.Errorf("a message to %s went to the lab, and nodes reach each other at the addresses in init", msg.Dest)
	case msg.InReplyTo == 0 || msg.Dest == host.Lab:
		return "", nil, nil
	case msg.Type == "error":
		reply, err = host.Protocol().Decode(msg.Body)
	default:
		if reply, err = c.codec.Decode(msg.Body); errors.Is(err, wire.ErrUnknown) {
			err = fmt.Errorf("%w; one of %s, or error, was expected", err, strings.Join(c.codec.Names(), ", "))
		}
	}
	return nodes.Request(msg.Dest, msg.InReplyTo), reply, err
}

// lostForeign is told that a connection ended. The lab has one to a node for as long as that lives.
func (m *member) lostForeign(l *line) {
	if m.line != l || m.c.closed || m.paused {
		return
	}
	m.line = nil
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), bootPatience)
		defer cancel()
		what := "closed the lab's connection, which is to last as long as its process"
		if x, gone := m.c.engine.ended(ctx, m.pair.node); gone {
			what = m.lastWords(x)
		}
		m.c.Arrive(func() {
			if m.up && m.line == nil {
				m.broke(what)
			}
		})
	}()
}

// lastWords is how a process ended, with the last that it wrote.
func (m *member) lastWords(x exit) string {
	ctx, cancel := context.WithTimeout(context.Background(), callPatience)
	defer cancel()
	text := fmt.Sprintf("ended unasked with status %d", x.status)
	said := m.c.output(ctx, m)
	var last []string
	for _, s := range said[max(0, len(said)-lastLines):] {
		last = append(last, string(short([]byte(s.text))))
	}
	if len(last) == 0 {
		return text + ", and wrote nothing"
	}
	return text + "; the last that it wrote: " + strings.Join(last, " / ")
}

// output is the end of what a node's container wrote to standard output and error. The engine keeps so much of it and no
// more.
func (c *Cluster) output(ctx context.Context, m *member) (said []saying) {
	if m.pair.node == "" {
		return nil
	}
	from, err := c.engine.api.ContainerLogs(ctx, m.pair.node, client.ContainerLogsOptions{
		ShowStdout: true, ShowStderr: true, Timestamps: true, Tail: strconv.Itoa(linesMax),
	})
	if err != nil {
		return nil
	}
	defer from.Close()
	var text strings.Builder
	stdcopy.StdCopy(&text, &text, from)
	for line := range strings.Lines(text.String()) {
		stamp, rest, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		if err != nil {
			continue
		}
		if len(rest) > lineLength {
			rest = rest[:lineLength] + "..."
		}
		said = append(said, saying{at, m.id, strings.ToValidUTF8(rest, "?")})
	}
	if len(said) == linesMax {
		said[0].text = "... earlier lines were not kept"
	}
	return said
}

// hush ends the nodes of an image, with time to do it well, and tells what they had written.
func (c *Cluster) hush(ctx context.Context) {
	patience := stopPatience
	all := make([][]saying, len(c.members))
	places := make([]int, len(c.members))
	for i := range places {
		places[i] = i
	}
	together(places, func(i int) error { // what does not end is removed all the same
		m := c.members[i]
		if m.up {
			c.engine.unpause(ctx, m.pair.node)
			c.engine.api.ContainerStop(ctx, m.pair.node, client.ContainerStopOptions{Timeout: &patience})
		}
		all[i] = c.output(ctx, m)
		return nil
	})
	var said []saying
	for i, m := range c.members {
		said = append(append(said, c.theirs.said[m.id]...), all[i]...)
	}
	slices.SortStableFunc(said, func(a, b saying) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	for _, s := range said {
		c.spec.Observer.Log(c.Told(s.at.UnixNano()), s.node, s.text)
	}
}

// Now returns the time since the start of the cluster.
func (f *Foreign) Now() time.Duration { return f.c.Now() }

// After calls do once, d from now, in the cluster's loop.
func (f *Foreign) After(d time.Duration, do func()) { f.c.After(d, do) }

// Call sends a client's request, as Cluster.Call does.
func (f *Foreign) Call(from nodes.Member, to nodes.ID, body any, wait time.Duration, done func(reply any, ok bool)) {
	f.c.Call(from, to, body, wait, done)
}

// Run handles all that happens up to that time, as Cluster.Run does.
func (f *Foreign) Run(until time.Duration) error { return f.c.Run(until) }

// Close asks the nodes to end (SIGTERM), tells what they wrote to their output, and removes all that the cluster started.
func (f *Foreign) Close() error {
	if f == nil {
		return nil
	}
	return f.c.Close()
}

// Stalls returns when the lab's own part stood still, as Cluster.Stalls does.
func (f *Foreign) Stalls() [][2]time.Duration { return f.c.Stalls() }

// Opaque says that no message between the nodes can be harmed by itself.
func (f *Foreign) Opaque() {}

// Refuses says why this cannot be done to these links; "" if it can.
func (f *Foreign) Refuses(links []nodes.Link, q nodes.Quality) string {
	if q.DuplicatePerMille+q.ReorderPerMille+q.CorruptPerMille > 0 && (f == nil || slices.ContainsFunc(links, f.c.between)) {
		return "nodes of somebody else's image speak TCP to each other, which hides what becomes of a single message"
	}
	if f == nil {
		return ""
	}
	return f.c.Refuses(links, q)
}

// Degrade harms links until heal is called, as Cluster.Degrade does; but not single messages between nodes.
func (f *Foreign) Degrade(ctx context.Context, links []nodes.Link, q nodes.Quality) (heal func(context.Context) error, err error) {
	if why := f.Refuses(links, q); why != "" {
		return nil, errors.New("docker: degrade: " + why)
	}
	return f.c.Degrade(ctx, links, q)
}

// Kill ends the process of a node with SIGKILL. What it wrote is there when it boots.
func (f *Foreign) Kill(ctx context.Context, id nodes.ID) error { return f.c.Kill(ctx, id) }

// Pause freezes a node that runs.
func (f *Foreign) Pause(ctx context.Context, id nodes.ID) error { return f.c.Pause(ctx, id) }

// Resume lets a paused node go on.
func (f *Foreign) Resume(_ context.Context, id nodes.ID) error {
	c := f.c
	m, err := c.member("resume", id)
	if err != nil || !m.paused {
		return err
	}
	err = c.slowly("resume "+string(id), func(ctx context.Context) error { return c.engine.unpause(ctx, m.pair.node) })
	if err != nil {
		return err
	}
	m.paused = false
	if m.line != nil {
		select {
		case <-m.line.dead: // it ended while it could not be looked at
			m.lostForeign(m.line)
		default:
		}
	}
	return nil
}

// Wipe takes a node's disk and all else that it wrote, and with it the node. It comes back as a new member.
func (f *Foreign) Wipe(ctx context.Context, id nodes.ID) error {
	return f.c.Wipe(ctx, id)
}

// Boot starts a node that is down, and returns when it has answered init. A node that does not is broken, and that is no
// error.
func (f *Foreign) Boot(_ context.Context, id nodes.ID) error {
	c := f.c
	m, err := c.member("boot", id)
	if err != nil || m.up {
		return err
	}
	boot := m.boot
	var l *line
	err = c.slowly("boot "+string(id), func(ctx context.Context) (err error) {
		if err := c.engine.kill(ctx, m.pair.node); err != nil { // one that broke may not be gone yet
			return err
		}
		if boot == nodes.Replaced {
			err = c.foreignAgain(ctx, m)
		} else {
			err = c.engine.boot(ctx, m.pair.node)
		}
		if err == nil {
			l, err = m.greet(ctx, boot)
		}
		return err
	})
	if own := (*fault)(nil); errors.As(err, &own) {
		m.broke(own.what)
		return nil
	}
	if err != nil {
		return err
	}
	m.up, m.line, m.booted = true, l, c.Now()
	select {
	case <-l.dead: // it is gone already, and lostForeign was told when nobody asked
		m.lostForeign(l)
	default:
	}
	return nil
}

// foreignAgain starts a node's container anew, with an empty disk.
func (c *Cluster) foreignAgain(ctx context.Context, m *member) error {
	said := c.output(ctx, m)
	if _, err := c.engine.api.ContainerRemove(ctx, m.pair.node, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true}); absent(err) != nil {
		return err
	}
	c.theirs.said[m.id] = append(c.theirs.said[m.id], said...)
	if _, err := m.holder.Do(ctx, holder.Request{Wipe: true}); err != nil {
		return err
	}
	id, err := c.foreignNode(ctx, m.id, m.pair.holder)
	if err == nil {
		m.pair.node = id
	}
	return err
}
