"""The v1 messages as types: one `TypedDict` for each line of the table of fields. Made by `message_types`.

An enum is its name, `bytes` are base64. A message that passed `json_format.check` or came from `protobuf.decode` has no
other fields than these.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict


class FrameworkID(TypedDict):
    value: str


class OfferID(TypedDict):
    value: str


class AgentID(TypedDict):
    value: str


class TaskID(TypedDict):
    value: str


class ExecutorID(TypedDict):
    value: str


class ContainerID(TypedDict):
    value: str
    parent: NotRequired[ContainerID]


class ResourceProviderID(TypedDict):
    value: str


class OperationID(TypedDict):
    value: str


class UUID(TypedDict):
    value: str


class TimeInfo(TypedDict):
    nanoseconds: int


class DurationInfo(TypedDict):
    nanoseconds: int


class Duration(TypedDict):
    seconds: NotRequired[int]
    nanos: NotRequired[int]


class Address(TypedDict):
    hostname: NotRequired[str]
    ip: NotRequired[str]
    port: int


class URL(TypedDict):
    scheme: str
    address: Address
    path: NotRequired[str]
    query: NotRequired[list[Parameter]]
    fragment: NotRequired[str]


class Unavailability(TypedDict):
    start: TimeInfo
    duration: NotRequired[DurationInfo]


class MachineID(TypedDict):
    hostname: NotRequired[str]
    ip: NotRequired[str]


class MachineInfo(TypedDict):
    id: MachineID
    mode: NotRequired[str]
    unavailability: NotRequired[Unavailability]


class FrameworkInfo(TypedDict):
    user: str
    name: str
    id: NotRequired[FrameworkID]
    failover_timeout: NotRequired[float]
    checkpoint: NotRequired[bool]
    role: NotRequired[str]
    hostname: NotRequired[str]
    principal: NotRequired[str]
    webui_url: NotRequired[str]
    capabilities: NotRequired[list[FrameworkInfoCapability]]
    labels: NotRequired[Labels]
    roles: NotRequired[list[str]]
    offer_filters: NotRequired[dict[str, OfferFilters]]


class FrameworkInfoCapability(TypedDict):
    type: NotRequired[str]


class CheckInfo(TypedDict):
    type: NotRequired[str]
    command: NotRequired[CheckInfoCommand]
    http: NotRequired[CheckInfoHttp]
    delay_seconds: NotRequired[float]
    interval_seconds: NotRequired[float]
    timeout_seconds: NotRequired[float]
    tcp: NotRequired[CheckInfoTcp]


class CheckInfoCommand(TypedDict):
    command: CommandInfo


class CheckInfoHttp(TypedDict):
    port: int
    path: NotRequired[str]


class CheckInfoTcp(TypedDict):
    port: int


class HealthCheck(TypedDict):
    http: NotRequired[HealthCheckHTTPCheckInfo]
    delay_seconds: NotRequired[float]
    interval_seconds: NotRequired[float]
    timeout_seconds: NotRequired[float]
    consecutive_failures: NotRequired[int]
    grace_period_seconds: NotRequired[float]
    command: NotRequired[CommandInfo]
    type: NotRequired[str]
    tcp: NotRequired[HealthCheckTCPCheckInfo]


class HealthCheckHTTPCheckInfo(TypedDict):
    port: int
    path: NotRequired[str]
    scheme: NotRequired[str]
    statuses: NotRequired[list[int]]
    protocol: NotRequired[str]


class HealthCheckTCPCheckInfo(TypedDict):
    port: int
    protocol: NotRequired[str]


class KillPolicy(TypedDict):
    grace_period: NotRequired[DurationInfo]


class CommandInfo(TypedDict):
    uris: NotRequired[list[CommandInfoURI]]
    environment: NotRequired[Environment]
    value: NotRequired[str]
    user: NotRequired[str]
    shell: NotRequired[bool]
    arguments: NotRequired[list[str]]


class CommandInfoURI(TypedDict):
    value: str
    executable: NotRequired[bool]
    extract: NotRequired[bool]
    cache: NotRequired[bool]
    output_file: NotRequired[str]


class ExecutorInfo(TypedDict):
    executor_id: ExecutorID
    data: NotRequired[str]
    resources: NotRequired[list[Resource]]
    command: NotRequired[CommandInfo]
    framework_id: NotRequired[FrameworkID]
    name: NotRequired[str]
    source: NotRequired[str]
    container: NotRequired[ContainerInfo]
    discovery: NotRequired[DiscoveryInfo]
    shutdown_grace_period: NotRequired[DurationInfo]
    labels: NotRequired[Labels]
    type: NotRequired[str]


class DomainInfo(TypedDict):
    fault_domain: NotRequired[DomainInfoFaultDomain]


class DomainInfoFaultDomain(TypedDict):
    region: DomainInfoFaultDomainRegionInfo
    zone: DomainInfoFaultDomainZoneInfo


class DomainInfoFaultDomainRegionInfo(TypedDict):
    name: str


class DomainInfoFaultDomainZoneInfo(TypedDict):
    name: str


class MasterInfo(TypedDict):
    id: str
    ip: int
    port: int
    pid: NotRequired[str]
    hostname: NotRequired[str]
    version: NotRequired[str]
    address: NotRequired[Address]
    domain: NotRequired[DomainInfo]
    capabilities: NotRequired[list[MasterInfoCapability]]


class MasterInfoCapability(TypedDict):
    type: NotRequired[str]


class AgentInfo(TypedDict):
    hostname: str
    resources: NotRequired[list[Resource]]
    attributes: NotRequired[list[Attribute]]
    id: NotRequired[AgentID]
    port: NotRequired[int]
    domain: NotRequired[DomainInfo]


class AgentInfoCapability(TypedDict):
    type: NotRequired[str]


class Value(TypedDict):
    type: str
    scalar: NotRequired[ValueScalar]
    ranges: NotRequired[ValueRanges]
    set: NotRequired[ValueSet]
    text: NotRequired[ValueText]


class ValueScalar(TypedDict):
    value: float


class ValueRange(TypedDict):
    begin: int
    end: int


class ValueRanges(TypedDict):
    range: NotRequired[list[ValueRange]]


class ValueSet(TypedDict):
    item: NotRequired[list[str]]


class ValueText(TypedDict):
    value: str


class Attribute(TypedDict):
    name: str
    type: str
    scalar: NotRequired[ValueScalar]
    ranges: NotRequired[ValueRanges]
    text: NotRequired[ValueText]
    set: NotRequired[ValueSet]


class Resource(TypedDict):
    name: str
    type: str
    scalar: NotRequired[ValueScalar]
    ranges: NotRequired[ValueRanges]
    set: NotRequired[ValueSet]
    role: NotRequired[str]
    disk: NotRequired[ResourceDiskInfo]
    reservation: NotRequired[ResourceReservationInfo]
    revocable: NotRequired[ResourceRevocableInfo]
    shared: NotRequired[ResourceSharedInfo]
    allocation_info: NotRequired[ResourceAllocationInfo]
    provider_id: NotRequired[ResourceProviderID]
    reservations: NotRequired[list[ResourceReservationInfo]]


class ResourceAllocationInfo(TypedDict):
    role: NotRequired[str]


class ResourceReservationInfo(TypedDict):
    principal: NotRequired[str]
    labels: NotRequired[Labels]
    role: NotRequired[str]
    type: NotRequired[str]


class ResourceDiskInfo(TypedDict):
    persistence: NotRequired[ResourceDiskInfoPersistence]
    volume: NotRequired[Volume]
    source: NotRequired[ResourceDiskInfoSource]


class ResourceDiskInfoPersistence(TypedDict):
    id: str
    principal: NotRequired[str]


class ResourceDiskInfoSource(TypedDict):
    type: str
    path: NotRequired[ResourceDiskInfoSourcePath]
    mount: NotRequired[ResourceDiskInfoSourceMount]
    id: NotRequired[str]
    metadata: NotRequired[Labels]
    profile: NotRequired[str]
    vendor: NotRequired[str]


class ResourceDiskInfoSourcePath(TypedDict):
    root: NotRequired[str]


class ResourceDiskInfoSourceMount(TypedDict):
    root: NotRequired[str]


class ResourceRevocableInfo(TypedDict):
    pass


class ResourceSharedInfo(TypedDict):
    pass


class ResourceStatistics(TypedDict):
    timestamp: float
    cpus_user_time_secs: NotRequired[float]
    cpus_system_time_secs: NotRequired[float]
    cpus_limit: NotRequired[float]
    mem_rss_bytes: NotRequired[int]
    mem_limit_bytes: NotRequired[int]
    cpus_nr_periods: NotRequired[int]
    cpus_nr_throttled: NotRequired[int]
    cpus_throttled_time_secs: NotRequired[float]
    mem_file_bytes: NotRequired[int]
    mem_anon_bytes: NotRequired[int]
    mem_mapped_file_bytes: NotRequired[int]
    net_rx_packets: NotRequired[int]
    net_rx_bytes: NotRequired[int]
    net_rx_errors: NotRequired[int]
    net_rx_dropped: NotRequired[int]
    net_tx_packets: NotRequired[int]
    net_tx_bytes: NotRequired[int]
    net_tx_errors: NotRequired[int]
    net_tx_dropped: NotRequired[int]
    disk_limit_bytes: NotRequired[int]
    disk_used_bytes: NotRequired[int]
    processes: NotRequired[int]
    threads: NotRequired[int]
    mem_total_bytes: NotRequired[int]
    mem_total_memsw_bytes: NotRequired[int]
    mem_soft_limit_bytes: NotRequired[int]
    mem_cache_bytes: NotRequired[int]
    mem_swap_bytes: NotRequired[int]
    mem_unevictable_bytes: NotRequired[int]
    cpus_soft_limit: NotRequired[float]


class OfferFilters(TypedDict):
    min_allocatable_resources: NotRequired[OfferFiltersMinAllocatableResources]


class OfferFiltersResourceQuantities(TypedDict):
    quantities: NotRequired[dict[str, ValueScalar]]


class OfferFiltersMinAllocatableResources(TypedDict):
    quantities: NotRequired[list[OfferFiltersResourceQuantities]]


class Request(TypedDict):
    agent_id: NotRequired[AgentID]
    resources: NotRequired[list[Resource]]


class Offer(TypedDict):
    id: OfferID
    framework_id: FrameworkID
    agent_id: AgentID
    hostname: str
    resources: NotRequired[list[Resource]]
    executor_ids: NotRequired[list[ExecutorID]]
    attributes: NotRequired[list[Attribute]]
    url: NotRequired[URL]
    unavailability: NotRequired[Unavailability]
    allocation_info: NotRequired[ResourceAllocationInfo]
    domain: NotRequired[DomainInfo]


class OfferOperation(TypedDict):
    type: NotRequired[str]
    launch: NotRequired[OfferOperationLaunch]
    reserve: NotRequired[OfferOperationReserve]
    unreserve: NotRequired[OfferOperationUnreserve]
    create: NotRequired[OfferOperationCreate]
    destroy: NotRequired[OfferOperationDestroy]
    launch_group: NotRequired[OfferOperationLaunchGroup]
    id: NotRequired[OperationID]
    grow_volume: NotRequired[OfferOperationGrowVolume]
    shrink_volume: NotRequired[OfferOperationShrinkVolume]
    create_disk: NotRequired[OfferOperationCreateDisk]
    destroy_disk: NotRequired[OfferOperationDestroyDisk]


class OfferOperationLaunch(TypedDict):
    task_infos: NotRequired[list[TaskInfo]]


class OfferOperationLaunchGroup(TypedDict):
    executor: ExecutorInfo
    task_group: TaskGroupInfo


class OfferOperationReserve(TypedDict):
    resources: NotRequired[list[Resource]]
    source: NotRequired[list[Resource]]


class OfferOperationUnreserve(TypedDict):
    resources: NotRequired[list[Resource]]


class OfferOperationCreate(TypedDict):
    volumes: NotRequired[list[Resource]]


class OfferOperationDestroy(TypedDict):
    volumes: NotRequired[list[Resource]]


class OfferOperationGrowVolume(TypedDict):
    volume: Resource
    addition: Resource


class OfferOperationShrinkVolume(TypedDict):
    volume: Resource
    subtract: ValueScalar


class OfferOperationCreateDisk(TypedDict):
    source: Resource
    target_type: str
    target_profile: NotRequired[str]


class OfferOperationDestroyDisk(TypedDict):
    source: Resource


class InverseOffer(TypedDict):
    id: OfferID
    url: NotRequired[URL]
    framework_id: FrameworkID
    agent_id: NotRequired[AgentID]
    unavailability: Unavailability
    resources: NotRequired[list[Resource]]


class TaskInfo(TypedDict):
    name: str
    task_id: TaskID
    agent_id: AgentID
    resources: NotRequired[list[Resource]]
    executor: NotRequired[ExecutorInfo]
    data: NotRequired[str]
    command: NotRequired[CommandInfo]
    health_check: NotRequired[HealthCheck]
    container: NotRequired[ContainerInfo]
    labels: NotRequired[Labels]
    discovery: NotRequired[DiscoveryInfo]
    kill_policy: NotRequired[KillPolicy]
    check: NotRequired[CheckInfo]
    max_completion_time: NotRequired[DurationInfo]
    limits: NotRequired[dict[str, ValueScalar]]


class TaskGroupInfo(TypedDict):
    tasks: NotRequired[list[TaskInfo]]


class Task(TypedDict):
    name: str
    task_id: TaskID
    framework_id: FrameworkID
    executor_id: NotRequired[ExecutorID]
    agent_id: AgentID
    state: str
    resources: NotRequired[list[Resource]]
    statuses: NotRequired[list[TaskStatus]]
    status_update_state: NotRequired[str]
    status_update_uuid: NotRequired[str]
    labels: NotRequired[Labels]
    discovery: NotRequired[DiscoveryInfo]
    container: NotRequired[ContainerInfo]
    user: NotRequired[str]
    health_check: NotRequired[HealthCheck]
    kill_policy: NotRequired[KillPolicy]
    limits: NotRequired[dict[str, ValueScalar]]


class TaskResourceLimitation(TypedDict):
    resources: NotRequired[list[Resource]]


class Operation(TypedDict):
    framework_id: NotRequired[FrameworkID]
    agent_id: NotRequired[AgentID]
    info: OfferOperation
    latest_status: OperationStatus
    statuses: NotRequired[list[OperationStatus]]
    uuid: UUID


class OperationStatus(TypedDict):
    operation_id: NotRequired[OperationID]
    state: str
    message: NotRequired[str]
    converted_resources: NotRequired[list[Resource]]
    uuid: NotRequired[UUID]
    agent_id: NotRequired[AgentID]
    resource_provider_id: NotRequired[ResourceProviderID]


class CheckStatusInfo(TypedDict):
    type: NotRequired[str]
    command: NotRequired[CheckStatusInfoCommand]
    http: NotRequired[CheckStatusInfoHttp]
    tcp: NotRequired[CheckStatusInfoTcp]


class CheckStatusInfoCommand(TypedDict):
    exit_code: NotRequired[int]


class CheckStatusInfoHttp(TypedDict):
    status_code: NotRequired[int]


class CheckStatusInfoTcp(TypedDict):
    succeeded: NotRequired[bool]


class TaskStatus(TypedDict):
    task_id: TaskID
    state: str
    data: NotRequired[str]
    message: NotRequired[str]
    agent_id: NotRequired[AgentID]
    timestamp: NotRequired[float]
    executor_id: NotRequired[ExecutorID]
    healthy: NotRequired[bool]
    source: NotRequired[str]
    reason: NotRequired[str]
    uuid: NotRequired[str]
    labels: NotRequired[Labels]
    container_status: NotRequired[ContainerStatus]
    unreachable_time: NotRequired[TimeInfo]
    check_status: NotRequired[CheckStatusInfo]
    limitation: NotRequired[TaskResourceLimitation]


class Filters(TypedDict):
    refuse_seconds: NotRequired[float]


class Environment(TypedDict):
    variables: NotRequired[list[EnvironmentVariable]]


class EnvironmentVariable(TypedDict):
    name: str
    value: NotRequired[str]
    type: NotRequired[str]
    secret: NotRequired[Secret]


class Parameter(TypedDict):
    key: str
    value: str


class Parameters(TypedDict):
    parameter: NotRequired[list[Parameter]]


class Credential(TypedDict):
    principal: str
    secret: NotRequired[str]


class Credentials(TypedDict):
    credentials: NotRequired[list[Credential]]


class Secret(TypedDict):
    type: NotRequired[str]
    reference: NotRequired[SecretReference]
    value: NotRequired[SecretValue]


class SecretReference(TypedDict):
    name: str
    key: NotRequired[str]


class SecretValue(TypedDict):
    data: str


class Image(TypedDict):
    type: str
    appc: NotRequired[ImageAppc]
    docker: NotRequired[ImageDocker]
    cached: NotRequired[bool]


class ImageAppc(TypedDict):
    name: str
    id: NotRequired[str]
    labels: NotRequired[Labels]


class ImageDocker(TypedDict):
    name: str
    credential: NotRequired[Credential]
    config: NotRequired[Secret]


class MountPropagation(TypedDict):
    mode: NotRequired[str]


class Volume(TypedDict):
    container_path: str
    host_path: NotRequired[str]
    mode: str
    image: NotRequired[Image]
    source: NotRequired[VolumeSource]


class VolumeSource(TypedDict):
    type: NotRequired[str]
    docker_volume: NotRequired[VolumeSourceDockerVolume]
    sandbox_path: NotRequired[VolumeSourceSandboxPath]
    secret: NotRequired[Secret]
    host_path: NotRequired[VolumeSourceHostPath]


class VolumeSourceDockerVolume(TypedDict):
    driver: NotRequired[str]
    name: str
    driver_options: NotRequired[Parameters]


class VolumeSourceHostPath(TypedDict):
    path: str
    mount_propagation: NotRequired[MountPropagation]


class VolumeSourceSandboxPath(TypedDict):
    type: NotRequired[str]
    path: str


class NetworkInfo(TypedDict):
    groups: NotRequired[list[str]]
    labels: NotRequired[Labels]
    ip_addresses: NotRequired[list[NetworkInfoIPAddress]]
    name: NotRequired[str]
    port_mappings: NotRequired[list[NetworkInfoPortMapping]]


class NetworkInfoIPAddress(TypedDict):
    protocol: NotRequired[str]
    ip_address: NotRequired[str]


class NetworkInfoPortMapping(TypedDict):
    host_port: int
    container_port: int
    protocol: NotRequired[str]


class CapabilityInfo(TypedDict):
    capabilities: NotRequired[list[str]]


class SeccompInfo(TypedDict):
    profile_name: NotRequired[str]
    unconfined: NotRequired[bool]


class LinuxInfo(TypedDict):
    capability_info: NotRequired[CapabilityInfo]
    bounding_capabilities: NotRequired[CapabilityInfo]
    effective_capabilities: NotRequired[CapabilityInfo]
    share_pid_namespace: NotRequired[bool]
    seccomp: NotRequired[SeccompInfo]
    ipc_mode: NotRequired[str]
    shm_size: NotRequired[int]
    share_cgroups: NotRequired[bool]


class RLimitInfo(TypedDict):
    rlimits: NotRequired[list[RLimitInfoRLimit]]


class RLimitInfoRLimit(TypedDict):
    type: NotRequired[str]
    hard: NotRequired[int]
    soft: NotRequired[int]


class TTYInfo(TypedDict):
    window_size: NotRequired[TTYInfoWindowSize]


class TTYInfoWindowSize(TypedDict):
    rows: int
    columns: int


class ContainerInfo(TypedDict):
    type: str
    volumes: NotRequired[list[Volume]]
    docker: NotRequired[ContainerInfoDockerInfo]
    hostname: NotRequired[str]
    mesos: NotRequired[ContainerInfoMesosInfo]
    network_infos: NotRequired[list[NetworkInfo]]
    linux_info: NotRequired[LinuxInfo]
    rlimit_info: NotRequired[RLimitInfo]
    tty_info: NotRequired[TTYInfo]


class ContainerInfoDockerInfo(TypedDict):
    image: str
    network: NotRequired[str]
    port_mappings: NotRequired[list[ContainerInfoDockerInfoPortMapping]]
    privileged: NotRequired[bool]
    parameters: NotRequired[list[Parameter]]
    force_pull_image: NotRequired[bool]
    volume_driver: NotRequired[str]


class ContainerInfoDockerInfoPortMapping(TypedDict):
    host_port: int
    container_port: int
    protocol: NotRequired[str]


class ContainerInfoMesosInfo(TypedDict):
    image: NotRequired[Image]


class ContainerStatus(TypedDict):
    network_infos: NotRequired[list[NetworkInfo]]
    cgroup_info: NotRequired[CgroupInfo]
    executor_pid: NotRequired[int]
    container_id: NotRequired[ContainerID]


class CgroupInfo(TypedDict):
    net_cls: NotRequired[CgroupInfoNetCls]


class CgroupInfoNetCls(TypedDict):
    classid: NotRequired[int]


class Labels(TypedDict):
    labels: NotRequired[list[Label]]


class Label(TypedDict):
    key: str
    value: NotRequired[str]


class Port(TypedDict):
    number: int
    name: NotRequired[str]
    protocol: NotRequired[str]
    visibility: NotRequired[str]
    labels: NotRequired[Labels]


class Ports(TypedDict):
    ports: NotRequired[list[Port]]


class DiscoveryInfo(TypedDict):
    visibility: str
    name: NotRequired[str]
    environment: NotRequired[str]
    location: NotRequired[str]
    version: NotRequired[str]
    ports: NotRequired[Ports]
    labels: NotRequired[Labels]


class WeightInfo(TypedDict):
    weight: float
    role: NotRequired[str]


class VersionInfo(TypedDict):
    version: str
    build_date: NotRequired[str]
    build_time: NotRequired[float]
    build_user: NotRequired[str]
    git_sha: NotRequired[str]
    git_branch: NotRequired[str]
    git_tag: NotRequired[str]


class Flag(TypedDict):
    name: str
    value: NotRequired[str]


class Role(TypedDict):
    name: str
    weight: float
    frameworks: NotRequired[list[FrameworkID]]
    resources: NotRequired[list[Resource]]


class Metric(TypedDict):
    name: str
    value: NotRequired[float]


class FileInfo(TypedDict):
    path: str
    nlink: NotRequired[int]
    size: NotRequired[int]
    mtime: NotRequired[TimeInfo]
    mode: NotRequired[int]
    uid: NotRequired[str]
    gid: NotRequired[str]


class DrainConfig(TypedDict):
    max_grace_period: NotRequired[DurationInfo]
    mark_gone: NotRequired[bool]


class DrainInfo(TypedDict):
    state: str
    config: DrainConfig


class QuotaQuotaInfo(TypedDict):
    role: NotRequired[str]
    principal: NotRequired[str]
    guarantee: NotRequired[list[Resource]]


class QuotaQuotaRequest(TypedDict):
    force: NotRequired[bool]
    role: NotRequired[str]
    guarantee: NotRequired[list[Resource]]


class QuotaQuotaConfig(TypedDict):
    role: str
    guarantees: NotRequired[dict[str, ValueScalar]]
    limits: NotRequired[dict[str, ValueScalar]]


class QuotaQuotaStatus(TypedDict):
    infos: NotRequired[list[QuotaQuotaInfo]]
    configs: NotRequired[list[QuotaQuotaConfig]]


class AllocatorInverseOfferStatus(TypedDict):
    status: str
    framework_id: FrameworkID
    timestamp: TimeInfo


class MaintenanceWindow(TypedDict):
    machine_ids: NotRequired[list[MachineID]]
    unavailability: Unavailability


class MaintenanceSchedule(TypedDict):
    windows: NotRequired[list[MaintenanceWindow]]


class MaintenanceClusterStatus(TypedDict):
    draining_machines: NotRequired[list[MaintenanceClusterStatusDrainingMachine]]
    down_machines: NotRequired[list[MachineID]]


class MaintenanceClusterStatusDrainingMachine(TypedDict):
    id: MachineID
    statuses: NotRequired[list[AllocatorInverseOfferStatus]]


class SchedulerEvent(TypedDict):
    type: NotRequired[str]
    subscribed: NotRequired[SchedulerEventSubscribed]
    offers: NotRequired[SchedulerEventOffers]
    rescind: NotRequired[SchedulerEventRescind]
    update: NotRequired[SchedulerEventUpdate]
    message: NotRequired[SchedulerEventMessage]
    failure: NotRequired[SchedulerEventFailure]
    error: NotRequired[SchedulerEventError]
    inverse_offers: NotRequired[SchedulerEventInverseOffers]
    rescind_inverse_offer: NotRequired[SchedulerEventRescindInverseOffer]
    update_operation_status: NotRequired[SchedulerEventUpdateOperationStatus]


class SchedulerEventSubscribed(TypedDict):
    framework_id: FrameworkID
    heartbeat_interval_seconds: NotRequired[float]
    master_info: NotRequired[MasterInfo]


class SchedulerEventOffers(TypedDict):
    offers: NotRequired[list[Offer]]


class SchedulerEventInverseOffers(TypedDict):
    inverse_offers: NotRequired[list[InverseOffer]]


class SchedulerEventRescind(TypedDict):
    offer_id: OfferID


class SchedulerEventRescindInverseOffer(TypedDict):
    inverse_offer_id: OfferID


class SchedulerEventUpdate(TypedDict):
    status: TaskStatus


class SchedulerEventUpdateOperationStatus(TypedDict):
    status: OperationStatus


class SchedulerEventMessage(TypedDict):
    agent_id: AgentID
    executor_id: ExecutorID
    data: str


class SchedulerEventFailure(TypedDict):
    agent_id: NotRequired[AgentID]
    executor_id: NotRequired[ExecutorID]
    status: NotRequired[int]


class SchedulerEventError(TypedDict):
    message: str


class SchedulerResponse(TypedDict):
    type: NotRequired[str]
    reconcile_operations: NotRequired[SchedulerResponseReconcileOperations]


class SchedulerResponseReconcileOperations(TypedDict):
    operation_statuses: NotRequired[list[OperationStatus]]


class SchedulerAttributeConstraint(TypedDict):
    selector: SchedulerAttributeConstraintSelector
    predicate: SchedulerAttributeConstraintPredicate


class SchedulerAttributeConstraintSelector(TypedDict):
    pseudoattribute_type: NotRequired[str]
    attribute_name: NotRequired[str]


class SchedulerAttributeConstraintPredicate(TypedDict):
    exists: NotRequired[SchedulerAttributeConstraintPredicateExists]
    not_exists: NotRequired[SchedulerAttributeConstraintPredicateNotExists]
    text_equals: NotRequired[SchedulerAttributeConstraintPredicateTextEquals]
    text_not_equals: NotRequired[SchedulerAttributeConstraintPredicateTextNotEquals]
    text_matches: NotRequired[SchedulerAttributeConstraintPredicateTextMatches]
    text_not_matches: NotRequired[SchedulerAttributeConstraintPredicateTextNotMatches]


class SchedulerAttributeConstraintPredicateExists(TypedDict):
    pass


class SchedulerAttributeConstraintPredicateNotExists(TypedDict):
    pass


class SchedulerAttributeConstraintPredicateTextEquals(TypedDict):
    value: str


class SchedulerAttributeConstraintPredicateTextNotEquals(TypedDict):
    value: str


class SchedulerAttributeConstraintPredicateTextMatches(TypedDict):
    regex: str


class SchedulerAttributeConstraintPredicateTextNotMatches(TypedDict):
    regex: str


class SchedulerOfferConstraints(TypedDict):
    role_constraints: NotRequired[dict[str, SchedulerOfferConstraintsRoleConstraints]]


class SchedulerOfferConstraintsRoleConstraints(TypedDict):
    groups: NotRequired[list[SchedulerOfferConstraintsRoleConstraintsGroup]]


class SchedulerOfferConstraintsRoleConstraintsGroup(TypedDict):
    attribute_constraints: NotRequired[list[SchedulerAttributeConstraint]]


class SchedulerCall(TypedDict):
    framework_id: NotRequired[FrameworkID]
    type: NotRequired[str]
    subscribe: NotRequired[SchedulerCallSubscribe]
    accept: NotRequired[SchedulerCallAccept]
    decline: NotRequired[SchedulerCallDecline]
    kill: NotRequired[SchedulerCallKill]
    shutdown: NotRequired[SchedulerCallShutdown]
    acknowledge: NotRequired[SchedulerCallAcknowledge]
    reconcile: NotRequired[SchedulerCallReconcile]
    message: NotRequired[SchedulerCallMessage]
    request: NotRequired[SchedulerCallRequest]
    accept_inverse_offers: NotRequired[SchedulerCallAcceptInverseOffers]
    decline_inverse_offers: NotRequired[SchedulerCallDeclineInverseOffers]
    revive: NotRequired[SchedulerCallRevive]
    suppress: NotRequired[SchedulerCallSuppress]
    acknowledge_operation_status: NotRequired[SchedulerCallAcknowledgeOperationStatus]
    reconcile_operations: NotRequired[SchedulerCallReconcileOperations]
    update_framework: NotRequired[SchedulerCallUpdateFramework]


class SchedulerCallSubscribe(TypedDict):
    framework_info: FrameworkInfo
    suppressed_roles: NotRequired[list[str]]
    offer_constraints: NotRequired[SchedulerOfferConstraints]


class SchedulerCallAccept(TypedDict):
    offer_ids: NotRequired[list[OfferID]]
    operations: NotRequired[list[OfferOperation]]
    filters: NotRequired[Filters]


class SchedulerCallDecline(TypedDict):
    offer_ids: NotRequired[list[OfferID]]
    filters: NotRequired[Filters]


class SchedulerCallAcceptInverseOffers(TypedDict):
    inverse_offer_ids: NotRequired[list[OfferID]]
    filters: NotRequired[Filters]


class SchedulerCallDeclineInverseOffers(TypedDict):
    inverse_offer_ids: NotRequired[list[OfferID]]
    filters: NotRequired[Filters]


class SchedulerCallRevive(TypedDict):
    roles: NotRequired[list[str]]


class SchedulerCallSuppress(TypedDict):
    roles: NotRequired[list[str]]


class SchedulerCallKill(TypedDict):
    task_id: TaskID
    agent_id: NotRequired[AgentID]
    kill_policy: NotRequired[KillPolicy]


class SchedulerCallShutdown(TypedDict):
    executor_id: ExecutorID
    agent_id: AgentID


class SchedulerCallAcknowledge(TypedDict):
    agent_id: AgentID
    task_id: TaskID
    uuid: str


class SchedulerCallAcknowledgeOperationStatus(TypedDict):
    agent_id: NotRequired[AgentID]
    resource_provider_id: NotRequired[ResourceProviderID]
    uuid: str
    operation_id: OperationID


class SchedulerCallReconcile(TypedDict):
    tasks: NotRequired[list[SchedulerCallReconcileTask]]


class SchedulerCallReconcileTask(TypedDict):
    task_id: TaskID
    agent_id: NotRequired[AgentID]


class SchedulerCallReconcileOperations(TypedDict):
    operations: NotRequired[list[SchedulerCallReconcileOperationsOperation]]


class SchedulerCallReconcileOperationsOperation(TypedDict):
    operation_id: OperationID
    agent_id: NotRequired[AgentID]
    resource_provider_id: NotRequired[ResourceProviderID]


class SchedulerCallMessage(TypedDict):
    agent_id: AgentID
    executor_id: ExecutorID
    data: str


class SchedulerCallRequest(TypedDict):
    requests: NotRequired[list[Request]]


class SchedulerCallUpdateFramework(TypedDict):
    framework_info: FrameworkInfo
    suppressed_roles: NotRequired[list[str]]
    offer_constraints: NotRequired[SchedulerOfferConstraints]


class ExecutorEvent(TypedDict):
    type: NotRequired[str]
    subscribed: NotRequired[ExecutorEventSubscribed]
    acknowledged: NotRequired[ExecutorEventAcknowledged]
    launch: NotRequired[ExecutorEventLaunch]
    kill: NotRequired[ExecutorEventKill]
    message: NotRequired[ExecutorEventMessage]
    error: NotRequired[ExecutorEventError]
    launch_group: NotRequired[ExecutorEventLaunchGroup]


class ExecutorEventSubscribed(TypedDict):
    executor_info: ExecutorInfo
    framework_info: FrameworkInfo
    agent_info: AgentInfo
    container_id: NotRequired[ContainerID]


class ExecutorEventLaunch(TypedDict):
    task: TaskInfo


class ExecutorEventLaunchGroup(TypedDict):
    task_group: TaskGroupInfo


class ExecutorEventKill(TypedDict):
    task_id: TaskID
    kill_policy: NotRequired[KillPolicy]


class ExecutorEventAcknowledged(TypedDict):
    task_id: TaskID
    uuid: str


class ExecutorEventMessage(TypedDict):
    data: str


class ExecutorEventError(TypedDict):
    message: str


class ExecutorCall(TypedDict):
    executor_id: ExecutorID
    framework_id: FrameworkID
    type: NotRequired[str]
    subscribe: NotRequired[ExecutorCallSubscribe]
    update: NotRequired[ExecutorCallUpdate]
    message: NotRequired[ExecutorCallMessage]


class ExecutorCallSubscribe(TypedDict):
    unacknowledged_tasks: NotRequired[list[TaskInfo]]
    unacknowledged_updates: NotRequired[list[ExecutorCallUpdate]]


class ExecutorCallUpdate(TypedDict):
    status: TaskStatus


class ExecutorCallMessage(TypedDict):
    data: str


class MasterCall(TypedDict):
    type: NotRequired[str]
    get_metrics: NotRequired[MasterCallGetMetrics]
    set_logging_level: NotRequired[MasterCallSetLoggingLevel]
    list_files: NotRequired[MasterCallListFiles]
    read_file: NotRequired[MasterCallReadFile]
    update_weights: NotRequired[MasterCallUpdateWeights]
    reserve_resources: NotRequired[MasterCallReserveResources]
    unreserve_resources: NotRequired[MasterCallUnreserveResources]
    create_volumes: NotRequired[MasterCallCreateVolumes]
    destroy_volumes: NotRequired[MasterCallDestroyVolumes]
    update_maintenance_schedule: NotRequired[MasterCallUpdateMaintenanceSchedule]
    start_maintenance: NotRequired[MasterCallStartMaintenance]
    stop_maintenance: NotRequired[MasterCallStopMaintenance]
    set_quota: NotRequired[MasterCallSetQuota]
    remove_quota: NotRequired[MasterCallRemoveQuota]
    teardown: NotRequired[MasterCallTeardown]
    mark_agent_gone: NotRequired[MasterCallMarkAgentGone]
    grow_volume: NotRequired[MasterCallGrowVolume]
    shrink_volume: NotRequired[MasterCallShrinkVolume]
    update_quota: NotRequired[MasterCallUpdateQuota]
    drain_agent: NotRequired[MasterCallDrainAgent]
    deactivate_agent: NotRequired[MasterCallDeactivateAgent]
    reactivate_agent: NotRequired[MasterCallReactivateAgent]


class MasterCallGetMetrics(TypedDict):
    timeout: NotRequired[DurationInfo]


class MasterCallSetLoggingLevel(TypedDict):
    level: int
    duration: DurationInfo


class MasterCallListFiles(TypedDict):
    path: str


class MasterCallReadFile(TypedDict):
    path: str
    offset: int
    length: NotRequired[int]


class MasterCallUpdateWeights(TypedDict):
    weight_infos: NotRequired[list[WeightInfo]]


class MasterCallReserveResources(TypedDict):
    agent_id: AgentID
    resources: NotRequired[list[Resource]]
    source: NotRequired[list[Resource]]


class MasterCallUnreserveResources(TypedDict):
    agent_id: AgentID
    resources: NotRequired[list[Resource]]


class MasterCallCreateVolumes(TypedDict):
    agent_id: AgentID
    volumes: NotRequired[list[Resource]]


class MasterCallDestroyVolumes(TypedDict):
    agent_id: AgentID
    volumes: NotRequired[list[Resource]]


class MasterCallGrowVolume(TypedDict):
    agent_id: NotRequired[AgentID]
    volume: Resource
    addition: Resource


class MasterCallShrinkVolume(TypedDict):
    agent_id: NotRequired[AgentID]
    volume: Resource
    subtract: ValueScalar


class MasterCallUpdateMaintenanceSchedule(TypedDict):
    schedule: MaintenanceSchedule


class MasterCallStartMaintenance(TypedDict):
    machines: NotRequired[list[MachineID]]


class MasterCallStopMaintenance(TypedDict):
    machines: NotRequired[list[MachineID]]


class MasterCallDrainAgent(TypedDict):
    agent_id: AgentID
    max_grace_period: NotRequired[Duration]
    mark_gone: NotRequired[bool]


class MasterCallDeactivateAgent(TypedDict):
    agent_id: AgentID


class MasterCallReactivateAgent(TypedDict):
    agent_id: AgentID


class MasterCallUpdateQuota(TypedDict):
    force: NotRequired[bool]
    quota_configs: NotRequired[list[QuotaQuotaConfig]]


class MasterCallSetQuota(TypedDict):
    quota_request: QuotaQuotaRequest


class MasterCallRemoveQuota(TypedDict):
    role: str


class MasterCallTeardown(TypedDict):
    framework_id: FrameworkID


class MasterCallMarkAgentGone(TypedDict):
    agent_id: AgentID


class MasterResponse(TypedDict):
    type: NotRequired[str]
    get_health: NotRequired[MasterResponseGetHealth]
    get_flags: NotRequired[MasterResponseGetFlags]
    get_version: NotRequired[MasterResponseGetVersion]
    get_metrics: NotRequired[MasterResponseGetMetrics]
    get_logging_level: NotRequired[MasterResponseGetLoggingLevel]
    list_files: NotRequired[MasterResponseListFiles]
    read_file: NotRequired[MasterResponseReadFile]
    get_state: NotRequired[MasterResponseGetState]
    get_agents: NotRequired[MasterResponseGetAgents]
    get_frameworks: NotRequired[MasterResponseGetFrameworks]
    get_executors: NotRequired[MasterResponseGetExecutors]
    get_tasks: NotRequired[MasterResponseGetTasks]
    get_roles: NotRequired[MasterResponseGetRoles]
    get_weights: NotRequired[MasterResponseGetWeights]
    get_master: NotRequired[MasterResponseGetMaster]
    get_maintenance_status: NotRequired[MasterResponseGetMaintenanceStatus]
    get_maintenance_schedule: NotRequired[MasterResponseGetMaintenanceSchedule]
    get_quota: NotRequired[MasterResponseGetQuota]
    get_operations: NotRequired[MasterResponseGetOperations]


class MasterResponseGetHealth(TypedDict):
    healthy: bool


class MasterResponseGetFlags(TypedDict):
    flags: NotRequired[list[Flag]]


class MasterResponseGetVersion(TypedDict):
    version_info: VersionInfo


class MasterResponseGetMetrics(TypedDict):
    metrics: NotRequired[list[Metric]]


class MasterResponseGetLoggingLevel(TypedDict):
    level: int


class MasterResponseListFiles(TypedDict):
    file_infos: NotRequired[list[FileInfo]]


class MasterResponseReadFile(TypedDict):
    size: int
    data: str


class MasterResponseGetState(TypedDict):
    get_tasks: NotRequired[MasterResponseGetTasks]
    get_executors: NotRequired[MasterResponseGetExecutors]
    get_frameworks: NotRequired[MasterResponseGetFrameworks]
    get_agents: NotRequired[MasterResponseGetAgents]


class MasterResponseGetAgents(TypedDict):
    agents: NotRequired[list[MasterResponseGetAgentsAgent]]
    recovered_agents: NotRequired[list[AgentInfo]]


class MasterResponseGetAgentsAgent(TypedDict):
    agent_info: AgentInfo
    active: bool
    version: str
    pid: NotRequired[str]
    registered_time: NotRequired[TimeInfo]
    reregistered_time: NotRequired[TimeInfo]
    total_resources: NotRequired[list[Resource]]
    allocated_resources: NotRequired[list[Resource]]
    offered_resources: NotRequired[list[Resource]]
    capabilities: NotRequired[list[AgentInfoCapability]]
    deactivated: NotRequired[bool]
    drain_info: NotRequired[DrainInfo]
    estimated_drain_start_time: NotRequired[TimeInfo]


class MasterResponseGetFrameworks(TypedDict):
    frameworks: NotRequired[list[MasterResponseGetFrameworksFramework]]
    completed_frameworks: NotRequired[list[MasterResponseGetFrameworksFramework]]
    recovered_frameworks: NotRequired[list[FrameworkInfo]]


class MasterResponseGetFrameworksFramework(TypedDict):
    framework_info: FrameworkInfo
    active: bool
    connected: bool
    registered_time: NotRequired[TimeInfo]
    reregistered_time: NotRequired[TimeInfo]
    unregistered_time: NotRequired[TimeInfo]
    offers: NotRequired[list[Offer]]
    inverse_offers: NotRequired[list[InverseOffer]]
    allocated_resources: NotRequired[list[Resource]]
    offered_resources: NotRequired[list[Resource]]
    recovered: bool
    offer_constraints: NotRequired[SchedulerOfferConstraints]


class MasterResponseGetExecutors(TypedDict):
    executors: NotRequired[list[MasterResponseGetExecutorsExecutor]]
    orphan_executors: NotRequired[list[MasterResponseGetExecutorsExecutor]]


class MasterResponseGetExecutorsExecutor(TypedDict):
    executor_info: ExecutorInfo
    agent_id: AgentID


class MasterResponseGetOperations(TypedDict):
    operations: NotRequired[list[Operation]]


class MasterResponseGetTasks(TypedDict):
    pending_tasks: NotRequired[list[Task]]
    tasks: NotRequired[list[Task]]
    completed_tasks: NotRequired[list[Task]]
    orphan_tasks: NotRequired[list[Task]]
    unreachable_tasks: NotRequired[list[Task]]


class MasterResponseGetRoles(TypedDict):
    roles: NotRequired[list[Role]]


class MasterResponseGetWeights(TypedDict):
    weight_infos: NotRequired[list[WeightInfo]]


class MasterResponseGetMaster(TypedDict):
    master_info: NotRequired[MasterInfo]
    start_time: NotRequired[float]
    elected_time: NotRequired[float]


class MasterResponseGetMaintenanceStatus(TypedDict):
    status: MaintenanceClusterStatus


class MasterResponseGetMaintenanceSchedule(TypedDict):
    schedule: MaintenanceSchedule


class MasterResponseGetQuota(TypedDict):
    status: QuotaQuotaStatus


class MasterEvent(TypedDict):
    type: NotRequired[str]
    subscribed: NotRequired[MasterEventSubscribed]
    task_added: NotRequired[MasterEventTaskAdded]
    task_updated: NotRequired[MasterEventTaskUpdated]
    agent_added: NotRequired[MasterEventAgentAdded]
    agent_removed: NotRequired[MasterEventAgentRemoved]
    framework_added: NotRequired[MasterEventFrameworkAdded]
    framework_updated: NotRequired[MasterEventFrameworkUpdated]
    framework_removed: NotRequired[MasterEventFrameworkRemoved]


class MasterEventSubscribed(TypedDict):
    get_state: NotRequired[MasterResponseGetState]
    heartbeat_interval_seconds: NotRequired[float]


class MasterEventTaskAdded(TypedDict):
    task: Task


class MasterEventTaskUpdated(TypedDict):
    framework_id: FrameworkID
    status: TaskStatus
    state: str


class MasterEventFrameworkAdded(TypedDict):
    framework: MasterResponseGetFrameworksFramework


class MasterEventFrameworkUpdated(TypedDict):
    framework: MasterResponseGetFrameworksFramework


class MasterEventFrameworkRemoved(TypedDict):
    framework_info: FrameworkInfo


class MasterEventAgentAdded(TypedDict):
    agent: MasterResponseGetAgentsAgent


class MasterEventAgentRemoved(TypedDict):
    agent_id: AgentID


class AgentCall(TypedDict):
    type: NotRequired[str]
    get_metrics: NotRequired[AgentCallGetMetrics]
    set_logging_level: NotRequired[AgentCallSetLoggingLevel]
    list_files: NotRequired[AgentCallListFiles]
    read_file: NotRequired[AgentCallReadFile]
    launch_nested_container: NotRequired[AgentCallLaunchNestedContainer]
    wait_nested_container: NotRequired[AgentCallWaitNestedContainer]
    kill_nested_container: NotRequired[AgentCallKillNestedContainer]
    launch_nested_container_session: NotRequired[AgentCallLaunchNestedContainerSession]
    attach_container_input: NotRequired[AgentCallAttachContainerInput]
    attach_container_output: NotRequired[AgentCallAttachContainerOutput]
    remove_nested_container: NotRequired[AgentCallRemoveNestedContainer]
    launch_container: NotRequired[AgentCallLaunchContainer]
    wait_container: NotRequired[AgentCallWaitContainer]
    kill_container: NotRequired[AgentCallKillContainer]
    remove_container: NotRequired[AgentCallRemoveContainer]
    get_containers: NotRequired[AgentCallGetContainers]
    prune_images: NotRequired[AgentCallPruneImages]


class AgentCallGetMetrics(TypedDict):
    timeout: NotRequired[DurationInfo]


class AgentCallSetLoggingLevel(TypedDict):
    level: int
    duration: DurationInfo


class AgentCallListFiles(TypedDict):
    path: str


class AgentCallReadFile(TypedDict):
    path: str
    offset: int
    length: NotRequired[int]


class AgentCallGetContainers(TypedDict):
    show_nested: NotRequired[bool]
    show_standalone: NotRequired[bool]


class AgentCallLaunchNestedContainer(TypedDict):
    container_id: ContainerID
    command: NotRequired[CommandInfo]
    container: NotRequired[ContainerInfo]


class AgentCallWaitNestedContainer(TypedDict):
    container_id: ContainerID


class AgentCallKillNestedContainer(TypedDict):
    container_id: ContainerID
    signal: NotRequired[int]


class AgentCallRemoveNestedContainer(TypedDict):
    container_id: ContainerID


class AgentCallLaunchNestedContainerSession(TypedDict):
    container_id: ContainerID
    command: NotRequired[CommandInfo]
    container: NotRequired[ContainerInfo]


class AgentCallAttachContainerInput(TypedDict):
    type: NotRequired[str]
    container_id: NotRequired[ContainerID]
    process_io: NotRequired[AgentProcessIO]


class AgentCallAttachContainerOutput(TypedDict):
    container_id: ContainerID


class AgentCallLaunchContainer(TypedDict):
    container_id: ContainerID
    command: NotRequired[CommandInfo]
    resources: NotRequired[list[Resource]]
    container: NotRequired[ContainerInfo]
    limits: NotRequired[dict[str, ValueScalar]]


class AgentCallWaitContainer(TypedDict):
    container_id: ContainerID


class AgentCallKillContainer(TypedDict):
    container_id: ContainerID
    signal: NotRequired[int]


class AgentCallRemoveContainer(TypedDict):
    container_id: ContainerID


class AgentCallPruneImages(TypedDict):
    excluded_images: NotRequired[list[Image]]


class AgentResponse(TypedDict):
    type: NotRequired[str]
    get_health: NotRequired[AgentResponseGetHealth]
    get_flags: NotRequired[AgentResponseGetFlags]
    get_version: NotRequired[AgentResponseGetVersion]
    get_metrics: NotRequired[AgentResponseGetMetrics]
    get_logging_level: NotRequired[AgentResponseGetLoggingLevel]
    list_files: NotRequired[AgentResponseListFiles]
    read_file: NotRequired[AgentResponseReadFile]
    get_state: NotRequired[AgentResponseGetState]
    get_containers: NotRequired[AgentResponseGetContainers]
    get_frameworks: NotRequired[AgentResponseGetFrameworks]
    get_executors: NotRequired[AgentResponseGetExecutors]
    get_tasks: NotRequired[AgentResponseGetTasks]
    wait_nested_container: NotRequired[AgentResponseWaitNestedContainer]
    get_agent: NotRequired[AgentResponseGetAgent]
    wait_container: NotRequired[AgentResponseWaitContainer]
    get_operations: NotRequired[AgentResponseGetOperations]


class AgentResponseGetHealth(TypedDict):
    healthy: bool


class AgentResponseGetFlags(TypedDict):
    flags: NotRequired[list[Flag]]


class AgentResponseGetVersion(TypedDict):
    version_info: VersionInfo


class AgentResponseGetMetrics(TypedDict):
    metrics: NotRequired[list[Metric]]


class AgentResponseGetLoggingLevel(TypedDict):
    level: int


class AgentResponseListFiles(TypedDict):
    file_infos: NotRequired[list[FileInfo]]


class AgentResponseReadFile(TypedDict):
    size: int
    data: str


class AgentResponseGetState(TypedDict):
    get_tasks: NotRequired[AgentResponseGetTasks]
    get_executors: NotRequired[AgentResponseGetExecutors]
    get_frameworks: NotRequired[AgentResponseGetFrameworks]


class AgentResponseGetContainers(TypedDict):
    containers: NotRequired[list[AgentResponseGetContainersContainer]]


class AgentResponseGetContainersContainer(TypedDict):
    framework_id: NotRequired[FrameworkID]
    executor_id: NotRequired[ExecutorID]
    executor_name: NotRequired[str]
    container_id: ContainerID
    container_status: NotRequired[ContainerStatus]
    resource_statistics: NotRequired[ResourceStatistics]


class AgentResponseGetFrameworks(TypedDict):
    frameworks: NotRequired[list[AgentResponseGetFrameworksFramework]]
    completed_frameworks: NotRequired[list[AgentResponseGetFrameworksFramework]]


class AgentResponseGetFrameworksFramework(TypedDict):
    framework_info: FrameworkInfo


class AgentResponseGetExecutors(TypedDict):
    executors: NotRequired[list[AgentResponseGetExecutorsExecutor]]
    completed_executors: NotRequired[list[AgentResponseGetExecutorsExecutor]]


class AgentResponseGetExecutorsExecutor(TypedDict):
    executor_info: ExecutorInfo


class AgentResponseGetOperations(TypedDict):
    operations: NotRequired[list[Operation]]


class AgentResponseGetTasks(TypedDict):
    pending_tasks: NotRequired[list[Task]]
    queued_tasks: NotRequired[list[Task]]
    launched_tasks: NotRequired[list[Task]]
    terminated_tasks: NotRequired[list[Task]]
    completed_tasks: NotRequired[list[Task]]


class AgentResponseGetAgent(TypedDict):
    agent_info: NotRequired[AgentInfo]
    drain_config: NotRequired[DrainConfig]
    estimated_drain_start_time: NotRequired[TimeInfo]


class AgentResponseWaitNestedContainer(TypedDict):
    exit_status: NotRequired[int]
    state: NotRequired[str]
    reason: NotRequired[str]
    limitation: NotRequired[TaskResourceLimitation]
    message: NotRequired[str]


class AgentResponseWaitContainer(TypedDict):
    exit_status: NotRequired[int]
    state: NotRequired[str]
    reason: NotRequired[str]
    limitation: NotRequired[TaskResourceLimitation]
    message: NotRequired[str]


class AgentProcessIO(TypedDict):
    type: NotRequired[str]
    data: NotRequired[AgentProcessIOData]
    control: NotRequired[AgentProcessIOControl]


class AgentProcessIOData(TypedDict):
    type: NotRequired[str]
    data: NotRequired[str]


class AgentProcessIOControl(TypedDict):
    type: NotRequired[str]
    tty_info: NotRequired[TTYInfo]
    heartbeat: NotRequired[AgentProcessIOControlHeartbeat]


class AgentProcessIOControlHeartbeat(TypedDict):
    interval: NotRequired[DurationInfo]
