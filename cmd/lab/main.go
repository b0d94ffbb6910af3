// Command lab runs the labs of this repository: see package cmd for the commands.
package main

import (
	"os"

	"faultlab/cmd"
	"faultlab/labs/multimaster"
)

func main() { os.Exit(cmd.Main(multimaster.Lab())) }
