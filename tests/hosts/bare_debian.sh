#!/usr/bin/env bash
# README's second machine, by its own three commands, in a bare Debian tree. By hand, as root:
#
#   tests/hosts/bare_debian.sh [MMDEBSTRAP]
#
# The tree is what Debian calls minbase, with a clone of what is committed here. Root, processes and
# home are its own; the network is this machine's, by which apt and pip fetch what is missing, and
# the centre listens on 127.0.0.2. It takes some minutes, and leaves nothing behind.
set -euo pipefail

mmdebstrap=${1:-mmdebstrap}
root=$(readlink -f -- "${BASH_SOURCE[0]}")
root=${root%/tests/*}
work=$(mktemp -d /tmp/evcs-bare.XXXXXX)
tree=$work/tree
machine=

at_centre() {
    (cd "$work/centre" && env EVCS_HOME="$work/home" EVCS_TIME_SCALE=60 EVCS_MQTT_PORT=27883 \
        EVCS_WEB_PORT=27881 EVCS_REGISTRY_PORT=27882 EVCS_OCPP_PORT=27887 bash -ec "$1")
}

clean_up() {
    [[ -z $machine ]] || kill -KILL "$machine" || true  # to it a power cut: unshare hears no TERM
    at_centre 'bin/evcs down' || true
    wait
    rm -rf --one-file-system "$work"
}

step() {
    printf '== %s\n' "$1"
}

# The commands of README's section, without what is said of them.
mapfile -t commands < <(sed -n '/^A second machine takes/,/^!/s/^\(bin\/[^#]*[^# ]\) *#.*/\1/p' \
    "$root/README.md")
[[ ${#commands[@]} == 3 ]]

trap clean_up EXIT
step 'a bare Debian tree, with a clone and nothing else'
"$mmdebstrap" --quiet --variant=minbase bookworm "$tree"
git clone --quiet "$root" "$tree/root/evcs"
# By what this machine's apt and pip reach theirs, those there do, too.
cp /etc/resolv.conf "$tree/etc/"
mkdir -p "$tree/usr/local/share/ca-certificates"
cp -r /usr/local/share/ca-certificates/. "$tree/usr/local/share/ca-certificates/"
mapfile -t settings < <(env | grep '^PIP_' || true)

step 'a centre that other machines reach'
mkdir -p "$work/centre" "$work/home/conf"
ln -s "$root/bin" "$work/centre/bin"
cat >"$work/home/conf/evcs.toml" <<'TOML'
[mqtt]
listen = "127.0.0.2"
tls_port = 27884

[http]
listen = "127.0.0.2"
TOML
at_centre 'bin/evcs tls init; bin/evcs up --wait'

step "at the centre: ${commands[0]}"
at_centre "${commands[0]}"
mv "$work/centre/h2.join" "$tree/root/evcs/"

step "on the second machine: ${commands[1]}"
inside="set -e; cd /root/evcs; ${commands[1]}; bin/evcs status; bin/evcs doctor; sleep infinity"
# shellcheck disable=SC2016  # for the shell in there
unshare --mount --pid --fork --kill-child bash -ec '
    mount --bind /dev "$0/dev"
    mount -t proc proc "$0/proc"
    exec chroot "$0" "$@"' "$tree" \
    env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin "${settings[@]}" bash -c "$inside" &
machine=$!

until at_centre 'bin/evcs host list' | grep -q '^h2 *yes'; do
    kill -0 "$machine"
    sleep 1
done

step "at the centre: ${commands[2]}"
at_centre "${commands[2]} --timeout 300 --quiet"
at_centre 'bin/evcs driver add ALICE; bin/evcs-driver charge H2-100 --driver ALICE --kwh 0.5
    bin/evcs host list; bin/evcs doctor | grep hosts'
step 'README holds'
