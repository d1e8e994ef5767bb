"""The v1 messages as types: one `TypedDict` for each line of the table of fields. Made by `message_types`.

An enum is its name, `bytes` are base64. A message that passed `json_format.check` or came from `protobuf.decode` has no
other fields than these.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict


class FrameworkID(TypedDict):
    """`FrameworkID` of the v1 API."""

    value: str


class OfferID(TypedDict):
    """`OfferID` of the v1 API."""

    value: str


class AgentID(TypedDict):
    """`AgentID` of the v1 API."""

    value: str


class TaskID(TypedDict):
    """`TaskID` of the v1 API."""

    value: str


class ExecutorID(TypedDict):
    """`ExecutorID` of the v1 API."""

    value: str


class ContainerID(TypedDict):
    """`ContainerID` of the v1 API."""

    value: str
    parent: NotRequired[ContainerID]


class ResourceProviderID(TypedDict):
    """`ResourceProviderID` of the v1 API."""

    value: str


class OperationID(TypedDict):
    """`OperationID` of the v1 API."""

    value: str


class UUID(TypedDict):
    """`UUID` of the v1 API."""

    value: str


class TimeInfo(TypedDict):
    """`TimeInfo` of the v1 API."""

    nanoseconds: int


class DurationInfo(TypedDict):
    """`DurationInfo` of the v1 API."""

    nanoseconds: int


class Duration(TypedDict):
    """`Duration` of the v1 API."""

    seconds: NotRequired[int]
    nanos: NotRequired[int]


class Address(TypedDict):
    """`Address` of the v1 API."""

    hostname: NotRequired[str]
    ip: NotRequired[str]
    port: int


class URL(TypedDict):
    """`URL` of the v1 API."""

    scheme: str
    address: Address
    path: NotRequired[str]
    query: NotRequired[list[Parameter]]
    fragment: NotRequired[str]


class Unavailability(TypedDict):
    """`Unavailability` of the v1 API."""

    start: TimeInfo
    duration: NotRequired[DurationInfo]


class MachineID(TypedDict):
    """`MachineID` of the v1 API."""

    hostname: NotRequired[str]
    ip: NotRequired[str]


class MachineInfo(TypedDict):
    """`MachineInfo` of the v1 API."""

    id: MachineID
    mode: NotRequired[str]
    unavailability: NotRequired[Unavailability]


class FrameworkInfo(TypedDict):
    """`FrameworkInfo` of the v1 API."""

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
    """`FrameworkInfo.Capability` of the v1 API."""

    type: NotRequired[str]


class CheckInfo(TypedDict):
    """`CheckInfo` of the v1 API."""

    type: NotRequired[str]
    command: NotRequired[CheckInfoCommand]
    http: NotRequired[CheckInfoHttp]
    delay_seconds: NotRequired[float]
    interval_seconds: NotRequired[float]
    timeout_seconds: NotRequired[float]
    tcp: NotRequired[CheckInfoTcp]


class CheckInfoCommand(TypedDict):
    """`CheckInfo.Command` of the v1 API."""

    command: CommandInfo


class CheckInfoHttp(TypedDict):
    """`CheckInfo.Http` of the v1 API."""

    port: int
    path: NotRequired[str]


class CheckInfoTcp(TypedDict):
    """`CheckInfo.Tcp` of the v1 API."""

    port: int


class HealthCheck(TypedDict):
    """`HealthCheck` of the v1 API."""

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
    """`HealthCheck.HTTPCheckInfo` of the v1 API."""

    port: int
    path: NotRequired[str]
    scheme: NotRequired[str]
    statuses: NotRequired[list[int]]
    protocol: NotRequired[str]


class HealthCheckTCPCheckInfo(TypedDict):
    """`HealthCheck.TCPCheckInfo` of the v1 API."""

    port: int
    protocol: NotRequired[str]


class KillPolicy(TypedDict):
    """`KillPolicy` of the v1 API."""

    grace_period: NotRequired[DurationInfo]


class CommandInfo(TypedDict):
    """`CommandInfo` of the v1 API."""

    uris: NotRequired[list[CommandInfoURI]]
    environment: NotRequired[Environment]
    value: NotRequired[str]
    user: NotRequired[str]
    shell: NotRequired[bool]
    arguments: NotRequired[list[str]]


class CommandInfoURI(TypedDict):
    """`CommandInfo.URI` of the v1 API."""

    value: str
    executable: NotRequired[bool]
    extract: NotRequired[bool]
    cache: NotRequired[bool]
    output_file: NotRequired[str]


class ExecutorInfo(TypedDict):
    """`ExecutorInfo` of the v1 API."""

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
    """`DomainInfo` of the v1 API."""

    fault_domain: NotRequired[DomainInfoFaultDomain]


class DomainInfoFaultDomain(TypedDict):
    """`DomainInfo.FaultDomain` of the v1 API."""

    region: DomainInfoFaultDomainRegionInfo
    zone: DomainInfoFaultDomainZoneInfo


class DomainInfoFaultDomainRegionInfo(TypedDict):
    """`DomainInfo.FaultDomain.RegionInfo` of the v1 API."""

    name: str


class DomainInfoFaultDomainZoneInfo(TypedDict):
    """`DomainInfo.FaultDomain.ZoneInfo` of the v1 API."""

    name: str


class MasterInfo(TypedDict):
    """`MasterInfo` of the v1 API."""

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
    """`MasterInfo.Capability` of the v1 API."""

    type: NotRequired[str]


class AgentInfo(TypedDict):
    """`AgentInfo` of the v1 API."""

    hostname: str
    resources: NotRequired[list[Resource]]
    attributes: NotRequired[list[Attribute]]
    id: NotRequired[AgentID]
    port: NotRequired[int]
    domain: NotRequired[DomainInfo]


class AgentInfoCapability(TypedDict):
    """`AgentInfo.Capability` of the v1 API."""

    type: NotRequired[str]


class Value(TypedDict):
    """`Value` of the v1 API."""

    type: str
    scalar: NotRequired[ValueScalar]
    ranges: NotRequired[ValueRanges]
    set: NotRequired[ValueSet]
    text: NotRequired[ValueText]


class ValueScalar(TypedDict):
    """`Value.Scalar` of the v1 API."""

    value: float


class ValueRange(TypedDict):
    """`Value.Range` of the v1 API."""

    begin: int
    end: int


class ValueRanges(TypedDict):
    """`Value.Ranges` of the v1 API."""

    range: NotRequired[list[ValueRange]]


class ValueSet(TypedDict):
    """`Value.Set` of the v1 API."""

    item: NotRequired[list[str]]


class ValueText(TypedDict):
    """`Value.Text` of the v1 API."""

    value: str


class Attribute(TypedDict):
    """`Attribute` of the v1 API."""

    name: str
    type: str
    scalar: NotRequired[ValueScalar]
    ranges: NotRequired[ValueRanges]
    text: NotRequired[ValueText]
    set: NotRequired[ValueSet]


class Resource(TypedDict):
    """`Resource` of the v1 API."""

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
    """`Resource.AllocationInfo` of the v1 API."""

    role: NotRequired[str]


class ResourceReservationInfo(TypedDict):
    """`Resource.ReservationInfo` of the v1 API."""

    principal: NotRequired[str]
    labels: NotRequired[Labels]
    role: NotRequired[str]
    type: NotRequired[str]


class ResourceDiskInfo(TypedDict):
    """`Resource.DiskInfo` of the v1 API."""

    persistence: NotRequired[ResourceDiskInfoPersistence]
    volume: NotRequired[Volume]
    source: NotRequired[ResourceDiskInfoSource]


class ResourceDiskInfoPersistence(TypedDict):
    """`Resource.DiskInfo.Persistence` of the v1 API."""

    id: str
    principal: NotRequired[str]


class ResourceDiskInfoSource(TypedDict):
    """`Resource.DiskInfo.Source` of the v1 API."""

    type: str
    path: NotRequired[ResourceDiskInfoSourcePath]
    mount: NotRequired[ResourceDiskInfoSourceMount]
    id: NotRequired[str]
    metadata: NotRequired[Labels]
    profile: NotRequired[str]
    vendor: NotRequired[str]


class ResourceDiskInfoSourcePath(TypedDict):
    """`Resource.DiskInfo.Source.Path` of the v1 API."""

    root: NotRequired[str]


class ResourceDiskInfoSourceMount(TypedDict):
    """`Resource.DiskInfo.Source.Mount` of the v1 API."""

    root: NotRequired[str]


class ResourceRevocableInfo(TypedDict):
    """`Resource.RevocableInfo` of the v1 API."""


class ResourceSharedInfo(TypedDict):
    """`Resource.SharedInfo` of the v1 API."""


class ResourceStatistics(TypedDict):
    """`ResourceStatistics` of the v1 API."""

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
    """`OfferFilters` of the v1 API."""

    min_allocatable_resources: NotRequired[OfferFiltersMinAllocatableResources]


class OfferFiltersResourceQuantities(TypedDict):
    """`OfferFilters.ResourceQuantities` of the v1 API."""

    quantities: NotRequired[dict[str, ValueScalar]]


class OfferFiltersMinAllocatableResources(TypedDict):
    """`OfferFilters.MinAllocatableResources` of the v1 API."""

    quantities: NotRequired[list[OfferFiltersResourceQuantities]]


class Request(TypedDict):
    """`Request` of the v1 API."""

    agent_id: NotRequired[AgentID]
    resources: NotRequired[list[Resource]]


class Offer(TypedDict):
    """`Offer` of the v1 API."""

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
    """`Offer.Operation` of the v1 API."""

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
    """`Offer.Operation.Launch` of the v1 API."""

    task_infos: NotRequired[list[TaskInfo]]


class OfferOperationLaunchGroup(TypedDict):
    """`Offer.Operation.LaunchGroup` of the v1 API."""

    executor: ExecutorInfo
    task_group: TaskGroupInfo


class OfferOperationReserve(TypedDict):
    """`Offer.Operation.Reserve` of the v1 API."""

    resources: NotRequired[list[Resource]]
    source: NotRequired[list[Resource]]


class OfferOperationUnreserve(TypedDict):
    """`Offer.Operation.Unreserve` of the v1 API."""

    resources: NotRequired[list[Resource]]


class OfferOperationCreate(TypedDict):
    """`Offer.Operation.Create` of the v1 API."""

    volumes: NotRequired[list[Resource]]


class OfferOperationDestroy(TypedDict):
    """`Offer.Operation.Destroy` of the v1 API."""

    volumes: NotRequired[list[Resource]]


class OfferOperationGrowVolume(TypedDict):
    """`Offer.Operation.GrowVolume` of the v1 API."""

    volume: Resource
    addition: Resource


class OfferOperationShrinkVolume(TypedDict):
    """`Offer.Operation.ShrinkVolume` of the v1 API."""

    volume: Resource
    subtract: ValueScalar


class OfferOperationCreateDisk(TypedDict):
    """`Offer.Operation.CreateDisk` of the v1 API."""

    source: Resource
    target_type: str
    target_profile: NotRequired[str]


class OfferOperationDestroyDisk(TypedDict):
    """`Offer.Operation.DestroyDisk` of the v1 API."""

    source: Resource


class InverseOffer(TypedDict):
    """`InverseOffer` of the v1 API."""

    id: OfferID
    url: NotRequired[URL]
    framework_id: FrameworkID
    agent_id: NotRequired[AgentID]
    unavailability: Unavailability
    resources: NotRequired[list[Resource]]


class TaskInfo(TypedDict):
    """`TaskInfo` of the v1 API."""

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
    """`TaskGroupInfo` of the v1 API."""

    tasks: NotRequired[list[TaskInfo]]


class Task(TypedDict):
    """`Task` of the v1 API."""

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
    """`TaskResourceLimitation` of the v1 API."""

    resources: NotRequired[list[Resource]]


class Operation(TypedDict):
    """`Operation` of the v1 API."""

    framework_id: NotRequired[FrameworkID]
    agent_id: NotRequired[AgentID]
    info: OfferOperation
    latest_status: OperationStatus
    statuses: NotRequired[list[OperationStatus]]
    uuid: UUID


class OperationStatus(TypedDict):
    """`OperationStatus` of the v1 API."""

    operation_id: NotRequired[OperationID]
    state: str
    message: NotRequired[str]
    converted_resources: NotRequired[list[Resource]]
    uuid: NotRequired[UUID]
    agent_id: NotRequired[AgentID]
    resource_provider_id: NotRequired[ResourceProviderID]


class CheckStatusInfo(TypedDict):
    """`CheckStatusInfo` of the v1 API."""

    type: NotRequired[str]
    command: NotRequired[CheckStatusInfoCommand]
    http: NotRequired[CheckStatusInfoHttp]
    tcp: NotRequired[CheckStatusInfoTcp]


class CheckStatusInfoCommand(TypedDict):
    """`CheckStatusInfo.Command` of the v1 API."""

    exit_code: NotRequired[int]


class CheckStatusInfoHttp(TypedDict):
    """`CheckStatusInfo.Http` of the v1 API."""

    status_code: NotRequired[int]


class CheckStatusInfoTcp(TypedDict):
    """`CheckStatusInfo.Tcp` of the v1 API."""

    succeeded: NotRequired[bool]


class TaskStatus(TypedDict):
    """`TaskStatus` of the v1 API."""

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
    """`Filters` of the v1 API."""

    refuse_seconds: NotRequired[float]


class Environment(TypedDict):
    """`Environment` of the v1 API."""

    variables: NotRequired[list[EnvironmentVariable]]


class EnvironmentVariable(TypedDict):
    """`Environment.Variable` of the v1 API."""

    name: str
    value: NotRequired[str]
    type: NotRequired[str]
    secret: NotRequired[Secret]


class Parameter(TypedDict):
    """`Parameter` of the v1 API."""

    key: str
    value: str


class Parameters(TypedDict):
    """`Parameters` of the v1 API."""

    parameter: NotRequired[list[Parameter]]


class Credential(TypedDict):
    """`Credential` of the v1 API."""

    principal: str
    secret: NotRequired[str]


class Credentials(TypedDict):
    """`Credentials` of the v1 API."""

    credentials: NotRequired[list[Credential]]


class Secret(TypedDict):
    """`Secret` of the v1 API."""

    type: NotRequired[str]
    reference: NotRequired[SecretReference]
    value: NotRequired[SecretValue]


class SecretReference(TypedDict):
    """`Secret.Reference` of the v1 API."""

    name: str
    key: NotRequired[str]


class SecretValue(TypedDict):
    """`Secret.Value` of the v1 API."""

    data: str


class Image(TypedDict):
    """`Image` of the v1 API."""

    type: str
    appc: NotRequired[ImageAppc]
    docker: NotRequired[ImageDocker]
    cached: NotRequired[bool]


class ImageAppc(TypedDict):
    """`Image.Appc` of the v1 API."""

    name: str
    id: NotRequired[str]
    labels: NotRequired[Labels]


class ImageDocker(TypedDict):
    """`Image.Docker` of the v1 API."""

    name: str
    credential: NotRequired[Credential]
    config: NotRequired[Secret]


class MountPropagation(TypedDict):
    """`MountPropagation` of the v1 API."""

    mode: NotRequired[str]


class Volume(TypedDict):
    """`Volume` of the v1 API."""

    container_path: str
    host_path: NotRequired[str]
    mode: str
    image: NotRequired[Image]
    source: NotRequired[VolumeSource]


class VolumeSource(TypedDict):
    """`Volume.Source` of the v1 API."""

    type: NotRequired[str]
    docker_volume: NotRequired[VolumeSourceDockerVolume]
    sandbox_path: NotRequired[VolumeSourceSandboxPath]
    secret: NotRequired[Secret]
    host_path: NotRequired[VolumeSourceHostPath]


class VolumeSourceDockerVolume(TypedDict):
    """`Volume.Source.DockerVolume` of the v1 API."""

    driver: NotRequired[str]
    name: str
    driver_options: NotRequired[Parameters]


class VolumeSourceHostPath(TypedDict):
    """`Volume.Source.HostPath` of the v1 API."""

    path: str
    mount_propagation: NotRequired[MountPropagation]


class VolumeSourceSandboxPath(TypedDict):
    """`Volume.Source.SandboxPath` of the v1 API."""

    type: NotRequired[str]
    path: str


class NetworkInfo(TypedDict):
    """`NetworkInfo` of the v1 API."""

    groups: NotRequired[list[str]]
    labels: NotRequired[Labels]
    ip_addresses: NotRequired[list[NetworkInfoIPAddress]]
    name: NotRequired[str]
    port_mappings: NotRequired[list[NetworkInfoPortMapping]]


class NetworkInfoIPAddress(TypedDict):
    """`NetworkInfo.IPAddress` of the v1 API."""

    protocol: NotRequired[str]
    ip_address: NotRequired[str]


class NetworkInfoPortMapping(TypedDict):
    """`NetworkInfo.PortMapping` of the v1 API."""

    host_port: int
    container_port: int
    protocol: NotRequired[str]


class CapabilityInfo(TypedDict):
    """`CapabilityInfo` of the v1 API."""

    capabilities: NotRequired[list[str]]


class SeccompInfo(TypedDict):
    """`SeccompInfo` of the v1 API."""

    profile_name: NotRequired[str]
    unconfined: NotRequired[bool]


class LinuxInfo(TypedDict):
    """`LinuxInfo` of the v1 API."""

    capability_info: NotRequired[CapabilityInfo]
    bounding_capabilities: NotRequired[CapabilityInfo]
    effective_capabilities: NotRequired[CapabilityInfo]
    share_pid_namespace: NotRequired[bool]
    seccomp: NotRequired[SeccompInfo]
    ipc_mode: NotRequired[str]
    shm_size: NotRequired[int]
    share_cgroups: NotRequired[bool]


class RLimitInfo(TypedDict):
    """`RLimitInfo` of the v1 API."""

    rlimits: NotRequired[list[RLimitInfoRLimit]]


class RLimitInfoRLimit(TypedDict):
    """`RLimitInfo.RLimit` of the v1 API."""

    type: NotRequired[str]
    hard: NotRequired[int]
    soft: NotRequired[int]


class TTYInfo(TypedDict):
    """`TTYInfo` of the v1 API."""

    window_size: NotRequired[TTYInfoWindowSize]


class TTYInfoWindowSize(TypedDict):
    """`TTYInfo.WindowSize` of the v1 API."""

    rows: int
    columns: int


class ContainerInfo(TypedDict):
    """`ContainerInfo` of the v1 API."""

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
    """`ContainerInfo.DockerInfo` of the v1 API."""

    image: str
    network: NotRequired[str]
    port_mappings: NotRequired[list[ContainerInfoDockerInfoPortMapping]]
    privileged: NotRequired[bool]
    parameters: NotRequired[list[Parameter]]
    force_pull_image: NotRequired[bool]
    volume_driver: NotRequired[str]


class ContainerInfoDockerInfoPortMapping(TypedDict):
    """`ContainerInfo.DockerInfo.PortMapping` of the v1 API."""

    host_port: int
    container_port: int
    protocol: NotRequired[str]


class ContainerInfoMesosInfo(TypedDict):
    """`ContainerInfo.MesosInfo` of the v1 API."""

    image: NotRequired[Image]


class ContainerStatus(TypedDict):
    """`ContainerStatus` of the v1 API."""

    network_infos: NotRequired[list[NetworkInfo]]
    cgroup_info: NotRequired[CgroupInfo]
    executor_pid: NotRequired[int]
    container_id: NotRequired[ContainerID]


class CgroupInfo(TypedDict):
    """`CgroupInfo` of the v1 API."""

    net_cls: NotRequired[CgroupInfoNetCls]


class CgroupInfoNetCls(TypedDict):
    """`CgroupInfo.NetCls` of the v1 API."""

    classid: NotRequired[int]


class Labels(TypedDict):
    """`Labels` of the v1 API."""

    labels: NotRequired[list[Label]]


class Label(TypedDict):
    """`Label` of the v1 API."""

    key: str
    value: NotRequired[str]


class Port(TypedDict):
    """`Port` of the v1 API."""

    number: int
    name: NotRequired[str]
    protocol: NotRequired[str]
    visibility: NotRequired[str]
    labels: NotRequired[Labels]


class Ports(TypedDict):
    """`Ports` of the v1 API."""

    ports: NotRequired[list[Port]]


class DiscoveryInfo(TypedDict):
    """`DiscoveryInfo` of the v1 API."""

    visibility: str
    name: NotRequired[str]
    environment: NotRequired[str]
    location: NotRequired[str]
    version: NotRequired[str]
    ports: NotRequired[Ports]
    labels: NotRequired[Labels]


class WeightInfo(TypedDict):
    """`WeightInfo` of the v1 API."""

    weight: float
    role: NotRequired[str]


class VersionInfo(TypedDict):
    """`VersionInfo` of the v1 API."""

    version: str
    build_date: NotRequired[str]
    build_time: NotRequired[float]
    build_user: NotRequired[str]
    git_sha: NotRequired[str]
    git_branch: NotRequired[str]
    git_tag: NotRequired[str]


class Flag(TypedDict):
    """`Flag` of the v1 API."""

    name: str
    value: NotRequired[str]


class Role(TypedDict):
    """`Role` of the v1 API."""

    name: str
    weight: float
    frameworks: NotRequired[list[FrameworkID]]
    resources: NotRequired[list[Resource]]


class Metric(TypedDict):
    """`Metric` of the v1 API."""

    name: str
    value: NotRequired[float]


class FileInfo(TypedDict):
    """`FileInfo` of the v1 API."""

    path: str
    nlink: NotRequired[int]
    size: NotRequired[int]
    mtime: NotRequired[TimeInfo]
    mode: NotRequired[int]
    uid: NotRequired[str]
    gid: NotRequired[str]


class DrainConfig(TypedDict):
    """`DrainConfig` of the v1 API."""

    max_grace_period: NotRequired[DurationInfo]
    mark_gone: NotRequired[bool]


class DrainInfo(TypedDict):
    """`DrainInfo` of the v1 API."""

    state: str
    config: DrainConfig


class QuotaQuotaInfo(TypedDict):
    """`quota.QuotaInfo` of the v1 API."""

    role: NotRequired[str]
    principal: NotRequired[str]
    guarantee: NotRequired[list[Resource]]


class QuotaQuotaRequest(TypedDict):
    """`quota.QuotaRequest` of the v1 API."""

    force: NotRequired[bool]
    role: NotRequired[str]
    guarantee: NotRequired[list[Resource]]


class QuotaQuotaConfig(TypedDict):
    """`quota.QuotaConfig` of the v1 API."""

    role: str
    guarantees: NotRequired[dict[str, ValueScalar]]
    limits: NotRequired[dict[str, ValueScalar]]


class QuotaQuotaStatus(TypedDict):
    """`quota.QuotaStatus` of the v1 API."""

    infos: NotRequired[list[QuotaQuotaInfo]]
    configs: NotRequired[list[QuotaQuotaConfig]]


class AllocatorInverseOfferStatus(TypedDict):
    """`allocator.InverseOfferStatus` of the v1 API."""

    status: str
    framework_id: FrameworkID
    timestamp: TimeInfo


class MaintenanceWindow(TypedDict):
    """`maintenance.Window` of the v1 API."""

    machine_ids: NotRequired[list[MachineID]]
    unavailability: Unavailability


class MaintenanceSchedule(TypedDict):
    """`maintenance.Schedule` of the v1 API."""

    windows: NotRequired[list[MaintenanceWindow]]


class MaintenanceClusterStatus(TypedDict):
    """`maintenance.ClusterStatus` of the v1 API."""

    draining_machines: NotRequired[list[MaintenanceClusterStatusDrainingMachine]]
    down_machines: NotRequired[list[MachineID]]


class MaintenanceClusterStatusDrainingMachine(TypedDict):
    """`maintenance.ClusterStatus.DrainingMachine` of the v1 API."""

    id: MachineID
    statuses: NotRequired[list[AllocatorInverseOfferStatus]]


class SchedulerEvent(TypedDict):
    """`scheduler.Event` of the v1 API."""

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
    """`scheduler.Event.Subscribed` of the v1 API."""

    framework_id: FrameworkID
    heartbeat_interval_seconds: NotRequired[float]
    master_info: NotRequired[MasterInfo]


class SchedulerEventOffers(TypedDict):
    """`scheduler.Event.Offers` of the v1 API."""

    offers: NotRequired[list[Offer]]


class SchedulerEventInverseOffers(TypedDict):
    """`scheduler.Event.InverseOffers` of the v1 API."""

    inverse_offers: NotRequired[list[InverseOffer]]


class SchedulerEventRescind(TypedDict):
    """`scheduler.Event.Rescind` of the v1 API."""

    offer_id: OfferID


class SchedulerEventRescindInverseOffer(TypedDict):
    """`scheduler.Event.RescindInverseOffer` of the v1 API."""

    inverse_offer_id: OfferID


class SchedulerEventUpdate(TypedDict):
    """`scheduler.Event.Update` of the v1 API."""

    status: TaskStatus


class SchedulerEventUpdateOperationStatus(TypedDict):
    """`scheduler.Event.UpdateOperationStatus` of the v1 API."""

    status: OperationStatus


class SchedulerEventMessage(TypedDict):
    """`scheduler.Event.Message` of the v1 API."""

    agent_id: AgentID
    executor_id: ExecutorID
    data: str


class SchedulerEventFailure(TypedDict):
    """`scheduler.Event.Failure` of the v1 API."""

    agent_id: NotRequired[AgentID]
    executor_id: NotRequired[ExecutorID]
    status: NotRequired[int]


class SchedulerEventError(TypedDict):
    """`scheduler.Event.Error` of the v1 API."""

    message: str


class SchedulerResponse(TypedDict):
    """`scheduler.Response` of the v1 API."""

    type: NotRequired[str]
    reconcile_operations: NotRequired[SchedulerResponseReconcileOperations]


class SchedulerResponseReconcileOperations(TypedDict):
    """`scheduler.Response.ReconcileOperations` of the v1 API."""

    operation_statuses: NotRequired[list[OperationStatus]]


class SchedulerAttributeConstraint(TypedDict):
    """`scheduler.AttributeConstraint` of the v1 API."""

    selector: SchedulerAttributeConstraintSelector
    predicate: SchedulerAttributeConstraintPredicate


class SchedulerAttributeConstraintSelector(TypedDict):
    """`scheduler.AttributeConstraint.Selector` of the v1 API."""

    pseudoattribute_type: NotRequired[str]
    attribute_name: NotRequired[str]


class SchedulerAttributeConstraintPredicate(TypedDict):
    """`scheduler.AttributeConstraint.Predicate` of the v1 API."""

    exists: NotRequired[SchedulerAttributeConstraintPredicateExists]
    not_exists: NotRequired[SchedulerAttributeConstraintPredicateNotExists]
    text_equals: NotRequired[SchedulerAttributeConstraintPredicateTextEquals]
    text_not_equals: NotRequired[SchedulerAttributeConstraintPredicateTextNotEquals]
    text_matches: NotRequired[SchedulerAttributeConstraintPredicateTextMatches]
    text_not_matches: NotRequired[SchedulerAttributeConstraintPredicateTextNotMatches]


class SchedulerAttributeConstraintPredicateExists(TypedDict):
    """`scheduler.AttributeConstraint.Predicate.Exists` of the v1 API."""


class SchedulerAttributeConstraintPredicateNotExists(TypedDict):
    """`scheduler.AttributeConstraint.Predicate.NotExists` of the v1 API."""


class SchedulerAttributeConstraintPredicateTextEquals(TypedDict):
    """`scheduler.AttributeConstraint.Predicate.TextEquals` of the v1 API."""

    value: str


class SchedulerAttributeConstraintPredicateTextNotEquals(TypedDict):
    """`scheduler.AttributeConstraint.Predicate.TextNotEquals` of the v1 API."""

    value: str


class SchedulerAttributeConstraintPredicateTextMatches(TypedDict):
    """`scheduler.AttributeConstraint.Predicate.TextMatches` of the v1 API."""

    regex: str


class SchedulerAttributeConstraintPredicateTextNotMatches(TypedDict):
    """`scheduler.AttributeConstraint.Predicate.TextNotMatches` of the v1 API."""

    regex: str


class SchedulerOfferConstraints(TypedDict):
    """`scheduler.OfferConstraints` of the v1 API."""

    role_constraints: NotRequired[dict[str, SchedulerOfferConstraintsRoleConstraints]]


class SchedulerOfferConstraintsRoleConstraints(TypedDict):
    """`scheduler.OfferConstraints.RoleConstraints` of the v1 API."""

    groups: NotRequired[list[SchedulerOfferConstraintsRoleConstraintsGroup]]


class SchedulerOfferConstraintsRoleConstraintsGroup(TypedDict):
    """`scheduler.OfferConstraints.RoleConstraints.Group` of the v1 API."""

    attribute_constraints: NotRequired[list[SchedulerAttributeConstraint]]


class SchedulerCall(TypedDict):
    """`scheduler.Call` of the v1 API."""

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
    """`scheduler.Call.Subscribe` of the v1 API."""

    framework_info: FrameworkInfo
    suppressed_roles: NotRequired[list[str]]
    offer_constraints: NotRequired[SchedulerOfferConstraints]


class SchedulerCallAccept(TypedDict):
    """`scheduler.Call.Accept` of the v1 API."""

    offer_ids: NotRequired[list[OfferID]]
    operations: NotRequired[list[OfferOperation]]
    filters: NotRequired[Filters]


class SchedulerCallDecline(TypedDict):
    """`scheduler.Call.Decline` of the v1 API."""

    offer_ids: NotRequired[list[OfferID]]
    filters: NotRequired[Filters]


class SchedulerCallAcceptInverseOffers(TypedDict):
    """`scheduler.Call.AcceptInverseOffers` of the v1 API."""

    inverse_offer_ids: NotRequired[list[OfferID]]
    filters: NotRequired[Filters]


class SchedulerCallDeclineInverseOffers(TypedDict):
    """`scheduler.Call.DeclineInverseOffers` of the v1 API."""

    inverse_offer_ids: NotRequired[list[OfferID]]
    filters: NotRequired[Filters]


class SchedulerCallRevive(TypedDict):
    """`scheduler.Call.Revive` of the v1 API."""

    roles: NotRequired[list[str]]


class SchedulerCallSuppress(TypedDict):
    """`scheduler.Call.Suppress` of the v1 API."""

    roles: NotRequired[list[str]]


class SchedulerCallKill(TypedDict):
    """`scheduler.Call.Kill` of the v1 API."""

    task_id: TaskID
    agent_id: NotRequired[AgentID]
    kill_policy: NotRequired[KillPolicy]


class SchedulerCallShutdown(TypedDict):
    """`scheduler.Call.Shutdown` of the v1 API."""

    executor_id: ExecutorID
    agent_id: AgentID


class SchedulerCallAcknowledge(TypedDict):
    """`scheduler.Call.Acknowledge` of the v1 API."""

    agent_id: AgentID
    task_id: TaskID
    uuid: str


class SchedulerCallAcknowledgeOperationStatus(TypedDict):
    """`scheduler.Call.AcknowledgeOperationStatus` of the v1 API."""

    agent_id: NotRequired[AgentID]
    resource_provider_id: NotRequired[ResourceProviderID]
    uuid: str
    operation_id: OperationID


class SchedulerCallReconcile(TypedDict):
    """`scheduler.Call.Reconcile` of the v1 API."""

    tasks: NotRequired[list[SchedulerCallReconcileTask]]


class SchedulerCallReconcileTask(TypedDict):
    """`scheduler.Call.Reconcile.Task` of the v1 API."""

    task_id: TaskID
    agent_id: NotRequired[AgentID]


class SchedulerCallReconcileOperations(TypedDict):
    """`scheduler.Call.ReconcileOperations` of the v1 API."""

    operations: NotRequired[list[SchedulerCallReconcileOperationsOperation]]


class SchedulerCallReconcileOperationsOperation(TypedDict):
    """`scheduler.Call.ReconcileOperations.Operation` of the v1 API."""

    operation_id: OperationID
    agent_id: NotRequired[AgentID]
    resource_provider_id: NotRequired[ResourceProviderID]


class SchedulerCallMessage(TypedDict):
    """`scheduler.Call.Message` of the v1 API."""

    agent_id: AgentID
    executor_id: ExecutorID
    data: str


class SchedulerCallRequest(TypedDict):
    """`scheduler.Call.Request` of the v1 API."""

    requests: NotRequired[list[Request]]


class SchedulerCallUpdateFramework(TypedDict):
    """`scheduler.Call.UpdateFramework` of the v1 API."""

    framework_info: FrameworkInfo
    suppressed_roles: NotRequired[list[str]]
    offer_constraints: NotRequired[SchedulerOfferConstraints]


class ExecutorEvent(TypedDict):
    """`executor.Event` of the v1 API."""

    type: NotRequired[str]
    subscribed: NotRequired[ExecutorEventSubscribed]
    acknowledged: NotRequired[ExecutorEventAcknowledged]
    launch: NotRequired[ExecutorEventLaunch]
    kill: NotRequired[ExecutorEventKill]
    message: NotRequired[ExecutorEventMessage]
    error: NotRequired[ExecutorEventError]
    launch_group: NotRequired[ExecutorEventLaunchGroup]


class ExecutorEventSubscribed(TypedDict):
    """`executor.Event.Subscribed` of the v1 API."""

    executor_info: ExecutorInfo
    framework_info: FrameworkInfo
    agent_info: AgentInfo
    container_id: NotRequired[ContainerID]


class ExecutorEventLaunch(TypedDict):
    """`executor.Event.Launch` of the v1 API."""

    task: TaskInfo


class ExecutorEventLaunchGroup(TypedDict):
    """`executor.Event.LaunchGroup` of the v1 API."""

    task_group: TaskGroupInfo


class ExecutorEventKill(TypedDict):
    """`executor.Event.Kill` of the v1 API."""

    task_id: TaskID
    kill_policy: NotRequired[KillPolicy]


class ExecutorEventAcknowledged(TypedDict):
    """`executor.Event.Acknowledged` of the v1 API."""

    task_id: TaskID
    uuid: str


class ExecutorEventMessage(TypedDict):
    """`executor.Event.Message` of the v1 API."""

    data: str


class ExecutorEventError(TypedDict):
    """`executor.Event.Error` of the v1 API."""

    message: str


class ExecutorCall(TypedDict):
    """`executor.Call` of the v1 API."""

    executor_id: ExecutorID
    framework_id: FrameworkID
    type: NotRequired[str]
    subscribe: NotRequired[ExecutorCallSubscribe]
    update: NotRequired[ExecutorCallUpdate]
    message: NotRequired[ExecutorCallMessage]


class ExecutorCallSubscribe(TypedDict):
    """`executor.Call.Subscribe` of the v1 API."""

    unacknowledged_tasks: NotRequired[list[TaskInfo]]
    unacknowledged_updates: NotRequired[list[ExecutorCallUpdate]]


class ExecutorCallUpdate(TypedDict):
    """`executor.Call.Update` of the v1 API."""

    status: TaskStatus


class ExecutorCallMessage(TypedDict):
    """`executor.Call.Message` of the v1 API."""

    data: str


class MasterCall(TypedDict):
    """`master.Call` of the v1 API."""

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
    """`master.Call.GetMetrics` of the v1 API."""

    timeout: NotRequired[DurationInfo]


class MasterCallSetLoggingLevel(TypedDict):
    """`master.Call.SetLoggingLevel` of the v1 API."""

    level: int
    duration: DurationInfo


class MasterCallListFiles(TypedDict):
    """`master.Call.ListFiles` of the v1 API."""

    path: str


class MasterCallReadFile(TypedDict):
    """`master.Call.ReadFile` of the v1 API."""

    path: str
    offset: int
    length: NotRequired[int]


class MasterCallUpdateWeights(TypedDict):
    """`master.Call.UpdateWeights` of the v1 API."""

    weight_infos: NotRequired[list[WeightInfo]]


class MasterCallReserveResources(TypedDict):
    """`master.Call.ReserveResources` of the v1 API."""

    agent_id: AgentID
    resources: NotRequired[list[Resource]]
    source: NotRequired[list[Resource]]


class MasterCallUnreserveResources(TypedDict):
    """`master.Call.UnreserveResources` of the v1 API."""

    agent_id: AgentID
    resources: NotRequired[list[Resource]]


class MasterCallCreateVolumes(TypedDict):
    """`master.Call.CreateVolumes` of the v1 API."""

    agent_id: AgentID
    volumes: NotRequired[list[Resource]]


class MasterCallDestroyVolumes(TypedDict):
    """`master.Call.DestroyVolumes` of the v1 API."""

    agent_id: AgentID
    volumes: NotRequired[list[Resource]]


class MasterCallGrowVolume(TypedDict):
    """`master.Call.GrowVolume` of the v1 API."""

    agent_id: NotRequired[AgentID]
    volume: Resource
    addition: Resource


class MasterCallShrinkVolume(TypedDict):
    """`master.Call.ShrinkVolume` of the v1 API."""

    agent_id: NotRequired[AgentID]
    volume: Resource
    subtract: ValueScalar


class MasterCallUpdateMaintenanceSchedule(TypedDict):
    """`master.Call.UpdateMaintenanceSchedule` of the v1 API."""

    schedule: MaintenanceSchedule


class MasterCallStartMaintenance(TypedDict):
    """`master.Call.StartMaintenance` of the v1 API."""

    machines: NotRequired[list[MachineID]]


class MasterCallStopMaintenance(TypedDict):
    """`master.Call.StopMaintenance` of the v1 API."""

    machines: NotRequired[list[MachineID]]


class MasterCallDrainAgent(TypedDict):
    """`master.Call.DrainAgent` of the v1 API."""

    agent_id: AgentID
    max_grace_period: NotRequired[Duration]
    mark_gone: NotRequired[bool]


class MasterCallDeactivateAgent(TypedDict):
    """`master.Call.DeactivateAgent` of the v1 API."""

    agent_id: AgentID


class MasterCallReactivateAgent(TypedDict):
    """`master.Call.ReactivateAgent` of the v1 API."""

    agent_id: AgentID


class MasterCallUpdateQuota(TypedDict):
    """`master.Call.UpdateQuota` of the v1 API."""

    force: NotRequired[bool]
    quota_configs: NotRequired[list[QuotaQuotaConfig]]


class MasterCallSetQuota(TypedDict):
    """`master.Call.SetQuota` of the v1 API."""

    quota_request: QuotaQuotaRequest


class MasterCallRemoveQuota(TypedDict):
    """`master.Call.RemoveQuota` of the v1 API."""

    role: str


class MasterCallTeardown(TypedDict):
    """`master.Call.Teardown` of the v1 API."""

    framework_id: FrameworkID


class MasterCallMarkAgentGone(TypedDict):
    """`master.Call.MarkAgentGone` of the v1 API."""

    agent_id: AgentID


class MasterResponse(TypedDict):
    """`master.Response` of the v1 API."""

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
    """`master.Response.GetHealth` of the v1 API."""

    healthy: bool


class MasterResponseGetFlags(TypedDict):
    """`master.Response.GetFlags` of the v1 API."""

    flags: NotRequired[list[Flag]]


class MasterResponseGetVersion(TypedDict):
    """`master.Response.GetVersion` of the v1 API."""

    version_info: VersionInfo


class MasterResponseGetMetrics(TypedDict):
    """`master.Response.GetMetrics` of the v1 API."""

    metrics: NotRequired[list[Metric]]


class MasterResponseGetLoggingLevel(TypedDict):
    """`master.Response.GetLoggingLevel` of the v1 API."""

    level: int


class MasterResponseListFiles(TypedDict):
    """`master.Response.ListFiles` of the v1 API."""

    file_infos: NotRequired[list[FileInfo]]


class MasterResponseReadFile(TypedDict):
    """`master.Response.ReadFile` of the v1 API."""

    size: int
    data: str


class MasterResponseGetState(TypedDict):
    """`master.Response.GetState` of the v1 API."""

    get_tasks: NotRequired[MasterResponseGetTasks]
    get_executors: NotRequired[MasterResponseGetExecutors]
    get_frameworks: NotRequired[MasterResponseGetFrameworks]
    get_agents: NotRequired[MasterResponseGetAgents]


class MasterResponseGetAgents(TypedDict):
    """`master.Response.GetAgents` of the v1 API."""

    agents: NotRequired[list[MasterResponseGetAgentsAgent]]
    recovered_agents: NotRequired[list[AgentInfo]]


class MasterResponseGetAgentsAgent(TypedDict):
    """`master.Response.GetAgents.Agent` of the v1 API."""

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
    """`master.Response.GetFrameworks` of the v1 API."""

    frameworks: NotRequired[list[MasterResponseGetFrameworksFramework]]
    completed_frameworks: NotRequired[list[MasterResponseGetFrameworksFramework]]
    recovered_frameworks: NotRequired[list[FrameworkInfo]]


class MasterResponseGetFrameworksFramework(TypedDict):
    """`master.Response.GetFrameworks.Framework` of the v1 API."""

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
    """`master.Response.GetExecutors` of the v1 API."""

    executors: NotRequired[list[MasterResponseGetExecutorsExecutor]]
    orphan_executors: NotRequired[list[MasterResponseGetExecutorsExecutor]]


class MasterResponseGetExecutorsExecutor(TypedDict):
    """`master.Response.GetExecutors.Executor` of the v1 API."""

    executor_info: ExecutorInfo
    agent_id: AgentID


class MasterResponseGetOperations(TypedDict):
    """`master.Response.GetOperations` of the v1 API."""

    operations: NotRequired[list[Operation]]


class MasterResponseGetTasks(TypedDict):
    """`master.Response.GetTasks` of the v1 API."""

    pending_tasks: NotRequired[list[Task]]
    tasks: NotRequired[list[Task]]
    completed_tasks: NotRequired[list[Task]]
    orphan_tasks: NotRequired[list[Task]]
    unreachable_tasks: NotRequired[list[Task]]


class MasterResponseGetRoles(TypedDict):
    """`master.Response.GetRoles` of the v1 API."""

    roles: NotRequired[list[Role]]


class MasterResponseGetWeights(TypedDict):
    """`master.Response.GetWeights` of the v1 API."""

    weight_infos: NotRequired[list[WeightInfo]]


class MasterResponseGetMaster(TypedDict):
    """`master.Response.GetMaster` of the v1 API."""

    master_info: NotRequired[MasterInfo]
    start_time: NotRequired[float]
    elected_time: NotRequired[float]


class MasterResponseGetMaintenanceStatus(TypedDict):
    """`master.Response.GetMaintenanceStatus` of the v1 API."""

    status: MaintenanceClusterStatus


class MasterResponseGetMaintenanceSchedule(TypedDict):
    """`master.Response.GetMaintenanceSchedule` of the v1 API."""

    schedule: MaintenanceSchedule


class MasterResponseGetQuota(TypedDict):
    """`master.Response.GetQuota` of the v1 API."""

    status: QuotaQuotaStatus


class MasterEvent(TypedDict):
    """`master.Event` of the v1 API."""

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
    """`master.Event.Subscribed` of the v1 API."""

    get_state: NotRequired[MasterResponseGetState]
    heartbeat_interval_seconds: NotRequired[float]


class MasterEventTaskAdded(TypedDict):
    """`master.Event.TaskAdded` of the v1 API."""

    task: Task


class MasterEventTaskUpdated(TypedDict):
    """`master.Event.TaskUpdated` of the v1 API."""

    framework_id: FrameworkID
    status: TaskStatus
    state: str


class MasterEventFrameworkAdded(TypedDict):
    """`master.Event.FrameworkAdded` of the v1 API."""

    framework: MasterResponseGetFrameworksFramework


class MasterEventFrameworkUpdated(TypedDict):
    """`master.Event.FrameworkUpdated` of the v1 API."""

    framework: MasterResponseGetFrameworksFramework


class MasterEventFrameworkRemoved(TypedDict):
    """`master.Event.FrameworkRemoved` of the v1 API."""

    framework_info: FrameworkInfo


class MasterEventAgentAdded(TypedDict):
    """`master.Event.AgentAdded` of the v1 API."""

    agent: MasterResponseGetAgentsAgent


class MasterEventAgentRemoved(TypedDict):
    """`master.Event.AgentRemoved` of the v1 API."""

    agent_id: AgentID


class AgentCall(TypedDict):
    """`agent.Call` of the v1 API."""

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
    """`agent.Call.GetMetrics` of the v1 API."""

    timeout: NotRequired[DurationInfo]


class AgentCallSetLoggingLevel(TypedDict):
    """`agent.Call.SetLoggingLevel` of the v1 API."""

    level: int
    duration: DurationInfo


class AgentCallListFiles(TypedDict):
    """`agent.Call.ListFiles` of the v1 API."""

    path: str


class AgentCallReadFile(TypedDict):
    """`agent.Call.ReadFile` of the v1 API."""

    path: str
    offset: int
    length: NotRequired[int]


class AgentCallGetContainers(TypedDict):
    """`agent.Call.GetContainers` of the v1 API."""

    show_nested: NotRequired[bool]
    show_standalone: NotRequired[bool]


class AgentCallLaunchNestedContainer(TypedDict):
    """`agent.Call.LaunchNestedContainer` of the v1 API."""

    container_id: ContainerID
    command: NotRequired[CommandInfo]
    container: NotRequired[ContainerInfo]


class AgentCallWaitNestedContainer(TypedDict):
    """`agent.Call.WaitNestedContainer` of the v1 API."""

    container_id: ContainerID


class AgentCallKillNestedContainer(TypedDict):
    """`agent.Call.KillNestedContainer` of the v1 API."""

    container_id: ContainerID
    signal: NotRequired[int]


class AgentCallRemoveNestedContainer(TypedDict):
    """`agent.Call.RemoveNestedContainer` of the v1 API."""

    container_id: ContainerID


class AgentCallLaunchNestedContainerSession(TypedDict):
    """`agent.Call.LaunchNestedContainerSession` of the v1 API."""

    container_id: ContainerID
    command: NotRequired[CommandInfo]
    container: NotRequired[ContainerInfo]


class AgentCallAttachContainerInput(TypedDict):
    """`agent.Call.AttachContainerInput` of the v1 API."""

    type: NotRequired[str]
    container_id: NotRequired[ContainerID]
    process_io: NotRequired[AgentProcessIO]


class AgentCallAttachContainerOutput(TypedDict):
    """`agent.Call.AttachContainerOutput` of the v1 API."""

    container_id: ContainerID


class AgentCallLaunchContainer(TypedDict):
    """`agent.Call.LaunchContainer` of the v1 API."""

    container_id: ContainerID
    command: NotRequired[CommandInfo]
    resources: NotRequired[list[Resource]]
    container: NotRequired[ContainerInfo]
    limits: NotRequired[dict[str, ValueScalar]]


class AgentCallWaitContainer(TypedDict):
    """`agent.Call.WaitContainer` of the v1 API."""

    container_id: ContainerID


class AgentCallKillContainer(TypedDict):
    """`agent.Call.KillContainer` of the v1 API."""

    container_id: ContainerID
    signal: NotRequired[int]


class AgentCallRemoveContainer(TypedDict):
    """`agent.Call.RemoveContainer` of the v1 API."""

    container_id: ContainerID


class AgentCallPruneImages(TypedDict):
    """`agent.Call.PruneImages` of the v1 API."""

    excluded_images: NotRequired[list[Image]]


class AgentResponse(TypedDict):
    """`agent.Response` of the v1 API."""

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
    """`agent.Response.GetHealth` of the v1 API."""

    healthy: bool


class AgentResponseGetFlags(TypedDict):
    """`agent.Response.GetFlags` of the v1 API."""

    flags: NotRequired[list[Flag]]


class AgentResponseGetVersion(TypedDict):
    """`agent.Response.GetVersion` of the v1 API."""

    version_info: VersionInfo


class AgentResponseGetMetrics(TypedDict):
    """`agent.Response.GetMetrics` of the v1 API."""

    metrics: NotRequired[list[Metric]]


class AgentResponseGetLoggingLevel(TypedDict):
    """`agent.Response.GetLoggingLevel` of the v1 API."""

    level: int


class AgentResponseListFiles(TypedDict):
    """`agent.Response.ListFiles` of the v1 API."""

    file_infos: NotRequired[list[FileInfo]]


class AgentResponseReadFile(TypedDict):
    """`agent.Response.ReadFile` of the v1 API."""

    size: int
    data: str


class AgentResponseGetState(TypedDict):
    """`agent.Response.GetState` of the v1 API."""

    get_tasks: NotRequired[AgentResponseGetTasks]
    get_executors: NotRequired[AgentResponseGetExecutors]
    get_frameworks: NotRequired[AgentResponseGetFrameworks]


class AgentResponseGetContainers(TypedDict):
    """`agent.Response.GetContainers` of the v1 API."""

    containers: NotRequired[list[AgentResponseGetContainersContainer]]


class AgentResponseGetContainersContainer(TypedDict):
    """`agent.Response.GetContainers.Container` of the v1 API."""

    framework_id: NotRequired[FrameworkID]
    executor_id: NotRequired[ExecutorID]
    executor_name: NotRequired[str]
    container_id: ContainerID
    container_status: NotRequired[ContainerStatus]
    resource_statistics: NotRequired[ResourceStatistics]


class AgentResponseGetFrameworks(TypedDict):
    """`agent.Response.GetFrameworks` of the v1 API."""

    frameworks: NotRequired[list[AgentResponseGetFrameworksFramework]]
    completed_frameworks: NotRequired[list[AgentResponseGetFrameworksFramework]]


class AgentResponseGetFrameworksFramework(TypedDict):
    """`agent.Response.GetFrameworks.Framework` of the v1 API."""

    framework_info: FrameworkInfo


class AgentResponseGetExecutors(TypedDict):
    """`agent.Response.GetExecutors` of the v1 API."""

    executors: NotRequired[list[AgentResponseGetExecutorsExecutor]]
    completed_executors: NotRequired[list[AgentResponseGetExecutorsExecutor]]


class AgentResponseGetExecutorsExecutor(TypedDict):
    """`agent.Response.GetExecutors.Executor` of the v1 API."""

    executor_info: ExecutorInfo


class AgentResponseGetOperations(TypedDict):
    """`agent.Response.GetOperations` of the v1 API."""

    operations: NotRequired[list[Operation]]


class AgentResponseGetTasks(TypedDict):
    """`agent.Response.GetTasks` of the v1 API."""

    pending_tasks: NotRequired[list[Task]]
    queued_tasks: NotRequired[list[Task]]
    launched_tasks: NotRequired[list[Task]]
    terminated_tasks: NotRequired[list[Task]]
    completed_tasks: NotRequired[list[Task]]


class AgentResponseGetAgent(TypedDict):
    """`agent.Response.GetAgent` of the v1 API."""

    agent_info: NotRequired[AgentInfo]
    drain_config: NotRequired[DrainConfig]
    estimated_drain_start_time: NotRequired[TimeInfo]


class AgentResponseWaitNestedContainer(TypedDict):
    """`agent.Response.WaitNestedContainer` of the v1 API."""

    exit_status: NotRequired[int]
    state: NotRequired[str]
    reason: NotRequired[str]
    limitation: NotRequired[TaskResourceLimitation]
    message: NotRequired[str]


class AgentResponseWaitContainer(TypedDict):
    """`agent.Response.WaitContainer` of the v1 API."""

    exit_status: NotRequired[int]
    state: NotRequired[str]
    reason: NotRequired[str]
    limitation: NotRequired[TaskResourceLimitation]
    message: NotRequired[str]


class AgentProcessIO(TypedDict):
    """`agent.ProcessIO` of the v1 API."""

    type: NotRequired[str]
    data: NotRequired[AgentProcessIOData]
    control: NotRequired[AgentProcessIOControl]


class AgentProcessIOData(TypedDict):
    """`agent.ProcessIO.Data` of the v1 API."""

    type: NotRequired[str]
    data: NotRequired[str]


class AgentProcessIOControl(TypedDict):
    """`agent.ProcessIO.Control` of the v1 API."""

    type: NotRequired[str]
    tty_info: NotRequired[TTYInfo]
    heartbeat: NotRequired[AgentProcessIOControlHeartbeat]


class AgentProcessIOControlHeartbeat(TypedDict):
    """`agent.ProcessIO.Control.Heartbeat` of the v1 API."""

    interval: NotRequired[DurationInfo]
