package lab;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import java.util.Map;
import java.util.HashMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.apache.pekko.actor.*;
import org.apache.pekko.cluster.Cluster;
import org.apache.pekko.pattern.Patterns;

/**
 * A real Pekko node for the contract tests: `Node SYSTEM PORT`. It ends when its standard input does; with
 * `-Dreport=MILLISECONDS` it stays instead, and prints what it sees of its cluster so often. `-Dhost` is its address,
 * `-Dmanagement=on` starts Pekko Management where its jars are there.
 */
public class Node {
  /** A message that both sides know, as Jackson's JSON. */
  public static final class Hello {
    public final String name;
    public final int number;
    public final ActorRef replyTo;

    @JsonCreator
    public Hello(
        @JsonProperty("name") String name,
        @JsonProperty("number") int number,
        @JsonProperty("replyTo") ActorRef replyTo) {
      this.name = name;
      this.number = number;
      this.replyTo = replyTo;
    }
  }

  /** The same as Jackson's CBOR, with bytes and what has a form of its own. */
  public static final class Packed {
    public final String userName;
    public final byte[] data;
    public final java.math.BigInteger amount;
    public final java.time.Instant at;
    public final java.util.List<String> tags;
    public final ActorRef replyTo;

    @JsonCreator
    public Packed(
        @JsonProperty("userName") String userName,
        @JsonProperty("data") byte[] data,
        @JsonProperty("amount") java.math.BigInteger amount,
        @JsonProperty("at") java.time.Instant at,
        @JsonProperty("tags") java.util.List<String> tags,
        @JsonProperty("replyTo") ActorRef replyTo) {
      this.userName = userName;
      this.data = data;
      this.amount = amount;
      this.at = at;
      this.tags = tags;
      this.replyTo = replyTo;
    }
  }

  /** Answers everything with itself; a Hello with a greeting to its replyTo; "stop" by stopping. */
  public static final class Echo extends AbstractActor {
    @Override
    public Receive createReceive() {
      return receiveBuilder()
          .matchEquals("stop", s -> getContext().stop(getSelf()))
          .match(Hello.class, h -> h.replyTo.tell(new Hello("hello " + h.name, h.number + 1, getSelf()), getSelf()))
          .match(
              Packed.class,
              p -> p.replyTo.tell(
                  new Packed("hello " + p.userName, p.data, p.amount.add(java.math.BigInteger.ONE), p.at, p.tags, getSelf()),
                  getSelf()))
          .matchAny(any -> getSender().tell(any, getSelf()))
          .build();
    }
  }

  /** Does what a text says: spawn NAME | watch PATH | tell PATH TEXT | ask PATH TEXT | hello PATH | select PATH TEXT.
   *  Of a cluster: join ADDRESS | seeds ADDRESS | leave ADDRESS | down ADDRESS | members (PORT:STATUS, ! for unreachable) | singleton NAME | proxy NAME TEXT
   *  | change KIND KEY VALUE | read KIND KEY
   *  | subscribe TOPIC [GROUP] | heard | publish TOPIC TEXT | publish-to-groups TOPIC TEXT
   *  | topic-subscribe NAME | topic-publish NAME TEXT | topic-heard NAME
   *  | register KEY NAME | find KEY, which answers with sorted PORT/NAMEs.
   */
  public static final class Control extends AbstractActor {
    private final Map<ActorRef, ActorRef> askers = new HashMap<>();
    private ActorRef greeted;
    private ActorRef subscriber;

    @Override
    public Receive createReceive() {
      return receiveBuilder()
          .match(String.class, text -> command(text.split(" ", 3), getSender()))
          .match(Terminated.class, t -> askers.remove(t.getActor()).tell("terminated " + t.getActor().path(), getSelf()))
          .match(Hello.class, h -> greeted.tell(h.name + " " + h.number + " from " + h.replyTo.path().name(), getSelf()))
          .build();
    }

    private void command(String[] words, ActorRef asker) {
      ActorSystem system = getContext().getSystem();
      switch (words[0]) {
        case "spawn":
          ActorRef child = system.actorOf(Props.create(Echo.class, Echo::new), words[1]);
          asker.tell(child, getSelf());
          break;
        case "watch":
          ActorRef other = resolve(words[1]);
          askers.put(other, asker);
          getContext().watch(other);
          asker.tell("watching", getSelf());
          break;
        case "tell":
          resolve(words[1]).tell(words[2], asker);
          break;
        case "select":
          system.actorSelection(words[1]).tell(words[2], asker);
          break;
        case "ask":
          Patterns.pipe(
                  Patterns.ask(resolve(words[1]), words[2], java.time.Duration.ofSeconds(10)),
                  system.dispatcher())
              .to(asker);
          break;
        case "hello":
          greeted = asker;
          resolve(words[1]).tell(new Hello("jvm", 41, getSelf()), getSelf());
          break;
        case "join":
          Cluster.get(system).join(AddressFromURIString.parse(words[1]));
          asker.tell("joining", getSelf());
          break;
        case "seeds":
          Cluster.get(system).joinSeedNodes(java.util.List.of(AddressFromURIString.parse(words[1])));
          asker.tell("joining", getSelf());
          break;
        case "leave":
          Cluster.get(system).leave(AddressFromURIString.parse(words[1]));
          asker.tell("leaving", getSelf());
          break;
        case "down":
          Cluster.get(system).down(AddressFromURIString.parse(words[1]));
          asker.tell("downing", getSelf());
          break;
        case "members":
          asker.tell(members(Cluster.get(system)), getSelf());
          break;
        case "singleton":
          Singletons.start(system, words[1], words.length > 2 ? words[2] : "");
          asker.tell("started", getSelf());
          break;
        case "proxy":
          Singletons.proxy(system, words[1]).tell(words[2], asker);
          break;
        case "change":
          String[] change = words[2].split(" ");
          Patterns.pipe(Data.change(system, words[1], change[0], change[1]), system.dispatcher()).to(asker);
          break;
        case "read":
          Patterns.pipe(Data.read(system, words[1], words[2]), system.dispatcher()).to(asker);
          break;
        case "subscribe":
          if (subscriber == null) subscriber = system.actorOf(Props.create(PubSub.class, PubSub::new));
          subscriber.tell(words, asker);
          break;
        case "heard":
          subscriber.tell("heard?", asker);
          break;
        case "publish":
          PubSub.publish(system, words[1], words[2], false);
          asker.tell("published", getSelf());
          break;
        case "publish-to-groups":
          PubSub.publish(system, words[1], words[2], true);
          asker.tell("published", getSelf());
          break;
        case "topic-subscribe":
          Topics.subscribe(system, words[1]);
          asker.tell("subscribed", getSelf());
          break;
        case "topic-publish":
          Topics.publish(system, words[1], words[2]);
          asker.tell("published", getSelf());
          break;
        case "topic-heard":
          asker.tell(Topics.heard(words[1]), getSelf());
          break;
        case "register":
          Services.register(system, words[1], system.actorOf(Props.create(Echo.class, Echo::new), words[2]));
          asker.tell("registered", getSelf());
          break;
        case "find":
          Patterns.pipe(Services.find(system, words[1]), system.dispatcher()).to(asker);
          break;
        default:
          asker.tell("unknown " + words[0], getSelf());
      }
    }

    private static String members(Cluster cluster) {
      return StreamSupport.stream(cluster.state().getMembers().spliterator(), false)
          .map(m -> m.address().port().get() + ":" + m.status()
              + (cluster.state().getUnreachable().contains(m) ? "!" : ""))
          .collect(Collectors.joining(" "));
    }

    private ActorRef resolve(String path) {
      return ((ExtendedActorSystem) getContext().getSystem()).provider().resolveActorRef(path);
    }
  }

  /** HOST:STATUS of each member, ! for unreachable; and the leader's host. */
  private static String view(Cluster cluster) {
    String members =
        StreamSupport.stream(cluster.state().getMembers().spliterator(), false)
            .map(m -> m.address().host().get() + ":" + m.status()
                + (cluster.state().getUnreachable().contains(m) ? "!" : ""))
            .sorted()
            .collect(Collectors.joining(" "));
    Address leader = cluster.state().getLeader();
    return members + " leader " + (leader == null ? "none" : leader.host().get());
  }

  public static void main(String[] arguments) throws Exception {
    Config config =
        ConfigFactory.parseString(
                System.getProperty("extra", "") + "\n"
                    + "pekko.loglevel=" + System.getProperty("level", "WARNING") + "\n"
                    + "pekko.actor.provider=" + System.getProperty("provider", "remote") + "\n"
                    + "pekko.actor.serialization-bindings { \"lab.Node$Hello\" = jackson-json, \"lab.Node$Packed\" = jackson-cbor }\n"
                    + "pekko.remote.artery.canonical.hostname=\"" + System.getProperty("host", "127.0.0.1") + "\"\n"
                    + "pekko.remote.artery.canonical.port=" + arguments[1] + "\n"
                    + "pekko.remote.use-unsafe-remote-features-outside-cluster=on\n"
                    + "pekko.cluster.jmx.enabled=off\n")
            .withFallback(ConfigFactory.load());
    ActorSystem system = ActorSystem.create(arguments[0], config);
    system.actorOf(Props.create(Echo.class, Echo::new), "echo");
    system.actorOf(Props.create(Control.class, Control::new), "control");
    system.actorOf(Props.create(Streams.class, Streams::new), "streams");
    try {
      system.actorOf(Props.create(Class.forName("lab.Entities")), "entities");
      system.actorOf(Props.create(Class.forName("lab.Campaigns")), "campaigns");
    } catch (ClassNotFoundException withoutSharding) {
      // the node of the other folder has them
    }
    if (System.getProperty("management", "off").equals("on")) {
      Class.forName("lab.Manage").getMethod("start", ActorSystem.class).invoke(null, system);
    }
    System.out.println("ready");
    // not System.exit: its hook waits for the end of a coordinated shutdown, more than a minute where that end was to be
    // announced by a dispatcher that is gone with the system
    system.getWhenTerminated().thenAccept(done -> Runtime.getRuntime().halt(0));
    long report = Long.getLong("report", 0);
    while (report > 0) {
      System.out.println("view " + view(Cluster.get(system)));
      Thread.sleep(report);
    }
    while (System.in.read() >= 0) {}
    system.terminate();
    system.getWhenTerminated().toCompletableFuture().get(10, TimeUnit.SECONDS);
  }
}
