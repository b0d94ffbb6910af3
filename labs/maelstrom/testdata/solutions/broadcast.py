#!/usr/bin/env python3
"""A correct node for broadcast, made of the starting point in ../../start/python. An element is on disk before it is
acknowledged; each peer is told of it again and again until it says that it has it."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "start", "python"))

from node import Error, Log, Node, every

node = Node()
file = Log("elements")
elements = list(file.lines)
known = set(elements)
owed = {}  # what each peer has not said that it has


def learn(fresh):
    with node.state:
        fresh = [e for e in fresh if e not in known]
        if fresh:
            file.append(*fresh)
        known.update(fresh)
        elements.extend(fresh)
        for peer in node.peers:
            owed.setdefault(peer, set(known)).update(fresh)


def gossip():
    for peer in node.peers:
        with node.state:
            told = list(owed.setdefault(peer, set(known)))
        if told:
            try:
                node.call(peer, {"type": "gossip", "elements": told}, wait=0.2)
                with node.state:
                    owed[peer].difference_update(told)
            except Error:
                pass  # again next time


@node.on("topology")
def topology(m):
    return {"type": "topology_ok"}


@node.on("gossip")
def heard(m):
    learn(m["body"]["elements"])
    return {"type": "gossip_ok"}


@node.on("broadcast")
def broadcast(m):
    learn([m["body"]["message"]])
    return {"type": "broadcast_ok"}


@node.on("read")
def read(m):
    with node.state:
        return {"type": "read_ok", "messages": list(elements)}


node.ready = lambda: every(0.1, gossip)
node.run()
