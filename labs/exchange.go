package labs

import (
	"fmt"
	"strings"

	"faultlab/nodes"
)

// An Exchange is a request of clients and its reply, by an example of each as it stands in the body of a message, without
// msg_id and in_reply_to.
type Exchange struct {
	About  string // one sentence
	Ask    string // {"type":"read","key":1}
	Answer string // {"type":"read_ok","value":3}
}

// Exchanged is an exchange of these bodies, which are of the system.
func Exchanged(s nodes.System, about string, ask, answer any) Exchange {
	codec, err := vocabulary(s)
	if err != nil {
		panic(err)
	}
	text := func(body any) string {
		b, err := codec.Encode(body)
		if err != nil {
			panic(err)
		}
		return string(b)
	}
	return Exchange{about, text(ask), text(answer)}
}

// Markdown is the exchange as a guide shows it.
func (x Exchange) Markdown() string {
	return fmt.Sprintf("%s:\n\n    %s\n    %s\n", strings.ToUpper(x.About[:1])+x.About[1:], x.Ask, x.Answer)
}
