package lab;

import static org.apache.pekko.cluster.ddata.Replicator.*;

import java.time.Duration;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.actor.*;
import org.apache.pekko.cluster.ddata.*;
import org.apache.pekko.pattern.Patterns;

/** Distributed data: change KIND KEY VALUE | read KIND KEY. Reads and writes of a majority. */
final class Data {
  private static final Duration LIMIT = Duration.ofSeconds(10);

  static CompletionStage<Object> change(ActorSystem system, String kind, String key, String value) {
    SelfUniqueAddress node = DistributedData.get(system).selfUniqueAddress();
    WriteConsistency majority = new WriteMajority(LIMIT);
    Object update;
    switch (kind) {
      case "counter":
        update = new Update<>(PNCounterKey.create(key), PNCounter.create(), majority,
            data -> data.increment(node, Long.parseLong(value)));
        break;
      case "set":
        update = new Update<>(ORSetKey.<Object>create(key), ORSet.<Object>create(), majority,
            data -> value.startsWith("-") ? data.remove(node, value.substring(1)) : data.add(node, value));
        break;
      case "long-set":
        update = new Update<>(GSetKey.<Object>create(key), GSet.<Object>create(), majority,
            data -> data.add(Long.parseLong(value)).add(Integer.parseInt(value)));
        break;
      case "register":
        update = new Update<>(LWWRegisterKey.<String>create(key), LWWRegister.create(node, value), majority,
            data -> data.withValue(node, value));
        break;
      case "map":
        update = new Update<>(LWWMapKey.<String, String>create(key), LWWMap.<String, String>create(), majority,
            data -> data.put(node, value, "of " + value));
        break;
      case "multi":
        update = new Update<>(ORMultiMapKey.<String, String>create(key),
            ORMultiMap.<String, String>emptyWithValueDeltas(), majority,
            data -> data.addBinding(node, "names", value));
        break;
      default:
        throw new IllegalArgumentException(kind);
    }
    return ask(system, update).thenApply(answer -> answer.getClass().getSimpleName());
  }

  static CompletionStage<Object> read(ActorSystem system, String kind, String key) {
    ReadConsistency majority = new ReadMajority(LIMIT);
    Key<?> known = List.of("counter").contains(kind) ? PNCounterKey.create(key)
        : kind.equals("set") ? ORSetKey.create(key)
        : kind.equals("long-set") ? GSetKey.create(key)
        : kind.equals("register") ? LWWRegisterKey.create(key)
        : kind.equals("map") ? LWWMapKey.create(key) : ORMultiMapKey.create(key);
    return ask(system, new Get<>(known, majority)).thenApply(Data::text);
  }

  private static CompletionStage<Object> ask(ActorSystem system, Object message) {
    return Patterns.ask(DistributedData.get(system).replicator(), message, LIMIT.plusSeconds(1));
  }

  private static Object text(Object answer) {
    if (!(answer instanceof GetSuccess)) return answer.getClass().getSimpleName();
    Object data = ((GetSuccess<?>) answer).dataValue();
    if (data instanceof PNCounter) return ((PNCounter) data).getValue().toString();
    if (data instanceof ORSet) return new TreeSet<>(((ORSet<Object>) data).getElements()).toString();
    if (data instanceof GSet) return String.valueOf(((GSet<Object>) data).getElements().size());
    if (data instanceof LWWRegister) return ((LWWRegister<Object>) data).getValue();
    if (data instanceof LWWMap) return new TreeMap<>(((LWWMap<String, String>) data).getEntries()).toString();
    TreeMap<Object, Object> sorted = new TreeMap<>();
    ((ORMultiMap<Object, Object>) data).getEntries().forEach((k, v) -> sorted.put(k, new TreeSet<>(v)));
    return sorted.toString();
  }
}
