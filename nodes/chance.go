package nodes

import (
	"hash/fnv"
	"math/rand/v2"
)

// Generator returns the generator of one concern of a host: "node a1". Concerns have generators of their own, so that one
// more draw for one of them changes nothing for another.
func Generator(seed uint64, concern string) *rand.PCG {
	f := fnv.New64a()
	f.Write([]byte(concern))
	return rand.NewPCG(mix(seed), mix(seed^f.Sum64()))
}

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood 2014): near seeds become far ones.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
