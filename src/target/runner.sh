# Runs one command on a host and says how it ended. Sent whole with every command; nothing is installed.
#
# Everything variable comes in one line on stdin, the frame: shell text that sets `_nonce`, the arguments, the function
# `_fe` that exports the variables, `_secrets` with the names of secrets, the function `_fs` that puts each into `_place`,
# a folder of this name in memory or else in the home, and `_ok`. After it stdin stays open: `stop` ends the processes of
# the command, `pause` halts them, `resume` lets them go on. Its end means that the caller is gone: the command is ended.
# All names here begin with `_`, and no variable of the frame may, so that none of them can change what is done here.
# What we say stands on lines that begin with `SH1 <nonce>`, on both streams, so that neither can be cut unnoticed:
# `exit=` when the command ended by itself, `ended=` when we ended it and nobody of its process group is left, `left=`
# when we ended it and somebody may be.
#
# The group is there a moment after the process is, so a signal that finds no group goes to the process.
#
# This file is joined to one line: no single quotes, no backslashes, a space behind each exclamation mark (csh would
# expand it otherwise), and every line ends where a space may follow.
_nl=$(echo; echo x); _nl=${_nl%x};
_nonce=; _ok=; _secrets=; _place=;
IFS= read -r _frame || exit 125;
eval "$_frame" || exit 125;
test -n "$_nonce" && test "$_ok" = "$_nonce" || exit 125;
cd "$HOME" 2>/dev/null || cd /;
_say() { echo "$_nl""SH1 $_nonce $1"; echo "$_nl""SH1 $_nonce $1" >&2; };
command -v "$1" >/dev/null || { _say "refused no-command"; exit 3; };
_put() { printf %s "$2" >"$_place/$1" || _bad=y; };
_clean() { test -z "$_secrets" || rm -rf "$_place"; };
if test -n "$_secrets"; then
_bad=; _memory=/dev/shm; test -d $_memory && test -w $_memory || _memory=$HOME;
_place=$_memory/$_place; trap "_clean; exit 129" HUP INT TERM;
( umask 077; test "$(PATH=; printf x)" = x && mkdir "$_place" && _fs && test -z "$_bad" ) 2>/dev/null || { _clean; _say "refused secret-place"; exit 3; };
fi;
_own=; if command -v setsid >/dev/null; then _own=y; set -- setsid "$@"; fi;
exec 3<&0 4>&1 5>&2;
_say started;
( exec 3<&- 4>&- 5>&-; for _n in $_secrets; do export "$_n""_file=$_place/$_n"; done; _fe; exec "$@" </dev/null ) & _c=$! ;
( exec 4>&- 5>&- >/dev/null 2>&1;
_g=$_c; _member="^$_c .*[)] [^ZX] ";
test -z "$_own" || { _g=-$_c; _member="[)] [^ZX] [0-9]* $_c "; };
_lives() { case "$(kill -0 $_g 2>&1)" in *"such process"*) return 1;; esac;
test -r /proc/1/stat || return 0; cat /proc/[0-9]*/stat | grep -q "$_member"; };
_signal() { kill -$1 $_g || kill -$1 $_c; };
_wait() { _n=0; while _lives && test $_n -lt $1; do sleep 0.1; _n=$((_n+1)); done; };
while IFS= read -r _l; do
case "$_l" in stop) break;; pause) _signal STOP;; resume) _signal CONT;; esac;
done;
trap "" TERM;
_signal TERM; _signal CONT; _wait 20;
kill -KILL $_g; _wait 10; _clean;
test -n "$_own" || exit 8; _lives && exit 8; exit 7 ) <&3 & _w=$! ;
exec 3<&-;
wait $_c 2>/dev/null; _rc=$?; _clean;
kill $_w 2>/dev/null; wait $_w 2>/dev/null;
case $? in 7) _say "ended=$_rc";; 8) _say "left=$_rc";; *) _say "exit=$_rc";; esac;
