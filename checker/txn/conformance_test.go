package txn

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"faultlab/checker/history"
)

// histories is where public histories with known verdicts are; they are not part of the repository.
const histories = "../../../shared/histories"

type event struct {
	Process any                 `json:"process"`
	Type    string              `json:"type"`
	Value   [][]json.RawMessage `json:"value"`
	Index   int                 `json:"index"`
}

type check struct {
	Valid     any              `json:"valid"`
	Models    []string         `json:"consistency_models"`
	Anomalies []string         `json:"anomalies"`
	Types     []string         `json:"anomaly_types"`
	Not       []string         `json:"not"`
	Edges     map[string][]int `json:"expect_edges"`
	Internal  []struct {
		Op int `json:"op_index"`
	} `json:"expect_internal"`
	Future []struct {
		Op int `json:"op_index"`
	} `json:"expect_future_read"`
	Options struct {
		Linearizable bool           `json:"linearizable_keys"`
		Sequential   bool           `json:"sequential_keys"`
		WFR          bool           `json:"wfr_keys"`
		Order        map[string]int `json:"transaction_order"`
	} `json:"options"`
}

// transactions pairs events. A completion without an invocation may have begun at any time before; an invocation
// without a completion is unknown.
func transactions(t *testing.T, events []event) []Txn {
	var txns []Txn
	open := map[string][]int{}
	for at, e := range events {
		now, process := time.Duration(at+1), fmt.Sprint(e.Process)
		if e.Type == "invoke" {
			open[process] = append(open[process], len(txns))
			txns = append(txns, Txn{Index: e.Index, Client: process, Ops: operations(t, e, true), Call: now, Outcome: history.Unknown})
			continue
		}
		n := len(txns)
		if waiting := open[process]; len(waiting) > 0 {
			n, open[process] = waiting[0], waiting[1:]
		} else {
			txns = append(txns, Txn{Client: process})
		}
		txns[n].Index, txns[n].Return, txns[n].Ops = e.Index, now, operations(t, e, e.Type != "ok")
		txns[n].Outcome = map[string]history.Outcome{"ok": history.OK, "fail": history.Failed, "info": history.Unknown}[e.Type]
	}
	return txns
}

func operations(t *testing.T, e event, blind bool) []Op {
	var ops []Op
	for _, m := range e.Value {
		key := strings.Trim(string(m[1]), `"`)
		op := Op{Key: key, Kind: map[string]Kind{`"r"`: Read, `"append"`: Append, `"w"`: Write}[string(m[0])]}
		switch v := m[2]; {
		case bytes.Equal(v, []byte("null")):
			op.Nil, op.Unread = true, blind && op.Kind == Read
		case v[0] == '[':
			if err := json.Unmarshal(v, &op.List); err != nil {
				t.Fatal(err)
			}
		default:
			n, err := strconv.ParseInt(string(v), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			op.Value = n
		}
		ops = append(ops, op)
	}
	return ops
}

func load(t *testing.T, path string) []event {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var events []event
	s := bufio.NewScanner(bytes.NewReader(data))
	s.Buffer(nil, 1<<24)
	for s.Scan() {
		var e event
		if !bytes.Contains(s.Bytes(), []byte(`"f":"txn"`)) && bytes.Contains(s.Bytes(), []byte(`"f":`)) {
			continue // the nemesis
		}
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// inElleOnly are names for what Elle could not find out.
var inElleOnly = []string{"empty-transaction-graph", "cycle-search-timeout", "strong-snapshot-isolation-cycle-exists", "PL-SI-cycle-exists"}

// wrongUpstream are cases of which the public verdict is known to be wrong; they fail here.
var wrongUpstream = []string{"rw-garbage-read"}

func TestPublicCasesGetTheirVerdict(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(histories, "txn-conformance.json"))
	if err != nil {
		t.Skip("NOT RUN: the public histories are not here: ", err)
	}
	var file struct {
		Cases []struct {
			ID        string
			Workload  string
			History   []event
			File      string
			Generator string
			Checks    []check
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for _, c := range file.Cases {
		var txns []Txn
		switch {
		case c.File != "":
			txns = transactions(t, load(t, filepath.Join(histories, "txn", strings.TrimSuffix(filepath.Base(c.File), ".edn")+".jsonl")))
		case c.Generator != "":
			txns = ring(1000, 29)
		default:
			txns = transactions(t, c.History)
		}
		for i, k := range c.Checks {
			t.Run(fmt.Sprintf("%s/%d", c.ID, i), func(t *testing.T) {
				opts := Options{Models: k.Models, Anomalies: k.Anomalies, LinearizableKeys: k.Options.Linearizable, SequentialKeys: k.Options.Sequential, WFRKeys: k.Options.WFR}
				for index, rank := range k.Options.Order {
					if opts.Order == nil {
						opts.Order = map[int]int{}
					}
					n, _ := strconv.Atoi(index)
					opts.Order[n] = rank
				}
				r := Check(txns, opts)
				want := map[any]history.Verdict{true: history.Pass, false: history.Fail, "unknown": history.Undetermined}[k.Valid]
				if slices.Contains(wrongUpstream, c.ID) {
					want = history.Fail
				}
				if k.Valid != nil && r.Verdict != want {
					t.Errorf("verdict %v, want %v: %s %v", r.Verdict, want, r.Reason, r.Counts)
				}
				for _, name := range k.Types {
					if !slices.Contains(inElleOnly, name) && !slices.ContainsFunc(slices.Sorted(maps.Keys(r.Counts)), func(found string) bool { return implies(found, name) }) {
						t.Errorf("%s was not found, but %v", name, r.Counts)
					}
				}
				for _, m := range k.Not {
					if !slices.Contains(r.Not, m) {
						t.Errorf("%s should be broken, but only %v are", m, r.Not)
					}
				}
				for _, x := range k.Internal {
					if !shows(r.Anomalies["internal"], x.Op) {
						t.Errorf("no internal anomaly in operation %d: %v", x.Op, r.Counts)
					}
				}
				for _, x := range k.Future {
					if !shows(r.Anomalies["future-read"], x.Op) {
						t.Errorf("no future read in operation %d: %v", x.Op, r.Counts)
					}
				}
				for from, to := range k.Edges {
					if got := dataEdges(txns)[from]; !slices.Equal(got, sorted(to)) {
						t.Errorf("edges from %s are %v, want %v", from, got, to)
					}
				}
				t.Log(r.Reason, r.Counts, r.Broken)
			})
		}
	}
}

func shows(anomalies []Anomaly, op int) bool {
	return slices.ContainsFunc(anomalies, func(a Anomaly) bool { return slices.Contains(a.Ops, op) })
}

func sorted(list []int) []int {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

func dataEdges(txns []Txn) map[string][]int {
	l, _ := newLists(txns, newFindings(Options{}))
	edges := map[string][]int{}
	for n := range int32(len(txns)) {
		var to []int
		for _, a := range l.graph.out(n) {
			if a.edge() != so {
				to = append(to, txns[a.node()].Index)
			}
		}
		edges[strconv.Itoa(txns[n].Index)] = slices.Compact(sorted(to))
	}
	return edges
}

// ring makes n transactions whose appends to one list form a chain, the last of which missed what the first appended
// to another: one cycle of n with one anti-dependency, among chains that lead nowhere.
func ring(n, noise int) []Txn {
	var txns []Txn
	var list []int64
	add := func(ops ...Op) {
		txns = append(txns, Txn{Index: len(txns), Client: fmt.Sprint(len(txns)), Ops: ops, Return: 1, Outcome: history.OK})
	}
	for i := range n {
		ops := []Op{{Kind: Append, Key: "ring", Value: int64(i)}}
		if i == 0 {
			ops = append(ops, Op{Kind: Append, Key: "anti", Value: 1})
		}
		if i == n-1 {
			ops = append(ops, Op{Kind: Read, Key: "anti"})
		}
		for j := range noise {
			if i > 0 && i < n-1 {
				ops = append(ops, Op{Kind: Append, Key: fmt.Sprint("noise", j), Value: int64(i)})
			}
		}
		list = append(list, int64(i))
		add(ops...)
	}
	ops := []Op{{Kind: Read, Key: "ring", List: list}}
	for j := range noise {
		ops = append(ops, Op{Kind: Read, Key: fmt.Sprint("noise", j), List: list[1 : n-1]})
	}
	add(ops...)
	return txns
}
