// Command wrong is nodes that break the protocol, each in the way that its argument names.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

func main() {
	how := os.Args[1]
	if how == "exits" {
		fmt.Println("I would rather not")
		time.Sleep(100 * time.Millisecond) // the engine knows no order of two pipes
		fmt.Fprintln(os.Stderr, "is this what you want?")
		os.Exit(7)
	}
	if how == "floods" { // its output, and later the lab
		for i := range 200_000 {
			fmt.Println(i, strings.Repeat("x", 100))
		}
	}
	l, err := net.Listen("tcp", os.Getenv("LAB_LISTEN"))
	if err != nil {
		panic(err)
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			panic(err)
		}
		go serve(conn, how)
	}
}

func serve(conn net.Conn, how string) {
	defer conn.Close()
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		var m struct {
			Src, Dest string
			Body      struct {
				Type  string
				MsgID int `json:"msg_id"`
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			panic(err)
		}
		say := func(body string) {
			fmt.Fprintf(conn, `{"src":%q,"dest":%q,"body":{"in_reply_to":%d,%s}}`+"\n", m.Dest, m.Src, m.Body.MsgID, body)
		}
		switch {
		case how == "silent":
			time.Sleep(time.Hour)
		case how == "says-no":
			fmt.Fprintln(conn, "no")
		case m.Body.Type == "init":
			say(`"type":"init_ok"`)
		case how == "garbage":
			fmt.Fprintln(conn, "{{{ not a message")
		case how == "unknown":
			say(`"type":"riddle"`)
		case how == "misdirects":
			fmt.Fprintf(conn, `{"src":"n1","dest":"n1","body":{"type":"put","n":1}}`+"\n")
		case how == "hangs-up":
			return
		case how == "dies":
			fmt.Println("enough of this")
			os.Exit(9)
		case how == "endless":
			for {
				if _, err := fmt.Fprint(conn, strings.Repeat("x", 1<<16)); err != nil {
					return
				}
			}
		case how == "floods":
			for {
				if _, err := fmt.Fprintln(conn, `{"src":"n1","dest":"c99","body":{"type":"stored","in_reply_to":1}}`); err != nil {
					return
				}
			}
		}
	}
}
