package queue

// An atlas is what a gateway has heard of where the shards of a keyspace are: at first what everybody knows, then what
// groups say that were asked in vain. It may be behind, and never ahead: a shard once said to exist does or will.
type atlas struct {
	numbers map[Shard]int
	newest  []entry // those of which some hash is in no newer one
}

type entry struct {
	span
	Location
}

func newAtlas(home string) *atlas {
	a := &atlas{numbers: map[Shard]int{}}
	for i, s := range First(home) {
		a.learn(Location{s, i + 1})
	}
	return a
}

// learn takes in where a shard is.
func (a *atlas) learn(l Location) {
	at, ok := spanOf(l.Shard.Range)
	if !ok || a.numbers[l.Shard] != 0 {
		return
	}
	a.numbers[l.Shard] = l.Number
	var newest []entry
	for _, e := range a.newest {
		switch {
		case e.from <= at.from && at.to <= e.to && e.Shard.Epoch > l.Shard.Epoch:
			return // something newer has all of it
		case at.from <= e.from && e.to <= at.to && e.Shard.Epoch < l.Shard.Epoch:
		default:
			newest = append(newest, e)
		}
	}
	a.newest = append(newest, entry{at, l})
}

// declare takes in the lineage that a promotion has declared. What the atlas says of other shards may be of such as are on
// no lineage any more.
func (a *atlas) declare(k *Keyspace) {
	if k.Generation == 0 {
		return
	}
	*a = atlas{numbers: map[Shard]int{}}
	for i := range k.Lineage {
		a.learn(k.Lineage[i].At)
		for _, b := range k.births(&k.Lineage[i]) {
			a.learn(b.Child)
		}
	}
}

// find returns the number of the group that has the newest shard for a hash.
func (a *atlas) find(hash uint16) int {
	var best entry
	for _, e := range a.newest {
		if e.from <= hash && hash <= e.to && e.Shard.Epoch > best.Shard.Epoch {
			best = e
		}
	}
	return best.Number
}
