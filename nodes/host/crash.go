package host

import (
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// A Crash is the error of a host whose node did what no node may: it panicked or flooded.
type Crash struct {
	What  string // "panic: index out of range [3] with length 3 (queue.go:41)"
	Stack []byte
}

func (c *Crash) Error() string { return c.What }

// crashed makes a Crash of what was recovered. It is called in the deferred function that recovered it.
func crashed(what any) *Crash { return &Crash{describe(what), debug.Stack()} }

// describe says what a panic was and where in the node's code.
func describe(what any) string {
	text := fmt.Sprint(what)
	if strings.HasPrefix(text, "flooded: ") {
		return text
	}
	if err, ok := what.(runtime.Error); ok {
		text = strings.TrimPrefix(err.Error(), "runtime error: ")
	}
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	f, more := frames.Next()
	own := strings.TrimSuffix(f.Function, "describe")
	for panicked := false; more; {
		f, more = frames.Next()
		if panicked && !strings.HasPrefix(f.Function, "runtime.") && !strings.HasPrefix(f.Function, own) {
			return "panic: " + text + " (" + filepath.Base(f.File) + ":" + strconv.Itoa(f.Line) + ")"
		}
		panicked = panicked || f.Function == "runtime.gopanic"
	}
	return "panic: " + text
}
