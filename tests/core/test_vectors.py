"""Every reference vector of the specification in one table, to the digits printed there."""

from __future__ import annotations

import pytest

from survey.core import instruments, statistics
from survey.core.statistics import Moments

FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
RATERS = [[3, 4, 3, 4, 4], [4, 4, 3, 4, 4], [3, 3, 2, 2, 1]]
PEERS = [3, 4, 2, 3]

_fleiss = instruments.reliability(FLEISS)
_plain = statistics.gap_interval(4, statistics.plain_interval(Moments.of(PEERS)))
_moderated = statistics.gap_interval(4, statistics.moderated_interval(Moments.of(PEERS), pooled_sd=0.9))

VECTORS = {
    "Shrout and Fleiss, MSB": (_fleiss.between, 11.241667, 6),
    "Shrout and Fleiss, MSW": (_fleiss.within, 6.263889, 6),
    "Shrout and Fleiss, ICC(1)": (_fleiss.icc_1, 0.1657418, 7),
    "Shrout and Fleiss, ICC(1,4)": (_fleiss.icc_k, 0.4427971, 7),
    "Shrout and Fleiss, alpha": (instruments.alpha(FLEISS), 0.9093155, 7),
    "r_wg {4,3,2}": (statistics.r_wg([4, 3, 2]), 0.5, 7),
    "r_wg {3,4,3}": (statistics.r_wg([3, 4, 3]), 0.8333333, 7),
    "r_wg {3,3}": (statistics.r_wg([3, 3]), 1, 7),
    "r_wg {3,2,1}": (statistics.r_wg([3, 2, 1]), 0.5, 7),
    "AD {4,3,2}": (statistics.average_deviation([4, 3, 2]), 0.6666667, 7),
    "AD {3,4,3}": (statistics.average_deviation([3, 4, 3]), 0.4444444, 7),
    "AD {3,3}": (statistics.average_deviation([3, 3]), 0, 7),
    "AD {3,2,1}": (statistics.average_deviation([3, 2, 1]), 0.6666667, 7),
    "r_wg(5)": (statistics.r_wg_j([Moments.of(item) for item in zip(*RATERS, strict=True)]), 0.8139535, 7),
    "gap": (statistics.gap(4, PEERS), 1, 7),
    "gap, plain, low": (_plain.low, -0.2992283, 7),
    "gap, plain, high": (_plain.high, 2.2992283, 7),
    "gap, moderated, low": (_moderated.low, -0.0229, 4),
    "gap, moderated, high": (_moderated.high, 2.0229, 4),
    "peers 4 4 4 4, half-width": (statistics.interval_of_mean([4, 4, 4, 4]).half_width, 0.804370, 6),
    "Spearman-Brown, four raters": (instruments.spearman_brown(0.37, 4), 0.701, 3),
    "Spearman-Brown, raters for .70": (instruments.raters_needed(0.37, target=0.70), 3.97, 2),
    "polarisation {1,1,5,5}": (statistics.polarisation([1, 1, 5, 5]), 1, 4),
    "polarisation {1,3,3,5}": (statistics.polarisation([1, 3, 3, 5]), 0.7071, 4),
    "polarisation {4,4,4,4}": (statistics.polarisation([4, 4, 4, 4]), 0, 4),
}


@pytest.mark.parametrize("name", VECTORS)
def test_a_reference_vector_holds_to_the_digits_printed(name):
    ours, printed, digits = VECTORS[name]
    assert round(ours, digits) == printed
