//go:build !linux

package holder

import "errors"

func newKernel() kernel { return none{} }

// none is a system without netfilter: a holder runs on Linux alone.
type none struct{}

var errLinux = errors.New("only Linux can do that to packets")

func (none) can() Abilities  { return Abilities{Why: errLinux.Error()} }
func (none) in([]Link) error { return errLinux }
func (none) out([]Out) error { return errLinux }
func (none) close()          {}
