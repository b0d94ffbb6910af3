package settlement

import (
	"fmt"
	"strings"
	"testing"
)

func TestTheGuideSaysEveryPromiseInTheSameWords(t *testing.T) {
	top, err := topology(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range guarantees(top) {
		if row := fmt.Sprintf("\n| %s | %s | %s |", g.ID, g.Name, g.Statement); !strings.Contains(guide, row) {
			t.Errorf("README.md has no row that begins with %s", row)
		}
	}
}

func TestTheGuideNamesEveryKnownBug(t *testing.T) {
	for _, b := range Lab().System.Bugs {
		if row := fmt.Sprintf("\n| %s | %s | %s |", b.Name, b.About, strings.Join(b.Refutes, ", ")); !strings.Contains(guide, row) {
			t.Errorf("README.md has no row %s", row)
		}
	}
}
