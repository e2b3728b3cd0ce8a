"""The projections that make up the views."""

from __future__ import annotations

from projections.audit import Audit
from projections.cases import Cases
from projections.deadlines import Deadlines
from projections.definitions import Definitions
from projections.links import Links
from projections.register import Registers
from projections.views import ProjectionClass

PROJECTIONS: tuple[ProjectionClass, ...] = (
    Definitions,
    Audit,
    Cases,
    Registers,
    Deadlines,
    Links,
)
