"""A pipeline: checked, planned, run and reported."""

from .again import Repair, to_repair, verify
from .graph import Graph
from .plan import Again, Plan, make_plan
from .report import Report
from .running import load, run

__all__ = [
    "Again",
    "Graph",
    "Plan",
    "Repair",
    "Report",
    "load",
    "make_plan",
    "run",
    "to_repair",
    "verify",
]
