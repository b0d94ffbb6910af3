package sim

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
