#ifndef QUORATE_TESTS_DEPTH_FIXTURE_H
#define QUORATE_TESTS_DEPTH_FIXTURE_H

/* An estate with three SoftHSM tokens and people who hold their keys in memory; for tests of module/'s inner parts. */

#include <dlfcn.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/encode.h"
#include "core/file.h"
#include "estate/asking.h"
#include "module/birth.h"
#include "module/recovery.h"
#include "module/site_keys.h"
#include "module/template.h"
#include "tests/scratch_folder.h"
#include "tests/unit/depth_people.h"

#define SOFTHSM "/usr/lib/softhsm/libsofthsm2.so"
#define PIN "8642"

struct depth {
    char folder[64];
    char serials[3][33];
    char bindings[128];
    struct world *world;
    CK_SESSION_HANDLE session; /* the application's, logged in on the primary; 0: none */
};

/* What a test sets before depth_make: more members of the policy's token, another module for the primary. */
static const char *depth_token_more = "", *depth_primary_module = SOFTHSM;
static const char *const depth_sites[] = {"slough", "cardiff", "glasgow"};

static inline void depth_write(const char *folder, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static inline void depth_run(const char *command)
{
    assert_int_equal(system(command), 0);
}

/* What the policy says of glasgow besides: "answer-within: 2 seconds, ". */
static const char *depth_glasgow = "";
static const char *depth_slough = "";

/* `rules`: what stands between `rules:` and `otherwise:`. */
static inline void depth_policy(struct depth *d, const char *rules)
{
    struct buf b = BUF(65536);
    buf_puts(&b, "quorate: 1\nsemantics: 1\nname: depth\nversion: 1\npeople:\n");
    for (size_t i = 0; i < DEPTH_PEOPLE; i++)
        buf_putf(
            &b, "  - {id: %s, name: %s, organisation: %s, roles: [%s], fingerprint: \"sha256:%s\", from: 2024-01-01}\n",
            depth_people[i].id, depth_people[i].id, depth_people[i].organisation, depth_people[i].role,
            digest_hex(&depth_people[i].digests.fingerprint).hex);
    buf_puts(&b, "sites:\n"
                 "  - {id: slough, ");
    buf_puts(&b, depth_slough);
    buf_puts(&b, "at: [51.51, -0.59], country: GB, tags: [gb-mainland]}\n"
                 "  - {id: cardiff, at: [51.48, -3.18], country: GB, tags: [gb-mainland]}\n"
                 "  - {id: glasgow, ");
    buf_puts(&b, depth_glasgow);
    buf_puts(&b, "at: [55.86, -4.25], country: GB, tags: [gb-mainland]}\n"
                 "tokens:\n  - {id: root, primary: slough, replicas: [cardiff, glasgow]");
    buf_puts(&b, depth_token_more);
    buf_puts(&b, "}\nrules:\n"
                 "  - {id: estate, when: {operation: [adopt-policy, enrol-site, suspend, open-ceremony]}, require: "
                 "{quorum: {of: "
                 "authority, at-least: 2}}}\n");
    buf_puts(&b, rules);
    buf_puts(&b, "otherwise: deny\nsuccession: {quorum: {of: [authority, key-custodian], at-least: 2}}\n");
    assert_false(b.failed);
    depth_write(d->folder, "policy.yaml", buf_str(&b));
    buf_free(&b);
}

static inline void depth_serials(struct depth *d)
{
    struct lower *l = NULL;
    struct fault f;
    CK_SLOT_ID slots[16];
    CK_ULONG count = 16;
    assert_good(lower_load(SOFTHSM, REMOTE_LOOK, &l, &f));
    assert_int_equal(l->f->C_GetSlotList(CK_TRUE, slots, &count), CKR_OK);
    for (CK_ULONG i = 0; i < count; i++) {
        CK_TOKEN_INFO info;
        assert_int_equal(l->f->C_GetTokenInfo(slots[i], &info), CKR_OK);
        for (size_t k = 0; k < 3; k++) {
            char label[33];
            snprintf(label, sizeof label, "root-%s", depth_sites[k]);
            if (memcmp(info.label, label, strlen(label)) == 0) {
                memcpy(d->serials[k], info.serialNumber, 16);
                d->serials[k][16] = '\0';
            }
        }
    }
    lower_release(l);
}

static inline void depth_bindings(struct depth *d)
{
    char text[2048];
    size_t used = (size_t)snprintf(text, sizeof text, "home: ./estate\npolicy: ./policy.yaml\ntokens:\n  root:\n");
    for (size_t i = 0; i < 3; i++)
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "    %s: {module: %s, serial: %s, pin: \"file:pins/%s\"}\n", depth_sites[i],
                                 i == 0 ? depth_primary_module : SOFTHSM, d->serials[i], depth_sites[i]);
    depth_write(d->folder, "bindings.yaml", text);
}

static inline void depth_approve(struct estate *e, const struct digest *id, const char *role)
{
    struct fault f;
    struct request *r = NULL;
    struct buf der = BUF(65536);
    assert_good(estate_request(e, id, &r, &f));
    for (size_t i = 0; i < DEPTH_PEOPLE; i++) {
        if (strcmp(depth_people[i].role, role) != 0)
            continue;
        buf_clear(&der);
        assert_good(signature_make(depth_people[i].key, depth_people[i].certificate, buf_span(&r->bytes), &der, &f));
        assert_good(estate_approve(e, r, depth_people[i].id, buf_span(&der), &f));
    }
    buf_free(&der);
    request_free(r);
}

static inline void depth_adopt(struct depth *d)
{
    struct fault f;
    struct estate *e = NULL;
    struct policy *p = NULL;
    struct answer a = {0};
    struct buf bytes = BUF(65536);
    char path[160], name[256];
    uint64_t intent = 0;
    snprintf(path, sizeof path, "%s/policy.yaml", d->folder);
    assert_good(estate_open(d->bindings, &e, &f));
    assert_good(file_read(path, true, &bytes, &f));
    assert_good(policy_parse(path, buf_span(&bytes), &p, &f));
    assert_good(estate_roster_import(e, p, d->folder, &f));
    for (int round = 0; round < 2; round++) {
        struct asking_context context = {.judge = p};
        json_t *subject = asking_subject(e, OP_ADOPT_POLICY, NULL), *policy = json_object();
        assert_true(json_put_digest(policy, "canonical", &p->canonical) &&
                    json_put_digest(policy, "digest", &p->digest));
        assert_true(json_put_integer(policy, "version", 1) && json_put(subject, "policy", policy));
        answer_clear(&a);
        assert_good(estate_ask(e, subject, &context, &a, &f));
        if (round == 0)
            depth_approve(e, &a.request->id, "authority");
        else
            assert_good(estate_intend(e, a.request, &context, NULL, &intent, &f));
    }
    snprintf(name, sizeof name, "%s/estate/policies/%s.yaml", d->folder, digest_hex(&p->digest).hex);
    assert_good(file_replace(name, buf_span(&bytes), 0644, &f));
    json_t *body = json_object();
    assert_true(json_put_digest(body, "canonical", &p->canonical) && json_put_digest(body, "digest", &p->digest) &&
                json_put_digest(body, "request", &a.request->id) &&
                json_put(body, "verdict", verdict_json(a.verdict)) && json_put_integer(body, "version", 1));
    assert_good(estate_append(e, ENTRY_POLICY, body, NULL, &f));
    json_decref(body);
    buf_free(&bytes);
    answer_clear(&a);
    policy_free(p);
    estate_close(e);
}

/* An estate with its policy in force and the world open; no site enrolled. */
static inline void depth_make(struct depth *d, const char *rules)
{
    char command[512], path[160];
    struct fault f;
    memset(d, 0, sizeof *d);
    umask(022); /* files that others may write to are refused */
    assert_true(scratch_folder(d->folder, sizeof d->folder, "depth"));
    snprintf(command, sizeof command,
             "cd %s && mkdir tokens pins people && echo 'directories.tokendir = %s/tokens' >"
             "softhsm2.conf",
             d->folder, d->folder);
    depth_run(command);
    snprintf(path, sizeof path, "%s/softhsm2.conf", d->folder);
    setenv("SOFTHSM2_CONF", path, 1);
    for (size_t i = 0; i < 3; i++) {
        snprintf(command, sizeof command,
                 "softhsm2-util --init-token --free --label root-%s --so-pin 97531 --pin " PIN
                 " >/dev/null && printf '" PIN "\\n' >%s/pins/%s && chmod 600 %s/pins/%s",
                 depth_sites[i], d->folder, depth_sites[i], d->folder, depth_sites[i]);
        depth_run(command);
    }
    for (size_t i = 0; i < DEPTH_PEOPLE; i++)
        depth_person_make(&depth_people[i], d->folder);
    depth_policy(d, rules);
    depth_serials(d);
    depth_bindings(d);
    snprintf(d->bindings, sizeof d->bindings, "%s/bindings.yaml", d->folder);
    assert_good(estate_create(d->bindings, "rehearsal", NULL, &f));
    depth_adopt(d);
    assert_good(world_open(d->bindings, &d->world, &f));
}

static inline const char *depth_status(const json_t *report)
{
    const char *status = json_string_or_null(report, "status");
    return status != NULL ? status : "";
}

/* Asks, has the authority approve, asks again. */
static inline void depth_enrol(struct depth *d, const char *site)
{
    struct fault f;
    json_t *report = NULL;
    struct digest id;
    assert_good(enrol_run(d->world, "root", site, NULL, &report, &f));
    assert_string_equal(depth_status(report), "pending");
    assert_good(digest_parse(json_string_or_null(report, "request"), &id, &f));
    json_decref(report);
    depth_approve(d->world->estate, &id, "authority");
    assert_good(enrol_run(d->world, "root", site, NULL, &report, &f));
    assert_string_equal(depth_status(report), "enrolled");
    json_decref(report);
}

static inline void depth_login(struct depth *d)
{
    const struct shown_token *t = world_token(d->world, "root");
    CK_UTF8CHAR pin[] = PIN;
    assert_non_null(t->lower);
    assert_int_equal(
        t->lower->f->C_OpenSession(t->lower_slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &d->session),
        CKR_OK);
    assert_int_equal(t->lower->f->C_Login(d->session, CKU_USER, pin, sizeof pin - 1), CKR_OK);
}

static inline void depth_enrol_all(struct depth *d)
{
    for (size_t i = 0; i < 3; i++)
        depth_enrol(d, depth_sites[i]);
}

/* With its three sites enrolled, and the application logged in on the primary. */
static inline void depth_begin(struct depth *d, const char *rules)
{
    depth_make(d, rules);
    depth_enrol_all(d);
    depth_login(d);
}

/* With its three sites enrolled, and no world open: for an application of its own. */
static inline void depth_begin_closed(struct depth *d, const char *rules)
{
    depth_make(d, rules);
    depth_enrol_all(d);
    world_close(d->world);
    d->world = NULL;
}

/* One question for a key, as C_GenerateKeyPair and C_GenerateKey put it to the estate. */
struct depth_question {
    CK_MECHANISM mechanism;
    struct key_template template;
    struct answer answer;
};

/* What kind of key the next question is about, within its mechanism. */
static struct {
    CK_ULONG bits, len;
    CK_BYTE curve[16];
    CK_ULONG curve_len;
} depth_kind = {3072, 32, {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22}, 7}; /* RSA, secret, P-384 (RFC 5480) */

static inline void depth_template(struct depth_question *q, CK_MECHANISM_TYPE mechanism, const char *label,
                                  const char *id)
{
    static CK_BBOOL yes = CK_TRUE;
    static CK_BYTE f4[] = {1, 0, 1};
    char text[64], id_text[64];
    struct fault f;
    snprintf(text, sizeof text, "%s", label);
    snprintf(id_text, sizeof id_text, "%s", id);
    bool generic = mechanism == CKM_GENERIC_SECRET_KEY_GEN, aes = mechanism == CKM_AES_KEY_GEN || generic,
         rsa = mechanism == CKM_RSA_PKCS_KEY_PAIR_GEN;
    CK_ATTRIBUTE secret[8] = {{CKA_TOKEN, &yes, 1},
                              {CKA_PRIVATE, &yes, 1},
                              {CKA_SENSITIVE, &yes, 1},
                              {CKA_LABEL, text, strlen(text)},
                              {CKA_ID, id_text, strlen(id_text)},
                              {aes && !generic ? CKA_ENCRYPT : CKA_SIGN, &yes, 1},
                              {CKA_VALUE_LEN, &depth_kind.len, sizeof depth_kind.len}};
    CK_ATTRIBUTE public[6] = {{CKA_TOKEN, &yes, 1},
                              {CKA_LABEL, text, strlen(text)},
                              {CKA_ID, id_text, strlen(id_text)},
                              {CKA_VERIFY, &yes, 1},
                              {CKA_EC_PARAMS, depth_kind.curve, depth_kind.curve_len}};
    if (rsa) {
        public[4] = (CK_ATTRIBUTE){CKA_MODULUS_BITS, &depth_kind.bits, sizeof depth_kind.bits};
        public[5] = (CK_ATTRIBUTE){CKA_PUBLIC_EXPONENT, f4, sizeof f4};
    }
    q->mechanism = (CK_MECHANISM){mechanism, NULL, 0};
    assert_good(key_template_complete(&q->mechanism, aes ? NULL : public,
                                      aes   ? 0
                                      : rsa ? 6
                                            : 5,
                                      secret, aes ? 7 : 6, false, &q->template, &f));
}

/* Puts the question; *ret_decision is what comes out now. */
static inline enum decision depth_ask(struct depth *d, struct depth_question *q, CK_MECHANISM_TYPE mechanism,
                                      const char *label, const char *id)
{
    struct fault f;
    json_t *secret = NULL, *public = NULL, *templates = json_object();
    memset(q, 0, sizeof *q);
    depth_template(q, mechanism, label, id);
    assert_good(template_to_json(&q->template.secret, &secret, &f));
    if (q->template.pair)
        assert_good(template_to_json(&q->template.public, &public, &f));
    assert_true(json_put(templates, q->template.pair ? "private" : "key", secret));
    assert_true(!q->template.pair || json_put(templates, "public", public));
    json_t *subject = asking_subject(d->world->estate, OP_GENERATE, NULL);
    assert_true(json_put_string(subject, "token", "root") && json_put_string(subject, "label", label) &&
                json_put_string(subject, "function", q->template.pair ? "C_GenerateKeyPair" : "C_GenerateKey") &&
                json_put(subject, "mechanism", mechanism_json(&q->mechanism)) &&
                json_put_string(subject, "class", q->template.pair ? "private-key" : "secret-key") &&
                json_put_string(subject, "object", "token") && json_put(subject, "templates", templates));
    assert_good(estate_ask(d->world->estate, subject, &d->world->context, &q->answer, &f));
    return q->answer.verdict->decision;
}

static inline void depth_forget(struct depth_question *q)
{
    key_template_clear(&q->template);
    answer_clear(&q->answer);
}

static inline enum outcome depth_birth(struct depth *d, struct depth_question *q, CK_OBJECT_HANDLE *ret_secret,
                                       CK_OBJECT_HANDLE *ret_public, struct fault *f)
{
    struct birth b = {.world = d->world,
                      .token = world_token(d->world, "root"),
                      .mechanism = &q->mechanism,
                      .template = &q->template,
                      .request = q->answer.request,
                      .context = &d->world->context,
                      .rule = q->answer.verdict->rule};
    return birth_run(&b, ret_secret, ret_public, f);
}

/* Asks, has two custodians approve, asks again. */
static inline void depth_ask_approved(struct depth *d, struct depth_question *q, CK_MECHANISM_TYPE mechanism,
                                      const char *label, const char *id)
{
    if (depth_ask(d, q, mechanism, label, id) == DECISION_PENDING) {
        assert_non_null(q->answer.request);
        depth_approve(d->world->estate, &q->answer.request->id, "key-custodian");
        depth_forget(q);
        assert_int_equal(depth_ask(d, q, mechanism, label, id), DECISION_ALLOW);
    }
    assert_int_equal(q->answer.verdict->decision, DECISION_ALLOW);
}

static inline int depth_unlink(const char *path, const struct stat *s, int kind, struct FTW *where)
{
    (void)s;
    (void)kind;
    (void)where;
    return remove(path);
}

static inline void depth_end(struct depth *d)
{
    world_close(d->world);
    for (size_t i = 0; i < DEPTH_PEOPLE; i++) {
        EVP_PKEY_free(depth_people[i].key);
        X509_free(depth_people[i].certificate);
    }
    nftw(d->folder, depth_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

/* How many objects of one class with this label the HSM of a site holds. */
static inline size_t depth_count(struct depth *d, const char *site, CK_OBJECT_CLASS class, const char *label)
{
    struct site_link link = {0};
    struct fault f;
    CK_OBJECT_HANDLE found[32];
    size_t count = 0;
    char text[64];
    snprintf(text, sizeof text, "%s", label);
    CK_ATTRIBUTE match[] = {{CKA_CLASS, &class, sizeof class}, {CKA_LABEL, text, strlen(text)}};
    assert_good(site_open(d->world, "root", site, strcmp(site, "slough") == 0 ? SITE_EITHER : SITE_MODULE, &link, &f));
    assert_good(site_find(&link, match, 2, found, 32, &count, &f));
    site_close(&link);
    return count;
}

#endif
