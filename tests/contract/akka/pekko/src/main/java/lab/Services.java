package lab;

import java.time.Duration;
import java.util.concurrent.CompletionStage;
import java.util.stream.Collectors;
import org.apache.pekko.actor.ActorRef;
import org.apache.pekko.actor.ActorSystem;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.actor.typed.receptionist.Receptionist;
import org.apache.pekko.actor.typed.receptionist.ServiceKey;

/** The typed receptionist, with keys of java.lang.Object. */
final class Services {
  static void register(ActorSystem system, String key, ActorRef service) {
    receptionist(system).tell(Receptionist.register(key(key), Adapter.toTyped(service)));
  }

  static CompletionStage<String> find(ActorSystem system, String key) {
    CompletionStage<Receptionist.Listing> listing =
        AskPattern.ask(
            receptionist(system),
            replyTo -> Receptionist.find(key(key), replyTo),
            Duration.ofSeconds(10),
            Adapter.toTyped(system).scheduler());
    return listing.thenApply(
        found -> found.getServiceInstances(key(key)).stream()
            .map(ref -> ref.path().address().port().map(Object::toString).getOrElse(() -> "here") + "/" + ref.path().name())
            .sorted()
            .collect(Collectors.joining(" ")));
  }

  private static org.apache.pekko.actor.typed.ActorRef<Receptionist.Command> receptionist(ActorSystem system) {
    return Adapter.toTyped(system).receptionist();
  }

  private static ServiceKey<Object> key(String name) {
    return ServiceKey.create(Object.class, name);
  }
}
