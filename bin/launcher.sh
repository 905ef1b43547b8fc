# shellcheck shell=bash
# What the commands of this folder share; they source it. It must stay cheap: it runs at
# each command.

root=$(readlink -f -- "${BASH_SOURCE[0]}")
root=${root%/bin/launcher.sh}

# Debian's mosquitto lies in /usr/sbin, which is not on everyone's PATH.
case :$PATH: in
    *:/usr/sbin:*) ;;
    *) PATH=$PATH:/usr/local/sbin:/usr/sbin ;;
esac

is_installed() {
    [[ -x $root/.venv/bin/python && -f $root/.venv/requirements.txt ]] &&
        [[ $(<"$root/requirements.txt") == "$(<"$root/.venv/requirements.txt")" ]] &&
        command -v mosquitto >/dev/null
}

# run MODULE ARGUMENT...: becomes that module, in this installation's Python.
run() {
    local as_owner=()
    if [[ -f $root/.home ]]; then
        # Installed for the whole machine.
        if ! is_installed; then
            printf 'evcs: the installation in %s is not whole. Run: sudo %s --system\n' \
                "$root" "$root/install.sh" >&2
            exit 6
        fi
        EVCS_HOME=${EVCS_HOME:-$(<"$root/.home")}
        export EVCS_HOME
        # Root acts as the home's owner: a file of root's in there would stop the service.
        if ((EUID == 0)) && [[ -d $EVCS_HOME && ! -O $EVCS_HOME ]]; then
            as_owner=(setpriv --reuid "$(stat -c %U "$EVCS_HOME")"
                --regid "$(stat -c %G "$EVCS_HOME")" --init-groups --)
            export HOME=$EVCS_HOME
        fi
    elif ! is_installed; then
        "$root/install.sh" --quiet >&2
    fi
    export PYTHONPATH=$root
    if [[ -z ${EVCS_TYPED+x} ]]; then
        # What the caller has to type before the name, for the next steps that are printed.
        EVCS_TYPED=
        [[ $(type -P "${0##*/}") -ef $0 ]] || printf -v EVCS_TYPED %q "${0%"${0##*/}"}"
        export EVCS_TYPED
    fi
    # -P: a folder named evcs where the caller happens to stand must not be imported.
    exec "${as_owner[@]}" "$root/.venv/bin/python" -P -m "$@"
}
