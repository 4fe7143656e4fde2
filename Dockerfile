# One image for every Ferryman process: the API, a daemon, Flower and the migrations differ by their command alone.
# It brings Flower, and neither Postgres nor a broker.
FROM python:3.12-slim AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/ferryman
WORKDIR /src

# The dependencies first: they change less often than the code.
COPY requirements/server.txt requirements/server.txt
RUN /opt/ferryman/bin/pip install --require-hashes --requirement requirements/server.txt

COPY pyproject.toml README.md LICENSE celeryconfig.py ./
COPY app app
COPY workers workers
RUN /opt/ferryman/bin/pip install --no-deps --no-build-isolation .

FROM python:3.12-slim

ENV PATH=/opt/ferryman/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --system --user-group --no-create-home --uid 10001 --shell /usr/sbin/nologin ferryman
COPY --from=build /opt/ferryman /opt/ferryman

USER 10001:10001
WORKDIR /tmp
EXPOSE 8000

# For the API, the default command; docker-compose.yml sets what fits the others.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]

ENTRYPOINT ["ferryman"]
CMD ["api", "--host", "0.0.0.0"]
