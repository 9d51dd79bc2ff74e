#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ceremony/explain.h"
#include "ceremony/tool.h"
#include "policy/request.h"
#include "tests/scratch_folder.h"

/* Questions made up from words, and what the policy answers to them. */

#define EIGHT(digit) digit digit digit digit digit digit digit digit
#define FINGERPRINT(digit)                                                                                             \
    "sha256:" EIGHT(digit) EIGHT(digit) EIGHT(digit) EIGHT(digit) EIGHT(digit) EIGHT(digit) EIGHT(digit) EIGHT(digit)

static const char policy_text[] =
    "quorate: 1\n"
    "semantics: 1\n"
    "name: small\n"
    "version: 1\n"
    "people:\n"
    "  - {id: ann, name: Ann, organisation: One, roles: [custodian], fingerprint: \"" FINGERPRINT(
        "1") "\"}\n"
             "  - {id: ben, name: Ben, organisation: Two, roles: [custodian], fingerprint: \"" FINGERPRINT(
                 "2") "\"}\n"
                      "  - {id: cid, name: Cid, organisation: Two, roles: [custodian], fingerprint: \"" FINGERPRINT(
                          "3") "\","
                               " until: 2025-01-01}\n"
                               "sites:\n"
                               "  - {id: north, at: [55.86, -4.25], country: GB}\n"
                               "  - {id: south, at: [51.51, -0.59], country: GB}\n"
                               "tokens:\n"
                               "  - {id: root, primary: south, replicas: [north]}\n"
                               "rules:\n"
                               "  - id: births\n"
                               "    when: {operation: generate, label: \"^app-\"}\n"
                               "    require:\n"
                               "      quorum: {of: custodian, at-least: 2}\n"
                               "      replicas: {at-least: 1, prove: signature, apart-km: 100}\n"
                               "      key: {types: [EC:P-256, EC:P-384], usage: [sign]}\n"
                               "  - id: in a ceremony\n"
                               "    when: {operation: generate, label: \"^root-\"}\n"
                               "    require: {ceremony: [birth], quorum: {of: custodian, at-least: 1}}\n"
                               "  - {id: use, when: {operation: use, label: \"^app-\", class: private-key}, allow: "
                               "true}\n"
                               "  - id: the estate\n"
                               "    when: {operation: [adopt-policy, enrol-site, retire-site, open-ceremony, "
                               "replicate, promote, suspend, resume,"
                               " change-log-key, readopt-log]}\n"
                               "    require: {quorum: {of: custodian, at-least: 2}}\n"
                               "otherwise: deny\n"
                               "succession: {quorum: {of: custodian, at-least: 1}}\n";

static char folder[48], file[64];

static int file_make(void **state)
{
    FILE *out = NULL;

    (void)state;
    if (!scratch_folder(folder, sizeof folder, "explain"))
        return -1;
    snprintf(file, sizeof file, "%s/policy.yaml", folder);
    out = fopen(file, "w");
    if (!out || fputs(policy_text, out) < 0 || fclose(out) != 0)
        return -1;
    /* No estate of this host's may answer here. */
    return setenv("QUORATE_BINDINGS", "/nonexistent/bindings.yaml", 1);
}

static int file_drop(void **state)
{
    (void)state;
    unlink(file);
    return rmdir(folder);
}

/* Runs `policy explain WORDS --policy FILE --json`, which is silent but for its answer. */
static enum outcome explains(int count, const char *const *words, struct fault *f)
{
    const struct command *c = commands;
    char copies[16][64], *list[20], policy[] = "--policy", json[] = "--json";
    struct arguments a = {0};
    enum outcome o = OK;

    while (strcmp(c->name, "policy explain") != 0)
        c++;
    for (int i = 0; i < count; i++) {
        snprintf(copies[i], sizeof copies[i], "%s", words[i]);
        list[i] = copies[i];
    }
    list[count] = policy;
    list[count + 1] = file;
    list[count + 2] = json;
    *f = (struct fault){.outcome = OK};
    assert_int_equal(arguments_read(c, count + 3, list, &a, f), OK);
    o = c->run(&a, f);
    arguments_clear(&a);
    return o;
}

#define EXPLAINS(want, ...)                                                                                            \
    do {                                                                                                               \
        const char *const words[] = {__VA_ARGS__};                                                                     \
        struct fault f;                                                                                                \
        enum outcome got = explains((int)(sizeof words / sizeof *words), words, &f);                                   \
        if (got != (want))                                                                                             \
            fail_msg("%s: outcome %d instead of %d: %s", #__VA_ARGS__, (int)got, (int)(want), f.text);                 \
    } while (0)

static void test_births(void **state)
{
    (void)state;
    EXPLAINS(OK, "generate", "--label", "app-1", "--approve", "ann", "--approve", "ben");
    EXPLAINS(OK, "generate", "--label", "app-1", "--type", "EC:P-384", "--approve", "ann", "--approve", "ben");
    EXPLAINS(E_PENDING, "generate", "--label", "app-1", "--approve", "ann");
    EXPLAINS(E_PENDING, "generate", "--label", "app-1", "--approve", "ann", "--approve", "ann");
    EXPLAINS(E_REFUSED, "generate", "--label", "app-1", "--type", "EC:Ed25519", "--approve", "ann", "--approve", "ben");
    EXPLAINS(E_REFUSED, "generate", "--label", "app-1", "--type", "RSA:3072", "--approve", "ann", "--approve", "ben");
    EXPLAINS(E_REFUSED, "generate", "--label", "app-1", "--usage", "decrypt", "--approve", "ann", "--approve", "ben");
    EXPLAINS(E_REFUSED, "generate", "--label", "app-1", "--type", "AES:256", "--approve", "ann", "--approve", "ben");
    EXPLAINS(E_REFUSED, "generate", "--label", "other", "--approve", "ann", "--approve", "ben");
}

static void test_time(void **state)
{
    (void)state;
    EXPLAINS(OK, "generate", "--label", "app-1", "--at", "2024-06-01", "--approve", "ann", "--approve", "cid");
    EXPLAINS(E_PENDING, "generate", "--label", "app-1", "--at", "2025-06-01", "--approve", "ann", "--approve", "cid");
    EXPLAINS(E_REFUSED, "generate", "--label", "app-1", "--at", "2026-06-03", "--approve", "ann@2026-06-01",
             "--approve", "ben@2026-06-03");
    EXPLAINS(E_REFUSED, "generate", "--label", "app-1", "--at", "2026-06-03", "--reject", "ann", "--reject", "ben");
}

static void test_ceremonies(void **state)
{
    (void)state;
    EXPLAINS(E_PENDING, "generate", "--label", "root-1", "--approve", "ann");
    EXPLAINS(E_PENDING, "generate", "--label", "root-1", "--approve", "ann", "--script", "another");
    EXPLAINS(OK, "generate", "--label", "root-1", "--approve", "ann", "--script", "birth");
}

static void test_other_operations(void **state)
{
    (void)state;
    EXPLAINS(OK, "use", "--label", "app-1");
    EXPLAINS(E_REFUSED, "use", "--label", "app-1", "--class", "secret-key");
    EXPLAINS(E_REFUSED, "destroy", "--label", "app-1");
    EXPLAINS(OK, "adopt-policy", "--approve", "ann", "--approve", "ben");
    EXPLAINS(E_PENDING, "adopt-policy", "--approve", "ann");
    EXPLAINS(OK, "adopt-policy", "--succession", "--approve", "ann");
}

/* Each operation can be asked about: its subject is one that people could be asked to sign. */
static void test_every_operation(void **state)
{
    (void)state;
    for (int op = 0; op < OP_COUNT; op++) {
        const char *const words[] = {operation_name((enum operation)op)};
        struct fault f;
        enum outcome o = explains(1, words, &f);

        if (o != OK && o != E_PENDING && o != E_REFUSED)
            fail_msg("%s: %s", words[0], f.text);
        assert_string_equal(f.text, "");
    }
}

static void test_bad_words(void **state)
{
    (void)state;
    EXPLAINS(E_INVALID, "fly");
    EXPLAINS(E_INVALID, "generate", "--type", "EC:P-999");
    EXPLAINS(E_INVALID, "generate", "--type", "RSA:");
    EXPLAINS(E_INVALID, "generate", "--type", "RSA:3071");
    EXPLAINS(E_INVALID, "generate", "--type", "AES:-8");
    EXPLAINS(E_INVALID, "generate", "--usage", "sign,fly");
    EXPLAINS(E_INVALID, "generate", "--class", "hat");
    EXPLAINS(E_INVALID, "generate", "--approve", "nobody");
    EXPLAINS(E_INVALID, "generate", "--approve", "ann@yesterday");
    EXPLAINS(E_INVALID, "generate", "--at", "noon");
    EXPLAINS(E_INVALID, "use", "--type", "EC:P-256");
    EXPLAINS(E_INVALID, "generate", "--succession");
    EXPLAINS(E_INVALID, "suspend", "--label", "app-1");
    EXPLAINS(E_INVALID, "suspend", "--token", "root");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_births),          cmocka_unit_test(test_time),
        cmocka_unit_test(test_ceremonies),      cmocka_unit_test(test_other_operations),
        cmocka_unit_test(test_every_operation), cmocka_unit_test(test_bad_words),
    };

    return cmocka_run_group_tests(tests, file_make, file_drop);
}
