"""What the same work costs without the program: a bare Flask page, and bare flows of page, answers and thanks, and of
page, question for a link, and sign-in.

Served by the same web server with the same settings. No CSRF, session, link, check, sealing or log; a response is
1 + 14 + 3 rows, as most programs store it. BARE_SIZE is the size of the page in bytes.
"""

from __future__ import annotations

import os
import uuid

from flask import Flask, Response, redirect, render_template_string, request
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, Uuid, delete, insert

from survey.store import base

PAGE = """<!doctype html><html lang="en"><title>Bare</title><form method="post" action="/page">
{% for number in range(14) %}<fieldset><legend>Question {{ number }}</legend>
{% for point in range(6) %}
<label><input type="radio" name="rating-{{ number }}" value="{{ point }}">{{ point }}</label>{% endfor %}
</fieldset>{% endfor %}
{% for number in range(3) %}<textarea name="comment-{{ number }}"></textarea>{% endfor %}
<button>Send</button></form><p>{{ filler }}</p></html>"""
SIGN_IN = """<!doctype html><html lang="en"><title>Bare</title><form method="post"><input type="email" name="address">
<button>Send</button></form><p>{{ filler }}</p></html>"""

metadata = MetaData()
ROWS = Table("bare_response", metadata, Column("id", Uuid, primary_key=True))
RATINGS = Table(
    "bare_rating",
    metadata,
    Column("response", ForeignKey("bare_response.id"), primary_key=True),
    Column("item", Integer, primary_key=True),
    Column("rating", Integer),
)
COMMENTS = Table(
    "bare_comment",
    metadata,
    Column("response", ForeignKey("bare_response.id"), primary_key=True),
    Column("item", Integer, primary_key=True),
    Column("text", String),
)
LINKS = Table("bare_link", metadata, Column("id", Uuid, primary_key=True), Column("address", String))


def create_app() -> Flask:
    """The bare app on the database that BARE_DATABASE names; its tables are made where they are missing."""
    app = Flask("bare")
    engine = base.connect(os.environ["BARE_DATABASE"])
    filler = "x" * max(0, int(os.environ["BARE_SIZE"]) - 7_300)

    @app.get("/livez")
    def livez() -> str:
        return "alive"

    @app.get("/page")
    def page() -> str:
        return render_template_string(PAGE, filler=filler)

    @app.post("/page")
    def answer() -> Response:
        response = uuid.uuid4()
        ratings = [
            {"response": response, "item": item, "rating": int(request.form[f"rating-{item}"])} for item in range(14)
        ]
        comments = [{"response": response, "item": item, "text": request.form[f"comment-{item}"]} for item in range(3)]
        with engine.begin() as connection:
            connection.execute(insert(ROWS), {"id": response})
            connection.execute(insert(RATINGS), ratings)
            connection.execute(insert(COMMENTS), comments)
        return redirect("/thanks", 303)

    @app.get("/thanks")
    def thanks() -> str:
        return render_template_string("<!doctype html><title>Bare</title><p>Thank you</p>")

    @app.get("/sign-in")
    def sign_in() -> str:
        return render_template_string(SIGN_IN, filler="x" * max(0, int(os.environ["BARE_SIZE"]) - 170))

    @app.post("/sign-in")
    def ask() -> str:
        with engine.begin() as connection:
            connection.execute(insert(LINKS), {"id": uuid.uuid4(), "address": request.form["address"]})
        return sign_in()

    @app.post("/enter/<uuid:link>")
    def enter(link: uuid.UUID) -> Response:
        with engine.begin() as connection:
            connection.execute(delete(LINKS).where(LINKS.c.id == link))
            connection.execute(insert(LINKS), {"id": uuid.uuid4(), "address": "signed in"})
        return redirect("/thanks", 303)

    return app
