package lab;

import com.typesafe.config.ConfigFactory;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.*;
import org.apache.pekko.pattern.Patterns;

/**
 * What Pekko's actors cost here: `Figures PORT PATH` prints `NAME VALUE` lines. Two threads; PATH is an echo of another
 * system, with which messages go back and forth, 64 on their way. The best of several rounds: a JVM warms up.
 */
public class Figures {
  static final int ROUNDS = 5, TELLS = 2_000_000, ASKS = 20_000, SPAWNS = 50_000, REMOTE = 200_000, WINDOW = 64;

  public static final class Sink extends AbstractActor {
    private int left;
    private final CountDownLatch done;

    public Sink(int count, CountDownLatch done) {
      this.left = count;
      this.done = done;
    }

    @Override
    public Receive createReceive() {
      return receiveBuilder().matchAny(any -> { if (--left == 0) done.countDown(); }).build();
    }
  }

  /** Sends a number whenever one comes back. */
  public static final class Driver extends AbstractActor {
    private final ActorRef echo;
    private final CountDownLatch done;
    private int sent, received;

    public Driver(ActorRef echo, CountDownLatch done) {
      this.echo = echo;
      this.done = done;
    }

    @Override
    public void preStart() {
      while (sent < WINDOW) echo.tell(sent++, getSelf());
    }

    @Override
    public Receive createReceive() {
      return receiveBuilder().matchAny(any -> {
        if (++received == REMOTE) done.countDown();
        if (sent < REMOTE) echo.tell(sent++, getSelf());
      }).build();
    }
  }

  public static void main(String[] arguments) throws Exception {
    ActorSystem system = ActorSystem.create("lab", ConfigFactory.parseString(
            "pekko.loglevel=WARNING\npekko.actor.provider=remote\n"
                + "pekko.actor.default-dispatcher.fork-join-executor { parallelism-min = 2, parallelism-max = 2 }\n"
                + "pekko.remote.artery.canonical { hostname = \"127.0.0.1\", port = " + arguments[0] + " }\n"
                + "pekko.remote.use-unsafe-remote-features-outside-cluster=on\n")
        .withFallback(ConfigFactory.load()));
    ActorRef remote = Patterns.ask(system.actorSelection(arguments[1]), new Identify(1), Duration.ofSeconds(20))
        .toCompletableFuture().thenApply(found -> ((ActorIdentity) found).getActorRef().get()).get();
    ActorRef echo = system.actorOf(Props.create(Node.Echo.class, Node.Echo::new));
    double tell = 0, ask = 1e9, spawn = 0, roundTrip = 1e9, inFlight = 0;
    for (int round = 0; round < ROUNDS; round++) {
      CountDownLatch done = new CountDownLatch(1);
      ActorRef sink = system.actorOf(Props.create(Sink.class, () -> new Sink(TELLS, done)));
      long began = System.nanoTime();
      for (int i = 0; i < TELLS; i++) sink.tell(i, ActorRef.noSender());
      done.await();
      tell = Math.max(tell, TELLS / seconds(began));
      ask = Math.min(ask, median(echo, ASKS));
      began = System.nanoTime();
      ActorRef[] made = new ActorRef[SPAWNS];
      for (int i = 0; i < SPAWNS; i++) made[i] = system.actorOf(Props.create(Node.Echo.class, Node.Echo::new));
      spawn = Math.max(spawn, SPAWNS / seconds(began));
      for (ActorRef one : made) system.stop(one);
      roundTrip = Math.min(roundTrip, median(remote, ASKS / 4));
      CountDownLatch back = new CountDownLatch(1);
      began = System.nanoTime();
      system.actorOf(Props.create(Driver.class, () -> new Driver(remote, back)));
      back.await();
      inFlight = Math.max(inFlight, 2 * REMOTE / seconds(began));
    }
    System.out.printf("tell %.0f%nask %.2f%nspawn %.0f%nround-trip %.1f%nin-flight %.0f%n", tell, ask, spawn, roundTrip, inFlight);
    system.terminate();
    system.getWhenTerminated().toCompletableFuture().get(20, TimeUnit.SECONDS);
  }

  private static double seconds(long began) {
    return (System.nanoTime() - began) / 1e9;
  }

  /** Microseconds of a round trip, one after another. */
  private static double median(ActorRef ref, int count) throws Exception {
    double[] taken = new double[count];
    for (int i = 0; i < count; i++) {
      long began = System.nanoTime();
      Patterns.ask(ref, i, Duration.ofSeconds(10)).toCompletableFuture().get();
      taken[i] = (System.nanoTime() - began) / 1e3;
    }
    Arrays.sort(taken);
    return taken[count / 2];
  }
}
