package host

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// This file is the names in a data folder:
//
//	member          which node the folder belongs to, and how often that was booted
//	lock            held by the process that uses the folder
//	synced          the marks
//	STEM.GEN.log    a generation of a log
//	saved/          what Save keeps
//
// What ends in .tmp is not whole, and is deleted.

const (
	logSuffix = ".log"
	tmpSuffix = ".tmp"
	savedName = "saved"
	stemMax   = 200
)

// stemOf is the name of a log as a file system takes it: whatever is not a letter, a digit or a dash is escaped, and a
// long name is cut and made unique again by its hash.
func stemOf(name string) string {
	if name == "" {
		return "%"
	}
	var b strings.Builder
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	if stem := b.String(); len(stem) <= stemMax {
		return stem
	}
	sum := sha256.Sum256([]byte(name))
	return b.String()[:stemMax-2*len(sum)] + "~" + hex.EncodeToString(sum[:])
}

func logName(dir, stem string, gen uint64) string {
	return filepath.Join(dir, stem+"."+strconv.FormatUint(gen, 10)+logSuffix)
}

// generations lists the logs of a folder: by stem, their generations from the lowest. Files that are not whole are
// deleted.
func generations(dir string) (map[string][]uint64, error) {
	found, unwhole, err := listed(dir)
	for _, name := range unwhole {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	return found, err
}

// listed is the same, and the names of files that are not whole.
func listed(dir string) (found map[string][]uint64, unwhole []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	found = map[string][]uint64{}
	for _, e := range entries {
		name := e.Name()
		if strings.HasSuffix(name, tmpSuffix) {
			unwhole = append(unwhole, name)
			continue
		}
		base, isLog := strings.CutSuffix(name, logSuffix)
		stem, number, ok := strings.Cut(base, ".")
		gen, err := strconv.ParseUint(number, 10, 64)
		if isLog && ok && err == nil && gen > 0 {
			found[stem] = append(found[stem], gen)
		}
	}
	for _, gens := range found {
		slices.Sort(gens)
	}
	return found, unwhole, nil
}

// syncDir makes the names in a folder durable. Where that cannot be done, on Windows, it need not be.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if e := d.Close(); err == nil {
		err = e
	}
	if err != nil && os.PathSeparator == '\\' {
		return nil
	}
	return err
}
