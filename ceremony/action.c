#include "ceremony/action.h"

#include <stddef.h>
#include <string.h>

#include "policy/operation.h"

#define ROOM(name, kind, with, answers)                                                                                \
    {                                                                                                                  \
        name, kind, with, answers, false, true, -1                                                                     \
    }
#define NOT_YET(name)                                                                                                  \
    {                                                                                                                  \
        name, ACTION_UNBUILT, "*", "", true, false, -1                                                                 \
    }

static const struct action actions[] = {
    /* whoever does not come or go cannot be left out: the opening names them */
    {"enter", ACTION_ENTER, "", "", false, false, -1},
    {"leave", ACTION_LEAVE, "", "", false, false, -1},
    ROOM("check-clock", ACTION_CHECK_CLOCK, "", "clock-1 clock-2"),
    ROOM("confirm", ACTION_CONFIRM, "", ""),
    ROOM("record", ACTION_RECORD, "*", "*"),
    ROOM("say", ACTION_SAY, "", ""),
    ROOM("open-bag", ACTION_OPEN_BAG, "item", "bag"),
    ROOM("seal-bag", ACTION_SEAL_BAG, "item", "bag"),
    ROOM("exhibit", ACTION_EXHIBIT, "kind", "file ?device ?end ?gaps ?start"),
    ROOM("read-aloud", ACTION_READ_ALOUD, "", ""),
    ROOM("timestamp", ACTION_TIMESTAMP, "", "?response"),
    /* nothing that could not be done again: a drill only asks */
    ROOM("arrive", ACTION_ARRIVE, "site token", "?answer bag safe"),
    ROOM("drill", ACTION_DRILL, "site token", "?answer"),
    {"generate-key-pair", ACTION_GENERATE_KEY_PAIR, "label token type", "", true, false, OP_GENERATE},
    {"replicate", ACTION_REPLICATE, "label site token", "", true, false, OP_REPLICATE},
    {"make-csr", ACTION_MAKE_CSR, "label profile token", "", true, false, OP_USE},
    {"issue-certificate", ACTION_ISSUE_CERTIFICATE, "label profile token", "", true, false, OP_USE},
    {"approve", ACTION_APPROVE, "", "?reason ?reject", false, false, -1},
    {"attest", ACTION_ATTEST, "statement", "", false, false, -1},
    {"cosign", ACTION_COSIGN, "", "", false, false, -1},
    {"close", ACTION_CLOSE, "", "", false, false, -1},
    /* room */
    NOT_YET("print"),
    NOT_YET("break"),
    /* custody */
    NOT_YET("open-safe"),
    NOT_YET("connect-hsm"),
    NOT_YET("activate"),
    NOT_YET("disconnect-hsm"),
    NOT_YET("zeroise"),
    /* keys */
    NOT_YET("generate-secret-key"),
    NOT_YET("destroy"),
    NOT_YET("inventory"),
    NOT_YET("export-offer"),
    NOT_YET("import-receipt"),
    NOT_YET("restore"),
    /* certificates */
    NOT_YET("issue-crl"),
    NOT_YET("prove-devices"),
    /* decisions */
    NOT_YET("decide"),
    NOT_YET("sign-batch"),
    NOT_YET("halt"),
    NOT_YET("suspend"),
    NOT_YET("resume"),
    NOT_YET("adopt-policy"),
};

const struct action *action_at(unsigned index)
{
    return index < sizeof actions / sizeof *actions ? &actions[index] : NULL;
}

const struct action *action_find(const char *name)
{
    for (unsigned i = 0; action_at(i) != NULL; i++) {
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    }
    return NULL;
}
