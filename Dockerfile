# The production form in one image: `api`, `worker`, `migrate`, `account`, `doctor`.
# docker build -t hookwright-server .

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/hookwright
WORKDIR /source
COPY requirements/production.txt requirements/production.txt
RUN /opt/hookwright/bin/pip install --require-hashes -r requirements/production.txt
COPY reference-server reference-server
RUN /opt/hookwright/bin/pip install --no-deps --no-build-isolation ./reference-server \
    && /opt/hookwright/bin/hookwright-server --version

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin hookwright
COPY --from=build /opt/hookwright /opt/hookwright
ENV PATH=/opt/hookwright/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    HOOKWRIGHT_HOST=0.0.0.0 \
    HOOKWRIGHT_PORT=8080 \
    HOOKWRIGHT_MODE=production \
    HOOKWRIGHT_LOG_STYLE=json
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["hookwright-server"]
CMD ["api"]
