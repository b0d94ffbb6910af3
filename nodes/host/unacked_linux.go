package host

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// limitUnacked ends a connection on which nothing is acknowledged, so that it does not wait out the kernel's ever
// longer pauses after the link is whole again. Where that cannot be had, it works more slowly.
func limitUnacked(conn net.Conn) {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unackedTime.Milliseconds()))
	})
}
