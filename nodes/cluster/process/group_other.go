//go:build !unix

package process

import (
	"os"
	"os/exec"
)

const supported = false

type signal int

const (
	kill signal = iota
	stop
	goOn
)

func group(*exec.Cmd)         {}
func signalGroup(int, signal) {}
func lock(*os.File) bool      { return false }
