"""A pipeline: checked, planned, run and reported."""

from .graph import Graph
from .plan import Plan, make_plan
from .report import Report
from .running import load, run

__all__ = ["Graph", "Plan", "Report", "load", "make_plan", "run"]
