// Command lab runs the labs of this repository: see package cmd for the commands.
package main

import (
	"os"
	"slices"

	"faultlab/cmd"
	"faultlab/labs/maelstrom"
	"faultlab/labs/multimaster"
	"faultlab/labs/queue"
	"faultlab/labs/settlement"
)

func main() {
	os.Exit(cmd.Main(slices.Insert(maelstrom.Labs(), 0, multimaster.Lab(), queue.Lab(), settlement.Lab())...))
}
