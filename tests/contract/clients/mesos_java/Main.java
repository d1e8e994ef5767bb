import static com.mesosphere.mesos.rx.java.SinkOperations.sink;
import static com.mesosphere.mesos.rx.java.util.UserAgentEntries.literal;

import com.mesosphere.mesos.rx.java.AwaitableSubscription;
import com.mesosphere.mesos.rx.java.MesosClientBuilder;
import com.mesosphere.mesos.rx.java.SinkOperation;
import com.mesosphere.mesos.rx.java.protobuf.ProtobufMesosClientBuilder;
import com.mesosphere.mesos.rx.java.protobuf.SchedulerCalls;
import java.net.URI;
import java.util.Collections;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ConcurrentSkipListMap;
import org.apache.mesos.v1.Protos.CommandInfo;
import org.apache.mesos.v1.Protos.FrameworkID;
import org.apache.mesos.v1.Protos.Offer;
import org.apache.mesos.v1.Protos.Resource;
import org.apache.mesos.v1.Protos.TaskID;
import org.apache.mesos.v1.Protos.TaskInfo;
import org.apache.mesos.v1.Protos.TaskStatus;
import org.apache.mesos.v1.Protos.Value;
import org.apache.mesos.v1.scheduler.Protos.Call;
import org.apache.mesos.v1.scheduler.Protos.Event;
import rx.Observable;

/** A framework with mesos-rxjava, in protobuf: runs three tasks, prints `task state` once all have ended. */
public final class Main {
    private static final int TASKS = 3;

    public static void main(String[] arguments) throws Throwable {
        FrameworkID id = FrameworkID.newBuilder().setValue("rxjava-" + UUID.randomUUID()).build();
        ConcurrentSkipListMap<String, String> states = new ConcurrentSkipListMap<>();
        MesosClientBuilder<Call, Event> builder = ProtobufMesosClientBuilder.schedulerUsingProtos()
            .mesosUri(URI.create(arguments[0] + "/api/v1/scheduler"))
            .applicationUserAgentEntry(literal("contract", "1"))
            .subscribe(SchedulerCalls.subscribe(id, "root", "rxjava", 60))
            .processStream(unicast -> {
                Observable<Event> events = unicast.share();
                Observable<Optional<SinkOperation<Call>>> offers = events
                    .filter(event -> event.getType() == Event.Type.OFFERS)
                    .flatMap(event -> Observable.from(event.getOffers().getOffersList()))
                    .map(offer -> Optional.of(sink(answer(id, offer, states))));
                Observable<Optional<SinkOperation<Call>>> updates = events
                    .filter(event -> event.getType() == Event.Type.UPDATE)
                    .map(event -> event.getUpdate().getStatus())
                    .map(status -> Optional.of(sink(acknowledge(id, status), () -> note(states, status))));
                return offers.mergeWith(updates);
            });
        AwaitableSubscription stream = builder.build().openStream();
        stream.await();
    }

    private static synchronized Call answer(FrameworkID id, Offer offer, ConcurrentSkipListMap<String, String> states) {
        if (!states.isEmpty()) {
            return SchedulerCalls.decline(id, Collections.singletonList(offer.getId()));
        }
        Offer.Operation.Launch.Builder launch = Offer.Operation.Launch.newBuilder();
        for (int number = 0; number < TASKS; number++) {
            states.put("t" + number, "TASK_STAGING");
            launch.addTaskInfos(
                TaskInfo.newBuilder()
                    .setName("t" + number)
                    .setTaskId(TaskID.newBuilder().setValue("t" + number))
                    .setAgentId(offer.getAgentId())
                    .setCommand(CommandInfo.newBuilder().setValue("exit " + number))
                    .addResources(scalar("cpus", 0.1))
                    .addResources(scalar("mem", 32)));
        }
        Offer.Operation operation =
            Offer.Operation.newBuilder().setType(Offer.Operation.Type.LAUNCH).setLaunch(launch).build();
        return Call.newBuilder()
            .setFrameworkId(id)
            .setType(Call.Type.ACCEPT)
            .setAccept(Call.Accept.newBuilder().addOfferIds(offer.getId()).addOperations(operation))
            .build();
    }

    private static Resource scalar(String name, double value) {
        return Resource.newBuilder()
            .setName(name)
            .setRole("*")
            .setType(Value.Type.SCALAR)
            .setScalar(Value.Scalar.newBuilder().setValue(value))
            .build();
    }

    private static Call acknowledge(FrameworkID id, TaskStatus status) {
        return SchedulerCalls.ackUpdate(id, status.getUuid(), status.getAgentId(), status.getTaskId());
    }

    /** Runs when the acknowledgement was answered. */
    private static void note(ConcurrentSkipListMap<String, String> states, TaskStatus status) {
        states.put(status.getTaskId().getValue(), status.getState().name());
        if (states.values().stream().allMatch(state -> state.equals("TASK_FINISHED") || state.equals("TASK_FAILED"))) {
            states.forEach((task, state) -> System.out.println(task + " " + state));
            System.out.flush();
            Runtime.getRuntime().halt(0);
        }
    }
}
