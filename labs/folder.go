package labs

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"faultlab/checker/history"
	"faultlab/nemesis"
	"faultlab/nodes"
	"faultlab/nodes/wire"
)

// The files of a run folder.
const (
	runFile     = "run.json"
	historyFile = "history.jsonl"
	eventsFile  = "events.jsonl"
	ResultsFile = "results.json" // holds Results
	reportFile  = "report.html"
	nodesFolder = "nodes" // nodes/ID/log and nodes/ID/disk
)

// Files are the files of a run folder, beside those of its nodes.
func Files() []string { return []string{runFile, historyFile, eventsFile, ResultsFile, reportFile} }

// Repeated are those of them that two runs of one seed by one build have the same, to the byte.
func Repeated() []string { return []string{historyFile, eventsFile, ResultsFile} }

// DiskFolder is where the folder of a run has what was on a node's disk, if its runtime saves that.
func DiskFolder(dir string, id nodes.ID) string {
	return filepath.Join(dir, nodesFolder, string(id), "disk")
}

// An Origin is how a run came to be, as far as it says nothing about its result.
type Origin struct {
	Started time.Time
	Build   string // hash of the executable; another build may draw differently
}

// A file of run.json.
type runJSON struct {
	Format    int              `json:"format"`
	Lab       string           `json:"lab"`
	Seed      uint64           `json:"seed"`
	Arguments arguments        `json:"arguments"`
	Build     string           `json:"executable"`
	Started   time.Time        `json:"started"`
	Topology  nodes.Topology   `json:"topology"`
	Schedule  nemesis.Schedule `json:"schedule"`
	Skipped   []string         `json:"skipped,omitempty"`
	Struck    [][]nodes.ID     `json:"struck"`  // by place in the schedule: whom a role turned out to be
	Windows   []history.Window `json:"windows"` // what each fault really did
	Stalls    []history.Stall  `json:"stalls,omitempty"`
	Healed    time.Duration    `json:"healed_ns"`
	End       time.Duration    `json:"end_ns"`
	Stopped   bool             `json:"stopped,omitempty"`
	Recorded  recorded         `json:"recorded"`
	Reached   map[string]int   `json:"reached"`
	Broken    []Break          `json:"broken,omitempty"`
}

type arguments struct {
	On      string        `json:"on"`
	Nemesis []string      `json:"nemesis"`
	Time    time.Duration `json:"time_ns"`
	Rate    int           `json:"rate"`
	Clients int           `json:"clients"`
	Nodes   int           `json:"nodes"`
	Bug     string        `json:"bug,omitempty"`
	Image   string        `json:"image,omitempty"`
	Beyond  bool          `json:"beyond,omitempty"`

	Consistency  string   `json:"consistency,omitempty"`
	Availability float64  `json:"availability,omitempty"`
	Program      []string `json:"program,omitempty"`
}

// recorded counts the lines of the other files, so that one cut off at the end of a line is not taken for whole.
type recorded struct {
	Operations int `json:"operations"`
	Events     int `json:"events"`
}

// Save writes the folder of a run, path or, where that name is taken, path-2 and so on, and returns which. page writes
// report.html; nil leaves it out. The folder appears whole or not at all.
func (run *Run) Save(path string, o Origin, system nodes.System, page func(io.Writer) error) (string, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(path), ".unfinished-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp) // nothing is there after the rename
	if err := run.write(tmp, o, system, page); err != nil {
		return "", err
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", err
	}
	return Place(tmp, path)
}

// Place renames a file or folder to path or, where that is taken, to path-2 and so on, and returns to which.
func Place(tmp, path string) (string, error) {
	for n := 1; ; n++ {
		to := path
		if n > 1 {
			to = fmt.Sprintf("%s-%d", path, n)
		}
		if _, err := os.Lstat(to); err == nil {
			continue
		}
		err := os.Rename(tmp, to)
		if err == nil {
			return to, nil
		}
		if _, taken := os.Lstat(to); taken != nil { // not somebody else, who was faster
			return "", err
		}
	}
}

func (run *Run) write(dir string, o Origin, system nodes.System, page func(io.Writer) error) error {
	codec, err := vocabulary(system)
	if err != nil {
		return err
	}
	h := run.History
	files := []struct {
		name  string
		write func(io.Writer) error
	}{
		{runFile, func(w io.Writer) error {
			a := run.Options
			return writeJSON(w, runJSON{
				Format: Format, Lab: run.Lab, Seed: a.Seed,
				Arguments: arguments{a.On, a.Nemesis, a.Time, a.Rate, a.Clients, a.Nodes, a.Bug, a.Image, a.Beyond, a.Consistency, a.Availability, a.Program},
				Build:     o.Build, Started: o.Started.UTC().Truncate(time.Second),
				Topology: run.Topology, Schedule: run.Schedule, Skipped: run.Skipped, Struck: run.Struck, Windows: h.Windows, Stalls: h.Stalls, Healed: h.Healed, End: h.End, Stopped: run.Stopped,
				Recorded: recorded{len(h.Ops), len(h.Events)}, Reached: run.Reached, Broken: run.breaks(),
			})
		}},
		{historyFile, func(w io.Writer) error { return history.WriteOps(w, h.Ops, codec) }},
		{eventsFile, func(w io.Writer) error { return history.WriteEvents(w, h.Events, codec) }},
		{ResultsFile, func(w io.Writer) error { return writeJSON(w, run.Results()) }},
		{reportFile, page},
	}
	for _, f := range files {
		if f.write == nil {
			continue
		}
		if err := writeFile(filepath.Join(dir, f.name), f.write); err != nil {
			return err
		}
	}
	pictures := run.Pictures()
	for _, j := range run.Judged {
		if name := pictures[j.ID]; name != "" {
			if err := writeFile(filepath.Join(dir, name), j.Picture); err != nil {
				return err
			}
		}
	}
	for _, id := range run.Topology.IDs() {
		home := filepath.Join(dir, nodesFolder, string(id))
		if err := os.MkdirAll(home, 0o777); err != nil {
			return err
		}
		text := strings.Join(append(run.Logs[id], ""), "\n")
		if err := os.WriteFile(filepath.Join(home, "log"), []byte(text), 0o666); err != nil {
			return err
		}
	}
	if disks, ok := run.Cluster.(interface{ SaveDisks(dir string) error }); ok {
		return disks.SaveDisks(filepath.Join(dir, nodesFolder))
	}
	return nil
}

// vocabulary is the words of histories: those of the system, and the refusal that any node may answer with.
func vocabulary(s nodes.System) (*wire.Codec, error) {
	return wire.New(append(slices.Clip(s.Bodies), wire.Error{})...)
}

// Pictures names the files of a run folder that hold a checker's own view of a failure, by the guarantee's id.
func (run *Run) Pictures() map[string]string {
	names := map[string]string{}
	for _, j := range run.Judged {
		if j.Picture != nil {
			names[j.ID] = j.ID + ".html"
		}
	}
	return names
}

func writeJSON(w io.Writer, v any) error {
	text, err := JSON(v)
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<16)
	err = write(w)
	return errors.Join(err, w.Flush(), f.Close())
}

// rewrite replaces one file of a run folder, whole or not at all.
func rewrite(path string, write func(io.Writer) error) error {
	tmp := path + ".unfinished"
	if err := writeFile(tmp, write); err != nil {
		os.Remove(tmp)
		return err
	}
	return os.Rename(tmp, path)
}

// Report writes report.html of a saved run anew, and returns its path.
func Report(dir string, page func(io.Writer) error) (string, error) {
	path := filepath.Join(dir, reportFile)
	return path, rewrite(path, page)
}

// Load reads the folder of a run and judges it. The lab is the one of labs that it names. Errors name the file, and the
// line where there is one.
func Load(dir string, labs []Lab) (run *Run, lab Lab, o Origin, err error) {
	fail := func(format string, args ...any) (*Run, Lab, Origin, error) {
		return nil, Lab{}, Origin{}, fmt.Errorf(format, args...)
	}
	path := filepath.Join(dir, runFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fail("%s is no run folder: it has no %s", dir, runFile)
	} else if err != nil {
		return fail("%w", err)
	}
	var j runJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return fail("%s: %s", path, place(text, err))
	}
	if j.Format != Format {
		return fail("%s: format %d; this version reads format %d", path, j.Format, Format)
	}
	var names []string
	found := false
	for _, l := range labs {
		names = append(names, l.Name)
		if l.Name == j.Lab {
			lab, found = l, true
		}
	}
	if !found {
		return fail("%s: it is a run of lab %q; this program has %s", path, j.Lab, strings.Join(names, ", "))
	}
	codec, err := vocabulary(lab.System)
	if err != nil {
		return fail("%w", err)
	}
	if err := fits(lab, j.Topology); err != nil {
		return fail("%s: %w", path, err)
	}
	a := j.Arguments
	run = &Run{
		Lab: j.Lab,
		Options: Options{
			Seed: j.Seed, Time: a.Time, Rate: a.Rate, Clients: a.Clients, Nodes: a.Nodes, Bug: a.Bug, Image: a.Image, Beyond: a.Beyond, Nemesis: a.Nemesis, On: a.On,
			Demands: Demands{Consistency: a.Consistency, Availability: a.Availability}, Program: a.Program,
		},
		Topology: j.Topology, Schedule: j.Schedule, Skipped: j.Skipped, Struck: j.Struck, Reached: j.Reached, Stopped: j.Stopped, Logs: map[nodes.ID][]string{},
		History: &history.History{Windows: j.Windows, Stalls: j.Stalls, Healed: j.Healed, End: j.End},
	}
	h := run.History
	for _, m := range j.Topology.Members {
		h.Members = append(h.Members, history.Member{ID: string(m.ID), Region: m.Region, Zone: m.Zone})
	}
	for _, b := range j.Broken {
		run.Broken = append(run.Broken, &nodes.Broken{Node: nodes.ID(b.Node), At: b.At, What: b.What})
	}
	if h.Ops, err = readFile(filepath.Join(dir, historyFile), codec, j.Recorded.Operations, history.ReadOps); err != nil {
		return fail("%w", err)
	}
	if h.Events, err = readFile(filepath.Join(dir, eventsFile), codec, j.Recorded.Events, history.ReadEvents); err != nil {
		return fail("%w", err)
	}
	regions := run.Topology.Regions()
	for i, op := range h.Ops {
		if !slices.Contains(regions, op.Region) {
			return fail("%s: operation %d is of a client in region %q; there are %s", filepath.Join(dir, historyFile), i, op.Region, strings.Join(regions, ", "))
		}
		if _, ok := run.Topology.Member(nodes.ID(op.Node)); !ok {
			return fail("%s: operation %d was sent to %q, which is no node of this run", filepath.Join(dir, historyFile), i, op.Node)
		}
	}
	for _, id := range run.Topology.IDs() {
		// A log is there for people; a run can be judged without it.
		if text, err := os.ReadFile(filepath.Join(dir, nodesFolder, string(id), "log")); err == nil && len(text) > 0 {
			run.Logs[id] = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		}
	}
	if err := run.judgeLoaded(lab); err != nil {
		return fail("%s: %w", dir, err)
	}
	return run, lab, Origin{Started: j.Started, Build: j.Build}, nil
}

// fits says what keeps a lab from standing on a topology that was read.
func fits(lab Lab, t nodes.Topology) error {
	n := len(t.Members)
	if n == 0 {
		return &Invalid{errors.New("its topology has no members")}
	}
	built, err := lab.Topology(n)
	if err != nil {
		return &Invalid{fmt.Errorf("its topology is none of lab %s: %w", lab.Name, err)}
	}
	is, err := JSON(t)
	if err != nil {
		return err
	}
	if want, err := JSON(built); err != nil || !bytes.Equal(is, want) {
		return errors.Join(err, &Invalid{fmt.Errorf("its topology is not the one that lab %s has for %d nodes", lab.Name, n)})
	}
	return nil
}

// judgeLoaded judges a run that may say anything its format allows: a lab's checkers are made for the lab's own
// requests, replies and keys, and panic at others. So may the nodes of an image, and then it is they that failed.
func (run *Run) judgeLoaded(lab Lab) (err error) {
	defer func() {
		what := recover()
		if what == nil {
			return
		}
		err = &Invalid{fmt.Errorf("the run does not fit lab %s, which cannot judge it: %s", lab.Name, strings.Join(strings.Fields(fmt.Sprint(what)), " "))}
		if run.Options.foreign() { // whose nodes said what is no answer to what they were asked
			run.Verdict, run.Whole, run.Reason = history.Fail, history.Fail, "what the nodes answered does not fit: "+err.Error()
			err = nil
		}
	}()
	run.Judge(lab)
	return nil
}

func readFile[T any](path string, codec history.Codec, want int, read func(io.Reader, history.Codec) ([]T, error)) ([]T, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines, err := read(f, codec)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(lines) != want {
		return nil, fmt.Errorf("%s: it has %d lines, and by %s there were %d; a part is missing", path, len(lines), runFile, want)
	}
	return lines, nil
}

// place adds the line to an error of package json.
func place(text []byte, err error) string {
	offset := int64(-1)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	}
	if offset < 0 || offset > int64(len(text)) {
		return err.Error()
	}
	return fmt.Sprintf("line %d: %s", 1+strings.Count(string(text[:offset]), "\n"), err)
}
