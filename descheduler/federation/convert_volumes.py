"""The volumes of a raw pod: what matters to a protection, and the claims it mounts (kubernetes.md 3.8)."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.domain.objects import Volume
from descheduler.federation.fields import mapping, objects, text
from descheduler.federation.storage import ATTACHED_AS


@dataclass(frozen=True, slots=True)
class ClaimUse:
    """A PersistentVolumeClaim a pod mounts."""

    name: str
    ephemeral: bool = False
    """It was made for the pod, which must own it."""

    @property
    def field(self) -> str:
        return f"spec.volumes[].{'ephemeral' if self.ephemeral else 'persistentVolumeClaim'}"


@dataclass(frozen=True, slots=True)
class Mounts:
    """What a pod mounts, each once, in the order of its volumes."""

    volumes: tuple[Volume, ...] = ()
    """hostPath, emptyDir on disk, persistentVolumeClaim and ephemeral."""
    claims: tuple[ClaimUse, ...] = ()
    inline: tuple[str, ...] = ()
    """Volumes without a claim that count towards the attach limit of a CSI driver: that driver, for each of them."""


NO_MOUNTS = Mounts()


def mounts(value: object, field: str, pod: str) -> Mounts:
    """The volumes of the pod of that name; an ephemeral volume's claim is named after pod and volume. Raises Odd."""
    if not value:
        objects(value, field)
        return NO_MOUNTS
    kept: list[Volume] = []
    claims: dict[ClaimUse, None] = {}
    inline = []
    for volume in objects(value, field):
        name = text(volume.get("name"), f"{field}[].name")
        if volume.get("hostPath") is not None:
            kept.append(Volume(name, "hostPath"))
        elif volume.get("emptyDir") is not None:
            medium = text(mapping(volume["emptyDir"], f"{field}[].emptyDir").get("medium"), f"{field}[].emptyDir.medium")
            if medium != "Memory" and not medium.startswith("HugePages"):
                kept.append(Volume(name, "emptyDir"))
        elif volume.get("persistentVolumeClaim") is not None:
            at = f"{field}[].persistentVolumeClaim"
            claim = text(mapping(volume["persistentVolumeClaim"], at).get("claimName"), f"{at}.claimName")
            kept.append(Volume(name, "persistentVolumeClaim", claim))
            claims[ClaimUse(claim)] = None
        elif volume.get("ephemeral") is not None:
            kept.append(Volume(name, "ephemeral", f"{pod}-{name}"))
            claims[ClaimUse(f"{pod}-{name}", ephemeral=True)] = None
        else:
            inline += [driver for kind, driver in ATTACHED_AS.items() if volume.get(kind) is not None]
    return Mounts(tuple(kept), tuple(claims), tuple(inline)) if kept or inline else NO_MOUNTS
