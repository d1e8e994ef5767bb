package lab;

import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.actor.*;
import org.apache.pekko.cluster.pubsub.DistributedPubSub;
import org.apache.pekko.cluster.pubsub.DistributedPubSubMediator;

/** Subscribes for the control actor, and keeps what it hears. */
final class PubSub extends AbstractActor {
  private final List<String> heard = new ArrayList<>();
  private ActorRef asker;

  @Override
  public Receive createReceive() {
    return receiveBuilder()
        .match(String[].class, words -> {
          asker = getSender();
          mediator(getContext().getSystem()).tell(
              words.length > 2
                  ? new DistributedPubSubMediator.Subscribe(words[1], words[2], getSelf())
                  : new DistributedPubSubMediator.Subscribe(words[1], getSelf()),
              getSelf());
        })
        .match(DistributedPubSubMediator.SubscribeAck.class, ack -> asker.tell("subscribed", getSelf()))
        .matchEquals("heard?", question -> getSender().tell(String.join(" ", heard), getSelf()))
        .match(String.class, heard::add)
        .build();
  }

  static ActorRef mediator(ActorSystem system) {
    return DistributedPubSub.get(system).mediator();
  }

  static void publish(ActorSystem system, String topic, String text, boolean onePerGroup) {
    mediator(system)
        .tell(new DistributedPubSubMediator.Publish(topic, text, onePerGroup), ActorRef.noSender());
  }
}
