"""Average run length: how many points until a chart signals, false alarms (no shift) included.

Exact for independent normal points with known centre and sigma. Shifts are in sigmas.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import NormalDist

import numpy as np

from transforms.methods.run_rules import RunRule

_NODES = 80


def cusum_run_length(slack: float, decision: float, shift: float = 0.0, *, two_sided: bool = True) -> float:
    """Average run length of a tabular CUSUM, started at zero.

    The integral equation of Page 1954 by Gauss-Legendre quadrature; both sides by
    1 / ARL = 1 / ARL+ + 1 / ARL- (Van Dobben de Bruyn 1968). Unit: points.
    Reproduces: arl_01_cusum.

    Args:
        slack: k, in sigmas.
        decision: h, in sigmas.
        shift: Of the mean, in sigmas.
        two_sided: Whether shifts either way signal.
    """
    up = _one_sided(slack, decision, shift)
    return 1 / (1 / up + 1 / _one_sided(slack, decision, -shift)) if two_sided else up


def ewma_run_length(weight: float, sigmas: float, shift: float = 0.0) -> float:
    """Average run length of a two-sided EWMA with asymptotic limits, started at the target.

    The integral equation of Crowder 1987 by Gauss-Legendre quadrature. Unit: points.
    """
    half = sigmas * np.sqrt(weight / (2 - weight))
    nodes, weights = _legendre(-half, half)
    kernel = _density((nodes[None, :] - (1 - weight) * nodes[:, None]) / weight - shift) / weight
    lengths = np.linalg.solve(np.eye(_NODES) - kernel * weights, np.ones(_NODES))
    start = _density(nodes / weight - shift) / weight
    return float(1 + (start * weights) @ lengths)


def rules_run_length(rules: Sequence[RunRule], shift: float = 0.0) -> float:
    """Average run length of a Shewhart chart with rules over zones and sides.

    A Markov chain over what the rules remember (Champ and Woodall 1987). Before the first point nothing
    counts as beyond. Unit: points.
    Reproduces: arl_03_run_rules_a.

    Args:
        rules: Rules of kind beyond and side; trends are no matter of zones.
        shift: Of the mean, in sigmas.

    Raises:
        ValueError: For any other kind of rule.
    """
    if unknown := [rule.name for rule in rules if rule.kind not in ("beyond", "side")]:
        raise ValueError(f"rules: {unknown} do not depend on zones alone. Simulate their run length.")
    lines = sorted({0.0, *(rule.sigmas for rule in rules)})
    edges = [-np.inf, *(-line for line in reversed(lines) if line), *lines, np.inf]
    chances = np.diff([_normal(edge - shift) for edge in edges])
    middles = [_between(low, high) for low, high in pairwise(edges)]
    places = {_start(rules): 0}
    moves: list[tuple[int, int, float]] = []
    waiting = list(places)
    while waiting:
        state = waiting.pop()
        for chance, z in zip(chances, middles, strict=True):
            following = _after(state, z, rules)
            if following is None:
                continue
            if following not in places:
                places[following] = len(places)
                waiting.append(following)
            moves.append((places[state], places[following], chance))
    return _absorption(moves, len(places))


_State = tuple[tuple[int, int], ...]


def _start(rules: Sequence[RunRule]) -> _State:
    return tuple((0, 0) for _ in rules)


def _after(state: _State, z: float, rules: Sequence[RunRule]) -> _State | None:
    """What the rules remember after one more point, one bit a point and side; None when one signals."""
    remembered = []
    for memory, rule in zip(state, rules, strict=True):
        kept = []
        hits = rule.hits if rule.kind == "beyond" else rule.window
        for bits, is_beyond in zip(memory, (z > rule.sigmas, z < -rule.sigmas), strict=True):
            window = (bits << 1 | is_beyond) & ((1 << rule.window) - 1)
            if is_beyond and window.bit_count() >= hits:
                return None
            forgets = hits == rule.window and not is_beyond
            kept.append(0 if forgets else window & ((1 << rule.window - 1) - 1))
        remembered.append((kept[0], kept[1]))
    return tuple(remembered)


def _absorption(moves: Sequence[tuple[int, int, float]], size: int) -> float:
    leave = np.eye(size)
    for origin, target, chance in moves:
        leave[origin, target] -= chance
    return float(np.linalg.solve(leave, np.ones(size))[0])


def _one_sided(slack: float, decision: float, shift: float) -> float:
    nodes, weights = _legendre(0.0, decision)
    step = slack - shift
    kernel = _density(nodes[None, :] + step - nodes[:, None]) * weights
    to_zero = np.array([_normal(step - node) for node in nodes])
    system = np.eye(_NODES + 1)
    system[1:, 1:] -= kernel
    system[1:, 0] -= to_zero
    system[0, 1:] -= _density(nodes + step) * weights
    system[0, 0] -= _normal(step)
    return float(np.linalg.solve(system, np.ones(_NODES + 1))[0])


def _legendre(low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return (high - low) / 2 * nodes + (high + low) / 2, (high - low) / 2 * weights


def _density(z: np.ndarray) -> np.ndarray:
    return np.exp(-z * z / 2) / np.sqrt(2 * np.pi)


def _normal(z: float) -> float:
    return 0.0 if z == -np.inf else 1.0 if z == np.inf else NormalDist().cdf(z)


def _between(low: float, high: float) -> float:
    if low == -np.inf:
        return high - 1
    return low + 1 if high == np.inf else (low + high) / 2
