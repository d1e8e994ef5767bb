package lab;

import org.apache.pekko.actor.ActorRef;
import org.apache.pekko.actor.ActorSystem;
import org.apache.pekko.actor.ExtendedActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.cluster.Cluster;
import org.apache.pekko.cluster.sharding.typed.ShardingEnvelope;
import org.apache.pekko.cluster.sharding.typed.javadsl.*;

/** Typed entities "Counter": each answers a Hello with "jvm PORT ID" and how many it had. */
public final class Entities extends org.apache.pekko.actor.AbstractActor {
  static final EntityTypeKey<Object> COUNTER = EntityTypeKey.create(Object.class, "Counter");

  static ActorRef start(ActorSystem system) {
    ClusterSharding sharding = ClusterSharding.get(Adapter.toTyped(system));
    return Adapter.toClassic(
        sharding.init(Entity.of(COUNTER, context -> counter(system, context.getEntityId()))));
  }

  private static Behavior<Object> counter(ActorSystem system, String id) {
    int[] count = {0};
    int port = (int) Cluster.get(system).selfAddress().port().get();
    return Behaviors.receive(Object.class)
        .onMessage(Node.Hello.class, hello -> {
          hello.replyTo.tell(new Node.Hello("jvm " + port + " " + id, ++count[0], null), ActorRef.noSender());
          return Behaviors.same();
        })
        .build();
  }

  /** Starts sharding with the node: `sharding` | entity ID, which asks and answers with what it is told. */
  private ActorRef region;
  private final java.util.ArrayDeque<ActorRef> askers = new java.util.ArrayDeque<>();

  @Override
  public Receive createReceive() {
    return receiveBuilder()
        .matchEquals("sharding", s -> {
          region = start(getContext().getSystem());
          getSender().tell("started", getSelf());
        })
        .match(String.class, id -> {
          askers.add(getSender());
          region.tell(new ShardingEnvelope<Object>(id, new Node.Hello("ask", 0, getSelf())), getSelf());
        })
        .match(Node.Hello.class, hello -> askers.poll().tell(hello.name + " " + hello.number, getSelf()))
        .build();
  }
}
