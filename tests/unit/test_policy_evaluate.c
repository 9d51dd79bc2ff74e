#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/test_policy_fixture.h"

/* Evaluation as one table: rules, subject, votes and world in; decision, rule, counted people and a finding out. */

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
    {"people's word not for the vendor's", REPLICAS(", hardware: attested-by-vendor"), GENERATE, "", "", P, "r", "",
     "replicas site"},
    {"drilled in time", REPLICAS(", fresh: 30 days"), GENERATE, "", "sites=slough,cardiff+,glasgow+", A, "r", "",
     "replicas"},
    {"drilled too long ago", REPLICAS(", fresh: 12 hours"), GENERATE, "", "sites=slough,cardiff+,glasgow+", P, "r", "",
     "replicas site"},
    {"never drilled", REPLICAS(", fresh: 30 days"), GENERATE, "", "", P, "r", "", "replicas site"},
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
    {"denied for its key whatever the quorum",
     RULE("generate", "key: {types: AES:256}, quorum: {of: key-custodian, at-least: 1}"), GENERATE, "c1@1", "", D, "r",
     "c1", "key quorum"},

    /* use of a born key */
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

struct scene {
    struct vote votes[16];
    size_t vote_count;
    struct site_fact sites[4];
    size_t site_count;
    struct ceremony_fact ceremony;
    struct key_fact key;
    struct strings held;
    struct evidence e;
    struct request_frame frame;
    bool framed;
    char requester[32], rule[32], script[32], step[32], operation[32];
};

static const struct strings no_tags = {0};

static void site_read(struct scene *s, const struct policy *p, const char *text)
{
    struct site_fact *fact = &s->sites[s->site_count++];
    char id[32] = "";
    const struct site *home = NULL;
    size_t n = strcspn(text, "!@~#%+");

    assert_true(n < sizeof id && s->site_count <= 4);
    memcpy(id, text, n);
    home = policy_site(p, id);
    assert_non_null(home);
    *fact = (struct site_fact){.token = "root",
                               .site = home->id,
                               .enrolled = true,
                               .placed = true,
                               .latitude = home->at.latitude,
                               .longitude = home->at.longitude,
                               .country = home->at.country,
                               .tags = &home->at.tags,
                               .at_home = true,
                               .hardware = "attested-by-people"};
    for (text += n; *text != '\0'; text++) {
        if (*text == '!')
            fact->enrolled = false;
        else if (*text == '@') { /* on a table in Paris */
            fact->latitude = 48.86;
            fact->longitude = 2.35;
            fact->country = "FR";
            fact->tags = &no_tags;
            fact->at_home = false;
        } else if (*text == '~')
            fact->placed = fact->at_home = false;
        else if (*text == '#')
            fact->hardware = "attested-by-vendor";
        else if (*text == '%')
            fact->hardware = "";
        else
            fact->drilled = T0 - 86400;
    }
}

static void sites_read(struct scene *s, const struct policy *p, const char *list)
{
    char copy[256], *rest = NULL;

    snprintf(copy, sizeof copy, "%s", list);
    s->site_count = 0;
    for (char *at = strtok_r(copy, ",", &rest); at != NULL; at = strtok_r(NULL, ",", &rest))
        site_read(s, p, at);
}

static void held_read(struct scene *s, const char *list)
{
    char copy[256], *rest = NULL;

    snprintf(copy, sizeof copy, "%s", list);
    for (char *at = strtok_r(copy, ",", &rest); at != NULL; at = strtok_r(NULL, ",", &rest))
        assert_true(strings_add(&s->held, at));
}

static void ceremony_read(struct scene *s, const char *text)
{
    assert_int_equal(sscanf(text, "%31[^/]/%31[^/]/%31s", s->script, s->step, s->operation), 3);
    s->ceremony = (struct ceremony_fact){
        .id = "ceremony-1", .script = s->script, .step = s->step, .operation = operation_parse(s->operation)};
    s->e.ceremony = &s->ceremony;
}

static void world_word(struct scene *s, const struct policy *p, const char *word)
{
    const char *value = strchr(word, '=');

    value = value == NULL ? "" : value + 1;
    if (strcmp(word, "voided") == 0)
        s->frame.policy.bytes[0] ^= 1;
    else if (strcmp(word, "suspended") == 0)
        s->e.suspended = true;
    else if (strcmp(word, "framed") == 0)
        s->framed = true;
    else if (strncmp(word, "expires=", 8) == 0)
        s->frame.expires = T0 + atoll(value);
    else if (strncmp(word, "at=", 3) == 0)
        s->e.at = T0 + atoll(value);
    else if (strncmp(word, "requester=", 10) == 0)
        snprintf(s->requester, sizeof s->requester, "%s", value);
    else if (strncmp(word, "rule=", 5) == 0)
        snprintf(s->rule, sizeof s->rule, "%s", value);
    else if (strncmp(word, "ceremony=", 9) == 0)
        ceremony_read(s, value);
    else if (strncmp(word, "sites=", 6) == 0)
        sites_read(s, p, value);
    else if (strncmp(word, "held=", 5) == 0)
        held_read(s, value);
    else if (strncmp(word, "born=", 5) == 0) {
        s->key = (struct key_fact){.born = T0 + atoll(value) * 86400, .sites = &s->held};
        s->e.key = &s->key;
    } else
        fail_msg("unknown word %s", word);
}

static void vote_read(struct scene *s, const char *word)
{
    struct vote *v = &s->votes[s->vote_count++];
    char who[32] = "", key[32] = "";
    long long at = 0;
    bool rejects = *word == '-';

    assert_true(s->vote_count <= 16);
    word += rejects;
    if (sscanf(word, "%31[^@=]=%31[^@]@%lld", who, key, &at) != 3) {
        assert_int_equal(sscanf(word, "%31[^@]@%lld", who, &at), 2);
        snprintf(key, sizeof key, "%s", who);
    }
    *v = (struct vote){.kind = strcmp(who, "?") == 0 ? VOTE_UNUSABLE
                               : rejects             ? VOTE_REJECTION
                                                     : VOTE_APPROVAL,
                       .fingerprint = fixture_print(who),
                       .at = T0 + at,
                       .seq = s->vote_count,
                       .what = rejects ? "not now" : "c9.p7s: not a DER CMS structure"};
    assert_true(digest_of(&v->public_key, 2, span_str("key"), span_str(key)));
}

static void scene_read(struct scene *s, const struct row *row, const struct policy *p)
{
    char copy[512], *rest = NULL;

    *s = (struct scene){.requester = "uid:1000"};
    s->e.at = T0 + 100;
    s->frame = (struct request_frame){
        .policy = p->digest, .policy_version = p->version, .made = T0 - 1000, .expires = T0 + 7 * 86400};
    snprintf(s->rule, sizeof s->rule, "%s", row->rule);
    sites_read(s, p, "slough,cardiff,glasgow,windsor");
    snprintf(copy, sizeof copy, "%s", row->votes);
    for (char *at = strtok_r(copy, " ", &rest); at != NULL; at = strtok_r(NULL, " ", &rest))
        vote_read(s, at);
    snprintf(copy, sizeof copy, "%s", row->world);
    for (char *at = strtok_r(copy, " ", &rest); at != NULL; at = strtok_r(NULL, " ", &rest))
        world_word(s, p, at);
    s->frame.rule = s->rule;
    s->frame.ceremony = s->framed ? "ceremony-1" : NULL;
    s->frame.step = s->framed ? "s1" : NULL;
    s->e.votes = s->votes;
    s->e.vote_count = s->vote_count;
    s->e.sites = s->sites;
    s->e.site_count = s->site_count;
}

static bool has_finding(const struct verdict *v, const char *code)
{
    for (size_t i = 0; i < v->finding_count; i++)
        if (strcmp(v->findings[i].code, code) == 0)
            return true;
    return false;
}

static bool row_compare(const struct row *row, const struct verdict *v)
{
    char copy[256], *rest = NULL;
    struct buf counted = BUF(1024), said = BUF(LIMIT_DOCUMENT);
    bool good = v->decision == row->decision && strcmp(v->rule_id, row->rule) == 0;

    for (size_t i = 0; i < v->counted.count; i++)
        buf_putf(&counted, "%s%s", i == 0 ? "" : " ", v->counted.items[i]);
    good = good && strcmp(buf_str(&counted), row->counted) == 0;
    snprintf(copy, sizeof copy, "%s", row->finding);
    for (char *at = strtok_r(copy, " ", &rest); at != NULL; at = strtok_r(NULL, " ", &rest))
        good = good && (*at == '!' ? !has_finding(v, at + 1) : has_finding(v, at));
    if (!good) {
        verdict_put(v, &said);
        print_error(
            "row \"%s\": wanted %s by %s, counted \"%s\", findings %s; counted \"%s\", and this came out:\n%s\n",
            row->name, decision_name(row->decision), row->rule, row->counted, row->finding, buf_str(&counted),
            buf_str(&said));
    }
    buf_free(&counted);
    buf_free(&said);
    return good;
}

static struct verdict *row_judge(const struct row *row, struct policy **ret_policy)
{
    struct scene s;
    struct policy *p = fixture_policy(row->rules, FIXTURE_END);
    json_t *subject = NULL;
    struct request *r = NULL;
    struct verdict *v = NULL;
    struct fault f = {0};

    scene_read(&s, row, p);
    subject = fixture_subject(row->subject, s.requester);
    if (request_compose(subject, &s.frame, &r, &f) != OK)
        fail_msg("row \"%s\": %s", row->name, f.text);
    if (policy_evaluate(p, r, &s.e, &v, &f) != OK)
        fail_msg("row \"%s\": %s", row->name, f.text);
    json_decref(subject);
    request_free(r);
    strings_free(&s.held);
    *ret_policy = p;
    return v;
}

static void test_table(void **state)
{
    size_t wrong = 0;

    (void)state;
    assert_true(sizeof rows / sizeof *rows >= 80);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct policy *p = NULL;
        struct verdict *v = row_judge(&rows[i], &p);

        wrong += !row_compare(&rows[i], v);
        verdict_free(v);
        policy_free(p);
    }
    assert_int_equal(wrong, 0);
}

static void sites_are(const char *rules, const char *world, const char *want)
{
    const struct row row = {"sites", rules, GENERATE, "", world, DECISION_ALLOW, "r", "", ""};
    struct policy *p = NULL;
    struct verdict *v = row_judge(&row, &p);
    struct buf got = BUF(256);

    for (size_t i = 0; i < v->sites.count; i++)
        buf_putf(&got, "%s%s", i == 0 ? "" : " ", v->sites.items[i]);
    assert_string_equal(buf_str(&got), want);
    buf_free(&got);
    verdict_free(v);
    policy_free(p);
}

static void test_sites(void **state)
{
    (void)state;
    sites_are(REPLICAS(""), "", "cardiff glasgow windsor");
    sites_are(APART, "", "cardiff glasgow"); /* Windsor lies beside Slough */
    sites_are(REPLICAS(", sites: [glasgow, windsor]"), "", "glasgow windsor");
    sites_are(APART, "sites=slough,glasgow,windsor", "glasgow");
    sites_are(REPLICAS(""), "sites=slough!,cardiff", "");
}

static void test_words(void **state)
{
    const struct row row = {"words", THREE_OF_TWO, GENERATE, "c1@1 -c2@2 old@3", "", DECISION_PENDING, "r", "c1", ""};
    struct policy *p = NULL;
    struct verdict *v = row_judge(&row, &p);
    struct buf b = BUF(LIMIT_DOCUMENT);
    json_t *json = verdict_json(v);
    struct fault f = {0};

    (void)state;
    assert_int_equal(v->line, FIXTURE_RULE_LINE);
    verdict_put(v, &b);
    assert_string_equal(
        buf_str(&b),
        "policy.yaml:29: rule \"r\": pending\n"
        "  against: c2 (Operator) rejected it on 2026-06-01T00:00:02Z: not now\n"
        "  met: c1 (Operator) approved on 2026-06-01T00:00:01Z\n"
        "  note: old approved, which does not count: had left the roster\n"
        "  missing: 1 of 3 approvals by key-custodian from 1 of 2 organisations; these can still approve: c3, c4, c5, "
        "alt1, alt2 and admin\n");
    buf_clear(&b);
    verdict_put_short(v, &b);
    assert_string_equal(buf_str(&b),
                        "waits, by policy.yaml:29: rule \"r\": 1 of 3 approvals by key-custodian from 1 of 2 "
                        "organisations; these can still approve: c3, c4, c5, alt1, alt2 and admin");
    buf_clear(&b);
    assert_int_equal(json_canonical(json, &b, &f), OK);
    assert_string_equal(buf_str(&b), "{\"counted\":[\"c1\"],\"decision\":\"pending\",\"rule\":\"r\"}");
    json_decref(json);
    buf_free(&b);
    verdict_free(v);
    policy_free(p);
}

/* A reason or a file's name may hold what moves a terminal's cursor. */
static void test_terminal(void **state)
{
    struct policy *p = fixture_policy(QUORUM("at-least: 1"), FIXTURE_END);
    json_t *subject = fixture_subject(GENERATE, "uid:0");
    struct vote vote = {.kind = VOTE_UNUSABLE, .what = "\033[2Jc1.p7s"};
    struct evidence e = {.at = T0, .votes = &vote, .vote_count = 1};
    struct request_frame frame = {.rule = "r", .policy = p->digest, .made = T0, .expires = T0 + 1};
    struct request *r = NULL;
    struct verdict *v = NULL;
    struct fault f = {0};
    struct buf b = BUF(LIMIT_DOCUMENT);

    (void)state;
    assert_int_equal(request_compose(subject, &frame, &r, &f), OK);
    assert_int_equal(policy_evaluate(p, r, &e, &v, &f), OK);
    verdict_put(v, &b);
    assert_null(strchr(buf_str(&b), '\033'));
    assert_non_null(strstr(buf_str(&b), "c1.p7s"));
    buf_free(&b);
    verdict_free(v);
    request_free(r);
    json_decref(subject);
    policy_free(p);
}

static void test_key_in_order(void **state)
{
    struct policy *p = fixture_policy(BORN("", ", lifetime: 1 day"), FIXTURE_END);
    struct key_fact key = {.born = T0};
    struct evidence e = {.at = T0 + 86399, .key = &key};
    const char *code = NULL;
    struct buf why = BUF(1024);

    (void)state;
    assert_true(policy_key_in_order(p, "root", "app-1", "private-key", &e, &code, &why));
    assert_int_equal(why.len, 0);
    e.at = T0 + 86400;
    assert_false(policy_key_in_order(p, "root", "app-1", "private-key", &e, &code, &why));
    assert_string_equal(code, "lifetime");
    assert_non_null(strstr(buf_str(&why), "2026-06-02T00:00:00Z"));
    assert_true(policy_key_in_order(p, "root", "tls-1", "private-key", &e, &code, &why));
    e.key = NULL;
    assert_true(policy_key_in_order(p, "root", "app-1", "private-key", &e, &code, &why));
    buf_free(&why);
    policy_free(p);
}

static void test_succession_absent(void **state)
{
    struct policy *p = fixture_policy("  []\n", "otherwise: deny\n");
    json_t *subject = fixture_subject(SUCCEED, "uid:0");
    struct evidence e = {.at = T0};
    struct request_frame frame = {.rule = "succession", .policy = p->digest, .made = T0, .expires = T0 + 1};
    struct request *r = NULL;
    struct verdict *v = NULL;
    struct fault f = {0};

    (void)state;
    assert_int_equal(request_compose(subject, &frame, &r, &f), OK);
    assert_int_equal(policy_evaluate(p, r, &e, &v, &f), OK);
    assert_int_equal(v->decision, DECISION_DENY);
    assert_true(has_finding(v, "succession"));
    verdict_free(v);
    request_free(r);
    json_decref(subject);
    policy_free(p);
}

static void test_distance(void **state)
{
    (void)state;
    assert_float_equal(place_distance_km(51.51, -0.59, 51.48, -3.18), 179.3, 0.5);
    assert_float_equal(place_distance_km(0, 0, 0, 180), 20015.1, 0.5);
    assert_float_equal(place_distance_km(12, 34, 12, 34), 0, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),    cmocka_unit_test(test_sites),        cmocka_unit_test(test_words),
        cmocka_unit_test(test_terminal), cmocka_unit_test(test_key_in_order), cmocka_unit_test(test_succession_absent),
        cmocka_unit_test(test_distance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
