"""Two real clusters with the realistic example's nodes and workloads, to try things on: `make lab`, until `make lab-down`.

Everything lies under `.lab/`: kubeconfigs, a `Fleet` file, policies for clusters that are only minutes old, and logs. The fleet is read
and acted on with the account and the rights of `deploy/mover`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from datetime import timedelta
from pathlib import Path

from tests.cluster.acting import install
from tests.cluster.controlplane.binaries import BinariesMissing, find_binaries
from tests.cluster.controlplane.control_planes import ControlPlanes
from tests.cluster.controlplane.processes import end_recorded, still_running
from tests.cluster.example import bring_to_life

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / ".lab"
RUN = LAB / "run"
CLUSTERS = ("eu-west", "us-east")
POLICY = """\
# As the shipped default, but everything here was created a minute ago.
apiVersion: fleet.descheduler.io/v1alpha1
kind: DeschedulePolicy
metadata: {name: lab}
spec:
  mode: MODE
  trigger: {pendingFor: 0s}
  protections: {minPodAge: 0s}
  solver: {effort: 0.25}
"""


def up() -> int:
    """Start the lab and leave it running; 0 when it is there."""
    if RUN.exists() and still_running(RUN):
        tell("the lab is running already; `make lab-down` ends it")
        return 0
    try:
        binaries = find_binaries()
    except BinariesMissing as missing:
        tell(str(missing))
        return 2
    down()
    RUN.mkdir(parents=True, mode=0o700)
    try:
        planes = ControlPlanes(binaries, RUN, outlives_us=True)
        for cluster in planes.start(*CLUSTERS):
            tell(f"{cluster.name} is up; creating its nodes and workloads")
            bring_to_life(cluster, ROOT / "examples" / "realistic" / cluster.name)
            install(cluster, binaries, LAB, good_for=timedelta(days=7))
    except BaseException:
        down()
        raise
    (LAB / "policy.yaml").write_text(POLICY.replace("MODE", "Plan"))
    (LAB / "acting.yaml").write_text(POLICY.replace("MODE", "Apply"))
    (LAB / "fleet.yaml").write_text(fleet_file(CLUSTERS))
    tell(
        "the lab is up; try\n  descheduler plan --fleet .lab/fleet.yaml --policy .lab/policy.yaml -o .lab/plan.json\n"
        "  descheduler apply .lab/plan.json --fleet .lab/fleet.yaml --policy .lab/policy.yaml\n"
        "  descheduler run --fleet .lab/fleet.yaml --policy .lab/acting.yaml"
    )
    return 0


def down() -> int:
    """End the lab and forget it."""
    if RUN.exists():
        end_recorded(RUN)
    shutil.rmtree(LAB, ignore_errors=True)
    return 0


def fleet_file(names: tuple[str, ...]) -> str:
    """A Fleet file for clusters with the kubeconfigs of the mover's account."""
    lines = [f"- {{name: {name}, kubeconfig: {{path: {name}.mover, context: {name}}}}}" for name in names]
    return "\n".join(["apiVersion: fleet.descheduler.io/v1alpha1", "kind: Fleet", "clusters:", *lines, ""])


def tell(message: str) -> None:
    sys.stdout.write(f"{message}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["up", "down"])
    return {"up": up, "down": down}[parser.parse_args().what]()


if __name__ == "__main__":
    raise SystemExit(main())
