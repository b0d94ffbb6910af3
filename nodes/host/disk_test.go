package host

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"faultlab/nodes"
)

// version is what a log should hold.
type version struct {
	snapshot []byte
	first    uint64
	records  [][]byte
}

func (v version) String() string {
	return fmt.Sprintf("%q %d %q", v.snapshot, v.first, v.records)
}

// end is the number after the last record.
func (v version) end() uint64 { return v.first + uint64(len(v.records)) }

func read(t *testing.T, l nodes.Log) (version, error) {
	snapshot, first, records, err := l.Read()
	return version{snapshot, first, records}, err
}

// plan is a log in two ages: as written, and as the last completed fsync left it.
type plan struct{ written, synced version }

// bench is a disk under test, and what should be in it.
type bench struct {
	t     *testing.T
	dir   string
	d     *disk
	names []string
	plans map[string]*plan
}

func newBench(t *testing.T, names ...string) *bench {
	b := &bench{t: t, dir: t.TempDir(), names: names, plans: map[string]*plan{}}
	for _, n := range names {
		b.plans[n] = &plan{version{first: 1}, version{first: 1}}
	}
	b.open()
	return b
}

func (b *bench) must(err error) {
	if err != nil {
		b.t.Helper()
		b.t.Fatal(err)
	}
}

func (b *bench) open() {
	b.t.Helper()
	var err error
	b.d, err = openDisk(b.dir, DiskFaults{})
	b.must(err)
}

func (b *bench) append(name, rec string) {
	p := b.plans[name]
	if got := b.d.Log(name).Append([]byte(rec)); got != p.written.end() {
		b.t.Fatalf("record %d of %q got number %d", p.written.end(), name, got)
	}
	p.written.records = append(slices.Clip(p.written.records), []byte(rec))
}

func (b *bench) snapshot(name string, upTo uint64, data string) {
	b.d.Log(name).Snapshot(upTo, []byte(data))
	w := &b.plans[name].written
	gone := min(upTo+1-w.first, uint64(len(w.records)))
	*w = version{[]byte(data), upTo + 1, slices.Clone(w.records[gone:])}
}

func (b *bench) sync() {
	b.t.Helper()
	b.d.Sync()
	b.d.settle()
	if b.d.running {
		b.d.complete(<-b.d.results)
	}
	b.must(b.d.err)
	for _, p := range b.plans {
		p.synced = p.written
	}
}

// kill ends the process after a call of the node.
func (b *bench) kill() {
	b.d.settle()
	b.must(b.d.err)
	b.d.close()
}

// check reads everything, and holds it against what should be there after a kill.
func (b *bench) check() {
	b.t.Helper()
	for _, n := range b.names {
		got, err := read(b.t, b.d.Log(n))
		if want := b.plans[n].written; err != nil || got.String() != want.String() {
			b.t.Fatalf("%q holds %s, %v; want %s", n, got, err, want)
		}
	}
}

// lose checks what a power loss left, which is from now on what there is.
func (b *bench) lose() {
	b.t.Helper()
	for _, n := range b.names {
		p := b.plans[n]
		got, err := read(b.t, b.d.Log(n))
		if err != nil || got.first != p.synced.first || !bytes.Equal(got.snapshot, p.synced.snapshot) || len(got.records) < len(p.synced.records) {
			b.t.Fatalf("after a power loss %q holds %s, %v; synced was %s", n, got, err, p.synced)
		}
		for i, r := range got.records {
			want := p.synced.records
			if i >= len(want) {
				break
			}
			if !bytes.Equal(r, want[i]) {
				b.t.Fatalf("after a power loss record %d of %q is %q, not %q", i, n, r, want[i])
			}
		}
		p.written = got
	}
}

func TestRandomWorkSurvivesKillsAndLosesInPowerLossOnlyWhatWasNotSynced(t *testing.T) {
	for seed := range uint64(24) {
		r := rand.New(nodes.Generator(seed, "test"))
		b := newBench(t, "a", "b/..", "", "é\x00", strings.Repeat("long ", 90))
		for i := range 120 {
			n := b.names[r.IntN(len(b.names))]
			p := b.plans[n]
			switch k := r.IntN(100); {
			case k < 55:
				b.append(n, fmt.Sprint(n[:min(len(n), 3)], i, strings.Repeat("x", r.IntN(40))))
			case k < 65:
				upTo := p.written.first - 1 + uint64(r.IntN(len(p.written.records)+3))
				b.snapshot(n, upTo, fmt.Sprint("up to ", upTo))
			case k < 80:
				b.sync()
			case k < 90:
				b.check()
			case k < 96:
				b.kill()
				b.open()
				b.check()
			default:
				b.kill()
				b.must(Tear(b.dir, seed<<8|uint64(i)))
				b.open()
				b.lose()
			}
		}
		b.kill()
	}
}

// unsynced is a folder with two records that were synced, and more that were not.
func unsynced(t *testing.T) *bench {
	b := newBench(t, "log")
	b.append("log", "one")
	b.append("log", "two")
	b.sync()
	b.append("log", "three")
	b.append("log", "four")
	b.kill()
	return b
}

func TestATornTailIsCutWhereverItIsTorn(t *testing.T) {
	b := unsynced(t)
	name := logName(b.dir, "log", 1)
	whole, err := os.ReadFile(name)
	b.must(err)
	mark := len(whole) - 2*frameSize - len("threefour")
	for size := mark; size <= len(whole); size++ {
		b.must(os.WriteFile(name, whole[:size], 0o666))
		b.open()
		got, err := read(t, b.d.Log("log"))
		want := 2
		if size >= mark+frameSize+len("three") {
			want = 3
		}
		if size == len(whole) {
			want = 4
		}
		if err != nil || len(got.records) != want {
			t.Errorf("torn at %d of %d, synced to %d, it holds %s, %v", size, len(whole), mark, got, err)
		}
		if next := b.d.Log("log").Append([]byte("next")); next != uint64(want+1) {
			t.Errorf("the next record is number %d", next)
		}
		b.kill()
		b.open()
		if again, err := read(t, b.d.Log("log")); err != nil || len(again.records) != want+1 || string(again.records[want]) != "next" {
			t.Errorf("torn at %d, and written to again, it holds %s, %v", size, again, err)
		}
		b.kill()
		b.must(os.WriteFile(name, whole[:size], 0o666)) // the mark is as it was: nothing was synced
	}
}

func TestDamageBelowTheMarkIsFoundAndNeverServed(t *testing.T) {
	b := newBench(t, "log")
	b.append("log", "zero")
	b.snapshot("log", 1, "snap")
	for _, rec := range []string{"two", "three"} {
		b.append("log", rec)
	}
	b.sync()
	b.append("log", "four")
	b.kill()
	name := logName(b.dir, "log", 2)
	whole, err := os.ReadFile(name)
	b.must(err)
	marked, err := os.ReadFile(filepath.Join(b.dir, markName))
	b.must(err)
	mark := len(whole) - frameSize - len("four")
	ends := []int{frameSize + 4, 2*frameSize + 7, mark}
	for at := range whole {
		bad := bytes.Clone(whole)
		bad[at] ^= 0x10
		b.must(os.WriteFile(name, bad, 0o666))
		b.must(os.WriteFile(filepath.Join(b.dir, markName), marked, 0o666))
		b.open()
		got, err := read(t, b.d.Log("log"))
		if errors.Is(err, ErrDamaged) != (at < mark) {
			t.Fatalf("a bit that flips at %d of %d, synced to %d: %v", at, len(whole), mark, err)
		}
		before := 0
		for _, end := range ends {
			if end <= at {
				before++
			}
		}
		if n := len(got.records); n != max(before-1, 0) || (got.snapshot != nil) != (before > 0) {
			t.Errorf("a bit that flips at %d: %s is returned", at, got)
		}
		b.kill()
	}
	for size := range mark {
		b.must(os.WriteFile(name, whole[:size], 0o666))
		b.must(os.WriteFile(filepath.Join(b.dir, markName), marked, 0o666))
		b.open()
		if got, err := read(t, b.d.Log("log")); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut to %d of %d synced it holds %s, %v", size, mark, got, err)
		}
		b.kill()
	}
}

func TestADamagedLogStaysDamagedUntilASnapshotReplacesIt(t *testing.T) {
	for _, cut := range []int{3, 2*frameSize + 6} {
		b := unsynced(t)
		b.must(os.Truncate(logName(b.dir, "log", 1), int64(cut)))
		damaged := func(want int) uint64 {
			t.Helper()
			b.open()
			got, err := read(t, b.d.Log("log"))
			if !errors.Is(err, ErrDamaged) || len(got.records) != want {
				t.Fatalf("it holds %s, %v", got, err)
			}
			return got.end()
		}
		good := 0
		if cut > frameSize {
			good = 2
		}
		if cut == 2*frameSize+6 { // cut where a record ends: as if nothing was amiss
			b.must(os.Truncate(logName(b.dir, "log", 1), int64(frameSize+3)))
			good = 1
		}
		damaged(good)
		for range 3 {
			for range 3 { // more than there ever was
				b.d.Log("log").Append([]byte("after the damage"))
			}
			b.sync()
			b.kill()
			damaged(good)
		}
		l := b.d.Log("log")
		first := uint64(good) + 1
		l.Append([]byte("a"))
		l.Append([]byte("b"))
		l.Snapshot(first, []byte("new"))
		b.sync()
		b.kill()
		b.open()
		if got, err := read(t, b.d.Log("log")); err != nil || got.String() != fmt.Sprintf(`"new" %d ["b"]`, first+1) {
			t.Errorf("after a snapshot it holds %s, %v", got, err)
		}
		b.kill()
	}
}

func TestASnapshotOfADamagedLogKeepsWhatItDoesNotReplace(t *testing.T) {
	b := newBench(t, "log")
	for _, rec := range []string{"one", "two", "three"} {
		b.append("log", rec)
	}
	b.sync()
	b.kill()
	b.must(os.Truncate(logName(b.dir, "log", 1), int64(2*frameSize+8)))
	b.open()
	l := b.d.Log("log")
	if n := l.Append([]byte("drei")); n != 3 {
		t.Fatal(n)
	}
	l.Snapshot(1, []byte("s"))
	l.Append([]byte("vier"))
	if got, err := read(t, l); err != nil || got.String() != `"s" 2 ["two" "drei" "vier"]` {
		t.Errorf("%s, %v", got, err)
	}
	b.sync()
	b.kill()
	b.open()
	if got, err := read(t, b.d.Log("log")); err != nil || got.String() != `"s" 2 ["two" "drei" "vier"]` {
		t.Errorf("%s, %v", got, err)
	}
	b.kill()
}

func TestALogWhoseFileIsGoneIsDamaged(t *testing.T) {
	b := unsynced(t)
	b.must(os.Remove(logName(b.dir, "log", 1)))
	for range 2 {
		b.open()
		if got, err := read(t, b.d.Log("log")); !errors.Is(err, ErrDamaged) || got.snapshot != nil || len(got.records) > 0 {
			t.Errorf("%s, %v", got, err)
		}
		b.sync()
		b.kill()
	}
}

func TestMarksThatAreLostAreDamage(t *testing.T) {
	b := unsynced(t)
	b.must(os.WriteFile(filepath.Join(b.dir, markName), []byte("nothing that makes sense, but long enough"), 0o666))
	for range 2 {
		b.open()
		if got, err := read(t, b.d.Log("log")); !errors.Is(err, ErrDamaged) || len(got.records) != 4 {
			t.Errorf("%s, %v", got, err)
		}
		b.kill()
	}
}

func TestOneSlotOfTheMarksIsEnough(t *testing.T) {
	b := unsynced(t)
	name := filepath.Join(b.dir, markName)
	file, err := os.ReadFile(name)
	b.must(err)
	known, number, err := readMarks(b.dir)
	b.must(err)
	slot := int(number%2) * markSlot
	if known["log"].size == 0 || slot >= len(file) {
		t.Fatal(known, number)
	}
	file[slot+3] ^= 1
	b.must(os.WriteFile(name, file, 0o666))
	if older, n, err := readMarks(b.dir); err != nil || n != number-1 || older["log"].size != 0 {
		t.Error(older, n, err)
	}
}

func TestASnapshotThatWasNotWholeIsNone(t *testing.T) {
	b := newBench(t, "log")
	b.append("log", "one")
	b.sync()
	b.kill()
	for _, junk := range []string{"", "torn"} {
		b.must(os.WriteFile(logName(b.dir, "log", 2), []byte(junk), 0o666))
		b.must(os.WriteFile(logName(b.dir, "log", 3)+tmpSuffix, []byte(junk), 0o666))
		b.open()
		b.check()
		b.kill()
	}
	if left, _ := filepath.Glob(filepath.Join(b.dir, "log*")); len(left) != 1 {
		t.Error(left)
	}
}

func TestAGenerationThatWasReplacedIsDeletedOnceTheNextIsDurable(t *testing.T) {
	b := newBench(t, "log")
	files := func() string {
		left, err := generations(b.dir)
		b.must(err)
		return fmt.Sprint(left["log"])
	}
	b.append("log", "one")
	b.sync()
	b.snapshot("log", 1, "s1")
	b.snapshot("log", 1, "s2")
	b.d.settle()
	if got := files(); got != "[1 2 3]" {
		t.Error(got)
	}
	b.kill()
	b.open() // killed before the sync
	b.check()
	b.sync()
	if got := files(); got != "[3]" {
		t.Error(got)
	}
	b.snapshot("log", 5, "s3")
	b.sync()
	if got := files(); got != "[4]" {
		t.Error(got)
	}
	b.kill()
}

func TestDamageIsFoundWhateverTheSeed(t *testing.T) {
	for _, kind := range Damages() {
		found := 0
		for seed := range uint64(16) {
			b := newBench(t, "a", "b")
			for i := range 8 {
				b.append("a", fmt.Sprint("record ", i))
				b.append("b", fmt.Sprint("record ", i)) // the same: only the name of the log tells them apart
			}
			b.snapshot("a", 3, "snapshot")
			b.sync()
			b.append("a", "not synced")
			b.kill()
			did, err := Damage(b.dir, kind, seed)
			b.must(err)
			b.open()
			damaged := 0
			for _, n := range b.names {
				got, err := read(t, b.d.Log(n))
				if errors.Is(err, ErrDamaged) {
					damaged++
					if lost := 8 - int(got.first-1) - len(got.records); kind == "torn" && lost != 1 {
						t.Errorf("%s, and of what was synced %d records are lost", did, lost)
					}
				} else if err != nil {
					t.Fatal(err)
				}
				for i, r := range got.records {
					want := b.plans[n].written
					if got.first != want.first && len(got.records) > 0 || !bytes.Equal(r, want.records[i]) {
						t.Fatalf("%s: %s is served", did, got)
					}
				}
			}
			if damaged != 1 {
				t.Errorf("%s, seed %d: %s, and %d logs are found damaged", kind, seed, did, damaged)
			}
			found += damaged
			b.kill()
		}
	}
	if _, err := Damage(t.TempDir(), "bit-flip", 1); err == nil || !strings.Contains(err.Error(), "nothing was ever synced") {
		t.Error(err)
	}
	if _, err := Damage(t.TempDir(), "rust", 1); err == nil || err.Error() != `host: damage "rust": there are [bit-flip torn truncate misdirect]` {
		t.Error(err)
	}
}

func TestARollbackIsFound(t *testing.T) {
	for name, more := range map[string]func(b *bench){
		"records":  func(b *bench) { b.append("log", "three") },
		"snapshot": func(b *bench) { b.snapshot("log", 2, "s") },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "log", "calm")
			b.append("log", "one")
			b.append("log", "two")
			b.append("calm", "one")
			b.sync()
			b.must(Save(b.dir))
			more(b)
			b.sync()
			b.kill()
			b.must(Rollback(b.dir))
			b.open()
			if got, err := read(t, b.d.Log("log")); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s, %v", got, err)
			}
			if got, err := read(t, b.d.Log("calm")); err != nil || len(got.records) != 1 {
				t.Errorf("%s, %v", got, err)
			}
			b.kill()
		})
	}
}

func TestAFolderInUseIsLeftAlone(t *testing.T) {
	b := unsynced(t)
	held, err := lock(b.dir)
	b.must(err)
	_, damage := Damage(b.dir, "bit-flip", 1)
	for _, err := range []error{Tear(b.dir, 1), damage, Rollback(b.dir), Wipe(b.dir)} {
		if err == nil || !strings.Contains(err.Error(), "in use by another node") {
			t.Error(err)
		}
	}
	held.Close()
	b.must(Wipe(b.dir))
	if left, err := os.ReadDir(b.dir); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}

func TestADiskThatFailsSaysSoOnceAndDoesNothingMore(t *testing.T) {
	for _, tc := range []struct {
		faults DiskFaults
		want   error
	}{{DiskFaults{FailSync: true}, syscall.EIO}, {DiskFaults{Full: true}, syscall.ENOSPC}, {DiskFaults{IOError: true}, syscall.EIO}} {
		b := newBench(t, "log")
		b.append("log", "one")
		b.sync()
		b.d.faults = tc.faults
		b.d.Log("log").Append([]byte("two"))
		b.d.Sync()
		before := b.d.done
		b.d.settle()
		if b.d.running {
			b.d.complete(<-b.d.results)
		}
		if !errors.Is(b.d.err, tc.want) || b.d.done != before || b.d.barrier <= b.d.done {
			t.Errorf("%+v: %v, done %d of %d", tc.faults, b.d.err, b.d.done, b.d.barrier)
		}
		b.d.Log("log").Snapshot(1, nil)
		b.d.Sync()
		b.d.settle()
		b.d.close()
		b.open()
		if got, err := read(t, b.d.Log("log")); err != nil || len(got.records) < 1 {
			t.Errorf("%+v: afterwards it holds %s, %v", tc.faults, got, err)
		}
		b.kill()
	}
	if _, err := openDisk(t.TempDir(), DiskFaults{IOError: true}); !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
	if _, err := openDisk(filepath.Join(t.TempDir(), "none"), DiskFaults{}); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestASlowDiskIsSlow(t *testing.T) {
	b := newBench(t, "log")
	b.d.faults.Slow = int64(30 * time.Millisecond)
	b.append("log", "one")
	began := time.Now()
	b.sync()
	if took := time.Since(began); took < 30*time.Millisecond {
		t.Error(took)
	}
	b.kill()
}

func TestManySyncsShareAnFsync(t *testing.T) {
	b := newBench(t, "log")
	b.append("log", "one")
	b.d.Sync()
	b.append("log", "two")
	b.d.Sync()
	if b.d.barrier != 1 {
		t.Error(b.d.barrier)
	}
	b.d.settle()
	b.append("log", "three")
	b.d.Sync()
	b.d.settle()
	b.append("log", "four")
	b.d.Sync()
	b.d.settle()
	if b.d.begun != 1 || b.d.barrier != 2 {
		t.Error(b.d.begun, b.d.barrier)
	}
	b.d.complete(<-b.d.results)
	b.d.settle()
	if !b.d.running || b.d.begun != 2 {
		t.Error(b.d.running, b.d.begun)
	}
	b.d.complete(<-b.d.results)
	b.d.Sync()
	if b.d.barrier != b.d.done || b.d.done != 2 {
		t.Error("a sync of nothing waits")
	}
	b.kill()
}

func TestTearingKeepsNothingHalfTheTimeAndAnyByteOtherwise(t *testing.T) {
	sizes := map[int64]int{}
	b := unsynced(t)
	whole, err := os.ReadFile(logName(b.dir, "log", 1))
	b.must(err)
	for seed := range uint64(200) {
		b.must(os.WriteFile(logName(b.dir, "log", 1), whole, 0o666))
		b.must(Tear(b.dir, seed))
		info, err := os.Stat(logName(b.dir, "log", 1))
		b.must(err)
		sizes[info.Size()]++
	}
	mark := int64(2*frameSize + len("onetwo"))
	if n := sizes[mark]; n < 70 || n > 140 || len(sizes) < 20 {
		t.Errorf("nothing was kept %d times of 200, and there are %d sizes", n, len(sizes))
	}
}

func BenchmarkSync(b *testing.B) {
	for _, logs := range []int{1, 8} {
		b.Run(fmt.Sprint(logs, "-logs"), func(b *testing.B) {
			d, err := openDisk(b.TempDir(), DiskFaults{})
			if err != nil {
				b.Fatal(err)
			}
			defer d.close()
			rec := make([]byte, 200)
			for b.Loop() {
				for i := range logs {
					d.Log(fmt.Sprint(i)).Append(rec)
				}
				d.Sync()
				d.settle()
				d.complete(<-d.results)
			}
			if d.err != nil {
				b.Fatal(d.err)
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	d, err := openDisk(b.TempDir(), DiskFaults{})
	if err != nil {
		b.Fatal(err)
	}
	defer d.close()
	rec := make([]byte, 200)
	b.ReportAllocs()
	for b.Loop() {
		d.Log("log").Append(rec)
		d.settle()
	}
	if d.err != nil {
		b.Fatal(d.err)
	}
}

func TestADiskIsReadWithoutItsNode(t *testing.T) {
	b := newBench(t, "group/1", "other")
	for i := range 5 {
		b.append("group/1", fmt.Sprint("one ", i))
		b.append("other", fmt.Sprint("other ", i))
	}
	b.sync()
	b.snapshot("group/1", 3, "snapped")
	b.sync()
	b.append("other", "not synced")
	b.kill()
	look := func() []nodes.StoredLog {
		t.Helper()
		logs, err := ReadDisk(b.dir)
		b.must(err)
		if len(logs) != 2 || logs[0].Name != "group/1" || logs[1].Name != "other" {
			t.Fatalf("%+v", logs)
		}
		return logs
	}
	for i, want := range []string{`"snapped" 4 ["one 3" "one 4"]`, `"" 1 ["other 0" "other 1" "other 2" "other 3" "other 4" "not synced"]`} {
		l := look()[i]
		if got := fmt.Sprint(version{l.Snapshot, l.First, l.Records}); got != want || l.Damage != nil {
			t.Errorf("%s holds %s, %v; want %s", l.Name, got, l.Damage, want)
		}
	}
	for i, l := range look() {
		name := filepath.Join(b.dir, l.File)
		text, err := os.ReadFile(name)
		b.must(err)
		synced := len(text)
		if l.Name == "other" {
			synced -= frameSize + len("not synced")
		}
		for at := range synced {
			bad := slices.Clone(text)
			bad[at] ^= 4
			b.must(os.WriteFile(name, bad, 0o666))
			if look()[i].Damage == nil {
				t.Errorf("byte %d of %s is not as it was, and nobody says so", at, l.File)
			}
		}
		b.must(os.Remove(name))
		if _, err := ReadDisk(b.dir); err != nil {
			t.Error(err)
		}
		if look()[i].Damage == nil {
			t.Errorf("%s is gone, and nobody says so", l.File)
		}
		b.must(os.WriteFile(name, text, 0o666))
	}
}
