"""The smoothing methods once more, straight from their definitions: dicts, loops, and one
distribution at a time. Nothing of lmkit is used here.

A history is a tuple of tokens, with ``<s>`` at its beginning only. A distribution is a dict from
every token that can follow (the vocabulary without ``<s>``) to its probability.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from math import floor, log, log2

History = tuple[str, ...]
Followers = dict[History, Counter[str]]


def padded(line: str) -> list[str]:
    return ["<s>", *line.split(), "</s>"]


class Method:
    """What all methods share. ``tables[n - 1]``: for each history of n - 1 tokens how often
    each token followed it; ``counts`` is the same as the method counts."""

    form = "interpolated"
    continuation = False

    def __init__(
        self,
        lines: Sequence[str],
        order: int,
        *,
        form: str | None = None,
        words: Sequence[str] = (),
        cutoffs: Sequence[int] = (),
    ) -> None:
        self.lines, self.order = lines, order
        self.form = form or self.form
        self.tables: list[Followers] = [defaultdict(Counter) for _ in range(order)]
        for line in lines:
            tokens = padded(line)
            for end in range(1, len(tokens)):
                for length in range(min(order, end + 1)):
                    self.tables[length][tuple(tokens[end - length : end])][tokens[end]] += 1
        seen = {token for line in lines for token in line.split()}
        self.all_events = sorted({"<unk>", "</s>", *seen, *words})
        self.cutoffs = [*cutoffs, *[cutoffs[-1] if cutoffs else 0] * (order - len(cutoffs))]
        self.events = [t for t in self.all_events if self.keeps((), t)]
        self.counts = [self.adjusted(n) for n in range(1, order + 1)]
        self.known: dict[History, dict[str, float]] = {}
        self.learn()

    def keeps(self, history: History, token: str) -> bool:
        """Whether the cutoffs leave this n-gram in."""
        if not history and token in ("<unk>", "</s>"):
            return True
        cutoff = self.cutoffs[len(history)]
        return cutoff == 0 or self.tables[len(history)][history][token] > cutoff

    def adjusted(self, n: int) -> Followers:
        """Counts of order n: for Kneser-Ney below the highest order the number of distinct
        tokens to the left, but of what begins with ``<s>``, which has none, the plain count."""
        table = self.tables[n - 1]
        if not self.continuation or n == self.order:
            return table
        lefts: dict[History, set[str]] = defaultdict(set)
        for history, followers in self.tables[n].items():
            for token in followers:
                lefts[(*history[1:], token)].add(history[0])
        return {
            history: Counter(
                {
                    token: count if history[:1] == ("<s>",) else len(lefts[(*history, token)])
                    for token, count in followers.items()
                }
            )
            for history, followers in table.items()
        }

    def counts_of_counts(self, n: int) -> Counter[int]:
        """How many n-grams of order n have each count."""
        return Counter(c for followers in self.counts[n - 1].values() for c in followers.values())

    def learn(self) -> None:
        """What the method must know before it is asked for a distribution."""

    def parts(self, n: int, followers: Counter[str]) -> tuple[dict[str, float], float]:
        """Share of each follower of a history of n - 1 tokens, and the rest."""
        raise NotImplementedError

    def distribution(self, history: Sequence[str]) -> dict[str, float]:
        """p(. | history), of which the last order - 1 tokens count."""
        return self.after(tuple(history)[max(len(history) - self.order + 1, 0) :])

    def after(self, history: History) -> dict[str, float]:
        if history not in self.known:
            self.known[history] = self.work_out(history)
        return self.known[history]

    def work_out(self, history: History) -> dict[str, float]:
        uniform = dict.fromkeys(self.events, 1 / len(self.events))
        below = self.after(history[1:]) if history else uniform
        followers = self.counts[len(history)].get(history)
        if not followers:
            return below
        shares, rest = self.parts(len(history) + 1, followers)
        for token in list(shares):
            if not self.keeps(history, token):
                rest += shares.pop(token)
        if self.form == "interpolated":
            return {w: shares.get(w, 0.0) + rest * below[w] for w in self.events}
        shares = {w: share for w, share in shares.items() if share > 0}
        left = sum(below[w] for w in self.events if w not in shares)
        if left < 1e-10:
            return {w: shares.get(w, 0.0) / sum(shares.values()) for w in self.events}
        return {w: shares[w] if w in shares else rest / left * below[w] for w in self.events}

    def log_probability(self, lines: Sequence[str]) -> float:
        """Of a whole text."""
        total = 0.0
        for line in lines:
            tokens = [t if t in self.events or t == "<s>" else "<unk>" for t in padded(line)]
            for end in range(1, len(tokens)):
                total += log(self.distribution(tokens[:end])[tokens[end]])
        return total


class MaximumLikelihood(Method):
    form = "backoff"

    def parts(self, n: int, followers: Counter[str]) -> tuple[dict[str, float], float]:
        total = sum(followers.values())
        return {w: c / total for w, c in followers.items()}, 0.0


class Additive(Method):
    """Lidstone, and with k = 1 Laplace."""

    k = 0.1

    def work_out(self, history: History) -> dict[str, float]:
        followers = self.counts[len(history)].get(history) or Counter()
        total = sum(followers.values()) + self.k * len(self.all_events)
        probs = {w: (followers[w] + self.k) / total for w in self.all_events}
        lost = {w for w in self.all_events if followers[w] and not self.keeps(history, w)}
        lost |= set(self.all_events) - set(self.events)
        listed = {w for w in self.events if followers[w] and w not in lost}
        others = [w for w in self.events if w not in listed]
        rest = 1 - sum(probs[w] for w in listed)
        if not others:
            return {w: probs[w] / (1 - rest) for w in self.events}
        return {w: probs[w] if w in listed else rest / len(others) for w in self.events}


class Laplace(Additive):
    k = 1.0


class WittenBell(Method):
    def parts(self, n: int, followers: Counter[str]) -> tuple[dict[str, float], float]:
        total = sum(followers.values()) + len(followers)
        return {w: c / total for w, c in followers.items()}, len(followers) / total


class Discounting(Method):
    """Absolute discounting; its children are the two of Kneser and Ney."""

    fixed: list[list[float]] | None = None
    fallback = (0.5,)

    def learn(self) -> None:
        self.discounts = self.fixed or [
            self.estimate(self.counts_of_counts(n)) for n in range(1, self.order + 1)
        ]

    def estimate(self, n: Counter[int]) -> list[float]:
        if not (n[1] and n[2]):
            return list(self.fallback)
        return [n[1] / (n[1] + 2 * n[2])]

    def parts(self, n: int, followers: Counter[str]) -> tuple[dict[str, float], float]:
        values = self.discounts[n - 1]
        total = sum(followers.values())
        taken = {w: values[min(c, len(values)) - 1] for w, c in followers.items()}
        shares = {w: (c - taken[w]) / total for w, c in followers.items()}
        return shares, sum(taken.values()) / total


class KneserNey(Discounting):
    continuation = True


class ModifiedKneserNey(Discounting):
    continuation = True
    fallback = (0.5, 1.0, 1.5)

    def estimate(self, n: Counter[int]) -> list[float]:
        if not (n[1] and n[2] and n[3]):
            return list(self.fallback)
        y = n[1] / (n[1] + 2 * n[2])
        found = [1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]]
        for count, value in enumerate(found, 1):
            too_much = value >= count if self.form == "backoff" else value > count
            if value <= 0 or too_much:
                return list(self.fallback)
        return found


class Katz(Method):
    form = "backoff"
    max_count = 5

    def learn(self) -> None:
        self.ratios = [self.good_turing(self.counts_of_counts(n)) for n in range(1, self.order + 1)]

    def good_turing(self, n: Counter[int]) -> dict[int, float]:
        k = self.max_count
        while k > 0:
            if all(n[r] for r in range(1, k + 2)) and (k + 1) * n[k + 1] < n[1]:
                stars = {r: (r + 1) * n[r + 1] / n[r] for r in range(1, k + 1)}
                large = (k + 1) * n[k + 1] / n[1]
                found = {r: (star / r - large) / (1 - large) for r, star in stars.items()}
                if all(0 < ratio < 1 + 1e-9 for ratio in found.values()):
                    return found
            k -= 1
        return {}

    def parts(self, n: int, followers: Counter[str]) -> tuple[dict[str, float], float]:
        ratios = self.ratios[n - 1]
        total = sum(followers.values())
        kept = {w: ratios.get(c, 1.0) * c for w, c in followers.items()}
        if total - sum(kept.values()) < 1e-8 and len(followers) < len(self.all_events):
            total += 1
        shares = {w: c / total for w, c in kept.items()}
        return shares, 1 - sum(shares.values())


class StupidBackoff(Method):
    weight = 0.4

    def work_out(self, history: History) -> dict[str, float]:
        uniform = dict.fromkeys(self.events, 1 / len(self.events))
        below = self.after(history[1:]) if history else uniform
        followers = self.counts[len(history)].get(history) or Counter()
        total = sum(followers.values())
        return {
            w: followers[w] / total
            if followers[w] and self.keeps(history, w)
            else self.weight * below[w]
            for w in self.events
        }


class JelinekMercer(Method):
    """Learns from ``valid`` where that is given, else by leaving one out; so many ``rounds``."""

    valid: Sequence[str] | None = None
    rounds = 20

    def learn(self) -> None:
        occurrences = list(self.held_out() if self.valid else self.left_one_out())
        numbers = Counter((n, bucket) for steps in occurrences for n, (_, bucket) in steps.items())
        self.lambdas = {key: min(0.5, (c + 1) / (c + 2)) for key, c in numbers.items()}
        self.log_likelihoods = []
        for turn in range(self.rounds + 1):
            used: dict[tuple[int, int], float] = defaultdict(float)
            reached: dict[tuple[int, int], float] = defaultdict(float)
            sum_of_logs = 0.0
            for steps in occurrences:
                reach = 1.0
                sum_of_logs += log(self.mixed(steps, self.order))
                for n in range(self.order, 0, -1):
                    if n not in steps:
                        continue
                    frequency, bucket = steps[n]
                    direct = self.lambdas[n, bucket] * frequency
                    mine = reach * direct / self.mixed(steps, n)
                    used[n, bucket] += mine
                    reached[n, bucket] += reach
                    reach -= mine
            self.log_likelihoods.append(sum_of_logs / len(occurrences))
            if turn < self.rounds:
                for key, c in numbers.items():
                    share = used[key] / reached[key] if reached[key] else 0.0
                    self.lambdas[key] = min(share, (c + 1) / (c + 2))

    def mixed(self, steps: dict[int, tuple[float, int]], n: int) -> float:
        """Probability of an occurrence with the orders up to n."""
        if n == 0:
            return 1 / len(self.all_events)
        below = self.mixed(steps, n - 1)
        if n not in steps:
            return below
        frequency, bucket = steps[n]
        weight = self.lambdas[n, bucket]
        return weight * frequency + (1 - weight) * below

    def held_out(self):
        for line in self.valid:
            tokens = [t if t in self.events or t == "<s>" else "<unk>" for t in padded(line)]
            yield from self.steps(tokens, 0)

    def left_one_out(self):
        for line in self.lines:
            yield from self.steps(padded(line), 1)

    def steps(self, tokens: list[str], out: int):
        """Of each token the relative frequency and the bucket at each order that knows its
        history, with ``out`` occurrences taken away."""
        for end in range(1, len(tokens)):
            found = {}
            for n in range(1, min(self.order, end + 1) + 1):
                followers = self.tables[n - 1].get(tuple(tokens[end - n + 1 : end]))
                total = sum(followers.values()) - out if followers else 0
                if total > 0:
                    count = max(followers[tokens[end]] - out, 0)
                    found[n] = (count / total, floor(log2(total)))
            yield found

    def weight(self, n: int, total: int) -> float:
        """That of the bucket, or of the nearest that there is; of two, of the rarer contexts'."""
        buckets = sorted(bucket for order, bucket in self.lambdas if order == n)
        if not buckets:
            return 0.5
        nearest = min(buckets, key=lambda bucket: abs(bucket - floor(log2(total))))
        return self.lambdas[n, nearest]

    def parts(self, n: int, followers: Counter[str]) -> tuple[dict[str, float], float]:
        total = sum(followers.values())
        weight = self.weight(n, total)
        return {w: weight * c / total for w, c in followers.items()}, 1 - weight


METHODS: dict[str, type[Method]] = {
    "maximum-likelihood": MaximumLikelihood,
    "laplace": Laplace,
    "lidstone": Additive,
    "jelinek-mercer": JelinekMercer,
    "witten-bell": WittenBell,
    "katz": Katz,
    "absolute-discounting": Discounting,
    "kneser-ney": KneserNey,
    "modified-kneser-ney": ModifiedKneserNey,
    "stupid-backoff": StupidBackoff,
}


def with_facts(name: str, **facts: object) -> type[Method]:
    """The method ``name`` with other options."""
    return type(METHODS[name].__name__, (METHODS[name],), facts)
