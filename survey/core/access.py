"""Who may do what: one table, denied by default."""

from __future__ import annotations

from enum import StrEnum

from survey.core.errors import NotAllowed


class Role(StrEnum):
    """What an account is, given by people operations."""

    PEOPLE_OPERATIONS = "people_operations"
    MANAGER = "manager"
    ENGINEER = "engineer"

    @property
    def label(self) -> str:
        """The role's name for people."""
        return self.value.replace("_", " ").capitalize()


class Standing(StrEnum):
    """How an account stands to the thing it wants to see or change."""

    ANYONE = "anyone"
    OWN = "own"  # one's own review or report
    LAUNCHED = "launched"  # a cycle that one made oneself
    MANAGES = "manages"  # somebody who reports to one, their review, or their team


class Action(StrEnum):
    """What can be done behind a sign-in. A rater's link is no account and appears nowhere here."""

    SEE_HOME = "see home"
    LIST_PEOPLE = "list people"
    SEE_PEOPLE = "see people"
    CHANGE_PEOPLE = "change people"
    SEE_PAGES = "see pages"
    IMPORT_PAGES = "import pages"
    LIST_CYCLES = "list cycles"
    MAKE_CYCLES = "make cycles"
    RUN_CYCLE = "run a cycle"
    CHOOSE_RATERS = "choose raters"
    VOUCH = "vouch for an outside rater"
    READ_REPORT = "read a report"
    ASK_FOR_REPORT = "ask for a report"
    CHOOSE_READERS = "choose readers"
    SETTLE_OBJECTION = "settle an objection"
    LIST_TEAMS = "list team figures"
    SEE_TEAM = "see team figures"
    SEE_AUDIT = "see the audit log"
    WITHHOLD_COMMENTS = "withhold comments"
    PREPARE_CONVERSATION = "prepare a conversation"
    CHANGE_PLAN = "change a plan"
    READ_PLAN = "read a plan"
    SEE_INSTRUMENT = "see how a round measured"
    ACCEPT_CLOCK = "accept the clock"


_ALLOWED: dict[Action, dict[Role, frozenset[Standing]]] = {
    Action.SEE_HOME: {role: frozenset({Standing.ANYONE}) for role in Role},
    Action.LIST_PEOPLE: {
        Role.PEOPLE_OPERATIONS: frozenset({Standing.ANYONE}),
        Role.MANAGER: frozenset({Standing.ANYONE}),
    },
    Action.SEE_PEOPLE: {
        Role.PEOPLE_OPERATIONS: frozenset({Standing.ANYONE}),
        Role.MANAGER: frozenset({Standing.MANAGES}),
    },
    Action.CHANGE_PEOPLE: {Role.PEOPLE_OPERATIONS: frozenset({Standing.ANYONE})},
    Action.SEE_PAGES: {role: frozenset({Standing.ANYONE}) for role in Role},
    Action.IMPORT_PAGES: {
        Role.PEOPLE_OPERATIONS: frozenset({Standing.ANYONE}),
        Role.MANAGER: frozenset({Standing.ANYONE}),
    },
    Action.LIST_CYCLES: {
        Role.PEOPLE_OPERATIONS: frozenset({Standing.ANYONE}),
        Role.MANAGER: frozenset({Standing.ANYONE}),
    },
    Action.MAKE_CYCLES: {
        Role.PEOPLE_OPERATIONS: frozenset({Standing.ANYONE}),
        Role.MANAGER: frozenset({Standing.ANYONE}),
    },
    Action.RUN_CYCLE: {
        Role.PEOPLE_OPERATIONS: frozenset({Standing.ANYONE}),
        Role.MANAGER: frozenset({Standing.LAUNCHED}),
    },
    # Whose review it is proposes; their managers and whoever launched the round approve.
    Action.CHOOSE_RATERS: {
        Role.PEOPLE_OPERATIONS: frozenset({Standing.ANYONE}),
        Role.MANAGER: frozenset({Standing.OWN, Standing.MANAGES, Standing.LAUNCHED}),
        Role.ENGINEER: frozenset({Standing.OWN, Standing.MANAGES}),
    },
    # The word is of the subject or of people operations; services refuse that of the launcher, and of who chose them.
    Action.VOUCH: {
        Role.PEOPLE_OPERATIONS: frozenset({Standing.ANYONE}),
        Role.MANAGER: frozenset({Standing.OWN}),
        Role.ENGINEER: frozenset({Standing.OWN}),
    },
    Action.SETTLE_OBJECTION: {Role.PEOPLE_OPERATIONS: frozenset({Standing.ANYONE})},
    # People operations runs rounds and reads no one's report but their own.
    Action.READ_REPORT: {role: frozenset({Standing.OWN, Standing.MANAGES}) for role in Role},
    Action.ASK_FOR_REPORT: {role: frozenset({Standing.MANAGES}) for role in Role},
    # After the release it is the subject's word alone that opens their report to somebody.
    Action.CHOOSE_READERS: {role: frozenset({Standing.OWN}) for role in Role},
    Action.LIST_TEAMS: {
        Role.PEOPLE_OPERATIONS: frozenset({Standing.ANYONE}),
        Role.MANAGER: frozenset({Standing.ANYONE}),
    },
    Action.SEE_TEAM: {
        Role.PEOPLE_OPERATIONS: frozenset({Standing.ANYONE}),
        Role.MANAGER: frozenset({Standing.MANAGES}),
    },
    Action.SEE_AUDIT: {Role.PEOPLE_OPERATIONS: frozenset({Standing.ANYONE})},
    # No manager, whoever launched the round: they work with those whom a comment is about.
    Action.WITHHOLD_COMMENTS: {Role.PEOPLE_OPERATIONS: frozenset({Standing.ANYONE})},
    Action.PREPARE_CONVERSATION: {role: frozenset({Standing.MANAGES}) for role in Role},
    # A plan is its subject's. Only with whom it was shared stands to it as one who manages.
    Action.CHANGE_PLAN: {role: frozenset({Standing.OWN}) for role in Role},
    Action.READ_PLAN: {role: frozenset({Standing.OWN, Standing.MANAGES}) for role in Role},
    Action.SEE_INSTRUMENT: {Role.PEOPLE_OPERATIONS: frozenset({Standing.ANYONE})},
    Action.ACCEPT_CLOCK: {Role.PEOPLE_OPERATIONS: frozenset({Standing.ANYONE})},
}


def is_allowed(action: Action, role: Role, standing: frozenset[Standing] = frozenset()) -> bool:
    """Whether an account of this role, standing so to the thing, may do this."""
    return bool(_ALLOWED.get(action, {}).get(role, frozenset()) & (standing | {Standing.ANYONE}))


def check(action: Action, role: Role, standing: frozenset[Standing] = frozenset()) -> None:
    """Raises `NotAllowed` unless `is_allowed`."""
    if not is_allowed(action, role, standing):
        raise NotAllowed("Your account may not do this. Ask people operations if you think it should.")
