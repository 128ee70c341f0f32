"""What beats, and how often. A beat that is missed or doubled does no harm: each sweep looks at what is due."""

from __future__ import annotations

from survey.core import shakes

SCHEDULE = {
    "mail": {"task": "tasks.outbox.sweep", "schedule": 15.0, "options": {"expires": 15}},
    "ends": {"task": "tasks.cycles.close_due", "schedule": 30.0, "options": {"expires": 30}},
    "beginnings": {"task": "tasks.cycles.open_due", "schedule": 60.0, "options": {"expires": 60}},
    "openings": {"task": "tasks.cycles.go_on_opening", "schedule": 15.0, "options": {"expires": 15}},
    "files": {"task": "tasks.people.forget_files", "schedule": 600.0, "options": {"expires": 600}},
    "releases": {"task": "tasks.releases.sweep", "schedule": 60.0, "options": {"expires": 60}},
    "retention": {"task": "tasks.retention.delete_due", "schedule": 21_600.0, "options": {"expires": 3600}},
    "keys": {"task": "tasks.keys.watch", "schedule": 300.0, "options": {"expires": 300}},
    "canary": {"task": "tasks.canary.sing", "schedule": 15.0, "options": {"expires": 15}},
    "handfuls": {
        "task": "tasks.shakes.sweep",
        "schedule": shakes.EVERY,
        "args": (shakes.HANDFUL,),
        "options": {"expires": shakes.EVERY},
    },
    "shakes": {
        "task": "tasks.shakes.sweep",
        "schedule": shakes.AT_THE_LATEST,
        "options": {"expires": shakes.AT_THE_LATEST},
    },
    "tally": {"task": "tasks.tally.sweep", "schedule": 30.0, "options": {"expires": 30}},
}
