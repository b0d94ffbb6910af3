package host

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"faultlab/nodes"
)

// ReadDisk reads the logs of a data folder that no process uses, in the order of their names, and changes nothing. Of a
// log it is the newest generation that counts. A torn tail is left out; damage to what had been synced is in Damage. The
// error says that the folder cannot be read, or that nothing in it says what had been synced.
func ReadDisk(dir string) ([]nodes.StoredLog, error) {
	known, _, err := readMarks(dir)
	if err != nil {
		return nil, fmt.Errorf("host: read disk %s: %s: %w", dir, markName, err)
	}
	found, _, err := listed(dir)
	if err != nil {
		return nil, fmt.Errorf("host: read disk: %w", err)
	}
	for stem := range known {
		if _, there := found[stem]; !there {
			found[stem] = nil
		}
	}
	var all []nodes.StoredLog
	for _, stem := range slices.Sorted(maps.Keys(found)) {
		name, err := url.PathUnescape(stem)
		if err != nil || stem == "%" {
			name = ""
		}
		gens, m := found[stem], known[stem]
		if len(gens) == 0 {
			all = append(all, nodes.StoredLog{Name: name, File: stem, First: 1, Damage: fmt.Errorf("there is no file of it, and %d bytes had been synced", m.size)})
			continue
		}
		gen := gens[len(gens)-1]
		file := logName(dir, stem, gen)
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("host: read disk: %w", err)
		}
		c := scan(text, salt(stem))
		l := nodes.StoredLog{Name: name, File: filepath.Base(file), Snapshot: c.snapshot, First: c.first, Records: c.records}
		switch {
		case m.bad >= 0 && m.gen == gen:
			l.Damage = fmt.Errorf("damaged at byte %d, as its node had found", m.bad)
		case m.gen > gen:
			l.Damage = fmt.Errorf("generation %d is gone, of which %d bytes had been synced", m.gen, m.size)
		case m.gen == gen && c.end < m.size:
			l.Damage = fmt.Errorf("damaged at byte %d of %d that had been synced", c.end, m.size)
		}
		all = append(all, l)
	}
	return all, nil
}
