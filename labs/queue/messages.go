package queue

import (
	"faultlab/labs"
	q "faultlab/nodes/queue"
)

// messages are what a node must know to be one of this lab, whoever wrote it.
func messages() []labs.Exchange {
	s := q.System()
	do := func(about string, ask, answer any) labs.Exchange { return labs.Exchanged(s, about, ask, answer) }
	shard := q.Shard{Range: "A/0000-3fff", Epoch: 1}
	record := q.Record{Seq: 18, Producer: "p1", Number: 7, Key: "k3", Value: "v"}
	return []labs.Exchange{
		do("append values to the log of the shard of the keyspace that holds the key (by a hash of 16 bits, whichever the nodes like), one after another, all or none: the first becomes its producer's number 7 and stands at seq, the others follow. The same numbers again are answered with the place that they have",
			q.Send{Home: "A", Key: "k3", Producer: "p1", Number: 7, Values: []string{"v", "w"}}, q.SendOK{Shard: shard, Seq: 18}),
		do("what surely was not done and never will be under its name: a number that its producer has gone past, a commit under an old generation",
			q.Send{Home: "A", Key: "k3", Producer: "p1", Number: 3, Values: []string{"v"}}, q.Refused{Why: "its producer is at 8"}),
		do("what this try did not do, and says nothing of other tries",
			q.Send{Home: "A", Key: "k3", Producer: "p1", Number: 9, Values: []string{"v"}}, q.NotNow{Why: "the shard is being split"}),
		do("become, or stay, one of the consumers that share a group of a keyspace; asked again within 3 s. The answer is the shards to read, each with the place up to which the group has dealt with it",
			q.Join{Home: "A", Group: "plain", Member: "c4"}, q.Assigned{Generation: 2, Shards: []q.Cursor{{Shard: shard, Seq: 12}}}),
		do("be one no more", q.Leave{Home: "A", Group: "plain", Member: "c4"}, q.Assigned{Generation: 3}),
		do("read a shard for a group from the place after 17 on, and wait so long if there is nothing. End is the last place there is; with sealed the last that there will be",
			q.Poll{Home: "A", Group: "plain", Member: "c4", Generation: 2, Shard: shard, After: 17, Max: 50, WaitMs: 200}, q.Records{Shard: shard, Records: []q.Record{record}, End: 18}),
		do("what was asked for has been dropped by retention, and this is the first place that is left",
			q.Poll{Home: "A", Group: "plain", Member: "c4", Generation: 2, Shard: shard, After: 0, Max: 50}, q.Gone{Shard: shard, First: 9}),
		do("the group has dealt with all up to and including this place", q.Commit{Home: "A", Group: "plain", Member: "c4", Generation: 2, Shard: shard, Seq: 18}, q.Committed{Seq: 18}),
		do("what a shard holds, or the copy of it in the region of the node that is asked", q.Read{Shard: shard, After: 17, Max: 200}, q.Records{Shard: shard, Records: []q.Record{record}, End: 18, Copy: true, LagMs: 60}),
		do("what a region knows of a keyspace: all shards on its lineage, parents before children. Sum is over the records 1 to end, by whichever function the nodes like",
			q.Describe{Home: "A"}, q.Described{Region: "B", Generation: 0, Served: "A", Shards: []q.State{{Shard: shard, Group: "A1", End: 18, First: 1, Sum: 4711, Cursors: []q.Reading{{Group: "plain", Seq: 18}}}}}),
		do("let the effects of records happen, each once by its name", q.Deliver{Home: "A", Names: []string{"p1/7", "p1/8"}}, q.Delivered{Fresh: 2}),
		do("what took effect, and how often", q.Effects{Home: "A", After: "p1/6", Max: 500}, q.Effected{Names: []string{"p1/7", "p1/8"}, Counts: []uint64{1, 1}}),
		do("what a region acknowledged and the lineage does not have, since another region was promoted", q.Report{Home: "A"}, q.Reported{Generation: 1, Tail: []q.Tail{{Shard: shard, Records: []q.Record{record}}}}),
		do("send that again, under the names that it had", q.Resend{Home: "A"}, q.Done{}),
		do("compare the copies of a keyspace with what it holds, and repair them", q.Reconcile{Home: "A"}, q.Reconciled{Compared: 4}),
		do("--nemesis ops:transfer; what is not so yet, and may be soon, is answered with {\"type\":\"not_yet\",\"why\":\"...\"}, and asked again", q.Lead{Group: "A1", Node: "a2"}, q.Done{}),
		do("--nemesis ops:split", q.Split{Range: "A/0000-3fff"}, q.Done{}),
		do("--nemesis ops:merge", q.Merge{Left: "A/0000-1fff", Right: "A/2000-3fff"}, q.Done{}),
		do("--nemesis ops:promote", q.Promote{Home: "A", To: "B"}, q.Done{}),
		do("--nemesis ops:snapshot", q.SnapshotNow{Group: "A1"}, q.Done{}),
		do("--nemesis ops:reload", q.Reload{Group: "A1"}, q.Done{}),
	}
}
