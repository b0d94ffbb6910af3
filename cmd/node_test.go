package cmd

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"faultlab/labs"
	"faultlab/labs/testdata/register"
)

const nodeArgs = "FAULTLAB_TEST_ARGS" // this test, called again, is the program with these arguments

func TestMain(m *testing.M) {
	if args := os.Getenv(nodeArgs); args != "" {
		a := &app{labs: []labs.Lab{register.Lab()}, name: "./lab", out: os.Stdout, err: os.Stderr, screen: screen{width: 80}}
		os.Exit(a.run(context.Background(), strings.Fields(args)))
	}
	os.Exit(m.Run())
}

// node runs lab node on these lines, until they end.
func node(t *testing.T, args, lines string) (status int, out, err string) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), nodeArgs+"=node register --stdio "+args)
	var o, e bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(lines), &o, &e
	_ = c.Run()
	return c.ProcessState.ExitCode(), o.String(), e.String()
}

func TestANodeOnStandardInputAndOutput(t *testing.T) {
	init := `{"src":"lab","dest":"n1","body":{"type":"init","msg_id":1,"node_id":"n1","node_ids":["n1"]}}` + "\n"
	status, out, err := node(t, "", init)
	if status != Held || !strings.HasPrefix(out, `{"src":"n1","dest":"lab","body":{"type":"init_ok","in_reply_to":1}}`+"\n") || err != "" {
		t.Errorf("status %d, %q, %q", status, out, err)
	}
	dir := filepath.Join(t.TempDir(), "a", "b")
	status, out, err = node(t, "--data "+dir, strings.Replace(init, `"node_ids"`, `"boot":"sometimes","node_ids"`, 1))
	if status != Cannot || !strings.Contains(out, `"type":"error"`) || err != "lab: host: boot \"sometimes\": new, restart or replaced is wanted\n" {
		t.Errorf("status %d, %q, %q", status, out, err)
	}
	status, _, err = node(t, "", strings.Replace(init, `"node_ids"`, `"bug":"panic-at-1000","node_ids"`, 1)+
		`{"src":"c1","dest":"n1","body":{"type":"put","msg_id":1,"n":1000}}`+"\n")
	if status != nodeCrashed || !strings.HasPrefix(err, "lab: panic: the number is too large (register.go:60)\n") {
		t.Errorf("status %d, %q", status, err)
	}
	io := `{"src":"lab","dest":"n1","body":{"type":"ctl","msg_id":1,"disk":{"io_error":true}}}` + "\n"
	status, _, err = node(t, "--data "+dir, io+init)
	if status != diskFailed || !strings.HasPrefix(err, "lab: host: disk: read ") || strings.Count(err, "\n") != 1 {
		t.Errorf("status %d, %q", status, err)
	}
}

func TestANodesAddressMayBeTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("LAB_LISTEN", l.Addr().String())
	t.Setenv("LAB_DATA", t.TempDir())
	status, _, text := lab(t, "node", "register")
	if status != Cannot || !strings.Contains(text, "address already in use") || strings.Count(text, "\n") != 1 {
		t.Errorf("status %d, %q", status, text)
	}
}
