# Two stages: the first one builds a virtual environment from the lock, the second one holds nothing but that.
FROM python:3.12-slim AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
COPY requirements.lock ./
RUN python -m venv /opt/descheduler \
    && /opt/descheduler/bin/python -m pip install --no-compile --require-hashes --only-binary :all: --requirement requirements.lock
COPY pyproject.toml README.md ./
COPY descheduler ./descheduler
RUN /opt/descheduler/bin/python -m pip install --no-compile --no-deps . \
    && /opt/descheduler/bin/python -m pip uninstall --yes pip \
    && cd / && /opt/descheduler/bin/python -m descheduler.solver.bake

FROM python:3.12-slim
# Nothing is written at run time but what -o asks for: a read-only root file system is fine. Kernels are compiled already.
ENV PATH=/opt/descheduler/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
COPY --from=build /opt/descheduler /opt/descheduler
WORKDIR /work
# nobody; a number, so that runAsNonRoot can be checked
USER 65534:65534
ENTRYPOINT ["descheduler"]
CMD ["--help"]
