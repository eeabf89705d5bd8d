# The guard: starts one command on a host so that anybody can ask later whether it ran, and gets a true answer.
#
# Sent whole with every question; nothing is installed. Everything variable comes in one line on stdin, the frame: shell
# text that sets `nonce`, `verb`, `key` (run.step.attempt), `root` (the identity of the state directory, or - where it is
# not known), `holds` (name=token, the token in 16 digits), `limit` and `grace` in seconds, `oat` and `eat` (how much of
# the output the caller has), `dir` for the folder that a step and its undo share, `folders` of that kind that are
# removed, the arguments, the function `fe` that exports the variables, `secrets` with their names, the function `fs` that
# puts each into a folder of the name `place` in memory or else on the disk, and `ok`. After it stdin stays open: `stop`
# ends the processes of the command, `pause` halts
# them, `resume` lets them go on. Its end means that the caller is gone: the command goes on.
#
# One file decides: `started` is created once, by the process that becomes the command, or by somebody who asks and
# thereby seals it: then it never runs. Only the keeper waits for the command and writes `finished`; the front, which
# speaks to the caller, may die at any time.
#
# This file is joined to one line: no single quotes, no backslashes, a space behind each exclamation mark (csh would
# expand it otherwise), and every line ends where a space may follow.
_nl=$(echo; echo x); _nl=${_nl%x};
nonce=; ok=; dir=; verb=; key=; root=-; holds=; folders=; limit=; grace=2; oat=0; eat=0; secrets=; place=;
IFS= read -r frame || exit 125;
eval "$frame" || exit 125;
test -n "$nonce" && test "$ok" = "$nonce" || exit 125;
PATH=$PATH:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin; mask=$(umask); umask 077;
cd "$HOME" 2>/dev/null || cd /;
base=$HOME/.steadyhand;
a=$base/a/$key;
say() { echo "SH1 $nonce $1"; };
no() { say "refused $1"; exit 3; };

stat_of() { s_state=; IFS= read -r s_line 2>/dev/null <"/proc/$1/stat" || return 1; stat_words ${s_line##*) }; };
stat_words() { s_state=$1; s_group=$3; s_start=${20}; };
boot_of() { boot=; IFS= read -r boot 2>/dev/null </proc/sys/kernel/random/boot_id; };
me() { IFS= read -r s_line </proc/self/stat; my_pid=${s_line%% *}; stat_words ${s_line##*) }; my_start=$s_start; };
is_there() { stat_of "$1" && test "$s_start" = "$2" && case $s_state in Z|X) false;; esac; };
group_there() { for g_p in /proc/[0-9]*; do
stat_of "${g_p##*/}" && test "$s_group" = "$1" && case $s_state in Z|X) false;; esac && return 0;
done; return 1; };
claim() { ( set -C; echo "$1" >"$2" ) 2>/dev/null; };
durable() { sync "$@" 2>/dev/null; };

ready() {
test -r /proc/self/stat && test -r /proc/sys/kernel/random/boot_id || no no-linux;
w="a b"; set -- $w; test $# = 2 || no bad-shell;
for t in setsid mkfifo dd wc head tail sync sleep grep od tr ln rm; do command -v "$t" >/dev/null || no "no-tool $t"; done;
};
can_write() { w_probe=$base/.probe.$$; { echo x >"$w_probe"; } 2>/dev/null && test -s "$w_probe"; w=$?; rm -f "$w_probe"; return $w; };
why_not() {
w_probe=$base/.probe.$$;
if w_said=$( { echo x >"$w_probe"; } 2>&1 ) && test -s "$w_probe"; then rm -f "$w_probe"; w=state-dir;
else case $w_said in *pace*) w=full;; *ead-only*) w=read-only;; *ermission*) w=unwritable;; *) test -e "$w_probe" && w=full || w=state-dir;; esac; rm -f "$w_probe"; fi;
};
hello() {
test -s "$base/id" && test -w "$base/a" || { mkdir -p "$base/a" "$base/holds" 2>/dev/null && test -w "$base/a"; } || { why_not; no "$w"; };
if ! test -s "$base/id"; then
claim "$(od -An -N8 -tx1 /dev/urandom | tr -d " $_nl")" "$base/id.$$" && { ln "$base/id.$$" "$base/id" 2>/dev/null; rm -f "$base/id.$$"; };
durable "$base/id" "$base" "$HOME";
fi;
IFS= read -r my_root 2>/dev/null <"$base/id" || { why_not; no "$w"; };
};
known_root() {
my_root=; IFS= read -r my_root 2>/dev/null <"$base/id";
test "$root" = - || test "$root" = "$my_root" || no "other-root ${my_root:-none}";
};

verdict() {
v=; v_final=;
if ! test -d "$a"; then v=absent; return; fi;
v_line=; IFS= read -r v_line 2>/dev/null <"$a/started";
case $v_line in
"") v=preparing; test ! -e "$a/started" || { v=torn; f_read; }; return;;
"sealed "*" end") v=never; v_final=y; return;;
"started "*" end") ;;
*) v=torn; return;;
esac;
v_words $v_line;
f_read; test -z "$v_final" || return 0;
boot_of;
if ! test "$boot" = "$v_boot"; then v="lost reboot"; v_final=y; return; fi;
if is_there "$v_pid" "$v_start"; then v="running pid=$v_pid"; is_there "$v_kpid" "$v_kstart" || v="$v guard=gone"; return; fi;
if is_there "$v_kpid" "$v_kstart"; then v=ending; return; fi;
f_read; test -n "$v_final" || { v="lost guard"; v_final=y; };
};
v_words() { v_pid=$2; v_start=$3; v_boot=$4; v_kpid=$5; v_kstart=$6; };
f_read() { f_line=; IFS= read -r f_line 2>/dev/null <"$a/finished";
case $f_line in "finished "*" end"*) v=${f_line%% end*}; v_final=y;; "never "*" end"*) v=never; v_final=y;; esac; };
settle() { t=0; while verdict; test "$v" = torn && test $t -lt 20; do sleep 0.1; t=$((t+1)); done; };

marked() { for m in $(grep -laF "STEADYHAND=$key:" /proc/[0-9]*/environ 2>/dev/null); do m=${m#/proc/}; echo "${m%%/*}"; done; };
escapees() { escaped=; for g_p in $(marked); do
stat_of "$g_p" || continue; case $s_state in Z|X) continue;; esac; test "$s_group" = "$v_pid" || escaped=$escaped,$g_p;
done; escaped=${escaped#,}; };
stop_group() {
verdict; case $v in running*) ;; finished*|"lost guard") group_there "${v_pid:-x}" || return 0;; *) return 0;; esac;
claim "$1" "$a/stop";
if ! is_there "$v_pid" "$v_start"; then
g_mine=; for g_p in $(marked); do
stat_of "$g_p" && test "$s_group" = "$v_pid" && g_mine=y;
done; test -n "$g_mine" || { group=not-ours; return; };
fi;
{ kill -TERM "-$v_pid" || kill -TERM "$v_pid"; } 2>/dev/null; kill -CONT "-$v_pid" 2>/dev/null;
t=0; while group_there "$v_pid" && test $t -lt $((grace*20)); do sleep 0.05; t=$((t+1)); done;
kill -KILL "-$v_pid" 2>/dev/null;
t=0; while group_there "$v_pid" && test $t -lt 40; do sleep 0.05; t=$((t+1)); done;
group=gone; ! group_there "$v_pid" || group=still-there;
};
signal_group() { verdict; case $v in running*) kill "$1" "-$v_pid" 2>/dev/null;; esac; };

seg_of() {
seg=; seg_at=; for x_f in "$a/$1".*; do x_at=${x_f##*.}; test -e "$x_f" && test "$x_at" -le "$2" || continue;
test -n "$seg" && test "$x_at" -lt "$seg_at" || { seg=$x_f; seg_at=$x_at; }; done;
};
send() {
p_at=$2;
while :; do
seg_of "$1" "$p_at"; test -n "$seg" || break;
{ p_size=$(wc -c <&8); p_end=$((seg_at+p_size));
if test "$p_end" -gt "$p_at"; then say "$1 $p_at $((p_end-p_at))"; tail -c "+$((p_at-seg_at+1))" <&9 | head -c "$((p_end-p_at))"; fi;
} 8<"$seg" 9<"$seg" 2>/dev/null || p_end=$p_at;
if test "$p_end" -gt "$p_at"; then p_at=$p_end; continue; fi;
x_next=; for x_f in "$a/$1".*; do x_at=${x_f##*.}; test "$x_at" -gt "$p_at" || continue;
test -n "$x_next" && test "$x_at" -gt "$x_next" || x_next=$x_at; done;
test -n "$x_next" || break;
say "gap $1 $p_at $x_next"; p_at=$x_next;
done;
};
send_both() {
test ! -s "$a/o.0" || { send o "$oat"; oat=$p_at; };
test ! -s "$a/e.0" || { send e "$eat"; eat=$p_at; };
};

watch() { while IFS= read -r l; do
case "$l" in stop) (stop_group asked);; pause) signal_group -STOP;; resume) signal_group -CONT;; esac;
done; echo gone >&7; };
tick() { sleep 0.05; n=0; while is_there "$my_pid" "$my_start"; do echo t >&7; test $n -lt 50 && sleep 0.2 || sleep 1; n=$((n+1)); done; };
follow() {
verdict; said=;
if test -z "$v_final"; then
test -n "$bell" || { bell=$a/r.$$; mkfifo "$bell" 2>/dev/null; };
exec 7<>"$bell"; me;
( exec 1>&- 2>&-; watch ) <&3 & w=$! ;
( exec 0<&- 1>&- 2>&- 3<&-; tick ) & k=$! ;
exec 3<&-;
while :; do
send_both; verdict;
case $v in absent|preparing|never) ;; *) test -n "$said" || { said=y; say started; };; esac;
test -z "$v_final" || break;
case $v in torn) settle; test "$v" = torn && break;; esac;
IFS= read -r l <&7; test "$l" = gone && break;
done;
kill "$k" "$w" 2>/dev/null; test "$bell" = "$a/r" || rm -f "$bell";
else test "$v" = never || say started; fi;
send_both; verdict; tidy; say "$v";
say end;
};

pump() {
at=0; f=$a/$1.0; n=0; lost=;
while :; do
r=$(LC_ALL=C dd bs=65536 count=16 2>&1 >>"$f") || { lost=+lost; cat >/dev/null; break; };
r=${r%% records in*}; r=${r##*"$_nl"};
test "$((${r%%+*}+${r#*+}))" -ge 16 || break;
size=$(wc -c <"$f");
if test "$size" -ge 1048576; then
n=$((n+1)); at=$((at+size)); old=${prev:-}; test "$f" = "$a/$1.0" || prev=$f;
test -z "$old" || rm -f "$old"; f=$a/$1.$at;
fi;
done;
size=0; test ! -s "$f" || size=$(wc -c <"$f");
echo "$1=$((at+size))$lost" >&6;
};
put() { printf %s "$2" >"$place/$1" || s_bad=y; };
hide() {
s_bad=; s_in=/dev/shm; test -d $s_in && test -w $s_in || s_in=$base; place=$s_in/$place;
test "$(PATH=; printf x)" = x && echo "$place" >"$a/place" && mkdir "$place" && fs && test -z "$s_bad";
};
clean() { s_in=; IFS= read -r s_in 2>/dev/null <"$a/place"; case $s_in in */.steadyhand-*) rm -rf "$s_in";; esac; };
tidy() { case $v in never|"lost "*) clean;; esac; };
timer() { sleep "$1" & z=$! ; trap "kill $z; exit 0" TERM; wait "$z" && { trap "" TERM; $2; }; };
ring() { for x_f in "$a"/r*; do test -p "$x_f" && echo t 1<>"$x_f"; done; };
keep() {
trap "" HUP INT;
me; kpid=$my_pid; kstart=$my_start; boot_of;
exec 6<>"$a/b" 8<>"$a/o" 9<>"$a/e";
( exec 7<&- <"$a/o" 8>&- 9>&-; pump o ) & po=$! ;
( exec 7<&- <"$a/e" 8>&- 9>&-; pump e ) & pe=$! ;
( exec 6<&- 7<&-; child "$@" ) </dev/null >&8 2>&9 8>&- 9>&- & c=$! ;
exec 8>&- 9>&-;
tm=; if test -n "$limit"; then ( exec 6<&-; timer "$limit" "stop_group timeout" ) & tm=$! ; fi;
wait "$c"; rc=$?; clean;
test -z "$tm" || kill "$tm" 2>/dev/null;
v_line=; IFS= read -r v_line 2>/dev/null <"$a/started";
case $v_line in
started*) ;;
sealed*) ring; return;;
*) claim "sealed start end" "$a/started" || echo "never start end" 1<>"$a/finished"; durable "$a/started" "$a"; ring; return;;
esac;
out=-; err=-;
( timer 1 "echo t" >&6 ) & tm=$! ;
while test "$out" = - || test "$err" = -; do IFS= read -r l <&6;
case $l in o=*) out=${l#o=};; e=*) err=${l#e=};; t) break;; esac; done;
kill "$tm" 2>/dev/null;
left=no; t=0; while kill -0 "-$c" 2>/dev/null && group_there "$c"; do
left=yes; test -s "$a/stop" && test $t -lt $((grace*20+40)) || break; sleep 0.05; t=$((t+1)); left=no; done;
st=-; test ! -s "$a/stop" || IFS= read -r st <"$a/stop";
until echo "finished rc=$rc out=$out err=$err stop=$st left=$left end" 1<>"$a/finished" && durable "$a/finished"; do sleep 2; done 2>/dev/null;
ring;
};
child() {
trap - HUP INT; me;
STEADYHAND=$key:; export STEADYHAND; test -z "$step_dir" || export step_dir;
claim "started $my_pid $my_start $boot $kpid $kstart end" "$a/started" || exit 120;
durable "$a/started" "$a" "$base/a" || { echo "sealed sync end" >"$a/started"; exit 120; };
for n in $secrets; do export "$n""_file=$place/$n"; done; fe; umask "$mask"; exec setsid "$@";
};

start() {
test "$root" = - || test "$root" = "$my_root" || no "other-root $my_root";
command -v setsid >/dev/null || no "no-tool setsid";
command -v "$1" >/dev/null || no no-command;
step_dir=;
if test -n "$dir"; then step_dir=$base/steps/$dir; test -d "$step_dir" || mkdir -p "$step_dir" 2>/dev/null || { why_not; no "$w"; }; fi;
for h in $holds; do
h_dir=$base/holds/${h%%=*};
{ { test -d "$h_dir" || mkdir -p "$h_dir"; } && echo "$key" >>"$h_dir/${h#*=}"; } 2>/dev/null || { why_not; no "$w"; };
done;
if ! mkdir "$a" 2>/dev/null; then
test -d "$a" || { why_not; no "$w"; };
settle; say "exists $v"; exit 3;
fi;
for h in $holds; do
h_dir=$base/holds/${h%%=*}; mine=${h#*=}; seen=;
for h_f in "$h_dir"/*; do
h_t=${h_f##*/};
if test "$h_t" = "$mine"; then seen=y; continue; fi;
if test -n "$seen" || ! test -e "$h_dir/$mine"; then claim "sealed fenced end" "$a/started"; no "fenced by=$h_t"; fi;
while IFS= read -r h_k; do
test "$h_k" = "$key" && continue;
mine_a=$a; a=$base/a/$h_k; settle; a=$mine_a;
case $v in running*|ending|preparing|torn) claim "sealed busy end" "$a/started"; no "busy token=$h_t attempt=$h_k";; esac;
done <"$h_f";
rm -f "$h_f";
done;
done;
test -z "$secrets" || hide 2>/dev/null || { clean; claim "sealed secret-place end" "$a/started"; no secret-place; };
bell=$a/r; b_pad="                                                            ";
{ echo "pending$b_pad$b_pad" >"$a/finished" && : >"$a/o.0" && : >"$a/e.0" && mkfifo "$a/o" "$a/e" "$a/b" "$bell"; } 2>/dev/null || { why_not; clean; claim "sealed $w end" "$a/started"; no "$w"; };
exec 7<>"$bell";
( exec 3<&- 7>&-; keep "$@" ) </dev/null >/dev/null 2>&1 & 
follow;
};

exec 3<&0;
echo;
bell=;
case $verb in
hello) ready; hello; can_write || { why_not; no "$w"; }; boot_of; say "hello id=$my_root boot=$boot"; say end;;
start) hello; start "$@";;
follow) known_root; follow;;
ask) known_root; settle; tidy; say "$v"; say end;;
seal) known_root; mkdir -p "$a" 2>/dev/null; claim "sealed asked end" "$a/started" && durable "$a/started" "$a" "$base/a"; settle; tidy; say "$v"; say end;;
stop) known_root; group=gone; stop_group asked; t=0; while verdict; test -z "$v_final" && test $t -lt 30; do sleep 0.1; t=$((t+1)); done; tidy; escapees; say "stopped group=$group escaped=$escaped"; say "$v"; say end;;
sweep) known_root; over=$#; for s in "$@"; do for a in "$base/a/$s".*; do verdict; case $v in *left=yes*) ;; finished*) clean; set -- "$@" "$a";; esac; done; done; for s in $folders; do set -- "$@" "$base/steps/$s"; done; shift $over; test $# = 0 || rm -rf "$@"; say end;;
*) no verb;;
esac;
