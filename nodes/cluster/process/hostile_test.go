//go:build unix

package process_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/cluster/process"
)

// A node says what this one is called, and gets requests.
type node struct {
	me  string
	out *bufio.Writer
}

type message struct {
	Src  string         `json:"src"`
	Dest string         `json:"dest"`
	Body map[string]any `json:"body"`
}

func (n *node) reply(m message, body map[string]any) {
	body["in_reply_to"] = m.Body["msg_id"]
	n.send(message{n.me, m.Src, body})
}

func (n *node) send(m message) {
	json.NewEncoder(n.out).Encode(m)
	n.out.Flush()
}

// be is a node for echo of that character. It is good but for that.
func be(character string, args []string) {
	n := &node{out: bufio.NewWriterSize(os.Stdout, 1<<16)}
	echoes := 0
	switch character {
	case "exits":
		fmt.Fprintln(os.Stderr, "Traceback: no module named maelstrom")
		os.Exit(7)
	case "silent":
		time.Sleep(time.Hour)
	case "daemon":
		child := exec.Command(os.Args[0], "be", "lingering", filepath.Join(args[0], "pid"))
		child.Env = []string{}
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		child.Start()
	case "daemons": // also one whose parent is no more
		child := exec.Command(os.Args[0], "be", "fork", args[0])
		child.Run()
	case "fork":
		child := exec.Command(os.Args[0], "be", "lingering", filepath.Join(args[0], "pid"))
		child.Env = []string{}
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		child.Start()
		return
	case "lingering":
		os.WriteFile(fmt.Sprintf("%s%d", args[0], os.Getpid()), nil, 0o666)
		time.Sleep(time.Hour)
	}
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			if character == "stubborn" {
				time.Sleep(time.Hour)
			}
			return
		}
		var m message
		json.Unmarshal(line, &m)
		switch m.Body["type"] {
		case "init":
			n.me = m.Body["node_id"].(string)
			if character == "asks first" { // a service, and waits for its answer
				n.send(message{n.me, "lin-kv", map[string]any{"type": "write", "key": "k", "value": 1, "msg_id": 1}})
				in.ReadBytes('\n')
			}
			n.reply(m, map[string]any{"type": "init_ok"})
		case "echo":
			if echoes++; echoes == 5 {
				n.misbehave(character, m)
			}
			n.reply(m, map[string]any{"type": "echo_ok", "echo": m.Body["echo"], "note": strings.Repeat("x", padding(character, echoes))})
		}
	}
}

func padding(character string, echoes int) int {
	if character == "long once" && echoes == 3 {
		return 10 << 20
	}
	return 0
}

func (n *node) misbehave(character string, m message) {
	switch character {
	case "garbage":
		fmt.Println("hello from a print statement")
	case "half":
		fmt.Println(`{"src":"n1","dest":"c1","body":[1]}`)
	case "endless":
		for text := bytes.Repeat([]byte("x"), 1<<20); ; {
			os.Stdout.Write(text)
		}
	case "long":
		text := []byte(fmt.Sprintf(`{"src":"%s","dest":"%s","body":{"type":"echo_ok","in_reply_to":%v,"echo":"x","note":"%s"}}`+"\n",
			n.me, m.Src, m.Body["msg_id"], strings.Repeat("x", 10<<20)))
		for range 10 {
			os.Stdout.Write(text)
		}
	case "floods":
		for range 1 << 20 {
			n.out.WriteString(`{"src":"n1","dest":"n2","body":{"type":"flood","text":"` + strings.Repeat("x", 60) + "\"}}\n")
		}
	case "complains":
		for range 1 << 20 {
			fmt.Fprintln(os.Stderr, strings.Repeat("x", 100))
		}
	case "stops reading":
		time.Sleep(time.Hour)
	case "wrong id":
		n.send(message{n.me, "c1", map[string]any{"type": "echo_ok", "echo": "x", "in_reply_to": 1 << 30}})
	case "no id":
		n.send(message{n.me, "c1", map[string]any{"type": "echo_ok", "echo": "x"}})
	case "wrong type":
		n.reply(m, map[string]any{"type": "ecco_ok"})
	case "nobody":
		n.send(message{n.me, "n77", map[string]any{"type": "hello"}})
	case "crashes":
		panic("index out of cheese")
	}
}

func TestAHostileNodeGetsAVerdictAndLeavesNothing(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const broke = "broke the protocol"
	for _, c := range []struct {
		character string
		status    int
		says      []string
	}{
		{"good", cmdHeld, nil},
		{"stubborn", cmdHeld, nil},
		{"long once", cmdHeld, nil},
		{"complains", cmdHeld, nil},
		{"asks first", cmdHeld, nil},
		{"daemon", cmdHeld, nil},
		{"daemons", cmdHeld, nil},
		{"exits", cmdFailed, []string{"ended by itself with status 7 before it had answered init", "Traceback: no module named maelstrom"}},
		{"crashes", cmdFailed, []string{"ended by itself with status 2", "a node is expected to run until it is killed", "index out of cheese"}},
		{"garbage", cmdFailed, []string{broke, "wrote a line that is no message", "hello from a print statement", "all else on standard error"}},
		{"half", cmdFailed, []string{broke, "wrote a line that is no message", `\"body\":[1]`}},
		{"endless", cmdFailed, []string{broke, "flooded: it wrote a line of more than 16 MiB", "xxx"}},
		{"floods", cmdFailed, []string{broke, "flooded: it wrote 5000", "within a second", `\"type\":\"flood\"`}},
		{"long", cmdFailed, []string{broke, "flooded", "echo_ok"}},
		{"stops reading", cmdFailed, nil},
		{"wrong id", cmdFailed, []string{broke, "answered request 1073741824 of c1, which has made", "1073741824"}},
		{"no id", cmdFailed, []string{broke, "wrote to a client what answers nothing", `an \"in_reply_to\"`}},
		{"wrong type", cmdFailed, []string{broke, "answered with what is no reply", "ecco_ok", "a reply to echo, as echo_ok, or an error"}},
		{"nobody", cmdFailed, []string{broke, `wrote to \"n77\", whom nobody knows`, "lin-kv"}},
	} {
		t.Run(c.character, func(t *testing.T) {
			over := "6s"
			if c.character == "stops reading" {
				over = "16s" // until what waits for it has filled the pipe, and then as long as it may take
			}
			if c.status == cmdHeld || over != "6s" { // it mostly waits
				if testing.Short() {
					t.Skip("it takes real time")
				}
				t.Parallel()
			}
			dir := t.TempDir()
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			defer cancel()
			lab := exec.CommandContext(ctx, self, "run", "echo", "--bin", self, "--nodes", "2", "--nemesis", "none", "--time", over, "--rate", "80",
				"--format", "json", "--store", filepath.Join(dir, "store"), "--", "be", c.character, dir)
			lab.Env = append(os.Environ(), "PROCESS_TEST="+dir, "TMPDIR="+dir)
			var stdout, stderr bytes.Buffer
			lab.Stdout, lab.Stderr = &stdout, &stderr
			lab.Run()
			text := stdout.String()
			var result struct{ Reason string }
			json.Unmarshal(stdout.Bytes(), &result)
			if got := lab.ProcessState.ExitCode(); got != c.status {
				t.Errorf("it ends with %d, not %d: %s%s", got, c.status, result.Reason, stderr.String())
			}
			for _, want := range c.says {
				if !strings.Contains(text, want) && !strings.Contains(result.Reason, want) {
					t.Errorf("it does not say %q, but %q", want, result.Reason)
				}
			}
			if usage, ok := lab.ProcessState.SysUsage().(*syscall.Rusage); ok && runtime.GOOS == "linux" && usage.Maxrss > 200<<10 {
				t.Errorf("it took %d MiB", usage.Maxrss>>10)
			} else {
				t.Logf("%d MiB; %s", usage.Maxrss>>10, result.Reason)
			}
			pids, _ := filepath.Glob(filepath.Join(dir, "pid*"))
			if strings.HasPrefix(c.character, "daemon") && len(pids) != 2 {
				t.Errorf("it began %d daemons, not 2: this test shows nothing", len(pids))
			}
			for _, name := range pids {
				pid, _ := strconv.Atoi(strings.TrimPrefix(filepath.Base(name), "pid"))
				if runtime.GOOS == "linux" && runs(pid) {
					t.Errorf("a daemon of number %d is left", pid)
					syscall.Kill(pid, syscall.SIGKILL)
				}
			}
			for _, pid := range withEnvironment("PROCESS_TEST=" + dir) {
				t.Errorf("process %d is left", pid)
				syscall.Kill(pid, syscall.SIGKILL)
			}
		})
	}
}

func TestWhatALabThatWasKilledLeftIsEndedByTheNext(t *testing.T) {
	whatALabThatWasKilledLeft(t, func(self, dir string) *exec.Cmd {
		lab := exec.Command(self, "run", "echo", "--bin", self, "--nodes", "1", "--nemesis", "none", "--time", "1s", "--rate", "80", "--store", filepath.Join(dir, "store"), "--", "be", "good")
		lab.Env = append(os.Environ(), "TMPDIR="+dir)
		return lab
	})
}

func TestWhatALabThatWasKilledLeftIsEndedByTheDoctor(t *testing.T) {
	whatALabThatWasKilledLeft(t, func(self, dir string) *exec.Cmd {
		// DOCKER_HOST: containers are not the matter here, and may be another lab's.
		lab := exec.Command("sh", "-c", `"$1" doctor --clean | grep -q "removed folder "`, "sh", self)
		lab.Env = append(os.Environ(), "TMPDIR="+dir, "DOCKER_HOST=unix:///nowhere")
		return lab
	})
}

func whatALabThatWasKilledLeft(t *testing.T, next func(self, dir string) *exec.Cmd) {
	if runtime.GOOS != "linux" {
		t.Skip("what was left is not found here")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	lab := exec.Command(self, "run", "echo", "--bin", self, "--nodes", "2", "--nemesis", "none", "--store", filepath.Join(dir, "store"), "--", "be", "stubborn")
	lab.Env = append(os.Environ(), "PROCESS_TEST="+dir, "TMPDIR="+dir)
	if err := lab.Start(); err != nil {
		t.Fatal(err)
	}
	for n, seen := 0, 0; seen < 5 && n < 600; n++ { // a process that is being started is seen too
		time.Sleep(100 * time.Millisecond)
		if seen++; len(withEnvironment("PROCESS_TEST="+dir)) != 3 {
			seen = 0
		}
	}
	lab.Process.Kill()
	lab.Wait()
	if left := withEnvironment("PROCESS_TEST=" + dir); len(left) != 2 {
		t.Errorf("it left %v: this test shows nothing", left)
	}
	folders := func() []string {
		all, _ := filepath.Glob(filepath.Join(dir, "lab-nodes-*"))
		return all
	}
	if len(folders()) != 1 {
		t.Errorf("it left the folders %v: this test shows nothing", folders())
	}
	if out, err := next(self, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if len(folders()) > 0 {
		t.Errorf("%v are left", folders())
	}
	left := withEnvironment("PROCESS_TEST=" + dir)
	for n := 0; len(left) > 0 && n < 100; n++ {
		time.Sleep(100 * time.Millisecond)
		left = withEnvironment("PROCESS_TEST=" + dir)
	}
	for _, pid := range left {
		t.Errorf("process %d is left", pid)
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

const (
	cmdHeld   = 0
	cmdFailed = 1
)

// runs says whether there is a process of that number, and no mere rest of one.
func runs(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(text), ") Z ")
}

// withEnvironment returns the processes that have this in their environment.
func withEnvironment(entry string) (pids []int) {
	names, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, name := range names {
		text, _ := os.ReadFile(name)
		if bytes.Contains(text, []byte(entry+"\x00")) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			pids = append(pids, pid)
		}
	}
	return pids
}

var three = nodes.Topology{Members: []nodes.Member{{ID: "n1", Zone: "n1"}, {ID: "n2", Zone: "n2"}, {ID: "n3", Zone: "n3"}}}

// What a program that speaks the protocol is asked in BenchmarkRouter.
type (
	Echo   struct{ Echo any }
	EchoOK struct{ Echo any }
)

// BenchmarkRouter has 1000 requests a second answered by programs, which is 2000 messages, and says how much of a core
// the lab's own part of it takes.
func BenchmarkRouter(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	c, err := process.Start(nodes.Spec{
		System: nodes.System{Name: "echo", Bodies: []any{Echo{}, EchoOK{}}}, Topology: three, Observer: deaf{}, Program: []string{self, "be", "good"},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	const each = time.Millisecond
	answered, client := 0, nodes.Member{ID: "k1", Region: "A", Zone: "A1"}
	var ask func()
	n := 0
	ask = func() {
		if n++; n < b.N {
			c.After(each, ask)
		}
		c.Call(client, three.Members[n%3].ID, Echo{"hello"}, 10*time.Second, func(_ any, ok bool) {
			if ok {
				answered++
			}
		})
	}
	b.ResetTimer()
	began, used := c.Now(), processor()
	c.After(each, ask)
	for answered < b.N && n <= b.N && c.Now()-began < time.Duration(b.N)*each+20*time.Second {
		if err := c.Run(c.Now() + 10*time.Millisecond); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	if answered != b.N {
		b.Fatalf("%d of %d were answered", answered, b.N)
	}
	took := (c.Now() - began).Seconds()
	b.ReportMetric(math.Round(2*float64(answered)/took), "messages/s")
	b.ReportMetric((processor()-used).Seconds()/took, "cores")
}

// processor is the processor's time that this process has had.
func processor() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
