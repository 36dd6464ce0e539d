"""A pipeline: checked, planned, run and reported."""

from .again import Repair, to_repair, verify
from .graph import Graph
from .plan import Again, Plan, make_plan
from .proving import Proven, prove
from .report import Report
from .running import load, run
from .until import LiveFigures, Reload, Until

__all__ = [
    "Again",
    "Graph",
    "LiveFigures",
    "Plan",
    "Proven",
    "Reload",
    "Repair",
    "Report",
    "Until",
    "load",
    "make_plan",
    "prove",
    "run",
    "to_repair",
    "verify",
]
