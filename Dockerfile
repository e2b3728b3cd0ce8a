# The program and nothing else. Every service of docker-compose.yml that is ours runs this image.
FROM python:3.13.9-slim-bookworm AS built
WORKDIR /src
COPY requirements/run.txt requirements/run.txt
RUN python -m venv /opt/pmo \
    && /opt/pmo/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY engine engine
COPY workflows workflows
COPY projections projections
COPY consumers consumers
COPY app app
RUN /opt/pmo/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation .

FROM python:3.13.9-slim-bookworm
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin pmo
COPY --from=built /opt/pmo /opt/pmo
# Bytecode was made when it was installed; the file system of a container is read-only.
ENV PATH=/opt/pmo/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 8750
ENTRYPOINT ["pmo"]
CMD ["--help"]
