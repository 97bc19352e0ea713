// Package rig runs a whole service on one machine as real processes: PostgreSQL, replicas of tusq, the load balancer, and proxies
// between them, and does harm to all of them. Everything that it starts ends with this process, also when that is killed.
package rig
