// What franz-go, unchanged, does with a Kafka: the scenario that every client here runs. Its findings go to standard
// output as one JSON object; the test compares them.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const records = 300

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	bootstrap, topic := os.Args[1], os.Args[2]
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	found := map[string]any{}

	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	must(err)
	defer client.Close()
	admin := kadm.NewClient(client)
	value := "1048576"
	created, err := admin.CreateTopics(ctx, 3, 1, map[string]*string{"segment.bytes": &value}, topic)
	must(err)
	must(created[topic].Err)
	again, err := admin.CreateTopics(ctx, 3, 1, nil, topic)
	must(err)
	found["created_again"] = errors.Is(again[topic].Err, kerr.TopicAlreadyExists)
	configs, err := admin.DescribeTopicConfigs(ctx, topic)
	must(err)
	for _, config := range configs[0].Configs {
		if config.Key == "segment.bytes" {
			found["segment_bytes"] = config.MaybeValue()
		}
	}

	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	names := []string{"none", "gzip", "snappy", "lz4", "zstd"}
	for _, name := range names {
		producer, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ProducerBatchCompression(codecs[name]))
		must(err)
		for i := 0; i < records; i++ {
			record := &kgo.Record{
				Topic: topic, Key: []byte(fmt.Sprintf("%s-%d", name, i)), Value: []byte(fmt.Sprintf("value %s %d", name, i)),
				Headers: []kgo.RecordHeader{{Key: "codec", Value: []byte(name)}},
			}
			producer.Produce(ctx, record, func(_ *kgo.Record, err error) { must(err) })
		}
		must(producer.Flush(ctx))
		producer.Close()
	}

	consumer, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumerGroup(topic+"-go"), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
	must(err)
	lines := []string{}
	for len(lines) < records*len(names) {
		fetches := consumer.PollFetches(ctx)
		must(fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			lines = append(lines, fmt.Sprintf("%s=%s;%s=%s", r.Key, r.Value, r.Headers[0].Key, r.Headers[0].Value))
		})
	}
	must(consumer.CommitUncommittedOffsets(ctx))
	sort.Strings(lines)
	digest := sha256.New()
	for _, line := range lines {
		digest.Write([]byte(line + "\n"))
	}
	found["consumed"] = len(lines)
	found["digest"] = hex.EncodeToString(digest.Sum(nil))
	committed, err := admin.FetchOffsets(ctx, topic+"-go")
	must(err)
	total := int64(0)
	committed.Each(func(o kadm.OffsetResponse) { total += o.At })
	found["committed"] = total
	described, err := admin.DescribeGroups(ctx, topic+"-go")
	must(err)
	found["group_state"] = described[topic+"-go"].State
	consumer.Close()

	// a transaction that is taken back and one that holds, read by who reads committed records only
	transactional, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.TransactionalID(topic+"-tx"))
	must(err)
	for _, commit := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit} {
		must(transactional.BeginTransaction())
		word := map[kgo.TransactionEndTry]string{kgo.TryAbort: "aborted", kgo.TryCommit: "committed"}[commit]
		result := transactional.ProduceSync(ctx, &kgo.Record{Topic: topic, Key: []byte("tx"), Value: []byte(word)})
		must(result.FirstErr())
		must(transactional.EndTransaction(ctx, commit))
	}
	transactional.Close()
	committedOnly, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	must(err)
	seen := []string{}
	for len(seen) == 0 {
		fetches := committedOnly.PollFetches(ctx)
		must(fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			if string(r.Key) == "tx" {
				seen = append(seen, string(r.Value))
			}
		})
	}
	found["read_committed"] = seen
	committedOnly.Close()

	ends, err := admin.ListEndOffsets(ctx, topic)
	must(err)
	end := int64(0)
	ends.Each(func(o kadm.ListedOffset) { end += o.Offset })
	found["end"] = end
	later, err := admin.ListOffsetsAfterMilli(ctx, time.Now().Add(time.Hour).UnixMilli(), topic)
	must(err)
	after := int64(0)
	later.Each(func(o kadm.ListedOffset) { after += o.Offset })
	found["after_now"] = after == end
	deleted, err := admin.DeleteTopics(ctx, topic)
	must(err)
	must(deleted[topic].Err)
	must(json.NewEncoder(os.Stdout).Encode(found))
}
