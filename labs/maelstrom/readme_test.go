package maelstrom

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"faultlab/labs"
)

// With -rewrite the guide is written anew instead.
func TestTheGuideSaysWhatTheLabsSay(t *testing.T) {
	text := guide
	for name, block := range map[string]string{"labs": sayLabs(), "all": sayAll(), "mistakes": sayMistakes()} {
		begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
		head, rest, ok := strings.Cut(text, begin)
		_, tail, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("README.md has no place for %s", name)
		}
		text = head + begin + block + end + tail
	}
	if text == guide {
		return
	}
	if f := flag.Lookup("rewrite"); f != nil && f.Value.String() == "true" {
		if err := os.WriteFile("README.md", []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Error("README.md does not say what the labs say: go test ./labs/maelstrom -run Guide -rewrite, and read what changed")
}

func sayLabs() string {
	var b strings.Builder
	for _, l := range Labs() {
		fmt.Fprintf(&b, "\n### %s\n\n%s.\n", l.Name, strings.ToUpper(l.About[:1])+l.About[1:])
		for _, x := range l.Messages {
			b.WriteString("\n" + x.Markdown())
		}
		b.WriteString(sayPromises(l, func(id string) bool { return id != "M1" && id != "R1" }))
	}
	return b.String() + "\n"
}

func sayPromises(l labs.Lab, of func(id string) bool) string {
	t, err := l.Topology(0)
	if err != nil {
		return err.Error()
	}
	text := "\n| id | promise | |\n|---|---|---|\n"
	for _, g := range l.Promises(t, labs.Demands{}) {
		if of(g.ID) {
			text += fmt.Sprintf("| %s | %s | %s |\n", g.ID, g.Name, g.Statement)
		}
	}
	return text
}

func sayAll() string {
	return sayPromises(EchoLab(), func(id string) bool { return id[0] != 'E' }) + "\n"
}

func sayMistakes() string {
	text := "\n| workload | mistake | what the program does | faults | caught by | with a reason such as |\n|---|---|---|---|---|---|\n"
	for _, m := range mistakes {
		text += fmt.Sprintf("| %s | %s | %s | %s | %s | %s |\n", m.lab, m.name, m.about, m.nemesis, m.caught, m.reason)
	}
	return text + "\n"
}

// The examples are what is sent: as messages they are the same, to the byte.
func TestExamplesOfMessagesAreMessages(t *testing.T) {
	for _, l := range Labs() {
		if len(l.Messages) == 0 {
			t.Errorf("%s names no messages", l.Name)
		}
		for _, x := range l.Messages {
			ask, err := codec.Decode([]byte(x.Ask))
			answer, err2 := codec.Decode([]byte(x.Answer))
			if err != nil || err2 != nil {
				t.Errorf("%s: %v, %v", l.Name, err, err2)
				continue
			}
			for _, m := range []struct {
				body any
				want string
			}{{ask, x.Ask}, {answer, x.Answer}} {
				if got, err := codec.Encode(m.body); err != nil || string(got) != m.want {
					t.Errorf("%s: %s is sent as %s (%v)", l.Name, m.want, got, err)
				}
			}
			if got := l.Outcome(ask, answer); got != "ok" {
				t.Errorf("%s: %s as a reply to %s is %s", l.Name, x.Answer, x.Ask, got)
			}
		}
	}
}
