#!/bin/sh
# Switches machines off and on, as the management interface of a data centre does.
# Usage: machine-power status NAME             prints on or off
#        machine-power off [--wait] NAME       with --wait: returns 0 only when nothing of it is left
#        machine-power on [--no-database] NAME
#        machine-power processes NAME          prints what belongs to it
# A machine is off when its switch is off and no process of it is left. Zombies do not count.
set -eu
cd /
lab=$(readlink -f "$(dirname "$(readlink -f "$0")")/../../..")

usage() { sed -n '3,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }

# What marks a process as this host's: working directory, open log, HOME; see process.rs, which follows the same rules.
marked() {
  find /proc -maxdepth 2 -name cwd -path '/proc/[0-9]*' \( -lname "$host" -o -lname "$host/*" \) 2>/dev/null | cut -d/ -f3 |
    while read -r p; do [ "$(cat "/proc/$p/comm" 2>/dev/null)" != postgres ] || echo "$p"; done
  find /proc -maxdepth 3 -path '/proc/[0-9]*/fd/*' -lname "$host/log/sshd.log" 2>/dev/null | cut -d/ -f3 | sort -u |
    while read -r p; do case $(cat "/proc/$p/comm" 2>/dev/null) in sshd*) echo "$p" ;; esac; done
  grep -lszxF "HOME=$host/home" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3
}

# The marked ones and all their descendants, as far as they live.
processes() {
  marked=$(marked | tr '\n' ' ')
  [ -n "$marked" ] || return 0
  cat /proc/[0-9]*/stat 2>/dev/null | awk -v marked="$marked" '
    { pid = $1; sub(/^.*\) /, ""); if ($1 !~ /^[ZX]/) parent[pid] = $2 }
    END {
      n = split(marked, m, " "); for (i = 1; i <= n; i++) mine[m[i]]
      do { more = 0; for (p in parent) if (!(p in mine) && (parent[p] in mine)) { mine[p]; more = 1 } } while (more)
      for (p in mine) if (p in parent) print p
    }'
}

off() {
  echo off >"$host/power"
  i=0
  while left=$(processes); [ -n "$left" ]; do
    kill -9 $left 2>/dev/null || :
    [ "$wait" = yes ] || return 0
    i=$((i + 1)); [ $i -le 400 ] || { echo "$name does not go off; left: $left" >&2; exit 1; }
    sleep 0.02
  done
}

act=${1-}; [ $# -eq 0 ] || shift
wait=no; boot=all
while [ $# -gt 0 ]; do
  case $1 in --wait) wait=yes ;; --no-database) boot=no-database ;; *) break ;; esac
  shift
done
[ $# -eq 1 ] || usage
name=$1; host=$lab/h/$name
case $name in */* | .* | '') usage ;; esac
[ -d "$host" ] || { echo "there is no machine $name here" >&2; exit 3; }

case $act in
  status) if [ "$(cat "$host/power" 2>/dev/null)" = off ] && [ -z "$(processes)" ]; then echo off; else echo on; fi ;;
  processes) processes ;;
  off)
    [ "$host" != "$(readlink -f "$HOME/..")" ] || { echo "$name cannot switch itself off" >&2; exit 3; }
    off ;;
  on) if [ "$(cat "$host/power" 2>/dev/null)" = on ]; then exit 0; fi; exec "$host/boot" "$boot" ;;
  *) usage ;;
esac
