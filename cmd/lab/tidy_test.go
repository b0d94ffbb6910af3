package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// This file holds the rules of the house that a compiler does not: who may import whom, what a system may not touch,
// and what must be said of every package and name.

const module = "faultlab/"

// arrows says what of this module each folder may import; the first row that matches counts. A star is any one name.
// Tests are free to import what they test against.
var arrows = []struct {
	folder string
	may    []string
}{
	{"cmd/lab", []string{"cmd", "labs/*"}},
	{"cmd", []string{"labs", "labs/report", "checker", "checker/*", "nemesis", "nodes", "nodes/wire", "nodes/host", "nodes/cluster/*", "nodes/cluster/docker/holder"}},
	{"labs/report", []string{"labs", "checker", "checker/*", "nemesis", "nodes", "nodes/wire"}},
	{"labs/*", []string{"labs", "checker", "checker/*", "nemesis", "nodes", "nodes/*"}},
	{"labs", []string{"checker", "checker/*", "nemesis", "nodes", "nodes/wire"}},
	{"checker", []string{"checker/*"}},
	{"checker/history", nil},
	{"checker/merkle", nil},
	{"checker/ledger", []string{"checker/merkle"}},
	{"checker/*", []string{"checker/history"}},
	{"nemesis", []string{"nodes", "nodes/wire"}},
	{"nodes/cluster/docker", []string{"nodes", "nodes/wire", "nodes/host", "nodes/cluster/live", "nodes/cluster/docker/holder"}},
	{"nodes/cluster/live", nil},
	{"nodes/cluster/docker/holder", nil},
	{"nodes/cluster/*", []string{"nodes", "nodes/wire", "nodes/host", "nodes/cluster/live"}},
	{"nodes/nodestest", []string{"nodes", "nodes/wire"}},
	{"nodes/wire", []string{"nodes"}},
	{"nodes/host", []string{"nodes", "nodes/wire"}},
	{"nodes/raftlog", []string{"nodes"}},
	{"nodes/pack", nil},
	{"nodes/*", []string{"nodes", "nodes/raftlog", "nodes/pack"}},
	{"nodes", nil},
}

// What a system may not import: it acts on the world through its Env alone, or a run could not be repeated.
var outside = []string{"os", "net", "sync", "context", "math/rand", "crypto/rand", "runtime", "syscall", "log", "plugin", "unsafe"}

// The functions of package time that read a clock or wait on one.
var clocks = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"}

// A file is one Go file: its folder and name from the root of the module, with slashes, and its text.
type file struct{ name, text string }

// untidy says how these files break the rules of the house, one sentence for each breach, in the order of the files.
func untidy(files []file) []string {
	var says []string
	set := token.NewFileSet()
	described, first := map[string]bool{}, map[string]string{}
	for _, f := range files {
		tree, err := parser.ParseFile(set, f.name, f.text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			says = append(says, err.Error())
			continue
		}
		folder := path.Dir(f.name)
		say := func(at token.Pos, format string, args ...any) {
			says = append(says, fmt.Sprintf("%s:%d: ", f.name, set.Position(at).Line)+fmt.Sprintf(format, args...))
		}
		test := strings.HasSuffix(f.name, "_test.go")
		if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "types", "models"}, tree.Name.Name) {
			say(tree.Package, "a package named %s is about nothing", tree.Name.Name)
		}
		inits(tree, say)
		if test {
			continue
		}
		if first[folder] == "" {
			first[folder] = f.name
		}
		described[folder] = described[folder] || tree.Doc != nil
		imports(tree, folder, say)
		if isSystem(folder) {
			sansIO(tree, say)
		}
		if tree.Name.Name != "main" {
			undescribed(tree, say)
		}
	}
	for _, f := range files {
		if folder := path.Dir(f.name); first[folder] == f.name && !described[folder] {
			says = append(says, folder+": no package comment says what it is for")
		}
	}
	return says
}

type say func(at token.Pos, format string, args ...any)

func inits(tree *ast.File, say say) {
	for _, d := range tree.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			say(f.Pos(), "no init: what runs unasked is not seen")
		}
	}
}

func imports(tree *ast.File, folder string, say say) {
	row := slices.IndexFunc(arrows, func(a struct {
		folder string
		may    []string
	}) bool {
		return matches(a.folder, folder)
	})
	if row < 0 {
		say(tree.Package, "no Go code has its place in %s", folder)
		return
	}
	for _, i := range tree.Imports {
		to, ours := strings.CutPrefix(imported(i), module)
		if ours && !slices.ContainsFunc(arrows[row].may, func(pattern string) bool { return matches(pattern, to) }) {
			say(i.Pos(), "%s may not import %s", folder, to)
		}
	}
}

func matches(pattern, folder string) bool {
	ok, err := path.Match(pattern, folder)
	return ok && err == nil
}

func imported(i *ast.ImportSpec) string {
	p, _ := strconv.Unquote(i.Path.Value)
	return p
}

// isSystem says whether the code of a folder runs inside a node.
func isSystem(folder string) bool {
	return matches("nodes/*", folder) && folder != "nodes/wire" && folder != "nodes/nodestest" && folder != "nodes/host" && folder != "nodes/cluster"
}

func sansIO(tree *ast.File, say say) {
	time := ""
	for _, i := range tree.Imports {
		p := imported(i)
		for _, bad := range outside {
			if p == bad || strings.HasPrefix(p, bad+"/") {
				say(i.Pos(), "a system may not import %s", p)
			}
		}
		if p == "time" {
			time = "time"
			if i.Name != nil {
				time = i.Name.Name
			}
			if time == "." {
				say(i.Pos(), "a system may not import time as .")
			}
		}
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			say(n.Pos(), "a system may not start a goroutine")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && time != "" && x.Name == time && slices.Contains(clocks, n.Sel.Name) {
				say(n.Pos(), "a system may not call time.%s: its time is Env.Now and Env.After", n.Sel.Name)
			}
		}
		return true
	})
}

// undescribed complains of exported names without a doc comment. Methods that only make a type what the standard
// library asks for need none, nor do the values of a type, which says what they are.
func undescribed(tree *ast.File, say say) {
	for _, d := range tree.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Doc == nil && d.Name.IsExported() && (d.Recv == nil || receiver(d).IsExported() && !slices.Contains(plain, d.Name.Name)) {
				say(d.Pos(), "%s has no doc comment", d.Name.Name)
			}
		case *ast.GenDecl:
			if first, ok := d.Specs[0].(*ast.ValueSpec); ok && d.Tok == token.CONST && first.Type != nil {
				continue
			}
			for _, spec := range d.Specs {
				var names []*ast.Ident
				var doc, line *ast.CommentGroup
				switch s := spec.(type) {
				case *ast.TypeSpec:
					names, doc, line = []*ast.Ident{s.Name}, s.Doc, s.Comment
				case *ast.ValueSpec:
					names, doc, line = s.Names, s.Doc, s.Comment
				}
				for _, name := range names {
					if name.IsExported() && d.Doc == nil && doc == nil && line == nil {
						say(name.Pos(), "%s has no doc comment", name.Name)
					}
				}
			}
		}
	}
}

var plain = []string{"String", "Error", "Unwrap", "Len", "Less", "Swap"}

func receiver(f *ast.FuncDecl) *ast.Ident {
	t := f.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x
		default:
			return ast.NewIdent("_")
		}
	}
}

// house is all Go files of the module.
func house(t *testing.T) (files []file) {
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, p)
		name = filepath.ToSlash(name)
		if d.IsDir() {
			if d.Name() == "testdata" || name == "store" || strings.HasPrefix(d.Name(), ".") && p != root {
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(p, "go.mod")); err == nil && p != root {
				return filepath.SkipDir // a module of its own, to be copied out
			}
			return nil
		}
		if strings.HasSuffix(name, ".go") {
			text, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			files = append(files, file{name, string(text)})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestTheHouseIsTidy(t *testing.T) {
	files := house(t)
	if len(files) < 20 {
		t.Fatalf("found only %d files", len(files))
	}
	for _, breach := range untidy(files) {
		t.Error(breach)
	}
}

// Each rule, planted and found: text is a file of a package that has its comment.
func TestABreachOfTheRulesIsFound(t *testing.T) {
	for _, c := range []struct {
		title, name, text string
		want              string // "" if it is none
	}{
		{"a system that is as it should be", "nodes/queue/q.go",
			`import ("time"; "faultlab/nodes"; "faultlab/nodes/raftlog"); const Wait = time.Second // how long it waits`, ""},
		{"a system that opens files", "nodes/queue/q.go", `import "os"`, "nodes/queue/q.go:3: a system may not import os"},
		{"a system that hides it behind a name", "nodes/queue/q.go", `import fine "os/exec"`, "nodes/queue/q.go:3: a system may not import os/exec"},
		{"a system that dials", "nodes/queue/q.go", `import "net/http"`, "nodes/queue/q.go:3: a system may not import net/http"},
		{"a system that locks", "nodes/queue/q.go", `import "sync/atomic"`, "nodes/queue/q.go:3: a system may not import sync/atomic"},
		{"a system that waits for others", "nodes/queue/q.go", `import "context"`, "nodes/queue/q.go:3: a system may not import context"},
		{"a system with chance of its own", "nodes/queue/q.go", `import "math/rand/v2"`, "nodes/queue/q.go:3: a system may not import math/rand/v2"},
		{"a log with a goroutine", "nodes/raftlog/r.go", "func f() {\n\tgo func() {}()\n}", "nodes/raftlog/r.go:4: a system may not start a goroutine"},
		{"a system that looks at the clock", "nodes/queue/q.go", `import "time"; var t = time.Now()`, "nodes/queue/q.go:3: a system may not call time.Now: its time is Env.Now and Env.After"},
		{"a system that passes the clock on", "nodes/queue/q.go", `import "time"; var f = time.Now`, "nodes/queue/q.go:3: a system may not call time.Now: its time is Env.Now and Env.After"},
		{"a system with another name for time", "nodes/queue/q.go", `import t "time"; func f() { t.Sleep(1) }`, "nodes/queue/q.go:3: a system may not call time.Sleep: its time is Env.Now and Env.After"},
		{"a system with no name for time", "nodes/queue/q.go", `import . "time"`, "nodes/queue/q.go:3: a system may not import time as ."},
		{"a test of a system may do all that", "nodes/queue/q_test.go", `import ("os"; "faultlab/nodes/cluster/sim")`, ""},
		{"a runtime may too", "nodes/cluster/process/p.go", `import ("os"; "sync"; "faultlab/nodes"; "faultlab/nodes/wire")`, ""},

		{"a system that knows its nemesis", "nodes/queue/q.go", `import "faultlab/nemesis"`, "nodes/queue/q.go:3: nodes/queue may not import nemesis"},
		{"a system that knows another", "nodes/queue/q.go", `import "faultlab/nodes/settlement"`, "nodes/queue/q.go:3: nodes/queue may not import nodes/settlement"},
		{"a contract that knows a system", "nodes/n.go", `import "faultlab/nodes/queue"`, "nodes/n.go:3: nodes may not import nodes/queue"},
		{"a host may open files, lock and look at the clock", "nodes/host/h.go", `import ("os"; "sync"; "time"; "faultlab/nodes/wire"); var t = time.Now()`, ""},
		{"a host that knows a runtime", "nodes/host/h.go", `import "faultlab/nodes/cluster/sim"`, "nodes/host/h.go:3: nodes/host may not import nodes/cluster/sim"},
		{"a host that knows a system", "nodes/host/h.go", `import "faultlab/nodes/queue"`, "nodes/host/h.go:3: nodes/host may not import nodes/queue"},
		{"a system that knows its host", "nodes/queue/q.go", `import "faultlab/nodes/host"`, "nodes/queue/q.go:3: nodes/queue may not import nodes/host"},
		{"a runtime that knows labs", "nodes/cluster/sim/s.go", `import "faultlab/labs"`, "nodes/cluster/sim/s.go:3: nodes/cluster/sim may not import labs"},
		{"a lab that knows a runtime", "labs/queue/l.go", `import "faultlab/nodes/cluster/sim"`, "labs/queue/l.go:3: labs/queue may not import nodes/cluster/sim"},
		{"the engine of labs that knows a lab", "labs/l.go", `import "faultlab/labs/queue"`, "labs/l.go:3: labs may not import labs/queue"},
		{"a nemesis that judges", "nemesis/n.go", `import "faultlab/checker/history"`, "nemesis/n.go:3: nemesis may not import checker/history"},
		{"a checker that knows nodes", "checker/c.go", `import "faultlab/nodes"`, "checker/c.go:3: checker may not import nodes"},
		{"a history that knows its checkers", "checker/history/h.go", `import "faultlab/checker/txn"`, "checker/history/h.go:3: checker/history may not import checker/txn"},
		{"a page that knows the commands", "labs/report/r.go", `import "faultlab/cmd"`, "labs/report/r.go:3: labs/report may not import cmd"},
		{"commands that know a lab", "cmd/c.go", `import "faultlab/labs/queue"`, "cmd/c.go:3: cmd may not import labs/queue"},
		{"code where none belongs", "docker/d.go", ``, "docker/d.go:2: no Go code has its place in docker"},

		{"something that runs unasked", "checker/c.go", `func init() {}`, "checker/c.go:3: no init: what runs unasked is not seen"},
		{"even in a test", "checker/c_test.go", `func init() {}`, "checker/c_test.go:3: no init: what runs unasked is not seen"},
		{"a method of that name runs when it is asked", "checker/c.go", `type t int; func (t) init() {}`, ""},
		{"a function without a comment", "checker/c.go", `func F() {}`, "checker/c.go:3: F has no doc comment"},
		{"a method without a comment", "checker/c.go", "// T is.\ntype T[X any] struct{}\nfunc (*T[X]) Do() {}\nfunc (T[X]) String() string { return \"\" }", "checker/c.go:5: Do has no doc comment"},
		{"a type without a comment", "checker/c.go", `type T struct{}`, "checker/c.go:3: T has no doc comment"},
		{"a constant without a comment", "checker/c.go", "const (\n\tA = 1 // is one\n\tB = 2\n)", "checker/c.go:5: B has no doc comment"},
		{"constants that are the values of a type", "checker/c.go", "// T is one of these.\ntype T int\nconst (\n\tA T = iota\n\tB\n)", ""},
		{"constants with one comment for all", "checker/c.go", "// Numbers.\nconst (\n\tA = 1\n\tB = 2\n)", ""},
		{"what nobody else sees", "checker/c.go", "type t struct{}\nfunc (t) Do() {}\nfunc f() {}", ""},
		{"a file that does not parse", "checker/c.go", "func {", "checker/c.go:3:6: expected 'IDENT', found '{'"},
	} {
		t.Run(c.title, func(t *testing.T) {
			got := strings.Join(untidy([]file{{c.name, "// Package p is for this test.\npackage p\n" + c.text}}), "\n")
			if got != c.want {
				t.Errorf("%q, not %q", got, c.want)
			}
		})
	}
	t.Run("a package that says nothing of itself", func(t *testing.T) {
		got := untidy([]file{{"checker/a.go", "package checker"}, {"checker/b.go", "package checker"}, {"nemesis/a.go", "package nemesis"}, {"nemesis/b.go", "// Package nemesis harms.\npackage nemesis"}})
		if want := []string{"checker: no package comment says what it is for"}; !slices.Equal(got, want) {
			t.Errorf("%q, not %q", got, want)
		}
	})
	t.Run("a package named for nothing", func(t *testing.T) {
		got := untidy([]file{{"checker/util.go", "// Package util helps.\npackage util"}})
		if want := []string{"checker/util.go:2: a package named util is about nothing"}; !slices.Equal(got, want) {
			t.Errorf("%q, not %q", got, want)
		}
	})
}
