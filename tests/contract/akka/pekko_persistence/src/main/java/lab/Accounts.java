package lab;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.pekko.actor.ActorRef;
import org.apache.pekko.actor.ActorSystem;
import org.apache.pekko.actor.Props;
import org.apache.pekko.actor.typed.delivery.DurableProducerQueue;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.pattern.Patterns;
import org.apache.pekko.persistence.AbstractPersistentActor;
import org.apache.pekko.persistence.DeleteMessagesSuccess;
import org.apache.pekko.persistence.RecoveryCompleted;
import org.apache.pekko.persistence.SaveSnapshotSuccess;
import org.apache.pekko.persistence.SnapshotOffer;
import org.apache.pekko.persistence.cassandra.query.javadsl.CassandraReadJournal;
import org.apache.pekko.persistence.journal.Tagged;
import org.apache.pekko.persistence.query.EventEnvelope;
import org.apache.pekko.persistence.query.Offset;
import org.apache.pekko.persistence.query.PersistenceQuery;
import org.apache.pekko.persistence.typed.PersistenceId;
import org.apache.pekko.persistence.typed.delivery.EventSourcedProducerQueue;
import org.apache.pekko.projection.ProjectionId;
import org.apache.pekko.projection.cassandra.internal.CassandraOffsetStore;
import org.apache.pekko.stream.javadsl.Sink;

/** Accounts on pekko-persistence-cassandra: `Accounts PORT DATACENTER KEYSPACE SNAPSHOT_KEYSPACE`. Each line of standard input is a
 *  command, each answer a line that begins with "= ". It ends when its standard input does.
 */
public class Accounts {
  /** What Jackson's JSON carries. */
  public interface Json {}

  public static final class Added implements Json {
    public final long amount;

    @JsonCreator
    public Added(@JsonProperty("amount") long amount) {
      this.amount = amount;
    }
  }

  public static final class Balance implements Json {
    public final long total;
    public final int events;

    @JsonCreator
    public Balance(@JsonProperty("total") long total, @JsonProperty("events") int events) {
      this.total = total;
      this.events = events;
    }
  }

  /** add N [TAG] | text N | snap | delete N | get: total, events, last number, how many were replayed. */
  public static final class Account extends AbstractPersistentActor {
    private final String id;
    private long total;
    private int events;
    private int replayed;
    private ActorRef waiting;

    public Account(String id) {
      this.id = id;
    }

    @Override
    public String persistenceId() {
      return id;
    }

    private void apply(Object event) {
      total += event instanceof Added ? ((Added) event).amount : Long.parseLong((String) event);
      events++;
    }

    @Override
    public Receive createReceiveRecover() {
      return receiveBuilder()
          .match(SnapshotOffer.class, offer -> {
            Balance balance = (Balance) offer.snapshot();
            total = balance.total;
            events = balance.events;
          })
          .match(RecoveryCompleted.class, done -> {})
          .matchAny(event -> {
            apply(event);
            replayed++;
          })
          .build();
    }

    @Override
    public Receive createReceive() {
      return receiveBuilder()
          .match(String.class, text -> command(text.split(" ")))
          .match(SaveSnapshotSuccess.class, saved -> waiting.tell("saved", getSelf()))
          .match(DeleteMessagesSuccess.class, deleted -> waiting.tell("deleted", getSelf()))
          .build();
    }

    private void command(String[] words) {
      ActorRef asker = getSender();
      switch (words[0]) {
        case "add":
          Added added = new Added(Long.parseLong(words[1]));
          Object stored = words.length > 2 ? new Tagged(added, Set.of(words[2])) : added;
          persist(stored, e -> {
            apply(added);
            asker.tell("" + lastSequenceNr(), getSelf());
          });
          break;
        case "text":
          persist(words[1], e -> {
            apply(e);
            asker.tell("" + lastSequenceNr(), getSelf());
          });
          break;
        case "snap":
          waiting = asker;
          saveSnapshot(new Balance(total, events));
          break;
        case "delete":
          waiting = asker;
          deleteMessages(Long.parseLong(words[1]));
          break;
        default:
          asker.tell(total + " " + events + " " + lastSequenceNr() + " " + replayed, getSelf());
      }
    }
  }

  private final ActorSystem system;
  private final Map<String, ActorRef> accounts = new HashMap<>();
  private final Map<String, org.apache.pekko.actor.typed.ActorRef<DurableProducerQueue.Command<Object>>> queues = new HashMap<>();
  private final CassandraReadJournal queries;

  private Accounts(ActorSystem system) {
    this.system = system;
    this.queries = PersistenceQuery.get(system).getReadJournalFor(CassandraReadJournal.class, CassandraReadJournal.Identifier());
  }

  private String ask(String id, String command) throws Exception {
    ActorRef account = accounts.computeIfAbsent(id, i -> system.actorOf(Props.create(Account.class, () -> new Account(i))));
    return (String) Patterns.ask(account, command, Duration.ofSeconds(20)).toCompletableFuture().get();
  }

  private String answer(String[] words) throws Exception {
    switch (words[0]) {
      case "stop":
        ActorRef account = accounts.remove(words[1]);
        Patterns.gracefulStop(account, Duration.ofSeconds(20)).toCompletableFuture().get();
        return "stopped";
      case "tag":
        return shown(queries.currentEventsByTag(words[1], Offset.noOffset()).runWith(Sink.seq(), system));
      case "events":
        return shown(queries.currentEventsByPersistenceId(words[1], 0, Long.MAX_VALUE).runWith(Sink.seq(), system));
      case "queue-sent":
        return queueSent(words[1], Long.parseLong(words[2]), words[3]);
      case "queue-confirmed":
        queue(words[1]).tell(new DurableProducerQueue.StoreMessageConfirmed<>(Long.parseLong(words[2]), "", 7L));
        return queueState(words[1]);
      case "queue-state":
        return queueState(words[1]);
      case "queue-stop":
        ActorRef ended = Adapter.toClassic(queues.remove(words[1]));
        Patterns.gracefulStop(ended, Duration.ofSeconds(20)).toCompletableFuture().get();
        return "stopped";
      case "offset-save":
        get(offsets().saveOffset(ProjectionId.of(words[1], words[2]), offset(words[3])));
        return "saved";
      case "offset-read":
        return get(offsets().<Offset>readOffset(ProjectionId.of(words[1], words[2]))).map(o -> o.toString()).getOrElse(() -> "none");
      case "paused":
        return String.valueOf(get(offsets().readManagementState(ProjectionId.of(words[1], words[2]))).exists(s -> s.paused()));
      case "ids":
        return String.join(" ", queries.currentPersistenceIds().runWith(Sink.seq(), system).toCompletableFuture().get());
      case "rate":
        int count = Integer.parseInt(words[2]);
        ask(words[1], "get");
        long begun = System.nanoTime();
        List<java.util.concurrent.CompletableFuture<Object>> all = new java.util.ArrayList<>();
        for (int i = 0; i < count; i++)
          all.add(Patterns.ask(accounts.get(words[1]), words.length > 3 ? "add 1 " + words[3] : "add 1", Duration.ofSeconds(120)).toCompletableFuture());
        for (java.util.concurrent.CompletableFuture<Object> one : all) one.get();
        return String.valueOf(count / ((System.nanoTime() - begun) / 1e9));
      default:
        return ask(words[1], words[0] + (words.length > 2 ? " " + words[2] : "") + (words.length > 3 ? " " + words[3] : ""));
    }
  }

  private org.apache.pekko.actor.typed.ActorRef<DurableProducerQueue.Command<Object>> queue(String id) {
    return queues.computeIfAbsent(
        id,
        i -> Adapter.spawnAnonymous(system, EventSourcedProducerQueue.<Object>create(PersistenceId.ofUniqueId(i))));
  }

  private String queueSent(String id, long number, String text) throws Exception {
    DurableProducerQueue.MessageSent<Object> sent = new DurableProducerQueue.MessageSent<>(number, text, false, "", 7L);
    return "stored " + AskPattern.<DurableProducerQueue.Command<Object>, DurableProducerQueue.StoreMessageSentAck>ask(
        queue(id),
        replyTo -> new DurableProducerQueue.StoreMessageSent<>(sent, replyTo),
        Duration.ofSeconds(20),
        Adapter.toTyped(system).scheduler()).toCompletableFuture().get().storedSeqNr();
  }

  private String queueState(String id) throws Exception {
    DurableProducerQueue.State<Object> state = AskPattern.<DurableProducerQueue.Command<Object>, DurableProducerQueue.State<Object>>ask(
        queue(id),
        replyTo -> new DurableProducerQueue.LoadState<>(replyTo),
        Duration.ofSeconds(20),
        Adapter.toTyped(system).scheduler()).toCompletableFuture().get();
    StringBuilder text = new StringBuilder(state.currentSeqNr() + " " + state.highestConfirmedSeqNr());
    state.unconfirmed().foreach(one -> text.append(" " + one.seqNr() + ":" + one.message() + ":" + one.ack()));
    return text.toString();
  }

  private CassandraOffsetStore offsets() {
    return new CassandraOffsetStore(Adapter.toTyped(system));
  }

  private static Offset offset(String text) {
    String value = text.substring(4);
    return text.startsWith("SEQ") ? Offset.sequence(Long.parseLong(value)) : Offset.timeBasedUUID(UUID.fromString(value));
  }

  private static <T> T get(scala.concurrent.Future<T> future) throws Exception {
    return scala.jdk.javaapi.FutureConverters.asJava(future).toCompletableFuture().get(20, TimeUnit.SECONDS);
  }

  private static String shown(CompletionStage<List<EventEnvelope>> found) throws Exception {
    return found.toCompletableFuture().get().stream()
        .map(e -> e.persistenceId() + ":" + e.sequenceNr() + ":" + (e.event() instanceof Added ? ((Added) e.event()).amount : e.event()))
        .collect(Collectors.joining(" "));
  }

  private static Config config(String[] arguments) {
    String bucket = ZonedDateTime.now(ZoneOffset.UTC).minusHours(2).format(DateTimeFormatter.ofPattern("yyyyMMdd'T'HH:mm"));
    return ConfigFactory.parseString(String.join("\n",
        "pekko.loglevel = WARNING",
        "pekko.coordinated-shutdown.exit-jvm = off",
        "pekko.actor.allow-java-serialization = off",
        "pekko.actor.serialization-bindings { \"lab.Accounts$Json\" = jackson-json }",
        "pekko.persistence.journal.plugin = pekko.persistence.cassandra.journal",
        "pekko.persistence.snapshot-store.plugin = pekko.persistence.cassandra.snapshot",
        "pekko.persistence.cassandra.journal { keyspace-autocreate = on, tables-autocreate = on, keyspace = " + arguments[2] + " }",
        "pekko.persistence.cassandra.snapshot { keyspace-autocreate = on, tables-autocreate = on, keyspace = " + arguments[3] + " }",
        "pekko.persistence.cassandra.events-by-tag { first-time-bucket = \"" + bucket + "\", eventual-consistency-delay = 50ms }",
        "pekko.projection.cassandra.offset-store.keyspace = " + arguments[2] + "_offsets",
        "datastax-java-driver.basic.contact-points = [\"127.0.0.1:" + arguments[0] + "\"]",
        "datastax-java-driver.basic.load-balancing-policy.local-datacenter = " + arguments[1],
        "datastax-java-driver.basic.request.timeout = 20s"))
        .withFallback(ConfigFactory.load());
  }

  public static void main(String[] arguments) throws Exception {
    ActorSystem system = ActorSystem.create("accounts", config(arguments));
    Accounts accounts = new Accounts(system);
    System.out.println("ready");
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      try {
        System.out.println("= " + accounts.answer(line.split(" ")));
      } catch (Exception error) {
        System.out.println("= failed: " + error);
      }
    }
    system.terminate();
    system.getWhenTerminated().toCompletableFuture().get(20, TimeUnit.SECONDS);
    System.exit(0);
  }
}
