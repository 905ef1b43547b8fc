#!/usr/bin/env bash
# Installs what evcs needs, and nothing that is there already. See usage below.
#
# Everything runs from main, called in the last line, so that bash has read the whole file
# before an upgrade or an uninstall replaces it.
# shellcheck disable=SC2317  # act and silently call functions that shellcheck sees nobody call
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: install.sh [--dev] [--system] [--dry-run] [--quiet]
       install.sh --uninstall [--purge] [--system] [--dry-run] [--quiet]

Installs Debian's mosquitto (and Python's venv where it is missing) and, in .venv beside
this file, the Python packages of requirements.txt. Run again, it does only what is missing.

  --dev        also what bin/check needs: requirements-dev.txt, git, npm, shellcheck,
               chromium-headless-shell, systemd-analyze, fish, zsh
  --system     for the whole machine, as root: the program in /opt/evcs, its data in
               /var/lib/evcs, the user evcs, evcs.service, the commands in /usr/local/bin.
               Over an earlier version it upgrades and keeps the data.
  --uninstall  takes away what this script put there; keeps the data and Debian's packages
  --purge      with --uninstall: takes away the data too
  --dry-run    says what would be done, and changes nothing
  --quiet      says only what it changes and what is wrong
  -h, --help   this text

DESTDIR=DIR install.sh --system stages the files below DIR, without Debian's packages,
user and service.

Exit: 0 done or already so, 1 failed, 2 usage, 5 the system still runs, 6 Debian packages
are missing that this account may not install, 9 only root may do it.
TEXT
}

dev=0 system=0 uninstall=0 purge=0 dry_run=0 quiet=0
changed=0
packages=()
as_root=()
python=

fail() {
    local code=$1
    printf 'install.sh: %s\n' "$2" >&2
    (($# < 3)) || printf '  %s\n' "${@:3}" >&2
    exit "$code"
}

note() {
    ((quiet)) || printf '%s\n' "$*"
}

# act TEXT COMMAND...: says what is done and does it, or says only that it would be.
act() {
    local what=$1
    shift
    changed=1
    if ((dry_run)); then
        printf 'would %s\n' "$what"
    else
        printf '%s\n' "$what"
        "$@"
    fi
}

# The output of a tool is of interest only when the tool fails.
silently() {
    local output
    if ! output=$("$@" 2>&1 </dev/null); then
        printf '%s\n' "$output" >&2
        fail 1 "this failed: $*"
    fi
}

# Two launchers may find something missing at once: the second waits, then finds it there.
# The lock is on the folder itself, so that it leaves no file behind.
lock() {
    ((dry_run)) && return
    exec 9<"$1"
    flock --nonblock 9 && return
    note 'another install.sh is at work here: waiting for it'
    flock 9
}

systemd_runs() {
    [[ -d /run/systemd/system ]]
}

# --- Debian's packages ------------------------------------------------------------------

can_make_venv() {
    "$1" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    local candidates=(python3 /usr/bin/python3) candidate
    # The service's user must be able to read it: not one from somebody's home.
    ((system)) && candidates=(/usr/bin/python3)
    for candidate in "${candidates[@]}"; do
        if can_make_venv "$candidate"; then
            python=$candidate
            return
        fi
    done
    python=/usr/bin/python3
    packages+=(python3-venv)
}

find_packages() {
    command -v mosquitto >/dev/null || packages+=(mosquitto)
    command -v mosquitto_sub >/dev/null || packages+=(mosquitto-clients)
    if ((dev)); then
        command -v chromium-headless-shell >/dev/null ||
            packages+=(chromium-headless-shell fonts-liberation)
        command -v faketime >/dev/null || packages+=(faketime)
        command -v fish >/dev/null || packages+=(fish)
        command -v git >/dev/null || packages+=(git)
        command -v npm >/dev/null || packages+=(nodejs npm)
        command -v openssl >/dev/null || packages+=(openssl)
        command -v shellcheck >/dev/null || packages+=(shellcheck)
        command -v systemd-analyze >/dev/null || packages+=(systemd)
        command -v zsh >/dev/null || packages+=(zsh)
    fi
}

apt() {
    # Without the lock's descriptor: a daemon that a package starts would hold it for ever.
    silently "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -o DPkg::Lock::Timeout=300 "$@" 9<&-
}

apt_install() {
    # An unreachable third-party source fails the update; whether ours are there, the
    # installation tells.
    (apt update) 2>/dev/null || true
    apt install -y --no-install-recommends "${packages[@]}"
}

# Debian's package starts a broker on 1883 at once and at each boot, where ours is to be.
free_the_port() {
    if systemd_runs; then
        silently "${as_root[@]}" systemctl disable --now mosquitto.service
    else
        silently "${as_root[@]}" update-rc.d mosquitto disable
        silently "${as_root[@]}" service mosquitto stop 9<&-
    fi
}

install_packages() {
    if ((${#packages[@]} == 0)); then
        note "Debian's packages: already there"
        return
    fi
    ((EUID == 0)) || as_root=(sudo)
    if ! command -v apt-get >/dev/null || ! "${as_root[@]}" ${as_root:+-n} true 2>/dev/null; then
        fail 6 "Debian packages are missing, and this account may not install them. Run:" \
            "sudo apt-get install -y --no-install-recommends ${packages[*]}"
    fi
    act "install Debian's ${packages[*]}" apt_install
    if [[ " ${packages[*]} " == *' mosquitto '* ]]; then
        act "stop and disable mosquitto.service, which that package started" free_the_port
    fi
}

warn_of_port() {
    local port=${EVCS_MQTT_PORT:-1883} holder
    runs_in "$home" && return
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
    holder=$(ss -Hltnp "sport = :$port" 2>/dev/null |
        sed -n '1s/.*users:(("\([^"]*\)",pid=\([0-9]*\),.*/\1 (pid \2)/p') || true
    printf 'install.sh: %s holds port %s, where the broker is to listen.\n' \
        "${holder:-another program}" "$port" >&2
    printf 'install.sh: stop it (if it is the system'\''s own broker: %s), or %s\n' \
        'sudo systemctl disable --now mosquitto' 'set EVCS_MQTT_PORT to another port.' >&2
}

# --- the Python packages ----------------------------------------------------------------

# .venv/requirements.txt, a copy written last, says what has been installed whole: the
# launchers compare it as well. A newer Python of Debian's leaves the packages behind in the
# old one's folder, which only the import tells.
venv_is_ready() {
    [[ -x $venv/bin/python ]] && cmp -s "$root/requirements.txt" "$venv/requirements.txt" &&
        { ((!dev)) || cmp -s "$root/requirements-dev.txt" "$venv/requirements-dev.txt"; } &&
        "$venv/bin/python" -P -c 'import supervisor, paho.mqtt' 2>/dev/null
}

make_venv() {
    local pip=("$venv/bin/python" -P -m pip --disable-pip-version-check --no-input)
    local wanted=(-r "$root/requirements.txt")
    ((dev)) && wanted+=(-r "$root/requirements-dev.txt")
    # Without a stamp it is half made; without pip in it, it can't be added to.
    if [[ ! -f $venv/requirements.txt ]] || ! "${pip[@]}" --version >/dev/null 2>&1; then
        can_make_venv "$python" || fail 1 "Python 3.11 or later is needed, with its venv"
        rm -rf "$venv"
        silently "$python" -m venv "$venv"
    fi
    rm -f "$venv"/requirements*.txt
    silently "${pip[@]}" install --require-hashes "${wanted[@]}"
    # Nothing here needs it, and its .pth file is run at each start of each process.
    silently "${pip[@]}" uninstall -y setuptools
    ((dev)) && cp "$root/requirements-dev.txt" "$venv/"
    cp "$root/requirements.txt" "$venv/"
}

install_venv() {
    if venv_is_ready; then
        note "$venv: already there"
        return
    fi
    local place=$venv
    [[ -e $venv ]] || place=$root
    [[ -w $place ]] || fail 6 "packages are missing in $venv, and $place is not yours to write to" \
        "Ask its owner to run $root/install.sh, or take a checkout of your own."
    act "install the Python packages into $venv (takes a minute)" make_venv
}

install_peer() {
    local peer=$root/tests/ocpp/rpc
    if cmp -s "$peer/package-lock.json" "$peer/node_modules/package-lock.json"; then
        note "$peer/node_modules: already there"
    else
        act "fetch the charger of other authors into $peer/node_modules" make_peer "$peer"
    fi
}

make_peer() {
    # Debian's certificates, as apt and pip use them: Node.js has others of its own.
    silently env NODE_EXTRA_CA_CERTS="${NODE_EXTRA_CA_CERTS-/etc/ssl/certs/ca-certificates.crt}" \
        npm ci --prefix "$1" --no-audit --no-fund --ignore-scripts
    # Its place says that all of it is there.
    cp "$1/package-lock.json" "$1/node_modules/"
}

# --- the whole machine ------------------------------------------------------------------

# What of the tree makes the program: no hidden file, no data, no tests.
program_files() {
    (
        cd "$1"
        find . \( -path './.*' -o -path ./data -o -path ./run -o -path ./log -o -path ./tests \
            -o -path ./build -o -path ./dist -o -name '*.egg-info' -o -name __pycache__ \
            -o -path ./bin/check -o -path ./conf/evcs.toml \
            -o -path './conf/supervisord.d/*.conf' -o -path './conf/supervisord.d/*.broken' \
            \) -prune -o -type f -print0 | LC_ALL=C sort -z
    )
}

fingerprint() {
    program_files "$1" | (cd "$1" && xargs -0 -r sha256sum)
}

copy_program() {
    rm -rf "$opt.new"
    mkdir -p "$opt.new"
    program_files "$root" | tar -C "$root" --null -T - -cf - |
        tar -C "$opt.new" --no-same-owner -xf -
    chmod -R u=rwX,go=rX "$opt.new"
    echo "$var" >"$opt.new/.home"
    [[ -d $opt/.venv ]] && mv "$opt/.venv" "$opt.new/.venv"
    rm -rf "$opt.old"
    [[ -d $opt ]] && mv "$opt" "$opt.old"
    mv "$opt.new" "$opt"
    rm -rf "$opt.old"
    # The service's user may not write here: without this each process would compile anew.
    silently "$opt/.venv/bin/python" -m compileall -q "$opt/evcs"
}

install_program() {
    if [[ $root == "$opt" ]] || [[ -f $opt/.home && $(fingerprint "$root") == "$(fingerprint "$opt")" ]]; then
        note "$opt: already there"
    else
        act "copy the program to $opt" copy_program
    fi
}

is_ours() {
    [[ -L $1 && $(readlink "$1") == */opt/evcs/bin/* ]]
}

install_links() {
    local name link
    for name in evcs evcs-cp evcs-driver; do
        link=$DESTDIR/usr/local/bin/$name
        if is_ours "$link"; then
            note "$link: already there"
        elif [[ -e $link || -L $link ]]; then
            fail 1 "$link is there and is not evcs's: move it away"
        else
            act "link $link" link_command "$name" "$link"
        fi
    done
}

link_command() {
    mkdir -p "${2%/*}"
    # Relative, so that it holds in a staged tree too.
    ln -s "../../../opt/evcs/bin/$1" "$2"
}

make_user() {
    silently useradd --system --user-group --home-dir "$var" --shell /usr/sbin/nologin evcs
}

make_home() {
    mkdir -p "$DESTDIR$var"
    chmod 750 "$DESTDIR$var"
    [[ -n $DESTDIR ]] || chown evcs:evcs "$var"
}

install_unit() {
    local source=$root/conf/evcs.service target=$DESTDIR/etc/systemd/system/evcs.service
    if cmp -s "$source" "$target"; then
        note "$target: already there"
        return
    fi
    # Whoever disabled it later keeps it so: only the first time enables it.
    [[ -e $target ]] && first=0 || first=1
    act "write $target" install -D -m 644 "$source" "$target"
    if [[ -z $DESTDIR ]] && systemd_runs; then
        act 'have systemd read it' systemctl daemon-reload
        ((!first)) || act 'enable evcs.service' silently systemctl enable evcs.service
    fi
}

install_system() {
    umask 022
    ((dry_run)) || mkdir -p "${opt%/*}"
    lock "$([[ -d ${opt%/*} ]] && echo "${opt%/*}" || echo /)"
    local before=$changed
    venv_is_ready || find_python
    if [[ -z $DESTDIR ]]; then
        find_packages
        install_packages
        warn_of_port
        getent passwd evcs >/dev/null || act 'make the user evcs' make_user
    fi
    # First the packages: if they can't be had, the version that is there goes on working.
    install_venv
    install_program
    [[ -d $DESTDIR$var ]] || act "make the home $DESTDIR$var" make_home
    install_links
    install_unit
    if ((changed == before)); then
        note 'Nothing to do.'
    elif ((dry_run)) || [[ -n $DESTDIR ]]; then
        :
    elif ! systemd_runs; then
        note "Done. systemd doesn't run here; start it with: evcs up"
    elif systemctl is-active --quiet evcs.service; then
        note 'Done. What runs is still the earlier version, until: systemctl restart evcs'
    else
        note 'Done. Start it with: systemctl start evcs'
    fi
}

uninstall_system() {
    local name link unit=$DESTDIR/etc/systemd/system/evcs.service
    if [[ -z $DESTDIR && -e $unit ]] && systemd_runs; then
        act 'stop and disable evcs.service' silently systemctl disable --now evcs.service
    fi
    refuse_while_running "$DESTDIR$var" 'stop it first: evcs down'
    for name in evcs evcs-cp evcs-driver; do
        link=$DESTDIR/usr/local/bin/$name
        is_ours "$link" && act "remove $link" rm -f "$link"
    done
    if [[ -e $unit ]]; then
        act "remove $unit" rm -f "$unit"
        if [[ -z $DESTDIR ]] && systemd_runs; then
            act 'have systemd forget it' systemctl daemon-reload
        fi
    fi
    for name in "$opt" "$opt.new" "$opt.old"; do
        [[ -d $name ]] && act "remove $name" rm -rf "$name"
    done
    if ((purge)); then
        [[ -d $DESTDIR$var ]] && act "remove the data in $DESTDIR$var" rm -rf "$DESTDIR$var"
        if [[ -z $DESTDIR ]] && getent passwd evcs >/dev/null; then
            act 'remove the user evcs' silently userdel evcs
        fi
    elif [[ -d $DESTDIR$var ]]; then
        note "kept: the data in $DESTDIR$var (--purge removes it)"
    fi
}

# --- this folder ------------------------------------------------------------------------

runs_in() {
    local pid
    [[ -r $1/run/supervisord.pid ]] && pid=$(<"$1/run/supervisord.pid") &&
        [[ $pid =~ ^[0-9]+$ ]] && grep -qs supervisor "/proc/$pid/cmdline"
}

refuse_while_running() {
    if runs_in "$1"; then
        if ((dry_run)); then
            printf 'would refuse: the system in %s still runs; %s\n' "$1" "$2"
            exit 5
        fi
        fail 5 "the system in $1 still runs; $2"
    fi
}

uninstall_here() {
    refuse_while_running "$root" "stop it first: $root/bin/evcs down"
    [[ -d $venv ]] && act "remove $venv" rm -rf "$venv"
    local path data=()
    for path in "$root"/data/* "$root"/run "$root"/log "$root"/conf/evcs.toml \
        "$root"/conf/supervisord.d/*.conf "$root"/conf/supervisord.d/*.broken; do
        [[ -e $path || -L $path ]] && data+=("$path")
    done
    for path in "${data[@]}"; do
        if ((purge)); then
            act "remove $path" rm -rf "$path"
        else
            note "kept: $path (--purge removes it)"
        fi
    done
}

main() {
    while (($#)); do
        case $1 in
            --dev) dev=1 ;;
            --system) system=1 ;;
            --uninstall) uninstall=1 ;;
            --purge) purge=1 ;;
            --dry-run) dry_run=1 ;;
            --quiet) quiet=1 ;;
            -h | --help) usage && exit ;;
            *) usage >&2 && fail 2 "unknown: $1" ;;
        esac
        shift
    done
    ((!purge || uninstall)) || fail 2 '--purge goes with --uninstall'
    ((!dev || !(system || uninstall))) || fail 2 "--dev goes with a checkout's installation"

    root=$(readlink -f -- "${BASH_SOURCE[0]}")
    root=${root%/*}
    # Debian's mosquitto lies in /usr/sbin, which is not on everyone's PATH.
    PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
    # A PYTHONPATH of the caller's would let foreign packages pass for installed ones.
    unset PYTHONPATH PYTHONHOME
    DESTDIR=${DESTDIR:-}
    DESTDIR=${DESTDIR%/}
    opt=$DESTDIR/opt/evcs
    var=/var/lib/evcs
    venv=$root/.venv
    home=${EVCS_HOME:-$root}

    if ((system)); then
        [[ $EUID == 0 || -n $DESTDIR ]] ||
            fail 9 "only root may do this: sudo $root/install.sh --system"
        venv=$opt/.venv home=$var
        if ((uninstall)); then uninstall_system; else install_system; fi
    else
        [[ ! -e $root/.home ]] ||
            fail 2 "this folder is installed for the whole machine: add --system"
        if ((uninstall)); then uninstall_here; else install_here; fi
    fi
    if ((uninstall && !changed)); then
        note 'Nothing to remove.'
    fi
}

install_here() {
    lock "$root"
    venv_is_ready || find_python
    find_packages
    install_packages
    warn_of_port
    install_venv
    ((!dev)) || install_peer
    if ((!changed)); then
        note 'Nothing to do.'
    elif ((!dry_run)); then
        note "Done. Next: $root/bin/evcs demo"
    fi
}

main "$@"
exit
