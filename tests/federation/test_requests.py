"""Effective requests follow kube-scheduler's PodRequests (kubernetes.md 3.2), case by case."""

from __future__ import annotations

from typing import Any

import pytest

from descheduler.federation.fields import Odd
from descheduler.federation.requests import Sizes, allocatable, counted, effective_requests
from tests.federation.reading import the_pod
from tests.raw import container_json, owner_json, pod_json

MI = 2**20


def asks(pod: dict[str, Any], *, scheduled: bool = False) -> dict[str, int]:
    return effective_requests(pod, scheduled=scheduled)


def sidecar(name: str, cpu: str) -> dict[str, Any]:
    return container_json(name, requests={"cpu": cpu}, restartPolicy="Always")


def init(name: str, cpu: str) -> dict[str, Any]:
    return container_json(name, requests={"cpu": cpu})


def test_containers_are_summed() -> None:
    pod = pod_json(
        "p", containers=[container_json("a", requests={"cpu": "250m", "memory": "1Mi"}), container_json("b", requests={"cpu": "1"})]
    )

    assert asks(pod) == {"cpu": 1250, "memory": MI}


def test_parts_of_a_millicore_are_rounded_up_as_the_api_server_stores_them() -> None:
    pod = pod_json("p", containers=[container_json("a", requests={"cpu": "100u"}), container_json("b", requests={"cpu": "100u"})])

    assert asks(pod) == {"cpu": 2}


def test_bytes_are_rounded_up_once_after_summing() -> None:
    pod = pod_json("p", containers=[container_json("a", requests={"memory": "400m"}), container_json("b", requests={"memory": "500m"})])

    assert asks(pod) == {"memory": 1}


def test_a_larger_init_container_counts_instead() -> None:
    assert asks(pod_json("p", cpu="1", memory="4Mi", initContainers=[init("setup", "3")])) == {"cpu": 3000, "memory": 4 * MI}


def test_sidecars_run_beside_the_containers() -> None:
    assert asks(pod_json("p", cpu="1", initContainers=[sidecar("proxy", "500m")])) == {"cpu": 1500}


def test_an_init_container_runs_beside_the_sidecars_before_it_only() -> None:
    before = pod_json("p", cpu="1", initContainers=[sidecar("proxy", "1"), init("setup", "3")])
    after = pod_json("p", cpu="1", initContainers=[init("setup", "3"), sidecar("proxy", "1")])

    assert asks(before) == {"cpu": 4000}
    assert asks(after) == {"cpu": 3000}


def test_overhead_is_added_last() -> None:
    pod = pod_json("p", cpu="1", initContainers=[init("setup", "3")], overhead={"cpu": "250m", "memory": "1Mi"})

    assert asks(pod) == {"cpu": 3250, "memory": MI}


def test_pod_level_requests_replace_the_sum_even_when_smaller() -> None:
    pod = pod_json(
        "p", cpu="4", memory="8Mi", requests={"nvidia.com/gpu": "1"}, resources={"requests": {"cpu": "2", "nvidia.com/gpu": "9"}}
    )

    assert asks(pod) == {"cpu": 2000, "memory": 8 * MI, "nvidia.com/gpu": 1}


def resized(actual: str, allocated: str, **status: Any) -> dict[str, Any]:
    given = {"name": "main", "resources": {"requests": {"cpu": actual}}, "allocatedResources": {"cpu": allocated}}
    return pod_json("p", on="n1", cpu="2", status={"containerStatuses": [given], **status})


def test_a_scheduled_pod_counts_with_the_largest_of_asked_given_and_allocated() -> None:
    assert asks(resized("1", "3"), scheduled=True) == {"cpu": 3000}
    assert asks(resized("1", "1"), scheduled=True) == {"cpu": 2000}
    assert asks(resized("1", "3")) == {"cpu": 2000}


def test_a_refused_resize_does_not_count() -> None:
    refused = {"type": "PodResizePending", "status": "True", "reason": "Infeasible"}

    assert asks(resized("1", "1", conditions=[refused]), scheduled=True) == {"cpu": 1000}


def test_a_refused_resize_of_a_pod_as_a_whole_does_not_count_either() -> None:
    refused = {"type": "PodResizePending", "status": "True", "reason": "Infeasible"}
    status = {"resources": {"requests": {"cpu": "2"}}, "allocatedResources": {"cpu": "1"}, "conditions": [refused]}
    pod = pod_json("p", on="n1", cpu="9", memory="9Mi", resources={"requests": {"cpu": "5", "memory": "5Mi"}}, status=status)

    assert asks(pod, scheduled=True) == {"cpu": 2000, "memory": 0}


def test_pods_that_say_the_same_are_sized_once_and_others_apart() -> None:
    sizes = Sizes()
    other = [pod_json("p", cpu="2"), pod_json("p", cpu="1", overhead={"cpu": "1"}), resized("1", "3"), resized("1", "1")]
    other.append(resized("1", "1", conditions=[{"type": "PodResizePending", "reason": "Infeasible"}]))

    first, again = (sizes(pod_json(name, cpu="1"), scheduled=False) for name in ("a", "b"))
    told = [sizes(pod, scheduled=True).requests["cpu"] for pod in other]

    assert first is again
    assert told == [2000, 2000, 3000, 2000, 1000]
    assert sizes(other[-1], scheduled=False).requests["cpu"] == 2000


def test_a_refused_resize_makes_a_pod_opaque_only_if_it_would_be_made_with_it() -> None:
    refused = {"type": "PodResizePending", "status": "True", "reason": "Infeasible"}
    bare, owned = resized("1", "1", conditions=[refused]), resized("1", "1", conditions=[refused])
    owned["metadata"]["ownerReferences"] = [owner_json("ReplicaSet", "p")]
    shrinking = pod_json("p", on="n1", cpu="500m", status=bare["status"])

    assert the_pod(owned, name="p").spec.opaque is None
    assert the_pod(owned, name="p").spec.requests["cpu"] == 1000
    assert the_pod(bare, name="p").spec.opaque == "status.conditions[].type PodResizePending"
    assert the_pod(shrinking, name="p").spec.opaque is None


@pytest.mark.parametrize(
    ("name", "is_counted"),
    [
        ("cpu", True),
        ("memory", True),
        ("ephemeral-storage", True),
        ("hugepages-2Mi", True),
        ("attachable-volumes-csi-x", True),
        ("nvidia.com/gpu", True),
        ("node.kubernetes.io/thing", True),
        ("requests.nvidia.com/gpu", False),
        ("storage", False),
        ("pods", False),
    ],
)
def test_only_what_the_scheduler_counts_is_counted(name: str, is_counted: bool) -> None:
    assert counted(name) is is_counted


def test_names_that_are_not_counted_may_be_anything() -> None:
    assert asks(pod_json("p", cpu="1", requests={"magic": "lots"})) == {"cpu": 1000}


@pytest.mark.parametrize(
    ("quantity", "told"), [("lots", "spec.containers[].resources.requests.cpu: 'lots' is not a quantity"), ("-1", "is negative")]
)
def test_an_unreadable_request_names_its_field(quantity: str, told: str) -> None:
    with pytest.raises(Odd) as raised:
        asks(pod_json("p", cpu=quantity))

    assert told in str(raised.value)


def test_requests_beyond_int64_are_refused() -> None:
    with pytest.raises(Odd, match="beyond int64"):
        asks(pod_json("p", memory="100Ei"))


def test_a_node_without_a_pods_limit_takes_no_pod() -> None:
    assert allocatable({"cpu": "3900m", "memory": "1Ki"}, "status.allocatable") == {"cpu": 3900, "memory": 1024, "pods": 0}
