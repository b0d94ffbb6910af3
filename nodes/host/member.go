package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"faultlab/nodes"
)

const memberName = "member"

// member is the file of a data folder that says whose it is.
type member struct {
	Format int      `json:"format"`
	ID     nodes.ID `json:"id"`
	Boots  uint64   `json:"boots"`
}

// enter notes a boot of a node in its folder, and says what kind of boot it is.
func enter(dir string, id nodes.ID, word string) (boot nodes.Boot, boots uint64, err error) {
	m := member{Format: 1, ID: id}
	text, err := os.ReadFile(filepath.Join(dir, memberName))
	used := err == nil
	switch {
	case used:
		if err := json.Unmarshal(text, &m); err != nil || m.Format != 1 {
			return 0, 0, fmt.Errorf("host: %s: not a file of a node's folder", filepath.Join(dir, memberName))
		}
	case !errors.Is(err, fs.ErrNotExist):
		return 0, 0, fmt.Errorf("host: %w", err)
	}
	if m.ID != id {
		return 0, 0, fmt.Errorf("host: the folder %s belongs to %s, not to %s", dir, m.ID, id)
	}
	switch word {
	case "":
		if used {
			boot = nodes.Restart
		}
	case nodes.New.String():
		if used {
			return 0, 0, fmt.Errorf("host: %s is to boot as new, but the folder %s has been used", id, dir)
		}
	case nodes.Restart.String():
		boot = nodes.Restart
	case nodes.Replaced.String():
		boot = nodes.Replaced
	default:
		return 0, 0, fmt.Errorf("host: boot %q: new, restart or replaced is wanted", word)
	}
	m.Boots++
	text, err = json.Marshal(m)
	if err == nil {
		err = writeWhole(filepath.Join(dir, memberName), append(text, '\n'))
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("host: %w", err)
	}
	return boot, m.Boots, nil
}
