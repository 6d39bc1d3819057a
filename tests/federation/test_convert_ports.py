"""Host ports as kube-scheduler's NodePorts sees them."""

from __future__ import annotations

from typing import Any

import pytest

from descheduler.domain.selectors import HostPort
from tests.federation.reading import read_oddly, the_pod
from tests.raw import container_json, node_json, pod_json


def ports_of(**spec: Any) -> tuple[HostPort, ...]:
    return the_pod(pod_json("cart", **spec)).spec.host_ports


def test_a_container_takes_the_host_ports_it_names() -> None:
    ports = [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 53, "hostPort": 53, "protocol": "UDP", "hostIP": "10.0.0.1"}]

    assert ports_of(containers=[container_json(ports=ports)]) == (HostPort("TCP", "", 8080), HostPort("UDP", "10.0.0.1", 53))


def test_a_container_port_alone_takes_nothing_of_the_node() -> None:
    assert ports_of(containers=[container_json(ports=[{"containerPort": 80}, {"containerPort": 81, "hostPort": 0}])]) == ()


def test_on_the_host_network_a_container_port_is_a_port_of_the_node() -> None:
    assert ports_of(hostNetwork=True, containers=[container_json(ports=[{"containerPort": 80}])]) == (HostPort(port=80),)


def test_every_address_is_written_in_one_way() -> None:
    ports = [{"hostPort": 80, "hostIP": "0.0.0.0"}, {"hostPort": 80}, {"hostPort": 80, "hostIP": ""}]  # noqa: S104  # nothing listens

    assert ports_of(containers=[container_json(ports=ports)]) == (HostPort(port=80),)


def test_a_sidecar_takes_ports_and_an_ordinary_init_container_does_not() -> None:
    sidecar = container_json("proxy", restartPolicy="Always", ports=[{"hostPort": 15001}])
    setup = container_json("setup", ports=[{"hostPort": 9000}])

    assert ports_of(initContainers=[setup, sidecar]) == (HostPort(port=15001),)


def test_the_order_of_containers_does_not_matter() -> None:
    first, second = container_json("a", ports=[{"hostPort": 1}]), container_json("b", ports=[{"hostPort": 2}])

    assert ports_of(containers=[first, second]) == ports_of(containers=[second, first])


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        ({"containers": [container_json(ports="80")]}, "spec.containers[].ports"),
        ({"containers": [container_json(ports=[{"hostPort": "80"}])]}, "spec.containers[].ports[].hostPort"),
        ({"containers": [container_json(ports=[{"hostPort": 80, "protocol": 6}])]}, "spec.containers[].ports[].protocol"),
        ({"hostNetwork": "yes"}, "spec.hostNetwork"),
    ],
)
def test_ports_that_cannot_be_read_close_the_node_of_a_bound_pod(broken: dict[str, Any], field: str) -> None:
    cluster, odd = read_oddly(node_json("n1"), pod_json("cart", on="n1", **broken))

    assert cluster.nodes[0].closed == "holds shop/cart whose size is unknown"
    assert [message.startswith(f"{field}: ") for _, message in odd] == [True]
