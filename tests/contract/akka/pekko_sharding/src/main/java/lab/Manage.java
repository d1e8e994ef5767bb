package lab;

import org.apache.pekko.actor.ActorSystem;
import org.apache.pekko.management.javadsl.PekkoManagement;

/** Pekko Management of a node. */
public class Manage {
  public static void start(ActorSystem system) throws Exception {
    PekkoManagement.get(system).start().toCompletableFuture().get();
  }
}
