package wire

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"faultlab/nodes"
)

func TestAMessageIsALineAndComesBackAsItWas(t *testing.T) {
	for _, tc := range []struct {
		m    Message
		line string
	}{
		{Message{Src: "c1", Dest: "n1", ID: 1, Type: "read", Body: []byte(`{"type":"read","key":"x"}`)},
			`{"src":"c1","dest":"n1","body":{"type":"read","key":"x","msg_id":1}}`},
		{Message{Src: "n1", Dest: "c1", InReplyTo: 1, Type: "ok", Body: []byte(`{"type":"ok"}`)},
			`{"src":"n1","dest":"c1","body":{"type":"ok","in_reply_to":1}}`},
		{Message{Src: "n1", Dest: "n2", Type: "a", Body: []byte(`{"type":"a"}`)},
			`{"src":"n1","dest":"n2","body":{"type":"a"}}`},
		{Message{Src: "n1", Dest: "n2", ID: 1<<64 - 1, InReplyTo: 2, Type: "a", Body: []byte("{\"type\":\"a\"}\n")},
			`{"src":"n1","dest":"n2","body":{"type":"a","msg_id":18446744073709551615,"in_reply_to":2}}`},
		{Message{Src: "\"q\"\\", Dest: "é\n", Type: "a", Body: []byte(`{"type":"a"}`)},
			`{"src":"\"q\"\\","dest":"é\n","body":{"type":"a"}}`},
	} {
		line, err := tc.m.Append([]byte("x"))
		if err != nil || string(line) != "x"+tc.line+"\n" {
			t.Errorf("%+v is %s, %v; want %s", tc.m, line, err, tc.line)
			continue
		}
		back, err := ReadMessage(line[1:])
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		body := string(back.Body)
		tc.m.Body, back.Body = nil, nil
		if !reflect.DeepEqual(back, tc.m) || !strings.Contains(tc.line, `"body":`+body+"}") {
			t.Errorf("%s comes back as %+v with body %s", line, back, body)
		}
	}
}

func TestWhatIsNotAMessageIsAnError(t *testing.T) {
	for _, tc := range []struct{ line, want string }{
		{``, "wire: message: unexpected end of JSON input"},
		{`{}`, "wire: message: body: not an object with a type"},
		{`{"src":"a","dest":"b","body":{}}`, "wire: message: body: not an object with a type"},
		{`{"src":"a","dest":"b","body":null}`, "wire: message: body: not an object with a type"},
		{`{"src":"a","dest":"b","body":7}`, "wire: message: body: json: cannot unmarshal number"},
		{`{"src":"a","dest":"b","body":{"type":"x","msg_id":-1}}`, "wire: message: body: json: cannot unmarshal number"},
		{`{"src":7}`, "wire: message: json: cannot unmarshal number"},
		{`hello`, "wire: message: invalid character"},
	} {
		if m, err := ReadMessage([]byte(tc.line)); err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%q is %+v, %v; want an error that begins with %q", tc.line, m, err, tc.want)
		}
	}
	for _, body := range []string{"", "{}", "[1234567890]", `{"type":"a`, "{\"type\":\n\"abc\"}"} {
		if line, err := (Message{Src: "a", Body: []byte(body)}).Append([]byte("x")); err == nil || string(line) != "x" {
			t.Errorf("the body %q makes the line %q, %v", body, line, err)
		}
	}
	if _, err := (Message{Src: "a"}).Append(nil); !errors.Is(err, ErrNotObject) {
		t.Error(err)
	}
}

func TestARequestIsAnsweredUnderItsNumber(t *testing.T) {
	if from := (Message{Src: "c3", ID: 17}).From(); from != nodes.Request("c3", 17) {
		t.Error(from)
	}
	if from := (Message{Src: "b1"}).From(); from != "b1" {
		t.Error(from)
	}
	if m := To("a1", nodes.Request("c3", 17), nil); m.Dest != "c3" || m.InReplyTo != 17 || m.Src != "a1" {
		t.Errorf("%+v", m)
	}
	if m := To("a1", "b1", nil); m.Dest != "b1" || m.InReplyTo != 0 {
		t.Errorf("%+v", m)
	}
}

func TestAnErrorIsABodyLikeAnyOther(t *testing.T) {
	c := Must(Error{})
	text, err := c.Encode(Error{Unavailable, "no leader"})
	if err != nil || string(text) != `{"type":"error","code":11,"text":"no leader"}` {
		t.Errorf("%s, %v", text, err)
	}
	for code, definite := range map[Code]bool{Timeout: false, NodeNotFound: true, NotSupported: true, Crash: false, Conflict: true, 1000: false} {
		if code.Definite() != definite {
			t.Errorf("code %d is definite: %v", code, !definite)
		}
	}
}

func FuzzReadMessage(f *testing.F) {
	for _, seed := range []string{`{"src":"c1","dest":"n1","body":{"type":"read","key":"x","msg_id":1}}`, `{"src":"\"","body":{"type":"a","in_reply_to":3}}`, `{`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		m, err := ReadMessage(line)
		if err != nil {
			return
		}
		out, err := To(m.Src, m.Dest, m.Body).Append(nil)
		if err != nil {
			return // a body on several lines, or one with spaces where Encode has none
		}
		if back, err := ReadMessage(out); err != nil || back.Type != m.Type {
			t.Fatalf("%s became %s, %v", line, out, err)
		}
	})
}

func BenchmarkReadMessage(b *testing.B) {
	line := []byte(`{"src":"c1","dest":"n1","body":{"type":"txn","session":"c1","number":7,"ops":[{"f":"append","key":"A1/l3","value":77},{"f":"r","key":"A1/l3"}],"msg_id":1}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ReadMessage(line); err != nil {
			b.Fatal(err)
		}
	}
}
