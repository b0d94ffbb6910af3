//go:build !unix

package host

import (
	"fmt"
	"os"
	"path/filepath"
)

// lock takes a folder for this process, where that is known how to do.
func lock(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	return file, nil
}
