package checker

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"faultlab/checker/history"
)

// Digests judges that replicas compute alike: whoever says what the state of a group was after a log index says the
// same, on every node and after every restart.
type Digests struct {
	View    func(e *history.Event) (d Digest, ok bool)
	AtLeast int // indices, of which two nodes spoke, that a pass needs; 0: 20
}

// A Digest is the state of a group after it applied a log index.
type Digest struct {
	Group string
	Index uint64
	Sum   string // equal only if the states are
}

// Check judges all events, and names the first index of a group at which they differ.
func (c Digests) Check(h *history.History) history.Result {
	type report struct {
		Digest
		event int
	}
	var reports []report
	for i := range h.Events {
		if d, ok := c.View(&h.Events[i]); ok {
			reports = append(reports, report{d, i})
		}
	}
	slices.SortFunc(reports, func(a, b report) int {
		return cmp.Or(cmp.Compare(a.Index, b.Index), strings.Compare(a.Group, b.Group), cmp.Compare(a.event, b.event))
	})
	compared := 0
	for i := 0; i < len(reports); {
		j := i
		nodes := map[string]bool{}
		differ := false
		for ; j < len(reports) && reports[j].Index == reports[i].Index && reports[j].Group == reports[i].Group; j++ {
			nodes[h.Events[reports[j].event].Node] = true
			differ = differ || reports[j].Sum != reports[i].Sum
		}
		if differ {
			var said []string
			for _, r := range reports[i:j] {
				e := &h.Events[r.event]
				said = append(said, fmt.Sprintf("%s (%s) has %s", e.Node, seconds(e.At), r.Sum))
			}
			r := history.Refuted(nil, "the state of %s after log index %d differs: %s", reports[i].Group, reports[i].Index, strings.Join(said, ", "))
			r.Evidence = map[string]any{"group": reports[i].Group, "index": reports[i].Index, "said": said}
			return r
		}
		if len(nodes) > 1 {
			compared++
		}
		i = j
	}
	r := history.Passed("at each of %s (%s) all nodes had the same state", plural(compared, "log index"), plural(len(reports), "report"))
	if least := or(c.AtLeast, 20); compared < least {
		r = history.Doubted("two nodes spoke of only %d log indices; %d are needed", compared, least)
	}
	if len(reports) == 0 {
		r = history.Skipped("no node said what its state was")
	}
	r.Evidence = map[string]any{"reports": len(reports), "compared": compared}
	return r
}
