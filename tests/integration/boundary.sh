# The module behind p11-kit server under a user of its own, for tests; sourced after lib.sh. Needs root.
#   P   a folder that both users can pass through     D   the estate in it, the keeper's alone
# shellcheck shell=bash

CLIENT=$(pkg-config --variable=p11_module_path p11-kit-1)/p11-kit-client.so
KEEPER=qt-hsm-$$ # the module's user
CALLER=qt-app-$$ # the application's
SERVER=          # pid of p11-kit server

# $1: the prepared estate. A folder that both users can pass through; the estate in it is the keeper's alone. What is built may lie where other
# users cannot read it, so copies of it are run.
boundary_up() {
    P=$(mktemp -d /tmp/quorate-boundary-XXXXXX)
    trap boundary_down EXIT
    chmod 711 "$P"
    useradd --system --no-create-home --shell /usr/sbin/nologin "$KEEPER"
    useradd --system --no-create-home --shell /usr/sbin/nologin "$CALLER"
    mkdir -m 755 "$P/bin" "$P/run"
    mkdir -m 700 "$P/caller"
    cp "$Q" "$MODULE" "$P/bin/"
    D=$P/keeper
    estate_copy "$1"
    sed -i 's/\(slough: {.*\)}/\1, login: module}/' "$D/bindings.yaml"
    chmod 700 "$D"
    chown -R "$KEEPER:" "$D" "$P/run"
    chown -R "$CALLER:" "$P/caller"
    # The socket is made for the keeper alone; whoever may call the module is then let in.
    # Not through keeper(): the process that is ended must be the server itself, not a shell in front of it.
    setpriv --reuid="$KEEPER" --regid="$KEEPER" --clear-groups env HOME="$P/none" p11-kit server --foreground \
        --provider "$P/bin/quorate-pkcs11.so" --name "$P/run/socket" 'pkcs11:token=root' &
    SERVER=$!
    until [ -S "$P/run/socket" ]; do
        kill -0 "$SERVER" || fail 'p11-kit server did not start'
        sleep 0.1
    done
    chmod 666 "$P/run/socket"
}

boundary_down() {
    if [ -n "$SERVER" ]; then
        kill "$SERVER" || true
        wait "$SERVER" || true
    fi
    userdel --force "$KEEPER" || true
    userdel --force "$CALLER" || true
    rm -rf "$P"
}

as() {
    local user=$1
    shift
    setpriv --reuid="$user" --regid="$user" --clear-groups env HOME="$P/none" "$@"
}

keeper() {
    as "$KEEPER" "$@"
}

# The application has what anybody may have: the names of all files, but no rights to them.
caller() {
    as "$CALLER" P11_KIT_SERVER_ADDRESS="unix:path=$P/run/socket" "$@"
}

through() {
    caller pkcs11-tool --module "$CLIENT" --token-label root "$@"
}

refused() {
    local rc=0
    # shellcheck disable=SC2034 # fail and says read it
    OUT=$("$@" 2>&1) || rc=$?
    [ "$rc" != 0 ] || fail "was not refused: $*"
}
