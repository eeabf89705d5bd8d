#!/bin/sh
# A lab of its own and the chat on it; both are gone afterwards. `make demo` has built and installed what this needs.
set -u

built="${CARGO_TARGET_DIR:-target}/debug"
lab="$built/lab"
bot="$built/steadyhand"
dir="${TMPDIR:-/tmp}/steadyhand-demo-$$"

# Ctrl-C belongs to the chat. What ends this shell ends the lab as well.
trap : INT
trap 'exit 129' HUP
trap 'exit 143' TERM
trap '"$lab" --dir "$dir" down >/dev/null 2>&1' EXIT

echo "starting a real PostgreSQL cluster on loopback, with a balancer, a backup and a power switch ..." >&2
"$lab" --dir "$dir" up --synchronous --runbooks runbooks >/dev/null || exit
"$lab" --dir "$dir" backup || exit
"$bot" --config "$dir/bot/steadyhand.toml"
