package host

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/cluster/sim"
)

// simulated collects what a node on the simulator says.
type simulated struct {
	*sim.Cluster
	said []string
}

func (s *simulated) Event(_ time.Duration, _ nodes.ID, e any) {
	s.said = append(s.said, "*"+e.(Noted).Text)
}
func (s *simulated) Reached(nodes.ID, string)            {}
func (s *simulated) Log(time.Duration, nodes.ID, string) {}

// script draws what a node is told in each of its lives.
func script(r *rand.Rand) (lives [][]string) {
	records, first := 0, 0 // written, and replaced by a snapshot
	for range 1 + r.IntN(3) {
		var life []string
		for range 1 + r.IntN(5) {
			var words []string
			for i := range 1 + r.IntN(8) {
				switch k := r.IntN(10); {
				case k < 4:
					words = append(words, string(rune('a'+records%26)))
					records++
				case k < 6:
					words = append(words, "!")
				case k < 7:
					first += r.IntN(records - first + 3)
					records = max(records, first)
					words = append(words, fmt.Sprint("^", first))
				default:
					words = append(words, fmt.Sprintf("*e%d", i))
				}
			}
			life = append(life, strings.Join(words, " "))
		}
		lives = append(lives, life)
	}
	return lives
}

func TestAHostDoesWhatTheSimulatorDoes(t *testing.T) {
	for seed := range uint64(20) {
		lives := script(rand.New(nodes.Generator(seed, "script")))
		topology := nodes.Topology{Members: []nodes.Member{{ID: "a1"}, {ID: "a2"}}}
		s := &simulated{}
		var err error
		if s.Cluster, err = sim.Start(nodes.Spec{System: system(plain), Topology: topology, Observer: s}); err != nil {
			t.Fatal(err)
		}
		var want, got []string
		for i, life := range lives {
			if i > 0 {
				if err := s.Boot(t.Context(), "a1"); err != nil {
					t.Fatal(err)
				}
			}
			for _, words := range life {
				s.Call(nodes.Member{ID: "c1"}, "a1", Say{words}, 0, func(any, bool) {})
				if err := s.Run(s.Now() + 10*time.Millisecond); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Kill(t.Context(), "a1"); err != nil {
				t.Fatal(err)
			}
		}
		want = slices.DeleteFunc(s.said, func(x string) bool { return x == "*new 1 [] <nil>" }) // that of a2 too
		dir := t.TempDir()
		for _, life := range lives {
			r := pipe(t, system(plain), dir)
			r.init("")
			for _, words := range life {
				r.tell(words)
			}
			r.tell("! <done")
			for _, said := r.next(); said != "c1 done"; _, said = r.next() {
				if said != "*new 1 [] <nil>" {
					got = append(got, said)
				}
			}
			if err := r.end(); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("seed %d, told %q:\nhost      %q\nsimulator %q", seed, lives, got, want)
		}
	}
}
