# For the clients of the parity tests. Sourced, with MODULE, PIN, SO_PIN and W (a folder to work in) set; SANITIZER is what
# stands before a client that is not built with it.
# shellcheck shell=bash

for program in pkcs11-tool openssl certutil modutil; do
    eval "$program() { LD_PRELOAD=\${SANITIZER:-} command $program \"\$@\"; }"
done

# Shows a command's output and how it ended.
try() {
    local rc=0
    "$@" >"$W/try.out" 2>"$W/try.err" </dev/null || rc=$?
    echo "\$ $*"
    cat "$W/try.out" "$W/try.err"
    echo "= $rc"
}

# How it ended alone, where what it says is random.
silent() {
    local rc=0
    "$@" >"$W/silent.out" 2>&1 </dev/null || rc=$?
    echo "\$ $*"
    echo "= $rc"
}

p11() {
    pkcs11-tool --module "$MODULE" --token-label root "$@"
}

user() {
    p11 --login --pin "$PIN" "$@"
}
