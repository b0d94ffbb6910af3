package holder

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Delay by netem acts on what goes out: a class of HTB for each address, without a limit to its rate, and in each class
// a netem. What is to no such address goes out as ever.

const unlimited = 1 << 34 // bytes a second: more than any link carries here

// out replaces all delays of what goes out.
func (f *filter) out(outs []Out) error {
	if f.able.Delay != "netem" {
		if len(outs) == 0 {
			return nil
		}
		return errors.New(f.able.Why)
	}
	link, err := outside()
	if err != nil {
		return err
	}
	return setNetem(link, outs)
}

// outside is the interface to the other nodes.
func outside() (netlink.Link, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		if l.Type() == "veth" {
			return l, nil
		}
	}
	return nil, errors.New("this network has no interface to the outside")
}

// tryNetem says whether the kernel can do all that setNetem does.
func tryNetem() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	err = setNetem(lo, []Out{{To: netip.MustParseAddr("192.0.2.1"), Delay: time.Millisecond}})
	return errors.Join(err, setNetem(lo, nil))
}

func setNetem(link netlink.Link, outs []Out) error {
	index := link.Attrs().Index
	root := netlink.NewHtb(netlink.QdiscAttrs{LinkIndex: index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT})
	if err := netlink.QdiscDel(root); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("remove htb: %w", err)
	}
	if len(outs) == 0 {
		return nil
	}
	if err := netlink.QdiscAdd(root); err != nil {
		return fmt.Errorf("add htb: %w", err)
	}
	for i, o := range outs {
		minor := uint16(i + 1)
		class := netlink.NewHtbClass(
			netlink.ClassAttrs{LinkIndex: index, Parent: netlink.MakeHandle(1, 0), Handle: netlink.MakeHandle(1, minor)},
			netlink.HtbClassAttrs{Rate: unlimited, Ceil: unlimited},
		)
		if err := netlink.ClassAdd(class); err != nil {
			return fmt.Errorf("add a class: %w", err)
		}
		// netem draws from latency-jitter to latency+jitter, a Link from delay to delay+jitter.
		netem := netlink.NewNetem(
			netlink.QdiscAttrs{LinkIndex: index, Parent: netlink.MakeHandle(1, minor), Handle: netlink.MakeHandle(10+minor, 0)},
			netlink.NetemQdiscAttrs{
				Latency: uint32((o.Delay + o.Jitter/2) / time.Microsecond), Jitter: uint32(o.Jitter / 2 / time.Microsecond), Limit: packetsMax,
			},
		)
		if err := netlink.QdiscAdd(netem); err != nil {
			return fmt.Errorf("add netem: %w", err)
		}
		four := o.To.As4()
		match := &netlink.U32{
			FilterAttrs: netlink.FilterAttrs{LinkIndex: index, Parent: netlink.MakeHandle(1, 0), Priority: 1, Protocol: unix.ETH_P_IP},
			ClassId:     netlink.MakeHandle(1, minor),
			Sel: &netlink.TcU32Sel{
				Nkeys: 1, Flags: netlink.TC_U32_TERMINAL,
				Keys: []netlink.TcU32Key{{Mask: 0xffffffff, Val: binary.BigEndian.Uint32(four[:]), Off: 16}},
			},
		}
		if err := netlink.FilterAdd(match); err != nil {
			return fmt.Errorf("add a filter: %w", err)
		}
	}
	return nil
}
