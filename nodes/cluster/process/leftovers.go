package process

import (
	"os"
	"path/filepath"
	"time"
)

// A lab that is killed leaves its nodes and the folder that they work in. It holds a lock on a file in that folder for as
// long as it lives, in whatever space of process numbers: by that the next lab tells a folder that nobody needs any more.

const (
	folderPrefix = "lab-nodes-"
	claimName    = ":claim" // which no node's folder is called
	unclaimed    = time.Minute
)

// newFolder makes a folder for nodes, and claims it until the claim is closed.
func newFolder() (dir string, claim *os.File, err error) {
	if dir, err = os.MkdirTemp("", folderPrefix); err != nil {
		return "", nil, err
	}
	// It gets its name once it is locked, so that nobody finds it free before.
	if claim, err = os.Create(filepath.Join(dir, claimName+".new")); err == nil && !lock(claim) {
		err = &os.PathError{Op: "lock", Path: claim.Name(), Err: os.ErrExist}
	}
	if err == nil {
		err = os.Rename(claim.Name(), filepath.Join(dir, claimName))
	}
	if err != nil {
		if claim != nil {
			claim.Close()
		}
		os.RemoveAll(dir)
		return "", nil, err
	}
	return dir, claim, nil
}

// Clean ends the nodes that labs left which were killed, removes the folders that those worked in, and says what it did.
func Clean() (removed []string) {
	removed = sweepAbandoned()
	for _, dir := range leftFolders() {
		if os.RemoveAll(dir) == nil {
			removed = append(removed, "folder "+dir)
		}
	}
	return removed
}

// Left is how many folders Clean would remove.
func Left() int { return len(leftFolders()) }

func leftFolders() (left []string) {
	all, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	for _, dir := range all {
		if abandoned(dir) {
			left = append(left, dir)
		}
	}
	return left
}

// abandoned says that no lab claims a folder any more, nor is about to.
func abandoned(dir string) bool {
	claim, err := os.OpenFile(filepath.Join(dir, claimName), os.O_RDWR, 0)
	if err != nil {
		info, gone := os.Stat(dir)
		return os.IsNotExist(err) && gone == nil && time.Since(info.ModTime()) > unclaimed
	}
	defer claim.Close()
	return lock(claim)
}
