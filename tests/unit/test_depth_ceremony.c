#include "tests/unit/one_estate.h"

/* A ceremony holds for the process that has its lock, at the step whose action is the operation. */

#define RULES                                                                                                          \
    "  - id: in a ceremony\n"                                                                                          \
    "    when: {operation: generate, token: root, label: \"^root-\"}\n"                                                \
    "    require: {ceremony: [key-ceremony], quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 2, "       \
    "prove: signature}, transport: {allow: [oaep-sha1]}}\n"

static json_t *two_digests(void)
{
    struct digest digest = {{3}};
    json_t *j = json_object();
    assert_true(json_put_digest(j, "canonical", &digest) && json_put_digest(j, "digest", &digest));
    return j;
}

static void ceremony_open(void)
{
    struct fault f;
    struct estate *e = d.world->estate;
    struct answer a = {0};
    uint64_t intent = 0;
    json_t *script = two_digests();
    assert_true(json_put_string(script, "id", "key-ceremony"));
    for (int round = 0; round < 2; round++) {
        json_t *subject = asking_subject(e, OP_OPEN_CEREMONY, NULL);
        assert_true(json_put_string(subject, "ceremony", "c-1") && json_put(subject, "script", json_incref(script)) &&
                    json_put(subject, "bindings", two_digests()) && json_put(subject, "people", json_array()));
        answer_clear(&a);
        assert_good(estate_ask(e, subject, &d.world->context, &a, &f));
        if (round == 0)
            depth_approve(e, &a.request->id, "authority");
    }
    assert_good(estate_intend(e, a.request, &d.world->context, NULL, &intent, &f));
    json_t *body = json_object();
    assert_true(json_put_string(body, "ceremony", "c-1") && json_put(body, "script", json_incref(script)) &&
                json_put(body, "bindings", two_digests()) && json_put(body, "people", json_array()) &&
                json_put_digest(body, "request", &a.request->id) && json_put(body, "verdict", verdict_json(a.verdict)));
    assert_good(estate_append(e, ENTRY_CEREMONY_OPENED, body, NULL, &f));
    json_decref(body);
    json_decref(script);
    answer_clear(&a);
}

static int setup(void **state)
{
    (void)state;
    depth_begin(&d, RULES);
    ceremony_open();
    return 0;
}

static void lock_is_one_process(void **state)
{
    struct fault f;
    struct lock *lock = NULL;
    char *path = estate_path(d.world->estate, "ceremonies", "c-1/lock");
    (void)state;
    assert_good(world_ceremony(d.world, "c-1", &f));
    assert_string_equal(d.world->estate->ceremony, "c-1");
    assert_int_equal(lock_take(path, false, &lock, &f), E_BUSY);
    assert_good(world_ceremony(d.world, NULL, &f));
    assert_null(d.world->estate->ceremony);
    assert_good(lock_take(path, false, &lock, &f));
    assert_int_equal(world_ceremony(d.world, "c-1", &f), E_BUSY);
    assert_text("another process");
    assert_null(d.world->estate->ceremony);
    lock_release(lock);
    free(path);
}

/* Approved by all who have to, and still not allowed. */
static void outside_its_step_nothing_holds(void **state)
{
    struct depth_question q;
    struct fault f;
    CK_OBJECT_HANDLE secret = 0, public = 0;
    (void)state;
    assert_int_equal(depth_ask(&d, &q, CKM_EC_KEY_PAIR_GEN, "root-g0", ""), DECISION_PENDING);
    depth_approve(d.world->estate, &q.answer.request->id, "key-custodian");
    depth_forget(&q);
    assert_int_equal(depth_ask(&d, &q, CKM_EC_KEY_PAIR_GEN, "root-g0", ""), DECISION_PENDING);
    depth_forget(&q);
    assert_good(world_ceremony(d.world, "c-1", &f));
    assert_good(world_step(d.world, "1.1", OP_DESTROY, NULL, NULL, &f));
    assert_int_equal(depth_ask(&d, &q, CKM_EC_KEY_PAIR_GEN, "root-g0", ""), DECISION_PENDING);
    assert_int_equal(depth_birth(&d, &q, &secret, &public, &f), E_PENDING);
    depth_forget(&q);
    assert_good(world_ceremony(d.world, NULL, &f));
    assert_int_equal(world_step(d.world, "1.1", OP_GENERATE, NULL, NULL, &f), E_REFUSED);
}

static void born_in_its_step(void **state)
{
    struct depth_question q;
    struct fault f;
    struct buf bytes = BUF(65536);
    struct entry entry;
    CK_OBJECT_HANDLE secret = 0, public = 0;
    (void)state;
    assert_good(world_ceremony(d.world, "c-1", &f));
    assert_good(world_step(d.world, "2.1", OP_GENERATE, "authority-1", NULL, &f));
    assert_string_equal(d.world->requester, "authority-1");
    depth_ask_approved(&d, &q, CKM_EC_KEY_PAIR_GEN, "root-g1", "");
    assert_good(depth_birth(&d, &q, &secret, &public, &f));
    const struct state_key *key = &d.world->estate->state.keys[d.world->estate->state.key_count - 1];
    assert_string_equal(key->label, "root-g1");
    assert_good(log_entry_bytes(d.world->estate->log, key->seq, &bytes, &f));
    assert_good(entry_parse(buf_span(&bytes), &entry, &f));
    assert_string_equal(entry.ceremony, "c-1");
    entry_clear(&entry);
    buf_free(&bytes);
    depth_forget(&q);
    assert_good(world_ceremony(d.world, NULL, &f));
    assert_null(d.world->context.ceremony);
    assert_null(d.world->requester);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lock_is_one_process),
        cmocka_unit_test(outside_its_step_nothing_holds),
        cmocka_unit_test(born_in_its_step),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
