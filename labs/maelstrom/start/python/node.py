#!/usr/bin/env python3
"""A node that echoes: begin here. It needs Python 3.8 or later and its standard library.

    chmod +x node.py && lab run echo --bin ./node.py

Standard output is for messages alone: print what you want to see with log(), which goes to the node's log. The part
above the line of equals signs has all that a node needs to talk; what is below is yours.
"""

import json
import os
import sys
import threading
import time

TIMEOUT = 0  # perhaps it happened
NOT_SUPPORTED = 10  # there is no such request
UNAVAILABLE = 11  # not now
MALFORMED = 12
CRASH = 13  # perhaps it happened
ABORT = 14
KEY_NOT_FOUND = 20
KEY_EXISTS = 21
PRECONDITION = 22  # a compare-and-set saw another value
TXN_CONFLICT = 30


class Error(Exception):
    """A reply that says why there is no other. All codes but TIMEOUT and CRASH say that what was asked for did not
    happen and never will."""

    def __init__(self, code, text):
        super().__init__("error %s: %s" % (code, text))
        self.code, self.text = code, text


def log(*words):
    print(*words, file=sys.stderr, flush=True)


class Node:
    """Talks on standard input and output. Handlers run side by side, each in a thread: guard what they share with
    node.state, a lock."""

    def __init__(self):
        self.id = None  # "n1", once init has come
        self.all = []  # every node, in the same order everywhere
        self.peers = []  # every node but this one
        self.ready = None  # called once after init, in a thread of its own
        self.state = threading.RLock()
        self._handlers = {}
        self._lock = threading.Lock()  # of standard output, and of what follows
        self._last_id = 0
        self._calls = {}  # by msg_id, those that wait for a reply

    def on(self, kind):
        """Decorates what to do with messages of a type: a function of the message that returns the body of the reply,
        or None for none."""

        def keep(f):
            self._handlers[kind] = f
            return f

        return keep

    def run(self):
        """Reads messages until there are no more."""
        for line in sys.stdin:
            try:
                m = json.loads(line)
                body = m["body"]
            except (ValueError, KeyError, TypeError) as e:
                log("not a message:", e, line[:200])
                continue
            if "in_reply_to" in body:
                with self._lock:
                    call = self._calls.pop(body["in_reply_to"], None)
                if call:  # else its time was over
                    call["reply"] = body
                    call["done"].set()
            elif body.get("type") == "init":
                self.id, self.all = body["node_id"], body["node_ids"]
                self.peers = [n for n in self.all if n != self.id]
                self.reply(m, {"type": "init_ok"})
                if self.ready:
                    threading.Thread(target=self.ready, daemon=True).start()
            else:
                threading.Thread(target=self._handle, args=(m,)).start()

    def _handle(self, m):
        kind = m["body"].get("type")
        try:
            if kind not in self._handlers:
                raise Error(NOT_SUPPORTED, "this node does not know %s" % kind)
            reply = self._handlers[kind](m)
        except Error as e:
            reply = {"type": "error", "code": e.code, "text": e.text}
        except Exception as e:
            reply = {"type": "error", "code": CRASH, "text": repr(e)}
            log("a handler failed:", repr(e))
        if reply is not None:
            self.reply(m, reply)

    def reply(self, m, body):
        """Answers a message, unless it asks for no answer."""
        if "msg_id" in m["body"]:
            self.send(m["src"], dict(body, in_reply_to=m["body"]["msg_id"]))

    def send(self, dest, body):
        """Tells somebody something. It may be lost, come late, or come twice."""
        line = json.dumps({"src": self.id, "dest": dest, "body": body})
        with self._lock:
            try:
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
            except BrokenPipeError:
                os._exit(0)  # nobody listens any more

    def call(self, dest, body, wait=1.0):
        """Asks somebody, a node or a service, and waits for the reply. Raises Error: theirs, or TIMEOUT."""
        call = {"done": threading.Event()}
        with self._lock:
            self._last_id += 1
            number = self._last_id
            self._calls[number] = call
        self.send(dest, dict(body, msg_id=number))
        if not call["done"].wait(wait):
            with self._lock:
                self._calls.pop(number, None)
            raise Error(TIMEOUT, "%s did not answer" % dest)
        reply = call["reply"]
        if reply["type"] == "error":
            raise Error(reply["code"], reply.get("text", ""))
        return reply


class Log:
    """A file of lines in the folder that the node was started in, which is its own and outlives it. lines is what was
    there; a last line that was cut short is dropped."""

    def __init__(self, name):
        self.lines = []
        self._lock = threading.Lock()
        self._file = open(name, "a+b")
        self._file.seek(0)
        whole = 0
        for line in self._file:
            try:
                if not line.endswith(b"\n"):
                    break
                self.lines.append(json.loads(line))
                whole += len(line)
            except ValueError:
                break
        self._file.truncate(whole)

    def append(self, *lines):
        """Writes lines and returns when the disk has them."""
        with self._lock:
            for line in lines:
                self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())


def every(seconds, f):
    """Calls f now and then, for ever: node.ready = lambda: every(0.2, gossip)."""
    while True:
        time.sleep(seconds)
        f()


# ======================================================================================================================

if __name__ == "__main__":
    node = Node()

    @node.on("echo")
    def echo(m):
        return {"type": "echo_ok", "echo": m["body"]["echo"]}

    node.run()
