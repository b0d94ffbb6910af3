package sim_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/cluster/sim"
)

// teller writes to one log as it is told, word by word: a letter is appended, "!" is a sync, "^n" a snapshot up to n,
// ">x" sends x to b1 and "*x" emits it.
var teller = funcs{
	start: func(env nodes.Env) {
		if env.Boot() == nodes.Restart {
			env.Logf("finds %s", contents(env.Disk().Log("log")))
		}
	},
	receive: func(env nodes.Env, m nodes.Message) {
		if _, _, ok := m.From.Request(); !ok {
			env.Logf("hears %s", m.Body.(Say).Text)
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
			case '*':
				env.Emit(Noted{rest})
			default:
				log.Append([]byte(word))
			}
		}
	},
}

func contents(l nodes.Log) string {
	snapshot, first, records, err := l.Read()
	return fmt.Sprintf("%q %d %s %v", snapshot, first, bytes.Join(records, []byte(" ")), err)
}

// tell gives a1 words at a time, by a client next to it.
func (w *world) tell(at time.Duration, words string) {
	w.After(at-w.Now(), func() {
		w.Call(nodes.Member{ID: "c1", Region: "a", Zone: "a1"}, "a1", Say{words}, 0, func(any, bool) {})
	})
}

const ms = time.Millisecond

func TestAKillKeepsAllAndPowerLossKeepsWhatWasSynced(t *testing.T) {
	for _, tc := range []struct {
		name  string
		words []string // told at 0, 10, 20... ms
		crash time.Duration
		kill  string   // found after a kill
		loss  []string // found after power losses of many seeds, all of them
	}{
		{"nothing was synced", []string{"x y"}, 15 * ms, `"" 1 x y <nil>`, []string{`"" 1  <nil>`, `"" 1 x <nil>`, `"" 1 x y <nil>`}},
		{"all was synced", []string{"x y !"}, 15 * ms, `"" 1 x y <nil>`, []string{`"" 1 x y <nil>`}},
		{"the rest was not synced", []string{"x y ! z"}, 15 * ms, `"" 1 x y z <nil>`, []string{`"" 1 x y <nil>`, `"" 1 x y z <nil>`}},
		{"the sync was under way", []string{"x !", "y !"}, 10500 * time.Microsecond, `"" 1 x y <nil>`, []string{`"" 1 x <nil>`, `"" 1 x y <nil>`}},
		{"a second sync waited for the first", []string{"x ! y !"}, 1000 * time.Microsecond, `"" 1 x y <nil>`, []string{`"" 1 x <nil>`, `"" 1 x y <nil>`}},
		{"and was done", []string{"x ! y !"}, 1500 * time.Microsecond, `"" 1 x y <nil>`, []string{`"" 1 x y <nil>`}},
		{"a snapshot was synced", []string{"x y z ^2 !"}, 15 * ms, `"to2" 3 z <nil>`, []string{`"to2" 3 z <nil>`}},
		{"a snapshot was not synced", []string{"x y z !", "^2"}, 15 * ms, `"to2" 3 z <nil>`, []string{`"" 1 x y z <nil>`}},
		{"a snapshot of what was not synced was not either", []string{"x ! y z ^3"}, 15 * ms, `"to3" 4  <nil>`, []string{`"" 1 x <nil>`}},
		{"a snapshot went beyond the end", []string{"x ! y ^7 z !"}, 15 * ms, `"to7" 8 z <nil>`, []string{`"to7" 8 z <nil>`}},
		{"a snapshot replaced another", []string{"x y ^1 !", "^2 z"}, 15 * ms, `"to2" 3 z <nil>`, []string{`"to1" 2 y <nil>`, `"to1" 2 y z <nil>`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			crash := func(seed uint64, how func(w *world) error) string {
				w := start(t, teller, nodes.Spec{Seed: seed})
				for i, words := range tc.words {
					w.tell(time.Duration(i)*10*ms, words)
				}
				w.run(tc.crash)
				w.said()
				w.must(how(w))
				w.must(w.Boot(t.Context(), "a1"))
				w.run(tc.crash + ms)
				_, found, _ := strings.Cut(w.said(), "finds ")
				return found
			}
			if found := crash(1, func(w *world) error { return w.Kill(t.Context(), "a1") }); found != tc.kill {
				t.Errorf("after a kill it finds %s, want %s", found, tc.kill)
			}
			seen := map[string]bool{}
			for seed := range uint64(40) {
				seen[crash(seed, func(w *world) error { return w.PowerLoss(t.Context(), []nodes.ID{"a1"}) })] = true
			}
			for _, found := range tc.loss {
				if !seen[found] {
					t.Errorf("after power losses it never finds %s, but %v", found, seen)
				}
				delete(seen, found)
			}
			if len(seen) > 0 {
				t.Errorf("after a power loss it finds %v", seen)
			}
		})
	}
}

func TestPowerLossTakesFromAProcessThatIsDeadAlready(t *testing.T) {
	found := map[string]bool{}
	for seed := range uint64(20) {
		w := start(t, teller, nodes.Spec{Seed: seed})
		w.tell(0, "x")
		w.run(5 * ms)
		w.must(w.Kill(t.Context(), "a1"))
		w.must(w.PowerLoss(t.Context(), []nodes.ID{"a1", "a2"}))
		w.must(w.Boot(t.Context(), "a1"))
		w.run(6 * ms)
		found[w.said()] = true
	}
	if len(found) != 2 {
		t.Error(found)
	}
}

func TestWhatFollowsASyncLeavesWhenItIsDurable(t *testing.T) {
	for _, tc := range []struct{ words, want string }{
		{"x >one *two", "300µs a1 {two}; 800µs a2 hears one"},
		{"x ! >one *two", "800µs a1 {two}; 1.3ms a2 hears one"},
		{"x >one ! *two", "800µs a1 {two}; 800µs a2 hears one"},
		{"! >one *two", "300µs a1 {two}; 800µs a2 hears one"},
		{"x ! ! *one ! y *two", "800µs a1 {one}; 800µs a1 {two}"},
		{"x ! *one y ! *two z ! *three", "800µs a1 {one}; 1.3ms a1 {two}; 1.3ms a1 {three}"},
	} {
		t.Run(tc.words, func(t *testing.T) {
			w := start(t, teller, nodes.Spec{})
			w.tell(0, tc.words)
			w.run(10 * ms)
			w.want(tc.want)
		})
	}
}

func TestWhatWaitsForADiskNeverLeavesANodeThatDied(t *testing.T) {
	for name, crash := range map[string]func(*world) error{
		"in a kill":       func(w *world) error { return w.Kill(w.t.Context(), "a1") },
		"in a power loss": func(w *world) error { return w.PowerLoss(w.t.Context(), []nodes.ID{"a1"}) },
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, teller, nodes.Spec{})
			w.tell(0, "x >before ! >after *after")
			w.tell(5*ms, "y ! >left")
			w.run(600 * time.Microsecond)
			w.must(crash(w))
			w.must(w.Boot(t.Context(), "a1"))
			w.run(4 * ms)
			if said := w.said(); !strings.Contains(said, "a2 hears before") || strings.Contains(said, "after") {
				t.Error(said)
			}
			w.run(5900 * time.Microsecond)
			w.must(crash(w))
			w.run(10 * ms)
			w.want("6.4ms a2 hears left")
		})
	}
}

func TestASyncAfterARestartCoversWhatTheDeadProcessWrote(t *testing.T) {
	for seed := range uint64(10) {
		w := start(t, teller, nodes.Spec{Seed: seed})
		w.tell(0, "x")
		w.run(5 * ms)
		w.must(w.Kill(t.Context(), "a1"))
		w.must(w.Boot(t.Context(), "a1"))
		w.run(6 * ms)
		w.tell(6*ms, "! *now")
		w.run(8 * ms)
		w.must(w.PowerLoss(t.Context(), []nodes.ID{"a1"}))
		w.must(w.Boot(t.Context(), "a1"))
		w.run(9 * ms)
		w.want(`5ms a1 finds "" 1 x <nil>; 6.8ms a1 {now}; 8ms a1 finds "" 1 x <nil>`)
	}
}

func TestACrashLeavesNoTraceInTheDisksQueue(t *testing.T) {
	for _, tc := range []struct{ name, before, after, want string }{
		{"a sync of a new life waits for the fsync that a dead one began", "x !", "! *now", "800µs a1 {now}"},
		{"nothing waits for an fsync that a dead life asked for", "x ! y !", "*now", "700µs a1 {now}"},
		{"a new life's own fsync begins after the dead one's", "x ! y !", "z ! *now", "1.3ms a1 {now}"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := start(t, teller, nodes.Spec{})
			w.tell(0, tc.before)
			w.run(350 * time.Microsecond)
			w.must(w.Kill(t.Context(), "a1"))
			w.must(w.Boot(t.Context(), "a1"))
			w.tell(360*time.Microsecond, tc.after)
			w.run(360 * time.Microsecond)
			w.said()
			w.run(10 * ms)
			w.want(tc.want)
		})
	}
	t.Run("power loss ends the fsync that ran", func(t *testing.T) {
		w := start(t, teller, nodes.Spec{})
		w.tell(0, "x !")
		w.run(350 * time.Microsecond)
		w.must(w.PowerLoss(t.Context(), []nodes.ID{"a1"}))
		w.must(w.Boot(t.Context(), "a1"))
		w.tell(360*time.Microsecond, "y ! *now")
		w.run(360 * time.Microsecond)
		w.said()
		w.run(10 * ms)
		w.want("1.2ms a1 {now}")
	})
}

func TestNothingLeavesAPausedNodeThoughItsDiskIsDone(t *testing.T) {
	w := start(t, teller, nodes.Spec{})
	w.tell(0, "x ! >one *two")
	w.run(500 * time.Microsecond)
	w.must(w.Pause(t.Context(), "a1"))
	w.tell(ms, "*three")
	w.run(5 * ms)
	w.want("")
	w.must(w.Resume(t.Context(), "a1"))
	w.run(8 * ms)
	w.want("5ms a1 {two}; 5ms a1 {three}; 5.5ms a2 hears one")
}

func TestDisksAreSavedAsTheyStand(t *testing.T) {
	w := start(t, funcs{start: func(env nodes.Env) {
		l := env.Disk().Log("group/1")
		l.Append([]byte("a"))
		l.Append([]byte("b"))
		l.Snapshot(1, []byte("s"))
		env.Disk().Sync()
		env.After(ms, "")
	}, wake: func(env nodes.Env, _ string) {
		env.Disk().Log("group/1").Append(nil)
		env.Disk().Log("..").Append([]byte("x"))
		env.Disk().Log("..").Snapshot(1, []byte("y"))
	}}, nodes.Spec{Topology: topology("a1")})
	w.run(2 * ms)
	dir := t.TempDir()
	w.must(w.SaveDisks(dir))
	for name, want := range map[string]string{"group%2F1": `"s" 2 ["b" ""] 1 0`, "%2E.": `"y" 2 [] 0 0`} {
		file, err := os.ReadFile(filepath.Join(dir, "a1", "disk", name))
		w.must(err)
		l, err := sim.ReadLog(file)
		if got := fmt.Sprintf("%q %d %q %d %d", l.Snapshot, l.First, l.Records, l.Synced, l.Torn); got != want || err != nil {
			t.Errorf("%s: %s, %v; want %s", name, got, err, want)
		}
	}
	w.must(os.WriteFile(filepath.Join(dir, "file"), nil, 0o666))
	if err := w.SaveDisks(filepath.Join(dir, "file")); err == nil || !strings.HasPrefix(err.Error(), "sim: save disks: ") {
		t.Error(err)
	}
}

func TestALogFileTellsDamageFromATornTail(t *testing.T) {
	var b bytes.Buffer
	whole := sim.LogFile{Snapshot: []byte("snap"), First: 5, Records: [][]byte{[]byte("five"), []byte("six"), []byte("seven")}, Synced: 2}
	if err := sim.WriteLog(&b, whole); err != nil {
		t.Fatal(err)
	}
	file := b.Bytes()
	mark := len(file) - 17 - len("seven")
	for cut := range len(file) + 1 {
		l, err := sim.ReadLog(file[:cut])
		switch damaged := cut > 0 && cut < mark; {
		case errors.Is(err, sim.ErrDamaged) != damaged:
			t.Errorf("cut at %d of %d, synced to %d: %v", cut, len(file), mark, err)
		case cut >= mark && (len(l.Records) != 2 && cut < len(file) || l.Torn != int64(cut-mark)%int64(len(file)-mark)):
			t.Errorf("cut at %d it has %d records and %d bytes torn", cut, len(l.Records), l.Torn)
		}
	}
	for at := range file {
		bad := bytes.Clone(file)
		bad[at] ^= 0x10
		l, err := sim.ReadLog(bad)
		if errors.Is(err, sim.ErrDamaged) != (at < mark) {
			t.Errorf("a bit that flips at %d of %d, synced to %d: %v", at, len(file), mark, err)
		}
		for i, r := range l.Records {
			if !bytes.Equal(r, whole.Records[i]) {
				t.Errorf("a bit that flips at %d is served: %q", at, r)
			}
		}
	}
}
