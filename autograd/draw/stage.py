"""Which parts of a picture are to be seen: all, those of one step, or each in its time."""

from __future__ import annotations

from typing import Final

LEAD: Final = 1.0  # seconds in which only the forward values are seen
STEP: Final = 1.6  # seconds for each step
HOLD: Final = 4.0  # seconds in which the finished picture stays


class Stage:
    """The finished picture; with `step`, that moment of the backward pass; `animated`, all moments in turn.

    The finished picture of an animation is what readers see whose program, or wish, is not to animate.
    """

    def __init__(self, steps: int = 0, step: int | None = None, animated: bool = False) -> None:
        self.steps = steps
        self.step = step
        self.animated = animated and steps > 0

    def since(self, step: int | None, svg: str) -> str:
        """Return what appears with `step` and stays."""
        if not svg or step is None:
            return svg
        if self.animated:
            return f'<g class="since{step}">{svg}</g>'
        return svg if self.step is None or step <= self.step else ""

    def during(self, step: int | None, svg: str) -> str:
        """Return what is there in `step` alone."""
        if not svg or step is None:
            return ""
        if self.animated:
            return f'<g class="during during{step}">{svg}</g>'
        return svg if step == self.step else ""

    def finished(self, svg: str) -> str:
        """Return what belongs to the finished picture alone."""
        if self.animated:
            return f'<g class="finished">{svg}</g>'
        return svg if self.step is None else ""

    def style(self, scope: str) -> str:
        """Return the style sheet that plays the steps; `scope` keeps it from other pictures on the page."""
        if not self.animated:
            return ""
        total = LEAD + STEP * self.steps + HOLD

        def percent(time: float) -> str:
            return f"{100 * min(max(time, 0), total) / total:.3f}%"

        end = LEAD + STEP * self.steps
        rules = [f".{scope} .during{{opacity:0}}"]
        moving = []
        frames = []
        for step in range(self.steps):
            start, stop = LEAD + STEP * step, LEAD + STEP * (step + 1)
            frames.append(
                f"@keyframes {scope}at{step}{{0%,{percent(start)}{{opacity:0}}{percent(start + 0.12)},"
                f"{percent(stop - 0.1)}{{opacity:1}}{percent(stop)},100%{{opacity:0}}}}"
                f"@keyframes {scope}since{step}{{0%,{percent(start + 0.6)}{{opacity:0}}{percent(start + 0.9)},"
                f"{percent(total - 0.3)}{{opacity:1}}100%{{opacity:0}}}}"
                f"@keyframes {scope}flow{step}{{0%,{percent(start + 0.2)}{{stroke-dashoffset:-1}}"
                f"{percent(start + 0.8)},100%{{stroke-dashoffset:0}}}}"
            )
            for mark, target in (("at", "during"), ("since", "since")):
                moving.append(f".{scope} .{target}{step}{{animation-name:{scope}{mark}{step}}}")
            moving.append(f".{scope} .during{step} .flow{{animation-name:{scope}flow{step}}}")
        frames.append(
            f"@keyframes {scope}lead{{0%,{percent(LEAD - 0.15)}{{opacity:1}}{percent(LEAD)},100%{{opacity:0}}}}"
            f"@keyframes {scope}finished{{0%,{percent(end)}{{opacity:0}}{percent(end + 0.3)},"
            f"{percent(total - 0.3)}{{opacity:1}}100%{{opacity:0}}}}"
        )
        moving.append(
            f".{scope} .finished{{animation-name:{scope}finished}}.{scope} .lead{{animation-name:{scope}lead}}"
        )
        timing = (
            f".{scope} .during,.{scope} .finished,.{scope} [class^=since],.{scope} .during .flow"
            f"{{animation-duration:{total:g}s;animation-iteration-count:infinite;animation-timing-function:linear}}"
            f".{scope} .during .flow{{stroke-dasharray:1}}"
        )
        still = f"@media (prefers-reduced-motion:no-preference){{{timing}{''.join(moving)}}}"
        return "".join([*rules, *frames, still])
