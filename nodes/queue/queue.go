// Package queue is a cross-region, partitioned FIFO queue: every region takes sends for its own keyspace in shards that
// are replicated logs, copies them to the other regions behind the acknowledgement, splits hot shards in use, and lets
// another region take over. It knows no faults, no checkers, and no clock but its own.
package queue
