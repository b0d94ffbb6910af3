// Command lab runs the labs of this repository: see package cmd for the commands.
package main

import (
	"os"

	"faultlab/cmd"
	"faultlab/labs"
	"faultlab/labs/maelstrom"
	"faultlab/labs/multimaster"
)

func main() { os.Exit(cmd.Main(append([]labs.Lab{multimaster.Lab()}, maelstrom.Labs()...)...)) }
