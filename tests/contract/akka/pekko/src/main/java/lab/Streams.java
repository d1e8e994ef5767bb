package lab;

import java.util.List;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.actor.AbstractActor;
import org.apache.pekko.actor.ActorRef;
import org.apache.pekko.actor.ActorSystem;
import org.apache.pekko.japi.Pair;
import org.apache.pekko.pattern.Patterns;
import org.apache.pekko.stream.SinkRef;
import org.apache.pekko.stream.SourceRef;
import org.apache.pekko.stream.javadsl.Keep;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.Source;
import org.apache.pekko.stream.javadsl.StreamRefs;

/**
 * References to streams: "offer N" answers with a source of "n1" to "nN" ("offer -1": one that fails after "n1"), "collect" with a sink, and
 * then with what came into it; a source that is sent is run and answered with what came out of it, a sink is fed "n1" to "n2000".
 */
public final class Streams extends AbstractActor {
  @Override
  @SuppressWarnings("unchecked")
  public Receive createReceive() {
    ActorSystem system = getContext().getSystem();
    return receiveBuilder()
        .match(String.class, text -> text.startsWith("offer "), text -> {
          int count = Integer.parseInt(text.substring(6));
          Source<String, ?> source = count < 0
              ? numbers(1).concat(Source.failed(new IllegalStateException("why")))
              : numbers(count);
          getSender().tell(source.runWith(StreamRefs.sourceRef(), system), getSelf());
        })
        .matchEquals("collect", text -> {
          Pair<SinkRef<String>, CompletionStage<List<String>>> run =
              StreamRefs.<String>sinkRef().toMat(Sink.seq(), Keep.both()).run(system);
          getSender().tell(run.first(), getSelf());
          answer(run.second(), getSender());
        })
        .match(SourceRef.class, ref ->
            answer(((SourceRef<String>) ref).getSource().runWith(Sink.seq(), system), getSender()))
        .match(SinkRef.class, ref -> numbers(2000).runWith(((SinkRef<String>) ref).getSink(), system))
        .build();
  }

  private static Source<String, ?> numbers(int count) {
    return Source.range(1, count).map(number -> "n" + number);
  }

  private void answer(CompletionStage<List<String>> elements, ActorRef asker) {
    Patterns.pipe(
            elements.handle((found, failure) -> failure == null ? String.join(" ", found) : "failed: " + failure),
            getContext().dispatcher())
        .to(asker);
  }
}
