# syntax=docker/dockerfile:1
# A function's image with packages of its own, from the one above.
#   docker build -f derived.Dockerfile --build-arg BASE=lambdamagic:py3.12 -t my-function FOLDER_WITH_REQUIREMENTS
ARG BASE
FROM ${BASE}

# Packages first, your own modules (the folder `code`) after them: a change of code leaves the packages' layer as it is.
COPY requirements.txt constraints.txt /tmp/lambdamagic/
RUN --mount=type=secret,id=ca --mount=type=secret,id=pip \
    for found in ca pip; do test -s /run/secrets/$found && eval "have_$found=1"; done; \
    ${have_ca:+export PIP_CERT=/run/secrets/ca}; ${have_pip:+export PIP_CONFIG_FILE=/run/secrets/pip}; \
    python3 -m pip install --no-cache-dir --disable-pip-version-check \
      --target "${LAMBDA_TASK_ROOT}" -r /tmp/lambdamagic/requirements.txt -c /tmp/lambdamagic/constraints.txt \
    && rm -r /tmp/lambdamagic \
    && PYTHONPATH="${LAMBDA_TASK_ROOT}" python3 -m lambdamagic.worker.list_holdings > "${LAMBDA_TASK_ROOT}/lambdamagic-holdings.json" \
    && chmod -R a+rX "${LAMBDA_TASK_ROOT}"
COPY code/ ${LAMBDA_TASK_ROOT}/
