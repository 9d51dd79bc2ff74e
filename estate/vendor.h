#ifndef QUORATE_ESTATE_VENDOR_H
#define QUORATE_ESTATE_VENDOR_H

#include <stdbool.h>
#include <stddef.h>

/* The one interface for what PKCS#11 has no word for: C_GetInterface("Vendor Quorate", NULL, …) of the module, the
 * module being initialised. Text in and out is canonical JSON, so that no structure crosses the border. */

#define VENDOR_INTERFACE "Vendor Quorate"

/* A person whom the program can ask. The module calls these from any of its threads, one at a time, perhaps with its locks
 * held: they must not call it. NULL: cannot be asked. Both give false where the person does not do it. */
struct vendor_person {
    void *context;
    /* The PIN of an HSM whose binding says `pin: prompt`, without echo: *len in: room in ret, out: its length. */
    bool (*pin)(void *context, const char *token, const char *site, const char *serial, unsigned char *ret,
                size_t *len);
    /* Attaches an HSM whose binding says `attach: one-at-a-time`; asked again as long as it is not seen. */
    bool (*attach)(void *context, const char *token, const char *site, const char *serial);
};

struct quorate_vendor {
    unsigned char major, minor; /* as a CK_VERSION; 1.1 */
    /* Runs a verb. Returns an enum outcome; on OK or E_PENDING *ret_json is set (free it with `release`), otherwise
     * `text` (at least 1024 bytes) holds what is wrong.
     *   "enrol"    {"attestation"?: PEM, "elsewhere"?: "LAT,LON", "introduction"?, "site", "token"} -> {"identity-id"?, "missing"?,
     *              "request"?, "status": "pending"|"enrolled", "transport-id"?}: attestation has the vendor's certificates of the
     *              HSM's keys (policy/attestation.h); the CKA_IDs of these, where they could be attested and are not
     *   "introduce" {"attestation"?: PEM} -> {"answer"}: at a site that is elsewhere: its keys, and their answer to the host's log as it is
     *              known there (estate/message.h)
     *   "accept"   {"message"} -> {"answer", "refused"?: why}: at a site that is elsewhere
     *   "import"   {"answer"} -> {"drill"?, "intent"?, "inventory"?, "key"?: label, "retirement"?: what became of one that waited for
     *              this drill, "site", "status", "token"}: what came back
     *              from a site that files are carried to; status is receipt (others are awaited still), born, replicated, told,
     *              withdrawn, destroyed (key), drilled (drill: its line of "drill") or listed (inventory: as the answer of "inventory")
     *   "settle"   {} -> {"settled": [{"intent", "outcome"} or {"outcome", "token"} or {"key", "outcome"}...]}: of births
     *              and grants, of tokens that a replica serves, of what destroyed keys left
     *   "ceremony" {"ceremony"} -> {}: takes that ceremony's lock (it must be open); {} alone gives it back
     *   "step"     {"actor"?, "operation"?, "step", "tbs"?} -> {}: where the ceremony is: rules with `ceremony:` hold for
     *              `operation` from now on, and `actor` is who asks; tbs is the digest of what the step signs, kept in
     *              home/artifacts: a provisional key signs nothing else, and it only where it is its own certificate
     *   "heads"    {} -> {}: puts the log's head of now on every HSM that answers
     *   "readopt"  {} -> {"heads": [{"found", "note"?, "root"?, "site", "size"?, "token"}...], "missing"?, "request"?, "status":
     *              "pending"|"readopted"|"as it should be"}: found is missing, newer or differs (docs/FORMAT.md)
     *   "refusal"  {} -> {"request"?, "text"}: why the calling thread's last PKCS#11 call was refused ("" if it was not)
     *   "tokens"   {} -> {"tokens": [{"serial", "site", "state", "token", "why"?}...]}: what answers now; state is ready,
     *              not-enrolled, refused (it answers, but not as enrolled), absent, or elsewhere (no module here)
     *   "inventory" {"site"?, "token"?} -> {"differences", "sites": [{"missing": [{"class", "id", "label"}...], "objects":
     *              [{"class", "id", "kind", "label" or "label-hex"}...], "site", "state", "token", "why"?}...]}: state is
     *              looked-at, absent, elsewhere (not asked; why says how), or asked (by a file: a site that is named; why says what is to
     *              be done). kind is key (of the log), own (pinned at enrolment), provisional (its receipts are awaited),
     *              other (what the log does not keep), or a difference: unknown (a secret half that the log does not know,
     *              another public half under a key's CKA_ID, or what has no class that can be read), left (of a key that
     *              ended, or whose site retired, until that is done here too), abandoned (left by a birth or an enrolment that did not end), session (a key
     *              that is not on the token). missing: the log has it, the HSM has not. differences counts these and the sites that are
     *              absent.
     *   "depart"   {"bag", "carrier"?, "site", "token"} -> {"status": "on its way"}: its HSM leaves, and counts nowhere
     *   "arrive"   {"bag"?, "elsewhere"?: "LAT,LON", "received-by"?, "safe"?, "site", "token"} -> {"status":
     *              "arrived"|"asked", "why"?}: it is there and answers a challenge; bag is the one that it left in; asked:
     *              by a file, why says what is to be done
     *   "promote"  {"site", "token"} -> {"missing"?, "missing-keys": labels of keys that the site does not hold, "request"?,
     *              "status": "pending"|"promoted"}
     *   "replicate" {"key": its label, "site", "token"} -> {"missing"?, "request"?, "status":
     *              "pending"|"provisional"|"replicated"|"held"}: held: the site holds it already; provisional: its
     *              receipt is awaited, missing says how
     *   "retire"   {"site", "token"} -> {"drills", "left"?, "missing"?, "request"?, "status": "pending"|"waiting"|"retired"}:
     *              drills as the sites of "drill"; left: why the retired site's replicas are not destroyed yet; waiting: files are
     *              carried to other sites, which are to prove their keys, missing says where and until when
     *   "drill"    {"site"?, "token"?} -> {"sites": [{"attested", "failed": [{"born", "label", "why"}...], "proven", "site",
     *              "state", "token", "why"?}...], "unproven"}: enrolled sites prove every key that they hold, and it is
     *              logged. state is proven, failed (a key did not), absent (why), or asked (by a file; nothing is logged yet;
     *              why says what is to be done). proven counts keys, attested those of them that cannot sign; unproven
     *              counts sites. */
    int (*call)(const char *verb, const char *json, char **ret_json, char *text, size_t text_size);
    void (*release)(char *json);
    /* From 1.1: who is asked from now on; copied. NULL: nobody. */
    void (*person)(const struct vendor_person *p);
};

#endif
