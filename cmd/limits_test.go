package cmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// subsets is a history that takes long to judge: the sum that is read is that of none of 2^40 subsets.
func subsets(t *testing.T) string {
	t.Helper()
	var file strings.Builder
	for i := range 40 {
		fmt.Fprintf(&file, `{"type":"invoke","f":"add","value":%d,"process":%d}`+"\n", 2*(1<<i), i)
	}
	fmt.Fprintf(&file, `{"type":"invoke","f":"read","process":99}`+"\n"+`{"type":"ok","f":"read","value":%d,"process":99}`+"\n", 1<<30+1)
	path := filepath.Join(t.TempDir(), "subsets.jsonl")
	if err := os.WriteFile(path, []byte(file.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestALimitOfTimeMakesAVerdictUnknown(t *testing.T) {
	j := check(t, Unknown, "--model", "linearizable-counter", "--budget", "1000000000", "--time-limit", "20ms", subsets(t))
	if want := "not decided within the time limit of 20ms"; j.Reason != want {
		t.Errorf("the reason is %q, not %q", j.Reason, want)
	}
}

func TestALimitOfMemoryMakesAVerdictUnknown(t *testing.T) {
	j := check(t, Unknown, "--model", "linearizable-counter", "--budget", "1000000000", "--memory-limit", "1MiB", subsets(t))
	if want := "not decided within the memory limit of 1MiB"; j.Reason != want {
		t.Errorf("the reason is %q, not %q", j.Reason, want)
	}
}

func TestAWrongLimitIsRefusedInASentence(t *testing.T) {
	for _, wrong := range [][2]string{{"--time-limit=-1s", "at least 0"}, {"--time-limit=5", "a duration"}, {"--memory-limit=-5", "a size"}, {"--memory-limit=much", "a size"}} {
		status, _, errs := lab(t, "check", "--model", "set", wrong[0], "nowhere")
		if status != Usage || !strings.Contains(errs, wrong[1]) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: status %d, %q", wrong[0], status, errs)
		}
	}
}

func TestWorkThatDoesNotEndIsLeftBehind(t *testing.T) {
	for name, deaf := range map[string]bool{"work that listens": false, "work that does not": true} {
		l := limits{time: time.Millisecond}
		release := make(chan struct{})
		err := l.within(t.Context(), func(ctx context.Context) {
			<-ctx.Done()
			if deaf {
				<-release
			}
		})
		close(release)
		if (err != nil) != deaf {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnInterruptedCommandSaysSo(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	cause := ""
	(&limits{}).within(ctx, func(ctx context.Context) {
		stop()
		<-ctx.Done()
		cause = context.Cause(ctx).Error()
	})
	if cause != "interrupted before it was decided" {
		t.Errorf("the cause is %q", cause)
	}
}
