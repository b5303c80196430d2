"""Which figure answers which question."""

from __future__ import annotations

from collections.abc import Mapping

from backend.research.figures.base import Figure
from backend.research.figures.counting import count_figure
from backend.research.figures.mean import MeanFigure
from backend.research.figures.quantile import QuantileFigure
from backend.research.figures.regression import RegressionFigure
from backend.research.figures.survival import SurvivalFigure
from backend.research.outputs import (
    Contingency,
    Count,
    Histogram,
    Mean,
    Protected,
    Quantile,
    Regression,
    Survival,
)
from backend.research.variables import Variable


def figure_of(asked: Protected, variables: Mapping[str, Variable]) -> Figure:
    match asked:
        case Count() | Histogram() | Contingency():
            return count_figure(asked, variables)
        case Mean():
            return MeanFigure(asked)
        case Quantile():
            return QuantileFigure(asked)
        case Regression():
            return RegressionFigure(asked)
        case Survival():
            return SurvivalFigure(asked)
