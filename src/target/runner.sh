# Runs one command on a host and says how it ended. Sent whole with every command; nothing is installed.
#
# Everything variable comes in one line on stdin, the frame: shell text that sets `nonce`, the arguments, the function
# `fe` that exports the variables, `dir` for the folder that a step and its undo share, `end=y` if the command is ended
# when the caller is gone, and `ok`. After it stdin stays open: `stop` ends the processes of the command, `pause` halts
# them, `resume` lets them go on.
# What we say stands on lines that begin with `SH1 <nonce>`, on both streams, so that neither can be cut unnoticed.
#
# This file is joined to one line: no single quotes, no backslashes, a space behind each exclamation mark (csh would
# expand it otherwise), and every line ends where a space may follow.
nl=$(echo; echo x); nl=${nl%x};
nonce=; ok=; dir=; end=;
IFS= read -r frame || exit 125;
eval "$frame" || exit 125;
test -n "$nonce" && test "$ok" = "$nonce" || exit 125;
cd "$HOME" 2>/dev/null || cd /;
say() { echo "$nl""SH1 $nonce $1"; echo "$nl""SH1 $nonce $1" >&2; };
step_dir=;
if test -n "$dir"; then
step_dir=$HOME/.steadyhand/steps/$dir;
mkdir -p "$step_dir" && chmod 700 "$HOME/.steadyhand" "$step_dir" || { say "refused state-dir"; exit 3; };
fi;
command -v "$1" >/dev/null || { say "refused no-command"; exit 3; };
s=setsid; command -v setsid >/dev/null || s=;
exec 3<&0 4>&1 5>&2;
say started;
( exec 3<&- 4>&- 5>&-; fe; test -z "$step_dir" || export step_dir; exec $s "$@" </dev/null ) & c=$! ;
( exec 4>&- 5>&- >/dev/null 2>&1; g=$c; test -z "$s" || g=-$c; k=;
while IFS= read -r l; do
case "$l" in stop) k=y; break;; pause) kill -STOP $g;; resume) kill -CONT $g;; esac;
done;
test -n "$k$end" || exit 0;
kill -TERM $g; kill -CONT $g; n=0;
while kill -0 $g && test $n -lt 20; do sleep 0.1; n=$((n+1)); done;
kill -KILL $g ) <&3 & w=$! ;
exec 3<&-;
wait $c; rc=$?;
kill $w 2>/dev/null;
say "exit=$rc";
