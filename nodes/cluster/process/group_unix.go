//go:build unix

package process

import (
	"os"
	"os/exec"
	"syscall"
)

// supported says that processes have groups here.
const supported = true

type signal = syscall.Signal

const (
	kill = syscall.SIGKILL
	stop = syscall.SIGSTOP
	goOn = syscall.SIGCONT
)

// group makes a process begin a group of its own.
func group(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// signalGroup signals a process and its group. One that is no more is signalled no more.
func signalGroup(pid int, s signal) { syscall.Kill(-pid, s) }

// lock takes the lock of a file, which ends when the file is closed, or whoever took it ends; false if it is taken.
func lock(f *os.File) bool { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil }
