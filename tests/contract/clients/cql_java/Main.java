// What the Java driver 4, unchanged, does with a Cassandra: the scenario that every driver here runs. Its findings go to
// standard output as one JSON object; the test compares them.

import com.datastax.oss.driver.api.core.CqlIdentifier;
import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.config.DefaultDriverOption;
import com.datastax.oss.driver.api.core.config.DriverConfigLoader;
import com.datastax.oss.driver.api.core.cql.AsyncResultSet;
import com.datastax.oss.driver.api.core.cql.BatchStatement;
import com.datastax.oss.driver.api.core.cql.DefaultBatchType;
import com.datastax.oss.driver.api.core.cql.PreparedStatement;
import com.datastax.oss.driver.api.core.cql.ResultSet;
import com.datastax.oss.driver.api.core.cql.Row;
import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import com.datastax.oss.driver.api.core.data.TupleValue;
import com.datastax.oss.driver.api.core.data.UdtValue;
import com.datastax.oss.driver.api.core.servererrors.AlreadyExistsException;
import com.datastax.oss.driver.api.core.servererrors.InvalidQueryException;
import com.datastax.oss.driver.api.core.servererrors.SyntaxError;
import com.datastax.oss.driver.api.core.type.TupleType;
import com.datastax.oss.driver.api.core.type.UserDefinedType;
import java.math.BigDecimal;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CompletionStage;
import java.util.stream.Collectors;

public class Main {
    static final int ROWS = 500;

    public static void main(String[] args) {
        String[] address = args[0].split(":");
        String keyspace = args[1];
        Map<String, Object> found = new TreeMap<>();
        try (CqlSession session = CqlSession.builder()
                .addContactPoint(new InetSocketAddress(address[0], Integer.parseInt(address[1])))
                .withLocalDatacenter(args[2])
                .withConfigLoader(DriverConfigLoader.programmaticBuilder()
                    .withDuration(DefaultDriverOption.REQUEST_TIMEOUT, Duration.ofSeconds(20))
                    .withDuration(DefaultDriverOption.CONNECTION_INIT_QUERY_TIMEOUT, Duration.ofSeconds(20))
                    .withDuration(DefaultDriverOption.METADATA_SCHEMA_REQUEST_TIMEOUT, Duration.ofSeconds(20))
                    .build())
                .build()) {
            String create = "CREATE KEYSPACE " + keyspace
                + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}";
            session.execute(create);
            session.execute("CREATE TYPE " + keyspace + ".place (name text, at frozen<tuple<int, int>>)");
            session.execute("CREATE TABLE " + keyspace + ".t (id int, c int, big bigint, d decimal, u uuid, txt text,"
                + " ts timestamp, l list<int>, s set<text>, m map<text, int>, p frozen<place>, PRIMARY KEY (id, c))");
            UserDefinedType place = session.getMetadata().getKeyspace(keyspace).get()
                .getUserDefinedType(CqlIdentifier.fromCql("place")).get();
            TupleValue at = ((TupleType) place.getFieldTypes().get(1)).newValue(1, 2);
            UdtValue value = place.newValue("x", at);
            PreparedStatement insert = session.prepare("INSERT INTO " + keyspace
                + ".t (id, c, big, d, u, txt, ts, l, s, m, p) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
            session.execute(insert.bind(1, 0, 9007199254740993L, new BigDecimal("12.340"),
                UUID.fromString("123e4567-e89b-12d3-a456-426614174000"), "grüße", Instant.ofEpochMilli(1443657600123L),
                List.of(3, 1, 2), Set.of("b", "a"), Map.of("k", 7), value));
            Row row = session.execute(session.prepare("SELECT * FROM " + keyspace + ".t WHERE id = ? AND c = ?")
                .bind(1, 0)).one();
            UdtValue back = row.getUdtValue("p");
            Map<String, Object> shown = new TreeMap<>();
            shown.put("big", String.valueOf(row.getLong("big")));
            shown.put("d", row.getBigDecimal("d").toString());
            shown.put("u", row.getUuid("u").toString());
            shown.put("txt", row.getString("txt"));
            shown.put("ts", row.getInstant("ts").toEpochMilli());
            shown.put("l", row.getList("l", Integer.class));
            shown.put("s", new ArrayList<>(row.getSet("s", String.class)));
            shown.put("m", row.getMap("m", String.class, Integer.class));
            shown.put("p", List.of(back.getString("name"), back.getTupleValue("at").getInt(0),
                back.getTupleValue("at").getInt(1)));
            found.put("row", shown);

            PreparedStatement plain = session.prepare("INSERT INTO " + keyspace + ".t (id, c, txt) VALUES (?, ?, ?)");
            for (int start = 1; start <= ROWS; start += 100) {
                BatchStatement batch = BatchStatement.newInstance(DefaultBatchType.UNLOGGED);
                for (int c = start; c < start + 100; c++) batch = batch.add(plain.bind(2, c, "row " + c));
                session.execute(batch);
            }
            int pages = 1;
            long total = 0;
            ResultSet result = session.execute(
                SimpleStatement.newInstance("SELECT c FROM " + keyspace + ".t WHERE id = 2").setPageSize(100));
            while (true) {
                for (int left = result.getAvailableWithoutFetching(); left > 0; left--) total += result.one().getInt("c");
                if (result.isFullyFetched()) break;
                Row next = result.one();
                pages++;
                if (next == null) break;
                total += next.getInt("c");
            }
            found.put("pages", pages);
            found.put("sum_of_pages", total);
            PreparedStatement once = session.prepare("INSERT INTO " + keyspace
                + ".t (id, c, txt) VALUES (?, ?, ?) IF NOT EXISTS");
            ResultSet first = session.execute(once.bind(3, 0, "first"));
            ResultSet second = session.execute(once.bind(3, 0, "second"));
            found.put("lwt", List.of(first.wasApplied(), second.wasApplied(), second.one().getString("txt")));
            Row count = session.execute("SELECT count(*) AS n, max(c) AS top FROM " + keyspace + ".t WHERE id = 2").one();
            found.put("aggregate", List.of(count.getLong("n"), count.getInt("top")));
            List<Object> errors = new ArrayList<>();
            for (String bad : new String[] {"SELEC 1", "SELECT none FROM " + keyspace + ".t",
                    "SELECT * FROM " + keyspace + ".none", create}) {
                try {
                    session.execute(bad);
                    errors.add(0);
                } catch (SyntaxError error) {
                    errors.add(0x2000);
                } catch (AlreadyExistsException error) {
                    errors.add(0x2400);
                } catch (InvalidQueryException error) {
                    errors.add(0x2200);
                }
            }
            found.put("errors", errors);
            var table = session.refreshSchema().getKeyspace(keyspace).get().getTable("t").get();
            found.put("columns", table.getColumns().keySet().stream().map(CqlIdentifier::asInternal).sorted().toList());
            found.put("keys", List.of(
                table.getPartitionKey().stream().map(one -> one.getName().asInternal()).toList(),
                table.getClusteringColumns().keySet().stream().map(one -> one.getName().asInternal()).toList()));
            // 8 at a time over one connection of protocol v5: together they pass the length of a segment
            String text = "x".repeat(40_000);
            session.execute(plain.bind(9, 0, text));
            PreparedStatement large = session.prepare("SELECT txt FROM " + keyspace + ".t WHERE id = ? AND c = ?");
            int whole = 0;
            for (int round = 0; round < 40; round++) {
                List<CompletionStage<AsyncResultSet>> asked = new ArrayList<>();
                for (int reader = 0; reader < 8; reader++) asked.add(session.executeAsync(large.bind(9, 0)));
                for (CompletionStage<AsyncResultSet> one : asked) {
                    if (one.toCompletableFuture().join().one().getString("txt").equals(text)) whole++;
                }
            }
            found.put("large", whole);
            session.execute("DROP KEYSPACE " + keyspace);
        }
        System.out.println(json(found));
    }

    static String json(Object value) {
        if (value instanceof Map<?, ?> map) {
            return map.entrySet().stream().map(one -> "\"" + one.getKey() + "\": " + json(one.getValue()))
                .collect(Collectors.joining(", ", "{", "}"));
        }
        if (value instanceof List<?> list) {
            return list.stream().map(Main::json).collect(Collectors.joining(", ", "[", "]"));
        }
        return value instanceof String ? "\"" + value + "\"" : String.valueOf(value);
    }
}
