package nemesis

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"faultlab/nodes"
)

// This file is plans in YAML, as people write them. A plan has the members of the JSON form; but a time is a duration
// ("at: 2.5s" for "at_ns"), and a link is written a1>b1.
//
//	format: 1
//	faults:
//	  - kind: slow
//	    at: 5s
//	    for: 3s
//	    links: [a1>b1, b1>a1]
//	    quality: {delay: 200ms}

// A field is a member of a mapping: how it is read, and what is written for it, nil for nothing.
type field[T any] struct {
	name  string
	read  func(to *T, n *yaml.Node) error
	write func(of *T) any
}

var faultFields = []field[Fault]{
	text("kind", func(f *Fault) *string { return &f.Kind }),
	text("form", func(f *Fault) *string { return &f.Form }),
	{"at", func(f *Fault, n *yaml.Node) error { return readDuration(&f.At, n) }, func(f *Fault) any { return f.At.String() }},
	duration("for", func(f *Fault) *time.Duration { return &f.For }),
	{"nodes", func(f *Fault, n *yaml.Node) error {
		return each(n, func(n *yaml.Node) error {
			f.Nodes = append(f.Nodes, nodes.ID(n.Value))
			return scalar(n, "!!str", "the name of a node")
		})
	}, func(f *Fault) any { return orNil(f.Nodes) }},
	text("role", func(f *Fault) *string { return &f.Role }),
	duration("wait", func(f *Fault) *time.Duration { return &f.Wait }),
	text("aim", func(f *Fault) *string { return &f.Aim }),
	text("group", func(f *Fault) *string { return &f.Group }),
	{"links", func(f *Fault, n *yaml.Node) error {
		return each(n, func(n *yaml.Node) error {
			from, to, ok := strings.Cut(n.Value, ">")
			if !ok || from == "" || to == "" {
				return wrong(n, "a link is written as a1>b1")
			}
			f.Links = append(f.Links, nodes.Link{From: nodes.ID(from), To: nodes.ID(to)})
			return nil
		})
	}, func(f *Fault) any {
		var links []string
		for _, l := range f.Links {
			links = append(links, string(l.From)+">"+string(l.To))
		}
		return orNil(links)
	}},
	{"quality", func(f *Fault, n *yaml.Node) error {
		f.Quality = &nodes.Quality{}
		return readFields(f.Quality, n, "a quality", qualityFields)
	}, func(f *Fault) any { return writeFields(f.Quality, qualityFields) }},
	duration("every", func(f *Fault) *time.Duration { return &f.Every }),
	duration("offset", func(f *Fault) *time.Duration { return &f.Offset }),
	whole("drift_ppm", func(f *Fault) *int { return &f.DriftPPM }),
	{"damage", func(f *Fault, n *yaml.Node) error {
		f.Damage = &nodes.Damage{}
		return readFields(f.Damage, n, "a damage", damageFields)
	}, func(f *Fault) any { return writeFields(f.Damage, damageFields) }},
	text("bin", func(f *Fault) *string { return &f.Bin }),
}

var qualityFields = []field[nodes.Quality]{
	flag("cut", func(q *nodes.Quality) *bool { return &q.Cut }),
	flag("hold", func(q *nodes.Quality) *bool { return &q.Hold }),
	whole("loss_per_mille", func(q *nodes.Quality) *int { return &q.LossPerMille }),
	whole("duplicate_per_mille", func(q *nodes.Quality) *int { return &q.DuplicatePerMille }),
	whole("reorder_per_mille", func(q *nodes.Quality) *int { return &q.ReorderPerMille }),
	whole("corrupt_per_mille", func(q *nodes.Quality) *int { return &q.CorruptPerMille }),
	duration("delay", func(q *nodes.Quality) *time.Duration { return &q.Delay }),
	duration("jitter", func(q *nodes.Quality) *time.Duration { return &q.Jitter }),
	text("spread", func(q *nodes.Quality) *string { return (*string)(&q.Spread) }),
}

var damageFields = []field[nodes.Damage]{
	text("form", func(d *nodes.Damage) *string { return (*string)(&d.Form) }),
	{"seed", func(d *nodes.Damage, n *yaml.Node) (err error) {
		if d.Seed, err = strconv.ParseUint(n.Value, 10, 64); err != nil {
			return wrong(n, "a seed is a whole number, 0 or more")
		}
		return nil
	}, func(d *nodes.Damage) any {
		if d.Seed == 0 {
			return nil
		}
		return d.Seed
	}},
	duration("delay", func(d *nodes.Damage) *time.Duration { return &d.Delay }),
}

func text[T any](name string, part func(*T) *string) field[T] {
	return field[T]{name, func(to *T, n *yaml.Node) error {
		*part(to) = n.Value
		return scalar(n, "", name+" is a word")
	}, func(of *T) any {
		if *part(of) == "" {
			return nil
		}
		return *part(of)
	}}
}

func duration[T any](name string, part func(*T) *time.Duration) field[T] {
	return field[T]{name, func(to *T, n *yaml.Node) error { return readDuration(part(to), n) }, func(of *T) any {
		if *part(of) == 0 {
			return nil
		}
		return part(of).String()
	}}
}

func whole[T any](name string, part func(*T) *int) field[T] {
	return field[T]{name, func(to *T, n *yaml.Node) (err error) {
		if *part(to), err = strconv.Atoi(n.Value); err != nil {
			return wrong(n, name+" is a whole number")
		}
		return nil
	}, func(of *T) any {
		if *part(of) == 0 {
			return nil
		}
		return *part(of)
	}}
}

func flag[T any](name string, part func(*T) *bool) field[T] {
	return field[T]{name, func(to *T, n *yaml.Node) error {
		*part(to) = n.Value == "true"
		return scalar(n, "!!bool", name+" is true or false")
	}, func(of *T) any {
		if !*part(of) {
			return nil
		}
		return true
	}}
}

func readDuration(to *time.Duration, n *yaml.Node) (err error) {
	if *to, err = time.ParseDuration(n.Value); err != nil {
		return wrong(n, "a duration is written as 200ms or 2.5s")
	}
	return nil
}

// orNil is nil for an empty list, so that nothing is written for it.
func orNil[T any](list []T) any {
	if len(list) == 0 {
		return nil
	}
	return list
}

// A misplaced is an error with its place in a file.
type misplaced struct {
	line, column int
	text         string
}

func (m *misplaced) Error() string { return m.text }

func wrong(n *yaml.Node, text string) error {
	if n.Kind == yaml.ScalarNode && n.Value != "" {
		text = fmt.Sprintf("%q: %s", brief(n.Value), text)
	}
	return &misplaced{n.Line, n.Column, text}
}

func scalar(n *yaml.Node, tag, what string) error {
	if n.Kind != yaml.ScalarNode || tag != "" && n.Tag != tag {
		return wrong(n, what)
	}
	return nil
}

func each(n *yaml.Node, do func(*yaml.Node) error) error {
	if n.Kind != yaml.SequenceNode {
		return wrong(n, "a list belongs here")
	}
	for _, item := range n.Content {
		if err := do(item); err != nil {
			return err
		}
	}
	return nil
}

// brief is the beginning of what may be a whole file.
func brief(text string) string {
	if len(text) <= briefMax {
		return text
	}
	return strings.ToValidUTF8(text[:briefMax], "") + "..."
}

const briefMax = 60 // bytes

// readFields reads a mapping that has no members but these, and none twice.
func readFields[T any](to *T, n *yaml.Node, what string, fields []field[T]) error {
	if n.Kind != yaml.MappingNode {
		return wrong(n, what+" is a mapping")
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := slices.IndexFunc(fields, func(f field[T]) bool { return f.name == key.Value })
		if at < 0 {
			var known []string
			for _, f := range fields {
				known = append(known, f.name)
			}
			return wrong(key, what+" has no such member: use one of "+strings.Join(known, ", "))
		}
		if seen[key.Value] {
			return wrong(key, "this member is there twice")
		}
		seen[key.Value] = true
		if err := fields[at].read(to, value); err != nil {
			return err
		}
	}
	return nil
}

// writeFields makes a mapping of all members that have something to be written, in their order; nil of nothing.
func writeFields[T any](of *T, fields []field[T]) any {
	if of == nil {
		return nil
	}
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range fields {
		value := f.write(of)
		if value == nil {
			continue
		}
		item := &yaml.Node{}
		if err := item.Encode(value); err != nil {
			panic(fmt.Sprintf("nemesis: a plan as YAML: %v", err)) // these are numbers, texts and lists
		}
		if item.Kind == yaml.SequenceNode || f.name == "quality" || f.name == "damage" {
			item.Style = yaml.FlowStyle
		}
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: f.name}, item)
	}
	return n
}

// planFields are the members of a plan.
var planFields = []field[plan]{
	whole("format", func(p *plan) *int { return &p.Format }),
	{"faults", func(p *plan, n *yaml.Node) error {
		return each(n, func(n *yaml.Node) error {
			var f Fault
			if err := readFields(&f, n, "a fault", faultFields); err != nil {
				return err
			}
			p.Faults = append(p.Faults, f)
			return nil
		})
	}, func(p *plan) any {
		list := []any{}
		for i := range p.Faults {
			list = append(list, writeFields(&p.Faults[i], faultFields))
		}
		return list
	}},
}

// WriteYAML writes s as a plan in YAML, which ReadPlan reads.
func WriteYAML(w io.Writer, s Schedule) error {
	n := writeFields(&plan{1, s}, planFields).(*yaml.Node)
	for _, item := range n.Content {
		if len(item.Content) > 0 {
			item.Style = 0
		}
	}
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		return fmt.Errorf("a plan as YAML: %w", err)
	}
	return e.Close()
}

func readYAML(name string, data []byte) (Schedule, error) {
	d := yaml.NewDecoder(strings.NewReader(string(data)))
	var doc, more yaml.Node
	switch err := d.Decode(&doc); {
	case err == io.EOF:
		return nil, fmt.Errorf("%s:1:1: it is empty: a plan begins with format: 1", name)
	case err != nil:
		text := strings.TrimPrefix(err.Error(), "yaml: ")
		if line, what, ok := strings.Cut(strings.TrimPrefix(text, "line "), ": "); ok && line != text {
			if n, err := strconv.Atoi(line); err == nil {
				return nil, fmt.Errorf("%s:%d:1: %s", name, n, what)
			}
		}
		return nil, fmt.Errorf("%s:1:1: %s", name, text)
	}
	var p plan
	err := readFields(&p, doc.Content[0], "a plan", planFields)
	if err == nil && d.Decode(&more) != io.EOF {
		err = &misplaced{max(1, more.Line), max(1, more.Column), "something follows the plan: a file holds one"}
	}
	if at, ok := err.(*misplaced); ok {
		return nil, fmt.Errorf("%s:%d:%d: %s", name, at.line, at.column, at.text)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if p.Format != 1 {
		return nil, fmt.Errorf(`%s: "format" is %d: this program reads 1`, name, p.Format)
	}
	return p.Faults, nil
}
