"""Writes the starter workspace into a folder."""

import random
from datetime import date, datetime, timedelta
from pathlib import Path

_HERE = Path(__file__).parent
_WEEKS = 26
_TRUE_SHARES = {"order": 0.90, "delivery": 0.72, "help": 0.86}
"""Share of customers who are satisfied: the made-up truth behind the made-up answers."""


def create(folder: Path, today: date | None = None) -> list[Path]:
    """Write the starter workspace.

    Args:
        folder: Where to.
        today: The answers end the day before; yesterday's answers are the newest.

    Returns:
        The files, below the folder.
    """
    written = []
    for source in sorted(_HERE.rglob("*")):
        if source.suffix in (".yaml", ".json", ".md") or source.name == ".gitignore":
            path = source.relative_to(_HERE)
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(source.read_bytes())
            written.append(path)
    answers = Path("inbox/answers.csv")
    (folder / answers).parent.mkdir(parents=True, exist_ok=True)
    (folder / answers).write_text(synthetic_answers(today or date.today()), encoding="utf-8")  # noqa: DTZ011
    return [*written, answers]


def synthetic_answers(today: date) -> str:
    """Half a year of made-up survey answers, as the CSV that the starter's feed reads."""
    draw = random.Random(20261101)
    lines = ["answer_id,customer_id,answered_at,channel,about,satisfaction"]
    start = datetime.combine(today - timedelta(weeks=_WEEKS), datetime.min.time())
    number = 0
    for week in range(_WEEKS):
        for about, share in _TRUE_SHARES.items():
            for _ in range(draw.randint(18, 30)):
                number += 1
                at = start + timedelta(weeks=week, seconds=draw.randrange(7 * 86_400))
                score = draw.choice((4, 5)) if draw.random() < share else draw.choice((1, 2, 3))
                channel = draw.choice(("email", "web"))
                customer = draw.randrange(900)
                lines.append(
                    f"A{number:05d},C{customer:04d},{at:%Y-%m-%d %H:%M:%S},{channel},{about},{score}"
                )
    return "\n".join(lines) + "\n"
