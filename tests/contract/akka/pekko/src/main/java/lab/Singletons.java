package lab;

import java.util.HashMap;
import java.util.Map;
import org.apache.pekko.actor.*;
import org.apache.pekko.cluster.singleton.*;

/** Cluster singletons at the paths of Pekko's typed API; each answers a text with "jvm" and the text. */
final class Singletons {
  static final class Where extends AbstractActor {
    @Override
    public Receive createReceive() {
      return receiveBuilder().match(String.class, text -> getSender().tell("jvm " + text, getSelf())).build();
    }
  }

  private static final Map<String, ActorRef> proxies = new HashMap<>();

  static void start(ActorSystem system, String name, String role) {
    ClusterSingletonManagerSettings settings = ClusterSingletonManagerSettings.create(system).withSingletonName(name);
    if (!role.isEmpty()) settings = settings.withRole(role);
    ((ExtendedActorSystem) system)
        .systemActorOf(
            ClusterSingletonManager.props(Props.create(Where.class, Where::new), PoisonPill.getInstance(), settings),
            "singletonManager" + name);
  }

  static synchronized ActorRef proxy(ActorSystem system, String name) {
    return proxies.computeIfAbsent(
        name,
        key ->
            system.actorOf(
                ClusterSingletonProxy.props(
                    "/system/singletonManager" + key,
                    ClusterSingletonProxySettings.create(system).withSingletonName(key))));
  }
}
