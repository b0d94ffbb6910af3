package sim

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"faultlab/nodes"
)

// SaveDisks writes each log of each node to the file DIR/<node>/disk/<log>, in the format of WriteLog: all that is
// written, and a mark of what power loss would leave. Names are escaped as in a URL where a file system might not take
// them. A snapshot that is not durable leaves the mark at the beginning.
func (c *Cluster) SaveDisks(dir string) error {
	for _, m := range c.members {
		folder := filepath.Join(dir, fileName(string(m.id)), "disk")
		if err := os.MkdirAll(folder, 0o777); err != nil {
			return fmt.Errorf("sim: save disks: %w", err)
		}
		for _, l := range m.disk.logs {
			var b bytes.Buffer
			if err := WriteLog(&b, l.file()); err != nil {
				return fmt.Errorf("sim: save disks: %w", err)
			}
			if err := os.WriteFile(filepath.Join(folder, fileName(l.name)), b.Bytes(), 0o666); err != nil {
				return fmt.Errorf("sim: save disks: %w", err)
			}
		}
	}
	return nil
}

// ReadDisk reads the logs of one node that SaveDisks wrote, DIR being the node's folder disk, in the order of their files.
// The error says that a file cannot be read at all, or is none of SaveDisks.
func ReadDisk(dir string) ([]nodes.StoredLog, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("sim: read disk: %w", err)
	}
	var all []nodes.StoredLog
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, fmt.Errorf("sim: read disk: %w", err)
		}
		name, err := url.PathUnescape(f.Name())
		if err != nil {
			return nil, fmt.Errorf("sim: read disk: %s is no name of a log: %w", f.Name(), err)
		}
		l, err := ReadLog(text)
		if err == nil && l.Torn > 0 { // SaveDisks writes whole frames
			err = fmt.Errorf("log file: the last %d of %d bytes: %w", l.Torn, len(text), ErrDamaged)
		}
		all = append(all, nodes.StoredLog{Name: name, File: f.Name(), Snapshot: l.Snapshot, First: l.First, Records: l.Records, Damage: err})
	}
	return all, nil
}

func (l *log) file() LogFile {
	synced := -1
	if l.synced.first == l.written.first && bytes.Equal(l.synced.snapshot, l.written.snapshot) {
		synced = len(l.synced.records)
	}
	return LogFile{Snapshot: l.written.snapshot, First: l.written.first, Records: l.written.records, Synced: synced, Damaged: l.written.damaged}
}

// fileName keeps letters, digits, '_', '-' and a '.' that is not the first byte; the rest becomes %XX.
func fileName(name string) string {
	var b strings.Builder
	for i := range len(name) {
		ch := name[i]
		switch {
		case 'a' <= ch && ch <= 'z', 'A' <= ch && ch <= 'Z', '0' <= ch && ch <= '9', ch == '_', ch == '-', ch == '.' && i > 0:
			b.WriteByte(ch)
		default:
			fmt.Fprintf(&b, "%%%02X", ch)
		}
	}
	return b.String()
}
