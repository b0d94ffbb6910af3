package nodes

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// Panicked says what a panic was and where in the node's code, as Broken.What has it. A host calls it in the deferred
// function that recovered the panic, or in a function of its own that this one calls: frames of the host's package are
// passed over, since what the host refuses is the mistake of the node that asked for it. Of a value that has no text of
// its own it says the type, since printed it may show addresses, which differ from run to run.
func Panicked(what any) string {
	text := fmt.Sprintf("%T", what)
	switch what.(type) {
	case error, string, fmt.Stringer:
		text = fmt.Sprint(what)
	}
	if strings.HasPrefix(text, "flooded: ") {
		return text
	}
	if err, ok := what.(runtime.Error); ok {
		text = strings.TrimPrefix(err.Error(), "runtime error: ")
	}
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	f, more := frames.Next()
	base := strings.LastIndexByte(f.Function, '/') + 1
	host := f.Function[:base+strings.IndexByte(f.Function[base:], '.')+1]
	for panicked := false; more; {
		f, more = frames.Next()
		if panicked && !strings.HasPrefix(f.Function, "runtime.") && !strings.HasPrefix(f.Function, host) {
			return "panic: " + text + " (" + filepath.Base(f.File) + ":" + strconv.Itoa(f.Line) + ")"
		}
		panicked = panicked || f.Function == "runtime.gopanic"
	}
	return "panic: " + text
}
