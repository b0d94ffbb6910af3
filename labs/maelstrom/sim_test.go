package maelstrom

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/nodes"
	"faultlab/nodes/cluster/sim"
	"faultlab/nodes/wire"
)

// A memory is what all nodes of a run of this test know together, so that what one does is done at all of them.
type memory struct {
	mistake string
	ids     int64
	set     []JSON
	sum     int64
	keys    map[JSON]JSON
	lists   map[JSON][]JSON
	logs    map[string][]JSON
	commits map[string]JSON
	reads   int
}

// A sharer is a node that does everything right with the memory it shares, but for a mistake.
type sharer struct{ m *memory }

func (s sharer) Start(nodes.Env)        {}
func (s sharer) Wake(nodes.Env, string) {}

func (s sharer) Receive(env nodes.Env, msg nodes.Message) {
	if reply := s.m.answer(msg.Body); reply != nil {
		env.Send(msg.From, reply)
	}
}

// every says whether the mistake of that name is due: at every fiftieth request that could make it.
func (m *memory) every(mistake string) bool {
	if m.mistake != mistake {
		return false
	}
	m.reads++
	return m.reads%50 == 0
}

func (m *memory) answer(body any) any {
	list := func(all []JSON) JSON {
		var b strings.Builder
		for i, v := range all {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(string(v))
		}
		return JSON("[" + b.String() + "]")
	}
	switch b := body.(type) {
	case Echo:
		if m.every("echo another") {
			return EchoOK{`"what?"`}
		}
		return EchoOK(b)
	case Generate:
		if !m.every("the id of before") {
			m.ids++
		}
		return GenerateOK{number(m.ids)}
	case Broadcast:
		if !m.every("drop a message") {
			m.set = append(m.set, b.Message)
		}
		return BroadcastOK{}
	case Add:
		if b.Element != "" {
			if !m.every("drop an element") {
				m.set = append(m.set, b.Element)
			}
			return AddOK{}
		}
		n, _ := b.Delta.whole()
		if m.every("count twice") {
			n *= 2
		}
		m.sum += n
		return AddOK{}
	case Read:
		switch {
		case b.Key == "" && m.set == nil && m.keys["counter"] != "":
			if m.every("a wrong reply") {
				return WriteOK{}
			}
			return ReadOK{Value: number(m.sum)}
		case b.Key == "" && m.keys["g-set"] != "":
			all := m.set
			if len(all) > 0 && m.every("one twice") {
				all = append(all[:len(all):len(all)], all[0])
			}
			return ReadOK{Value: list(all)}
		case b.Key == "":
			return ReadOK{Messages: list(m.set)}
		}
		if v, there := m.keys[b.Key]; there {
			return ReadOK{Value: v}
		}
		return wire.Error{Code: wire.KeyNotFound}
	case Write:
		if !m.every("drop a write") {
			m.keys[b.Key] = b.Value
		}
		return WriteOK{}
	case Cas:
		switch v, there := m.keys[b.Key]; {
		case !there:
			return wire.Error{Code: wire.KeyNotFound}
		case v != b.From:
			return wire.Error{Code: wire.Precondition}
		}
		m.keys[b.Key] = b.To
		return CasOK{}
	case Send:
		at := len(m.logs[b.Key])
		if !m.every("lose a record") {
			m.logs[b.Key] = append(m.logs[b.Key], b.Msg)
		}
		return SendOK{number(int64(at))}
	case Poll:
		ok := PollOK{map[string][]Entry{}}
		for log, from := range b.Offsets {
			for i := from; i < min(from+20, int64(len(m.logs[log]))); i++ {
				ok.Msgs[log] = append(ok.Msgs[log], Entry{number(i), m.logs[log][i]})
			}
		}
		return ok
	case CommitOffsets:
		for log, at := range b.Offsets {
			m.commits[log] = number(at)
			if m.every("commit too much") {
				m.commits[log] = number(at + 1000)
			}
		}
		return CommitOffsetsOK{}
	case ListCommittedOffsets:
		ok := ListCommittedOffsetsOK{map[string]JSON{}}
		for _, log := range b.Keys {
			if at, there := m.commits[log]; there {
				ok.Offsets[log] = at
			}
		}
		return ok
	case Txn:
		done := make([]Step, len(b.Txn))
		dirty := m.every("forget a write")
		for i, s := range b.Txn {
			switch {
			case s[0] == doAppend && !dirty:
				m.lists[s[1]] = append(m.lists[s[1]], s[2])
			case s[0] == doWrite && !dirty:
				m.keys[s[1]] = s[2]
			case s[0] == doRead && m.keys["registers"] != "":
				if s[2] = m.keys[s[1]]; s[2] == "" {
					s[2] = null
				}
			case s[0] == doRead:
				if s[2] = null; len(m.lists[s[1]]) > 0 {
					s[2] = list(m.lists[s[1]])
				}
			}
			done[i] = s
		}
		return TxnOK{done}
	}
	return nil
}

// simulated is a lab whose nodes share a memory, on the simulator.
func simulated(l labs.Lab, mistake string) labs.Lab {
	m := &memory{mistake: mistake, keys: map[JSON]JSON{}, lists: map[JSON][]JSON{}, logs: map[string][]JSON{}, commits: map[string]JSON{}}
	switch l.Name {
	case "g-set":
		m.keys["g-set"] = "1"
	case "g-counter", "pn-counter":
		m.keys["counter"] = "1"
	case "txn-rw-register":
		m.keys["registers"] = "1"
	}
	l.System.New = func(string) nodes.Node { return sharer{m} }
	return l
}

func run(t *testing.T, l labs.Lab, mistake string, nemesis ...string) *labs.Run {
	t.Helper()
	r, err := labs.Do(context.Background(), simulated(l, mistake), labs.Options{
		Seed: 5, Time: 12 * time.Second, Nemesis: nemesis, On: "sim", Recode: true,
		Start:   func(s nodes.Spec) (labs.Cluster, error) { return sim.Start(s) },
		Demands: labs.Demands{Availability: 0.5},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEachWorkloadPassesAndRepeatsItself(t *testing.T) {
	for _, l := range Labs() {
		t.Run(l.Name, func(t *testing.T) {
			t.Parallel()
			faults := []string{"partition", "slow", "reorder", "pause", "kill"}
			first := run(t, l, "", faults...)
			for _, j := range first.Judged {
				if j.Verdict != history.Pass && !(j.ID == "D2" && j.Verdict == history.NotJudged) {
					t.Errorf("%s %s: %s", j.ID, j.Verdict, j.Reason)
				}
			}
			if first.Verdict != history.Pass {
				t.Errorf("%s: %s", first.Verdict, first.Reason)
			}
			if first.History.End > 26*time.Second {
				t.Errorf("it ended at %s", first.History.End)
			}
			folders := []string{}
			for _, r := range []*labs.Run{first, run(t, l, "", faults...)} {
				dir, err := r.Save(filepath.Join(t.TempDir(), "run"), labs.Origin{Started: time.Unix(0, 0)}, l.System, nil)
				if err != nil {
					t.Fatal(err)
				}
				folders = append(folders, dir)
			}
			for _, name := range labs.Repeated() {
				a, err := os.ReadFile(filepath.Join(folders[0], name))
				b, err2 := os.ReadFile(filepath.Join(folders[1], name))
				if err != nil || err2 != nil || !bytes.Equal(a, b) {
					t.Errorf("%s differs between two runs of a seed (%v, %v)", name, err, err2)
				}
			}
			loaded, _, _, err := labs.Load(folders[0], []labs.Lab{l})
			if err != nil {
				t.Fatal(err)
			}
			if loaded.Verdict != first.Verdict {
				t.Errorf("judged again from its files it is %s", loaded.Verdict)
			}
		})
	}
}

func TestEachMistakeFailsWithAReason(t *testing.T) {
	for _, x := range []struct{ lab, mistake, guarantee, reason string }{
		{"echo", "echo another", "E1", `is "what?", and should be "please echo`},
		{"unique-ids", "the id of before", "U1", "were both given"},
		{"broadcast", "drop a message", "B1", "was acknowledged, and from operation"},
		{"broadcast", "drop a message", "B2", "node n1: operation"},
		{"g-set", "drop an element", "S1", "was acknowledged, and from operation"},
		{"g-set", "one twice", "S1", "twice"},
		{"g-counter", "count twice", "C1", "but by all that had been asked"},
		{"g-counter", "a wrong reply", "M1", `answered {"type":"read"} with {"type":"write_ok"}: a reply of type read_ok is wanted`},
		{"pn-counter", "count twice", "P1", "when all had settled; acknowledged changes come to"},
		{"kafka", "lose a record", "K1", "at place"},
		{"kafka", "commit too much", "K2", "is committed, and the highest that anybody had asked to commit was"},
		{"lin-kv", "drop a write", "L1", "cannot happen"},
		{"txn-list-append", "forget a write", "T1", "T"},
		{"txn-rw-register", "forget a write", "W1", "T"},
	} {
		t.Run(x.lab+" "+x.mistake+" "+x.guarantee, func(t *testing.T) {
			t.Parallel()
			for _, l := range Labs() {
				if l.Name != x.lab {
					continue
				}
				for _, j := range run(t, l, x.mistake, "none").Judged {
					if j.ID == x.guarantee {
						t.Log(j.Reason)
						if j.Verdict != history.Fail || !strings.Contains(j.Reason, x.reason) {
							t.Errorf("%s %s: %q; want a failure with %q", j.ID, j.Verdict, j.Reason, x.reason)
						}
						return
					}
				}
			}
			t.Error("there is no such guarantee")
		})
	}
}

func TestARunWithoutAnAnswerEndsSoon(t *testing.T) {
	l := simulated(EchoLab(), "")
	l.System.New = func(string) nodes.Node { return silent{} }
	r, err := labs.Do(context.Background(), l, labs.Options{Seed: 1, Time: 20 * time.Second, Nemesis: []string{"none"}, Start: func(s nodes.Spec) (labs.Cluster, error) { return sim.Start(s) }})
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != history.Undetermined || r.History.End > 24*time.Second {
		t.Errorf("%s at %s: %s", r.Verdict, r.History.End, r.Reason)
	}
}

type silent struct{ nodes.Node }

func (silent) Start(nodes.Env)                  {}
func (silent) Receive(nodes.Env, nodes.Message) {}
