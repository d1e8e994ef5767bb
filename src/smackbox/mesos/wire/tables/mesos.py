"""The messages that all v1 APIs share (`mesos/v1/mesos.proto` of Mesos 1.11, with quota, maintenance and allocator).

Each message has one line: `Name: field type number, …`. After a type, `!` means required and `*` repeated; `A>B` is a
map. A type name is resolved inside the message first, then outwards. Fields that only the Container Storage Interface
and perf use are omitted.
"""

TABLE = """
FrameworkID: value string! 1
OfferID: value string! 1
AgentID: value string! 1
TaskID: value string! 1
ExecutorID: value string! 1
ContainerID: value string! 1, parent ContainerID 2
ResourceProviderID: value string! 1
OperationID: value string! 1
UUID: value bytes! 1
TimeInfo: nanoseconds int64! 1
DurationInfo: nanoseconds int64! 1
Duration: seconds int64 1, nanos int32 2
Address: hostname string 1, ip string 2, port int32! 3
URL: scheme string! 1, address Address! 2, path string 3, query Parameter* 4, fragment string 5
Unavailability: start TimeInfo! 1, duration DurationInfo 2
MachineID: hostname string 1, ip string 2
MachineInfo: id MachineID! 1, mode Mode 2, unavailability Unavailability 3
enum MachineInfo.Mode: UP 1, DRAINING 2, DOWN 3

FrameworkInfo: user string! 1, name string! 2, id FrameworkID 3, failover_timeout double 4, checkpoint bool 5,
    role string 6, hostname string 7, principal string 8, webui_url string 9, capabilities Capability* 10,
    labels Labels 11, roles string* 12, offer_filters string>OfferFilters 13
FrameworkInfo.Capability: type Type 1
enum FrameworkInfo.Capability.Type: UNKNOWN 0, REVOCABLE_RESOURCES 1, TASK_KILLING_STATE 2, GPU_RESOURCES 3,
    SHARED_RESOURCES 4, PARTITION_AWARE 5, MULTI_ROLE 6, RESERVATION_REFINEMENT 7, REGION_AWARE 8

CheckInfo: type Type 1, command Command 2, http Http 3, delay_seconds double 4, interval_seconds double 5,
    timeout_seconds double 6, tcp Tcp 7
enum CheckInfo.Type: UNKNOWN 0, COMMAND 1, HTTP 2, TCP 3
CheckInfo.Command: command CommandInfo! 1
CheckInfo.Http: port uint32! 1, path string 2
CheckInfo.Tcp: port uint32! 1
HealthCheck: http HTTPCheckInfo 1, delay_seconds double 2, interval_seconds double 3, timeout_seconds double 4,
    consecutive_failures uint32 5, grace_period_seconds double 6, command CommandInfo 7, type Type 8, tcp TCPCheckInfo 9
enum HealthCheck.Type: UNKNOWN 0, COMMAND 1, HTTP 2, TCP 3
HealthCheck.HTTPCheckInfo: port uint32! 1, path string 2, scheme string 3, statuses uint32* 4,
    protocol NetworkInfo.Protocol 5
HealthCheck.TCPCheckInfo: port uint32! 1, protocol NetworkInfo.Protocol 2
KillPolicy: grace_period DurationInfo 1

CommandInfo: uris URI* 1, environment Environment 2, value string 3, user string 5, shell bool 6, arguments string* 7
CommandInfo.URI: value string! 1, executable bool 2, extract bool 3, cache bool 4, output_file string 5
ExecutorInfo: executor_id ExecutorID! 1, data bytes 4, resources Resource* 5, command CommandInfo 7,
    framework_id FrameworkID 8, name string 9, source string 10, container ContainerInfo 11,
    discovery DiscoveryInfo 12, shutdown_grace_period DurationInfo 13, labels Labels 14, type Type 15
enum ExecutorInfo.Type: UNKNOWN 0, DEFAULT 1, CUSTOM 2

DomainInfo: fault_domain FaultDomain 1
DomainInfo.FaultDomain: region RegionInfo! 1, zone ZoneInfo! 2
DomainInfo.FaultDomain.RegionInfo: name string! 1
DomainInfo.FaultDomain.ZoneInfo: name string! 1
MasterInfo: id string! 1, ip uint32! 2, port uint32! 3, pid string 4, hostname string 5, version string 6,
    address Address 7, domain DomainInfo 8, capabilities Capability* 9
MasterInfo.Capability: type Type 1
enum MasterInfo.Capability.Type: UNKNOWN 0, AGENT_UPDATE 1, AGENT_DRAINING 2, QUOTA_V2 3
AgentInfo: hostname string! 1, resources Resource* 3, attributes Attribute* 5, id AgentID 6, port int32 8,
    domain DomainInfo 10
AgentInfo.Capability: type Type 1
enum AgentInfo.Capability.Type: UNKNOWN 0, MULTI_ROLE 1, HIERARCHICAL_ROLE 2, RESERVATION_REFINEMENT 3,
    RESOURCE_PROVIDER 4, RESIZE_VOLUME 5, AGENT_OPERATION_FEEDBACK 6, AGENT_DRAINING 7, TASK_RESOURCE_LIMITS 8

Value: type Type! 1, scalar Scalar 2, ranges Ranges 3, set Set 4, text Text 5
enum Value.Type: SCALAR 0, RANGES 1, SET 2, TEXT 3
Value.Scalar: value double! 1
Value.Range: begin uint64! 1, end uint64! 2
Value.Ranges: range Range* 1
Value.Set: item string* 1
Value.Text: value string! 1
Attribute: name string! 1, type Value.Type! 2, scalar Value.Scalar 3, ranges Value.Ranges 4, text Value.Text 5,
    set Value.Set 6
Resource: name string! 1, type Value.Type! 2, scalar Value.Scalar 3, ranges Value.Ranges 4, set Value.Set 5,
    role string 6, disk DiskInfo 7, reservation ReservationInfo 8, revocable RevocableInfo 9, shared SharedInfo 10,
    allocation_info AllocationInfo 11, provider_id ResourceProviderID 12, reservations ReservationInfo* 13
Resource.AllocationInfo: role string 1
Resource.ReservationInfo: principal string 1, labels Labels 2, role string 3, type Type 4
enum Resource.ReservationInfo.Type: UNKNOWN 0, STATIC 1, DYNAMIC 2
Resource.DiskInfo: persistence Persistence 1, volume Volume 2, source Source 3
Resource.DiskInfo.Persistence: id string! 1, principal string 2
Resource.DiskInfo.Source: type Type! 1, path Path 2, mount Mount 3, id string 4, metadata Labels 5, profile string 6,
    vendor string 7
enum Resource.DiskInfo.Source.Type: UNKNOWN 0, PATH 1, MOUNT 2, BLOCK 3, RAW 4
Resource.DiskInfo.Source.Path: root string 1
Resource.DiskInfo.Source.Mount: root string 1
Resource.RevocableInfo:
Resource.SharedInfo:
ResourceStatistics: timestamp double! 1, cpus_user_time_secs double 2, cpus_system_time_secs double 3,
    cpus_limit double 4, mem_rss_bytes uint64 5, mem_limit_bytes uint64 6, cpus_nr_periods uint32 7,
    cpus_nr_throttled uint32 8, cpus_throttled_time_secs double 9, mem_file_bytes uint64 10, mem_anon_bytes uint64 11,
    mem_mapped_file_bytes uint64 12, net_rx_packets uint64 14, net_rx_bytes uint64 15, net_rx_errors uint64 16,
    net_rx_dropped uint64 17, net_tx_packets uint64 18, net_tx_bytes uint64 19, net_tx_errors uint64 20,
    net_tx_dropped uint64 21, disk_limit_bytes uint64 26, disk_used_bytes uint64 27, processes uint32 30,
    threads uint32 31, mem_total_bytes uint64 36, mem_total_memsw_bytes uint64 37, mem_soft_limit_bytes uint64 38,
    mem_cache_bytes uint64 39, mem_swap_bytes uint64 40, mem_unevictable_bytes uint64 41, cpus_soft_limit double 45

OfferFilters: min_allocatable_resources MinAllocatableResources 1
OfferFilters.ResourceQuantities: quantities string>Value.Scalar 1
OfferFilters.MinAllocatableResources: quantities ResourceQuantities* 1
Request: agent_id AgentID 1, resources Resource* 2
Offer: id OfferID! 1, framework_id FrameworkID! 2, agent_id AgentID! 3, hostname string! 4, resources Resource* 5,
    executor_ids ExecutorID* 6, attributes Attribute* 7, url URL 8, unavailability Unavailability 9,
    allocation_info Resource.AllocationInfo 10, domain DomainInfo 11
Offer.Operation: type Type 1, launch Launch 2, reserve Reserve 3, unreserve Unreserve 4, create Create 5,
    destroy Destroy 6, launch_group LaunchGroup 7, id OperationID 12, grow_volume GrowVolume 13,
    shrink_volume ShrinkVolume 14, create_disk CreateDisk 15, destroy_disk DestroyDisk 16
enum Offer.Operation.Type: UNKNOWN 0, LAUNCH 1, RESERVE 2, UNRESERVE 3, CREATE 4, DESTROY 5, LAUNCH_GROUP 6,
    GROW_VOLUME 11, SHRINK_VOLUME 12, CREATE_DISK 13, DESTROY_DISK 14
Offer.Operation.Launch: task_infos TaskInfo* 1
Offer.Operation.LaunchGroup: executor ExecutorInfo! 1, task_group TaskGroupInfo! 2
Offer.Operation.Reserve: resources Resource* 1, source Resource* 2
Offer.Operation.Unreserve: resources Resource* 1
Offer.Operation.Create: volumes Resource* 1
Offer.Operation.Destroy: volumes Resource* 1
Offer.Operation.GrowVolume: volume Resource! 1, addition Resource! 2
Offer.Operation.ShrinkVolume: volume Resource! 1, subtract Value.Scalar! 2
Offer.Operation.CreateDisk: source Resource! 1, target_type Resource.DiskInfo.Source.Type! 2, target_profile string 3
Offer.Operation.DestroyDisk: source Resource! 1
InverseOffer: id OfferID! 1, url URL 2, framework_id FrameworkID! 3, agent_id AgentID 4,
    unavailability Unavailability! 5, resources Resource* 6
TaskInfo: name string! 1, task_id TaskID! 2, agent_id AgentID! 3, resources Resource* 4, executor ExecutorInfo 5,
    data bytes 6, command CommandInfo 7, health_check HealthCheck 8, container ContainerInfo 9, labels Labels 10,
    discovery DiscoveryInfo 11, kill_policy KillPolicy 12, check CheckInfo 13, max_completion_time DurationInfo 14,
    limits string>Value.Scalar 15
TaskGroupInfo: tasks TaskInfo* 1
Task: name string! 1, task_id TaskID! 2, framework_id FrameworkID! 3, executor_id ExecutorID 4, agent_id AgentID! 5,
    state TaskState! 6, resources Resource* 7, statuses TaskStatus* 8, status_update_state TaskState 9,
    status_update_uuid bytes 10, labels Labels 11, discovery DiscoveryInfo 12, container ContainerInfo 13,
    user string 14, health_check HealthCheck 15, kill_policy KillPolicy 16, limits string>Value.Scalar 17
enum TaskState: TASK_STARTING 0, TASK_RUNNING 1, TASK_FINISHED 2, TASK_FAILED 3, TASK_KILLED 4, TASK_LOST 5,
    TASK_STAGING 6, TASK_ERROR 7, TASK_KILLING 8, TASK_DROPPED 9, TASK_UNREACHABLE 10, TASK_GONE 11,
    TASK_GONE_BY_OPERATOR 12, TASK_UNKNOWN 13
TaskResourceLimitation: resources Resource* 1
Operation: framework_id FrameworkID 1, agent_id AgentID 2, info Offer.Operation! 3, latest_status OperationStatus! 4,
    statuses OperationStatus* 5, uuid UUID! 6
enum OperationState: OPERATION_UNSUPPORTED 0, OPERATION_PENDING 1, OPERATION_FINISHED 2, OPERATION_FAILED 3,
    OPERATION_ERROR 4, OPERATION_DROPPED 5, OPERATION_UNREACHABLE 6, OPERATION_GONE_BY_OPERATOR 7,
    OPERATION_RECOVERING 8, OPERATION_UNKNOWN 9
OperationStatus: operation_id OperationID 1, state OperationState! 2, message string 3,
    converted_resources Resource* 4, uuid UUID 5, agent_id AgentID 6, resource_provider_id ResourceProviderID 7
CheckStatusInfo: type CheckInfo.Type 1, command Command 2, http Http 3, tcp Tcp 4
CheckStatusInfo.Command: exit_code int32 1
CheckStatusInfo.Http: status_code uint32 1
CheckStatusInfo.Tcp: succeeded bool 1
TaskStatus: task_id TaskID! 1, state TaskState! 2, data bytes 3, message string 4, agent_id AgentID 5,
    timestamp double 6, executor_id ExecutorID 7, healthy bool 8, source Source 9, reason Reason 10, uuid bytes 11,
    labels Labels 12, container_status ContainerStatus 13, unreachable_time TimeInfo 14,
    check_status CheckStatusInfo 15, limitation TaskResourceLimitation 16
enum TaskStatus.Source: SOURCE_MASTER 0, SOURCE_AGENT 1, SOURCE_EXECUTOR 2
enum TaskStatus.Reason: REASON_COMMAND_EXECUTOR_FAILED 0, REASON_EXECUTOR_TERMINATED 1,
    REASON_EXECUTOR_UNREGISTERED 2, REASON_FRAMEWORK_REMOVED 3, REASON_GC_ERROR 4, REASON_INVALID_FRAMEWORKID 5,
    REASON_INVALID_OFFERS 6, REASON_MASTER_DISCONNECTED 7, REASON_CONTAINER_LIMITATION_MEMORY 8,
    REASON_RECONCILIATION 9, REASON_AGENT_DISCONNECTED 10, REASON_AGENT_REMOVED 11, REASON_AGENT_RESTARTED 12,
    REASON_AGENT_UNKNOWN 13, REASON_TASK_INVALID 14, REASON_TASK_UNAUTHORIZED 15, REASON_TASK_UNKNOWN 16,
    REASON_CONTAINER_PREEMPTED 17, REASON_RESOURCES_UNKNOWN 18, REASON_CONTAINER_LIMITATION 19,
    REASON_CONTAINER_LIMITATION_DISK 20, REASON_CONTAINER_LAUNCH_FAILED 21, REASON_CONTAINER_UPDATE_FAILED 22,
    REASON_EXECUTOR_REGISTRATION_TIMEOUT 23, REASON_EXECUTOR_REREGISTRATION_TIMEOUT 24, REASON_TASK_GROUP_INVALID 25,
    REASON_TASK_GROUP_UNAUTHORIZED 26, REASON_IO_SWITCHBOARD_EXITED 27, REASON_TASK_CHECK_STATUS_UPDATED 28,
    REASON_TASK_HEALTH_CHECK_STATUS_UPDATED 29, REASON_TASK_KILLED_DURING_LAUNCH 30,
    REASON_AGENT_REMOVED_BY_OPERATOR 31, REASON_AGENT_REREGISTERED 32, REASON_MAX_COMPLETION_TIME_REACHED 33,
    REASON_AGENT_DRAINING 34, REASON_CONTAINER_MEMORY_REQUEST_EXCEEDED 35
Filters: refuse_seconds double 1

Environment: variables Variable* 1
Environment.Variable: name string! 1, value string 2, type Type 3, secret Secret 4
enum Environment.Variable.Type: UNKNOWN 0, VALUE 1, SECRET 2
Parameter: key string! 1, value string! 2
Parameters: parameter Parameter* 1
Credential: principal string! 1, secret string 2
Credentials: credentials Credential* 1
Secret: type Type 1, reference Reference 2, value Value 3
enum Secret.Type: UNKNOWN 0, REFERENCE 1, VALUE 2
Secret.Reference: name string! 1, key string 2
Secret.Value: data bytes! 1
Image: type Type! 1, appc Appc 2, docker Docker 3, cached bool 4
enum Image.Type: APPC 1, DOCKER 2
Image.Appc: name string! 1, id string 2, labels Labels 3
Image.Docker: name string! 1, credential Credential 2, config Secret 3
MountPropagation: mode Mode 1
enum MountPropagation.Mode: UNKNOWN 0, HOST_TO_CONTAINER 1, BIDIRECTIONAL 2
Volume: container_path string! 1, host_path string 2, mode Mode! 3, image Image 4, source Source 5
enum Volume.Mode: RW 1, RO 2
Volume.Source: type Type 1, docker_volume DockerVolume 2, sandbox_path SandboxPath 3, secret Secret 4,
    host_path HostPath 5
enum Volume.Source.Type: UNKNOWN 0, DOCKER_VOLUME 1, SANDBOX_PATH 2, SECRET 3, HOST_PATH 4
Volume.Source.DockerVolume: driver string 1, name string! 2, driver_options Parameters 3
Volume.Source.HostPath: path string! 1, mount_propagation MountPropagation 2
Volume.Source.SandboxPath: type Type 1, path string! 2
enum Volume.Source.SandboxPath.Type: UNKNOWN 0, SELF 1, PARENT 2
NetworkInfo: groups string* 3, labels Labels 4, ip_addresses IPAddress* 5, name string 6, port_mappings PortMapping* 7
enum NetworkInfo.Protocol: IPv4 1, IPv6 2
NetworkInfo.IPAddress: protocol Protocol 1, ip_address string 2
NetworkInfo.PortMapping: host_port uint32! 1, container_port uint32! 2, protocol string 3
CapabilityInfo: capabilities Capability* 1
enum CapabilityInfo.Capability: UNKNOWN 0, CHOWN 1000, DAC_OVERRIDE 1001, DAC_READ_SEARCH 1002, FOWNER 1003,
    FSETID 1004, KILL 1005, SETGID 1006, SETUID 1007, SETPCAP 1008, LINUX_IMMUTABLE 1009, NET_BIND_SERVICE 1010,
    NET_BROADCAST 1011, NET_ADMIN 1012, NET_RAW 1013, IPC_LOCK 1014, IPC_OWNER 1015, SYS_MODULE 1016, SYS_RAWIO 1017,
    SYS_CHROOT 1018, SYS_PTRACE 1019, SYS_PACCT 1020, SYS_ADMIN 1021, SYS_BOOT 1022, SYS_NICE 1023, SYS_RESOURCE 1024,
    SYS_TIME 1025, SYS_TTY_CONFIG 1026, MKNOD 1027, LEASE 1028, AUDIT_WRITE 1029, AUDIT_CONTROL 1030, SETFCAP 1031,
    MAC_OVERRIDE 1032, MAC_ADMIN 1033, SYSLOG 1034, WAKE_ALARM 1035, BLOCK_SUSPEND 1036, AUDIT_READ 1037
SeccompInfo: profile_name string 1, unconfined bool 2
LinuxInfo: capability_info CapabilityInfo 1, bounding_capabilities CapabilityInfo 2,
    effective_capabilities CapabilityInfo 3, share_pid_namespace bool 4, seccomp SeccompInfo 5, ipc_mode IpcMode 6,
    shm_size uint32 7, share_cgroups bool 8
enum LinuxInfo.IpcMode: UNKNOWN 0, PRIVATE 1, SHARE_PARENT 2
RLimitInfo: rlimits RLimit* 1
RLimitInfo.RLimit: type Type 1, hard uint64 2, soft uint64 3
enum RLimitInfo.RLimit.Type: UNKNOWN 0, RLMT_AS 1, RLMT_CORE 2, RLMT_CPU 3, RLMT_DATA 4, RLMT_FSIZE 5, RLMT_LOCKS 6,
    RLMT_MEMLOCK 7, RLMT_MSGQUEUE 8, RLMT_NICE 9, RLMT_NOFILE 10, RLMT_NPROC 11, RLMT_RSS 12, RLMT_RTPRIO 13,
    RLMT_RTTIME 14, RLMT_SIGPENDING 15, RLMT_STACK 16
TTYInfo: window_size WindowSize 1
TTYInfo.WindowSize: rows uint32! 1, columns uint32! 2
ContainerInfo: type Type! 1, volumes Volume* 2, docker DockerInfo 3, hostname string 4, mesos MesosInfo 5,
    network_infos NetworkInfo* 7, linux_info LinuxInfo 8, rlimit_info RLimitInfo 9, tty_info TTYInfo 10
enum ContainerInfo.Type: DOCKER 1, MESOS 2
ContainerInfo.DockerInfo: image string! 1, network Network 2, port_mappings PortMapping* 3, privileged bool 4,
    parameters Parameter* 5, force_pull_image bool 6, volume_driver string 7
enum ContainerInfo.DockerInfo.Network: HOST 1, BRIDGE 2, NONE 3, USER 4
ContainerInfo.DockerInfo.PortMapping: host_port uint32! 1, container_port uint32! 2, protocol string 3
ContainerInfo.MesosInfo: image Image 1
ContainerStatus: network_infos NetworkInfo* 1, cgroup_info CgroupInfo 2, executor_pid uint32 3,
    container_id ContainerID 4
CgroupInfo: net_cls NetCls 1
CgroupInfo.NetCls: classid uint32 1
Labels: labels Label* 1
Label: key string! 1, value string 2
Port: number uint32! 1, name string 2, protocol string 3, visibility DiscoveryInfo.Visibility 4, labels Labels 5
Ports: ports Port* 1
DiscoveryInfo: visibility Visibility! 1, name string 2, environment string 3, location string 4, version string 5,
    ports Ports 6, labels Labels 7
enum DiscoveryInfo.Visibility: FRAMEWORK 0, CLUSTER 1, EXTERNAL 2
WeightInfo: weight double! 1, role string 2
VersionInfo: version string! 1, build_date string 2, build_time double 3, build_user string 4, git_sha string 5,
    git_branch string 6, git_tag string 7
Flag: name string! 1, value string 2
Role: name string! 1, weight double! 2, frameworks FrameworkID* 3, resources Resource* 4
Metric: name string! 1, value double 2
FileInfo: path string! 1, nlink int32 2, size uint64 3, mtime TimeInfo 4, mode uint32 5, uid string 6, gid string 7
enum DrainState: UNKNOWN 0, DRAINING 1, DRAINED 2
DrainConfig: max_grace_period DurationInfo 1, mark_gone bool 2
DrainInfo: state DrainState! 1, config DrainConfig! 2

quota.QuotaInfo: role string 1, principal string 2, guarantee Resource* 3
quota.QuotaRequest: force bool 1, role string 2, guarantee Resource* 3
quota.QuotaConfig: role string! 1, guarantees string>Value.Scalar 2, limits string>Value.Scalar 3
quota.QuotaStatus: infos QuotaInfo* 1, configs QuotaConfig* 2
allocator.InverseOfferStatus: status Status! 1, framework_id FrameworkID! 2, timestamp TimeInfo! 3
enum allocator.InverseOfferStatus.Status: UNKNOWN 1, ACCEPT 2, DECLINE 3
maintenance.Window: machine_ids MachineID* 1, unavailability Unavailability! 2
maintenance.Schedule: windows Window* 1
maintenance.ClusterStatus: draining_machines DrainingMachine* 1, down_machines MachineID* 2
maintenance.ClusterStatus.DrainingMachine: id MachineID! 1, statuses allocator.InverseOfferStatus* 2
"""
