package lab;

import counters.Counted;
import counters.Totals;
import java.time.Duration;
import org.apache.pekko.actor.AbstractActor;
import org.apache.pekko.actor.ActorRef;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.cluster.sharding.typed.ShardingEnvelope;
import org.apache.pekko.cluster.sharding.typed.javadsl.ClusterSharding;
import org.apache.pekko.cluster.sharding.typed.javadsl.Entity;
import org.apache.pekko.cluster.sharding.typed.javadsl.EntityTypeKey;
import org.apache.pekko.pattern.Patterns;

/** The campaigns of `examples/cluster/counters.py`, which Python nodes host: `CAMPAIGN EVENT TYPE` answers "VIEWS CLICKS". */
public final class Campaigns extends AbstractActor {
  private ActorRef region;

  @Override
  public Receive createReceive() {
    return receiveBuilder()
        .match(String.class, text -> {
          String[] words = text.split(" ");
          Object command = new ShardingEnvelope<Object>(words[0], new Counted(words[1], words[2]));
          Patterns.pipe(
                  Patterns.ask(region(), command, Duration.ofSeconds(5))
                      .thenApply(answer -> ((Totals) answer).views + " " + ((Totals) answer).clicks),
                  getContext().dispatcher())
              .to(getSender());
        })
        .build();
  }

  /** A proxy: this node has not the role that hosts them. */
  private ActorRef region() {
    if (region == null) {
      region = Adapter.toClassic(
          ClusterSharding.get(Adapter.toTyped(getContext().getSystem()))
              .init(Entity.of(EntityTypeKey.create(Object.class, "Campaign"), context -> Behaviors.ignore())
                  .withRole("counting")));
    }
    return region;
  }
}
