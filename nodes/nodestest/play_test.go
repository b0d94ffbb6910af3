package nodestest

import (
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"faultlab/nodes"
	"faultlab/nodes/wire"
)

type Ping struct{}

// loud answers everything, so that two of them are never quiet.
type loud struct{}

func (loud) Start(nodes.Env)                        {}
func (loud) Wake(nodes.Env, string)                 {}
func (loud) Receive(env nodes.Env, m nodes.Message) { env.Send("a1", m.Body) }

func TestAMistakeInAScriptIsAnError(t *testing.T) {
	for _, tc := range []struct{ script, want string }{
		{"boot", "a script begins with the command cluster"},
		{"cluster", "a cluster needs a line for each region: its name, then its nodes"},
		{"cluster bug=nobody\nA a1", `no bug "nobody"`},
		{"cluster\nA a1\n;dance", "no such command"},
		{"cluster\nA a1\n;boot b1", `no node "b1"`},
		{"cluster\nA a1\n;kill", "which node?"},
		{"cluster\nA a1\n;deliver 7", "no message 7 lies"},
		{"cluster\nA a1\n;cut a1", "cut: from where, and to where?"},
		{"cluster\nA a1\n;advance", "advance: how long?"},
		{"cluster\nA a1\n;request a1\n{", "wire: body: unexpected end of JSON input"},
		{"cluster\nA a1\n;boot;member a1 a2 gone", "a1 is down, or does not watch members"},
		{"cluster\nA a1\n;boot;request a1\n{\"type\":\"ping\"};settle", "the system is not quiet after 100000 messages"},
	} {
		s := &stage{system: nodes.System{New: func(string) nodes.Node { return loud{} }}, codec: wire.Must(Ping{})}
		var err error
		for text := range strings.SplitSeq(tc.script, ";") {
			line, input, _ := strings.Cut(text, "\n")
			d := &datadriven.TestData{Input: input}
			var parse error
			if d.Cmd, d.CmdArgs, parse = datadriven.ParseLine(line); parse != nil {
				t.Fatal(parse)
			}
			err = s.play(command{d})
		}
		if err == nil || err.Error() != tc.want {
			t.Errorf("%q: %v, want %s", tc.script, err, tc.want)
		}
	}
}
