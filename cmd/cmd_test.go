package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/labs/testdata/register"
)

// lab types a command in a new folder or, after cd, in that one.
func lab(t *testing.T, args ...string) (status int, out, err string) {
	t.Helper()
	return labOf(t, context.Background(), register.Lab(), screen{width: 80}, args...)
}

func labOf(t *testing.T, ctx context.Context, l labs.Lab, s screen, args ...string) (status int, out, err string) {
	t.Helper()
	var o, e bytes.Buffer
	a := &app{labs: []labs.Lab{l}, name: "./lab", out: &o, err: &e, screen: s}
	status = a.run(ctx, args)
	return status, o.String(), e.String()
}

// broken is the lab with a mistake of its own.
func broken() labs.Lab {
	l := register.Lab()
	l.Outcome = func(any, any) history.Outcome { panic("out of cheese") }
	return l
}

// nodeless is a lab whose nodes are programs of others.
func nodeless() labs.Lab {
	l := register.Lab()
	l.System.New = nil
	return l
}

func TestExitStatuses(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("file", "text\n")
	write("junk", "text\n")
	if err := errors.Join(os.Chmod("junk", 0o755), os.Mkdir("empty.d", 0o777)); err != nil {
		t.Fatal(err)
	}
	write("plan.json", `{"format":1,"faults":[{"kind":"kill","form":"one","at_ns":1000000000,"for_ns":1000000000,"nodes":["n1"]}]}`)
	write("plan.yaml", "format: 1\nfaults:\n  - {kind: kill, form: one, at: 1s, for: 1s, nodes: [n1]}\n")
	write("bad.yaml", "format: 1\nfaults:\n  - {kind: kill, knees: 2}\n")
	write("beyond.yaml", "format: 1\nfaults:\n  - {kind: wipe, at: 1s, for: 1s, nodes: [n1, n2, n3]}\n")
	write("late.json", `{"format":1,"faults":[{"kind":"kill","form":"one","at_ns":90000000000,"for_ns":1000000000,"nodes":["n1"]}]}`)
	write("role.json", `{"format":1,"faults":[{"kind":"kill","form":"role","at_ns":1000000000,"for_ns":1000000000,"role":"king"}]}`)
	done, cancel := context.WithCancel(context.Background())
	cancel()
	now := context.Background()
	for _, test := range []struct {
		name string
		args string
		want int
		err  string // what stands on standard error
		ctx  context.Context
		lab  labs.Lab
	}{
		{name: "every judged guarantee held", args: "run register --nemesis partition --time 5s", want: Held},
		{name: "in all seeds", args: "run register --nemesis kill --time 5s --seeds 3", want: Held},
		{name: "a plan was done", args: "run register --plan plan.json --time 5s", want: Held},
		{name: "a guarantee failed", args: "run register --nemesis power-loss:all --bug ack-before-sync", want: Failed},
		{name: "in one of many seeds", args: "run register --nemesis power-loss:all --bug ack-before-sync --seeds 3", want: Failed},
		{name: "a node crashed unasked", args: "run register --nemesis none --bug panic-at-1000", want: Failed},
		{name: "nothing was judged", args: "run register --nemesis clock --time 5s", want: Unknown},
		{name: "it was interrupted", args: "run register --nemesis none", want: Unknown, ctx: done},
		{name: "a set was interrupted", args: "run register --nemesis none --seeds 5", want: Unknown, ctx: done},
		{name: "the topology has no place for a fault", args: "run register --nodes 1 --nemesis partition:region", want: Cannot, err: "partition:region: this topology has no place for it"},
		{name: "the lab has a mistake", args: "run register --time 5s", want: Internal, err: "internal error: out of cheese", lab: broken()},
		{name: "in a set", args: "run register --time 5s --seeds 3", want: Internal, err: "out of cheese", lab: broken()},

		{name: "an unknown command", args: "rnu", want: Usage, err: `unknown command "rnu": did you mean run?`},
		{name: "an unknown lab", args: "run registr", want: Usage, err: `unknown lab "registr": did you mean register?`},
		{name: "no lab", args: "run", want: Usage, err: "which lab?"},
		{name: "two labs", args: "run register register", want: Usage, err: "one argument too many"},
		{name: "an unknown fault", args: "run register --nemesis partitoin", want: Usage, err: `unknown fault "partitoin": did you mean partition?`},
		{name: "an unknown form", args: "run register --nemesis kill:al", want: Usage, err: `unknown form of kill "al": did you mean all?`},
		{name: "all and more", args: "run register --nemesis all,kill", want: Usage, err: "all stands alone"},
		{name: "an unknown bug", args: "run register --bug ack-before-sink", want: Usage, err: `unknown bug "ack-before-sink": did you mean ack-before-sync?`},
		{name: "a program that is not there", args: "run register --bin nope", want: Usage, err: "nope: no such file or directory"},
		{name: "a program that is none", args: "run register --bin file", want: Usage, err: "it is not executable (chmod +x"},
		{name: "a program that is a folder", args: "run register --bin empty.d", want: Usage, err: "it is a folder; a program is wanted"},
		{name: "a program that the system does not know how to run", args: "run register --bin junk", want: Usage, err: "junk: exec format error"},
		{name: "a program in the simulator", args: "run register --bin junk --on sim", want: Usage, err: "a program is run as processes, so leave --on out"},
		{name: "a program with a known mistake", args: "run register --bin junk --bug ack-before-sync", want: Usage, err: "known mistakes are those of the lab's own node"},
		{name: "a fault that only our own nodes suffer", args: "run register --bin junk --print-plan --nemesis clock", want: Cannot, err: "clock: this runtime cannot do it"},
		{name: "a program's arguments without it", args: "run register -- x", want: Usage, err: "arguments after -- are those of the program that --bin names"},
		{name: "no lab before a program's arguments", args: "run -- register", want: Usage, err: "the lab stands before --"},
		{name: "no program for a lab without a node", args: "run register", want: Usage, err: "has no node of its own: give the program", lab: nodeless()},
		{name: "a node of a lab without one", args: "node register", want: Usage, err: "has no node of its own", lab: nodeless()},
		{name: "a model where none can be chosen", args: "run register --consistency serializable", want: Usage, err: "lab register is judged by no model that can be chosen"},
		{name: "availability where none is promised", args: "run register --availability total", want: Usage, err: "lab register has its own promises of availability"},
		{name: "an unknown runtime", args: "run register --on dokcer", want: Usage, err: `unknown runtime "dokcer"`},
		{name: "an unknown format", args: "run register --format jsno", want: Usage, err: `unknown format "jsno": did you mean json?`},
		{name: "a format without its file", args: "run register --format json=", want: Usage, err: "the name of a file is missing"},
		{name: "a format to a file that cannot be", args: "run register --format json=no/such/x", want: Usage, err: "cannot write no/such/x"},
		{name: "two formats for programs at once", args: "run register --format json --format junit", want: Usage, err: "nothing else can be on standard output"},
		{name: "an unknown flag", args: "run register --sed 7", want: Usage, err: `unknown flag "sed": did you mean seed?`},
		{name: "a seed that is no number", args: "run register --seed x", want: Usage, err: "--seed x: a whole number, 0 or more, is wanted"},
		{name: "no seeds", args: "run register --seeds 0", want: Usage, err: "--seeds 0: it must be at least 1"},
		{name: "no time", args: "run register --time 0s", want: Usage, err: "--time 0s: it must be at least 1s"},
		{name: "no clients", args: "run register --clients 0", want: Usage, err: "--clients 0: it must be at least 1"},
		{name: "too many nodes", args: "run register --nodes 99", want: Usage, err: "--nodes 99: 99 nodes: this lab has 1 to 9"},
		{name: "an unknown --keep", args: "run register --keep none", want: Usage, err: `unknown --keep "none"`},
		{name: "no plan", args: "run register --plan no.json", want: Usage, err: "--plan no.json: no such file"},
		{name: "a plan that is none", args: "run register --plan file", want: Usage, err: "file:1"},
		{name: "a plan that lasts too long", args: "run register --plan late.json", want: Usage, err: "beyond the 1m0s of the safety phase"},
		{name: "a plan with a role that is not there", args: "run register --plan role.json", want: Usage, err: `there is no role "king"`},
		{name: "an option that is not there", args: "run register --nemesis kill:fast=1", want: Usage, err: `kill has no option "fast": use one of for, hard`},
		{name: "an option that is wrong", args: "run register --nemesis pause:for=x", want: Usage, err: "pause:for=x: for takes a duration, as 200ms or 4s"},
		{name: "options", args: "run register --nemesis slow:one:delay=20ms:for=2s --time 5s", want: Held},
		{name: "a swarm", args: "run register --nemesis swarm --time 5s", want: Held},
		{name: "a plan in YAML", args: "run register --plan plan.yaml --time 5s", want: Held},
		{name: "a plan in YAML with a mistake", args: "run register --plan bad.yaml", want: Usage, err: `bad.yaml:3:18: "knees": a fault has no such member`},
		{name: "a fault that this system has not the means for", args: "run register --nemesis ops", want: Cannot, err: "ops: this system has no operation of its own that could be asked for"},
		{name: "another build in the simulator", args: "run register --nemesis upgrade:bin=x", want: Cannot, err: "upgrade:bin=x: this runtime has one build alone"},
		{name: "more than a group tolerates", args: "run register --nemesis wipe:all", want: Cannot, err: "which is allowed by --beyond alone"},
		{name: "a plan of more than a group tolerates", args: "run register --plan beyond.yaml", want: Usage, err: "(--beyond allows it)"},
		{name: "beyond it nothing is judged", args: "run register --plan beyond.yaml --beyond --time 5s", want: Unknown},
		{name: "a plan is printed", args: "run register --print-plan", want: Held},
		{name: "a plan of many seeds is not", args: "run register --print-plan --seeds 2", want: Usage, err: "each seed has a plan of its own"},
		{name: "a plan and faults", args: "run register --plan plan.json --nemesis kill", want: Usage, err: "give one of the two"},
		{name: "a store that is a file", args: "run register --store file", want: Usage, err: "cannot write to the store file: not a directory"},
		{name: "a run that is not there", args: "check no/such", want: Usage, err: "there is no run folder no/such"},
		{name: "a run that is a file", args: "check file", want: Usage, err: "file is a file"},
		{name: "a run that is none", args: "replay .", want: Usage, err: ". is no run folder: it has no run.json"},
		{name: "no last run", args: "report --store empty", want: Usage, err: "there is no last run in empty"},
		{name: "an unknown list", args: "list bug", want: Usage, err: `unknown list "bug": did you mean bugs?`},

		{name: "no system for a node", args: "node", want: Usage, err: "which system? there is register"},
		{name: "an unknown system", args: "node registr", want: Usage, err: `unknown system "registr": did you mean register?`},
		{name: "two systems", args: "node register register", want: Usage, err: "one argument too many"},
		{name: "a node's address without a port", args: "node register --listen here", want: Usage, err: "--listen here: an address with its port is wanted"},
		{name: "a node's address that is not this machine's", args: "node register --data d --listen 192.0.2.1:7000", want: Cannot, err: "listen tcp 192.0.2.1:7000"},
		{name: "a node's folder that is a file", args: "node register --data file --listen 127.0.0.1:0", want: Cannot, err: "mkdir file: not a directory"},
		{name: "a node that is told to end", args: "node register --data d --listen 127.0.0.1:0", want: Held, ctx: done},
		{name: "a node without a folder of its own", args: "node register --listen 127.0.0.1:0", want: Held, ctx: done},

		{name: "help", args: "run --help", want: Held},
		{name: "nothing", args: "", want: Held},
		{name: "all lists", args: "list", want: Held},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, l := test.ctx, test.lab
			if ctx == nil {
				ctx = now
			}
			if l.Name == "" {
				l = register.Lab()
			}
			status, out, err := labOf(t, ctx, l, screen{width: 80}, strings.Fields(test.args)...)
			if status != test.want || !strings.Contains(err, test.err) || (err == "") != (test.err == "") {
				t.Errorf("status %d, %q; want %d, %q\n%s", status, err, test.want, test.err, out)
			}
			if strings.Count(err, "\n") > 1 || strings.Contains(err, "goroutine") {
				t.Errorf("more than a sentence on standard error: %s", err)
			}
			filepath.WalkDir(".", func(path string, _ fs.DirEntry, _ error) error {
				if strings.Contains(path, "unfinished") {
					t.Errorf("%s was left behind", path)
				}
				return nil
			})
		})
	}
}

// last returns the folder of the last run.
func last(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks("store/latest")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func contents(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The plan that is printed is the schedule that is played: a run of it suffers the same.
func TestAPrintedPlanIsTheScheduleOfTheRun(t *testing.T) {
	t.Chdir(t.TempDir())
	status, plan, err := lab(t, "run", "register", "--nemesis", "all", "--seed", "5", "--print-plan")
	if status != Held || err != "" {
		t.Fatal(status, err)
	}
	if entries, _ := os.ReadDir("."); len(entries) > 0 {
		t.Errorf("it left %v", entries)
	}
	if err := os.WriteFile("plan.yaml", []byte(plan), 0o666); err != nil {
		t.Fatal(err)
	}
	schedule := func(args ...string) string {
		if status, out, err := lab(t, append([]string{"run", "register", "--seed", "5"}, args...)...); status != Held {
			t.Fatal(status, out, err)
		}
		var run struct{ Schedule json.RawMessage }
		if err := json.Unmarshal([]byte(contents(t, filepath.Join(last(t), "run.json"))), &run); err != nil {
			t.Fatal(err)
		}
		return string(run.Schedule)
	}
	if a, b := schedule("--nemesis", "all"), schedule("--plan", "plan.yaml"); a != b || len(a) < 500 {
		t.Errorf("the run had\n%s\nand the plan\n%s", a, b)
	}
}

func TestARunIsTheSameTwiceAndOnOneProcessor(t *testing.T) {
	t.Chdir(t.TempDir())
	run := func() string {
		if status, _, err := lab(t, "run", "register", "--seed", "7", "--time", "20s"); status != Held {
			t.Fatalf("status %d: %s", status, err)
		}
		return last(t)
	}
	first, second := run(), run()
	before := runtime.GOMAXPROCS(1)
	third := run()
	runtime.GOMAXPROCS(before)
	if first == second || second == third {
		t.Fatalf("runs share a folder: %s %s %s", first, second, third)
	}
	for _, name := range []string{"history.jsonl", "events.jsonl", "results.json"} {
		text := contents(t, filepath.Join(first, name))
		if text != contents(t, filepath.Join(second, name)) || text != contents(t, filepath.Join(third, name)) {
			t.Errorf("%s is not the same", name)
		}
	}
}

func TestASavedRunIsCheckedReplayedAndReported(t *testing.T) {
	t.Chdir(t.TempDir())
	status, _, _ := lab(t, "run", "register", "--nemesis", "power-loss:all", "--bug", "ack-before-sync")
	dir := last(t)
	if status != Failed {
		t.Fatalf("the bug was not caught: status %d", status)
	}
	t.Run("check gives the same verdicts from the files alone", func(t *testing.T) {
		status, out, _ := lab(t, "check", dir, "--format", "json")
		if status != Failed || out != contents(t, filepath.Join(dir, "results.json")) {
			t.Errorf("status %d, results:\n%s", status, out)
		}
	})
	t.Run("check takes the last run if none is named", func(t *testing.T) {
		if status, out, _ := lab(t, "check"); status != Failed || !strings.Contains(out, "the same results as when it was made") {
			t.Errorf("status %d:\n%s", status, out)
		}
	})
	t.Run("check has the disks audited", func(t *testing.T) {
		l := register.Lab()
		l.Audits = []labs.Audit{{ID: "F1", Name: "kept", Statement: "All is there.", Check: func(run *labs.Run, disks []labs.Disk) history.Result {
			if len(disks) != len(run.Topology.Members) || len(disks[0].Logs) == 0 || len(disks[0].Logs[0].Records) == 0 {
				t.Errorf("%d disks, and not those of %v", len(disks), run.Topology.IDs())
			}
			return history.Refuted(nil, "there is dust on the disk of %s", disks[0].Node)
		}}}
		status, out, _ := labOf(t, t.Context(), l, screen{width: 80}, "check", dir)
		if status != Failed || !strings.Contains(out, "F1 ") || !strings.Contains(out, "there is dust on the disk of ") {
			t.Errorf("status %d:\n%s", status, out)
		}
	})
	t.Run("check refuses a history that was cut short", func(t *testing.T) {
		if err := os.CopyFS("cut", os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		os.Truncate("cut/history.jsonl", 5000)
		if status, _, err := lab(t, "check", "cut"); status != Usage || !strings.Contains(err, "cut/history.jsonl: line ") {
			t.Errorf("status %d: %s", status, err)
		}
	})
	t.Run("report writes the page anew", func(t *testing.T) {
		page := filepath.Join(dir, "report.html")
		os.Remove(page)
		if status, out, err := lab(t, "report", dir); status != Held || strings.TrimSpace(out) != page || !strings.Contains(contents(t, page), "<html") {
			t.Errorf("status %d: %s %s", status, out, err)
		}
	})
	t.Run("replay gives the same bytes", func(t *testing.T) {
		status, out, err := lab(t, "replay", dir, "--exact")
		if status != Failed || !strings.Contains(out, "the same bytes as the saved run") || err != "" {
			t.Errorf("status %d: %s %s", status, out, err)
		}
	})
	t.Run("replay tells another build, and then says so", func(t *testing.T) {
		if err := os.CopyFS("other", os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		path := "other/run.json"
		text := regexp.MustCompile(`"executable": "[^"]*"`).ReplaceAllString(contents(t, path), `"executable": "sha256:other"`)
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if status, out, _ := lab(t, "replay", "other"); status != Failed || !strings.Contains(out, "another build") {
			t.Errorf("status %d: %s", status, out)
		}
		os.WriteFile("other/events.jsonl", nil, 0o666)
		os.WriteFile(path, []byte(regexp.MustCompile(`"events": \d+`).ReplaceAllString(text, `"events": 0`)), 0o666)
		if status, _, err := lab(t, "replay", "other", "--exact"); status != Failed || !strings.Contains(err, "other bytes in events.jsonl") {
			t.Errorf("status %d: %s", status, err)
		}
	})
	t.Run("the command that repeats a failure does", func(t *testing.T) {
		_, out, _ := lab(t, "check", dir)
		_, typed, _ := strings.Cut(out, "repeat it:  ./lab ")
		if status, _, err := lab(t, strings.Fields(typed)...); status != Failed {
			t.Errorf("lab %s: status %d: %s", typed, status, err)
		}
	})
}

func TestWhenTheLabStoodStillIsNamed(t *testing.T) {
	t.Chdir(t.TempDir())
	lab(t, "run", "register", "--nemesis", "kill", "--time", "5s")
	path := filepath.Join(last(t), "run.json")
	text := contents(t, path)
	if err := os.WriteFile(path, []byte(strings.Replace(text, `"format": 1,`, `"format": 1, "stalls": [{"start_ns": 2500000000, "end_ns": 3000000000}],`, 1)), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, out, err := lab(t, "check"); !strings.Contains(strings.Join(strings.Fields(out), " "), "the lab itself stood still for 0.5 s in all (at 2.5 s)") {
		t.Errorf("%s%s", out, err)
	}
	if _, out, err := lab(t, "check", "--format", "json"); !strings.Contains(out, `"start_ns": 2500000000`) {
		t.Errorf("%s%s", out, err)
	}
}

func TestASetNamesItsFailingSeeds(t *testing.T) {
	t.Chdir(t.TempDir())
	status, out, _ := lab(t, "run", "register", "--nemesis", "power-loss:all", "--bug", "ack-before-sync", "--seed", "3", "--seeds", "6", "--time", "20s",
		"--format", "text", "--format", "json=set.json")
	var set labs.Set
	if err := json.Unmarshal([]byte(contents(t, "set.json")), &set); err != nil {
		t.Fatal(err)
	}
	failed := set.With(history.Fail)
	if status != Failed || len(failed) == 0 || len(failed) == 6 || len(set.Runs) != 6 {
		t.Fatalf("status %d, failing seeds %v of %d runs\n%s", status, failed, len(set.Runs), out)
	}
	if !strings.Contains(out, "failing seeds: ") || !strings.Contains(out, "repeat it:  ./lab run register --nemesis power-loss:all --seed ") {
		t.Errorf("the summary is:\n%s", out)
	}
	for _, l := range set.Runs {
		if (l.Folder != "") != (l.Verdict != history.Pass) {
			t.Errorf("seed %d: %s, kept in %q", l.Seed, l.Verdict, l.Folder)
		}
		if l.Folder != "" {
			if _, err := os.Stat(filepath.Join(l.Folder, "report.html")); err != nil {
				t.Error(err)
			}
		}
	}
	if dir := last(t); !strings.HasSuffix(dir, "-"+string(rune('0'+failed[0]))) {
		t.Errorf("the last run is %s, not the first that failed, of seed %d", dir, failed[0])
	}
	found, _ := filepath.Glob("store/register/*-3-to-8/summary.json")
	if len(found) != 1 || contents(t, found[0]) != contents(t, "set.json") {
		t.Errorf("summaries: %v", found)
	}
	if status, _, err := lab(t, "check", filepath.Dir(found[0])); status != Usage || !strings.Contains(err, "is a set of runs") {
		t.Errorf("check of a set: status %d, %s", status, err)
	}
}

func TestTextFitsItsScreen(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, width := range []int{40, 80, 120} {
		for _, args := range []string{"run register --time 20s", "run register --seeds 3 --time 20s", "list"} {
			_, out, _ := labOf(t, context.Background(), register.Lab(), screen{width: width}, strings.Fields(args)...)
			for _, line := range strings.Split(out, "\n") {
				if utf8.RuneCountInString(line) > width && !strings.Contains(line, "store/") {
					t.Errorf("lab %s: a line of %d columns on a screen of %d: %s", args, utf8.RuneCountInString(line), width, line)
				}
			}
			if !strings.HasPrefix(args, "run") {
				continue
			}
			if !strings.HasPrefix(out, "simulated") || !strings.Contains(out, "R1  keeps") || !strings.Contains(out, "verdict:    pass") {
				t.Errorf("lab %s on %d columns:\n%s", args, width, out)
			}
		}
	}
}

func TestColoursAreOnlyForScreensThatWantThem(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, colour := range []bool{false, true} {
		_, out, _ := labOf(t, context.Background(), register.Lab(), screen{width: 80, colour: colour}, "run", "register", "--time", "2s")
		if strings.Contains(out, "\x1b[") != colour {
			t.Errorf("with colour %v:\n%q", colour, out)
		}
	}
}

func TestFormats(t *testing.T) {
	t.Chdir(t.TempDir())
	args := []string{"run", "register", "--nemesis", "power-loss:all", "--bug", "ack-before-sync", "--quiet"}
	with := func(format ...string) string {
		all := args
		for _, f := range format {
			all = append(all[:len(all):len(all)], "--format", f)
		}
		status, out, err := lab(t, all...)
		if status != Failed || err != "" {
			t.Fatalf("status %d: %s", status, err)
		}
		return out
	}
	t.Run("json is one object and nothing else", func(t *testing.T) {
		d := json.NewDecoder(strings.NewReader(with("json")))
		d.DisallowUnknownFields()
		var r labs.Results
		if err := d.Decode(&r); err != nil || d.More() || r.Verdict != history.Fail || len(r.Guarantees) != 3 {
			t.Errorf("%v: %+v", err, r)
		}
	})
	t.Run("junit is XML with a case for each guarantee", func(t *testing.T) {
		var s junitSuite
		if err := xml.Unmarshal([]byte(with("junit")), &s); err != nil || s.Tests != 3 || s.Failures != 2 || s.Skipped != 1 || len(s.Cases) != 3 {
			t.Errorf("%v: %+v", err, s)
		}
	})
	t.Run("github is an annotation for each failure, on one line", func(t *testing.T) {
		out := with("github")
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if len(lines) != 2 || !strings.HasPrefix(lines[0], "::error title=register seed 1%3A R1 keeps::") || !strings.Contains(lines[0], "%0Arepeat it: ./lab run register") {
			t.Errorf("%s", out)
		}
	})
	t.Run("quiet text is one line", func(t *testing.T) {
		if out := with(); strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, "fail  register seed 1  store/register/") {
			t.Errorf("%q", out)
		}
	})
	t.Run("files are written beside the text", func(t *testing.T) {
		out := with("junit=x.xml", "json=x.json")
		if !strings.HasPrefix(out, "fail") || !strings.HasPrefix(contents(t, "x.xml"), "<?xml") || !strings.HasPrefix(contents(t, "x.json"), "{") {
			t.Errorf("%q", out)
		}
	})
}

func TestCompletionKnowsNames(t *testing.T) {
	for _, test := range []struct{ typed, want string }{
		{"run reg", "register"},
		{"run register --nemesis part", "partition:region"},
		{"run register --nemesis kill,power", "kill,power-loss:all"},
		{"run register --nemesis slow:d", "slow:delay="},
		{"run register --bug ", "ack-before-sync"},
		{"run --format j", "junit"},
		{"list b", "bugs"},
	} {
		words := strings.Split(test.typed, " ")
		_, out, _ := lab(t, append([]string{"__complete"}, words...)...)
		if !strings.Contains("\n"+out, "\n"+test.want+"\n") {
			t.Errorf("lab %s[TAB] offers %q, without %s", test.typed, out, test.want)
		}
	}
}

// A module outside the repository has a lab of its own, a main of one line, and this module by require and replace.
func TestALabOutsideTheRepositoryRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a program")
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	_, requires, _ := strings.Cut(contents(t, filepath.Join(root, "go.mod")), "\n") // all but the module's name
	write("go.mod", "module example.com/course\n"+requires+"\nrequire faultlab v0.0.0\n\nreplace faultlab => "+root+"\n")
	write("go.sum", contents(t, filepath.Join(root, "go.sum")))
	write("register/register.go", contents(t, filepath.Join(root, "labs/testdata/register/register.go")))
	write("main.go", `package main

import (
	"os"

	"example.com/course/register"
	"faultlab/cmd"
)

func main() { os.Exit(cmd.Main(register.Lab())) }
`)
	build := exec.Command("go", "build", "-o", "course", ".")
	build.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command("./course", "run", "register", "--nemesis", "kill", "--time", "5s").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "verdict:    pass") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = exec.Command("./course", "run", "registre").CombinedOutput()
	if status, ok := err.(*exec.ExitError); !ok || status.ExitCode() != Usage {
		t.Errorf("an unknown lab: %v\n%s", err, out)
	}
}

func TestAFailedGuaranteeMakesNoFailureOfWhatIsUnknown(t *testing.T) {
	run := &labs.Run{Lab: "x", Verdict: history.Fail, Whole: history.Undetermined, Reason: "kill never took effect", Judged: []labs.Judged{
		{Guarantee: labs.Guarantee{ID: "X1"}, Result: history.Result{Verdict: history.Fail, Reason: "lost"}},
	}}
	set := &labs.Set{Lab: "x", Verdict: history.Fail, Runs: []labs.Line{{Seed: 1, Verdict: history.Fail, Whole: run.Whole, Reason: run.Reason}}}
	var junit, junits, github, githubs bytes.Buffer
	all := shownSet{set: set, command: func(uint64) string { return "" }}
	for _, err := range []error{
		junitRun(&junit, screen{}, shown{run: run}), junitSet(&junits, screen{}, all),
		githubRun(&github, screen{}, shown{run: run}), githubSet(&githubs, screen{}, all),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ text, want string }{
		{junit.String(), `failures="1" errors="1"`}, {junits.String(), `failures="0" errors="1"`},
		{github.String(), "::warning title=x seed 0::kill never"}, {githubs.String(), "::warning title=x seed 1::kill never"},
	} {
		if !strings.Contains(test.text, test.want) {
			t.Errorf("there is no %s in\n%s", test.want, test.text)
		}
	}
}
