"""An outside judge of plans: the contract of DESIGN.md section 4 read again, by someone who never saw the tool's code.

Nothing here imports ``descheduler``. ``judge`` reads the raw snapshot directory, the raw plan.json and the raw policy
and answers with every violation as a sentence; an empty answer means the plan is lawful.
"""

from __future__ import annotations

from tests.judge.judging import judge

__all__ = ["judge"]
