package lab;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.pekko.actor.ActorSystem;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.pubsub.Topic;

/** Typed topics of texts: one of each name, with a subscriber that keeps what it hears. */
final class Topics {
  private static final Map<String, ActorRef<Topic.Command<String>>> TOPICS = new ConcurrentHashMap<>();
  private static final Map<String, ConcurrentLinkedQueue<String>> HEARD = new ConcurrentHashMap<>();

  static void subscribe(ActorSystem system, String name) {
    ConcurrentLinkedQueue<String> heard = HEARD.computeIfAbsent(name, n -> new ConcurrentLinkedQueue<>());
    ActorRef<String> subscriber =
        Adapter.spawnAnonymous(
            system,
            Behaviors.receive(String.class)
                .onAnyMessage(text -> {
                  heard.add(text);
                  return Behaviors.same();
                })
                .build());
    topic(system, name).tell(Topic.subscribe(subscriber));
  }

  static void publish(ActorSystem system, String name, String text) {
    topic(system, name).tell(Topic.publish(text));
  }

  static String heard(String name) {
    return String.join(" ", HEARD.getOrDefault(name, new ConcurrentLinkedQueue<>()));
  }

  private static ActorRef<Topic.Command<String>> topic(ActorSystem system, String name) {
    return TOPICS.computeIfAbsent(
        name, n -> Adapter.spawn(system, Topic.create(String.class, n), "topic-" + n));
  }
}
