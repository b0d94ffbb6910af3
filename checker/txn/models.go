package txn

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// A model is a consistency model: the models it implies and the anomalies that it forbids beyond those that they do.
type model struct {
	name    string
	implies []string
	forbids []string
}

// models are in an order in which none implies an earlier one. The implications are those of jepsen.io/consistency and
// of Elle; what each rests on: read uncommitted to consistent view and repeatable read, Adya 1999; read atomic, causal,
// prefix, parallel snapshot isolation and snapshot isolation, Cerone, Bernardi and Gotsman, "A Framework for
// Transactional Consistency Models with Atomic Visibility", CONCUR 2015, and by dependencies Cerone and Gotsman,
// "Analysing Snapshot Isolation", PODC 2016; update atomic, the axioms EXT and NOCONFLICT of the former, left open where
// it depends on an order of writes that is open; the session guarantees, Terry et al., "Session Guarantees for Weakly
// Consistent Replicated Data", PDIS 1994, which say nothing across keys. Parallel snapshot isolation forbids just the
// cycles with one anti-dependency, as consistent view does. Causal and prefix consistency include the order of sessions;
// of the others only those do that say so in their name.
var models = []model{
	{"strict-serializable", []string{"strong-session-serializable", "strong-snapshot-isolation", "per-key-linearizable"}, []string{"G1-realtime", "G2-realtime"}},
	{"strong-session-serializable", []string{"serializable", "strong-session-snapshot-isolation", "per-key-sequential"}, []string{"G1-process", "G2-process"}},
	{"strong-snapshot-isolation", []string{"strong-session-snapshot-isolation", "strong-read-committed"}, []string{"G1-realtime", "G-nonadjacent-realtime"}},
	{"strong-session-snapshot-isolation", []string{"snapshot-isolation", "strong-session-read-committed", "prefix"}, []string{"G1-process", "G-nonadjacent-process"}},
	{"serializable", []string{"repeatable-read", "snapshot-isolation"}, []string{"G1", "G2", "internal"}},
	{"snapshot-isolation", []string{"consistent-view", "parallel-snapshot-isolation"}, []string{"G1", "G-nonadjacent", "internal"}},
	{"parallel-snapshot-isolation", []string{"update-atomic"}, []string{"G1", "G-single", "internal"}},
	{"prefix", []string{"causal"}, []string{"prefix-violation"}},
	{"causal", []string{"read-atomic", "writes-follow-reads", "pram"}, []string{"causal-violation", "G1c-process"}},
	{"update-atomic", []string{"read-atomic"}, []string{"lost-update", "update-atomic-violation"}},
	{"read-atomic", []string{"monotonic-atomic-view"}, []string{"internal", "future-read", "G1a", "fractured-read"}},
	{"repeatable-read", []string{"cursor-stability", "monotonic-atomic-view"}, []string{"G1", "G2-item", "lost-update"}},
	{"consistent-view", []string{"cursor-stability"}, []string{"G1", "G-single"}},
	{"cursor-stability", []string{"read-committed"}, []string{"G1", "lost-update"}},
	{"monotonic-atomic-view", []string{"read-committed"}, []string{"receding-read"}},
	{"strong-read-committed", []string{"strong-session-read-committed", "strong-read-uncommitted"}, []string{"G1c-realtime"}},
	{"strong-session-read-committed", []string{"read-committed", "strong-session-read-uncommitted"}, []string{"G1c-process"}},
	{"strong-read-uncommitted", []string{"strong-session-read-uncommitted"}, []string{"G0-realtime"}},
	{"strong-session-read-uncommitted", []string{"read-uncommitted"}, []string{"G0-process"}},
	{"read-committed", []string{"read-uncommitted"}, []string{"G1"}},
	{"read-uncommitted", nil, []string{"G0", "duplicate-elements", "cyclic-versions", "garbage-read", "atomicity"}},
	{"per-key-linearizable", []string{"per-key-sequential"}, []string{"per-key-linearizable-violation"}},
	// All but the first are of one key.
	{"per-key-sequential", nil, []string{"per-key-sequential-violation", "internal", "future-read", "G1a", "G1b", "lost-update", "duplicate-elements", "cyclic-versions", "garbage-read", "atomicity"}},
	{"pram", []string{"monotonic-reads", "monotonic-writes", "read-your-writes"}, []string{"pram-violation"}},
	{"writes-follow-reads", nil, []string{"writes-follow-reads-violation"}},
	{"monotonic-reads", nil, []string{"monotonic-reads-violation"}},
	{"monotonic-writes", nil, []string{"monotonic-writes-violation"}},
	{"read-your-writes", nil, []string{"read-your-writes-violation"}},
}

// aliases are other names of the same models, and names of models that histories of keyed reads cannot tell from them:
// forward consistent view asks for starts that agree with commits, and where starts are not recorded they may lie early
// enough; view and one-copy serializability ask for an order in which the reads are what they are, and it is from reads
// that versions get their order here.
var aliases = map[string]string{
	"PL-1": "read-uncommitted", "PL-2": "read-committed", "PL-CS": "cursor-stability", "PL-2+": "consistent-view",
	"PL-2.99": "repeatable-read", "PL-SI": "snapshot-isolation", "PL-3": "serializable", "PL-SS": "strict-serializable",
	"conflict-serializable": "serializable", "strong-serializable": "strict-serializable", "ROLA": "update-atomic",
	"linearizable": "per-key-linearizable", "sequential": "per-key-sequential", "PRAM": "pram", "PSI": "parallel-snapshot-isolation",
	"strong-session-PL-1": "strong-session-read-uncommitted", "strong-session-PL-2": "strong-session-read-committed",
	"PL-FCV": "consistent-view", "forward-consistent-view": "consistent-view", "view-serializable": "serializable", "1SR": "serializable",
	"strong-PL-1": "strong-read-uncommitted", "strong-PL-2": "strong-read-committed",
}

// implied holds, for an anomaly, those that it is an instance of.
var implied = map[string][]string{
	"G0":  {"G1c", "G0-process"},
	"G1a": {"G1"}, "G1b": {"G1"}, "G1c": {"G1", "G1c-process"}, "G1": {"G1-process"}, "G1-process": {"G1-realtime"},
	"G0-process": {"G1c-process", "G0-realtime"}, "G0-realtime": {"G1c-realtime"},
	"G1c-process": {"G1-process", "G1c-realtime"}, "G1c-realtime": {"G1-realtime"},

	"G-single-item":               {"G-single", "G-nonadjacent-item", "G-single-item-process"},
	"G-single-item-process":       {"G-single-process", "G-nonadjacent-item-process", "G-single-item-realtime"},
	"G-single-item-realtime":      {"G-single-realtime", "G-nonadjacent-item-realtime"},
	"G-single":                    {"G-nonadjacent", "G-single-process", "GSIb"},
	"G-single-process":            {"G-nonadjacent-process", "G-single-realtime"},
	"G-single-realtime":           {"G-nonadjacent-realtime"},
	"G-nonadjacent-item":          {"G-nonadjacent", "G2-item", "G-nonadjacent-item-process"},
	"G-nonadjacent-item-process":  {"G-nonadjacent-process", "G2-item-process", "G-nonadjacent-item-realtime"},
	"G-nonadjacent-item-realtime": {"G-nonadjacent-realtime", "G2-item-realtime"},
	"G-nonadjacent":               {"G2", "G-nonadjacent-process"},
	"G-nonadjacent-process":       {"G2-process", "G-nonadjacent-realtime"},
	"G-nonadjacent-realtime":      {"G2-realtime"},
	"G2-item":                     {"G2", "G2-item-process", "write-skew"},
	"G2-item-process":             {"G2-process", "G2-item-realtime"},
	"G2-item-realtime":            {"G2-realtime"},
	"G2":                          {"G2-process"},
	"G2-process":                  {"G2-realtime"},

	"lost-update":        {"G2-item", "update-atomic-violation"},
	"incompatible-order": {"G1a"}, "dirty-update": {"G1a"}, "garbage-read": {"G1a"},
	"future-read": {"G1c"},
	"long-fork":   {"G-nonadjacent-item"},
	"write-skew":  {"G2"},  // of keys, all that G2-item is (Hermitage)
	"GSIb":        {"GSI"}, // starts that no read shows may lie anywhere, which leaves of it what G-single is

	"receding-read":                {"fractured-read"},
	"fractured-read":               {"causal-violation"},
	"causal-violation":             {"prefix-violation"},
	"read-your-writes-violation":   {"pram-violation"},
	"monotonic-reads-violation":    {"pram-violation"},
	"monotonic-writes-violation":   {"pram-violation"},
	"per-key-sequential-violation": {"per-key-linearizable-violation"},
}

// severities orders anomalies, the worst first, for the one sentence of a report.
var severities = []string{"garbage-read", "duplicate-elements", "cyclic-versions", "atomicity", "internal", "future-read", "incompatible-order", "G0", "G1a",
	"dirty-update", "G1b", "G1c", "lost-update", "update-atomic-violation", "fractured-read", "receding-read", "long-fork", "G-single-item", "G-nonadjacent-item", "G2-item"}

func severity(name string) int {
	base, step := name, 0
	if b, ok := strings.CutSuffix(name, "-process"); ok {
		base, step = b, 1
	} else if b, ok := strings.CutSuffix(name, "-realtime"); ok {
		base, step = b, 2
	}
	if i := slices.Index(severities, base); i >= 0 {
		return step*100 + i
	}
	return 300
}

// Models returns the names of all consistency models that can be asked for, none before one that implies it.
func Models() []string {
	names := make([]string, len(models))
	for i, m := range models {
		names[i] = m.name
	}
	return names
}

// KnownModel says that a name, or another name for it, is a consistency model.
func KnownModel(name string) bool { return slices.Contains(Models(), canonical(name)) }

// Anomalies returns the names of all anomalies that Options may ask for, sorted.
func Anomalies() []string {
	known := map[string]bool{}
	for name := range implied {
		known[name] = true
	}
	for _, m := range models {
		for _, name := range m.forbids {
			known[name] = true
		}
	}
	return slices.Sorted(maps.Keys(known))
}

func canonical(name string) string {
	if c, ok := aliases[name]; ok {
		return c
	}
	return name
}

// spread returns what can be reached from some names, themselves included.
func spread(names []string, next func(string) []string) map[string]bool {
	reached := map[string]bool{}
	for len(names) > 0 {
		n := names[len(names)-1]
		names = names[:len(names)-1]
		if !reached[n] {
			reached[n] = true
			names = append(slices.Clone(names), next(n)...)
		}
	}
	return reached
}

// implies says that an occurrence of anomaly a is also one of b.
func implies(a, b string) bool {
	return spread([]string{a}, func(n string) []string { return implied[n] })[b]
}

// implying returns some anomalies and all that imply one of them.
func implying(names []string) map[string]bool {
	wanted := map[string]bool{}
	for _, n := range names {
		wanted[n] = true
	}
	for grown := true; grown; {
		grown = false
		for a, bs := range implied {
			for _, b := range bs {
				if wanted[b] && !wanted[a] {
					wanted[a], grown = true, true
				}
			}
		}
	}
	return wanted
}

// below returns the models that a model implies, itself included. Nobody may change them.
func below(name string) map[string]bool { return implications()[name] }

var implications = sync.OnceValue(func() map[string]map[string]bool {
	implies := map[string][]string{}
	for _, m := range models {
		implies[m.name] = m.implies
	}
	all := map[string]map[string]bool{}
	for _, m := range models {
		all[m.name] = spread([]string{m.name}, func(n string) []string { return implies[n] })
	}
	return all
})

// brokenBy returns the models that some anomalies rule out, in the order of models.
func brokenBy(anomalies []string) []string {
	shown := spread(anomalies, func(n string) []string { return implied[n] })
	broken := map[string]bool{}
	for i := len(models) - 1; i >= 0; i-- {
		m := models[i]
		for _, a := range m.forbids {
			broken[m.name] = broken[m.name] || shown[a]
		}
		for _, w := range m.implies {
			broken[m.name] = broken[m.name] || broken[w]
		}
	}
	var names []string
	for _, m := range models {
		if broken[m.name] {
			names = append(names, m.name)
		}
	}
	return names
}

// judge returns the strongest models that hold, the weakest that do not, all that do not, and those of which nothing
// is known: of the models in open that the anomalies do not break, and of what implies them.
func judge(anomalies, open []string) (holds, weakest, broken, undecided []string) {
	broken = brokenBy(anomalies)
	state := map[string]int{} // 0 holds, 1 open, 2 broken
	for _, m := range broken {
		state[m] = 2
	}
	for _, m := range models {
		for _, o := range open {
			if state[m.name] == 0 && below(m.name)[o] && state[o] != 2 {
				state[m.name] = 1
			}
		}
	}
	for _, m := range models {
		switch state[m.name] {
		case 0:
			if !slices.ContainsFunc(models, func(s model) bool { return s.name != m.name && state[s.name] == 0 && below(s.name)[m.name] }) {
				holds = append(holds, m.name)
			}
		case 1:
			undecided = append(undecided, m.name)
		case 2:
			if !slices.ContainsFunc(models, func(w model) bool { return w.name != m.name && state[w.name] == 2 && below(m.name)[w.name] }) {
				weakest = append(weakest, m.name)
			}
		}
	}
	return holds, weakest, broken, undecided
}

// models returns the models asked for.
func (o Options) models() []string {
	if len(o.Models) == 0 && len(o.Anomalies) == 0 {
		return []string{"strict-serializable"}
	}
	return o.Models
}

// wants says that one of these models, or an anomaly, was asked for.
func (o Options) wants(names ...string) bool {
	for _, m := range o.models() {
		weaker := below(canonical(m))
		if slices.ContainsFunc(names, func(n string) bool { return weaker[n] }) {
			return true
		}
	}
	return len(o.Anomalies) > 0
}

// explicit returns the anomalies asked for by name, with all that imply them.
func (o Options) explicit() map[string]bool { return implying(o.Anomalies) }

// wanted returns the anomalies that make a history fail.
func (o Options) wanted() map[string]bool {
	names := slices.Clone(o.Anomalies)
	for _, asked := range o.models() {
		weaker := below(canonical(asked))
		for _, m := range models {
			if weaker[m.name] {
				names = append(names, m.forbids...)
			}
		}
	}
	return implying(names)
}

// asked says in words what was asked for and holds.
func (o Options) asked() string {
	var parts []string
	if m := o.models(); len(m) > 0 {
		parts = append(parts, strings.Join(m, ", ")+" holds")
	}
	if len(o.Anomalies) > 0 {
		parts = append(parts, "no "+strings.Join(o.Anomalies, ", "))
	}
	return strings.Join(parts, "; ")
}
