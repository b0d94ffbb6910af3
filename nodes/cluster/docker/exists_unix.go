//go:build unix

package docker

import (
	"errors"
	"syscall"
)

// exists says whether there is a process of that number.
func exists(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
