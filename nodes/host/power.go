package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"faultlab/nodes"
)

// This file is what may happen to the data folder of a node that does not run. All of it but Save fails if a process
// uses the folder. The same seed does the same to the same folder.

// Tear is power loss: of what no completed fsync covers, each log keeps some first part, which may end within a record.
// Half the time that is nothing.
func Tear(dir string, seed uint64) error {
	return stopped(dir, "tear", func() error {
		known, _, err := readMarks(dir)
		if err != nil {
			return err
		}
		found, err := generations(dir)
		if err != nil {
			return err
		}
		draw := nodes.Generator(seed, "tear")
		for _, stem := range slices.Sorted(maps.Keys(found)) {
			gens := found[stem]
			m, marked := known[stem]
			if !marked {
				m.gen = gens[0]
			}
			for _, gen := range gens {
				name := logName(dir, stem, gen)
				switch {
				case gen > m.gen: // a snapshot that was not durable
					err = os.Remove(name)
				case gen == m.gen:
					err = tear(name, m.size, draw)
				}
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func tear(name string, synced int64, draw *rand.PCG) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	loose := info.Size() - synced
	if loose <= 0 {
		return nil
	}
	keep := int64(0)
	if below(draw, 2) == 1 {
		keep = below(draw, loose+1)
	}
	return os.Truncate(name, synced+keep)
}

// A damage is a kind of Damage.
type damage struct {
	name string
	do   func(draw *rand.PCG, target area, all []area) (did string, err error)
}

var damages = []damage{
	{"bit-flip", flip},
	{"torn", torn},
	{"truncate", truncate},
	{"misdirect", misdirect},
}

// Damages lists what Damage can do.
func Damages() []string {
	var names []string
	for _, d := range damages {
		names = append(names, d.name)
	}
	return names
}

// Damage harms something that had been synced: a bit flips ("bit-flip"), the last frame of a log is half written
// ("torn"), the end of a log is lost ("truncate"), or what was meant for another place is written over it ("misdirect").
// It says what it did.
func Damage(dir, kind string, seed uint64) (did string, err error) {
	k := slices.IndexFunc(damages, func(d damage) bool { return d.name == kind })
	if k < 0 {
		return "", fmt.Errorf("host: damage %q: there are %v", kind, Damages())
	}
	err = stopped(dir, "damage", func() error {
		known, _, err := readMarks(dir)
		if err != nil {
			return err
		}
		var all []area
		for _, stem := range slices.Sorted(maps.Keys(known)) {
			m := known[stem]
			name := logName(dir, stem, m.gen)
			if info, err := os.Stat(name); err == nil && min(info.Size(), m.size) > 0 {
				all = append(all, area{name, min(info.Size(), m.size)})
			}
		}
		if len(all) == 0 {
			return fmt.Errorf("nothing was ever synced")
		}
		draw := nodes.Generator(seed, kind)
		did, err = damages[k].do(draw, all[below(draw, int64(len(all)))], all)
		return err
	})
	return did, err
}

// An area is what of a log's file is known to be durable.
type area struct {
	name string
	size int64
}

// Spoil is Damage or Rollback, by the nodes.DamageForm of what harms what is stored.
func Spoil(dir, form string, seed uint64) error {
	if nodes.DamageForm(form) == nodes.Rollback {
		return Rollback(dir)
	}
	_, err := Damage(dir, form, seed)
	return err
}

func flip(draw *rand.PCG, x area, _ []area) (string, error) {
	bit := below(draw, 8*x.size)
	b, err := x.read(bit/8, 1)
	if err != nil {
		return "", err
	}
	b[0] ^= 1 << (bit % 8)
	return fmt.Sprintf("flipped bit %d of byte %d of %s", bit%8, bit/8, filepath.Base(x.name)), x.write(b, bit/8)
}

func torn(draw *rand.PCG, x area, _ []area) (string, error) {
	file, err := x.read(0, x.size)
	if err != nil {
		return "", err
	}
	last := int64(0)
	for at := int64(0); at < x.size; { // a frame that is damaged is taken for the last
		last = at
		if x.size-at < frameSize {
			break
		}
		at += frameSize + int64(binary.LittleEndian.Uint32(file[at:]))
	}
	size := last
	if half := x.size - last; half > 1 {
		size += 1 + below(draw, half-1)
	}
	return fmt.Sprintf("tore the last frame of %s, at %d, to end at %d", filepath.Base(x.name), last, size), os.Truncate(x.name, size)
}

func truncate(draw *rand.PCG, x area, _ []area) (string, error) {
	size := below(draw, x.size)
	return fmt.Sprintf("cut %s from %d bytes to %d", filepath.Base(x.name), x.size, size), os.Truncate(x.name, size)
}

func misdirect(draw *rand.PCG, x area, all []area) (string, error) {
	for range 1000 {
		from := all[below(draw, int64(len(all)))]
		n := min(1+below(draw, 512), x.size, from.size)
		at, to := below(draw, from.size-n+1), below(draw, x.size-n+1)
		new, err := from.read(at, n)
		if err != nil {
			return "", err
		}
		old, err := x.read(to, n)
		if err != nil {
			return "", err
		}
		if !slices.Equal(old, new) {
			return fmt.Sprintf("wrote %d bytes of %s over those at %d of %s", n, filepath.Base(from.name), to, filepath.Base(x.name)), x.write(new, to)
		}
	}
	return "", fmt.Errorf("all that was synced is the same")
}

func (x area) read(at, n int64) ([]byte, error) {
	file, err := os.Open(x.name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	b := make([]byte, n)
	_, err = file.ReadAt(b, at)
	return b, err
}

func (x area) write(b []byte, at int64) error {
	file, err := os.OpenFile(x.name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(b, at)
	if e := file.Close(); err == nil {
		err = e
	}
	return err
}

// Save keeps a copy of the logs as they are now, in the folder itself. The node may run.
func Save(dir string) error {
	saved := filepath.Join(dir, savedName)
	for tries := 0; ; tries++ {
		err := os.RemoveAll(saved)
		if err == nil {
			err = os.Mkdir(saved, 0o777)
		}
		if err == nil {
			err = copyLogs(dir, saved)
		}
		switch {
		case err == nil:
			return nil
		case tries < 20 && errors.Is(err, fs.ErrNotExist): // a generation was given up after it was listed
		default:
			return fmt.Errorf("host: save %s: %w", dir, err)
		}
	}
}

// Rollback makes the logs that Save saw what they were then. What is known of what was synced stays, so that a node
// that looks finds out.
func Rollback(dir string) error {
	return stopped(dir, "rollback", func() error {
		saved := filepath.Join(dir, savedName)
		then, err := generations(saved)
		if err != nil {
			return err
		}
		now, err := generations(dir)
		if err != nil {
			return err
		}
		for stem := range then {
			for _, gen := range now[stem] {
				if err := os.Remove(logName(dir, stem, gen)); err != nil {
					return err
				}
			}
		}
		return copyLogs(saved, dir)
	})
}

func copyLogs(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != logSuffix {
			continue
		}
		src, err := os.Open(filepath.Join(from, e.Name()))
		if err != nil {
			return err
		}
		dst, err := os.Create(filepath.Join(to, e.Name()))
		if err == nil {
			_, err = io.Copy(dst, src)
			if e := dst.Close(); err == nil {
				err = e
			}
		}
		src.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// Wipe makes the folder empty: the disk is gone. The node that boots next must be told that it is replaced.
func Wipe(dir string) error {
	return stopped(dir, "wipe", func() error {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
		return nil
	})
}

// stopped does something to a folder that no process uses.
func stopped(dir, doing string, do func() error) error {
	held, err := lock(dir)
	if err != nil {
		return err
	}
	defer held.Close()
	if err := do(); err != nil {
		return fmt.Errorf("host: %s %s: %w", doing, dir, err)
	}
	return nil
}
