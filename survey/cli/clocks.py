"""`survey clock`: what waits because the clock may have jumped, and the word that lets it go on."""

from __future__ import annotations

from collections.abc import Callable

import click
from flask import Flask

from survey import context
from survey.cli import instances
from survey.services import clocks


@click.command()
@click.option("--accept", is_flag=True, help="Take the time as right: what waits is done, and cannot be undone.")
@instances.OPTION
@click.pass_obj
def clock(make: Callable[..., Flask], *, accept: bool) -> None:
    """Say what waits because the clock of the server may have jumped."""
    app = make(instances.environ())
    with app.app_context():
        now = context.now()
        with context.reading() as session:
            held = clocks.held(session, now, context.kept())
        print(f"It is now {now:%Y-%m-%d %H:%M} UTC.")
        for each in held:
            print(f"Nobody looked since {each.looked_at:%Y-%m-%d %H:%M} UTC. If the time is right, the program would:")
            for one in each.would:
                print(f"  - {one}")
        if not held:
            print("Nothing waits.")
        elif accept:
            with context.transaction() as session:
                clocks.accept(session, context.clock_reading(), actor_id=None)
            print("The time is taken as right. What waited is done within minutes.")
            instances.tell(app)
        else:
            print("If it is right, run `survey clock --accept`. If not, put the clock right: nothing is lost.")
