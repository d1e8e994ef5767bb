"""Allocation order: Dominant Resource Fairness (Ghodsi and others, NSDI 2011), by levels.

The share of a client is the largest of allocated/total over the scalars, divided by its weight; the smallest share
comes first, then the smallest number of allocations, then the name. Roles form a tree (`ads/eu` is below `ads`): the
children of a node are ordered by the allocations of their whole subtrees, and a role with children competes with them
as if it were its own child.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from smackbox.mesos.master.state.roles import ancestors

Quantities = dict[str, int]
DEFAULT_WEIGHT = 1.0
_ITSELF = "."


class Totals:
    """The total of each scalar; `version` changes when shares must be recomputed."""

    def __init__(self) -> None:
        self.quantities: Quantities = {}
        self.version = 0

    def change(self, quantities: Quantities, sign: int) -> None:
        for name, amount in quantities.items():
            self.quantities[name] = self.quantities.get(name, 0) + sign * amount
        self.version += 1


class _Client:
    __slots__ = ("allocated", "count", "key", "name", "weight")

    def __init__(self, name: str, weight: float) -> None:
        self.name = name
        self.weight = weight
        self.allocated: Quantities = {}
        self.count = 0
        self.key: tuple[float, int, str] = (0.0, 0, name)


class Level:
    """Clients that compete with one another, sorted."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self._version = totals.version
        self._clients: dict[str, _Client] = {}
        self._order: list[tuple[float, int, str]] = []

    def __contains__(self, name: str) -> bool:
        return name in self._clients

    def __len__(self) -> int:
        return len(self._clients)

    def add(self, name: str, weight: float = DEFAULT_WEIGHT) -> None:
        client = self._clients[name] = _Client(name, weight)
        insort(self._order, client.key)

    def remove(self, name: str) -> None:
        client = self._clients.pop(name)
        del self._order[bisect_left(self._order, client.key)]

    def set_weight(self, name: str, weight: float) -> None:
        client = self._clients[name]
        client.weight = weight
        self._place(client)

    def allocated(self, name: str, quantities: Quantities) -> None:
        client = self._clients[name]
        mine = client.allocated
        for resource, amount in quantities.items():
            mine[resource] = mine.get(resource, 0) + amount
        client.count += 1
        self._place(client)

    def recovered(self, name: str, quantities: Quantities) -> None:
        client = self._clients[name]
        mine = client.allocated
        for resource, amount in quantities.items():
            mine[resource] = mine.get(resource, 0) - amount
        self._place(client)

    def share(self, name: str) -> float:
        """The current weighted dominant share."""
        return self._share(self._clients[name])

    def names(self) -> list[str]:
        """All clients, in allocation order."""
        if self._version != self._totals.version:
            self._version = self._totals.version
            for client in self._clients.values():
                client.key = (self._share(client), client.count, client.name)
            self._order = sorted(client.key for client in self._clients.values())
        return [key[2] for key in self._order]

    def _place(self, client: _Client) -> None:
        order = self._order
        del order[bisect_left(order, client.key)]
        client.key = (self._share(client), client.count, client.name)
        insort(order, client.key)

    def _share(self, client: _Client) -> float:
        totals = self._totals.quantities
        share = 0.0
        for resource, amount in client.allocated.items():
            if amount and (total := totals.get(resource)):
                share = max(share, amount / total)
        return share / client.weight


class _Node:
    def __init__(self, path: str, totals: Totals) -> None:
        self.path = path
        self.children = Level(totals)
        self.nodes: dict[str, _Node] = {}
        self.is_role = False


class RoleTree:
    """The roles with frameworks, in allocation order."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self._root = _Node("", totals)
        self._weights: dict[str, float] = {}
        self._nested = 0
        self._flat: list[str] | None = None
        self._flat_version = -1

    def add(self, role: str) -> None:
        node = self._root
        path = ""
        for part in role.split("/"):
            path = f"{path}/{part}" if path else part
            if part not in node.nodes:
                node.nodes[part] = _Node(path, self._totals)
                node.children.add(part, self._weights.get(path, DEFAULT_WEIGHT))
            node = node.nodes[part]
        node.is_role = True
        self._nested += "/" in role
        node.children.add(_ITSELF)
        self._flat = None

    def remove(self, role: str) -> None:
        """Remove a role whose allocation has been recovered before."""
        nodes = self._walk(role)
        nodes[-1].is_role = False
        self._nested -= "/" in role
        nodes[-1].children.remove(_ITSELF)
        parts = role.split("/")
        for parent, part, node in zip(reversed(nodes[:-1]), reversed(parts), reversed(nodes[1:]), strict=True):
            if len(node.children):
                break
            del parent.nodes[part]
            parent.children.remove(part)
        self._flat = None

    def set_weight(self, role: str, weight: float) -> None:
        self._weights[role] = weight
        parent, _, name = role.rpartition("/")
        node = self._find(parent) if parent else self._root
        if node is not None and name in node.nodes:
            node.children.set_weight(name, weight)
            self._flat = None

    def allocated(self, role: str, quantities: Quantities) -> None:
        for node, name in self._steps(role):
            node.children.allocated(name, quantities)
        self._flat = None

    def recovered(self, role: str, quantities: Quantities) -> None:
        for node, name in self._steps(role):
            node.children.recovered(name, quantities)
        self._flat = None

    def share(self, role: str) -> float:
        """The weighted share of the role's subtree among its siblings."""
        parent = ancestors(role)[:1]
        node = self._find(parent[0]) if parent else self._root
        assert node is not None
        return node.children.share(role.rpartition("/")[2])

    def names(self) -> list[str]:
        if not self._nested:
            return self._root.children.names()
        if self._flat is None or self._flat_version != self._totals.version:
            flat: list[str] = []
            self._flatten(self._root, flat)
            self._flat, self._flat_version = flat, self._totals.version
        return self._flat

    def _flatten(self, node: _Node, flat: list[str]) -> None:
        for name in node.children.names():
            if name == _ITSELF:
                flat.append(node.path)
            else:
                child = node.nodes[name]
                if child.is_role and not child.nodes:
                    flat.append(child.path)
                else:
                    self._flatten(child, flat)

    def _steps(self, role: str) -> list[tuple[_Node, str]]:
        nodes = self._walk(role)
        return list(zip(nodes, [*role.split("/"), _ITSELF], strict=True))

    def _walk(self, role: str) -> list[_Node]:
        nodes = [self._root]
        for part in role.split("/"):
            nodes.append(nodes[-1].nodes[part])
        return nodes

    def _find(self, role: str) -> _Node | None:
        node: _Node | None = self._root
        for part in role.split("/"):
            node = node.nodes.get(part) if node is not None else None
        return node
