package docker

import (
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"faultlab/nodes"
	"faultlab/nodes/cluster/docker/holder"
)

// What can be tried without an engine.

func TestTheDockerfileIsTheOneThatIsBuilt(t *testing.T) {
	text, err := os.ReadFile("../../../docker/Dockerfile")
	if err != nil || string(text) != dockerfile {
		t.Errorf("docker/Dockerfile is %q (%v), and lab builds %q", text, err, dockerfile)
	}
}

func TestTheProgramForTheContainersIsThisOneOrItsSibling(t *testing.T) {
	self, err := os.Executable()
	if err != nil || runtime.GOOS != "linux" {
		t.Skip(err)
	}
	dir := t.TempDir()
	copyTo := func(name string, change func([]byte)) string {
		text, err := os.ReadFile(self)
		if err != nil {
			t.Fatal(err)
		}
		change(text)
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]
	foreign := func(text []byte) { // e_machine of an ELF file
		text[18], text[19] = byte(elf.EM_S390), 0
	}
	good := copyTo("good", func([]byte) {})
	if got, err := program(good, runtime.GOARCH); got != good || err != nil {
		t.Errorf("for a static program of this machine it is %q, %v", got, err)
	}
	bad := copyTo("bad", foreign)
	for _, c := range []struct{ self, arch, want string }{
		{bad, runtime.GOARCH, "is for s390, and the engine is " + runtime.GOARCH},
		{good, other, "and the engine is " + other},
		{"parts_test.go", runtime.GOARCH, "is no program for linux"},
	} {
		_, err := program(c.self, c.arch)
		cannot := (*Cannot)(nil)
		if !errors.As(err, &cannot) || !strings.Contains(cannot.Why, c.want) || !strings.Contains(cannot.Fix, "GOARCH="+c.arch) {
			t.Errorf("for %s on %s: %v", c.self, c.arch, err)
		}
	}
	sibling := copyTo("lab-linux-"+runtime.GOARCH, func([]byte) {})
	if got, err := program(bad, runtime.GOARCH); got != sibling || err != nil {
		t.Errorf("next to a sibling that fits it is %q, %v", got, err)
	}
	if shell, err := exec.LookPath("sh"); err == nil {
		if err := fits(shell, runtime.GOARCH); err == nil || !strings.Contains(err.Error(), "linked dynamically") {
			t.Logf("of %s it is said: %v", shell, err)
		}
	}
}

func TestAnOwnerLivesUntilItsProcessEnds(t *testing.T) {
	if alive, known := lives(owner()); !alive || !known {
		t.Error("this process is said to be no more")
	}
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc")
	}
	child := exec.Command(os.Args[0], "-test.run", "^$")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(owner(), "/")
	label := strings.Join([]string{parts[0], parts[1], strconv.Itoa(child.Process.Pid), began(child.Process.Pid)}, "/")
	child.Wait()
	if alive, known := lives(label); alive || !known {
		t.Error("a process that ended is said to live")
	}
	parts[3] = "1"
	if alive, _ := lives(strings.Join(parts, "/")); alive {
		t.Error("a number that came again is taken for its former process")
	}
	parts[0] = "elsewhere"
	if alive, known := lives(strings.Join(parts, "/")); !alive || known {
		t.Error("it is said to be known of another machine's process whether it lives")
	}
}

func TestHarmsAddUp(t *testing.T) {
	q := add(nodes.Quality{LossPerMille: 500, Delay: time.Second}, nodes.Quality{LossPerMille: 500, Delay: time.Second, Cut: true})
	if q != (nodes.Quality{LossPerMille: 750, Delay: 2 * time.Second, Cut: true}) {
		t.Errorf("they come to %+v", q)
	}
	if either(1000, 300) != 1000 || either(0, 300) != 300 {
		t.Error("a certain loss and a chance of one come to ", either(1000, 300), either(0, 300))
	}
}

func TestWhatAKernelCannotDoIsNamedWithAFix(t *testing.T) {
	none := holder.Abilities{Why: "no nftables"}
	for _, q := range []nodes.Quality{{Cut: true}, {Hold: true}, {LossPerMille: 1}, {Delay: 1}, {Jitter: 1}} {
		if no := refuses(none, q); no == nil || !strings.Contains(no.Why, "no nftables") || no.Fix == "" {
			t.Errorf("%+v: %v", q, no)
		}
	}
	if no := refuses(none, nodes.Quality{DuplicatePerMille: 5}); no != nil {
		t.Errorf("what nodes do themselves needs no kernel: %v", no)
	}
}
