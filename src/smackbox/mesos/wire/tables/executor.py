"""The executor API (`mesos/v1/executor/executor.proto`)."""

TABLE = """
executor.Event: type Type 1, subscribed Subscribed 2, acknowledged Acknowledged 3, launch Launch 4, kill Kill 5,
    message Message 6, error Error 7, launch_group LaunchGroup 8
enum executor.Event.Type: UNKNOWN 0, SUBSCRIBED 1, LAUNCH 2, KILL 3, ACKNOWLEDGED 4, MESSAGE 5, ERROR 6, SHUTDOWN 7,
    LAUNCH_GROUP 8, HEARTBEAT 9
executor.Event.Subscribed: executor_info ExecutorInfo! 1, framework_info FrameworkInfo! 2, agent_info AgentInfo! 3,
    container_id ContainerID 4
executor.Event.Launch: task TaskInfo! 1
executor.Event.LaunchGroup: task_group TaskGroupInfo! 1
executor.Event.Kill: task_id TaskID! 1, kill_policy KillPolicy 2
executor.Event.Acknowledged: task_id TaskID! 1, uuid bytes! 2
executor.Event.Message: data bytes! 1
executor.Event.Error: message string! 1

executor.Call: executor_id ExecutorID! 1, framework_id FrameworkID! 2, type Type 3, subscribe Subscribe 4,
    update Update 5, message Message 6
enum executor.Call.Type: UNKNOWN 0, SUBSCRIBE 1, UPDATE 2, MESSAGE 3, HEARTBEAT 4
executor.Call.Subscribe: unacknowledged_tasks TaskInfo* 1, unacknowledged_updates Update* 2
executor.Call.Update: status TaskStatus! 1
executor.Call.Message: data bytes! 2
"""
