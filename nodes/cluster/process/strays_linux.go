package process

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A process that began a session of its own has left its node's group. It is found by the mark that it inherited in its
// environment; and if it has dropped that too, by its parent, which is the lab once those between have ended.

// markName is the variable of the environment that says to which run, node and boot a process belongs.
const markName = "LAB_RUN"

// newRun makes a mark for a run. It begins with the process that makes it, and when that began, since numbers come again.
func newRun() string {
	n := os.Getpid()
	p, _ := look(n)
	return fmt.Sprintf("%d.%s.%s", n, p.began, rand.Text()[:8])
}

// inherit makes this process the parent of what its children leave behind.
func inherit() { unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// narrow makes a pipe hold little, so that it shows soon when nobody reads from it.
func narrow(pipe *os.File) {
	if raw, err := pipe.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { unix.FcntlInt(fd, unix.F_SETPIPE_SZ, os.Getpagesize()) })
	}
}

// A proc is what is known of a process.
type proc struct {
	pid, parent, group int
	state              byte
	began              string // since the machine started, in whatever unit
}

// look reads /proc of a process; false if it is no more.
func look(pid int) (proc, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return proc{}, false
	}
	// The name, in parentheses, may hold anything.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 20 {
		return proc{}, false
	}
	parent, _ := strconv.Atoi(fields[1])
	group, _ := strconv.Atoi(fields[2])
	return proc{pid, parent, group, fields[0][0], fields[19]}, true
}

// processes returns all processes but this one.
func processes() (pids []int) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// marked returns the processes of this user whose mark begins so.
func marked(prefix string) (pids []int) {
	for _, pid := range processes() {
		if mark := markOf(pid); mark != "" && strings.HasPrefix(mark, prefix) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// orphans returns the processes without a mark that came to the lab as their parents ended. Of those that have ended too
// it takes the status, which nobody else waits for, but for leaders of groups, which may have been started by whoever
// else runs in this process.
func orphans() (pids []int) {
	self, mine := os.Getpid(), syscall.Getpgrp()
	for _, pid := range processes() {
		p, ok := look(pid)
		switch {
		case !ok || p.parent != self || p.group == mine:
		case p.state != 'Z' && markOf(pid) == "":
			pids = append(pids, pid)
		case p.state == 'Z' && p.group != pid:
			syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}
	}
	return pids
}

// markOf is the mark of a process with a NUL at its end; "" if it has none that could be read.
func markOf(pid int) string {
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return ""
	}
	for len(env) > 0 {
		entry, rest, _ := bytes.Cut(env, []byte{0})
		if mark, ok := bytes.CutPrefix(entry, []byte(markName+"=")); ok {
			return string(mark) + "\x00"
		}
		env = rest
	}
	return ""
}

// halted says that every thread of a process is stopped, or that it is no more.
func halted(pid int) bool {
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return !slices.ContainsFunc(threads, func(t os.DirEntry) bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, t.Name()))
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		return err == nil && len(fields) > 0 && !strings.Contains("TtZX", fields[0])
	})
}

// sweep kills all processes whose mark begins so, and all orphans, until there are none; they may be starting others
// meanwhile. An orphan is killed when it is seen twice: a process that is being started looks like one for a moment.
func sweep(prefix string) {
	var seen []int
	for range 50 {
		left := marked(prefix)
		for _, pid := range left {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		now := orphans()
		for _, pid := range now {
			if slices.Contains(seen, pid) {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		seen = now
		if len(left) == 0 && len(now) == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// signalStrays signals what carries a mark and is not of that group.
func signalStrays(prefix string, group int, s signal) {
	for _, pid := range marked(prefix) {
		if p, ok := look(pid); ok && p.group != group {
			syscall.Kill(pid, s)
		}
	}
}

// sweepAbandoned kills what labs left behind that were killed themselves, and says what. A lab of another space of
// process numbers cannot be told from one that is no more, so its processes are let be.
func sweepAbandoned() (killed []string) {
	space, _ := os.Readlink("/proc/self/ns/pid")
	for _, pid := range marked("") {
		run, _, _ := strings.Cut(markOf(pid), "/")
		part := strings.SplitN(run, ".", 3)
		if theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid)); len(part) != 3 || err != nil || theirs != space {
			continue
		}
		lab, err := strconv.Atoi(part[0])
		if err != nil {
			continue
		}
		if p, lives := look(lab); (!lives || p.began != part[1]) && syscall.Kill(pid, syscall.SIGKILL) == nil {
			killed = append(killed, fmt.Sprintf("process %d", pid))
		}
	}
	return killed
}
