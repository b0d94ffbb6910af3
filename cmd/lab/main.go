// Command lab runs the labs of this repository: see package cmd for the commands.
package main

import (
	"os"

	"faultlab/cmd"
	"faultlab/labs/multimaster"
	"faultlab/labs/queue"
)

func main() { os.Exit(cmd.Main(multimaster.Lab(), queue.Lab())) }
