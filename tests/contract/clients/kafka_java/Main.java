// What Kafka's own Java client, unchanged, does with a Kafka: the scenario that every client here runs, with the classic
// and with the KIP-848 group protocol. Its findings go to standard output as one JSON object; the test compares them.

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Main {
    static final int RECORDS = 300;
    static final String[] CODECS = {"none", "gzip", "snappy", "lz4", "zstd"};
    static final long LIMIT_MS = 60_000;
    static String bootstrap;
    static String topic;

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        topic = args[1];
        Map<String, Object> found = new TreeMap<>();
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            NewTopic definition = new NewTopic(topic, 3, (short) 1).configs(Map.of("segment.bytes", "1048576"));
            admin.createTopics(List.of(definition)).all().get();
            try {
                admin.createTopics(List.of(definition)).all().get();
                found.put("created_again", false);
            } catch (ExecutionException error) {
                found.put("created_again", error.getCause() instanceof TopicExistsException);
            }
            ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
            found.put("segment_bytes",
                admin.describeConfigs(List.of(resource)).all().get().get(resource).get("segment.bytes").value());
            produce();
            for (String protocol : new String[] {"classic", "consumer"}) {
                consume(admin, protocol, found);
            }
            transactions(found);
            Map<TopicPartition, OffsetSpec> latest = new HashMap<>();
            Map<TopicPartition, OffsetSpec> later = new HashMap<>();
            for (int partition = 0; partition < 3; partition++) {
                latest.put(new TopicPartition(topic, partition), OffsetSpec.latest());
                later.put(new TopicPartition(topic, partition),
                    OffsetSpec.forTimestamp(System.currentTimeMillis() + 3_600_000));
            }
            long end = 0;
            for (var one : admin.listOffsets(latest).all().get().values()) end += one.offset();
            boolean none = true;
            for (var one : admin.listOffsets(later).all().get().values()) none &= one.offset() == -1;
            found.put("end", end);
            found.put("after_now", none);
            admin.deleteTopics(List.of(topic)).all().get();
            for (String codec : CODECS) {
                if (!codec.equals("none")) found.put("recompressed_" + codec, recompressed(admin, codec));
            }
        }
        System.out.println(json(found));
    }

    static void produce() throws Exception {
        for (String codec : CODECS) {
            Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "compression.type", codec, "linger.ms", 5);
            try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
                for (int i = 0; i < RECORDS; i++) {
                    var record = new ProducerRecord<>(topic, codec + "-" + i, "value " + codec + " " + i);
                    record.headers().add("codec", codec.getBytes(StandardCharsets.UTF_8));
                    producer.send(record, (done, error) -> {
                        if (error != null) fail(error);
                    });
                }
                producer.flush();
            }
        }
    }

    static void consume(Admin admin, String protocol, Map<String, Object> found) throws Exception {
        String group = topic + "-java-" + protocol;
        List<String> lines = new ArrayList<>();
        Map<String, Object> settings = settings(group);
        settings.put("group.protocol", protocol);
        read(settings, () -> lines.size() < RECORDS * CODECS.length, record -> {
            Header header = record.headers().iterator().next();
            lines.add(record.key() + "=" + record.value() + ";" + header.key() + "=" + new String(header.value()));
        }, true);
        lines.sort(null);
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        for (String line : lines) digest.update((line + "\n").getBytes(StandardCharsets.UTF_8));
        found.put("consumed_" + protocol, lines.size());
        found.put("digest_" + protocol, HexFormat.of().formatHex(digest.digest()));
        long committed = 0;
        for (OffsetAndMetadata one : admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().values()) {
            committed += one.offset();
        }
        found.put("committed_" + protocol, committed);
    }

    /** How many records are read whole of those that the broker itself compressed, over several blocks of the codec. */
    static int recompressed(Admin admin, String codec) throws Exception {
        String name = topic + "-" + codec;
        admin.createTopics(List.of(new NewTopic(name, 1, (short) 1).configs(Map.of("compression.type", codec)))).all().get();
        String padding = "abcdefghij".repeat(100);
        Map<String, Object> plain = Map.of("bootstrap.servers", bootstrap, "linger.ms", 100, "batch.size", 900_000);
        try (var producer = new KafkaProducer<>(plain, new StringSerializer(), new StringSerializer())) {
            for (int i = 0; i < RECORDS; i++) {
                producer.send(new ProducerRecord<>(name, "" + i, i + padding), (done, error) -> {
                    if (error != null) fail(error);
                });
            }
            producer.flush();
        }
        int[] whole = {0};
        long deadline = System.currentTimeMillis() + LIMIT_MS;
        try (var consumer = new KafkaConsumer<>(settings(name), new StringDeserializer(), new StringDeserializer())) {
            consumer.assign(List.of(new TopicPartition(name, 0)));
            while (whole[0] < RECORDS && System.currentTimeMillis() < deadline) {
                consumer.poll(Duration.ofMillis(200)).forEach(record -> {
                    if (record.value().equals(record.key() + padding)) whole[0]++;
                });
            }
        }
        admin.deleteTopics(List.of(name)).all().get();
        return whole[0];
    }

    @SuppressWarnings("removal") // the group has no members here: its name is all there is to say
    static void transactions(Map<String, Object> found) throws Exception {
        var group = new org.apache.kafka.clients.consumer.ConsumerGroupMetadata(topic + "-txgroup");
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "transactional.id", topic + "-tx");
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            producer.initTransactions();
            for (String word : new String[] {"aborted", "committed"}) {
                producer.beginTransaction();
                producer.send(new ProducerRecord<>(topic, "tx", word)).get();
                producer.sendOffsetsToTransaction(
                    Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(word.equals("aborted") ? 7 : 5)),
                    group);
                if (word.equals("aborted")) producer.abortTransaction();
                else producer.commitTransaction();
            }
        }
        List<String> seen = new ArrayList<>();
        Map<String, Object> committedOnly = settings(topic + "-committed");
        committedOnly.put("isolation.level", "read_committed");
        read(committedOnly, seen::isEmpty, record -> {
            if ("tx".equals(record.key())) seen.add(record.value());
        }, false);
        found.put("read_committed", seen);
        Map<String, Object> plain = settings(topic + "-txgroup");
        try (var consumer = new KafkaConsumer<>(plain, new StringDeserializer(), new StringDeserializer())) {
            TopicPartition first = new TopicPartition(topic, 0);
            found.put("offset_in_transaction", consumer.committed(java.util.Set.of(first)).get(first).offset());
        }
    }

    static Map<String, Object> settings(String group) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("group.id", group);
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", false);
        return settings;
    }

    static void read(Map<String, Object> settings, BooleanSupplier more, Consumer<ConsumerRecord<String, String>> each,
            boolean commit) {
        long deadline = System.currentTimeMillis() + LIMIT_MS;
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(topic));
            while (more.getAsBoolean()) {
                if (System.currentTimeMillis() > deadline) fail(new IllegalStateException("no records for a minute"));
                consumer.poll(Duration.ofMillis(200)).forEach(each);
            }
            if (commit) consumer.commitSync();
        }
    }

    static void fail(Exception error) {
        error.printStackTrace();
        System.exit(1);
    }

    static String json(Map<String, Object> found) {
        List<String> parts = new ArrayList<>();
        found.forEach((key, value) -> parts.add("\"" + key + "\": " + json(value)));
        return "{" + String.join(", ", parts) + "}";
    }

    static String json(Object value) {
        if (value instanceof List<?> list) {
            return "[" + String.join(", ", list.stream().map(Main::json).toList()) + "]";
        }
        return value instanceof String ? "\"" + value + "\"" : String.valueOf(value);
    }
}
