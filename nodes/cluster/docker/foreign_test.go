package docker_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"faultlab/checker/history"
	"faultlab/labs"
	"faultlab/labs/testdata/register"
	"faultlab/nemesis"
	"faultlab/nodes"
	"faultlab/nodes/cluster/docker"
)

// build makes an image around a Go program of testdata, and removes it when the test is over.
func build(t *testing.T, program string, lines ...string) (ref string) {
	t.Helper()
	needDocker(t)
	path := filepath.Join(t.TempDir(), program)
	compile := exec.Command("go", "build", "-trimpath", "-o", path, "./testdata/"+program)
	compile.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return pack(t, path, append([]string{"FROM scratch", "COPY program /program"}, lines...)...)
}

// pack makes an image around one file.
func pack(t *testing.T, path string, dockerfile ...string) (ref string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, f := range []struct {
		name string
		text []byte
	}{{"Dockerfile", []byte(strings.Join(dockerfile, "\n"))}, {"program", text}} {
		err := w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o755, Size: int64(len(f.text))})
		if err == nil {
			_, err = w.Write(f.text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	ref = fmt.Sprintf("lab-test-%d-%d:x", os.Getpid(), time.Now().UnixNano())
	made := exec.Command("docker", "build", "-q", "-t", ref, "-")
	made.Stdin, made.Env = &archive, append(os.Environ(), "DOCKER_BUILDKIT=0")
	if out, err := made.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("docker", "rmi", "-f", ref).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	return ref
}

// runOf runs a lab with nodes of an image.
func runOf(t *testing.T, lab labs.Lab, nodesOf int, ref string, faults ...string) *labs.Run {
	t.Helper()
	run, err := labs.Do(context.Background(), lab, labs.Options{
		Seed: 1, Time: time.Duration(max(nodesOf-1, 2)) * time.Second, Nodes: nodesOf, Nemesis: faults, Image: ref, On: "docker", Real: true,
		Start: func(s nodes.Spec) (labs.Cluster, error) {
			c, err := docker.StartImage(s, ref)
			if err != nil {
				return nil, err
			}
			return c, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range run.History.Windows {
		if !w.Took {
			t.Errorf("%s never struck: %s", w.Kind, w.Why)
		}
	}
	return run
}

// alone is a lab of one node, whose clients do not insist on final reads, so that a node that says nothing costs no time.
func alone() labs.Lab {
	l := register.Lab()
	l.Defaults.WarmUp, l.Defaults.Calm = time.Second, time.Second
	made := l.Workload
	l.Workload = func(t nodes.Topology, r *rand.Rand) labs.Workload { return easy{made(t, r)} }
	return l
}

type easy struct{ labs.Workload }

func (w easy) Next(c *labs.Client, phase history.Phase) (labs.Request, bool) {
	if phase == history.Final {
		return labs.Request{}, false
	}
	return w.Workload.Next(c, phase)
}

// dataPromises says which of a run's promises on data failed, and which passed.
func dataPromises(run *labs.Run) (failed, passed []string) {
	for _, g := range run.Judged {
		switch {
		case !strings.HasPrefix(g.ID, "O"):
		case g.Verdict == history.Fail:
			failed = append(failed, g.ID+": "+g.Reason)
		case g.Verdict == history.Pass:
			passed = append(passed, g.ID)
		}
	}
	return failed, passed
}

// The example that the README names keeps what it can promise, whatever is done to it from outside, and what its nodes
// wrote to their output is in their logs.
func TestAnImageOfSomebodyElsesIsBrokenAndJudged(t *testing.T) {
	ref := build(t, "keeper", `ENTRYPOINT ["/program"]`, "USER 1000:1000", "EXPOSE 9000")
	run := runOf(t, brief(), 9, ref, "partition", "kill:one", "pause:one", "loss:one", "lost-reply:one")
	failed, passed := dataPromises(run)
	if len(failed) > 0 || len(passed) < 5 || len(run.Broken) > 0 {
		t.Errorf("passed %v, failed %v, broken %v", passed, failed, run.Broken)
	}
	for _, g := range run.Judged {
		if g.Inside && g.Verdict != history.NotJudged {
			t.Errorf("%s is judged %s by what nobody said", g.ID, g.Verdict)
		}
	}
	for id, lines := range run.Logs {
		if !strings.Contains(strings.Join(lines, "\n"), "I am "+string(id)) {
			t.Errorf("the log of %s is %q", id, lines)
		}
	}
	if len(run.Logs) != len(run.Topology.Members) {
		t.Errorf("there are logs of %d nodes", len(run.Logs))
	}
}

// Our own node is an image like any other, and a design that outlives faults outlives them here.
func TestAnImageThatOutlivesFaultsPasses(t *testing.T) {
	needDocker(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := runOf(t, brief(), 9, pack(t, self, "FROM scratch", "COPY program /program", `ENTRYPOINT ["/program", "node", "multi-master"]`), "partition:link", "kill:one", "wipe:one", "upgrade:one")
	failed, passed := dataPromises(run)
	if len(failed) > 0 || len(passed) < 5 || len(run.Broken) > 0 {
		t.Errorf("passed %v, failed %v, broken %v", passed, failed, run.Broken)
	}
}

// Each node for itself: what one was told the others do not know.
func TestAnImageThatServesWhatIsStaleIsCaught(t *testing.T) {
	failed, _ := dataPromises(runOf(t, brief(), 9, build(t, "keeper", `ENTRYPOINT ["/program", "alone"]`), "partition:link"))
	if len(failed) == 0 {
		t.Error("nothing failed")
	}
	t.Log(failed)
}

// A node that does not keep to the protocol fails its run, with what it did and what was expected; and nothing hangs.
func TestAnImageThatBreaksTheProtocolIsTold(t *testing.T) {
	for _, c := range []struct {
		how, broken, log string
	}{
		{"exits", "ended unasked with status 7; the last that it wrote: I would rather not / is this what you want?", "I would rather not"},
		{"says-no", `answered init with "no", where {"src":"n1","dest":"lab","body":{"type":"init_ok","in_reply_to":1}} was expected`, ""},
		{"garbage", `"{{{ not a message"`, ""},
		{"unknown", `"riddle": unknown type; one of `, ""},
		{"misdirects", "a message to n1 went to the lab, and nodes reach each other at the addresses in init", ""},
		{"hangs-up", "closed the lab's connection, which is to last as long as its process", ""},
		{"dies", "ended unasked with status 9; the last that it wrote: enough of this", "enough of this"},
		{"endless", "a line of more than 16 MiB", ""},
		{"floods", "", "... earlier lines were not kept"},
	} {
		t.Run(c.how, func(t *testing.T) {
			run := runOf(t, alone(), 1, build(t, "wrong", fmt.Sprintf(`ENTRYPOINT ["/program", %q]`, c.how)), "none")
			if c.broken != "" && (run.Verdict != history.Fail || !strings.Contains(run.Reason, c.broken)) {
				t.Errorf("%s: %s", run.Verdict, run.Reason)
			}
			if run.Verdict == history.Pass {
				t.Errorf("it passed")
			}
			bytes := 0
			for _, line := range run.Logs["n1"] {
				bytes += len(line)
			}
			if text := strings.Join(run.Logs["n1"], "\n"); !strings.Contains(text, c.log) || bytes > 8<<20 {
				t.Errorf("%d bytes of log: %.300q", bytes, text)
			}
		})
	}
	t.Run("silent", func(t *testing.T) {
		run := runOf(t, alone(), 1, build(t, "wrong", `ENTRYPOINT ["/program", "silent"]`), "none")
		if want := "did not answer init within 30s: it took the connection and said nothing"; run.Verdict != history.Fail || !strings.Contains(run.Reason, want) {
			t.Errorf("%s: %s", run.Verdict, run.Reason)
		}
	})
}

// What cannot be done to nodes of an image is refused if it was named, and else named and left out.
func TestWhatAnImageCannotSufferIsNamed(t *testing.T) {
	kind := func(nodes.Spec) (labs.Cluster, error) { return (*docker.Foreign)(nil), nil }
	for _, fault := range []string{"power-loss", "clock", "disk", "duplicate", "reorder", "corrupt"} {
		_, _, err := labs.Plan(brief(), labs.Options{Seed: 1, Nemesis: []string{fault}, Image: "x", Start: kind})
		if !errors.As(err, new(*labs.Unsupported)) || !strings.Contains(err.Error(), fault+": it cannot be done to nodes of somebody else's image") {
			t.Errorf("%s: %v", fault, err)
		}
	}
	_, _, err := labs.Plan(brief(), labs.Options{Seed: 1, Nemesis: []string{"upgrade:bin=/x"}, Image: "x", Start: kind})
	if !errors.As(err, new(*labs.Unsupported)) || !strings.Contains(err.Error(), "leave bin out") {
		t.Errorf("another build: %v", err)
	}
	s, skipped, err := labs.Plan(brief(), labs.Options{Seed: 1, Image: "x", Start: kind})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range s {
		if f.Role != "" {
			t.Errorf("%+v: nobody says who has a role", f)
		}
	}
	for _, kind := range []string{"power-loss", "clock", "disk", "duplicate", "reorder", "corrupt", "ops", "membership"} {
		if !strings.Contains(strings.Join(skipped, "\n"), kind+": ") {
			t.Errorf("%s is not named in %q", kind, skipped)
		}
	}
	plan := nemesis.Schedule{{Kind: "slow", At: time.Second, For: time.Second, Links: both("a1", "b1"), Quality: &nodes.Quality{Delay: time.Second, DuplicatePerMille: 9}}}
	if _, _, err := labs.Plan(brief(), labs.Options{Seed: 1, Image: "x", Start: kind, Plan: plan}); !errors.As(err, new(*labs.Unsupported)) {
		t.Errorf("a plan that doubles messages: %v", err)
	}
}

func TestAnImageThatCannotBeRunIsTold(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		args   []string
		status int
		want   string
		image  func(t *testing.T) string
	}{
		{name: "no name of an image", args: []string{"--image", "No Such"}, status: 254, want: `"No Such" names no image`},
		{name: "an empty one", args: []string{"--image", ""}, status: 254, want: `"" names no image`},
		{name: "on the simulator", args: []string{"--image", "x", "--on", "sim"}, status: 254, want: "an image runs in containers alone"},
		{name: "with a bug", args: []string{"--image", "x", "--bug", "read-past-locks"}, status: 254, want: "give one of the two"},
		{name: "no such image", args: []string{"--image", "lab-test-nowhere:1"}, status: 253, want: "there is no image lab-test-nowhere:1 on the Docker engine, and lab pulls none; run: docker pull lab-test-nowhere:1",
			image: func(*testing.T) string { return "" }},
		{name: "no program", status: 254, want: "says no program to run: give it an ENTRYPOINT", image: func(t *testing.T) string { return build(t, "keeper") }},
		{name: "a program that is not there", status: 254, want: "does not start", image: func(t *testing.T) string { return build(t, "keeper", `ENTRYPOINT ["/nowhere"]`) }},
		{name: "no program of linux", status: 254, want: "holds a program for another machine", image: func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "x")
			if err := os.WriteFile(path, []byte("MZ\x00\x01 nothing for here"), 0o755); err != nil {
				t.Fatal(err)
			}
			return pack(t, path, "FROM scratch", "COPY program /program", `ENTRYPOINT ["/program"]`)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.image != nil {
				needDocker(t)
				if ref := c.image(t); ref != "" {
					c.args = append(c.args, "--image", ref)
				}
			}
			lab := exec.Command(self, append([]string{"run", "multi-master", "--time", "2s", "--store", t.TempDir()}, c.args...)...)
			out, _ := lab.CombinedOutput()
			text := string(out)
			if lab.ProcessState.ExitCode() != c.status || !strings.Contains(text, c.want) || strings.Count(text, "\n") > 3 {
				t.Errorf("status %d: %s", lab.ProcessState.ExitCode(), text)
			}
			if c.image != nil {
				nothingLeft(t, lab.ProcessState.Pid())
			}
		})
	}
}

// nothingLeft looks for what a lab of that process left.
func nothingLeft(t *testing.T, pid int) {
	t.Helper()
	for _, list := range [][]string{{"ps", "-aq"}, {"network", "ls", "-q"}, {"volume", "ls", "-q"}} {
		out, err := exec.Command("docker", append(list, "--filter", "label=faultlab.run", "--filter", fmt.Sprintf("name=-%d", pid))...).Output()
		if err != nil || len(out) > 0 {
			t.Errorf("docker %v: %v %s", list, err, out)
		}
	}
}
