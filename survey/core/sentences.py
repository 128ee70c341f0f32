"""What a report says in sentences, the same on the page, on paper and in a table.

`name` is the subject's name where somebody else reads, and None where the subject does: then it is "you".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from survey.core.changes import Movement
from survey.core.disclosure import DISTRIBUTION_FROM, Band, Group
from survey.core.editions import Said
from survey.core.labels import Change, Perception, Spread, Standing
from survey.core.readiness import Answer, Readiness, Voice
from survey.core.relationships import Relationship
from survey.core.reports import Attendance, Chapter, Report
from survey.core.rows import Figure, Row
from survey.core.sections import Section

STRUGGLES = "Here more is worse: the fewer people have seen it, the better."

BANDS = (
    "Where fewer than six people answered and their average lies near an end of the scale, a bar says so (“4.5 or "
    "higher”) in place of the figure, which could give single answers away."
)

FEW = (
    "Where fewer than six people answered, the line is as long as answers usually lie apart, whatever these few said: "
    "their own spread could give single answers away. If they see something in two ways, it may be too short; a longer "
    "line can show that for some averages near the middle only."
)

READY = (
    "A yes means “often” or more on this level, and that the signal for the next is there. A group says yes only where "
    "all of its interval does."
)


def people(group: Group, n: int) -> str:
    """The group with its number: "6 peers"."""
    return f"{n} {'colleagues of several groups' if group is Group.POOLED else group.label.lower()}"


def says(figure: Figure, points: int) -> str:
    """What a group says: "3.2 on average", "4.5 or higher on average"; on two points how many chose the second."""
    if points == 2:
        return _share(figure)
    if figure.mean is not None:
        return f"{figure.mean:.1f} on average"
    return f"{points - 0.5:.1f} or higher on average" if figure.band is Band.HIGH else "1.5 or lower on average"


def both(row: Row, name: str | None) -> str:
    """The self-rating beside the group that the words are about. The row has such a group."""
    lead = row.lead
    assert lead is not None  # noqa: S101 - highlighted rows have one
    others = f"{people(lead.group, lead.n)} say {says(lead, len(row.scale))}."
    if row.own is None:
        return others
    own = f"{f'{name} says' if name else 'You say'} “{row.scale[row.own - 1].lower()}” ({row.own})"
    return f"{own}; {others}"


def perceived(row: Row, name: str | None) -> str:
    """How the self-rating stands to the others', without a full stop; empty where it cannot be compared."""
    if row.perception is None:
        return ""
    if row.perception is Perception.TOO_FEW and row.lead and row.lead.spread is Spread.TWO_CAMPS:
        return "Others see this in two different ways, so no average speaks for them"
    if name and row.perception in {Perception.HIGHER, Perception.LOWER}:
        return f"{name} sees this {row.perception.value} than others do"
    if row.perception is Perception.NO_CLEAR_DIFFERENCE:
        return f"No clear difference between {name or 'you'} and others"
    return row.perception.label


def verdict(row: Row, name: str | None) -> str:
    """What may be said of a behavior in words: strength or development area, and how the two sides compare."""
    return _sentences([*_weighed(row), perceived(row, name)])


def _weighed(row: Row) -> list[str]:
    """The Johari word of a row, or what others make of it alone; nothing where they make neither of it."""
    if row.johari is not None:
        return [row.johari.label]
    return [row.standing.label] if row.standing in {Standing.STRENGTH, Standing.DEVELOPMENT} else []


def stands_out(row: Row, name: str | None) -> str:
    """Why a row is worth talking about."""
    reasons = [perceived(row, name)] if row.perception in {Perception.HIGHER, Perception.LOWER} else []
    if row.standing is Standing.DEVELOPMENT:
        reasons += _weighed(row)
    if row.lead and row.lead.spread is Spread.TWO_CAMPS:
        reasons.append("They are in two camps: ask when it shows and when it does not")
    return _sentences(reasons)


def rests_on(row: Row, report: Report) -> str:
    """The people behind the figures of a row, how far they agree, and who is missing and why. Never empty."""
    heard = [people(figure.group, figure.n) for figure in row.figures]
    if row.manager is not None:
        heard.append("the manager")
    sentences = [f"From {_listed(heard)}"] if heard else []
    if row.lead and (agreement := agrees(row.lead, len(row.scale))):
        sentences.append(agreement)
    # On two points "saw this" would be one of the answers.
    few = f"fewer than {report.k} {'saw' if len(row.scale) > 2 else 'answered'} this"
    sentences += [f"{group.label}: {few}, so nothing is shown" for group in row.withheld]
    if row.unheard:
        who = _listed([relationship.plural.lower() for relationship in row.unheard])
        sentences.append(f"{who.capitalize()}: fewer than {report.k} answered, so nothing is shown")
    if not sentences and row.section is Section.SIGNALS_READY_TO_LEVEL_UP:
        sentences = ["Only a self-rating" if row.own is not None else "Nobody who was asked could say"]
    return _sentences(sentences or ["Too few people answered for a figure"])


def agrees(figure: Figure, points: int) -> str:
    """How far a group agrees; empty where too few answered, and on two points, where the share says it all."""
    return figure.spread.label if figure.spread and points > 2 else ""


def moved(row: Row, report: Report) -> str:
    """What has changed since the last round, in words; empty where nothing can be compared."""
    if not row.movements or not report.compared_with:
        return ""
    if all(movement.change is Change.UNCLEAR for movement in row.movements):
        return f"Since {report.compared_with}: no clear change."
    moved = [f"{movement.group.label.lower()}, {_movement(movement)}" for movement in row.movements]
    return f"Since {report.compared_with}: {'; '.join(moved)}."


def moved_by(row: Row, group: Group) -> str:
    """What has changed for one group since the last round; empty where that cannot be compared."""
    return next((_movement(movement) for movement in row.movements if movement.group is group), "")


def struggle(row: Row, name: str | None) -> str:
    """Who has seen a struggle lately."""
    parts = []
    if row.own is not None:
        seen = row.own == len(row.scale)
        parts.append((f"{name} has" if name else "You have") + (" seen it lately" if seen else " not seen it"))
    if row.manager is not None:
        parts.append(f"the manager has {'seen it lately' if row.manager == len(row.scale) else 'not seen it'}")
    parts += [f"{_share(figure)} {_noun(figure)} have seen it lately" for figure in row.figures]
    return f"{_capital('; '.join(parts))}." if parts else ""


def voice(said: Voice, name: str | None) -> str:
    """Who speaks: "You", "Manager", "6 peers"."""
    if said.group is Group.SELF:
        return name or "You"
    return people(said.group, said.n) if said.group.is_anonymous else said.group.label


def ready(said: Voice, name: str | None) -> str:
    """What one voice says of this level and of the next, in a sentence."""
    parts = [
        f"{said_yes} of {len(answers)} {what}"
        for answers, what in ((said.indicators, "indicators of this level"), (said.signals, "signals for the next"))
        if answers
        for said_yes in (sum(answer is Answer.YES for answer in answers),)
    ]
    unsure = sum(answer is Answer.CANNOT_SAY for answer in said.indicators + said.signals)
    cannot = f"; {unsure} that cannot be told" if unsure else ""
    return f"{_capital(voice(said, name))}: yes to {' and '.join(parts)}{cannot}."


def readiness(found: Readiness, name: str | None) -> tuple[str, ...]:
    """A sentence for every voice."""
    return tuple(ready(said, name) for said in found.voices)


def answered(rating: int | None, scale: Sequence[str]) -> str:
    """A rating in the words of its scale, or that there is none."""
    return "Cannot say" if rating is None else scale[rating - 1]


def gaps(report: Report, chapter: Chapter) -> tuple[Row, ...]:
    """What the next steps of a chapter should answer to: its talking points and its development areas."""
    return tuple(
        row for row in chapter.rows if row.item in report.talking_points or row.standing is Standing.DEVELOPMENT
    )


def how_to_read(report: Report, name: str | None) -> tuple[str, ...]:
    """How to read the figures, in a few sentences."""
    who = f"{name} and their" if name else "you and your"
    own = "the self-rating" if name else "your own rating"
    figures = [figure for row in report.rows.values() if len(row.scale) > 2 for figure in row.figures]
    has_bands = any(figure.band for figure in figures)
    has_few = any(figure.mean is not None and figure.n < DISTRIBUTION_FROM for figure in figures)
    return (
        f"The ring is {own}, the dot is the average of others, the diamond is the manager.",
        "The line through the dot is where the average of all who might have been asked may well lie. A long line is "
        "a hint, not a verdict.",
        *([FEW] if has_few and report.few_are_as_usual else []),
        f"Every average rests on at least {report.k} people; only {who} manager are shown alone. From six people on, "
        "columns show how many chose each point.",
        *([BANDS] if has_bands else []),
        "“Not observed” is no number: it is left out, and makes the number of people smaller.",
        "“No clear difference” does not say that all agree. It says that so few ratings show no difference.",
        "Others make a strength or a development area of something. Where the self-rating is 4 or more, it is a known "
        "strength or a blind spot; below that, a hidden strength or a known gap.",
    )


def no_talking_points(report: Report) -> str:
    """What stands where nothing is worth talking about."""
    if report.has_figures:
        return "Nothing stands out beyond chance. Look for what is useful in the comments instead."
    did = "saw the same behavior" if report.has_heard_groups else "answered"
    few = f"Fewer than {report.k} colleagues {did}, so no rating of theirs may be shown."
    return f"{few} The manager’s may." if report.has_answered(Relationship.MANAGER) else few


def no_strengths(report: Report) -> str:
    """What stands where no strength is clear."""
    if report.has_figures:
        return "No behavior is rated so high that it is clear beyond chance. With few raters that is common."
    return f"A strength is named only where at least {report.k} colleagues rate it."


def no_gaps(report: Report) -> str:
    """What stands where the next steps of a page have no gap to answer to."""
    if report.has_figures:
        return "No gap is clear beyond chance. Choose what the comments made you think of."
    return "No gap can be told from so few answers. Choose what you would like to get better at."


def attended(line: Attendance, k: int) -> str:
    """How many of a relationship answered, as exactly as may be said."""
    if line.answered is not None:
        return str(line.answered)
    return f"fewer than {k}" if line.relationship.is_anonymous else "no"


def pooled(report: Report) -> str:
    """That small groups are shown together."""
    return (
        f"Groups in which fewer than {report.k} answered are shown together, as “All others”: {report.pooled} people. "
        "Outside raters are never among them."
    )


def checked(report: Report) -> str:
    """The certificate, and what it was checked over."""
    certificate = report.certificate
    if not certificate.cells:
        return certificate.sentence
    return (
        f"{certificate.sentence} This was checked before anybody could read it, over {certificate.cells} figures "
        f"from {certificate.raters} people."
    )


def _movement(movement: Movement) -> str:
    if movement.change is Change.UNCLEAR:
        return "no clear change"
    direction = "up" if movement.difference > 0 else "down"
    return f"{direction} by {abs(movement.difference):.1f}, clearer than chance"


def _share(figure: Figure) -> str:
    """How many chose the second of two points, as exactly as may be said."""
    if figure.counts is not None:
        return f"{figure.counts[-1]} of {figure.n}"
    if figure.mean is not None:
        return f"{round((figure.mean - 1) * figure.n)} of {figure.n}"
    return f"at least half of {figure.n}" if figure.band is Band.HIGH else f"fewer than half of {figure.n}"


def _noun(figure: Figure) -> str:
    return "colleagues" if figure.group is Group.POOLED else figure.group.label.lower()


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _sentences(words: Iterable[str]) -> str:
    return " ".join(f"{word}." for word in words if word)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def nobody(said: Said, k: int) -> str:
    """Why there is no comment of others, or nothing where there is one, or was one before it was withheld."""
    if said.others or said.withheld_others:
        return ""
    who = "colleagues" if said.outside else "people"
    return f"Fewer than {k} {who} wrote something here, so it is not shown."


def taken_out(said: Said) -> str:
    """How many comments people operations withheld, or nothing."""
    if not said.withheld:
        return ""
    were = "comment was" if said.withheld == 1 else "comments were"
    return f"{said.withheld} {were} withheld by people operations."
