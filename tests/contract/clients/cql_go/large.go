package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

const (
	readers    = 8
	reads      = 40
	characters = 40_000
)

// largeAnswers reads, over one connection of protocol v5, answers that together pass the length of a segment.
// It gives how many came whole.
func largeAnswers(host string, port int, keyspace string) (int, error) {
	cluster := gocql.NewCluster(host)
	cluster.Port, cluster.Timeout, cluster.ConnectTimeout = port, 20*time.Second, 20*time.Second
	cluster.ProtoVersion, cluster.NumConns, cluster.Keyspace = 5, 1, keyspace
	session, err := cluster.CreateSession()
	if err != nil {
		return 0, err
	}
	defer session.Close()
	text := strings.Repeat("x", characters)
	if err := session.Query("INSERT INTO t (id, c, txt) VALUES (?, ?, ?)", 9, 0, text).Exec(); err != nil {
		return 0, err
	}
	var group sync.WaitGroup
	whole := make([]int, readers)
	failures := make([]error, readers)
	for reader := 0; reader < readers; reader++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for read := 0; read < reads; read++ {
				var got string
				if err := session.Query("SELECT txt FROM t WHERE id = ? AND c = ?", 9, 0).Scan(&got); err != nil {
					failures[reader] = fmt.Errorf("read %d: %w", read, err)
					return
				}
				if got == text {
					whole[reader]++
				}
			}
		}()
	}
	group.Wait()
	total := 0
	for reader := range whole {
		if failures[reader] != nil {
			return 0, failures[reader]
		}
		total += whole[reader]
	}
	return total, nil
}
