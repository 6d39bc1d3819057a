"""Protections: which running pods are left alone."""

from __future__ import annotations

from datetime import timedelta

from pydantic import field_validator

from descheduler.policy.amounts import Flag
from descheduler.policy.durations import Duration
from descheduler.policy.names import Kind, Label, distinct
from descheduler.policy.section import Section
from descheduler.policy.wording import mistakes

MESH_VOLUMES = ("istio-envoy", "istio-data", "istio-token", "workload-socket", "credential-socket", "workload-certs")
"""Volumes of service mesh sidecars; nothing of value is lost with them."""


class Protections(Section):
    """Which running pods may not be moved. True protects."""

    min_pod_age: Duration = timedelta(minutes=5)
    """A pod younger than this is not moved."""

    local_storage: Flag = True
    """Whether pods with a hostPath volume, or an emptyDir on disk that is not listed as safe, are left alone."""

    volumes_allowed: tuple[Label, ...] = MESH_VOLUMES
    """Names of emptyDir volumes that do not count as local storage."""

    persistent_volumes: Flag = True
    """Whether pods with a persistent or ephemeral volume claim are left alone."""

    bare_pods: Flag = True
    """Whether pods without a controller are left alone; false also needs the mover Recreate."""

    jobs: Flag = True
    """Whether Job pods are left alone; false still leaves those alone whose podFailurePolicy does not ignore DisruptionTarget."""

    singletons: Flag = False
    """Whether the only replica of a workload is left alone."""

    stateful_sets: Flag = False
    """Whether pods of StatefulSets are left alone."""

    closed_budgets: Flag = True
    """Whether pods under a PodDisruptionBudget that can never allow a disruption are left alone, even by a Surge."""

    controllers: tuple[Kind, ...] = ()
    """Kinds of further controllers whose pods may be moved, such as Rollout, or ReplicaSet for one without a Deployment."""

    @field_validator("volumes_allowed", "controllers")
    @classmethod
    def _listed_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if twice := distinct(names):
            raise mistakes(twice)
        return names
