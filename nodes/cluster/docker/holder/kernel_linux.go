package holder

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
	"golang.org/x/sys/unix"
)

// A filter is the kernel of this network namespace: cuts and loss by nftables as packets come in; delay by netem as
// they go out or, where the kernel has none, by a queue as they come in.
type filter struct {
	able  Abilities
	nft   *nftables.Conn
	table *nftables.Table
	late  *late // nil if there is no queue
}

const queueNumber = 7

func newKernel() kernel {
	f := &filter{}
	var why []string
	conn, err := nftables.New()
	if err == nil {
		f.nft = conn
		f.table = &nftables.Table{Name: "lab", Family: nftables.TableFamilyIPv4}
		err = f.in(nil)
	}
	if err != nil {
		f.able.Why = fmt.Sprintf("no nftables (%v)", err)
		return f
	}
	f.able.Cut = true
	nobody := netip.MustParseAddr("192.0.2.1") // of the addresses for documentation
	if err := f.in([]Link{{From: nobody, LossPerMille: 1}}); err != nil {
		why = append(why, fmt.Sprintf("no numgen in nftables (%v)", err))
	} else {
		f.able.Loss = true
	}
	if err := tryNetem(); err == nil {
		f.able.Delay = "netem"
	} else {
		why = append(why, fmt.Sprintf("no netem (%v)", err))
		if f.late, err = newLate(queueNumber); err == nil {
			err = f.in([]Link{{From: nobody, Delay: 1}})
		}
		if err == nil {
			f.able.Delay = "nfqueue"
		} else {
			why = append(why, fmt.Sprintf("no NFQUEUE (%v)", err))
		}
	}
	if err := f.in(nil); err != nil {
		why = append(why, err.Error())
	}
	f.able.Why = strings.Join(why, "; ")
	return f
}

func (f *filter) can() Abilities { return f.able }

func (f *filter) close() {
	if f.late != nil {
		f.late.close()
	}
}

// in replaces all rules by those of links, in one transaction.
func (f *filter) in(links []Link) error {
	if f.nft == nil {
		return fmt.Errorf("%s", f.able.Why)
	}
	f.nft.AddTable(f.table)
	policy := nftables.ChainPolicyAccept
	chain := f.nft.AddChain(&nftables.Chain{
		Name: "in", Table: f.table, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput,
		Priority: nftables.ChainPriorityFilter, Policy: &policy,
	})
	f.nft.FlushChain(chain)
	var waits []wait
	for _, l := range links {
		rule := func(what ...expr.Any) {
			f.nft.AddRule(&nftables.Rule{Table: f.table, Chain: chain, Exprs: append(from(l.From), what...)})
		}
		drop := &expr.Verdict{Kind: expr.VerdictDrop}
		switch {
		case l.Cut:
			rule(drop)
			continue
		case l.LossPerMille > 0:
			rule(
				&expr.Numgen{Register: 1, Modulus: 1000, Type: unix.NFT_NG_RANDOM},
				// The generator's number is in the order of this machine's bytes, and numbers are compared byte by byte.
				&expr.Byteorder{SourceRegister: 1, DestRegister: 1, Op: expr.ByteorderHton, Len: 4, Size: 4},
				&expr.Cmp{Op: expr.CmpOpLt, Register: 1, Data: binaryutil.BigEndian.PutUint32(uint32(l.LossPerMille))},
				drop,
			)
		}
		if l.Delay > 0 || l.Jitter > 0 {
			if f.late == nil {
				return fmt.Errorf("%s", f.able.Why)
			}
			waits = append(waits, wait{delay: l.Delay, jitter: l.Jitter})
			// The mark tells the queue whose packet it is; with bypass, packets pass when nobody listens to the queue.
			rule(
				&expr.Immediate{Register: 1, Data: binaryutil.NativeEndian.PutUint32(uint32(len(waits)))},
				&expr.Meta{Key: expr.MetaKeyMARK, Register: 1, SourceRegister: true},
				toQueue(queueNumber),
			)
		}
	}
	if f.late != nil {
		f.late.set(waits)
	}
	return f.nft.Flush()
}

// from matches packets from an address.
func from(a netip.Addr) []expr.Any {
	four := a.As4()
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 12, Len: 4},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: four[:]},
	}
}

// toQueue is iptables' NFQUEUE with --queue-bypass, by nft_compat: a kernel may lack nftables' own queue. Its struct
// xt_NFQ_info_v3 is three numbers of two bytes, number, how many, flags, padded to eight.
func toQueue(number uint16) expr.Any {
	var info xt.Unknown
	for _, v := range []uint16{number, 1, 1, 0} {
		info = append(info, binaryutil.NativeEndian.PutUint16(v)...)
	}
	return &expr.Target{Name: "NFQUEUE", Rev: 3, Info: &info}
}
