package history

import (
	"fmt"
	"io"
)

// A Verdict is the judgement of one guarantee, or of a run. NotJudged stands apart; of the others the worst wins.
type Verdict int

const (
	NotJudged    Verdict = iota // this run could not exercise it: no statement is made
	Pass                        // it was exercised and held
	Undetermined                // it could have been exercised and was not, or a budget ran out ("unknown")
	Fail                        // it was broken, and the evidence is there
)

func (v Verdict) String() string { return [...]string{"not-judged", "pass", "unknown", "fail"}[v] }

// MarshalText writes the verdict as its word.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (v *Verdict) UnmarshalText(text []byte) error {
	for w := NotJudged; w <= Fail; w++ {
		if w.String() == string(text) {
			*v = w
			return nil
		}
	}
	return fmt.Errorf("verdict: %q is none of not-judged, pass, unknown, fail", text)
}

// A Result is a verdict and what it rests on.
type Result struct {
	Verdict  Verdict        `json:"verdict"`
	Reason   string         `json:"reason"`             // a sentence that a person can act on
	Ops      []int          `json:"ops,omitempty"`      // the fewest operations that show it, by index
	Evidence map[string]any `json:"evidence,omitempty"` // figures and anything else that a program may want; never floats that vary

	Picture func(io.Writer) error `json:"-"` // writes a view of the failure as a page of its own; nil if there is none
}

// Passed is Pass, with a formatted reason, as the three below.
func Passed(format string, args ...any) Result { return result(Pass, format, args) }

// Doubted is Undetermined: it could have been judged and was not.
func Doubted(format string, args ...any) Result { return result(Undetermined, format, args) }

// Refuted is Fail, with the operations that show it.
func Refuted(ops []int, format string, args ...any) Result {
	r := result(Fail, format, args)
	r.Ops = ops
	return r
}

// Skipped is NotJudged.
func Skipped(format string, args ...any) Result { return result(NotJudged, format, args) }

func result(v Verdict, format string, args []any) Result {
	return Result{Verdict: v, Reason: fmt.Sprintf(format, args...)}
}
