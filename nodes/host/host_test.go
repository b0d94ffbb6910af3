package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/wire"
)

// Say and Noted are the bodies of the system under test.
type (
	Say   struct{ Text string }
	Noted struct{ Text string }
)

// teller does what a request tells it, word by word: a letter is appended, "!" is a sync, "^n" a snapshot up to n, ">x"
// sends x to a2, "<x" replies, "*x" emits, "~x" sends x to itself, "@name,d" sets a timer, "?" replies with the time,
// "%" panics.
type teller struct{}

func (teller) Start(env nodes.Env) {
	_, first, records, err := env.Disk().Log("log").Read()
	env.Emit(Noted{fmt.Sprintf("%s %d %s %v", env.Boot(), first, records, err)})
}

func (teller) Receive(env nodes.Env, m nodes.Message) {
	if _, _, request := m.From.Request(); !request {
		env.Emit(Noted{fmt.Sprintf("%s said %s", m.From, m.Body.(Say).Text)})
		return
	}
	log := env.Disk().Log("log")
	for _, word := range strings.Fields(m.Body.(Say).Text) {
		switch rest := word[1:]; word[0] {
		case '!':
			env.Disk().Sync()
		case '^':
			var n uint64
			fmt.Sscan(rest, &n)
			log.Snapshot(n, []byte("to"+rest))
		case '>':
			env.Send("a2", Say{rest})
		case '<':
			env.Send(m.From, Say{rest})
		case '~':
			env.Send(env.ID(), Say{rest})
		case '*':
			env.Emit(Noted{rest})
		case '@':
			name, d, _ := strings.Cut(rest, ",")
			wait, _ := time.ParseDuration(d)
			env.After(wait, name)
		case '?':
			env.Send(m.From, Say{env.Now().Format(time.RFC3339Nano)})
		case '#':
			env.Send(m.From, Say{fmt.Sprint(env.Rand().Uint64())})
		case '&':
			for {
				env.After(0, "x")
			}
		case '%':
			var none []int
			_ = none[len(rest)]
		default:
			log.Append([]byte(word))
		}
	}
}

func (teller) Wake(env nodes.Env, timer string) { env.Emit(Noted{"woken by " + timer}) }

// watcher is a teller that is told of members.
type watcher struct{ teller }

func (watcher) Member(env nodes.Env, id nodes.ID, state nodes.MemberState) {
	env.Emit(Noted{fmt.Sprintf("%s is %s", id, [...]string{"alive", "suspect", "gone"}[state])})
}

func system(n func() nodes.Node) nodes.System {
	return nodes.System{Name: "teller", New: func(string) nodes.Node { return n() }, Bodies: []any{Say{}, Noted{}}}
}

func plain() nodes.Node { return teller{} }

// running is a host in this process, and its lab's line to it.
type running struct {
	t     *testing.T
	id    nodes.ID
	stop  context.CancelFunc
	ended chan error
	lines chan wire.Message
	to    io.Writer
	n     uint64
}

// pipe runs a host on stdio.
func pipe(t *testing.T, sys nodes.System, dir string) *running {
	in, to := io.Pipe()
	from, out := io.Pipe()
	return begin(t, sys, dir, NewStdio(in, out), to, from)
}

// dialled runs a host on TCP.
func dialled(t *testing.T, sys nodes.System, dir, address string) *running {
	tr, err := ListenTCP(address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", tr.(*tcp).listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return begin(t, sys, dir, tr, conn, conn)
}

func begin(t *testing.T, sys nodes.System, dir string, tr Transport, to io.Writer, from io.Reader) *running {
	h, err := New(Config{System: sys, Dir: dir, Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &running{t: t, id: "a1", stop: stop, ended: make(chan error, 1), lines: make(chan wire.Message, 1<<14), to: to}
	go func() { r.ended <- h.Run(ctx, tr) }()
	go func() {
		defer close(r.lines)
		dec := json.NewDecoder(from)
		for {
			var line json.RawMessage
			if dec.Decode(&line) != nil {
				return
			}
			m, err := wire.ReadMessage(line)
			if err != nil {
				panic(err)
			}
			r.lines <- m
		}
	}()
	t.Cleanup(stop)
	return r
}

func (r *running) write(line string) {
	if _, err := r.to.Write([]byte(line + "\n")); err != nil {
		r.t.Helper()
		r.t.Fatal(err)
	}
}

// lab says a word to the node and returns what it answers.
func (r *running) lab(body string) string {
	r.t.Helper()
	r.n++
	r.write(fmt.Sprintf(`{"src":"lab","dest":%q,"body":%s,"msg_id":%d}}`, r.id, strings.TrimSuffix(body, "}"), r.n))
	return r.until(func(m wire.Message) bool { return m.InReplyTo == r.n })
}

func (r *running) init(more string) string {
	r.t.Helper()
	return r.lab(`{"type":"init","node_id":"a1","node_ids":["a1","a2"],"seed":7` + more + `}`)
}

// tell gives the node a request, number n of the client.
func (r *running) tell(words string) {
	r.n++
	r.write(fmt.Sprintf(`{"src":"c1","dest":%q,"body":{"type":"say","msg_id":%d,"Text":%q}}`, r.id, r.n, words))
}

// next returns what the host says next, in short.
func (r *running) next() (m wire.Message, short string) {
	r.t.Helper()
	select {
	case m, ok := <-r.lines:
		if !ok {
			return m, "end"
		}
		var b struct {
			Text  string
			Event struct{ Text string }
			Line  string
		}
		if err := json.Unmarshal(m.Body, &b); err != nil {
			r.t.Fatal(err)
		}
		switch m.Type {
		case "event":
			return m, "*" + b.Event.Text
		case "log":
			return m, "log " + b.Line
		case "say":
			return m, fmt.Sprintf("%s %s", m.Dest, b.Text)
		}
		return m, string(m.Body)
	case <-time.After(10 * time.Second):
		r.t.Fatal("it says nothing")
	}
	panic("not reached")
}

func (r *running) until(is func(wire.Message) bool) string {
	r.t.Helper()
	for {
		if m, short := r.next(); is(m) || short == "end" {
			return short
		}
	}
}

func (r *running) want(words ...string) {
	r.t.Helper()
	for _, w := range words {
		if _, got := r.next(); got != w {
			r.t.Fatalf("it says %q, not %q", got, w)
		}
	}
}

// end asks it to end, and returns why it did.
func (r *running) end() error {
	r.t.Helper()
	r.stop()
	select {
	case err := <-r.ended:
		return err
	case <-time.After(10 * time.Second):
		r.t.Fatal("it does not end")
	}
	panic("not reached")
}

func TestANodeIsInitedServesAndEnds(t *testing.T) {
	r := pipe(t, system(plain), t.TempDir())
	r.tell("<early")
	r.want(`{"type":"error","code":11,"text":"there was no init yet","in_reply_to":1}`)
	if got := r.init(""); got != `{"type":"init_ok","in_reply_to":2}` {
		t.Fatal(got)
	}
	r.want("*new 1 [] <nil>")
	r.tell("<hello >there *noted ~self")
	r.want("c1 hello", "a2 there", "*noted", "*a1 said self")
	r.write(`{"src":"a2","dest":"a1","body":{"type":"say","Text":"hi"}}`)
	r.want("*a2 said hi")
	r.write(`{"src":"c1","dest":"a1","body":{"type":"dance","msg_id":77}}`)
	r.want(`{"type":"error","code":10,"text":"wire: \"dance\": unknown type","in_reply_to":77}`)
	r.write(`nonsense`)
	r.want(`{"type":"error","code":12,"text":"wire: message: invalid character 'o' in literal null (expecting 'u')"}`)
	if got := r.lab(`{"type":"init","node_id":"a1","node_ids":["a1","a2"]}`); !strings.Contains(got, "init_ok") {
		t.Error(got)
	}
	if got := r.lab(`{"type":"init","node_id":"b9","node_ids":["b9"]}`); !strings.Contains(got, "this is a1, not b9") {
		t.Error(got)
	}
	if got := r.lab(`{"type":"dance"}`); !strings.Contains(got, `"code":10`) {
		t.Error(got)
	}
	if err := r.end(); err != nil {
		t.Error(err)
	}
}

func TestAnybodyWhoSpeaksTheProtocolMayInitANode(t *testing.T) {
	r := pipe(t, system(plain), t.TempDir())
	r.write(`{"src":"c0","dest":"a1","body":{"type":"init","msg_id":1,"node_id":7}}`)
	if _, got := r.next(); !strings.HasPrefix(got, `{"type":"error","code":12,"text":"no init could be read`) {
		t.Error(got)
	}
	r.write(`{"src":"c0","dest":"a1","body":{"type":"init","msg_id":1,"node_id":"a1","node_ids":["a1","a2"]}}`)
	r.want(`{"type":"init_ok","in_reply_to":1}`)
	r.tell("<hello")
	r.want("c1 hello")
	if err := r.end(); err != nil {
		t.Error(err)
	}
}

func TestWhatFollowsASyncLeavesInOrderWhenItIsDurable(t *testing.T) {
	r := pipe(t, system(plain), t.TempDir())
	if got := r.lab(`{"type":"ctl","disk":{"slow_ns":50000000}}`); got != `{"type":"ctl_ok","in_reply_to":1}` {
		t.Fatal(got)
	}
	r.init("")
	r.want("*new 1 [] <nil>")
	began := time.Now()
	r.tell("x <before ! >one *two <three")
	r.tell("<four")
	r.want("c1 before")
	early := time.Since(began)
	r.want("a2 one", "*two")
	if took := time.Since(began); took < 50*time.Millisecond || early > took {
		t.Errorf("what waits for a slow fsync left after %s, what does not after %s", took, early)
	}
	r.want("c1 four") // its request was another, and that of "three" was answered
	r.end()
}

func TestARestartedNodeHasItsDiskAndNoTimers(t *testing.T) {
	dir := t.TempDir()
	r := pipe(t, system(plain), dir)
	r.init("")
	r.tell("x y ^1 ! z @t,1h #")
	r.want("*new 1 [] <nil>")
	_, before := r.next()
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	r = pipe(t, system(plain), dir)
	r.init("")
	r.want("*restart 2 [y z] <nil>")
	r.tell("#")
	if _, again := r.next(); again == before {
		t.Error("two boots draw the same")
	}
	r.end()
	for body, want := range map[string]string{
		`{"type":"init","node_id":"a1","node_ids":["a1"],"boot":"new"}`:       "a1 is to boot as new, but the folder " + dir + " has been used",
		`{"type":"init","node_id":"a1","node_ids":["a1"],"boot":"sometimes"}`: `boot \"sometimes\": new, restart or replaced is wanted`,
		`{"type":"init","node_id":"b1","node_ids":["b1"]}`:                    "belongs to a1, not to b1",
		`{"type":"init","node_id":"c1","node_ids":["b1"]}`:                    `\"c1\" is none of the nodes`,
		`{"type":"init","node_id":"a1","node_ids":["a1"],"bug":"none"}`:       `has no bug \"none\"`,
	} {
		r = pipe(t, system(plain), dir)
		if got := r.lab(body); !strings.Contains(got, want) {
			t.Errorf("%s is answered with %s", body, got)
		}
		if err := <-r.ended; err == nil {
			t.Errorf("%s does not end it", body)
		}
	}
	r = pipe(t, system(plain), dir)
	r.init(`,"boot":"replaced"`)
	r.want("*replaced 2 [y z] <nil>")
	r.end()
}

func TestAClockThatJumpsAndTimersThatDoNot(t *testing.T) {
	r := pipe(t, system(plain), t.TempDir())
	r.init("")
	r.want("*new 1 [] <nil>")
	clock := func() time.Duration {
		r.tell("?")
		_, said := r.next()
		at, err := time.Parse(time.RFC3339Nano, strings.TrimPrefix(said, "c1 "))
		if err != nil {
			t.Fatal(err)
		}
		return time.Until(at)
	}
	if d := clock(); d > 0 || d < -5*time.Second {
		t.Errorf("a true clock is %s ahead", d)
	}
	r.tell("@slow,10h @never,10h @quick,20ms")
	r.lab(`{"type":"ctl","skew":{"offset_ns":3600000000000,"drift_ppm":0}}`)
	if d := clock(); d < 59*time.Minute {
		t.Errorf("a clock set an hour ahead is %s ahead", d)
	}
	r.want("*woken by quick")
	r.tell("@never,-1s @late,10ms @soon,1ms")
	r.want("*woken by soon", "*woken by late")
	// Twice as fast, for five hours already.
	r.lab(fmt.Sprintf(`{"type":"ctl","skew":{"offset_ns":0,"drift_ppm":1000000,"since_ns":%d}}`, time.Now().Add(-5*time.Hour).UnixNano()))
	if d := (clock() - 5*time.Hour).Abs(); d > time.Minute { // it gains while it is told, and loses on the way back
		t.Errorf("a clock that ran twice as fast for five hours is not 5h ahead, but %s off that", d)
	}
	for ppm, want := range map[int]string{-1_000_000: "cannot drift", 1_000_000_001: "cannot drift", 1_000_000_000: "ctl_ok"} { // as plans have it
		if got := r.lab(fmt.Sprintf(`{"type":"ctl","skew":{"drift_ppm":%d}}`, ppm)); !strings.Contains(got, want) {
			t.Errorf("%d ppm: %s", ppm, got)
		}
	}
	r.end()
}

func TestTimersFireInOrderAndFollowDrift(t *testing.T) {
	x := newTimers()
	x.set("b", 20)
	x.set("a", 10)
	x.set("c", 20)
	x.set("b", 20) // now after c
	x.set("gone", 5)
	x.cancel("gone")
	x.cancel("never there")
	fire := func(now time.Duration) (names []string) {
		for last := x.seq; ; {
			name, ok := x.fire(now, last)
			if !ok {
				return names
			}
			names = append(names, name)
			x.set("again", now) // waits for the next turn
		}
	}
	if got := fmt.Sprint(fire(9), fire(10), fire(20)); got != "[] [a] [again c b]" {
		t.Error(got)
	}
	x = newTimers()
	x.set("t", 1000)
	x.drift(0, clock{}, clock{ppm: million})
	if due, ok := x.next(); !ok || due != 500 {
		t.Error(due)
	}
	x.drift(250, clock{ppm: million}, clock{})
	if due, _ := x.next(); due != 750 {
		t.Error(due)
	}
}

func TestANodeThatBreaksItsWordEndsTheHost(t *testing.T) {
	for words, want := range map[string]string{
		"<ok %": "panic: index out of range [0] with length 0",
		"&":     "flooded: 262144 actions in one call",
	} {
		r := pipe(t, system(plain), t.TempDir())
		r.init("")
		r.want("*new 1 [] <nil>")
		r.tell(words)
		_, said := r.next()
		err := <-r.ended
		if crash := (*Crash)(nil); !errors.As(err, &crash) || !strings.HasPrefix(crash.What, want) || said != "log "+crash.What || len(crash.Stack) == 0 {
			t.Errorf("%s: it says %q and ends with %v", words, said, err)
		}
	}
}

func TestAnEnvThatWasKeptIsAMistake(t *testing.T) {
	defer func() {
		if what := fmt.Sprint(recover()); what != "host: the Env of a1 was used outside of the call it was passed to" {
			t.Error(what)
		}
	}()
	env{&Host{group: Group{Self: "a1"}}}.After(0, "x")
}

func TestAFailedFsyncEndsTheHostAndLetsNothingOut(t *testing.T) {
	for _, fault := range []string{`"fail_sync":true`, `"full":true`, `"io_error":true`} {
		dir := t.TempDir()
		r := pipe(t, system(plain), dir)
		r.init("")
		r.want("*new 1 [] <nil>")
		r.lab(`{"type":"ctl","disk":{` + fault + `}}`)
		r.tell("x ! <lie")
		if _, said := r.next(); !strings.HasPrefix(said, "log host: disk: ") {
			t.Errorf("%s: it says %q", fault, said)
		}
		if disk := (*DiskError)(nil); !errors.As(<-r.ended, &disk) {
			t.Errorf("%s: it ends otherwise", fault)
		}
		r = pipe(t, system(plain), dir)
		if got := r.init(""); !strings.Contains(got, "init_ok") {
			t.Error(got)
		}
		r.end()
	}
}

func TestTheEndOfTheInputIsAnEnd(t *testing.T) {
	r := pipe(t, system(plain), t.TempDir())
	r.init("")
	r.to.(io.Closer).Close()
	if err := <-r.ended; !errors.Is(err, ErrNoInput) {
		t.Error(err)
	}
}

func TestAFolderIsForOneHost(t *testing.T) {
	dir := t.TempDir()
	r := pipe(t, system(plain), dir)
	if _, err := New(Config{System: system(plain), Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use by another node") {
		t.Error(err)
	}
	r.end()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{System: system(plain), Dir: file}); err == nil {
		t.Error("a file is no folder")
	}
}

func TestEvidenceWaitsForALabThatIsNotThere(t *testing.T) {
	r := dialled(t, system(plain), t.TempDir(), "127.0.0.1:0")
	address := r.to.(net.Conn).RemoteAddr().String()
	r.lab(`{"type":"init","node_id":"a1","node_ids":["a1"]}`)
	r.want("*new 1 [] <nil>")
	r.to.(net.Conn).Close()
	other, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	dec := json.NewDecoder(other)
	heard := func() string {
		var m struct {
			Body struct {
				Type, Text string
				Event      struct{ Text string }
			}
		}
		if err := dec.Decode(&m); err != nil {
			t.Fatal(err)
		}
		return m.Body.Type + " " + m.Body.Text + m.Body.Event.Text
	}
	for i := range 20 { // the first few may have been written to the line that is gone
		fmt.Fprintf(other, `{"src":"c1","dest":"a1","body":{"type":"say","msg_id":%d,"Text":"*e%d <r%d"}}`+"\n", i+1, i, i)
		if got := heard(); got != fmt.Sprintf("say r%d", i) {
			t.Fatal(got)
		}
		time.Sleep(time.Millisecond)
	}
	fmt.Fprintln(other, `{"src":"lab","dest":"a1","body":{"type":"ctl","msg_id":9}}`)
	last := ""
	for last != "event e19" {
		last = heard()
	}
	if got := heard(); got != "ctl_ok " {
		t.Error(got)
	}
	r.end()
}

// two are two hosts that reach each other.
func two(t *testing.T, sys nodes.System) [2]*running {
	var pair [2]*running
	addresses := map[nodes.ID]string{}
	for i, id := range []nodes.ID{"a1", "a2"} {
		pair[i] = dialled(t, sys, t.TempDir(), free(t))
		pair[i].id = id
		addresses[id] = pair[i].to.(net.Conn).RemoteAddr().String()
	}
	text, _ := json.Marshal(addresses)
	for _, r := range pair {
		if got := r.lab(fmt.Sprintf(`{"type":"init","node_id":%q,"node_ids":["a1","a2"],"seed":7,"addresses":%s}`, r.id, text)); !strings.Contains(got, "init_ok") {
			t.Fatal(got)
		}
		r.want("*new 1 [] <nil>")
	}
	return pair
}

// free returns an address of which the next port is free too.
func free(t *testing.T) string {
	for {
		a, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		next := nextPort(a.Addr().String())
		b, err := net.Listen("tcp", next)
		a.Close()
		if err == nil {
			b.Close()
			return a.Addr().String()
		}
	}
}

func TestFramesAreHarmedAsTheLabSays(t *testing.T) {
	pair := two(t, system(plain))
	a, b := pair[0], pair[1]
	say := func(words string) {
		t.Helper()
		a.tell(words)
	}
	say(">one >two")
	b.want("*a1 said one", "*a1 said two")
	a.lab(`{"type":"ctl","frames":[{"to":"a2","quality":{"duplicate_per_mille":1000}}]}`)
	say(">twice")
	b.want("*a1 said twice", "*a1 said twice")
	a.lab(`{"type":"ctl","frames":[{"to":"a2","quality":{"corrupt_per_mille":1000}}]}`)
	say(">bad >bad >bad")
	b.want("log dropped 1 corrupt frames from a1 so far", "log dropped 2 corrupt frames from a1 so far")
	a.lab(`{"type":"ctl","frames":[{"to":"a2","quality":{"cut":true}}]}`)
	say(">lost")
	a.lab(`{"type":"ctl","frames":[]}`)
	say(">whole")
	b.want("*a1 said whole")
	a.lab(`{"type":"ctl","frames":[{"to":"a2","quality":{"reorder_per_mille":1000}}]}`)
	var words []string
	for i := range 200 {
		words = append(words, fmt.Sprint(">", i))
	}
	say(strings.Join(words, " "))
	swapped, last := 0, -1
	for range words {
		_, said := b.next()
		var n int
		fmt.Sscanf(said, "*a1 said %d", &n)
		if n < last {
			swapped++
		}
		last = n
	}
	if swapped == 0 {
		t.Error("nothing was reordered")
	}
	for _, bad := range []string{`{"loss_per_mille":1001}`, `{"delay_ns":-1}`} {
		if got := a.lab(`{"type":"ctl","frames":[{"to":"a2","quality":` + bad + `}]}`); !strings.Contains(got, `"code":12`) {
			t.Error(got)
		}
	}
	a.end()
	b.end()
}

func TestAPeerThatComesBackIsReachedAgain(t *testing.T) {
	pair := two(t, system(plain))
	a, b := pair[0], pair[1]
	a.tell(">one")
	b.want("*a1 said one")
	address := b.to.(net.Conn).RemoteAddr().String()
	b.end()
	b = dialled(t, system(plain), t.TempDir(), address)
	b.id = "a2"
	b.lab(fmt.Sprintf(`{"type":"init","node_id":"a2","node_ids":["a1","a2"],"addresses":{"a1":%q,"a2":%q}}`, a.to.(net.Conn).RemoteAddr(), address))
	b.want("*new 1 [] <nil>")
	heard := make(chan bool)
	go func() {
		b.until(func(m wire.Message) bool { return strings.Contains(string(m.Body), "said again") })
		close(heard)
	}()
	for done := false; !done; {
		a.tell(">again")
		select {
		case <-heard:
			done = true
		case <-time.After(20 * time.Millisecond):
		}
	}
	a.end()
	b.end()
}

func TestAStrangerIsNotListenedTo(t *testing.T) {
	r := dialled(t, system(plain), t.TempDir(), "127.0.0.1:0")
	address := r.to.(net.Conn).RemoteAddr().String()
	r.lab(`{"type":"init","node_id":"a1","node_ids":["a1","a2"],"addresses":{"a2":"127.0.0.1:1"}}`)
	r.want("*new 1 [] <nil>")
	for _, h := range []hello{{"a3", "a1", "teller"}, {"a2", "a7", "teller"}, {"a2", "a1", "other"}, {"a1", "a1", "teller"}} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		conn.Write(appendPacket(h.append(nil), []byte(`{"type":"say","Text":"x"}`)))
		if _, said := r.next(); !strings.HasPrefix(said, "log a call from 127.0.0.1") {
			t.Errorf("%+v: it says %q", h, said)
		}
		if n, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("%+v: %d bytes", h, n)
		}
		conn.Close()
	}
	r.end()
}

func TestGossipTellsAWatcherOfMembers(t *testing.T) {
	pair := two(t, system(func() nodes.Node { return watcher{} }))
	a, b := pair[0], pair[1]
	a.until(func(m wire.Message) bool { return strings.Contains(string(m.Body), "a2 is alive") })
	b.until(func(m wire.Message) bool { return strings.Contains(string(m.Body), "a1 is alive") })
	b.end()
	a.until(func(m wire.Message) bool { return strings.Contains(string(m.Body), "a2 is gone") })
	a.lab(`{"type":"ctl","members":[{"id":"a2","state":"suspect"}]}`)
	if got := a.lab(`{"type":"ctl","members":[{"id":"a2","state":"odd"}]}`); !strings.Contains(got, "alive, suspect or gone is wanted") {
		t.Error(got)
	}
	a.end()
}

func TestAQueueDropsTheOldest(t *testing.T) {
	p := &peer{poke: make(chan struct{}, 1)}
	for i := range queueMax + 10 {
		p.send([]byte{byte(i), byte(i >> 8)})
	}
	if out, _ := p.take(nil); out[0] != 10 || len(out) > writeSize {
		t.Error(out[:2], len(out))
	}
	p = &peer{poke: make(chan struct{}, 1)}
	for range 5 {
		p.send(make([]byte, queueBytesMax/3))
	}
	if len(p.queue) != 3 || p.bytes > queueBytesMax {
		t.Error(len(p.queue), p.bytes)
	}
	p.queue[0].at = time.Now().Add(-2 * staleTime)
	p.take(nil)
	if len(p.queue) != 1 {
		t.Error("what is stale leaves")
	}
}

func TestAReaderThatDoesNotReadIsGivenUp(t *testing.T) {
	_, out := io.Pipe()
	w := newWriter(out)
	line := make([]byte, 1<<20)
	for range unreadMax >> 19 {
		if !w.Write(line) {
			w.close(context.Background())
			return
		}
	}
	t.Error("it takes more than it may")
}

func TestAPacketThatIsDamagedIsDroppedAndTheNextIsRead(t *testing.T) {
	whole := appendPacket(nil, []byte("one"))
	for bit := range 8 * len(whole) {
		bad := append([]byte(nil), whole...)
		bad[bit/8] ^= 1 << (bit % 8)
		r := strings.NewReader(string(bad) + string(whole))
		data, err := readPacket(r)
		switch {
		case err == nil:
			t.Fatalf("bit %d: %q", bit, data)
		case errors.Is(err, errCorrupt):
			if data, err := readPacket(r); err != nil || string(data) != "one" {
				t.Errorf("bit %d: then %q, %v", bit, data, err)
			}
		case bit >= 8*8:
			t.Errorf("bit %d ends the stream: %v", bit, err)
		}
	}
}

// BenchmarkTransport is one packet from a node to another, as many at a time as fit.
func BenchmarkTransport(b *testing.B) {
	from, err := ListenTCP("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	to, err := ListenTCP("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	count := &counter{}
	count.cond = sync.NewCond(&count.mu)
	from.Open(count, func(error) {})
	to.Open(count, func(error) {})
	addresses := map[nodes.ID]string{"a1": from.(*tcp).listener.Addr().String(), "a2": to.(*tcp).listener.Addr().String()}
	for id, t := range map[nodes.ID]Transport{"a1": from, "a2": to} {
		if err := t.Join(Group{Self: id, Members: []nodes.ID{"a1", "a2"}, Addresses: addresses}); err != nil {
			b.Fatal(err)
		}
	}
	body := make([]byte, 200)
	sent := 0
	for b.Loop() {
		from.Send("a2", body)
		sent++
		count.wait(sent - 256)
	}
	count.wait(sent)
	from.Close(context.Background())
	to.Close(context.Background())
}

type counter struct {
	Inbox
	mu   sync.Mutex
	cond *sync.Cond
	n    int
}

func (c *counter) Body(nodes.ID, []byte) {
	c.mu.Lock()
	c.n++
	c.cond.Broadcast()
	c.mu.Unlock()
}

func (c *counter) wait(n int) {
	c.mu.Lock()
	for c.n < n {
		c.cond.Wait()
	}
	c.mu.Unlock()
}
