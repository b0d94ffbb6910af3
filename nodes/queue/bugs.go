package queue

import "faultlab/nodes"

// The known mistakes. Each is one branch in the code, where the real mistake was made.
var bugs []nodes.Bug
