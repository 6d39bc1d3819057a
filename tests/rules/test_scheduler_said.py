"""What kube-scheduler once said and we did not: our words are its words now, and planning sends nobody where it would not.

`tests/cluster/test_oracle.py` asks a real scheduler the same questions again.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.oracle.said import FILES, recorded


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_we_say_what_kube_scheduler_said(path: Path) -> None:
    said = recorded(path)

    ours = said.ours()

    assert ours.opaque is None
    assert ours.scene_fits == said.bound
    assert ours.planned_fits == (frozenset() if said.stricter else said.bound)
    assert not said.message or ours.sentence == said.message
    assert not said.stricter or set(ours.planned.values()) == {said.stricter}
