package labs

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"faultlab/checker/history"
)

// A Set is what many runs of one lab came to, seed after seed, in the shape of summary.json.
type Set struct {
	Format     int             `json:"format"`
	Lab        string          `json:"lab"`
	On         string          `json:"on"`
	Nemesis    string          `json:"nemesis"`
	Nodes      int             `json:"nodes"`
	Bug        string          `json:"bug,omitempty"`
	Image      string          `json:"image,omitempty"`
	Seed       uint64          `json:"seed"`  // the first
	Seeds      int             `json:"seeds"` // how many were to be run
	Verdict    history.Verdict `json:"verdict"`
	Reason     string          `json:"reason,omitempty"`
	Guarantees []Count         `json:"guarantees"`
	Runs       []Line          `json:"runs"` // those that were run, in the order of seeds
}

// A Count says how often a guarantee got each verdict.
type Count struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Statement string `json:"statement"`
	Pass      int    `json:"pass"`
	Fail      int    `json:"fail"`
	Unknown   int    `json:"unknown"`
	NotJudged int    `json:"not_judged"`
}

// Judged is how many runs judged it.
func (c Count) Judged() int { return c.Pass + c.Fail + c.Unknown }

// A Line is one run of a set.
type Line struct {
	Seed       uint64          `json:"seed"`
	Verdict    history.Verdict `json:"verdict"`
	Reason     string          `json:"reason,omitempty"`
	Findings   []Finding       `json:"findings,omitempty"` // guarantees that failed or are unknown
	Operations Operations      `json:"operations"`
	Folder     string          `json:"folder,omitempty"` // where it was kept

	Whole    history.Verdict   `json:"-"` // that of Reason alone
	verdicts []history.Verdict // by guarantee
	could    []bool            // by guarantee: its schedule could exercise it
}

// A Finding is a guarantee that did not hold, or may not have.
type Finding struct {
	ID      string          `json:"id"`
	Name    string          `json:"name"`
	Verdict history.Verdict `json:"verdict"`
	Reason  string          `json:"reason"`
}

// DoSet does count runs, of o.Seed and the seeds after it, as many at a time as there are processors. keep is called
// with each, from several goroutines, and returns the folder it was kept in, if any; it is the last that is heard of a
// run. done is called with the lines, one after another in the order of seeds. An error of one run ends the set.
//
// When ctx ends, the runs under way are judged by what they recorded, and no more are begun.
func DoSet(ctx context.Context, lab Lab, o Options, count int, keep func(*Run) (folder string, err error), done func(Line)) (*Set, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		i    int
		line Line
		run  *Run
		err  error
	}
	jobs, results := make(chan int), make(chan result)
	var workers sync.WaitGroup
	abreast := min(runtime.GOMAXPROCS(0), count)
	if o.Real {
		abreast = 1
	}
	for range abreast {
		workers.Go(func() {
			for i := range jobs {
				o := o
				o.Seed += uint64(i)
				r := result{i: i}
				run, err := doKept(ctx, lab, o, keep, &r.line)
				r.err = err
				if err == nil {
					r.run = &Run{Options: run.Options, Topology: run.Topology, Schedule: run.Schedule}
				}
				results <- r
			}
		})
	}
	go func() {
		defer close(results)
		defer workers.Wait()
		defer close(jobs)
		for i := range count {
			select {
			case jobs <- i:
			case <-ctx.Done():
				return
			}
		}
	}()

	set := &Set{Format: Format, Lab: lab.Name, On: o.On, Bug: o.Bug, Image: o.Image, Seed: o.Seed, Seeds: count, Runs: []Line{}}
	var failed error
	var guarantees []Guarantee
	early := map[int]Line{} // lines that wait for those of lower seeds
	for r := range results {
		if r.err != nil {
			if failed == nil {
				failed = fmt.Errorf("seed %d: %w", o.Seed+uint64(r.i), r.err)
			}
			cancel()
			continue
		}
		if set.Guarantees == nil {
			set.Nodes, set.Nemesis = len(r.run.Topology.Members), strings.Join(r.run.Options.Nemesis, ",")
			guarantees = lab.Promises(r.run.Topology, r.run.Options.Demands)
			for _, g := range guarantees {
				set.Guarantees = append(set.Guarantees, Count{ID: g.ID, Name: g.Name, Statement: g.Statement})
			}
		}
		early[r.i] = r.line
		for {
			line, ok := early[len(set.Runs)]
			if !ok {
				break
			}
			delete(early, len(set.Runs))
			set.Runs = append(set.Runs, line)
			if done != nil {
				done(line)
			}
		}
	}
	if failed != nil {
		return nil, failed
	}
	if o.foreign() { // which seldom can suffer all of these, so that what a set should exercise is what its schedules say
		lab.Faults = nil
	}
	set.judge(guarantees, lab.Faults)
	return set, nil
}

// doKept does one run, keeps it, and sums it up.
func doKept(ctx context.Context, lab Lab, o Options, keep func(*Run) (string, error), line *Line) (run *Run, err error) {
	defer Recover(&err)
	run, err = Do(ctx, lab, o)
	if err != nil {
		return nil, err
	}
	*line = Line{Seed: o.Seed, Verdict: run.Verdict, Whole: run.Whole, Reason: run.Reason, Operations: run.operations()}
	for _, j := range run.Judged {
		line.verdicts = append(line.verdicts, j.Verdict)
		line.could = append(line.could, run.beyond(lab) == "" && o.unseen(j.Guarantee) == "" && j.Unexercised(run.Schedule) == "")
		if j.Verdict > history.Pass {
			line.Findings = append(line.Findings, Finding{j.ID, j.Name, j.Verdict, j.Reason})
		}
	}
	if keep != nil {
		line.Folder, err = keep(run)
	}
	return run, err
}

// Why says why a run is no pass.
func (l Line) Why() string {
	var whys []string
	for _, f := range l.Findings {
		if f.Verdict == l.Verdict {
			whys = append(whys, f.ID+" "+f.Name+": "+f.Reason)
		}
	}
	if l.Reason != "" {
		whys = append(whys, l.Reason)
	}
	return strings.Join(whys, "; ")
}

// SetRule says what a set of runs needs for a pass, beyond that every run passed.
const SetRule = "each guarantee that the set should exercise must have been judged in one run of twenty"

// judge counts the verdicts of the lines and gives the set its own.
//
// A set is as bad as its worst run. One run that exercised a guarantee is enough for it, but a guarantee that the set
// should exercise and that was judged in fewer than one run of twenty makes the set unknown. It should exercise what one
// of its schedules could; and, if it draws from the whole of the lab's own list of faults, whatever is promised under all
// of these, even if no schedule came to it.
func (s *Set) judge(guarantees []Guarantee, faults []string) {
	should := make([]bool, len(s.Guarantees))
	if len(faults) > 0 && (s.Nemesis == "all" || s.Nemesis == "swarm") {
		for i, g := range guarantees {
			should[i] = !slices.ContainsFunc(faults, func(spec string) bool {
				kind, _, _ := strings.Cut(spec, ":")
				return !slices.Contains(g.Under, spec) && !slices.Contains(g.Under, kind)
			})
		}
	}
	for _, line := range s.Runs {
		s.Verdict = max(s.Verdict, line.Verdict)
		for i, v := range line.verdicts {
			c := &s.Guarantees[i]
			should[i] = should[i] || line.could[i]
			switch v {
			case history.Pass:
				c.Pass++
			case history.Fail:
				c.Fail++
			case history.Undetermined:
				c.Unknown++
			default:
				c.NotJudged++
			}
		}
	}
	var reasons []string
	for _, v := range []history.Verdict{history.Fail, history.Undetermined} {
		if seeds := s.With(v); len(seeds) > 0 {
			reasons = append(reasons, strings.TrimSpace(fmt.Sprintf("%s: %s %s", seedList(seeds), v, s.broken(v))))
		}
	}
	if len(s.Runs) < s.Seeds {
		reasons = append(reasons, fmt.Sprintf("it was interrupted after %d of %d runs", len(s.Runs), s.Seeds))
	}
	var rare []string
	for i, c := range s.Guarantees {
		if should[i] && c.Judged()*20 < len(s.Runs) {
			rare = append(rare, c.ID)
		}
	}
	if len(rare) > 0 {
		reasons = append(reasons, fmt.Sprintf("%s judged in fewer than one of twenty runs: give more seeds, or a longer time", strings.Join(rare, ", ")))
	}
	if len(rare) > 0 || len(s.Runs) < s.Seeds || len(s.Runs) == 0 {
		s.Verdict = max(s.Verdict, history.Undetermined)
	}
	s.Reason = strings.Join(reasons, "; ")
}

// broken names the guarantees that some run gave that verdict, "" if it was the run as a whole alone.
func (s *Set) broken(v history.Verdict) string {
	var ids []string
	for _, line := range s.Runs {
		for i, got := range line.verdicts {
			if id := s.Guarantees[i].ID; got == v && line.Verdict == v && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return strings.Join(ids, ", ")
}

// seedList names seeds, the first few of many.
func seedList(seeds []uint64) string {
	const few = 5
	words := make([]string, 0, few)
	for _, seed := range seeds[:min(few, len(seeds))] {
		words = append(words, fmt.Sprint(seed))
	}
	text := "seed " + strings.Join(words, ", ")
	if more := len(seeds) - few; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// With returns the seeds of the runs with that verdict.
func (s *Set) With(v history.Verdict) []uint64 {
	var seeds []uint64
	for _, line := range s.Runs {
		if line.Verdict == v {
			seeds = append(seeds, line.Seed)
		}
	}
	return seeds
}

// A Crash is a panic as an error: a mistake of this program's, or of a lab's.
type Crash struct {
	What  any
	Stack []byte
}

func (c *Crash) Error() string { return fmt.Sprint(c.What) }

// Recover, deferred, turns a panic into a *Crash.
func Recover(err *error) {
	if what := recover(); what != nil {
		*err = &Crash{what, debug.Stack()}
	}
}
