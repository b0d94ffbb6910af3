package nemesis

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"faultlab/nodes"
)

// String is the fault as a person says it: "3.2s partition region C for 8s".
func (f Fault) String() string {
	words := []string{rounded(f.At), f.Kind, f.Form}
	switch {
	case f.Role != "":
		if f.Form == "leader" || f.Form == "role" {
			words[2] = ""
		}
		words = append(words, f.Role)
		if len(f.Nodes) > 0 {
			words = append(words, "("+join(f.Nodes)+")")
		}
	case f.Group != "" && len(f.Nodes) == 0:
		words = append(words, f.Group)
	case f.Group != "":
		words = append(words, join(f.Nodes), "of", f.Group)
	case f.Aim != "":
		words = append(words, f.Aim)
	case len(f.Nodes) > 0:
		words = append(words, join(f.Nodes))
	case len(f.Links) == 1:
		words = append(words, fmt.Sprintf("from %s to %s", f.Links[0].From, f.Links[0].To))
	case len(f.Links) > 1:
		words = append(words, fmt.Sprintf("%d links", len(f.Links)))
	}
	if d := f.Damage; d != nil && d.Delay > 0 {
		words = append(words, "by "+rounded(d.Delay))
	}
	if f.Bin != "" {
		words = append(words, "as "+f.Bin)
	}
	if q := f.Quality; q != nil {
		for _, harm := range []struct {
			does     string
			perMille int
		}{{"losing", q.LossPerMille}, {"duplicating", q.DuplicatePerMille}, {"reordering", q.ReorderPerMille}, {"corrupting", q.CorruptPerMille}} {
			if harm.perMille > 0 {
				words = append(words, fmt.Sprintf("%s %d‰", harm.does, harm.perMille))
			}
		}
		if q.Delay > 0 || q.Jitter > 0 {
			by := "by " + rounded(q.Delay) + " to " + rounded(q.Delay+q.Jitter)
			if q.Spread != nodes.Constant {
				by = "by about " + rounded(q.Delay) + ", " + string(q.Spread)
			}
			words = append(words, by)
		}
	}
	switch {
	case f.Offset > 0:
		words = append(words, "by +"+rounded(f.Offset))
	case f.Offset < 0:
		words = append(words, "by -"+rounded(-f.Offset))
	}
	if f.DriftPPM != 0 {
		words = append(words, fmt.Sprintf("by %+d ppm", f.DriftPPM))
	}
	if f.Every > 0 {
		words = append(words, "every "+rounded(f.Every))
	}
	words = append(words, "for "+rounded(f.For))
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}

func rounded(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

// leastEvery is the fastest rhythm of a fault. A faster one is millions of events that show nothing more.
const leastEvery = 10 * time.Millisecond

// A plan is a Schedule in a file.
type plan struct {
	Format int      `json:"format"`
	Faults Schedule `json:"faults"`
}

// WritePlan writes s as a plan file, which ReadPlan reads.
func WritePlan(w io.Writer, s Schedule) error {
	if s == nil {
		s = Schedule{}
	}
	data, err := json.MarshalIndent(plan{1, s}, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(data, '\n'))
	return err
}

// ReadPlan reads a plan file: JSON, if it begins with a brace, or else YAML. An error names the file, if r has a Name as
// an *os.File has, and the place. Whether the faults make sense is told by Validate.
func ReadPlan(r io.Reader) (Schedule, error) {
	name := "plan"
	if named, ok := r.(interface{ Name() string }); ok {
		name = named.Name()
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return readYAML(name, data)
	}
	var p plan
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err = d.Decode(&p)
	at := d.InputOffset()
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("something follows the plan: a file holds one")
		}
	}
	if err != nil {
		if wrong := (*json.SyntaxError)(nil); errors.As(err, &wrong) {
			at = wrong.Offset
		}
		if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
			at, err = wrong.Offset, fmt.Errorf("%s is a %s, where a %s belongs", wrong.Field, wrong.Value, wrong.Type)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			at, err = int64(len(data)), errors.New("it ends in the middle of a plan")
		}
		before := data[:min(at, int64(len(data)))]
		line, column := 1+bytes.Count(before, []byte("\n")), max(1, len(before)-bytes.LastIndexByte(before, '\n')-1)
		return nil, fmt.Errorf("%s:%d:%d: %s", name, line, column, strings.TrimPrefix(err.Error(), "json: "))
	}
	if p.Format != 1 {
		return nil, fmt.Errorf(`%s: "format" is %d: this program reads 1`, name, p.Format)
	}
	return p.Faults, nil
}

// Validate says what is wrong with a schedule for a safety phase of that length on this ground: the first fault that
// could not be done, and why, as one sentence.
func (s Schedule) Validate(g Ground, over time.Duration) error {
	for i, f := range s {
		if err := f.validate(g, over); err != nil {
			return fmt.Errorf("fault %d, %s: %w", i+1, f, err)
		}
		if f.DriftPPM != 0 {
			if err := s[:i].drifts(f); err != nil {
				return fmt.Errorf("fault %d, %s: %w", i+1, f, err)
			}
		}
		if i > 0 && f.At < s[i-1].At {
			return fmt.Errorf("fault %d, %s: stands after one that begins later: put them in the order of at_ns", i+1, f)
		}
	}
	if why := s.Excess(g); why != "" && !g.Beyond {
		return errors.New(why + " (--beyond allows it)")
	}
	return nil
}

func (f Fault) validate(g Ground, over time.Duration) error {
	spec := f.Kind
	if f.Form != "" {
		spec += ":" + f.Form
	}
	k, _, err := Parse(spec)
	if err != nil {
		return err
	}
	if f.At < 0 || f.For <= 0 || f.Every < 0 || f.Wait < 0 {
		return errors.New("at_ns, every_ns and wait_ns may not be negative, and for_ns must be more than 0")
	}
	if 0 < f.Every && f.Every < leastEvery {
		return fmt.Errorf("every_ns is %s: use %s or more", f.Every, leastEvery)
	}
	if f.At > over || f.For > over-f.At {
		return fmt.Errorf("it lasts %s from %s on, which is beyond the %s of the safety phase", rounded(f.For), rounded(f.At), over)
	}
	if roles := slices.Concat(g.Roles, g.Moments); f.Role != "" && !slices.Contains(roles, f.Role) {
		return fmt.Errorf("there is no role %q: use one of [%s]", f.Role, strings.Join(roles, ", "))
	}
	ids := slices.Clone(f.Nodes)
	for _, l := range f.Links {
		ids = append(ids, l.From, l.To)
	}
	for _, id := range ids {
		if _, ok := g.Topology.Member(id); !ok && (id != nodes.Clients || slices.Contains(f.Nodes, id)) {
			return fmt.Errorf("there is no node %q: use one of [%s]", id, join(g.Topology.IDs()))
		}
	}
	if q := f.Quality; q != nil {
		for _, n := range []int{q.LossPerMille, q.DuplicatePerMille, q.ReorderPerMille, q.CorruptPerMille} {
			if n < 0 || n > 1000 {
				return fmt.Errorf("%d per mille is no share: use 0 to 1000", n)
			}
		}
		if q.Delay < 0 || q.Jitter < 0 {
			return errors.New("a delay may not be negative")
		}
		if !q.Spread.Known() {
			return fmt.Errorf("there is no spread %q: use one of %v, or none", q.Spread, nodes.Spreads)
		}
	}
	if len(g.operations(f.Kind)) > 0 {
		if err := g.possible(f); err != nil {
			return err
		}
	}
	return k.Check(f)
}
