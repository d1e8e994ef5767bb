// What gocql, unchanged, does with a Cassandra: the scenario that every driver here runs. Its findings go to standard
// output as one JSON object; the test compares them.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/gocql/gocql"
	"gopkg.in/inf.v0"
)

const rows = 500

type place struct {
	Name string `cql:"name"`
	At   []int  `cql:"at"`
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	address, keyspace := os.Args[1], os.Args[2]
	host, portText, _ := strings.Cut(address, ":")
	port, err := strconv.Atoi(portText)
	must(err)
	cluster := gocql.NewCluster(host)
	cluster.Port, cluster.Timeout, cluster.ConnectTimeout, cluster.ProtoVersion = port, 20*time.Second, 20*time.Second, 4
	session, err := cluster.CreateSession()
	must(err)
	defer session.Close()
	run := func(query string, values ...any) { must(session.Query(query, values...).Exec()) }
	found := map[string]any{}

	create := "CREATE KEYSPACE " + keyspace + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
	run(create)
	run("CREATE TYPE " + keyspace + ".place (name text, at frozen<tuple<int, int>>)")
	run("CREATE TABLE " + keyspace + ".t (id int, c int, big bigint, d decimal, u uuid, txt text, ts timestamp, " +
		"l list<int>, s set<text>, m map<text, int>, p frozen<place>, PRIMARY KEY (id, c))")
	id, err := gocql.ParseUUID("123e4567-e89b-12d3-a456-426614174000")
	must(err)
	run("INSERT INTO "+keyspace+".t (id, c, big, d, u, txt, ts, l, s, m, p) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		1, 0, int64(9007199254740993), inf.NewDec(12340, 3), id, "grüße", time.UnixMilli(1443657600123),
		[]int{3, 1, 2}, []string{"b", "a"}, map[string]int{"k": 7}, place{"x", []int{1, 2}})
	row := map[string]any{}
	var big int64
	var dec inf.Dec
	var uuid gocql.UUID
	var text string
	var stamp time.Time
	var list []int
	var set []string
	var table map[string]int
	var where place
	must(session.Query("SELECT big, d, u, txt, ts, l, s, m, p FROM "+keyspace+".t WHERE id = ? AND c = ?", 1, 0).
		Scan(&big, &dec, &uuid, &text, &stamp, &list, &set, &table, &where))
	row["big"], row["d"], row["u"], row["txt"], row["ts"] = strconv.FormatInt(big, 10), dec.String(), uuid.String(), text, stamp.UnixMilli()
	row["l"], row["s"], row["m"], row["p"] = list, set, table, []any{where.Name, where.At[0], where.At[1]}
	found["row"] = row

	for start := 1; start <= rows; start += 100 {
		batch := session.NewBatch(gocql.UnloggedBatch)
		for c := start; c < start+100; c++ {
			batch.Query("INSERT INTO "+keyspace+".t (id, c, txt) VALUES (?, ?, ?)", 2, c, fmt.Sprintf("row %d", c))
		}
		must(session.ExecuteBatch(batch))
	}
	pages, total := 0, 0
	var state []byte
	for {
		iter := session.Query("SELECT c FROM "+keyspace+".t WHERE id = ?", 2).PageSize(100).PageState(state).Iter()
		pages++
		next := iter.PageState()
		var c int
		for scanner := iter.Scanner(); scanner.Next(); {
			must(scanner.Scan(&c))
			total += c
		}
		if len(next) == 0 {
			break
		}
		state = next
	}
	found["pages"], found["sum_of_pages"] = pages, total

	insert := "INSERT INTO " + keyspace + ".t (id, c, txt) VALUES (?, ?, ?) IF NOT EXISTS"
	there := map[string]any{}
	first, err := session.Query(insert, 3, 0, "first").MapScanCAS(there)
	must(err)
	there = map[string]any{}
	second, err := session.Query(insert, 3, 0, "second").MapScanCAS(there)
	must(err)
	found["lwt"] = []any{first, second, there["txt"]}
	var count int64
	var top int
	must(session.Query("SELECT count(*) AS n, max(c) AS top FROM "+keyspace+".t WHERE id = ?", 2).Scan(&count, &top))
	found["aggregate"] = []any{count, top}
	codes := []int{}
	for _, bad := range []string{"SELEC 1", "SELECT none FROM " + keyspace + ".t", "SELECT * FROM " + keyspace + ".none", create} {
		var refused gocql.RequestError
		err := session.Query(bad).Exec()
		if errors.As(err, &refused) {
			codes = append(codes, refused.Code())
		} else {
			codes = append(codes, 0)
		}
	}
	found["errors"] = codes
	metadata, err := session.KeyspaceMetadata(keyspace)
	must(err)
	columns, partition, clustering := []string{}, []string{}, []string{}
	for name := range metadata.Tables["t"].Columns {
		columns = append(columns, name)
	}
	sort.Strings(columns)
	for _, one := range metadata.Tables["t"].PartitionKey {
		partition = append(partition, one.Name)
	}
	for _, one := range metadata.Tables["t"].ClusteringColumns {
		clustering = append(clustering, one.Name)
	}
	found["columns"], found["keys"] = columns, []any{partition, clustering}
	large, err := largeAnswers(host, port, keyspace)
	must(err)
	found["large"] = large
	run("DROP KEYSPACE " + keyspace)
	must(json.NewEncoder(os.Stdout).Encode(found))
}
