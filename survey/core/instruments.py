"""How well a questionnaire measures, over a whole cycle: never of one subject, never of one rater.

`rows` are responses: one row per response, one column per item, None where the item was not observed. A
figure that needs whole rows takes those without a gap; nothing is filled in. What cannot be computed is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from survey.core.statistics import Interval

# numpy and scipy are imported where they are used: measuring alone needs them, and the web server does not measure.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Rows = Sequence[Sequence[float | None]]

REWORD_ABOVE = 0.30
"""An item that a larger share of raters could not observe is flagged for rewording."""

NO_SPREAD = 1e-9
"""Differences below this are rounding, not opinions."""


@dataclass(frozen=True)
class Reliability:
    """How much of the ratings is the subject and not the rater, in a one-way design.

    `icc_1` is the reliability of one rater, `icc_k` that of the mean of k = `raters` of them. Both are at
    most 1, and negative where raters of one subject differ more than subjects do. `between` and `within` are
    the mean squares, in squared scale points.
    """

    subjects: int
    raters: float
    between: float
    within: float
    icc_1: float
    icc_1_interval: Interval
    icc_k: float
    icc_k_interval: Interval


def reliability(subjects: Sequence[Sequence[float]], *, level: float = 0.95) -> Reliability | None:
    """ICC(1) and ICC(k) with F-based intervals (Shrout & Fleiss 1979); one sequence of ratings per subject.

    Groups may differ in size: k is then their mean size (Bliese 2000), and the intervals are approximate.
    None below two subjects, where nobody has two raters, or where all subjects have the same mean.
    """
    import numpy as np  # noqa: PLC0415
    from scipy.special import fdtri  # noqa: PLC0415

    groups = [np.asarray(ratings, dtype=float) for ratings in subjects if len(ratings)]
    n = sum(len(ratings) for ratings in groups)
    if len(groups) < 2 or n == len(groups):
        return None
    means = np.array([ratings.mean() for ratings in groups])
    if np.ptp(means) < NO_SPREAD:
        return None
    sizes = np.array([len(ratings) for ratings in groups])
    df_between, df_within = len(groups) - 1, n - len(groups)
    between = float(sizes @ (means - sizes @ means / n) ** 2) / df_between
    within = sum(float(((ratings - ratings.mean()) ** 2).sum()) for ratings in groups) / df_within
    k = n / len(groups)
    # An end of the interval is the estimate itself with the ratio of mean squares moved by an F quantile;
    # moving `within` alone does that, and needs no division by it when raters agree completely.
    tail = (1 + level) / 2
    low = within * float(fdtri(df_between, df_within, tail))
    high = within / float(fdtri(df_within, df_between, tail))
    return Reliability(
        subjects=len(groups),
        raters=k,
        between=between,
        within=within,
        icc_1=_icc_1(between, within, k),
        icc_1_interval=Interval(_icc_1(between, low, k), _icc_1(between, high, k)),
        icc_k=_icc_k(between, within),
        icc_k_interval=Interval(_icc_k(between, low), _icc_k(between, high)),
    )


def spearman_brown(icc_1: float, k: float) -> float:
    """The reliability of the mean of `k` raters, when that of one alone is `icc_1`, from 0 to 1."""
    return k * icc_1 / (1 + (k - 1) * icc_1)


def raters_needed(icc_1: float, *, target: float = 0.70) -> float | None:
    """How many raters bring the reliability of their mean to `target` (Spearman-Brown), not yet rounded up.

    None where `icc_1` is 0 or below: no number of such raters would do.
    """
    if icc_1 <= 0:
        return None
    return target * (1 - icc_1) / (icc_1 * (1 - target))


def complete(rows: Rows) -> list[list[float]]:
    """The rows without a gap: those on which `alpha`, `item_total` and `halo` rest."""
    whole = ([rating for rating in row if rating is not None] for row in rows)
    return [kept for kept, row in zip(whole, rows, strict=True) if len(kept) == len(row)]


def alpha(rows: Rows) -> float | None:
    """Cronbach's alpha (1951) of the items of one competency, at most 1, from the complete rows.

    None below two items or two complete rows, or where all rows have the same sum.
    """
    import numpy as np  # noqa: PLC0415

    answers = _matrix(rows)
    if answers is None or np.ptp(answers.sum(axis=1)) < NO_SPREAD:
        return None
    items = len(answers[0])
    own = float(answers.var(axis=0, ddof=1).sum() / answers.sum(axis=1).var(ddof=1))
    return items / (items - 1) * (1 - own)


def item_total(rows: Rows) -> tuple[float | None, ...] | None:
    """For each item its correlation, -1 to 1, with the sum of the others, from the complete rows.

    None for an item that has no spread or whose rest has none; None altogether below two items or two rows.
    """
    answers = _matrix(rows)
    if answers is None:
        return None
    rest = answers.sum(axis=1, keepdims=True) - answers
    return tuple(_correlation(answers[:, item], rest[:, item]) for item in range(answers.shape[1]))


def halo(rows: Rows) -> float | None:
    """The first eigenvalue's share of the items' correlation matrix, from 1/J to 1, from the complete rows.

    1 means that every rater ticked one opinion all the way down. Items without spread are left out. None
    below two items with spread.
    """
    answers = _matrix(rows)
    if answers is None:
        return None
    import numpy as np  # noqa: PLC0415

    varying = answers[:, np.ptp(answers, axis=0) >= NO_SPREAD]
    if varying.shape[1] < 2:
        return None
    eigenvalues = np.linalg.eigvalsh(np.corrcoef(varying, rowvar=False))
    return float(eigenvalues[-1] / eigenvalues.sum())


@dataclass(frozen=True)
class Use:
    """How one item was used.

    `not_observed` is the share of the `asked` raters who could not observe it, `top` the share of the others
    who chose the top point.
    """

    asked: int
    not_observed: float
    top: float | None

    @property
    def needs_rewording(self) -> bool:
        """Whether too many raters could not observe this."""
        return self.not_observed > REWORD_ABOVE


def use(answers: Sequence[int | None], *, points: int = 5) -> Use | None:
    """How one item was used; `answers` has one entry per rater who was asked, None for "Not observed".

    `top` is None when nobody observed it. None altogether when nobody was asked.
    """
    if not answers:
        return None
    ratings = [answer for answer in answers if answer is not None]
    top = sum(rating == points for rating in ratings) / len(ratings) if ratings else None
    return Use(len(answers), (len(answers) - len(ratings)) / len(answers), top)


def _icc_1(between: float, within: float, k: float) -> float:
    return (between - within) / (between + (k - 1) * within)


def _icc_k(between: float, within: float) -> float:
    return (between - within) / between


def _matrix(rows: Rows) -> NDArray[np.float64] | None:
    """The complete rows as an array of responses by items, None below two of either."""
    answers = complete(rows)
    if len(answers) < 2 or len(answers[0]) < 2:
        return None
    import numpy as np  # noqa: PLC0415

    return np.array(answers, dtype=np.float64)


def _correlation(left: NDArray[np.float64], right: NDArray[np.float64]) -> float | None:
    import numpy as np  # noqa: PLC0415

    if min(np.ptp(left), np.ptp(right)) < NO_SPREAD:
        return None
    return float(np.corrcoef(left, right)[0, 1])
