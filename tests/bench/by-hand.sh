#!/bin/sh
# The planned failover as a careful person would script it: the same commands on the same hosts in the same order, over
# connections that are open already, with the same questions asked before and after each. Nothing is recorded.
# by-hand.sh DIR OLD NEW OTHER: DIR has ssh_config, and every command as NAME-HOST.sh.
set -eu
dir=$1 old=$2 new=$3 other=$4

on() { ssh -F "$dir/ssh_config" "$1" sh -eu <"$dir/$2.sh"; }
ask() { on "$1" "$2-$1"; }
has() { case $answer in *"$1"*) ;; *) return 1 ;; esac; }
number() { printf %s "$answer" | sed "s/.*\"$1\" *: *\([0-9]*\).*/\1/"; }
again() { sleep 0.2; }

# Has anything changed since the plan?
for host in "$old" "$new" "$other"; do ask "$host" node >/dev/null & done
for host in "$old" "$new"; do ask "$host" sessions >/dev/null & done
for host in "$old" "$other"; do ask "$host" link >/dev/null & done
wait

on "$new" "add-slot-$old" && ask "$old" link >/dev/null
on "$new" "add-slot-$other" && ask "$other" link >/dev/null

on "$old" stop-clean
until ask power1 power >/dev/null & answer=$(ask "$old" fence) && wait && has '"running":false' && has '"clean":true'; do again; done
until answer=$(ask "$new" node) && [ "$(number replayed)" -ge "$(number position)" ]; do again; done

ask power1 power >/dev/null & ask "$old" fence >/dev/null & ask "$new" node >/dev/null & ask "$other" node >/dev/null & wait
on "$new" promote >/dev/null
until ask "$new" node >/dev/null && answer=$(ask "$new" write) && has '"ok" : true'; do again; done

on "$other" "follow-$other" >/dev/null
until answer=$(ask "$other" node) && has '"streaming" : true'; do again; done
on "$old" start-as-replica
until answer=$(ask "$old" node) && has '"streaming" : true'; do again; done
