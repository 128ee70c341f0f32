"""Who holds the key of a round: chosen and tested in the draft, asked for after the close."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from nacl.public import PrivateKey
from wtforms import BooleanField, PasswordField, RadioField

from survey import context
from survey.context import needs
from survey.core import custody as rules
from survey.core import cycles as phases
from survey.core.access import Action
from survey.core.custody import Holder
from survey.core.cycles import Phase
from survey.core.errors import BadInput, IllegalStep, TooManyGuesses, WrongPassphrase
from survey.services import custody, keys, tally

pages = Blueprint("custody", __name__, url_prefix="/rounds/<uuid:cycle_id>/custody")

NEW = {"autocomplete": "new-password"}
TYPED = {"autocomplete": "off"}


class CustodyForm(FlaskForm):
    """Who holds the key, and their passphrases, each typed twice."""

    holder = RadioField(
        "Who can open the answers, once the round has closed?",
        choices={holder.value: holder.label for holder in Holder},
    )
    first = PasswordField(
        "Passphrase",
        description=f"At least {rules.SHORTEST} characters; four or five words are easy to keep.",
        render_kw=NEW,
    )
    first_again = PasswordField("The same passphrase again", render_kw=NEW)
    second = PasswordField(
        "Passphrase of the second custodian",
        description="Typed by the second person. Only where two people hold the key.",
        render_kw=NEW,
    )
    second_again = PasswordField("The second passphrase again", render_kw=NEW)
    understood = BooleanField("I know that a lost passphrase loses every answer of this round, for good")

    def passphrases(self) -> tuple[str, ...] | None:
        """The passphrases that the chosen holder needs; None, with words at the fields, if they cannot be used."""
        holder = Holder(self.holder.data)
        pairs = [(self.first, self.first_again), (self.second, self.second_again)][: holder.passphrases]
        for typed, again in pairs:
            try:
                rules.check_passphrase(typed.data or "")
            except BadInput as error:
                typed.errors = [str(error)]
                continue
            if rules.normalised(typed.data or "") != rules.normalised(again.data or ""):
                again.errors = ["These two are not the same. Please type both once more."]
        if not self.understood.data:
            self.understood.errors = ["Please tick this box, or leave the key to the server."]
        if self.errors:
            return None
        return tuple(typed.data or "" for typed, _ in pairs)


class PassphraseForm(FlaskForm):
    """The passphrases, typed once."""

    first = PasswordField("Passphrase", render_kw=TYPED)
    second = PasswordField("Passphrase of the second custodian", render_kw=TYPED)

    def passphrases(self, holder: Holder) -> tuple[str, ...]:
        """As many as it takes, as every keyboard types them."""
        typed = (self.first, self.second)[: holder.passphrases]
        return tuple(rules.normalised(field.data or "") for field in typed)


@pages.route("", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def choose(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Chooses who holds the key of a draft."""
    form = CustodyForm()
    with context.reading() as session:
        row = context.runnable(session, cycle_id)
        phases.require(Phase(row.phase), *custody.DRAFTED)
        standing = custody.of(session, cycle_id)
    if form.validate_on_submit():
        chosen = Holder(form.holder.data)
        passphrases = () if chosen is Holder.SERVER else form.passphrases()
        if passphrases is not None and _appoint(cycle_id, chosen, passphrases, form):
            return redirect(url_for("cycles.cycle" if not passphrases else "custody.test", cycle_id=cycle_id), 303)
    elif not form.is_submitted():
        form.holder.data = standing.holder.value
    return (
        render_template("custody/choose.html", form=form, cycle=row, standing=standing),
        422 if form.is_submitted() else 200,
    )


@pages.route("/test", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def test(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Shows that the passphrases open the key, before anybody is asked."""

    def open_and_forget(private_key: PrivateKey) -> None:
        with context.transaction() as session:
            custody.tested(session, cycle_id, bytes(private_key.public_key))

    return _ask(
        cycle_id,
        custody.DRAFTED,
        open_and_forget,
        template="custody/test.html",
        said="It opens. The key is locked again, and the round can be opened.",
    )


@pages.route("/unlock", methods=["GET", "POST"])
@needs(Action.RUN_CYCLE)
def unlock(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Unlocks the key of a closed round, and has it counted."""

    def unlock_and_count(private_key: PrivateKey) -> None:
        person, keyring = context.signed_in(), context.installation().keyring
        with context.transaction() as session:
            custody.unlock(session, cycle_id, private_key, keyring, actor_id=person.id, now=context.now())
        context.wake("tasks.tally.sweep")

    return _ask(
        cycle_id,
        custody.CLOSED,
        unlock_and_count,
        template="custody/unlock.html",
        said="It opens. The answers are being counted, and then the key is destroyed.",
    )


@pages.route("/give-up", methods=["GET", "POST"])
@needs(Action.SETTLE_OBJECTION)
def give_up(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Publishes nothing for a round whose passphrase is lost."""
    person = context.permit(Action.SETTLE_OBJECTION)
    form = FlaskForm()
    with context.reading() as session:
        row = context.runnable(session, cycle_id)
        if not custody.of(session, cycle_id).is_waiting:
            raise IllegalStep("Only a closed round that waits for its passphrase can be given up.")
    if form.validate_on_submit():
        with context.transaction() as session:
            tally.abandon_locked(session, cycle_id, actor_id=person.id, now=context.now())
        context.wake("tasks.tally.sweep")
        flash("The round is given up. Its answers are deleted, unopened, and its key is destroyed.", "done")
        return _back(cycle_id)
    return render_template(
        "cycles/confirm.html",
        title=f"Give up “{row.name}”?",
        lines=[
            "All answers of this round are deleted, unopened, and the key is destroyed. There will be no report, and "
            "everybody under review is told so when you release.",
            "Do this only if a passphrase is lost. It cannot be undone.",
        ],
        action_label="Delete all answers",
        back_href=url_for("custody.unlock", cycle_id=cycle_id),
        form=form,
        warnings=[],
        is_danger=True,
    )


@pages.route("/give-up-key", methods=["GET", "POST"])
@needs(Action.SETTLE_OBJECTION)
def give_up_key(cycle_id: uuid.UUID) -> ResponseReturnValue:
    """Has a round go on whose key is lost: what waits to be counted is deleted unopened."""
    person = context.permit(Action.SETTLE_OBJECTION)
    form = FlaskForm()
    with context.reading() as session:
        row = context.runnable(session, cycle_id)
        if row.key_missed_at is None or row.is_key_destroyed or row.is_key_lost:
            raise IllegalStep("The key of this round is not missing.")
        phases.require(Phase(row.phase), Phase.CLOSED, Phase.TALLIED)
    if form.validate_on_submit():
        keyring, now = context.installation().keyring, context.now()
        with context.transaction() as session:
            keys.give_up(session, cycle_id, keyring, actor_id=person.id, now=now)
            if row.phase == Phase.CLOSED:
                tally.abandon_keyless(session, cycle_id, actor_id=person.id, now=now)
        context.wake("tasks.tally.sweep")
        flash("The key is given up. What waited for it is deleted, unopened.", "done")
        return _back(cycle_id)
    return render_template(
        "cycles/confirm.html",
        title=f"Is the key of “{row.name}” lost for good?",
        lines=_without_key(Phase(row.phase)),
        action_label="Delete all answers" if row.phase == Phase.CLOSED else "Go on without the key",
        back_href=url_for("cycles.cycle", cycle_id=cycle_id),
        form=form,
        warnings=[],
        is_danger=True,
    )


def _without_key(phase: Phase) -> list[str]:
    if phase is Phase.CLOSED:
        return [
            "All answers of this round that are not counted are deleted, unopened. There will be no report about "
            "these people, and they are told so when you release.",
            "Do this only if no copy of the key is left. It cannot be undone.",
        ]
    return [
        "The round goes on to its release. Its key was never destroyed here: whoever finds it, and has an old copy of "
        "the database, could open the answers in that copy.",
        "Do this only if the key cannot be brought back. It cannot be undone.",
    ]


def _appoint(cycle_id: uuid.UUID, holder: Holder, passphrases: tuple[str, ...], form: CustodyForm) -> bool:
    """Whether it was done; if not, the form says why."""
    person, now, keyring = context.signed_in(), context.now(), context.installation().keyring
    try:
        with context.transaction() as session:
            if holder is Holder.SERVER:
                custody.dismiss(session, cycle_id, keyring, actor_id=person.id, now=now)
                flash("The server holds the key of this round.", "done")
            else:
                custody.appoint(session, cycle_id, passphrases, keyring, holder=holder, actor_id=person.id, now=now)
                flash("The key is made and locked. Now see whether it opens.", "done")
    except BadInput as error:
        form.second.errors = [str(error)]
        return False
    return True


def _ask(
    cycle_id: uuid.UUID,
    phases_: Collection[Phase],
    use: Callable[[PrivateKey], None],
    *,
    template: str,
    said: str,
) -> ResponseReturnValue:
    """A page that asks for the passphrases; `use` is called with the key that they open."""
    form = PassphraseForm()
    status = 200
    with context.reading() as session:
        row = context.runnable(session, cycle_id)
        phases.require(Phase(row.phase), *phases_)
        standing = custody.of(session, cycle_id)
    if standing.holder is Holder.SERVER:
        raise IllegalStep("The key of this round is held by the server; there is no passphrase.")
    if form.validate_on_submit():
        try:
            with context.transaction() as session:
                custody.begin_guess(session, cycle_id, phases_, now=context.now())
            use(context.installation().keyring.unwrap(cycle_id, form.passphrases(standing.holder)))
        except TooManyGuesses as error:
            form.first.errors, status = [str(error)], 429
        except WrongPassphrase:
            with context.transaction() as session:
                told = custody.refuse(session, cycle_id, actor_id=context.signed_in().id, now=context.now())
            form.first.errors, status = [told], 422
        else:
            flash(said, "done")
            return _back(cycle_id)
    return (
        render_template(
            template, form=form, cycle=row, standing=standing, settles_objections=context.may(Action.SETTLE_OBJECTION)
        ),
        status,
    )


def _back(cycle_id: uuid.UUID) -> ResponseReturnValue:
    return redirect(url_for("cycles.cycle", cycle_id=cycle_id), 303)
