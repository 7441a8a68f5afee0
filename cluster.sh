#!/usr/bin/env bash
# A whole swarm on one machine: every host has its own network, mount, UTS and PID namespace, its own
# swarmd and its own containerd. They meet on a bridge that lives in a namespace of its own, so the
# machine's own network is not touched.
#
#   ./cluster.sh up [--managers N] [--workers N] [--bare]   start hosts, make a swarm, deploy the demo
#                                               (--bare: hosts with swarmd only, no swarm, no demo)
#   ./cluster.sh down                           stop everything and remove every trace
#   ./cluster.sh status                         one line per host
#   ./cluster.sh exec HOST COMMAND...           run a command inside a host; swarmctl is on its PATH
#   ./cluster.sh env HOST                       print the exports that point docker and swarmctl at it
#   ./cluster.sh logs HOST [-f]                 what its swarmd logged
#   ./cluster.sh add manager|worker [--bare]    one more host
#   ./cluster.sh kill HOST                      SIGKILL to its swarmd; containers go on
#   ./cluster.sh restart HOST                   start its swarmd again (after kill or poweroff)
#   ./cluster.sh freeze HOST | thaw HOST        SIGSTOP and SIGCONT to all its processes
#   ./cluster.sh partition HOST | heal HOST     pull and plug its network cable
#   ./cluster.sh poweroff HOST                  everything of that host dies at once
#   ./cluster.sh client COMMAND...              run a command on 192.168.77.1, a machine outside the swarm
#   ./cluster.sh prepare                        install and build only
#
# SWARM_LAB names the lab (default "swarm"): two labs with different names do not see each other.
# Files are in /var/tmp/<name>-lab (SWARM_LAB_DIR).
set -euo pipefail

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB=${SWARM_LAB:-swarm}
DIR=${SWARM_LAB_DIR:-/var/tmp/$LAB-lab}
SWITCH=$LAB-lab-net
SUBNET=192.168.77
CLIENT_IP=$SUBNET.1
REGISTRY=$CLIENT_IP:5000
DEMO_IMAGE=$REGISTRY/whoami
DEADLINE=60 # seconds that any one step may take

die() { echo "cluster.sh: $*" >&2; exit 1; }
say() { echo "==> $*"; }
netns_of() { echo "$LAB-lab-$1"; }
hosts() { [ -d "$DIR/hosts" ] && ls "$DIR/hosts" || true; }
is_up() { [ -n "$(hosts)" ] || die "the lab is not up; start it with: ./cluster.sh up"; }
is_host() { is_up; [ -n "$1" ] && [ -d "$DIR/hosts/$1" ] || die "no host named '$1'; there are: $(hosts | xargs)"; }
alive() { [ -n "${1:-}" ] && [ -d "/proc/$1" ]; }
first_manager() { hosts | grep -E '^manager' | sort -V | head -1; }

# wait_for DESCRIPTION COMMAND...: polls until the command succeeds, at most DEADLINE seconds.
wait_for() {
  local what=$1 end=$((SECONDS + DEADLINE)); shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || die "gave up waiting for $what after $DEADLINE s: $*"
    sleep 0.1
  done
}

### Machine: what has to be installed and built

prepare() {
  [ "$(id -u)" = 0 ] || die "needs root, for network namespaces: sudo ./cluster.sh $*"
  local missing=() pair
  for pair in containerd:containerd runc:runc nft:nftables ip:iproute2 conntrack:conntrack busybox:busybox-static \
    docker-registry:docker-registry curl:curl nsenter:util-linux ps:procps; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    say "installing ${missing[*]}"
    (apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}") \
      >/tmp/swarm-apt.log 2>&1 || die "apt-get failed, see /tmp/swarm-apt.log"
  fi
  command -v node >/dev/null || die "needs Node.js 20.19 or later (https://nodejs.org)"
  cd "$REPO"
  if [ ! -d node_modules ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    say "installing npm packages"
    npm install --no-save --no-audit --no-fund >/tmp/swarm-npm.log 2>&1 || die "npm install failed, see /tmp/swarm-npm.log"
  fi
  if [ ! -f dist/swarmd/main.js ] || [ -n "$(newer_sources)" ]; then
    say "building"
    npm run -s build >/tmp/swarm-build.log 2>&1 || { cat /tmp/swarm-build.log >&2; die "the build failed"; }
    touch dist/swarmd/main.js
  fi
}

newer_sources() {
  find common manager netdriver proto swarmctl swarmd test worker package.json tsconfig.json \
    \( -name '*.ts' -o -name '*.proto' -o -name '*.json' \) \
    -not -path 'proto/gen/*' -not -path '*/dist/*' -newer dist/swarmd/main.js -print -quit
}

### The switch: a bridge in a namespace of its own, which is also the client outside the swarm

start_switch() {
  mkdir -p "$DIR/hosts" "$DIR/bin"
  ip netns add "$SWITCH"
  ip -n "$SWITCH" link set lo up
  ip -n "$SWITCH" link add br0 type bridge
  ip -n "$SWITCH" addr add "$CLIENT_IP/24" dev br0
  ip -n "$SWITCH" link set br0 up
  printf '#!/bin/sh\nexec node %s/dist/swarmctl/main.js "$@"\n' "$REPO" >"$DIR/bin/swarmctl"
  chmod +x "$DIR/bin/swarmctl"
  echo 'nameserver 127.0.0.1' >"$DIR/resolv.conf"
  start_registry
}

start_registry() {
  cat >"$DIR/registry.yml" <<YML
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $DIR/registry}, delete: {enabled: true}}
http: {addr: "$REGISTRY"}
YML
  in_switch setsid docker-registry serve "$DIR/registry.yml" >"$DIR/registry.log" 2>&1 &
  echo $! >"$DIR/registry.pid"
  wait_for "the lab's registry" in_switch curl -fs "http://$REGISTRY/v2/"
  in_switch node "$REPO/dist/test/lab/push-images.js" "http://$REGISTRY"
}

in_switch() { nsenter --net="/run/netns/$SWITCH" "$@"; }

### Hosts

# start_host NAME: plugs NAME into the switch and boots it. Its address is derived from its number.
start_host() {
  local name=$1 home=$DIR/hosts/$1 ns; ns=$(netns_of "$name")
  mkdir -p "$home/run/swarm" "$home/state"
  [ -f "$home/address" ] || next_address >"$home/address"
  ip netns add "$ns"
  ip -n "$SWITCH" link add "h-$name" type veth peer name eth0 netns "$ns"
  ip -n "$SWITCH" link set "h-$name" master br0 up
  ip -n "$ns" link set lo up
  ip -n "$ns" addr add "$(cat "$home/address")/24" dev eth0
  ip -n "$ns" link set eth0 up
  ip -n "$ns" route add default via "$CLIENT_IP"
  boot_host "$name"
}

next_address() {
  local last
  last=$(cat "$DIR"/hosts/*/address 2>/dev/null | sed 's/.*\.//' | sort -n | tail -1)
  echo "$SUBNET.$((${last:-10} + 1))"
}

# PID 1 of a host reaps what is orphaned in it. When it dies, the kernel ends the whole host.
boot_host() {
  local name=$1 home=$DIR/hosts/$1
  rm -rf "$home/run"; mkdir -p "$home/run/swarm" "$home/run/netns"
  nsenter --net="/run/netns/$(netns_of "$name")" \
    unshare --mount --uts --pid --mount-proc --kill-child=SIGKILL setsid bash -c "
      mount --bind '$home/run' /run
      mkdir -p /var/lib/swarm && mount --bind '$home/state' /var/lib/swarm
      mount --bind '$DIR/resolv.conf' /etc/resolv.conf
      hostname '$name'
      trap : TERM INT HUP
      touch /run/booted
      while :; do sleep 3600 & wait; done" </dev/null >"$home/boot.log" 2>&1 &
  echo $! >"$home/pid"
  wait_for "$name to boot" test -f "$home/run/booted"
  pgrep -P "$(cat "$home/pid")" | head -1 >"$home/init"
  start_daemon "$name"
}

host_pid() { cat "$DIR/hosts/$1/init" 2>/dev/null || true; }

in_host() {
  local name=$1 pid; shift
  pid=$(host_pid "$name")
  alive "$pid" || die "$name is off; start it with: ./cluster.sh restart $name"
  nsenter --target "$pid" --net --mount --uts --pid \
    env "PATH=$DIR/bin:$PATH" SWARM_HOST=unix:///run/swarm/swarmd.sock DOCKER_HOST=unix:///run/swarm/swarmd.sock "$@"
}

start_daemon() {
  local name=$1 home=$DIR/hosts/$1
  rm -f "$home/run/swarm/swarmd.pid"
  # The daemon must be a child of the host's PID 1, not of nsenter: a parent outside would be stopped
  # with it by freeze, and would then keep the host from ending.
  # shellcheck disable=SC2016
  in_host "$name" sh -c 'setsid sh -c "echo \$\$ >/run/swarm/swarmd.pid; exec \"\$@\"" swarmd "$@" &' swarmd \
    node "$REPO/dist/swarmd/main.js" --state-dir /var/lib/swarm --run-dir /run/swarm \
    --cgroup-parent "/$LAB-lab/$name" --insecure-registry "$REGISTRY" ${SWARMD_FLAGS:-} \
    </dev/null >>"$home/swarmd.log" 2>&1
  wait_for "swarmd on $name (see: ./cluster.sh logs $name)" api_answers "$name"
}

api_answers() { curl -fs --max-time 2 --unix-socket "$DIR/hosts/$1/run/swarm/swarmd.sock" http://d/_ping; }

daemon_pid() { cat "$DIR/hosts/$1/run/swarm/swarmd.pid" 2>/dev/null || true; }

# Ends a host at once: its PID 1 is the child of the recorded process.
stop_host() {
  local name=$1 pid; pid=$(cat "$DIR/hosts/$name/pid" 2>/dev/null || true)
  alive "$pid" && kill -9 "$pid" 2>/dev/null || true
  alive "$(host_pid "$name")" && kill -9 "$(host_pid "$name")" 2>/dev/null || true
  wait_for "$name to end" no_processes "$(netns_of "$name")"
}

no_processes() { [ -z "$(ip netns pids "$1" 2>/dev/null)" ]; }

unplug_host() {
  local ns; ns=$(netns_of "$1")
  [ -e "/run/netns/$ns" ] && ip netns pids "$ns" | xargs -r kill -9 2>/dev/null || true
  [ -e "/run/netns/$ns" ] && ip netns del "$ns" || true
  remove_cgroups "/$LAB-lab/$1"
}

# Kills nothing: the processes are gone, or dying, and leaving its group is the last that a process does.
remove_cgroups() {
  local root
  for root in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ -d "$root$1" ] && (wait_for "the cgroup $root$1 to be empty" remove_cgroup "$root$1") || true
  done
}

remove_cgroup() { find "$1" -depth -type d -exec rmdir {} +; [ ! -d "$1" ]; }

### The swarm

# join_host NAME ROLE: makes the first manager's swarm, or joins it.
join_host() {
  local name=$1 role=$2 leader token
  leader=$(first_manager)
  if [ "$name" = "$leader" ]; then
    swarmctl_on "$name" init --advertise-addr "$(cat "$DIR/hosts/$name/address")"
    return
  fi
  token=$(swarmctl_on "$leader" join-token -q "$role")
  swarmctl_on "$name" join --token "$token" --advertise-addr "$(cat "$DIR/hosts/$name/address")" \
    "$(cat "$DIR/hosts/$leader/address"):2377"
}

swarmctl_on() { local name=$1; shift; in_host "$name" swarmctl "$@"; }

host_names() { # host_names ROLE COUNT: manager, or manager-1 manager-2 …; worker-1 …
  if [ "$1" = manager ] && [ "$2" = 1 ]; then echo manager; return; fi
  local i; for ((i = 1; i <= $2; i++)); do echo "$1-$i"; done
}

deploy_demo() {
  local leader name; leader=$(first_manager)
  say "deploying the demo: swarmctl service create --name web --replicas 2 --publish 8080:80 $DEMO_IMAGE"
  swarmctl_on "$leader" service create --name web --replicas 2 --publish 8080:80 "$DEMO_IMAGE"
  say "asking port 8080 of every host, from $CLIENT_IP"
  for name in $(hosts | sort -V); do
    wait_for "$name to answer on 8080" client curl -fs --max-time 2 "http://$(cat "$DIR/hosts/$name/address"):8080/"
    echo "$name: $(client curl -fs --max-time 2 "http://$(cat "$DIR/hosts/$name/address"):8080/" | xargs)"
  done
}

client() { in_switch "$@"; }

### Verbs

up() {
  local managers=1 workers=2 bare='' role name
  while [ $# -gt 0 ]; do
    case $1 in
      --managers) managers=${2:-}; shift 2 ;;
      --workers) workers=${2:-}; shift 2 ;;
      --bare) bare=1; shift ;;
      *) die "unknown option '$1' for up; there are --managers N, --workers N and --bare" ;;
    esac
  done
  [[ $managers =~ ^[1-9][0-9]*$ && $workers =~ ^[0-9]+$ ]] || die "--managers and --workers take a number, at least one manager"
  [ -z "$(hosts)" ] || die "the lab is up already: $(hosts | xargs). End it with: ./cluster.sh down"
  prepare up
  start_switch
  for role in manager worker; do
    for name in $(host_names "$role" "$([ $role = manager ] && echo "$managers" || echo "$workers")"); do
      say "starting $name"
      start_host "$name"
      [ -n "$bare" ] || join_host "$name" "$role" >"$DIR/hosts/$name/join.log" || die "$name did not join: $(cat "$DIR/hosts/$name/join.log")"
    done
  done
  [ -n "$bare" ] && return
  swarmctl_on "$(first_manager)" node ls
  deploy_demo
  echo
  echo "The swarm is up. Try:"
  echo "  ./cluster.sh exec $(first_manager) swarmctl service ps web"
  echo "  eval \"\$(./cluster.sh env $(first_manager))\" && docker node ls"
  echo "  ./cluster.sh down"
}

down() {
  local name
  for name in $(hosts); do stop_host "$name"; unplug_host "$name"; done
  alive "$(cat "$DIR/registry.pid" 2>/dev/null || true)" && kill "$(cat "$DIR/registry.pid")" 2>/dev/null || true
  if [ -e "/run/netns/$SWITCH" ]; then
    ip netns pids "$SWITCH" | xargs -r kill -9 2>/dev/null || true
    wait_for "the registry to end" no_processes "$SWITCH"
    ip netns del "$SWITCH"
  fi
  remove_cgroups "/$LAB-lab"
  rm -rf "$DIR"
}

status() {
  local name state
  for name in $(hosts | sort -V); do
    if ! alive "$(host_pid "$name")"; then state=off
    elif ! api_answers "$name" >/dev/null; then state='up, swarmd does not answer'
    else state="up, swarm $(swarmctl_on "$name" info --format '{{.Swarm.LocalNodeState}}' 2>/dev/null || echo unknown)"
    fi
    printf '%-12s %-16s %s\n' "$name" "$(cat "$DIR/hosts/$name/address")" "$state"
  done
}

add() {
  local role=${1:-} n=1 name
  [[ $role = manager || $role = worker ]] || die "add what? ./cluster.sh add manager|worker"
  is_up
  prepare add
  while [ -d "$DIR/hosts/$role-$n" ]; do n=$((n + 1)); done
  name=$role-$n
  start_host "$name"
  [ "${2:-}" = --bare ] || join_host "$name" "$role"
  echo "$name"
}

restart() {
  if alive "$(host_pid "$1")"; then
    in_host "$1" kill -0 "$(daemon_pid "$1")" 2>/dev/null && stop_daemon "$1"
    start_daemon "$1"
  else
    boot_host "$1"
  fi
}

stop_daemon() {
  local pid; pid=$(daemon_pid "$1")
  in_host "$1" kill -TERM "$pid" 2>/dev/null || return 0
  wait_for "swarmd on $1 to stop" daemon_gone "$1" "$pid"
}

kill_daemon() {
  local pid; pid=$(daemon_pid "$1")
  in_host "$1" sh -c 'kill -9 "$0" 2>/dev/null' "$pid" ||
    die "swarmd is not running on $1; start it with: ./cluster.sh restart $1"
  wait_for "swarmd on $1 to end" daemon_gone "$1" "$pid"
}

daemon_gone() { ! in_host "$1" kill -0 "$2" 2>/dev/null; }

verb=${1:-}
[ $# -gt 0 ] && shift
case $verb in
  up) up "$@" ;;
  down) down ;;
  status) status ;;
  prepare) prepare prepare ;;
  add) add "$@" ;;
  client) client "$@" ;;
  exec) is_host "${1:-}"; [ $# -gt 1 ] || die "exec what? ./cluster.sh exec $1 COMMAND..."; in_host "$@" ;;
  env)
    is_host "${1:-}"
    echo "export DOCKER_HOST=unix://$DIR/hosts/$1/run/swarm/swarmd.sock"
    echo "export SWARM_HOST=unix://$DIR/hosts/$1/run/swarm/swarmd.sock"
    ;;
  logs) is_host "${1:-}"; [ "${2:-}" = -f ] && exec tail -n 100 -f "$DIR/hosts/$1/swarmd.log"; cat "$DIR/hosts/$1/swarmd.log" ;;
  kill) is_host "${1:-}"; kill_daemon "$1" ;;
  restart) is_host "${1:-}"; restart "$1" ;;
  freeze) is_host "${1:-}"; in_host "$1" sh -c 'kill -STOP -1' ;;
  thaw) is_host "${1:-}"; in_host "$1" sh -c 'kill -CONT -1' ;;
  partition) is_host "${1:-}"; ip -n "$SWITCH" link set "h-$1" nomaster ;;
  heal) is_host "${1:-}"; ip -n "$SWITCH" link set "h-$1" master br0 ;;
  poweroff) is_host "${1:-}"; stop_host "$1" ;;
  '' | help | -h | --help) sed -n '2,/^set -euo/p' "${BASH_SOURCE[0]}" | sed '$d; s/^# \{0,1\}//' ;;
  *) die "there is no verb '$verb'; ./cluster.sh alone lists them" ;;
esac
