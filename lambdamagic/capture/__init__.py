"""Cell analysis: source and a namespace in, a plan out. No kernel, and no I/O except reading the user's modules."""

from lambdamagic.capture.analyse import plan_callable, plan_cell, plan_met
from lambdamagic.capture.ipython_calls import SUPPORTED_CELL_MAGICS, SUPPORTED_LINE_MAGICS
from lambdamagic.capture.modules import OwnModule
from lambdamagic.capture.plan import CallablePlan, CapturedName, CapturePlan
from lambdamagic.capture.touched import Touched, touched_names

__all__ = [
    "SUPPORTED_CELL_MAGICS",
    "SUPPORTED_LINE_MAGICS",
    "CallablePlan",
    "CapturePlan",
    "CapturedName",
    "OwnModule",
    "Touched",
    "plan_callable",
    "plan_cell",
    "plan_met",
    "touched_names",
]
