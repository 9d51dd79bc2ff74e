#ifndef QUORATE_TESTS_POLICY_ROWS_H
#define QUORATE_TESTS_POLICY_ROWS_H

#include "tests/unit/test_policy_fixture.h"

/* The rows of test_policy_evaluate.c. */

#define P384 "\"CKA_KEY_TYPE\":\"CKK_EC\",\"CKA_EC_PARAMS\":\"hex:06052b81040022\""
#define TEMPLATES(private, public) "\"templates\":{\"private\":{" private "},\"public\":{" public "}}"
#define BIRTH(label, more)                                                                                             \
    "\"operation\":\"generate\",\"token\":\"root\",\"function\":\"C_GenerateKeyPair\",\"object\":\"token\","           \
    "\"class\":\"private-key\",\"label\":\"" label "\"," more
#define SIGNS TEMPLATES("\"CKA_SIGN\":\"true\",\"CKA_KEY_TYPE\":\"CKK_EC\"", P384)
#define SIGNS_AND(attribute) TEMPLATES("\"CKA_SIGN\":\"true\",\"" attribute "\":\"true\"", P384)
#define GENERATE BIRTH("app-1", SIGNS)
#define SECRET(type, bytes)                                                                                            \
    "\"operation\":\"generate\",\"token\":\"root\",\"function\":\"C_GenerateKey\",\"object\":\"token\","               \
    "\"class\":\"secret-key\",\"label\":\"app-1\",\"templates\":{\"key\":{\"CKA_KEY_TYPE\":\"" type                    \
    "\",\"CKA_VALUE_LEN\":" bytes ",\"CKA_ENCRYPT\":\"true\"}}"
#define USE(label)                                                                                                     \
    "\"operation\":\"use\",\"token\":\"root\",\"function\":\"C_Sign\",\"class\":\"private-key\",\"label\":\"" label "\""
#define PLAIN(operation) "\"operation\":\"" operation "\",\"token\":\"root\",\"function\":\"C_X\",\"label\":\"app-1\""
#define DIGEST "\"0000000000000000000000000000000000000000000000000000000000000000\""
#define ADOPT "\"operation\":\"adopt-policy\",\"policy\":{\"canonical\":" DIGEST ",\"digest\":" DIGEST ",\"version\":4}"
#define SUCCEED ADOPT ",\"succession\":\"true\""
#define SCOPE(operation) "\"operation\":\"" operation "\",\"scope\":\"estate\""

#define RULE(operation, require) "  - {id: r, when: {operation: " operation "}, require: {" require "}}\n"
#define QUORUM(more) RULE("generate", "quorum: {of: key-custodian, " more "}")
#define THREE QUORUM("at-least: 3")
#define THREE_OF_TWO QUORUM("at-least: 3, organisations: 2")
#define REPLICAS(more) RULE("generate", "replicas: {at-least: 2, prove: signature" more "}")
#define APART REPLICAS(", apart-km: 100")
#define KEY(more) RULE("generate", "key: {" more "}")
#define CEREMONY RULE("generate", "ceremony: [root-ceremony, rollover]")
#define BORN(replicas, key)                                                                                            \
    "  - {id: birth, when: {operation: generate, label: \"^app-\"}, require: {replicas: {at-least: 2, prove: "         \
    "attest" replicas "}, key: {types: [EC:P-384]" key "}}}\n  - {id: r, when: {operation: use}, allow: true}\n"

#define MADE(more, use)                                                                                                \
    "  - {id: birth, when: {operation: generate, label: \"^app-\"}, require: {replicas: {at-least: 2, prove: "         \
    "signature" more "}}}\n  - {id: r, when: {operation: use}, " use "}\n"
#define SELF_SIGNS                                                                                                     \
    MADE(", deferred: 14 days, provisional-use: [self-sign]", "require: {quorum: {of: key-custodian, at-least: 1}}")

struct row {
    const char *name, *rules, *subject;
    const char *votes; /* "c1@10 -c2@20 c3=c1@30 ?@0": seconds after T0; - rejects; = with the key of; ? unusable */
    const char *world; /* see world_read */
    enum decision decision;
    const char *rule, *counted;
    const char *finding; /* codes that must be there, !code: must not */
};

#define D DECISION_DENY
#define P DECISION_PENDING
#define A DECISION_ALLOW

static const struct row rows[] = {
    /* which rule decides */
    {"nothing matches", "  []\n", GENERATE, "", "", D, "otherwise", "", "otherwise"},
    {"other operation", RULE("use", "quorum: {of: key-custodian, at-least: 1}"), GENERATE, "c1@1", "", D, "otherwise",
     "", "otherwise"},
    {"allow", "  - {id: r, when: {operation: generate}, allow: true}\n", GENERATE, "", "", A, "r", "", "rule"},
    {"deny", "  - {id: r, when: {operation: generate}, deny: true}\n", GENERATE, "c1@1 c2@1 c3@1", "", D, "r", "",
     "rule"},
    {"first of two: deny",
     "  - {id: r, when: {operation: generate}, deny: true}\n  - {id: s, when: {operation: generate}, allow: true}\n",
     GENERATE, "", "", D, "r", "", "rule"},
    {"first of two: allow",
     "  - {id: r, when: {operation: generate}, allow: true}\n  - {id: s, when: {operation: generate}, deny: true}\n",
     GENERATE, "", "", A, "r", "", "rule"},
    {"operation in a list", "  - {id: r, when: {operation: [wrap, generate]}, allow: true}\n", GENERATE, "", "", A, "r",
     "", "rule"},
    {"label matches", "  - {id: r, when: {operation: generate, label: \"^app-\"}, allow: true}\n", GENERATE, "", "", A,
     "r", "", "rule"},
    {"label anchored by its author", "  - {id: r, when: {operation: generate, label: \"^pp-\"}, allow: true}\n",
     GENERATE, "", "", D, "otherwise", "", "otherwise"},
    {"label is not anchored", "  - {id: r, when: {operation: generate, label: \"pp-\"}, allow: true}\n", GENERATE, "",
     "", A, "r", "", "rule"},
    {"label by case", "  - {id: r, when: {operation: generate, label: \"^APP\"}, allow: true}\n", GENERATE, "", "", D,
     "otherwise", "", "otherwise"},
    {"label by bytes: two for an umlaut", "  - {id: r, when: {operation: generate, label: \"^..$\"}, allow: true}\n",
     BIRTH("\\u00e4", SIGNS), "", "", A, "r", "", "rule"},
    {"absent label is empty", "  - {id: r, when: {operation: generate, label: \"^$\"}, allow: true}\n",
     "\"operation\":\"generate\",\"token\":\"root\",\"function\":\"C_GenerateKey\"", "", "", A, "r", "", "rule"},
    {"token matches", "  - {id: r, when: {operation: generate, token: root}, allow: true}\n", GENERATE, "", "", A, "r",
     "", "rule"},
    {"no token, but the rule wants one", "  - {id: r, when: {operation: suspend, token: root}, allow: true}\n",
     SCOPE("suspend"), "", "", D, "otherwise", "", "otherwise"},
    {"class matches", "  - {id: r, when: {operation: generate, class: [secret-key, private-key]}, allow: true}\n",
     GENERATE, "", "", A, "r", "", "rule"},
    {"class differs", "  - {id: r, when: {operation: generate, class: secret-key}, allow: true}\n", GENERATE, "", "", D,
     "otherwise", "", "otherwise"},
    {"class unknown", "  - {id: r, when: {operation: modify, class: data}, allow: true}\n", PLAIN("modify"), "", "", D,
     "otherwise", "", "otherwise"},
    {"token object", "  - {id: r, when: {operation: generate, object: token}, allow: true}\n", GENERATE, "", "", A, "r",
     "", "rule"},
    {"session object only", "  - {id: r, when: {operation: generate, object: session}, allow: true}\n", GENERATE, "",
     "", D, "otherwise", "", "otherwise"},
    {"object not said", "  - {id: r, when: {operation: copy, object: token}, allow: true}\n", PLAIN("copy"), "", "", D,
     "otherwise", "", "otherwise"},
    {"wrap allowed", "  - {id: r, when: {operation: wrap}, allow: true}\n", PLAIN("wrap"), "", "", A, "r", "", "rule"},
    {"set-pin not allowed", "  - {id: r, when: {operation: wrap}, allow: true}\n",
     "\"operation\":\"set-pin\",\"token\":\"root\",\"function\":\"C_SetPIN\"", "", "", D, "otherwise", "", "otherwise"},

    /* what ends the question before any rule */
    {"under another policy", THREE, GENERATE, "c1@1 c2@2 c3@3", "voided", D, "r", "", "voided"},
    {"voided even where allowed", "  - {id: r, when: {operation: generate}, allow: true}\n", GENERATE, "", "voided", D,
     "r", "", "voided"},
    {"a second before it expires", THREE, GENERATE, "c1@1 c2@2 c3@3", "expires=101", A, "r", "c1 c2 c3", "quorum"},
    {"expired, exclusive", THREE, GENERATE, "c1@1 c2@2 c3@3", "expires=100", D, "r", "", "expired"},
    {"suspended", THREE, GENERATE, "c1@1 c2@2 c3@3", "suspended", D, "r", "", "suspended"},
    {"suspended, plain allow", "  - {id: r, when: {operation: use}, allow: true}\n", USE("app-1"), "", "suspended", D,
     "r", "", "suspended"},
    {"while-suspended",
     "  - {id: r, when: {operation: generate}, require: {quorum: {of: key-custodian, at-least: 1}}, while-suspended: "
     "true}\n",
     GENERATE, "c1@1", "suspended", A, "r", "c1", "quorum"},
    {"while-suspended false",
     "  - {id: r, when: {operation: generate}, require: {quorum: {of: key-custodian, at-least: 1}}, while-suspended: "
     "false}\n",
     GENERATE, "c1@1", "suspended", D, "r", "", "suspended"},
    {"resume while suspended", RULE("resume", "quorum: {of: authority, at-least: 2}"), SCOPE("resume"), "a1@1 a2@2",
     "suspended", A, "r", "a1 a2", "quorum"},
    {"suspend once more", RULE("suspend", "quorum: {of: authority, at-least: 1}"), SCOPE("suspend"), "a1@1",
     "suspended", A, "r", "a1", "quorum"},
    {"request that names another rule", THREE, GENERATE, "c1@1 c2@2 c3@3", "rule=easier", D, "r", "", "rule"},

    /* quorum: people */
    {"none yet", THREE, GENERATE, "", "", P, "r", "", "quorum"},
    {"two of three", THREE, GENERATE, "c1@1 c2@2", "", P, "r", "c1 c2", "quorum approval"},
    {"three of three", THREE, GENERATE, "c1@1 c2@2 c3@3", "", A, "r", "c1 c2 c3", "quorum approval"},
    {"more than needed", THREE, GENERATE, "c1@1 c2@2 c3@3 c4@4", "", A, "r", "c1 c2 c3 c4", "quorum"},
    {"order of evidence does not matter", THREE, GENERATE, "c3@3 c1@1 c2@2", "", A, "r", "c1 c2 c3", "quorum"},
    {"one person twice", THREE, GENERATE, "c1@1 c2@2 c2@3", "", P, "r", "c1 c2", "twice quorum"},
    {"a leaver", THREE, GENERATE, "c1@1 c2@2 old@0", "", P, "r", "c1 c2", "leaver quorum"},
    {"one second before leaving", THREE, GENERATE, "c1@1 c2@2 old@-1", "", A, "r", "c1 c2 old", "quorum !leaver"},
    {"not on the roster yet", THREE, GENERATE, "c1@1 c2@2 new@3", "", P, "r", "c1 c2", "not-yet quorum"},
    {"wrong role", THREE, GENERATE, "c1@1 c2@2 w1@3", "", P, "r", "c1 c2", "role quorum"},
    {"unknown certificate", THREE, GENERATE, "c1@1 c2@2 stranger@3", "", P, "r", "c1 c2", "unknown quorum"},
    {"a file that cannot be used", THREE, GENERATE, "c1@1 c2@2 ?@3", "", P, "r", "c1 c2", "unusable quorum"},
    {"one second before the roster", THREE, GENERATE, "c1@1 c2@2 new@2591999", "at=2592000 expires=2600000", P, "r",
     "c1 c2", "not-yet quorum"},
    {"from the first second on the roster", THREE, GENERATE, "c1@1 c2@2 new@2592000", "at=2592000 expires=2600000", A,
     "r", "c1 c2 new", "quorum"},
    {"a leaver's approval from before still helps", QUORUM("at-least: 7"), GENERATE, "old@-1", "", P, "r", "old",
     "quorum"},
    {"one key, the first by the log", THREE, GENERATE, "c3=c2@2 c2@2", "", P, "r", "c3", "same-key"},
    {"one key, the first by time", THREE, GENERATE, "c3=c2@3 c2@2", "", P, "r", "c2", "same-key"},
    {"one of two roles", RULE("suspend", "quorum: {of: [authority, witness], at-least: 2}"), SCOPE("suspend"),
     "a1@1 w1@2", "", A, "r", "a1 w1", "quorum"},
    {"the requester's own", THREE, GENERATE, "c1@1 c2@2 c3@3", "requester=c3", P, "r", "c1 c2", "requester quorum"},
    {"the requester's alternate", THREE, GENERATE, "alt1@1 c2@2 c3@3", "requester=c1", P, "r", "c2 c3",
     "requester quorum"},
    {"an excluded role", QUORUM("at-least: 3, except: administrator"), GENERATE, "c1@1 c2@2 admin@3", "", P, "r",
     "c1 c2", "excluded quorum"},
    {"not excluded elsewhere", THREE, GENERATE, "c1@1 c2@2 admin@3", "", A, "r", "admin c1 c2", "quorum !excluded"},
    {"after the intent", THREE, GENERATE, "c1@1 c2@2 c3@101", "", P, "r", "c1 c2", "late quorum"},
    {"at the intent", THREE, GENERATE, "c1@1 c2@2 c3@100", "", A, "r", "c1 c2 c3", "quorum !late"},
    {"two people with one key", THREE, GENERATE, "c1@1 c2@2 c3=c2@3", "", P, "r", "c1 c2", "same-key quorum"},
    {"never enough declared", RULE("suspend", "quorum: {of: witness, at-least: 9}"), SCOPE("suspend"), "w1@1", "", D,
     "r", "w1", "quorum"},
    {"nobody holds the role", RULE("suspend", "quorum: {of: emperor, at-least: 1}"), SCOPE("suspend"), "a1@1", "", D,
     "r", "", "quorum role"},

    /* quorum: alternates */
    {"alternate in the principal's place", THREE, GENERATE, "alt1@1 c2@2 c3@3", "", A, "r", "alt1 c2 c3", "quorum"},
    {"alternate beside the principal", THREE, GENERATE, "alt1@1 c1@2 c2@3", "", P, "r", "c1 c2", "alternate quorum"},
    {"alternate after the principal", THREE, GENERATE, "c1@1 alt1@2 c2@3", "", P, "r", "c1 c2", "alternate quorum"},
    {"two alternates of one principal", THREE, GENERATE, "alt1@1 alt2@2 c2@3", "", P, "r", "alt1 c2",
     "alternate quorum"},
    {"alternate with the role beside the principal", THREE, GENERATE, "alt2@1 c1@2 c2@3", "", P, "r", "c1 c2",
     "alternate quorum"},
    {"alternate before the notice takes effect", THREE, GENERATE, "alt3@1 c1@2 c2@3", "", P, "r", "c1 c2",
     "role quorum"},
    {"alternate once the notice has taken effect", THREE, GENERATE, "alt3@86400 c1@86401 c2@86402", "at=86500", A, "r",
     "alt3 c1 c2", "quorum"},
    {"principal approves, alternate rejects", QUORUM("at-least: 3, reject-at: 3"), GENERATE, "c1@1 c2@2 c3@3 -alt1@4",
     "", P, "r", "c2 c3", "outweighed rejection"},

    {"alternate of somebody who has left", THREE, GENERATE, "c1@1 c2@2 w1@0", "", P, "r", "c1 c2", "role quorum"},
    {"alternate a second before", THREE, GENERATE, "c1@1 c2@2 w1@-1", "", A, "r", "c1 c2 w1", "quorum"},
    {"alternate of somebody who has not come", THREE, GENERATE, "c1@1 c2@2 a3@2591999", "at=2592000 expires=2600000", P,
     "r", "c1 c2", "role quorum"},
    {"alternate of somebody who has just come", THREE, GENERATE, "c1@1 c2@2 a3@2592000", "at=2592000 expires=2600000",
     A, "r", "a3 c1 c2", "quorum"},
    {"alternate with an excluded role", QUORUM("at-least: 1, except: witness"), GENERATE, "alt1@1", "", P, "r", "",
     "excluded"},
    {"alternate of somebody with an excluded role",
     RULE("suspend", "quorum: {of: witness, at-least: 1, except: key-custodian}"), SCOPE("suspend"), "alt1@1", "", P,
     "r", "", "excluded"},

    /* quorum: organisations */
    {"three people of two organisations", THREE_OF_TWO, GENERATE, "c1@1 c2@2 c3@3", "", A, "r", "c1 c2 c3", "quorum"},
    {"three people of one organisation", THREE_OF_TWO, GENERATE, "c1@1 c2@2 admin@3", "", P, "r", "admin c1 c2",
     "quorum"},
    {"a fourth of another organisation", THREE_OF_TWO, GENERATE, "c1@1 c2@2 admin@3 c5@4", "", A, "r", "admin c1 c2 c5",
     "quorum"},
    {"an alternate's organisation is their own", QUORUM("at-least: 2, organisations: 2"), GENERATE, "alt1@1 c2@2", "",
     A, "r", "alt1 c2", "quorum"},
    {"more organisations than there are", QUORUM("at-least: 5, organisations: 5"), GENERATE, "c1@1", "", D, "r", "c1",
     "quorum"},

    /* quorum: within */
    {"within, all", QUORUM("at-least: 3, within: 15 minutes"), GENERATE, "c1@0 c2@450 c3@900", "at=1000", A, "r",
     "c1 c2 c3", "quorum"},
    {"within, one second over", QUORUM("at-least: 3, within: 15 minutes"), GENERATE, "c1@0 c2@450 c3@901", "at=1000", P,
     "r", "c1 c2", "within quorum"},
    {"within, a later window", QUORUM("at-least: 3, within: 15 minutes"), GENERATE, "c1@0 c2@600 c3@1200 c4@1300",
     "at=2000", A, "r", "c2 c3 c4", "within quorum"},
    {"within, an early window among many", QUORUM("at-least: 3, within: 1 minute"), GENERATE,
     "c1@0 c2@10 c3@20 c4@5000 c5@5010", "at=6000", A, "r", "c1 c2 c3", "within quorum"},
    {"within, the organisations decide which", QUORUM("at-least: 2, organisations: 2, within: 1 minute"), GENERATE,
     "c1@0 c2@10 c3@65", "at=100", A, "r", "c2 c3", "within quorum"},
    {"within, again by the same person", QUORUM("at-least: 2, within: 1 minute"), GENERATE, "c1@0 c2@100 c1@110",
     "at=200", A, "r", "c1 c2", "twice quorum"},

    {"within, the window with most people", QUORUM("at-least: 3, within: 1 minute"), GENERATE, "c1@0 c2@100 c3@110",
     "at=200", P, "r", "c2 c3", "within quorum"},
    {"within, the first of two windows", QUORUM("at-least: 2, within: 1 minute"), GENERATE, "c1@0 c2@10 c3@100 c4@110",
     "at=200", A, "r", "c1 c2", "within quorum"},

    /* quorum: rejections */
    {"one rejection, others can still", THREE, GENERATE, "c1@1 c2@2 -c3@3", "", P, "r", "c1 c2",
     "rejection quorum !rejected"},
    {"one rejection, enough approve", THREE, GENERATE, "c1@1 c2@2 -c3@3 c4@4", "", A, "r", "c1 c2 c4",
     "rejection quorum"},
    {"rejection outweighs the own approval", THREE, GENERATE, "c1@1 c2@2 c3@3 -c3@4", "", P, "r", "c1 c2",
     "outweighed quorum"},
    {"rejection before the own approval", THREE, GENERATE, "-c3@0 c1@1 c2@2 c3@3", "", P, "r", "c1 c2",
     "outweighed quorum"},
    {"can no longer form", QUORUM("at-least: 5"), GENERATE, "-c1@1 -c2@2", "", D, "r", "", "rejected rejection"},
    {"still can", QUORUM("at-least: 5"), GENERATE, "-c1@1", "", P, "r", "", "rejection quorum !rejected"},
    {"organisations can no longer form", QUORUM("at-least: 3, organisations: 3"), GENERATE, "-c5@1 -alt2@2", "", D, "r",
     "", "rejected"},
    {"reject-at 1", QUORUM("at-least: 1, reject-at: 1"), GENERATE, "c1@1 c2@2 -c3@3", "", D, "r", "c1 c2", "rejected"},
    {"reject-at 2, one", QUORUM("at-least: 1, reject-at: 2"), GENERATE, "c1@1 -c3@3", "", A, "r", "c1",
     "rejection quorum !rejected"},
    {"reject-at 2, one person twice", QUORUM("at-least: 1, reject-at: 2"), GENERATE, "c1@1 -c3@3 -c3@4", "", A, "r",
     "c1", "rejection quorum !rejected"},
    {"reject-at 2, principal and alternate are one", QUORUM("at-least: 1, reject-at: 2"), GENERATE,
     "c2@1 -c1@3 -alt1@4", "", A, "r", "c2", "rejection quorum !rejected"},
    {"reject-at 2, one key", QUORUM("at-least: 1, reject-at: 2"), GENERATE, "c2@1 -c3@3 -c4=c3@4", "", A, "r", "c2",
     "rejection !rejected"},
    {"reject-at 2, two", QUORUM("at-least: 1, reject-at: 2"), GENERATE, "c1@1 -c3@3 -c4@4", "", D, "r", "c1",
     "rejected"},
    {"rejection by a leaver", QUORUM("at-least: 1, reject-at: 1"), GENERATE, "c1@1 -old@3", "", A, "r", "c1",
     "leaver quorum !rejected"},
    {"rejection by a wrong role", QUORUM("at-least: 1, reject-at: 1"), GENERATE, "c1@1 -w1@3", "", A, "r", "c1",
     "role quorum !rejected"},
    {"rejection by a stranger", QUORUM("at-least: 1, reject-at: 1"), GENERATE, "c1@1 -stranger@3", "", A, "r", "c1",
     "unknown quorum !rejected"},
    {"rejection by the requester", QUORUM("at-least: 1, reject-at: 1"), GENERATE, "c1@1 -c2@3", "requester=c2", A, "r",
     "c1", "requester !rejected"},
    {"rejection after the intent", QUORUM("at-least: 1, reject-at: 1"), GENERATE, "c1@1 -c2@101", "", A, "r", "c1",
     "late !rejected"},

    /* ceremony */
    {"no ceremony is open", CEREMONY, GENERATE, "", "", P, "r", "", "ceremony"},
    {"another script", CEREMONY, GENERATE, "", "ceremony=device/s1/generate framed", P, "r", "", "ceremony"},
    {"a step for something else", CEREMONY, GENERATE, "", "ceremony=rollover/s1/use framed", P, "r", "", "ceremony"},
    {"a step without an operation", CEREMONY, GENERATE, "", "ceremony=rollover/s1/- framed", P, "r", "", "ceremony"},
    {"asked outside of it", CEREMONY, GENERATE, "", "ceremony=rollover/s1/generate", P, "r", "", "ceremony"},
    {"asked for another step", CEREMONY, GENERATE, "", "ceremony=rollover/s2/generate framed", P, "r", "", "ceremony"},
    {"the right step", CEREMONY, GENERATE, "", "ceremony=rollover/s1/generate framed", A, "r", "", "ceremony"},
    {"the right step, the quorum missing",
     RULE("generate", "ceremony: rollover, quorum: {of: key-custodian, at-least: 1}"), GENERATE, "",
     "ceremony=rollover/s1/generate framed", P, "r", "", "ceremony quorum"},

    /* replicas */
    {"all at home", REPLICAS(""), GENERATE, "", "", A, "r", "", "replicas"},
    {"one not enrolled", REPLICAS(""), GENERATE, "", "sites=slough,cardiff", P, "r", "", "replicas site"},
    {"the primary not enrolled", REPLICAS(""), GENERATE, "", "sites=slough!,cardiff,glasgow", P, "r", "",
     "replicas site"},
    {"apart", APART, GENERATE, "", "", A, "r", "", "replicas"},
    {"two of them too close to the primary", APART, GENERATE, "", "sites=slough,cardiff,windsor", P, "r", "",
     "replicas"},
    {"apart from the primary, not from each other", APART, GENERATE, "", "sites=slough,cardiff@,glasgow@", P, "r", "",
     "replicas"},
    {"where they are now, not where they live", APART, GENERATE, "", "sites=slough@,cardiff,glasgow", A, "r", "",
     "replicas"},
    {"the primary's place unknown", APART, GENERATE, "", "sites=slough~,cardiff,glasgow", P, "r", "", "replicas site"},
    {"a replica's place unknown", APART, GENERATE, "", "sites=slough,cardiff,glasgow~", P, "r", "", "replicas site"},
    {"places do not matter", REPLICAS(""), GENERATE, "", "sites=slough~,cardiff~,glasgow~", A, "r", "", "replicas"},
    {"on one table, to be placed within", REPLICAS(", apart-km: 100, placed-within: 7 days"), GENERATE, "",
     "sites=slough@,cardiff@,glasgow@", A, "r", "", "replicas place"},
    {"tagged", REPLICAS(", tagged: mainland"), GENERATE, "", "", A, "r", "", "replicas"},
    {"only one is tagged so", REPLICAS(", tagged: north"), GENERATE, "", "", P, "r", "", "replicas site"},
    {"both tags", RULE("generate", "replicas: {at-least: 1, prove: attest, tagged: [mainland, north]}"), GENERATE, "",
     "", A, "r", "", "replicas"},
    {"tagged where it is now", REPLICAS(", tagged: mainland"), GENERATE, "", "sites=slough,cardiff,glasgow@", P, "r",
     "", "replicas site"},
    {"countries", REPLICAS(", countries: [GB, FR]"), GENERATE, "", "sites=slough,cardiff,glasgow@", A, "r", "",
     "replicas"},
    {"in another country", REPLICAS(", countries: GB"), GENERATE, "", "sites=slough,cardiff,glasgow@", P, "r", "",
     "replicas site"},
    {"of these sites", REPLICAS(", sites: [cardiff, glasgow]"), GENERATE, "", "sites=slough,cardiff,windsor", P, "r",
     "", "replicas"},
    {"hardware attested by people", REPLICAS(", hardware: attested-by-people"), GENERATE, "", "", A, "r", "",
     "replicas"},
    {"hardware not attested", REPLICAS(", hardware: attested-by-people"), GENERATE, "", "sites=slough,cardiff,glasgow%",
     P, "r", "", "replicas site"},
    {"the vendor's word counts for people's", REPLICAS(", hardware: attested-by-people"), GENERATE, "",
     "sites=slough,cardiff#,glasgow#", A, "r", "", "replicas"},
    {"the vendor's word", REPLICAS(", hardware: attested-by-vendor"), GENERATE, "", "sites=slough,cardiff#,glasgow#", A,
     "r", "", "replicas"},
    {"either word", REPLICAS(", hardware: attested"), GENERATE, "", "sites=slough,cardiff,glasgow#", A, "r", "",
     "replicas"},
    {"no word is neither", REPLICAS(", hardware: attested"), GENERATE, "", "sites=slough,cardiff,glasgow%", P, "r", "",
     "replicas site"},
    {"people's word not for the vendor's", REPLICAS(", hardware: attested-by-vendor"), GENERATE, "", "", P, "r", "",
     "replicas site"},
    {"drilled in time", REPLICAS(", fresh: 30 days"), GENERATE, "", "sites=slough,cardiff+,glasgow+", A, "r", "",
     "replicas"},
    {"drilled too long ago", REPLICAS(", fresh: 12 hours"), GENERATE, "", "sites=slough,cardiff+,glasgow+", P, "r", "",
     "replicas site"},
    {"on its way", REPLICAS(""), GENERATE, "", "sites=slough,cardiff>,glasgow", P, "r", "", "replicas site"},
    {"on its way home", REPLICAS(", apart-km: 100, placed-within: 7 days"), GENERATE, "",
     "sites=slough,cardiff>,glasgow@", P, "r", "", "replicas site"},
    {"the primary on its way", REPLICAS(""), GENERATE, "", "sites=slough>,cardiff,glasgow", P, "r", "", "site"},
    {"never drilled", REPLICAS(", fresh: 30 days"), GENERATE, "", "", P, "r", "", "replicas site"},
    {"drilled just in time", REPLICAS(", fresh: 86500 seconds"), GENERATE, "", "sites=slough,cardiff+,glasgow+", A, "r",
     "", "replicas"},
    {"drilled a second too long ago", REPLICAS(", fresh: 86499 seconds"), GENERATE, "",
     "sites=slough,cardiff+,glasgow+", P, "r", "", "replicas site"},
    {"all that are declared", RULE("generate", "replicas: {at-least: 3, prove: attest}"), GENERATE, "", "", A, "r", "",
     "replicas"},
    {"more replicas than declared", RULE("generate", "replicas: {at-least: 4, prove: attest}"), GENERATE, "", "", D,
     "r", "", "replicas"},

    /* the key itself */
    {"a listed type", KEY("types: [EC:P-256, EC:P-384]"), GENERATE, "", "", A, "r", "", "key"},
    {"another type", KEY("types: EC:P-256"), GENERATE, "", "", D, "r", "", "key"},
    {"RSA by its bits", KEY("types: RSA:3072"),
     BIRTH("app-1", TEMPLATES("\"CKA_SIGN\":\"true\"", "\"CKA_MODULUS_BITS\":3072")), "", "", A, "r", "", "key"},
    {"RSA too short", KEY("types: RSA:3072"),
     BIRTH("app-1", TEMPLATES("\"CKA_SIGN\":\"true\"", "\"CKA_MODULUS_BITS\":2048")), "", "", D, "r", "", "key"},
    {"AES by its bytes", KEY("types: AES:256"), SECRET("CKK_AES", "32"), "", "", A, "r", "", "key"},
    {"AES is no generic secret", KEY("types: GENERIC:256"), SECRET("CKK_AES", "32"), "", "", D, "r", "", "key"},
    {"a generic secret", KEY("types: GENERIC:256"), SECRET("CKK_GENERIC_SECRET", "32"), "", "", A, "r", "", "key"},
    {"a type that is not said", KEY("types: EC:P-384"), BIRTH("app-1", TEMPLATES("\"CKA_SIGN\":\"true\"", "")), "", "",
     D, "r", "", "key"},
    {"listed usage", KEY("usage: sign"), GENERATE, "", "", A, "r", "", "key"},
    {"derive is not listed", KEY("usage: sign"), BIRTH("app-1", SIGNS_AND("CKA_DERIVE")), "", "", D, "r", "", "key"},
    {"decrypt is not listed", KEY("usage: [sign, derive]"), BIRTH("app-1", SIGNS_AND("CKA_DECRYPT")), "", "", D, "r",
     "", "key"},
    {"unwrap is not listed", KEY("usage: [sign, derive]"), BIRTH("app-1", SIGNS_AND("CKA_UNWRAP")), "", "", D, "r", "",
     "key"},
    {"the public half's encrypt", KEY("usage: sign"),
     BIRTH("app-1", TEMPLATES("\"CKA_SIGN\":\"true\"", P384 ",\"CKA_ENCRYPT\":\"true\"")), "", "", D, "r", "", "key"},
    {"all three listed", KEY("usage: [sign, derive, decrypt]"), BIRTH("app-1", SIGNS_AND("CKA_DECRYPT")), "", "", A,
     "r", "", "key"},
    {"cannot prove by signature", REPLICAS(""), BIRTH("app-1", TEMPLATES("\"CKA_DERIVE\":\"true\"", P384)), "", "", D,
     "r", "", "key"},
    {"a secret key is attested", REPLICAS(""), SECRET("CKK_AES", "32"), "", "", A, "r", "", "replicas"},
    {"extractable", RULE("generate", "extractable: closed"), BIRTH("app-1", SIGNS_AND("CKA_EXTRACTABLE")), "", "", D,
     "r", "", "key"},
    {"extractable under any key", RULE("generate", "extractable: trusted-wrap-only"),
     BIRTH("app-1", SIGNS_AND("CKA_EXTRACTABLE")), "", "", D, "r", "", "key"},
    {"extractable under trusted keys", RULE("generate", "extractable: trusted-wrap-only, key: {usage: sign}"),
     BIRTH("app-1", SIGNS_AND("CKA_EXTRACTABLE\":\"true\",\"CKA_WRAP_WITH_TRUSTED")), "", "", A, "r", "", "key"},
    {"extractable where no rule closes it", RULE("generate", "key: {usage: sign}"),
     BIRTH("app-1", SIGNS_AND("CKA_EXTRACTABLE")), "", "", A, "r", "", "key"},
    {"denied for its key whatever the quorum",
     RULE("generate", "key: {types: AES:256}, quorum: {of: key-custodian, at-least: 1}"), GENERATE, "c1@1", "", D, "r",
     "c1", "key quorum"},

    /* use of a born key */
    /* a key that is not born yet */
    {"its own certificate, where it was made", SELF_SIGNS, USE("app-1"), "c1@1",
     "born=-1d provisional=ceremony-1 ceremony=any/s1/use framed", A, "r", "c1", "provisional quorum"},
    {"nothing lets it", MADE(", deferred: 14 days", "require: {quorum: {of: key-custodian, at-least: 1}}"),
     USE("app-1"), "c1@1", "born=-1d provisional=ceremony-1 ceremony=any/s1/use framed", D, "r", "c1", "provisional"},
    {"a rule for other keys", SELF_SIGNS, USE("tls-1"), "c1@1",
     "born=-1d provisional=ceremony-1 ceremony=any/s1/use framed", D, "r", "c1", "provisional"},
    {"in another ceremony", SELF_SIGNS, USE("app-1"), "c1@1",
     "born=-1d provisional=ceremony-0 ceremony=any/s1/use framed", P, "r", "c1", "provisional"},
    {"to the last second", SELF_SIGNS, USE("app-1"), "c1@1",
     "born=-1d provisional=ceremony-1 ceremony=any/s1/use framed at=600", A, "r", "c1", "provisional quorum"},
    {"a second later", SELF_SIGNS, USE("app-1"), "c1@1",
     "born=-1d provisional=ceremony-1 ceremony=any/s1/use framed at=601", D, "r", "c1", "provisional"},
    {"in none", SELF_SIGNS, USE("app-1"), "c1@1", "born=-1d provisional=ceremony-1", P, "r", "c1", "provisional"},
    {"made in none", SELF_SIGNS, USE("app-1"), "c1@1", "born=-1d provisional=- ceremony=any/s1/use framed", D, "r",
     "c1", "provisional"},
    {"asked for outside of it", SELF_SIGNS, USE("app-1"), "c1@1", "born=-1d provisional=ceremony-1 ceremony=any/s1/use",
     P, "r", "c1", "provisional"},
    {"asked for at another step", SELF_SIGNS, USE("app-1"), "c1@1",
     "born=-1d provisional=ceremony-1 ceremony=any/s2/use framed", P, "r", "c1", "provisional"},
    {"at a step that uses nothing", SELF_SIGNS, USE("app-1"), "c1@1",
     "born=-1d provisional=ceremony-1 ceremony=any/s1/generate framed", P, "r", "c1", "provisional"},
    {"plainly allowed", MADE(", deferred: 14 days, provisional-use: self-sign", "allow: true"), USE("app-1"), "",
     "born=-1d provisional=ceremony-1 ceremony=any/s1/use framed", D, "r", "", "provisional"},
    {"many at once",
     MADE(", deferred: 14 days, provisional-use: self-sign",
          "require: {quorum: {of: key-custodian, at-least: 1}, uses: {at-most: 2, within: 1 hour}}"),
     USE("app-1"), "c1@1", "born=-1d provisional=ceremony-1 ceremony=any/s1/use framed", D, "r", "c1", "provisional"},
    {"use within the lifetime", BORN("", ", lifetime: 24 months"), USE("app-1"), "", "born=-700d", A, "r", "", "rule"},
    {"use past the lifetime", BORN("", ", lifetime: 24 months"), USE("app-1"), "", "born=-731d", D, "r", "",
     "lifetime"},
    {"use of a key of another rule", BORN("", ", lifetime: 24 months"), USE("tls-1"), "", "born=-999d", A, "r", "",
     "rule !lifetime"},
    {"placed in time", BORN(", apart-km: 100, placed-within: 7 days", ""), USE("app-1"), "",
     "born=-8d held=slough,cardiff,glasgow", A, "r", "", "rule"},
    {"still on one table after the time", BORN(", apart-km: 100, placed-within: 7 days", ""), USE("app-1"), "",
     "born=-8d held=slough,cardiff,glasgow sites=slough@,cardiff@,glasgow@", D, "r", "", "place"},
    {"still on one table within the time", BORN(", apart-km: 100, placed-within: 7 days", ""), USE("app-1"), "",
     "born=-6d held=slough,cardiff,glasgow sites=slough@,cardiff@,glasgow@", A, "r", "", "rule"},
    {"on one table to the last second", BORN(", apart-km: 100, placed-within: 7 days", ""), USE("app-1"), "",
     "at=0 born=-7d held=slough,cardiff,glasgow sites=slough@,cardiff@,glasgow@", A, "r", "", "rule"},
    {"placed within, but no place is asked for", BORN(", placed-within: 7 days", ""), USE("app-1"), "",
     "born=-8d held=slough,cardiff,glasgow sites=slough@,cardiff@,glasgow@", A, "r", "", "rule"},
    {"the primary on its way after the time", BORN(", apart-km: 100, placed-within: 7 days", ""), USE("app-1"), "",
     "born=-8d held=slough,cardiff,glasgow sites=slough~,cardiff,glasgow", D, "r", "", "place"},
    {"placed, but another site holds no replica", BORN(", apart-km: 100, placed-within: 7 days", ""), USE("app-1"), "",
     "born=-8d held=slough,cardiff", D, "r", "", "place"},
    {"use under quorum past the lifetime",
     "  - {id: birth, when: {operation: generate}, require: {key: {lifetime: 1 day}}}\n" RULE(
         "use", "quorum: {of: key-custodian, at-least: 1}"),
     USE("app-1"), "c1@1", "born=-2d", D, "r", "c1", "lifetime quorum"},

    /* policies and succession */
    {"adoption by its rule", RULE("adopt-policy", "quorum: {of: authority, at-least: 2}"), ADOPT, "a1@1 a2@2", "", A,
     "r", "a1 a2", "quorum"},
    {"adoption by the wrong people", RULE("adopt-policy", "quorum: {of: authority, at-least: 2}"), ADOPT, "c1@1 c2@2",
     "", P, "r", "", "role quorum"},
    {"succession", RULE("adopt-policy", "quorum: {of: authority, at-least: 2}"), SUCCEED, "a1@1 a2@2 c1@3 c2@4 c3@5",
     "", A, "succession", "a1 a2 c1 c2 c3", "quorum"},
    {"succession is not the rule's quorum", RULE("adopt-policy", "quorum: {of: authority, at-least: 2}"), SUCCEED,
     "a1@1 a2@2", "", P, "succession", "a1 a2", "quorum"},
    {"succession while suspended", "  []\n", SUCCEED, "a1@1 a2@2 c1@3 c2@4 c3@5", "suspended", A, "succession",
     "a1 a2 c1 c2 c3", "quorum"},
};

#undef D
#undef P
#undef A

#endif
