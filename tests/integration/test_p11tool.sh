#!/bin/bash
# p11tool asks for a key. Not in the sanitized tree: with libasan preloaded p11tool hangs at its exit, whatever module it
# works with (the destructor of libp11-kit waits for a lock of setlocale).
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh

p11tool_generates() {
    GNUTLS_PIN=$(pin slough) client p11tool --provider "$MODULE" --batch --login --generate-privkey=ecdsa \
        --curve=secp256r1 --label app-p11tool 'pkcs11:token=root'
}

case_p11tool() {
    asks p11tool_generates
    approve "$ID" custodian-1 custodian-4 custodian-5
    must p11tool_generates
    [ "$(count_on_hsms app-p11tool privkey)" = '1 1 1' ] || fail "keys: $(count_on_hsms app-p11tool privkey)"
    one_key app-p11tool
}

cases
