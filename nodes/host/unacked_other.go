//go:build !linux

package host

import "net"

// limitUnacked does nothing where the kernel has no such limit: connections are given up more slowly there.
func limitUnacked(net.Conn) {}
