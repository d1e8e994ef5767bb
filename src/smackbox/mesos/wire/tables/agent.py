"""The operator API of the agent (`mesos/v1/agent/agent.proto`), and the streams to and from its containers."""

TABLE = """
agent.Call: type Type 1, get_metrics GetMetrics 2, set_logging_level SetLoggingLevel 3, list_files ListFiles 4,
    read_file ReadFile 5, launch_nested_container LaunchNestedContainer 6, wait_nested_container WaitNestedContainer 7,
    kill_nested_container KillNestedContainer 8, launch_nested_container_session LaunchNestedContainerSession 9,
    attach_container_input AttachContainerInput 10, attach_container_output AttachContainerOutput 11,
    remove_nested_container RemoveNestedContainer 12, launch_container LaunchContainer 13,
    wait_container WaitContainer 14, kill_container KillContainer 15, remove_container RemoveContainer 16,
    get_containers GetContainers 20, prune_images PruneImages 21
enum agent.Call.Type: UNKNOWN 0, GET_HEALTH 1, GET_FLAGS 2, GET_VERSION 3, GET_METRICS 4, GET_LOGGING_LEVEL 5,
    SET_LOGGING_LEVEL 6, LIST_FILES 7, READ_FILE 8, GET_STATE 9, GET_CONTAINERS 10, GET_FRAMEWORKS 11,
    GET_EXECUTORS 12, GET_TASKS 13, LAUNCH_NESTED_CONTAINER 14, WAIT_NESTED_CONTAINER 15, KILL_NESTED_CONTAINER 16,
    LAUNCH_NESTED_CONTAINER_SESSION 17, ATTACH_CONTAINER_INPUT 18, ATTACH_CONTAINER_OUTPUT 19, GET_AGENT 20,
    REMOVE_NESTED_CONTAINER 21, LAUNCH_CONTAINER 22, WAIT_CONTAINER 23, KILL_CONTAINER 24, REMOVE_CONTAINER 25,
    GET_RESOURCE_PROVIDERS 26, ADD_RESOURCE_PROVIDER_CONFIG 27, UPDATE_RESOURCE_PROVIDER_CONFIG 28,
    REMOVE_RESOURCE_PROVIDER_CONFIG 29, PRUNE_IMAGES 30, GET_OPERATIONS 31, MARK_RESOURCE_PROVIDER_GONE 32
agent.Call.GetMetrics: timeout DurationInfo 1
agent.Call.SetLoggingLevel: level uint32! 1, duration DurationInfo! 2
agent.Call.ListFiles: path string! 1
agent.Call.ReadFile: path string! 1, offset uint64! 2, length uint64 3
agent.Call.GetContainers: show_nested bool 1, show_standalone bool 2
agent.Call.LaunchNestedContainer: container_id ContainerID! 1, command CommandInfo 2, container ContainerInfo 3
agent.Call.WaitNestedContainer: container_id ContainerID! 1
agent.Call.KillNestedContainer: container_id ContainerID! 1, signal int32 2
agent.Call.RemoveNestedContainer: container_id ContainerID! 1
agent.Call.LaunchNestedContainerSession: container_id ContainerID! 1, command CommandInfo 2, container ContainerInfo 3
agent.Call.AttachContainerInput: type Type 1, container_id ContainerID 2, process_io ProcessIO 3
enum agent.Call.AttachContainerInput.Type: UNKNOWN 0, CONTAINER_ID 1, PROCESS_IO 2
agent.Call.AttachContainerOutput: container_id ContainerID! 1
agent.Call.LaunchContainer: container_id ContainerID! 1, command CommandInfo 2, resources Resource* 3,
    container ContainerInfo 4, limits string>Value.Scalar 5
agent.Call.WaitContainer: container_id ContainerID! 1
agent.Call.KillContainer: container_id ContainerID! 1, signal int32 2
agent.Call.RemoveContainer: container_id ContainerID! 1
agent.Call.PruneImages: excluded_images Image* 1

agent.Response: type Type 1, get_health GetHealth 2, get_flags GetFlags 3, get_version GetVersion 4,
    get_metrics GetMetrics 5, get_logging_level GetLoggingLevel 6, list_files ListFiles 7, read_file ReadFile 8,
    get_state GetState 9, get_containers GetContainers 10, get_frameworks GetFrameworks 11,
    get_executors GetExecutors 12, get_tasks GetTasks 13, wait_nested_container WaitNestedContainer 14,
    get_agent GetAgent 15, wait_container WaitContainer 16, get_operations GetOperations 18
enum agent.Response.Type: UNKNOWN 0, GET_HEALTH 1, GET_FLAGS 2, GET_VERSION 3, GET_METRICS 4, GET_LOGGING_LEVEL 5,
    LIST_FILES 6, READ_FILE 7, GET_STATE 8, GET_CONTAINERS 9, GET_FRAMEWORKS 10, GET_EXECUTORS 11, GET_TASKS 12,
    WAIT_NESTED_CONTAINER 13, GET_AGENT 14, WAIT_CONTAINER 15, GET_RESOURCE_PROVIDERS 16, GET_OPERATIONS 17
agent.Response.GetHealth: healthy bool! 1
agent.Response.GetFlags: flags Flag* 1
agent.Response.GetVersion: version_info VersionInfo! 1
agent.Response.GetMetrics: metrics Metric* 1
agent.Response.GetLoggingLevel: level uint32! 1
agent.Response.ListFiles: file_infos FileInfo* 1
agent.Response.ReadFile: size uint64! 1, data bytes! 2
agent.Response.GetState: get_tasks GetTasks 1, get_executors GetExecutors 2, get_frameworks GetFrameworks 3
agent.Response.GetContainers: containers Container* 1
agent.Response.GetContainers.Container: framework_id FrameworkID 1, executor_id ExecutorID 2, executor_name string 3,
    container_id ContainerID! 4, container_status ContainerStatus 5, resource_statistics ResourceStatistics 6
agent.Response.GetFrameworks: frameworks Framework* 1, completed_frameworks Framework* 2
agent.Response.GetFrameworks.Framework: framework_info FrameworkInfo! 1
agent.Response.GetExecutors: executors Executor* 1, completed_executors Executor* 2
agent.Response.GetExecutors.Executor: executor_info ExecutorInfo! 1
agent.Response.GetOperations: operations Operation* 1
agent.Response.GetTasks: pending_tasks Task* 1, queued_tasks Task* 2, launched_tasks Task* 3, terminated_tasks Task* 4,
    completed_tasks Task* 5
agent.Response.GetAgent: agent_info AgentInfo 1, drain_config DrainConfig 2, estimated_drain_start_time TimeInfo 3
agent.Response.WaitNestedContainer: exit_status int32 1, state TaskState 2, reason TaskStatus.Reason 3,
    limitation TaskResourceLimitation 4, message string 5
agent.Response.WaitContainer: exit_status int32 1, state TaskState 2, reason TaskStatus.Reason 3,
    limitation TaskResourceLimitation 4, message string 5

agent.ProcessIO: type Type 1, data Data 2, control Control 3
enum agent.ProcessIO.Type: UNKNOWN 0, DATA 1, CONTROL 2
agent.ProcessIO.Data: type Type 1, data bytes 2
enum agent.ProcessIO.Data.Type: UNKNOWN 0, STDIN 1, STDOUT 2, STDERR 3
agent.ProcessIO.Control: type Type 1, tty_info TTYInfo 2, heartbeat Heartbeat 3
enum agent.ProcessIO.Control.Type: UNKNOWN 0, TTY_INFO 1, HEARTBEAT 2
agent.ProcessIO.Control.Heartbeat: interval DurationInfo 1
"""
