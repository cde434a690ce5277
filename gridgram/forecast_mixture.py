"""How much of each method goes into a forecast: the shares that would have erred least in the last weeks, drawn towards fixed ones.

Stacking: D. H. Wolpert, 1992; with shares that are not negative and add up to one, L. Breiman, 1996.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

TRUST_IN_FIXED: Final = 1.0
"""How strongly shares are drawn to the fixed ones, in parts of the squared error that those make."""
LEAST_HOURS: Final = 24 * 14
"""From so many hours on shares are learnt."""


def shares(said: Sequence[Matrix], true: Matrix, fixed: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of each method, none negative, one in all. `said` and `true` are alike in shape; what is not finite is left out.

    Minimises |true - sum of share x said|^2 + TRUST_IN_FIXED x |true - sum of fixed x said|^2 x |share - fixed|^2.
    """
    is_there = np.isfinite(true) & np.logical_and.reduce([np.isfinite(one) for one in said])
    if np.count_nonzero(is_there) < LEAST_HOURS:
        return fixed
    told = np.stack([one[is_there] for one in said], axis=1)
    errors = true[is_there] - told @ fixed
    pull = TRUST_IN_FIXED * float(errors @ errors)
    if not pull > 0:
        return fixed
    middle = told.mean(axis=1)  # shares add up to one, so a number that all methods share changes nothing
    apart = told - middle[:, None]
    gram = apart.T @ apart + pull * np.eye(len(fixed))
    products = apart.T @ (true[is_there] - middle) + pull * fixed
    return _least_on_simplex(gram, products, fixed)


def _least_on_simplex(gram: Matrix, products: NDArray[np.float64], otherwise: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights w >= 0 that add up to one with the least w G w / 2 - w p, found by trying every set of methods that take part."""
    best, least = otherwise, float("inf")
    for count in range(1, len(products) + 1):
        for part in combinations(range(len(products)), count):
            inside = np.array(part)
            bordered = np.block([[gram[np.ix_(inside, inside)], np.ones((count, 1))], [np.ones((1, count)), np.zeros((1, 1))]])
            weights = np.zeros(len(products))
            weights[inside] = np.linalg.solve(bordered, np.append(products[inside], 1.0))[:-1]
            cost = float(weights @ gram @ weights / 2 - weights @ products)
            if (weights >= 0).all() and cost < least:
                best, least = weights, cost
    return best
