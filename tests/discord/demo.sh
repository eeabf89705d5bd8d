#!/bin/sh
# A lab of its own, a Discord of its own, and a failover that plays by itself. `make demo-discord` has built and installed
# what this needs. Nothing of it is left afterwards.
set -u

built="${CARGO_TARGET_DIR:-target}/debug"
lab="$built/lab"
dir="${TMPDIR:-/tmp}/steadyhand-demo-$$"

down() {
  # The bot, if what started it was killed.
  if bot=$(cat "$dir/bot/serve.pid" 2>/dev/null) && [ "$(cat "/proc/$bot/comm" 2>/dev/null)" = steadyhand ]; then kill "$bot"; fi
  "$lab" --dir "$dir" down >/dev/null 2>&1
}
trap 'exit 130' INT
trap 'exit 129' HUP
trap 'exit 143' TERM
trap down EXIT

echo "starting a real PostgreSQL cluster and a Discord on loopback ..." >&2
"$lab" --dir "$dir" up --runbooks runbooks >/dev/null || exit
"$built/discord-demo" "$dir" "$lab" "$built/steadyhand"
