# syntax=docker/dockerfile:1
# The image of a worker. Roles and labels are its arguments:
#   docker build -t retune-worker . && docker run retune-worker --roles train --labels cpu
FROM node:22.22.2-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev && npm cache clean --force

FROM node:22.22.2-bookworm-slim
# Certificates for TLS to a Temporal server; tini hands SIGTERM on and reaps what a dead child leaves.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates tini \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY . .
# The store; a new volume mounted here takes over this owner. What an attempt writes before that stays in
# the container and goes with it.
RUN mkdir --parents /var/lib/retune && chown node:node /var/lib/retune
ENV NODE_ENV=production \
  RETUNE_HOME=/home/node/.retune \
  RETUNE_STORE=file:/var/lib/retune/store \
  RETUNE_DATA_ROOT=/data
USER node
# SIGTERM: running training writes a checkpoint and hands over.
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--", "node", "setup/exec.mjs", "worker.ts"]
