package host

import "testing"

func TestACrashIsSaidWithoutItsStack(t *testing.T) {
	crash, _ := LastWords("lab: panic: index out of range (queue.go:41)\ngoroutine 1 [running]:\nmain.main()")
	if crash != "panic: index out of range (queue.go:41)" {
		t.Error(crash)
	}
	if crash, last := LastWords("one\ntwo"); crash != "" || last != "one\ntwo" {
		t.Error(crash, last)
	}
}
