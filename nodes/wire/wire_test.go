package wire

import (
	"encoding/json"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

type (
	Txn   struct{ Key string }
	TxnOK struct {
		Reads []int64 `json:"reads,omitempty"`
		Blob  []byte  `json:"blob,omitempty"`
	}
	Ping      struct{}
	HTTPReply struct {
		From netip.Addr    `json:"from"` // marshals itself
		Wait time.Duration `json:"wait_ns"`
		Raw  json.RawMessage
	}
	ReadV2 struct {
		Txn         // an embedded struct is part of the object
		Next *Txn   `json:"next"`
		Text string `json:"text"`
	}
	Whole  struct{ Object }
	Scalar struct{ time.Time }
)

// Object marshals itself, and everything that embeds it, as an object of its own making.
type Object struct{ n int }

func (o Object) MarshalJSON() ([]byte, error) { return json.Marshal(map[string]int{"n": o.n}) }

func (o *Object) UnmarshalJSON(data []byte) error {
	var v struct{ N int }
	err := json.Unmarshal(data, &v)
	o.n = v.N
	return err
}

func codec(t testing.TB) *Codec {
	c, err := New(Txn{}, TxnOK{}, Ping{}, HTTPReply{}, ReadV2{}, Whole{}, Scalar{}, Txn{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestABodyComesBackAsItWas(t *testing.T) {
	c := codec(t)
	for _, tc := range []struct {
		body any
		text string
	}{
		{Txn{"k<&>"}, `{"type":"txn","Key":"k<&>"}`},
		{TxnOK{Reads: []int64{1, -2}, Blob: []byte("x")}, `{"type":"txn_ok","reads":[1,-2],"blob":"eA=="}`},
		{TxnOK{}, `{"type":"txn_ok"}`},
		{Ping{}, `{"type":"ping"}`},
		{HTTPReply{From: netip.MustParseAddr("10.0.0.1"), Wait: 5, Raw: json.RawMessage(`[1]`)}, `{"type":"http_reply","from":"10.0.0.1","wait_ns":5,"Raw":[1]}`},
		{ReadV2{Txn: Txn{"a"}, Next: &Txn{"b"}}, `{"type":"read_v2","Key":"a","next":{"Key":"b"},"text":""}`},
		{Whole{Object{7}}, `{"type":"whole","n":7}`},
	} {
		text, err := c.Encode(tc.body)
		if err != nil || string(text) != tc.text {
			t.Errorf("%#v is %s, %v; want %s", tc.body, text, err, tc.text)
			continue
		}
		back, err := c.Decode(text)
		if err != nil || !reflect.DeepEqual(back, tc.body) {
			t.Errorf("%s comes back as %#v, %v", text, back, err)
		}
	}
}

func TestTheTypeMayStandAnywhereAndMembersOfTheProtocolAreIgnored(t *testing.T) {
	for _, text := range []string{
		`{"Key":"a","type":"txn"}`,
		` { "msg_id": 3, "type" : "txn", "Key":"a", "in_reply_to":9 } `,
		`{"type":"\u0074xn","Key":"a"}`,
	} {
		if body, err := codec(t).Decode([]byte(text)); err != nil || body != (Txn{"a"}) {
			t.Errorf("%s is %#v, %v", text, body, err)
		}
	}
}

func TestWhatIsNotABodyIsAnError(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{``, "wire: body: unexpected end of JSON input"},
		{`null`, "wire: body: not an object with a type"},
		{`{}`, "wire: body: not an object with a type"},
		{`{"type":7}`, "wire: body: json: cannot unmarshal number"},
		{`[1]`, "wire: body: json: cannot unmarshal array"},
		{`{"type":"nobody"}`, `wire: "nobody": unknown type`},
		{`{"type":"txn","Key":1}`, "wire: txn: json: cannot unmarshal number"},
		{`{"type":"txn"`, "wire: txn: unexpected end of JSON input"},
		{`{"type":"txn"} x`, "wire: txn: invalid character 'x'"},
	} {
		if body, err := codec(t).Decode([]byte(tc.text)); err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%q is %#v, %v; want an error that begins with %q", tc.text, body, err, tc.want)
		}
	}
}

func TestABodyOutsideTheSetIsNotEncoded(t *testing.T) {
	c := codec(t)
	for _, tc := range []struct {
		body any
		want error
	}{{nil, ErrUnknown}, {&Txn{}, ErrUnknown}, {struct{}{}, ErrUnknown}, {7, ErrUnknown}, {Scalar{}, ErrNotObject}} {
		dst, err := c.Append([]byte("before"), tc.body)
		if !errors.Is(err, tc.want) || string(dst) != "before" {
			t.Errorf("%#v: %q, %v; want %v", tc.body, dst, err, tc.want)
		}
	}
}

func TestASetThatCannotBeToldApartIsRefused(t *testing.T) {
	type txn struct{}
	type Typed struct{ Type string }
	type Answer struct {
		ID int `json:"msg_id"`
	}
	for _, tc := range []struct {
		bodies []any
		want   string
	}{
		{[]any{Txn{}, txn{}}, "wire: txn: both wire.Txn and wire.txn have this name"},
		{[]any{Typed{}}, `wire: typed: field "Type" belongs to the message protocol`},
		{[]any{Answer{}}, `wire: answer: field "msg_id" belongs to the message protocol`},
		{[]any{&Txn{}}, "wire: *wire.Txn: a body must be a named struct, not a pointer to one"},
		{[]any{nil}, "wire: <nil>: a body must be a named struct, not a pointer to one"},
		{[]any{7}, "wire: int: a body must be a named struct, not a pointer to one"},
	} {
		if _, err := New(tc.bodies...); err == nil || err.Error() != tc.want {
			t.Errorf("New(%T) says %v, want %s", tc.bodies, err, tc.want)
		}
	}
}

func TestTheVocabularyIsSortedAndHasZeroValues(t *testing.T) {
	c := codec(t)
	if got := strings.Join(c.Names(), " "); got != "http_reply ping read_v2 scalar txn txn_ok whole" {
		t.Error(got)
	}
	if zero, ok := c.Zero("txn"); !ok || zero != (Txn{}) {
		t.Error(zero, ok)
	}
	if name, ok := c.Name(TxnOK{}); !ok || name != "txn_ok" {
		t.Error(name, ok)
	}
	if _, ok := c.Zero("nobody"); ok {
		t.Error("nobody has a zero value")
	}
}

func FuzzDecode(f *testing.F) {
	c := codec(f)
	for _, seed := range []string{`{"type":"txn","Key":"a"}`, `{"Key":"a","type":"txn_ok","reads":[1]}`, `{"type":"http_reply","from":"::1"}`, `{"type":"`, `null`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		body, err := c.Decode(data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "wire: ") {
				t.Fatalf("an error of another style: %v", err)
			}
			return
		}
		text, err := c.Encode(body)
		if err != nil {
			if errors.Is(err, ErrNotObject) {
				return // Scalar
			}
			t.Fatalf("%#v was decoded but cannot be encoded: %v", body, err)
		}
		back, err := c.Decode(text)
		if err != nil {
			t.Fatalf("%s cannot be decoded again: %v", text, err)
		}
		again, err := c.Encode(back)
		if err != nil || string(again) != string(text) {
			t.Fatalf("%s became %s, %v", text, again, err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	c, buf := codec(b), []byte(nil)
	var body any = TxnOK{Reads: []int64{1, 2, 3}}
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = c.Append(buf[:0], body)
	}
}
