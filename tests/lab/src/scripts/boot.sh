#!/bin/sh
# Switches this host on, as the boot of a machine would: sshd, then the balancer or the database if there is one.
# Usage: boot all | no-database     (power comes back)
#        boot ssh | database        (one service, of a host that is on)
# Returns when the service answers. What runs already is left alone.
set -eu
cd /
host=$(dirname "$(readlink -f "$0")")
. "$host/facts"                     # name, sshd, haproxy, pg_bin, path

# Daemons see the environment of this host and nothing else. It also makes them known as the host's own.
[ "${HOME-}" = "$host/home" ] || exec env -i HOME="$host/home" PATH="$path" LC_ALL=C.UTF-8 /bin/sh "$0" "$@"

fail() { echo "$name: $1" >&2; tail -n 15 "$2" >&2 2>/dev/null || :; exit 1; }

start_ssh() {
  pid=$(cat "$host/run/sshd.pid" 2>/dev/null || :)
  if [ -n "$pid" ] && tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$host/ssh/sshd_config"; then return 0; fi
  rm -f "$host/run/sshd.pid"
  "$sshd" -f "$host/ssh/sshd_config" -E "$host/log/sshd.log" </dev/null >/dev/null 2>&1 \
    || fail "sshd refused to start:" "$host/log/sshd.log"
  i=0                               # the pid file is written when it listens
  while [ ! -s "$host/run/sshd.pid" ]; do
    i=$((i + 1)); [ $i -le 500 ] || fail "sshd does not listen after 5 s:" "$host/log/sshd.log"
    sleep 0.01
  done
}

start_balancer() {
  [ -f "$host/haproxy.cfg" ] || return 0
  pid=$(cat "$host/run/haproxy.pid" 2>/dev/null || :)
  if [ -n "$pid" ] && tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$host/haproxy.cfg"; then return 0; fi
  "$haproxy" -D -f "$host/haproxy.cfg" -p "$host/run/haproxy.pid" </dev/null >>"$host/log/haproxy.log" 2>&1 \
    || fail "HAProxy did not start:" "$host/log/haproxy.log"
}

start_database() {
  [ -f "$host/pg/PG_VERSION" ] || return 0
  pid=$(head -n 1 "$host/pg/postmaster.pid" 2>/dev/null || :)
  if [ -n "$pid" ]; then
    if [ "$(readlink "/proc/$pid/cwd" 2>/dev/null || :)" = "$host/pg" ]; then return 0; fi
    # The server of this file is dead. Where process 1 reaps slowly it is still a zombie, which PostgreSQL takes for
    # alive; and after a power cut the number may belong to anybody.
    rm -f "$host/pg/postmaster.pid" "$host"/run/.s.PGSQL.*
  fi
  "$pg_bin/pg_ctl" -D "$host/pg" -l "$host/log/pg.log" -o "-c config_file=$host/pg.conf" -w -t 60 start \
    </dev/null >/dev/null 2>>"$host/log/boot.log" || fail "PostgreSQL did not start:" "$host/log/pg.log"
}

case ${1-} in
  all | no-database) echo on >"$host/power" ;;
  ssh | database) [ "$(cat "$host/power" 2>/dev/null)" = on ] || { echo "$name is switched off" >&2; exit 1; } ;;
  *) echo "usage: boot all | no-database | ssh | database" >&2; exit 2 ;;
esac
case $1 in all | no-database | ssh) start_ssh ;; esac
case $1 in all | no-database) start_balancer ;; esac
case $1 in all | database) start_database ;; esac
